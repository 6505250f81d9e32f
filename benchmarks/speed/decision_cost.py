"""Processor time of the decision beside that of the whole analysis: ``python -m benchmarks.speed.decision_cost``.

The decision is what comes after the fits: the comparison with the controls, the odds of every hypothesis for each
reagent and for all together, and the call with its guards.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.common.places import PAGES
from benchmarks.common.timing import machine
from cd40l_flow.analyse import analyse, control_from_results
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.cohort.settings import Job
from cd40l_flow.decision.assess import assess, compare_with_controls
from cd40l_flow.decision.calls import decide
from cd40l_flow.decision.guards import apply_guards
from cd40l_flow.decision.laboratory import with_laboratory
from cd40l_flow.inputs import inputs_of_test
from cd40l_flow.result.types.result import Result
from cd40l_flow.simulate import MECHANISMS, healthy_control, write_cohort

OUT = PAGES / "decision_cost.md"
SEED = 8100
LIMIT = 35.0  # milliseconds
REPEATS = 5


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one sample: its odds, its call, its whole analysis."""

    mechanism: str
    call: str
    odds: float
    decision: float
    analysis: float

    @property
    def both(self) -> float:
        """Odds and call."""
        return self.odds + self.decision


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median processor time of some work, repeated, in milliseconds."""
    spent = []
    for _ in range(REPEATS):
        begin = time.process_time()
        work()
        spent.append(1000 * (time.process_time() - begin))
    return statistics.median(spent)


def cost_of(mechanism: str, job: Job, control: Result) -> Cost:
    """Return the cost of one sample beside its control."""
    settings, controls = job.settings, {control.sample: control}
    inputs = inputs_of_test(job, [control])
    beside = control_from_results([control], settings.limits)
    case = assess(inputs.gate(inputs.signals), inputs.refusals, beside, inputs.overrides, settings.limits, alone=False)
    own = {reagent: with_laboratory(settings.limits, settings.reference, reagent) for reagent in case.reagents}

    def call() -> str:
        return decide(case, apply_guards(case, settings.limits), settings.limits, require_function=True).call

    return Cost(
        mechanism,
        call(),
        milliseconds(lambda: compare_with_controls(case.reagents, beside.reagents, own)),
        milliseconds(call),
        milliseconds(lambda: analyse(job, controls)),
    )


def costs(seed: int) -> list[Cost]:
    """Return the cost of a sample of each mechanism of the usual physics beside one control."""
    usual = [one.scenario for one in MECHANISMS if not one.of_control and not one.of_run]
    control = healthy_control()
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_cohort(Path(), seed, cohort=(control, *usual))
        plan = load_plan("config/config.yaml")
        result, _ = analyse(plan.job(control.sample), {})
        return [cost_of(one.sample, plan.job(one.sample), result) for one in usual]


def page(found: list[Cost], seed: int) -> str:
    """Return the page."""
    both = np.array([one.both for one in found])
    whole = np.array([one.analysis for one in found])
    rows = [
        f"| {one.mechanism} | {one.call} | {one.odds:.0f} | {one.decision:.1f} | {one.analysis:.0f} |" for one in found
    ]
    verdict = "met" if np.median(both) <= LIMIT else "**missed**"
    return f"""# Cost of the decision

Written by `python -m benchmarks.speed.decision_cost --seed {seed}`:
one sample of each of {len(found)} mechanisms with the
usual physics, median of {REPEATS} repeats each, processor time in milliseconds. {machine()}

The odds and the call take **{np.median(both):.0f} ms** in the median ({verdict}; goal {LIMIT:.0f}),
{both.max():.0f} ms at most; the whole analysis, from FCS files to the result, {np.median(whole):.0f} ms.

| mechanism | call | odds | guards and call | whole analysis |
|---|---|---:|---:|---:|
""" + "\n".join([*rows, ""])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.decision_cost", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="of the simulation (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    text = page(costs(options.seed), options.seed)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

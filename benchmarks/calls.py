"""Calls of simulated samples against their truth, compared with two plain methods: ``python -m benchmarks.calls``.

A cohort is made of runs, each with a healthy control and its own staining level, so that Ashman's D of the target goes
from 3 to 8; over all runs every scenario comes up equally often. Healthy donors differ: their negative fraction has
mean 0.10 and SD 0.02. What is expected is a set of calls, for a carrier about the limit of detection may rightly be
called either way. With ``--donors-known`` the laboratory has set the limits that state how its healthy donors differ.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.calls_cohort import OF_DONORS, cohort, stained
from benchmarks.calls_judging import METHODS, Judged, expected_of, kind_of
from benchmarks.calls_page import page
from benchmarks.calls_plain import by_mixture, by_threshold, plain_rules

from cd40l_flow.analyse import analyse
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.simulate import Scenario, write_cohort
from cd40l_flow.simulate.dialects import DIALECTS, INSTRUMENTS

OUT = Path(__file__).parent / "calls.md"
SAMPLES = 400


def judge_run(donors_known: bool, run: tuple[int, Scenario, list[Scenario], float]) -> list[Judged]:
    """Simulate one run, analyse it as the workflow does, and call its samples by every method."""
    seed, control, tests, level = run
    judged = []
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_cohort(Path(), seed, cohort=(control, *tests), parameters=stained(level))
        if donors_known:
            with Path("config/config.yaml").open("a", encoding="utf-8") as config:
                config.write(f"limits: {json.dumps(OF_DONORS)}\n")
        plan = load_plan("config/config.yaml")
        control_result, control_arrays = analyse(plan.job(control.sample), {})
        for scenario in tests:
            result, arrays = analyse(plan.job(scenario.sample), {control.sample: control_result})
            calls = {METHODS[0]: result.call}
            for method, positives in zip(METHODS[1:], (by_threshold, by_mixture), strict=True):
                calls[method] = plain_rules(result, arrays, control_result, control_arrays, positives)
            cd154 = result.numbers("CD154")
            judged.append(
                Judged(
                    run=seed,
                    sample=scenario.sample[4:],
                    kind=kind_of(scenario),
                    negative_fraction=scenario.negative_fraction,
                    mutant_fraction=1 - (1 - scenario.negative_fraction) / (1 - control.negative_fraction),
                    lod=cd154.get("lod"),
                    separation=control_result.numbers("CD154").get("separation"),
                    expected=expected_of(scenario),
                    calls=calls,
                    reasons=tuple(result.reasons),
                    pattern=str(result.pattern),
                )
            )
    return judged


def many(seed: int, samples: int, processes: int, instruments: Sequence[str], *, donors_known: bool) -> list[Judged]:
    """Judge a cohort, its runs in order whatever the number of processes."""
    runs, judge = cohort(seed, samples, instruments), partial(judge_run, donors_known)
    if processes == 1:
        return [judged for run in runs for judged in judge(run)]
    with ProcessPoolExecutor(processes) as pool:
        return [judged for run in pool.map(judge, runs) for judged in run]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="cohort (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="samples of the cohort (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument(
        "--instruments", nargs="+", default=INSTRUMENTS, choices=DIALECTS, help="instruments of the runs, in turn"
    )
    parser.add_argument(
        "--donors-known", action="store_true", help="limits of a laboratory that has measured its donors"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    known = options.donors_known
    judged = many(options.seed, options.samples, options.cores, options.instruments, donors_known=known)
    command = " ".join(["python -m benchmarks.calls", *sys.argv[1:]])
    text = page(judged, options.seed, options.instruments, command, donors_known=known)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

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
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cd40l_flow.analyse import analyse
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.result.types.result import Result
from cd40l_flow.simulate import SCENARIOS, Scenario, SimulationParameters, healthy_control, write_cohort
from cd40l_flow.simulate.dialects import DIALECTS, INSTRUMENTS, SIMULATED
from cd40l_flow.simulate.scenarios import TUBES_WITH_SECOND_CLONE

OUT = Path(__file__).parent / "calls.md"
SAMPLES = 400
SAMPLES_A_RUN = 10
HEALTHY_MEAN, HEALTHY_SD = 0.10, 0.02
OF_DONORS = {
    "mixture": {"healthy_negative_sd": HEALTHY_SD},
    "odds": {"healthy_negative_mean_sd": HEALTHY_SD, "level_sd": 0.1},
}
# Bound anti-CD154 of a healthy cell, and what that makes of D: 3 at the one end, 8 at the other.
DIMMEST, BRIGHTEST = 700.0, 15_000.0
CD40IG_LEAST = 1_300.0  # CD40-Ig has the higher background: below this its D would be less than 3
OF_MATRIX = ("no_spillover", "transposed_spillover", "already_compensated")
AFFECTED = ("ABSENT", "REDUCED", "MOSAIC", "FUNCTIONAL_DEFECT")
# The reader finds DATA whose end is given one byte too far: nothing is wrong with the cells.
READ_AS_MEANT = "offset"
FEWEST_EVENTS, LEAST_CD69, LEAST_CONTROL = 500, 70.0, 75.0
METHODS = ("cd40l-flow", "threshold", "GaussianMixture and BIC")


@dataclass(frozen=True)
class Judged:
    """One sample: its scenario, truth, the calls of the three methods, and what the control's D was.

    ``mutant_fraction`` is the donor's true one beyond the control's; ``kind`` is ``healthy``, ``affected``, ``mosaic``
    or ``failed`` (no call may be made).
    """

    run: int
    sample: str
    kind: str
    negative_fraction: float
    mutant_fraction: float
    lod: float | None
    separation: float | None
    expected: frozenset[str]
    calls: Mapping[str, str]
    reasons: tuple[str, ...]
    pattern: str

    def right(self, method: str) -> bool:
        """Whether a method's call is one of the expected."""
        return self.calls[method] in self.expected

    def dangerous(self, method: str) -> bool:
        """Whether a method's call could harm: an affected one normal, a healthy one affected, a failed assay called."""
        call = self.calls[method]
        if call in self.expected:
            return False
        if self.kind == "failed":
            return call != "INDETERMINATE"
        if self.kind == "affected":
            return call == "NORMAL"
        if self.kind == "mosaic":
            return call == "NORMAL" and self.mutant_fraction > (0.13 if self.lod is None else self.lod)
        return call in AFFECTED


def cohort(seed: int, samples: int, instruments: Sequence[str]) -> list[tuple[int, Scenario, list[Scenario], float]]:
    """Return the runs of a cohort: seed of the run, control, samples, and the staining level (molecules)."""
    random = np.random.default_rng([154, seed])
    order: list[Scenario] = []
    while len(order) < samples:
        order += [SCENARIOS[index] for index in random.permutation(len(SCENARIOS))]
    levels = random.permutation(np.exp(np.linspace(math.log(DIMMEST), math.log(BRIGHTEST), samples // SAMPLES_A_RUN)))
    order, turn = order[:samples], 0
    runs: list[tuple[int, Scenario, list[Scenario], float]] = []
    while order:
        instrument = instruments[turn % len(instruments)]
        turn += 1
        chosen = [scenario for scenario in order if _possible(scenario, instrument)][:SAMPLES_A_RUN]
        if not chosen:
            continue
        for scenario in chosen:
            order.remove(scenario)
        donors = random.normal(HEALTHY_MEAN, HEALTHY_SD, len(chosen) + 1).clip(0.03, 0.2)
        control = replace(
            healthy_control(),
            stimulated=TUBES_WITH_SECOND_CLONE,
            negative_fraction=float(donors[0]),
            instrument=instrument,
        )
        tests = [
            _on(replace(_of_donor(scenario, float(donor)), sample=f"S{index:02d}-{scenario.sample}"), instrument)
            for index, (scenario, donor) in enumerate(zip(chosen, donors[1:], strict=True))
        ]
        runs.append((seed * 1000 + len(runs), control, tests, float(levels[len(runs) % levels.size])))
    return runs


def _possible(scenario: Scenario, instrument: str) -> bool:
    """Return whether this can happen on an instrument: one that compensates by itself has no matrix to go wrong."""
    return not (DIALECTS[instrument].compensated and any(fault.kind in OF_MATRIX for fault in scenario.faults))


def _on(scenario: Scenario, instrument: str) -> Scenario:
    """Return a scenario on the run's instrument, unless it is about another."""
    return scenario if scenario.instrument != SIMULATED else replace(scenario, instrument=instrument)


def _of_donor(scenario: Scenario, negative: float) -> Scenario:
    """Return a scenario whose healthy part has this donor's negative fraction, clones the same."""
    if scenario.positive_skew < -2:  # a donor of the scenario's own
        return scenario
    expressing = min((1 - scenario.negative_fraction) / (1 - HEALTHY_MEAN), 1.0)
    return replace(scenario, negative_fraction=1 - expressing * (1 - negative))


def kind_of(scenario: Scenario) -> str:
    """Return what a scenario is in truth."""
    if scenario.right == {"INDETERMINATE"} and READ_AS_MEANT not in scenario.sample:
        return "failed"
    if scenario.expected_call == "MOSAIC" or "carrier" in scenario.sample:
        return "mosaic"
    return "healthy" if scenario.expected_call in ("NORMAL", "INDETERMINATE") else "affected"


def expected_of(scenario: Scenario) -> frozenset[str]:
    """Return the calls that are right; a grey zone is INDETERMINATE."""
    kind = kind_of(scenario)
    if kind == "mosaic":
        negative = scenario.negative_fraction
        if negative > 0.28:
            return frozenset({"MOSAIC"})
        if negative >= 0.22:
            return frozenset({"MOSAIC", "INDETERMINATE"})
        # Between the limits of blank and of detection, as the control's own negatives happen to be.
        return frozenset({"MOSAIC", "INDETERMINATE", "NORMAL"} if negative > 0.18 else {"INDETERMINATE", "NORMAL"})
    if READ_AS_MEANT in scenario.sample:
        return frozenset({"NORMAL", "INDETERMINATE"})
    return scenario.right


def stained(level: float) -> SimulationParameters:
    """Return the physics of a run of this staining level."""
    return SimulationParameters(
        cd154_molecules=level, cd40ig_bound=max(SimulationParameters().cd40ig_bound, CD40IG_LEAST / level)
    )


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


# What a laboratory would do without a model of the background: cells above the background's 99th percentile, or the
# components of a free mixture whose middle lies there. Bins of the gated cells -> positive fraction, middle.
Positives = Callable[[np.ndarray, np.ndarray], tuple[float, float]]


def by_threshold(counts: np.ndarray, background: np.ndarray) -> tuple[float, float]:
    """Return the positive fraction above the threshold and the median bin of the positives."""
    first = int(np.searchsorted(np.cumsum(background), 0.99 * background.sum())) + 1
    above = counts[first:]
    if not above.sum():
        return 0.0, math.nan
    return float(above.sum() / counts.sum()), first + float(np.searchsorted(np.cumsum(above), above.sum() / 2))


def by_mixture(counts: np.ndarray, background: np.ndarray) -> tuple[float, float]:
    """Return the positive fraction of a mixture of one to three normals, their number by BIC, and their mean."""
    from sklearn.mixture import GaussianMixture

    threshold = int(np.searchsorted(np.cumsum(background), 0.99 * background.sum())) + 1
    values = np.repeat(np.arange(counts.size, dtype=np.float64), counts.astype(int))[:, None]
    if len(values) < 10:
        return math.nan, math.nan
    fits = [GaussianMixture(number, random_state=0, n_init=2).fit(values) for number in (1, 2, 3)]
    best = min(fits, key=lambda fit: fit.bic(values))
    means, weights = best.means_[:, 0], best.weights_
    positive = means > threshold
    if not positive.any():
        return 0.0, math.nan
    return float(weights[positive].sum()), float(np.average(means[positive], weights=weights[positive]))


def plain_rules(
    result: Result,
    arrays: Mapping[str, Any],
    control: Result,
    control_arrays: Mapping[str, Any],
    positives: Positives,
) -> str:
    """Return the call by the rules of thumb of published reports, on the same gated cells.

    Files, number of cells and activation are checked as anybody would; then at least 70 % positive is normal, at most
    10 % absent, and what lies between is a mosaic where the positive cells are as bright as the control's.
    """
    refused = any(tube.status == "refused" for tube in result.tubes)
    events, activated = result.activated_events, result.cd69_percent
    if refused or not events or events < FEWEST_EVENTS or (activated or 0.0) < LEAST_CD69:
        return "INDETERMINATE"
    if result.metadata.calcineurin_inhibitor != "no":
        return "INDETERMINATE"
    found: dict[str, tuple[float, float]] = {}
    for reagent, key in (("CD154", "cd154"), ("CD40-Ig", "cd40ig")):
        if f"{key}_sample" not in arrays or f"{key}_sample" not in control_arrays:
            return "INDETERMINATE"
        fraction, middle = positives(arrays[f"{key}_sample"], arrays[f"{key}_background"])
        healthy, level = positives(control_arrays[f"{key}_sample"], control_arrays[f"{key}_background"])
        if not 100 * healthy >= LEAST_CONTROL:
            return "INDETERMINATE"
        found[reagent] = fraction, middle - level
    words = {reagent: _plain_word(*found[reagent]) for reagent in found}
    if words["CD154"] == words["CD40-Ig"]:
        return words["CD154"]
    if words["CD40-Ig"] == "ABSENT" and words["CD154"] in ("NORMAL", "REDUCED"):
        return "FUNCTIONAL_DEFECT"
    return "INDETERMINATE"


def _plain_word(fraction: float, shift: float) -> str:
    if fraction <= 0.10:
        return "ABSENT"
    # Half as bright is about 17 of 256 bins of the 4.5 decades of the scale.
    bright = shift > -17
    if fraction >= 0.70:
        return "NORMAL" if bright else "REDUCED"
    return "MOSAIC" if bright else "REDUCED"


def many(seed: int, samples: int, processes: int, instruments: Sequence[str], *, donors_known: bool) -> list[Judged]:
    """Judge a cohort, its runs in order whatever the number of processes."""
    runs, judge = cohort(seed, samples, instruments), partial(judge_run, donors_known)
    if processes == 1:
        return [judged for run in runs for judged in judge(run)]
    with ProcessPoolExecutor(processes) as pool:
        return [judged for run in pool.map(judge, runs) for judged in run]


def page(judged: Sequence[Judged], seed: int, instruments: Sequence[str], command: str, *, donors_known: bool) -> str:
    """Return the page of the benchmark."""
    known = f"those of a laboratory that has measured how its donors differ, `{json.dumps(OF_DONORS)}`"
    limits = f"Limits are {known if donors_known else 'the default ones'}."
    separations = [one.separation for one in judged if one.separation is not None]
    by_kind = [[one for one in judged if one.kind == kind] for kind in ("healthy", "affected", "mosaic", "failed")]
    return f"""# Calls against the truth

Written by `{command}`, seed {seed}. {len(judged)} simulated samples, every
scenario equally often, in runs of {SAMPLES_A_RUN} with a healthy control each; healthy donors have {HEALTHY_MEAN:.0%}
negative cells, SD {HEALTHY_SD:g}. {limits}
D of the control's CD154 goes from {min(separations):.1f}
to {max(separations):.1f}.
Instruments, in turn: {", ".join(instruments)}.

Expected is a set of calls: a carrier of 22 to 28 % negative cells may be MOSAIC or in its grey zone (INDETERMINATE).
**Dangerous** is an affected male, a functional defect or a carrier above the limit of detection called NORMAL; a
healthy sample called ABSENT, REDUCED, MOSAIC or FUNCTIONAL_DEFECT; and any call where the assay failed.

| method | as expected | dangerous | healthy | affected | mosaic | assay failed |
|---|---:|---:|---:|---:|---:|---:|
{chr(10).join(_method_row(method, judged, by_kind) for method in METHODS)}

The two other methods see the same gated cells, and check files, number of cells, activation, control and drugs; then
they count cells above the background's 99th percentile, or the components of the best free mixture of one to three
normals that lie there, and follow rules of thumb: at least 70 % positive is normal, at most 10 % absent, between them a
mosaic if the positive cells are as bright as the control's, else reduced.

## By D of the control's CD154

| D | samples | as expected | dangerous |
|---|---:|---:|---:|
{chr(10).join(_separation_rows(judged))}

## By scenario

| scenario | samples | as expected | calls |
|---|---:|---:|---|
{chr(10).join(_scenario_rows(judged))}

## Calls of cd40l-flow that are not expected

{_misses(judged)}
"""


def _share(right: int, count: int) -> str:
    return f"{right} of {count} ({100 * right / count:.1f} %)" if count else "none"


def _method_row(method: str, judged: Sequence[Judged], groups: Iterable[Sequence[Judged]]) -> str:
    right = _share(sum(one.right(method) for one in judged), len(judged))
    parts = [f"{sum(one.right(method) for one in group)} of {len(group)}" for group in groups]
    return f"| {method} | {right} | {sum(one.dangerous(method) for one in judged)} | {' | '.join(parts)} |"


def _separation_rows(judged: Sequence[Judged]) -> list[str]:
    rows = []
    for low, high in ((0, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 20)):
        group = [one for one in judged if one.separation is not None and low <= one.separation < high]
        if group:
            right = _share(sum(one.right(METHODS[0]) for one in group), len(group))
            dangerous = sum(one.dangerous(METHODS[0]) for one in group)
            rows.append(f"| {low} to {high} | {len(group)} | {right} | {dangerous} |")
    return rows


def _scenario_rows(judged: Sequence[Judged]) -> list[str]:
    rows = []
    for name in dict.fromkeys(scenario.sample for scenario in SCENARIOS):
        group = [one for one in judged if one.sample == name]
        if group:
            calls = Counter(one.calls[METHODS[0]] for one in group).most_common()
            shown = ", ".join(f"{call} {count}" for call, count in calls)
            rows.append(f"| {name} | {len(group)} | {sum(one.right(METHODS[0]) for one in group)} | {shown} |")
    return rows


def _misses(judged: Sequence[Judged]) -> str:
    lines = [
        f"- {'**dangerous** ' if one.dangerous(METHODS[0]) else ''}run {one.run}, {one.sample}"
        f" (negative {one.negative_fraction:.3f}, D {_number(one.separation)}): {one.calls[METHODS[0]]}"
        f"{' (' + ', '.join(one.reasons) + ')' if one.reasons else ''}, pattern {one.pattern};"
        f" expected {' or '.join(sorted(one.expected))}"
        for one in judged
        if not one.right(METHODS[0]) or one.dangerous(METHODS[0])
    ]
    return "\n".join(lines) if lines else "None."


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1f}"


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

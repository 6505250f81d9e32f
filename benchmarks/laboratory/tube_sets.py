"""Laboratories that make fewer tubes, on simulated truth: ``python -m benchmarks.laboratory.tube_sets``.

Each run has a control and samples of several kinds with the same set of tubes. Runs differ in instrument, in how
brightly they stain, and in how the background of stimulated cells differs from that of resting ones, which is all the
background that many of these sets have.
"""

from __future__ import annotations

import argparse
import contextlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.common.places import PAGES
from benchmarks.families.donors import HELD_OUT, Donors, donor
from benchmarks.laboratory.resting import compared, rows
from cd40l_flow.analyse import analyse
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.result.types.result import Result
from cd40l_flow.simulate import INSTRUMENTS, Scenario, SimulationParameters, healthy_control, named, write_cohort

OUT = PAGES / "tube_sets.md"
RUNS = 60


@dataclass(frozen=True)
class TubeSet:
    """What a laboratory makes: the reagents of its stimulated and unstimulated tubes, and whether it shows function."""

    name: str
    stimulated: tuple[str, ...]
    unstimulated: tuple[str, ...]
    function: bool

    def of(self, scenario: Scenario) -> Scenario:
        """Return a scenario with these tubes."""
        return replace(scenario, stimulated=self.stimulated, unstimulated=self.unstimulated)


SETS = (
    TubeSet("two: unstimulated and stimulated CD154", ("CD154",), ("CD154",), False),
    TubeSet("three: these and CD40-Ig, no background of it", ("CD154", "CD40-Ig"), ("CD154",), False),
    TubeSet("four: both readouts unstimulated and stimulated", ("CD154", "CD40-Ig"), ("CD154", "CD40-Ig"), True),
    TubeSet("four: secondary and no isotype or FMO", ("CD154", "CD40-Ig", "secondary"), ("CD154",), True),
    TubeSet("five: the whole set, for comparison", ("CD154", "isotype", "CD40-Ig", "secondary"), ("CD154",), True),
)
KINDS = ("healthy-male", "absent", "carrier-half", "carrier-37-percent-positive", "unstained-cd154")
# Of a run: molecules of CD154 (D of about 4 to 9), and what stimulation makes of the light of the cell itself and of
# what sticks to it: from hardly anything to what blasts have.
DIMMEST, BRIGHTEST = 1_300.0, 10_000.0
AUTOFLUORESCENCE, NONSPECIFIC = (0.9, 2.0), (0.85, 1.4)
FAR = 0.05  # of a fraction, beyond its interval


@dataclass(frozen=True)
class Judged:
    """One sample: its tubes, what it is, what was called, and each fraction shown with its interval and the truth.

    ``separation`` is Ashman's D of the run's control.
    """

    tubes: str
    instrument: str
    kind: str
    seed: int
    call: str
    reasons: tuple[str, ...]
    right: bool
    dangerous: bool
    separation: float | None
    shown: Mapping[str, tuple[float, float, float, float]]

    @property
    def open(self) -> bool:
        """Whether no call was made."""
        return self.call == "INDETERMINATE"

    @property
    def wrong(self) -> dict[str, tuple[float, float, float, float]]:
        """The fractions whose interval misses the truth by far: value, low, high, truth."""
        return {name: one for name, one in self.shown.items() if not one[1] - FAR <= one[3] <= one[2] + FAR}


def runs(seed: int, count: int) -> Iterator[tuple[int, TubeSet, SimulationParameters, Scenario, list[Scenario]]]:
    """Yield runs: seed, tubes, physics, control and samples."""
    for number in range(count):
        random = np.random.default_rng((seed, number))

        def about(low: float, high: float, random: np.random.Generator = random) -> float:
            return math.exp(random.uniform(math.log(low), math.log(high)))

        tubes = SETS[number % len(SETS)]
        instrument = INSTRUMENTS[number // len(SETS) % len(INSTRUMENTS)]
        parameters = replace(
            SimulationParameters(),
            cd154_molecules=about(DIMMEST, BRIGHTEST),
            cd40ig_bound=about(0.8, 1.6),
            blast_autofluorescence=about(*AUTOFLUORESCENCE),
            blast_nonspecific=about(*NONSPECIFIC),
        )
        kinds = (*KINDS, "no-binding") if tubes.function else KINDS
        usual = [healthy_control(), *(named(kind)[0][1] for kind in kinds)]
        control, *tests = (replace(tubes.of(donor(one, random, Donors())), instrument=instrument) for one in usual)
        yield int(random.integers(2**31)), tubes, parameters, control, tests


def judge(run: tuple[int, TubeSet, SimulationParameters, Scenario, list[Scenario]]) -> list[Judged]:
    """Simulate one run, analyse it as the workflow does, and judge what is called and shown."""
    seed, tubes, parameters, control, tests = run
    found = []
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_cohort(Path(), seed, cohort=(control, *tests), parameters=parameters)
        if not tubes.function:
            config = Path("config/config.yaml")
            config.write_text(config.read_text().replace("require_function: true", "require_function: false"))
        plan = load_plan("config/config.yaml")
        control_result, _ = analyse(plan.job(control.sample), {})
        for scenario in tests:
            result, _ = analyse(plan.job(scenario.sample), {control.sample: control_result})
            found.append(judged(tubes, seed, scenario, control, result, control_result))
    return found


def judged(
    tubes: TubeSet,
    seed: int,
    scenario: Scenario,
    control: Scenario,
    result: Result,
    control_result: Result,
) -> Judged:
    """Return a sample judged by its result; ``control_result`` is that of its control."""
    call = result.call
    return Judged(
        tubes=tubes.name,
        instrument=scenario.instrument,
        kind=scenario.sample,
        seed=seed,
        call=call,
        reasons=tuple(result.reasons),
        right=call in scenario.right,
        dangerous=call in scenario.dangerous,
        separation=control_result.numbers("CD154").get("separation"),
        shown=_shown(scenario, control, result),
    )


def _shown(scenario: Scenario, control: Scenario, result: Result) -> dict[str, tuple[float, float, float, float]]:
    """Return the fractions that the result shows: value, interval, truth of the donor."""
    found = {}
    for reagent, values in result.reagents.items():
        # What a tube holds that was not stained is cells without the target.
        binds = reagent not in scenario.unstained and (reagent != "CD40-Ig" or scenario.function > 0)
        negative = scenario.negative_fraction if binds else 1.0
        truths = {
            "negative_fraction": negative,
            "mutant_fraction": 1 - (1 - negative) / (1 - control.negative_fraction),
        }
        for name, truth in truths.items():
            one = tuple(getattr(values, f"{name}{end}") for end in ("", "_low", "_high"))
            if None not in one:
                found[f"{reagent} {name}"] = (*one, truth)
    return found


def many(seed: int, count: int, processes: int) -> list[Judged]:
    """Judge all runs, in order whatever the number of processes."""
    every = list(runs(seed, count))
    if processes == 1:
        return [one for run in every for one in judge(run)]
    with ProcessPoolExecutor(processes) as pool:
        return [one for found in pool.map(judge, every) for one in found]


def page(found: Sequence[Judged], seed: int, count: int) -> str:
    """Return the page of the benchmark."""
    separations = [one.separation for one in found if one.separation is not None]
    mistaken = [one for one in found if not (one.right or one.open)]
    wrong = [(one, name, values) for one in found for name, values in one.wrong.items()]
    shown = sum(len(one.shown) for one in found)
    counts = (_count(found, "right"), _count(found, "open"), len(mistaken), _count(found, "dangerous"))
    totals = (len(found), *counts, shown, len(wrong))
    cases = "\n".join(f"- {_case(one)}: {one.call} {', '.join(one.reasons)}" for one in mistaken)
    numbers = "\n".join(
        f"- {_case(one)}: {name} {value:.3f} ({low:.3f} to {high:.3f}), true {truth:.3f}"
        for one, name, (value, low, high, truth) in wrong
    )
    return f"""# Fewer tubes

Written by `python -m benchmarks.laboratory.tube_sets --seed {seed} --runs {count}`.
{len(found)} simulated samples in {count}
runs, each with a control of its own donor and the same set of tubes;
{len({one.instrument for one in found})} instruments in turn. Donors differ as in `benchmarks/families/donors.py`.
Runs bind {DIMMEST:,.0f} to {BRIGHTEST:,.0f} molecules of anti-CD154 (D of the controls' CD154
{min(separations):.1f} to {max(separations):.1f}); stimulation multiplies the light of the cells themselves by
{AUTOFLUORESCENCE[0]} to {AUTOFLUORESCENCE[1]} and what sticks to them by {NONSPECIFIC[0]} to {NONSPECIFIC[1]}.
Seeds from {HELD_OUT} on were not used for tuning. Sets that do not show function have `require_function: false`.

**Dangerous**: an affected sample called NORMAL, a healthy one called affected, a carrier called NORMAL, ABSENT or
FUNCTIONAL_DEFECT, any call of a tube that was not stained. **Mistaken**: any other call that is not right.
**Wrong number**: a fraction that is shown and whose 95 % interval ends more than {FAR} from the truth.

| samples | right | INDETERMINATE | mistaken | dangerous | fractions shown | wrong numbers |
|---:|---:|---:|---:|---:|---:|---:|
| {" | ".join(map(str, totals))} |

Of samples whose CD154 tube was not stained, INDETERMINATE is right.

| tubes | sample | samples | right | INDETERMINATE | dangerous | share of not expressing CD154 shown | why open |
|---|---|---:|---:|---:|---:|---:|---|
{_rows(found, ("tubes", "kind"))}

| instrument | | samples | right | INDETERMINATE | dangerous | share of not expressing CD154 shown | why open |
|---|---|---:|---:|---:|---:|---:|---|
{_rows(found, ("instrument",))}

## Mistaken and dangerous calls

{cases or "None."}

## Wrong numbers

{numbers or "None."}

{_real()}"""


def _real() -> str:
    """Return the section on real recordings; empty where they are missing."""
    found = compared()
    if not found:
        return ""
    return f"""## Real cells

Mouse T cells, unstimulated and stimulated (`../shared/fcs/activation`), on detectors of no stain that they carry: all
stimulated CD3+CD8-CD69+ cells are background. The median of the resting cells compared with theirs, in robust SD of the
stimulated ones (a borrowed background is allowed 0.6), and the width over theirs, as they are and moved as CD8+ cells
moved; blank where fewer than 100 CD8+ cells were activated, and nothing would be called.

| recording | detector | off, as they are | width | off, moved | width |
|---|---|---:|---:|---:|---:|
{rows(found)}
"""


def _count(found: Sequence[Judged], what: str) -> int:
    return sum(getattr(one, what) for one in found)


def _case(one: Judged) -> str:
    return f"{one.tubes}, {one.instrument}, {one.kind}, seed {one.seed}"


def _rows(found: Sequence[Judged], names: tuple[str, ...]) -> str:
    groups: dict[tuple[str, ...], list[Judged]] = {}
    for one in found:
        groups.setdefault(tuple(getattr(one, name) for name in names), []).append(one)
    rows = []
    for key, own in sorted(groups.items(), key=lambda item: item[0][0]):
        why = Counter(reason for one in own if one.open and not one.right for reason in one.reasons)
        lines = ", ".join(f"{code} {count}" for code, count in why.most_common(3))
        shown = sum("CD154 negative_fraction" in one.shown for one in own)
        cells = (*key, *("" for _ in range(2 - len(key))), len(own))
        counts = (_count(own, "right"), _count(own, "open"), _count(own, "dangerous"), shown, lines)
        rows.append(f"| {' | '.join(map(str, (*cells, *counts)))} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.laboratory.tube_sets", description=__doc__)
    parser.add_argument("--seed", type=int, default=HELD_OUT, help="(default: %(default)s)")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of five or six samples (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    text = page(many(options.seed, options.runs, options.cores), options.seed, options.runs)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

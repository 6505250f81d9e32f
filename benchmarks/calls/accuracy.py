"""How close the negative fractions and the calls come to the truth of simulated cohorts."""

from __future__ import annotations

import contextlib
import csv
import math
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cd40l_flow.analyse import analyse
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.result.types.result import Result
from cd40l_flow.simulate import write_cohort

TARGET = 0.02  # greatest difference allowed, where the assay is able to measure
FEWEST_CELLS = 2000
LEAST_SEPARATION = 3.0


@dataclass(frozen=True)
class Measured:
    """One reagent of one sample: the fraction asked for (of the donor), the realised one (of the cells), the estimate.

    Estimate and interval are None where there were too few cells to fit; ``separation`` is Ashman's D of the fit.
    """

    sample: str
    reagent: str
    cells: int
    separation: float | None
    asked: float
    realised: float
    estimate: float | None
    low: float | None
    high: float | None

    @property
    def difference(self) -> float | None:
        """Estimate less the realised fraction."""
        return None if self.estimate is None else self.estimate - self.realised

    @property
    def judged(self) -> bool:
        """Whether the target holds here: enough cells, and components far enough apart."""
        enough = self.cells >= FEWEST_CELLS and self.separation is not None and self.separation >= LEAST_SEPARATION
        return enough and self.estimate is not None


@dataclass(frozen=True)
class Called:
    """The call of a sample with its reasons, and the expected ones."""

    sample: str
    call: str
    reasons: tuple[str, ...]
    expected_call: str
    expected_reasons: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether the call is the expected one, for the expected reasons."""
        return (self.call, set(self.reasons)) == (self.expected_call, set(self.expected_reasons))


@dataclass(frozen=True)
class Cohort:
    """Everything measured of one cohort; ``name`` is a folder or a seed."""

    name: str
    measured: tuple[Measured, ...]
    calls: tuple[Called, ...]

    @property
    def differences(self) -> list[float]:
        """Estimate less realised fraction, where the target holds."""
        return [one.difference for one in self.measured if one.judged and one.difference is not None]


def measure(directory: Path, name: str) -> Cohort:
    """Analyse a simulated cohort, with what the workflow calls for each sample, and compare it with its truth."""
    with contextlib.chdir(directory):
        plan = load_plan("config/config.yaml")
        results: dict[str, Result] = {}
        # Controls first: the others take their results.
        for sample in sorted(plan.samples.values(), key=lambda sample: sample.role != "control"):
            controls = () if sample.role == "control" else plan.controls[sample.sample]
            results[sample.sample], _ = analyse(plan.job(sample.sample), {each: results[each] for each in controls})
        with Path("truth.tsv").open(encoding="utf-8", newline="") as file:
            truth = list(csv.DictReader(file, delimiter="\t"))
    measured = [_measured(row, results[row["sample"]]) for row in truth if row["negative_fraction_realised"]]
    samples = {row["sample"]: row for row in truth}
    calls = [_called(row, results[name]) for name, row in samples.items()]
    return Cohort(name, tuple(measured), tuple(calls))


def _measured(truth: dict[str, str], result: Result) -> Measured:
    found = result.numbers(truth["reagent"])
    return Measured(
        sample=truth["sample"],
        reagent=truth["reagent"],
        cells=int(found.get("events") or 0),
        separation=found.get("separation"),
        asked=float(truth["negative_fraction_asked"]),
        realised=float(truth["negative_fraction_realised"]),
        estimate=found.get("negative_fraction"),
        low=found.get("negative_fraction_low"),
        high=found.get("negative_fraction_high"),
    )


def _called(truth: dict[str, str], result: Result) -> Called:
    expected = tuple(filter(None, truth["expected_reasons"].split(";")))
    return Called(truth["sample"], result.call, tuple(result.reasons), truth["expected_call"], expected)


def simulated(seed: int) -> Cohort:
    """Simulate the default cohort with another seed and measure it."""
    with TemporaryDirectory() as folder:
        write_cohort(Path(folder), seed)
        return measure(Path(folder), str(seed))


def many(seeds: Sequence[int], processes: int) -> list[Cohort]:
    """Measure a cohort for each seed, in the order of the seeds whatever the number of processes."""
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(simulated, seeds))


def covered(measured: Sequence[Measured], truth: str) -> tuple[int, int]:
    """Return how many intervals hold the truth (``asked`` or ``realised``), of how many."""
    inside = [
        one.low <= getattr(one, truth) <= one.high for one in measured if one.low is not None and one.high is not None
    ]
    return sum(inside), len(inside)


def root_mean_square(values: Sequence[float]) -> float:
    """Return the root of the mean square; NaN of nothing."""
    return math.sqrt(sum(value**2 for value in values) / len(values)) if values else math.nan


def sample_table(cohort: Cohort) -> str:
    """Return a cohort as a Markdown table: one row for each sample and reagent, marked where the target holds."""
    called = {one.sample: one for one in cohort.calls}
    lines = [
        "| sample | expected call | call | reagent | activated cells | D | realised | estimate | 95 % interval "
        "| difference | judged |",
        "|---|---|---|---|---:|---:|---:|---:|---:|---:|:---:|",
    ]
    for one in cohort.measured:
        call = called[one.sample]
        interval = "" if one.low is None or one.high is None else f"{one.low:.4f} to {one.high:.4f}"
        cells = (
            *(one.sample, call.expected_call, call.call, one.reagent, f"{one.cells:,}", _number(one.separation, 2)),
            *(_number(one.realised, 4), _number(one.estimate, 4), interval, _number(one.difference, 4, sign=True)),
            "yes" if one.judged else "",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def seed_table(cohorts: Sequence[Cohort]) -> str:
    """Return cohorts as a Markdown table: one row each, and all of them together."""
    lines = [
        "| seed | judged | max difference | RMS difference | interval holds the donor's fraction "
        "| interval holds the realised fraction | calls right |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(_seed_row(one.name, [one]) for one in cohorts),
        _seed_row("**all**", cohorts),
    ]
    return "\n".join(lines)


def _seed_row(name: str, cohorts: Sequence[Cohort]) -> str:
    differences = [value for one in cohorts for value in one.differences]
    judged = [each for one in cohorts for each in one.measured if each.judged]
    calls = [call.right for one in cohorts for call in one.calls]
    counts = [covered(judged, "asked"), covered(judged, "realised"), (sum(calls), len(calls))]
    cells = (
        *(name, str(len(judged)), f"{max(map(abs, differences)):.4f}", f"{root_mean_square(differences):.4f}"),
        *(f"{part} of {whole}" for part, whole in counts),
    )
    return f"| {' | '.join(cells)} |"


def wrong_calls(cohorts: Sequence[Cohort]) -> str:
    """Return a list, in Markdown, of the calls that are not the expected ones."""
    lines = [
        f"- seed {cohort.name}, {one.sample}: {_call(one.call, one.reasons)}, expected "
        f"{_call(one.expected_call, one.expected_reasons)}"
        for cohort in cohorts
        for one in cohort.calls
        if not one.right
    ]
    return "\n".join(lines) if lines else "No call differs from the expected one."


def _call(call: str, reasons: Sequence[str]) -> str:
    return f"{call} ({', '.join(reasons)})" if reasons else call


def _number(value: float | None, digits: int, *, sign: bool = False) -> str:
    return "" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"

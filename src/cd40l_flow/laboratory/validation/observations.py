"""The data of a validation: one line a sample, with what the sheet states and what was measured."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.disk import read_small
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cohort.cells import as_text
from cd40l_flow.result.reference import why
from cd40l_flow.result.types.result import Result

# The measures of each reagent that are validated.
MEASURES = ("negative_fraction", "mutant_fraction", "percent_positive", "mfi_ratio")

MOST_BYTES = 10_000_000
# Blood that is older than the subject's youngest by more is another material: stability, not precision.
SAME_AGE_H = 6.0
Key = tuple[str, str]


@dataclass(frozen=True)
class Observation:
    """One sample; ``values`` are by reagent and measure: fractions 0 to 1 (mutant ones below 0 too), percents 0 to 100.

    ``subject`` is empty where the sheet names none; ``healthy`` marks a control that met its limits, ``failed`` a
    sample whose quality control failed: it has no values.
    """

    sample: str
    run: str
    cytometer: str
    subject: str
    healthy: bool
    failed: bool
    call: str
    expected: float | None
    genotype: str
    hours: float | None
    values: Mapping[Key, float]

    @property
    def person(self) -> str:
        """Whose blood it is: the subject of the sheet, else the sample itself."""
        return self.subject or f"sample {self.run} {self.sample}"


def observed(result: Result) -> Observation:
    """Return what a validation reads of a result."""
    measured = {
        (reagent, measure): float(value)
        for reagent in result.reagents
        for measure in MEASURES
        if (value := result.numbers(reagent).get(measure)) is not None
    }
    if result.cd69_percent is not None:
        measured["CD69", "cd69_percent"] = float(result.cd69_percent)
    return Observation(
        sample=result.sample,
        run=result.run,
        cytometer=next((tube.cytometer for tube in result.tubes if tube.cytometer), ""),
        subject=result.subject,
        failed=result.qc == "fail",
        healthy=result.role == "control" and not why(result),
        call=result.call,
        expected=result.metadata.expected_fraction,
        genotype=result.metadata.genotype,
        hours=result.metadata.collected_h,
        values={} if result.qc == "fail" else measured,
    )


def keys(observations: Sequence[Observation]) -> list[Key]:
    """Return reagents and measures that any sample has, in the order of the assay."""
    there = {key for one in observations for key in one.values}
    ordered = [(reagent, measure) for reagent in current_assay().targets for measure in MEASURES]
    return [key for key in (*ordered, ("CD69", "cd69_percent")) if key in there]


def materials(observations: Sequence[Observation]) -> dict[tuple[str, float | None], list[Observation]]:
    """Return the samples of each subject and expected fraction: what should give the same value, time apart.

    Of a subject's samples those count that are at most six hours older than its youngest one.
    """
    youngest: dict[str, float] = {}
    for one in observations:
        if one.hours is not None:
            youngest[one.subject] = min(youngest.get(one.subject, one.hours), one.hours)
    found: dict[tuple[str, float | None], list[Observation]] = {}
    for one in observations:
        old = one.hours is not None and one.hours > youngest[one.subject] + SAME_AGE_H
        if one.subject and not old:
            found.setdefault((one.subject, one.expected), []).append(one)
    return found


def other_method(path: Path) -> dict[Key, dict[str, float]]:
    """Return the values of another method by reagent and measure, then sample.

    The table is tab-separated: ``sample`` (or ``run`` and ``sample``) and columns of ``summary.tsv``, as
    ``cd154_negative_fraction``; one without a reagent is of the first, as ``negative_fraction``. Raises Cd40lFlowError
    with everything that is wrong.
    """
    lines = read_small(path, MOST_BYTES).decode("utf-8-sig", errors="replace").splitlines()
    reader = csv.DictReader(lines, delimiter="\t", restval="")
    heads = list(reader.fieldnames or ())
    wanted = {head: key for head in heads if (key := _column(head)) is not None}
    if "sample" not in heads or not wanted:
        raise Cd40lFlowError(
            f"{path}: it has the columns {', '.join(heads) or '(none)'}; expected sample and at least one measure, "
            "as negative_fraction or cd40ig_percent_positive, separated by tabs."
        )
    found: dict[Key, dict[str, float]] = {key: {} for key in wanted.values()}
    faults = []
    for number, line in enumerate(reader, start=2):
        name = as_text(line["sample"].strip())
        name = f"{as_text(line['run'].strip())} {name}" if "run" in heads else name
        for head, key in wanted.items():
            text = (line[head] or "").strip()
            if not text:
                continue
            if fault := _fault(text, key[1]):
                faults.append(f"{path}, line {number}, {head}: {text!r} {fault}")
            elif name in found[key]:
                faults.append(f"{path}, line {number}: {name} is there twice; a sample has one value.")
            else:
                found[key][name] = float(text)
    if faults:
        raise Cd40lFlowError("\n  ".join(["the table of the other method cannot be used:", *faults]))
    return found


def _column(head: str) -> Key | None:
    """Return reagent and measure of a column; None for one that is not compared."""
    targets = current_assay().targets
    if head in MEASURES:
        return next(iter(targets)), head
    known = {f"{target.key}_{measure}": (name, measure) for name, target in targets.items() for measure in MEASURES}
    return known.get(head)


def _fault(text: str, measure: str) -> str:
    try:
        value = float(text)
    except ValueError:
        return "is no number."
    highest = {"percent_positive": 100.0, "negative_fraction": 1.0, "mutant_fraction": 1.0}.get(measure)
    if not 0 <= value <= (highest if highest is not None else value):
        return f"is not from 0 to {highest:g}." if highest is not None else "is below 0."
    return "" if value < float("inf") else "is not finite."


def paired(
    observations: Sequence[Observation], key: Key, others: Mapping[str, float]
) -> Iterator[tuple[str, float, float]]:
    """Yield sample, the other method's value and this one's, of samples that have both."""
    for one in observations:
        other = others.get(f"{one.run} {one.sample}", others.get(one.sample))
        if other is not None and key in one.values:
            yield one.sample, other, one.values[key]

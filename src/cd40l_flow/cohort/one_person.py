"""Whether the rows of one person agree with each other, and in which order the samples were collected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cd40l_flow.base.errors import Problem
from cd40l_flow.base.model import Sample


@dataclass(frozen=True)
class Facts:
    """What the sheet states about one person in the row of one sample; empty or ``unknown`` where it does not."""

    sample: str
    sex: str
    family: str
    genotype: str
    collected: str
    transplant: str


@dataclass(frozen=True)
class Contradiction:
    """A column in which the rows of one person differ, in words, and what to do about it."""

    column: str
    message: str
    remedy: str


def when(collected: str) -> int | None:
    """Return the place of a date of collection among others of its kind, ordinal or month; None where it is not
    stated.
    """
    if not collected:
        return None
    year, _, month = collected.partition("-")
    return 12 * int(year) + int(month) if month else int(year)


def is_month(collected: str) -> bool:
    """Return whether a date of collection is a month, not an ordinal number."""
    return "-" in collected


def contradictions(rows: Sequence[Facts]) -> list[Contradiction]:
    """Return in what the rows of one person contradict each other, in the order of the columns."""
    found = []
    for column, unknown, remedy in (
        ("sex", "unknown", "One row is of somebody else, or the sheet is wrong: correct it before anything is signed."),
        ("family", "", "Give all rows of one person the same family."),
        ("genotype", "", "Write what sequencing found once, in the same words in every row."),
    ):  # fmt: skip
        by_value = _by_value((row.sample, getattr(row, column)) for row in rows if getattr(row, column) != unknown)
        if len(by_value) > 1:
            found.append(Contradiction(column, f"{column} differs: {_listed(by_value)}.", remedy))
    dated = [row for row in rows if row.collected]
    kinds = _by_value((row.sample, "a month" if is_month(row.collected) else "a number") for row in dated)
    if len(kinds) > 1:
        remedy = "Give every sample of one person a month, or every one a number: their order is not known."
        found.append(Contradiction("collected", f"collected is given in two ways: {_listed(kinds)}.", remedy))
    else:
        found += _transplants(dated)
    return found


def _transplants(dated: Sequence[Facts]) -> list[Contradiction]:
    """Return a transplant that a later row denies."""
    grafted = [row for row in dated if row.transplant == "yes"]
    later = [
        row
        for row in dated
        if row.transplant == "no"
        and any(int(when(one.collected) or 0) < int(when(row.collected) or 0) for one in grafted)
    ]
    if not later:
        return []
    message = f"transplant is yes in {grafted[0].sample} and no in {later[0].sample}, which was collected later."
    return [Contradiction("transplant", message, "Correct the column transplant or the dates of collection.")]


def _by_value(pairs: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
    by_value: dict[str, list[str]] = {}
    for sample, value in pairs:
        by_value.setdefault(value, []).append(sample)
    return by_value


def _listed(by_value: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{value} in {', '.join(samples)}" for value, samples in by_value.items())


def person_problems(samples: Mapping[str, Sample], sheet: str) -> list[Problem]:
    """Return a warning for everything in which the rows of one person differ; ``sheet`` is where the rows are."""
    people: dict[str, list[Facts]] = {}
    for sample in samples.values():
        if sample.subject:
            facts = Facts(
                sample.sample, sample.sex, sample.family, sample.genotype, sample.collected, sample.transplant
            )
            people.setdefault(sample.subject, []).append(facts)
    return [
        Problem("SUBJECT", "warning", f"subject {name}: {one.message}", sheet, None, one.column, None, one.remedy)
        for name, rows in sorted(people.items())
        for one in contradictions(rows)
    ]

"""The samples of one person in the order of their dates, which of each assay is used, and their joint reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from cd40l_flow.assay.b_cell_limits import SerumIgLimits
from cd40l_flow.assay.effects import INDETERMINATE
from cd40l_flow.assay.lookup import ASSAYS
from cd40l_flow.cohort.one_person import Contradiction, Facts, contradictions, when
from cd40l_flow.decision.b_cells.joint import SERUM, JointReading, Together, joint_reading
from cd40l_flow.result.cohort import Entry
from cd40l_flow.result.reviews.state import UNSIGNED, ReviewState
from cd40l_flow.result.types.result import Result

# Columns that differ between people, not between samples of one.
_TWO_PEOPLE = ("sex", "genotype")


@dataclass(frozen=True)
class Visit:
    """One sample of a person: its entry, what the reviews of it amount to, and the age that the sheet states."""

    entry: Entry
    review: ReviewState = UNSIGNED
    age_years: float | None = None

    @property
    def result(self) -> Result:
        """Its result."""
        return self.entry.result

    @property
    def call(self) -> str:
        """The call that holds: the reviewed one where there is one, none where a repeat was asked for."""
        if self.review.state == "repeat":
            return INDETERMINATE
        return self.review.reviewed_call or self.result.call


@dataclass(frozen=True)
class Person:
    """Everything of one person.

    ``visits`` are in the order of collection, those without a date before the others; ``read`` names for each assay
    the sample that the joint reading rests on, the last of those; ``unordered`` are assays whose last sample
    cannot be determined. ``serum`` is for each immunoglobulin the last value that the sheet states, with its
    sample. ``limits`` are the laboratory's of these. ``silent`` states why there is no joint reading, ``control`` or
    ``contradicted``: rows that may be those of two people.
    """

    name: str
    visits: tuple[Visit, ...]
    read: Mapping[str, Visit]
    unordered: tuple[str, ...]
    serum: Mapping[str, tuple[float, Visit]]
    limits: SerumIgLimits
    genotype: str
    contradictions: tuple[Contradiction, ...]
    joint: JointReading
    silent: str = ""

    @property
    def sex(self) -> str:
        """The sex that the rows agree on; ``unknown`` where they state nothing, or differ."""
        sexes = {visit.result.sex for visit in self.visits} - {"unknown"}
        return sexes.pop() if len(sexes) == 1 else "unknown"

    @property
    def transplanted(self) -> bool:
        """Whether any row states a transplant."""
        return any(visit.result.metadata.transplant == "yes" for visit in self.visits)


def people_of(
    entries: Sequence[Entry], states: Mapping[str, ReviewState], ages: Mapping[str, float | None]
) -> list[Person]:
    """Return every person that the sheet names, by name; ``ages`` are those of the sheet, by sample."""
    named: dict[str, list[Visit]] = {}
    for entry in entries:
        if entry.result.subject:
            visit = Visit(entry, states.get(entry.sample, UNSIGNED), ages.get(entry.sample))
            named.setdefault(entry.result.subject, []).append(visit)
    return [_person(name, visits) for name, visits in sorted(named.items())]


def _order(visit: Visit) -> tuple[int, str, str]:
    place = when(visit.result.metadata.collected)
    return (-1 if place is None else place, visit.result.run, visit.entry.sample)


def _person(name: str, found: Sequence[Visit]) -> Person:
    visits = tuple(sorted(found, key=_order))
    differing = tuple(contradictions([_facts(visit.result) for visit in visits]))
    mixed = any(one.column == "collected" for one in differing)
    read: dict[str, Visit] = {}
    unordered = []
    for assay in ASSAYS:
        own = [visit for visit in visits if visit.result.assay == assay]
        if not own:
            continue
        read[assay] = own[-1]
        last = _order(own[-1])[0]
        if len(own) > 1 and (mixed or last < 0 or sum(_order(one)[0] == last for one in own) > 1):
            unordered.append(assay)
    serum = {
        key: (value, visit)
        for visit in visits
        for key in SERUM
        if (value := getattr(visit.result.metadata, key)) is not None
    }
    # The last value of the sheet; two different ones are a contradiction, and neither is read.
    genotypes = list(
        dict.fromkeys(visit.result.metadata.genotype for visit in visits if visit.result.metadata.genotype)
    )
    genotype = genotypes[0] if len(genotypes) == 1 else ""
    limits = msgspec.convert(visits[-1].result.configuration.limits.get("serum_ig", {}), SerumIgLimits)
    person = Person(
        name, visits, read, tuple(unordered), serum, limits, genotype, differing, JointReading((), (), (), ())
    )
    if all(visit.result.role == "control" for visit in visits):
        return replace(person, silent="control")
    if any(one.column in _TWO_PEOPLE for one in differing):
        return replace(person, silent="contradicted")
    return replace(person, joint=_joint(person))


def _joint(person: Person) -> JointReading:
    """Return what the calls of the samples that are read mean together."""
    calls = {assay: visit.call for assay, visit in person.read.items()}
    latest = person.read.get("memory_b") or person.visits[-1]
    case = Together(
        cd154=calls.get("cd40l"),
        memory=calls.get("memory_b"),
        cd40=calls.get("cd40"),
        sex=person.sex,
        transplant="yes" if person.transplanted else latest.result.metadata.transplant,
        age_years=latest.age_years,
        serum={key: value for key, (value, _) in person.serum.items()},
        genotype=person.genotype,
    )
    return joint_reading(case, person.limits)


def _facts(result: Result) -> Facts:
    meta = result.metadata
    return Facts(result.sample, result.sex, result.family, meta.genotype, meta.collected, meta.transplant)

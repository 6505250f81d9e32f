"""Relatives side by side: words about them, never a change of anybody's call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from cd40l_flow.assay.effects import ABSENT, FUNCTIONAL_DEFECT, INDETERMINATE, MOSAIC, NORMAL, REDUCED
from cd40l_flow.result.types.result import Result

MEASURES = ("percent_positive", "mfi_ratio", "mutant_fraction", "mutant_fraction_low", "mutant_fraction_high")
ASSAY = "cd40l"  # of which the sentences speak
LOST = (ABSENT, FUNCTIONAL_DEFECT)
STATEMENTS = {
    "support": (
        "{male} ({male_call}, male) and {female} (MOSAIC, female) support each other: the pattern of an affected male "
        "and of a female relative with two populations. CD40LG sequencing is the reference test."
    ),
    "apart": (
        "{male} ({male_call}, male) and {female} (NORMAL, female) do not settle each other: a new variant, or a female "
        "relative whose non-expressing cells are below the limit of detection; her carrier status is not excluded."
    ),
    "look": (
        "{female} ({female_call}, female) and {male} ({male_call}, male) together are not what relatives usually show: "
        "look at the identities of both samples before either is signed."
    ),
    "both": (
        "{female} (MOSAIC, female) and {male} (NORMAL, male) do not contradict each other: half of a carrier's sons "
        "are expected to be unaffected."
    ),
    "open": "{names}: no call; the family cannot be read as a whole yet.",
}


class Member(TypedDict):
    """One relative: call and measures by reagent (percent 0 to 100, fractions 0 to 1), None where not computed."""

    sample: str
    sex: str
    age_band: str | None
    call: str
    reagents: dict[str, dict[str, float | None]]


class Family(TypedDict):
    """Relatives side by side, and in sentences what their calls mean together."""

    family: str
    members: list[Member]
    statements: list[str]


def families(results: Sequence[Result]) -> list[Family]:
    """Return every family of two or more samples, sorted by name: members with calls and measures, and sentences.

    The sheet states who belongs together, not how they are related, so the words speak of relatives.
    """
    together: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda result: str(result.sample)):
        if result.family and result.role == "test" and result.assay == ASSAY:
            together.setdefault(result.family, []).append(result)
    return [
        {
            "family": name,
            "members": [_member(result) for result in members],
            "statements": _statements(members),
        }
        for name, members in sorted(together.items())
        if len(members) > 1
    ]


def _member(result: Result) -> Member:
    measured: dict[str, dict[str, float | None]] = {
        reagent: {measure: getattr(found, measure) for measure in MEASURES}
        for reagent, found in result.reagents.items()
    }
    return {
        "sample": result.sample,
        "sex": result.sex,
        "age_band": result.age_band,
        "call": result.call,
        "reagents": measured,
    }


def _statements(members: Sequence[Result]) -> list[str]:
    sentences = []
    # A transplanted male shows his donor's cells.
    males = [one for one in members if one.sex == "M" and one.metadata.transplant != "yes"]
    females = [one for one in members if one.sex == "F"]
    for male in males:
        for female in females:
            kind = _kind(male.call, female.call)
            if kind:
                names = {"male": male.sample, "male_call": male.call}
                names |= {"female": female.sample, "female_call": female.call}
                sentences.append(STATEMENTS[kind].format(**names))
    silent = [str(one.sample) for one in members if one.call == INDETERMINATE]
    if silent:
        sentences.append(STATEMENTS["open"].format(names=", ".join(silent)))
    return sentences


def _kind(male: str, female: str) -> str:
    """Return which sentence a male and a female relative call for; empty for none."""
    if male in LOST and female in (MOSAIC, NORMAL):
        return "support" if female == MOSAIC else "apart"
    if female in LOST and male not in (INDETERMINATE, REDUCED):
        return "look"
    return "both" if (female, male) == (MOSAIC, NORMAL) else ""

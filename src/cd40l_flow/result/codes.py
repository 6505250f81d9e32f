"""Codes for laboratory systems: LOINC terms of the panel and its two qualitative results, in addition to our call."""

from __future__ import annotations

from collections.abc import Mapping

from cd40l_flow.assay.cd40l.reagents import CD40_IG, CD154
from cd40l_flow.assay.effects import ABSENT, FUNCTIONAL_DEFECT, INDETERMINATE, MOSAIC, NORMAL, REDUCED
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.decision.calls import Decision
from cd40l_flow.result.types.decision import Coded, Codes, Term

SYSTEM = "http://loinc.org"
PANEL = ("98239-7", "CD154 expression and function panel - T cells")
# What a healthy person has.
REFERENCE = "present"
# The terms only have present and absent. Where neither is right alone, the value states more than one word, so that
# no system files a carrier as normal; with it go words, whether it is abnormal and HL7's interpretation code.
WORDS: Mapping[str, tuple[str, str, bool | None, str]] = {
    NORMAL: (REFERENCE, "present, like the control's", False, "N"),
    REDUCED: ("present but reduced", "present, less than the control's", True, "A"),
    MOSAIC: ("present on one of two populations", "present on one of two populations", True, "A"),
    ABSENT: ("absent", "absent", True, "A"),
    INDETERMINATE: ("indeterminate", "no result", None, "IND"),
}


def codes(decision: Decision) -> Codes | None:
    """Return the coded results of a decision: the panel, CD154 and CD40-Ig, each with code, value and words; None for
    an assay without codes.

    A value is given only where the sample has a call: one reagent's sub-call is no result of its own.
    """
    return _codes(_of(decision, CD154), _of(decision, CD40_IG)) if _is_coded() else None


def undecided_codes() -> Codes | None:
    """Return the coded results of a sample about which nothing was decided; None for an assay without codes."""
    return _codes(INDETERMINATE, INDETERMINATE) if _is_coded() else None


def _is_coded() -> bool:
    """Return whether the assay is that of the panel: another's result under its terms would be a wrong one."""
    targets = current_assay().targets
    return CD154 in targets and CD40_IG in targets


def _codes(cd154: str, cd40_ig: str) -> Codes:
    panel = Term(system=SYSTEM, code=PANEL[0], name=PANEL[1])
    return Codes(panel=panel, cd154=_coded(CD154, cd154), cd40_ig=_coded(CD40_IG, cd40_ig))


def _coded(reagent: str, call: str) -> Coded:
    (code, name), (value, words, abnormal, interpretation) = current_assay().targets[reagent].loinc, WORDS[call]
    return Coded(
        system=SYSTEM,
        code=code,
        name=name,
        value=value,
        words=words,
        reference=REFERENCE,
        abnormal=abnormal,
        interpretation=interpretation,
    )


def _of(decision: Decision, reagent: str) -> str:
    """Return the sub-call that is reported for a reagent."""
    if decision.call == INDETERMINATE:
        return INDETERMINATE
    assay = current_assay()
    if reagent == assay.function:
        if decision.call == FUNCTIONAL_DEFECT:
            return ABSENT
        return decision.subcalls[reagent].call if reagent in decision.subcalls else INDETERMINATE
    return next(decision.subcalls[clone].call for clone in assay.expression if clone in decision.subcalls)

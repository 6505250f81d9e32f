"""Codes for laboratory systems: LOINC terms of the panel and its two qualitative results, beside our call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cd40l_flow.assay.effects import ABSENT, FUNCTIONAL_DEFECT, INDETERMINATE, MOSAIC, NORMAL, REDUCED
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.decision.calls import Decision

SYSTEM = "http://loinc.org"
PANEL = ("98239-7", "CD154 expression and function panel - T cells")
# The terms know present and absent only; our word says what else there is to know.
PRESENT, NOT_PRESENT = "present", "absent"
WORDS: Mapping[str, tuple[str, str]] = {
    NORMAL: (PRESENT, "present, like the control's"),
    REDUCED: (PRESENT, "present, less than the control's"),
    MOSAIC: (PRESENT, "present on one of two populations"),
    ABSENT: (NOT_PRESENT, "absent"),
    INDETERMINATE: ("indeterminate", "no result"),
}


def codes(decision: Decision) -> dict[str, Any]:
    """Return the coded results of a decision: the panel, CD154 and CD40-Ig, each with code, value and words.

    A value is given only where the sample has a call: one reagent's sub-call is no result of its own.
    """
    return _coded({reagent: _of(decision, reagent) for reagent in _coded_reagents()})


def undecided_codes() -> dict[str, Any]:
    """Return the coded results of a sample about which nothing was decided."""
    return _coded(dict.fromkeys(_coded_reagents(), INDETERMINATE))


def _coded_reagents() -> dict[str, tuple[str, str]]:
    return {name: reagent.loinc for name, reagent in current_assay().targets.items() if reagent.loinc[0]}


def _coded(calls: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {"panel": {"system": SYSTEM, "code": PANEL[0], "name": PANEL[1]}}
    for reagent, (code, name) in _coded_reagents().items():
        value, words = WORDS[calls[reagent]]
        told[reagent] = {"system": SYSTEM, "code": code, "name": name, "value": value, "words": words}
    return told


def _of(decision: Decision, reagent: str) -> str:
    """Return the sub-call that is told of a reagent."""
    if decision.call == INDETERMINATE:
        return INDETERMINATE
    assay = current_assay()
    if reagent == assay.function:
        if decision.call == FUNCTIONAL_DEFECT:
            return ABSENT
        return decision.subcalls[reagent].call if reagent in decision.subcalls else INDETERMINATE
    return next(decision.subcalls[clone].call for clone in assay.expression if clone in decision.subcalls)

"""Whether the controls of a run say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cd40l_flow.decision.applied import Guard, beyond, guard
from cd40l_flow.decision.case import Case, Disagreement
from cd40l_flow.mixture.model import ControlExpression


def disagreement(controls: Sequence[Mapping[str, ControlExpression]]) -> dict[str, Disagreement]:
    """Return, for each reagent that several controls measured, how far they lie apart."""
    reagents = dict.fromkeys(reagent for control in controls for reagent in control)
    found = {}
    for reagent in reagents:
        terms = [control[reagent] for control in controls if reagent in control]
        if len(terms) > 1:
            fractions = [term.positive_fraction for term in terms]
            levels = [term.mfi_all_above_background for term in terms]
            known = [value for value in fractions if value is not None]
            bright = [value for value in levels if value is not None and value > 0]
            found[reagent] = Disagreement(
                max(known) - min(known) if len(known) == len(terms) else None,
                max(bright) / min(bright) if len(bright) == len(terms) else None,
            )
    return found


def agreement_guards(case: Case, limits: Mapping[str, Any]) -> Iterator[Guard]:
    """Yield whether the controls that a sample is judged against agree; nothing of a single one.

    Two that differ cannot both be healthy and well stained, and it is not known which one is right.
    """
    if case.control is None or case.sample.role == "control":
        return
    names = " and ".join(case.control.names)
    for reagent, apart in case.control.disagreement.items():
        if reagent not in case.planned:
            continue
        for value, limit, unit, what in (
            (apart.difference, "control_difference_max", "fraction", "difference of the positive fractions"),
            (apart.ratio, "control_ratio_max", "x", "ratio of the MFI of all activated cells"),
        ):
            most = float(limits["guards"][limit])
            yield guard(
                "CONTROL_FAILED", beyond(value, most, above=True), f"Largest {what} of the controls {names}.",
                reagent=reagent, value=value, limit=most, unit=unit,
            )  # fmt: skip

"""The guards: conditions that must hold before a call.

Each is three-valued: fired, not fired, or not computable, which blocks like a fired one.
"""

from __future__ import annotations

from dataclasses import replace

from cd40l_flow.assay.effects import ALL_CALLS, NORMAL
from cd40l_flow.assay.limits import Limits
from cd40l_flow.decision.applied import Guard
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.doubts import doubt_guards, infant_guard
from cd40l_flow.decision.reagent_guards import no_background, reagent_guards
from cd40l_flow.decision.reference_guards import agreement_guards, reference_guards
from cd40l_flow.decision.replicates import replicate_guards
from cd40l_flow.decision.sample_guards import sample_guards


def apply_guards(case: Case, limits: Limits) -> tuple[Guard, ...]:
    """Return every guard of the sample, then of each reagent in the order of the case."""
    return (
        *sample_guards(case, limits),
        *reference_guards(case, limits),
        *agreement_guards(case, limits),
        *replicate_guards(case),
        *([] if (infant := infant_guard(case, limits)) is None else [infant]),
        *(found for reagent in case.planned for found in reagent_guards(case, reagent, limits)),
        *(
            found
            for reagent in case.planned
            if (missing := no_background(case, reagent)) is None or not missing.blocks
            for found in doubt_guards(case, reagent, limits)
        ),
    )


def control_failures(case: Case, limits: Limits) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Return in words why a control may not be used, for the whole run and by reagent; empty if it may.

    A failed reagent only excludes its own readout. Only the control's own failures count, not those of the run's other
    controls. A tube that was never stained is no failure (`tubes_lacking`), and neither is a guard that needs it.
    """
    everywhere: list[str] = []
    by_reagent: dict[str, list[str]] = {}
    if case.control is not None:
        case = replace(case, control=replace(case.control, reagent_failures={}))
    guards = apply_guards(case, limits)
    lacking = {found.reagent for found in guards if _is_lacking(found)}
    for found in guards:
        of_tubes = _is_lacking(found) or (found.fired is None and bool(lacking & {"", found.reagent}))
        counts = (found.code, found.reagent) not in OF_OTHERS and not of_tubes
        if found.blocking and NORMAL in found.blocks and counts:
            text = f"Control {case.sample.sample}: {found.message}"
            if found.reagent:
                by_reagent.setdefault(found.reagent, []).append(f"{text} ({found.reagent})")
            else:
                everywhere.append(text)
    return tuple(everywhere), {reagent: tuple(texts) for reagent, texts in by_reagent.items()}


def tubes_lacking(case: Case, limits: Limits) -> dict[str, tuple[str, ...]]:
    """Return in words the tubes that a control lacks and cannot be used without, by reagent (empty: of all)."""
    found: dict[str, tuple[str, ...]] = {}
    for one in apply_guards(case, limits):
        if _is_lacking(one):
            found[one.reagent] = (*found.get(one.reagent, ()), f"Control {case.sample.sample}: {one.message}")
    return found


def _is_lacking(found: Guard) -> bool:
    return found.code == "TUBE_MISSING" and bool(found.fired) and found.blocks == ALL_CALLS


# Guards of a control about the run's other controls.
OF_OTHERS = (("CONTROL_ABSENT", ""), ("CONTROL_FAILED", ""))

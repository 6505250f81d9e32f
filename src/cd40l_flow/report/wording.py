"""The call in words: one file, so that a laboratory can translate or change it.

House rule for every sentence: "consistent with" and "cannot exclude", never a diagnosis and never reassurance beyond
the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from cd40l_flow.assay.effects import ABSENT, FUNCTIONAL_DEFECT, INDETERMINATE, MOSAIC, NORMAL, REDUCED
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.decision.calls import Decision
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.change import MOST_LN, Change
from cd40l_flow.decision.guards import control_failures
from cd40l_flow.mixture.model import Comparison

SEQUENCE = "CD40LG sequencing (with deletion analysis) is the reference test."
PATTERN = {
    NORMAL: "like the control's",
    REDUCED: "one population, expressing less than the control's",
    ABSENT: "expression not detected",
    MOSAIC: "two populations, expressing and not expressing",
    FUNCTIONAL_DEFECT: "CD154 present without CD40-Ig binding",
}
BINDING_MOSAIC = (
    "CD40-Ig alone shows two populations: cells that express a CD154 which does not bind, together with cells that do, "
    "cannot be excluded; in a female that would be a carrier's pattern. Repeat CD40-Ig, and sequence CD40LG."
)
UNDECIDED = {
    "MOSAIC_GREY_ZONE": "Whether all cells are of one kind, or some lack the target or express less of it, the odds "
    "leave open: carrier status or chimerism cannot be excluded. Repeat with more cells, or go to CD40LG sequencing.",
    "REDUCED_VS_MOSAIC": "One population that expresses less, and two populations, explain these cells equally well.",
    "BETWEEN_LIMITS": "The measures lie between the limits of the calls.",
    "CLONE_DISCORDANT": "The two CD154 clones disagree: one may have lost its epitope. Repeat, and sequence CD40LG.",
    "READOUT_DISCORDANT": "CD154 and CD40-Ig disagree: a lost epitope or a labelling error? Repeat; sequence CD40LG.",
}

# What another assay of the same person would show again: it is no fault of this one.
OF_PEOPLE = ("NEGATIVES_DEPENDENT", "INFANT", "MODEL_MISFIT")
GROWN = 10.0  # years, from which expression is that of adults, or nearly so (Brugnoni 1996)


def statement(case: Case, decision: Decision, limits: Limits, changes: Sequence[Change] = ()) -> tuple[str, ...]:
    """Return what a call means for this sample, in sentences; sex, age and history change words, never measures.

    ``changes`` are what would change the call.
    """
    sentences = {
        NORMAL: _normal,
        REDUCED: _reduced,
        ABSENT: _absent,
        MOSAIC: _mosaic,
        FUNCTIONAL_DEFECT: _functional,
        INDETERMINATE: _indeterminate,
    }[decision.call](case, decision)
    if case.sample.role == "control":
        return (_of_control(case, limits),) if decision.call == INDETERMINATE else tuple(sentences[:1])
    controls = [change.text for change in changes if change.controls is not None]
    return (*sentences, *controls, *_context(case, decision, limits))


def _normal(case: Case, decision: Decision) -> list[str]:
    if case.sample.role == "control":
        return ["This healthy control meets its limits."]
    sentences = ["Activated CD4+ T cells express CD154 and bind CD40-Ig like the control's."]
    if "FUNCTION_NOT_TESTED" in decision.reasons:
        sentences = ["CD154 expression normal; function not tested: X-linked hyper-IgM syndrome is not excluded."]
    if case.sample.sex in ("F", "unknown"):
        sentences.append(
            f"For a female: no CD154-negative population above the limit of detection ({_lod(case)} of cells) was "
            "found; carrier status not excluded. With a family history, sequence CD40LG."
        )
    sentences.append("A normal result does not preclude molecular testing where the history suggests it.")
    return sentences


def _reduced(case: Case, decision: Decision) -> list[str]:
    return [
        "Activated CD4+ T cells form one population that expresses less than the control's.",
        f"This neither establishes nor excludes X-linked hyper-IgM syndrome. {SEQUENCE}",
    ]


def _absent(case: Case, decision: Decision) -> list[str]:
    sentences = ["CD154 was not detected on activated CD4+ T cells."]
    if "FUNCTION_NOT_TESTED" in decision.reasons:
        sentences.append("CD40-Ig binding was not validly tested.")
    if case.sample.sex in ("M", "unknown"):
        if case.sample.transplant != "yes":
            sentences.append(
                f"In a male this is consistent with X-linked hyper-IgM syndrome; urgent clinical review. {SEQUENCE}"
            )
        else:
            sentences.append(
                "After transplantation this is consistent with absent donor T-cell engraftment; compare chimerism."
            )
    if case.sample.sex in ("F", "unknown"):
        sentences.append(
            "In a female consider extreme skewing of X inactivation, disease by lyonization, or a drug effect; "
            f"carrier status does not follow from this result. {SEQUENCE}"
        )
    return sentences


def _mosaic(case: Case, decision: Decision) -> list[str]:
    compared = _compared(case)
    f, low, high = compared.mutant_fraction, compared.mutant_fraction_low, compared.mutant_fraction_high
    share = "" if f is None or low is None or high is None else f" {f:.0%} (95 % interval {low:.0%} to {high:.0%})"
    lacking = f"beyond the control's negatives,{share or ' some'} of the activated CD4+ T cells lack CD154."
    kept = compared.residual_kept
    if kept is None:
        sentences = [f"Two populations: {lacking}"]
    else:
        dim = f"a part of the activated CD4+ T cells expresses CD154 at about {kept:.0%} of the level of the others"
        sentences = [f"Two populations: {dim}." if low is None or low <= 0 else f"Two populations: {dim}; {lacking}"]
    sample = case.sample
    if sample.sex in ("F", "unknown"):
        sentences.append(f"In a female this is consistent with carrier status. {SEQUENCE}")
    if sample.sex in ("M", "unknown") and sample.transplant == "yes":
        donor = "" if f is None or kept is not None else f" Donor-like fraction {1 - f:.0%}."
        sentences.append(
            f"After transplantation of a male this is a chimerism pattern.{donor} Compare with T-cell chimerism; "
            "of a carrier's cells expect no more than the donor's own share."
        )
    elif sample.sex in ("M", "unknown"):
        sentences.append(
            "In a male consider somatic mosaicism or reversion, maternal T-cell engraftment, an undisclosed "
            "transplant or transfusion, 47,XXY, or exchanged tubes: repeat, and test identity and sex chromosomes."
        )
    return sentences


def _functional(case: Case, decision: Decision) -> list[str]:
    sentences = [
        "Activated CD4+ T cells express CD154 but do not bind CD40-Ig.",
        f"Consistent with a CD154 that does not function. {SEQUENCE}",
    ]
    if case.sample.sex in ("M", "unknown") and case.sample.transplant != "yes":
        sentences.append("In a male this is consistent with X-linked hyper-IgM syndrome; urgent clinical review.")
    sentences.append(f"Soluble CD40 can mask CD154 in long cultures ({_duration(case)}): repeat before acting.")
    return sentences


def _of_control(case: Case, limits: Limits) -> str:
    """Return what an undecided control means for its run: it may be used unless it fails by itself."""
    everywhere, by_reagent = control_failures(case, limits)
    if everywhere:
        return "This control does not meet its limits: its run cannot be called."
    if by_reagent:
        return f"This control does not meet its limits for {' and '.join(by_reagent)}, which the run cannot use."
    return "This control meets its limits and is used. Compared with the run's other controls, its call stays open."


def _indeterminate(case: Case, decision: Decision) -> list[str]:
    rows = current_assay().guard
    blocking = {guard.code for guard in decision.guards if guard.fired and guard.blocks}
    causes = {code for code in decision.reasons if code not in rows or not rows[code].warns or code in blocking}
    sentences = ["No call can be made. Repeat the assay once the cause stated in this report is corrected."]
    if set(decision.reasons) == {"DRUG_STATUS_UNKNOWN"}:
        sentences = [
            "No call can be made until it is stated whether a calcineurin inhibitor was given: complete the column "
            "calcineurin_inhibitor of the samples sheet and run this sample again. The assay need not be repeated."
        ]
    if "FUNCTION_NOT_TESTED" in decision.reasons and decision.pattern == NORMAL:
        sentences = ["CD154 expression normal; function not tested: X-linked hyper-IgM syndrome is not excluded."]
    elif causes <= {*UNDECIDED, *OF_PEOPLE}:
        sentences = ["No call can be made."]
    for code in UNDECIDED:
        if code in decision.reasons:
            sentences.append(UNDECIDED[code])
    if set(decision.reasons) & set(UNDECIDED) and len(decision.odds) > 1:
        best, second = sorted(decision.odds, key=lambda call: -decision.odds[call])[:2]
        ratio = math.exp(min(max(decision.odds[best], 0.0), MOST_LN))
        sentences.append(
            f"All reagents together speak most for: {PATTERN.get(best, 'two readouts of different kinds')}, "
            f"{ratio:,.0f} to 1 against all else. Next: {PATTERN.get(second, 'two readouts of different kinds')}."
        )
    calls = {reagent: subcall.call for reagent, subcall in decision.subcalls.items()}
    if decision.pattern == NORMAL and calls.get(current_assay().function) == MOSAIC:
        sentences.append(BINDING_MOSAIC)
    if decision.pattern in PATTERN and "FUNCTION_NOT_TESTED" not in decision.reasons:
        sentences.append(f"The measures alone would read: {PATTERN[decision.pattern]}. This is not a result.")
    elif case.control is None:
        sentences += _described(case)
    return sentences


def _described(case: Case) -> list[str]:
    """Return what the cells look like where there is no control to compare them with."""
    parts = [
        f"{found.percent_positive:.0f} % of {found.events:,} activated cells above the background with {reagent}"
        for reagent, found in case.reagents.items()
        if found.percent_positive is not None
    ]
    if not parts:
        return []
    return [f"Without a control the cells can only be described: {'; '.join(parts)}. This is not a result."]


def _context(case: Case, decision: Decision, limits: Limits) -> list[str]:
    """Return the sentences that age and history add."""
    sample, sentences = case.sample, []
    low = decision.call in (ABSENT, REDUCED)
    infant = limits.calls.infant_age_years
    if low and sample.age_years is not None and sample.age_years < infant:
        sentences.append(
            f"Infant ({_duration(case)}): expression can be low or transient at this age; use an age-matched control "
            "or repeat."
        )
    if decision.call == REDUCED and sample.age_years is not None and infant <= sample.age_years < GROWN:
        sentences.append(
            "Expression rises from birth into the second decade: compare with a control of the child's age before this "
            "is reported."
        )
    if decision.call == REDUCED and sample.age_years is not None and sample.age_years >= 18:
        sentences.append("In adults reduced expression is reported in a subgroup of common variable immunodeficiency.")
    if sample.transfusion == "yes":
        sentences.append("Recent transfusion: donor cells and platelets can add CD154-positive events.")
    events = [expression.events for expression in case.reagents.values()]
    enough = limits.guards.activated_mosaic
    if decision.call == MOSAIC and min(events) < enough:
        sentences.append(
            f"Fewer than {enough} activated cells: the limits of the mutant fraction are wider, and so is its interval."
        )
    if decision.call == MOSAIC and "FUNCTION_NOT_TESTED" in decision.reasons:
        sentences.append("CD40-Ig binding, which should show the same two populations, was not validly tested.")
    if sample.family:
        sentences.append(f"Relatives (family {sample.family}) are shown side by side in the index of all samples.")
    if sample.sex == "unknown":
        sentences.append("Sex is not known: the wording for both sexes is shown; sign only once it is known.")
    return sentences


def _compared(case: Case) -> Comparison:
    """Return CD154 compared with the control's, of the clone that was stained."""
    clones = current_assay().expression
    return next((case.comparison(reagent) for reagent in clones if reagent in case.comparisons), Comparison())


def _lod(case: Case) -> str:
    lod = _compared(case).lod
    return "not computed" if lod is None else f"{lod:.0%}"


def _duration(case: Case) -> str:
    hours = case.sample.stimulation_h
    return "stimulation time not known" if hours is None else f"stimulated for {hours:g} h"

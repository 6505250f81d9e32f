"""The calls: a sub-call for each reagent by its odds, one table from sub-calls to the call, and the odds of all
reagents together, which may settle what one of them leaves open and must not speak against the call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cd40l_flow.assay.effects import (
    ABSENT,
    ALL_CALLS,
    FUNCTIONAL_DEFECT,
    INDETERMINATE,
    MOSAIC,
    NORMAL,
    REDUCED,
    SQUARED,
)
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.rules import ODDS, RULES, Condition, Measures, Outcome, Rule, check, evaluate
from cd40l_flow.decision.applied import Guard
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.quality import positive_fraction, usable_fit
from cd40l_flow.mixture.model import Comparison

CD154, CLONE_2, CD40_IG = "CD154", "CD154-2", "CD40-Ig"
CLONES = (CD154, CLONE_2)
NOT_TESTED = "not tested"
GREY_ZONE, UNRESOLVED, BETWEEN = "MOSAIC_GREY_ZONE", "REDUCED_VS_MOSAIC", "BETWEEN_LIMITS"
FEW, MISFIT = "TOO_FEW_EVENTS", "MODEL_MISFIT"
# Reasons of a sub-call that only say that no rule was met: all reagents together may settle it.
UNDECIDED = (BETWEEN, GREY_ZONE, UNRESOLVED)
# Why there is no call where the odds are those of a call and this measure is not what it must be.
MISSED: Mapping[str, str] = {"expressing_events": FEW, "shape_distance": MISFIT, "mosaic_odds": GREY_ZONE}
# Guards that tell why no rule was met, for they are of the measures themselves.
OF_MEASURES = ("FIT_UNSTABLE", "HIGH_BACKGROUND")
# What the pseudo-reagent of the sample's own measures is called.
SAMPLE = "sample"
# Reasons that make a CD40-Ig result no result at all: as if the tube had not been made.
INVALID = (
    "TUBE_MISSING",
    "TOO_FEW_EVENTS",
    "ACTIVATION_FAILED",
    "LOW_SEPARATION",
    "CONTROL_ABSENT",
    "CONTROL_FAILED",
)
# Those of them that leave nothing to measure: what could not be computed is their consequence.
NOTHING_MEASURED = ("TUBE_MISSING", "TOO_FEW_EVENTS")


@dataclass(frozen=True)
class SubCall:
    """The call of one reagent; ``pattern`` is what the measures alone say, before guards took it away."""

    reagent: str
    call: str
    pattern: str
    reasons: tuple[str, ...]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Decision:
    """The call of a sample, why, and the trace: guards, sub-calls, and the rule of a functional defect.

    ``functional`` is None where one of the two readouts was not measured. ``odds`` are the natural-log odds of each
    call by all reagents together.
    """

    call: str
    pattern: str
    reasons: tuple[str, ...]
    qc: str
    guards: tuple[Guard, ...]
    subcalls: Mapping[str, SubCall]
    functional: Outcome | None
    odds: Mapping[str, float] = field(default_factory=dict)


# CD154 sub-call x CD40-Ig sub-call -> call and reason. A CD40-Ig sub-call that is INDETERMINATE stands here as its
# reason where that is a grey zone or unresolved, and as NOT_TESTED where it is no result at all. What is not listed
# stays INDETERMINATE for CD40-Ig's own reasons. A functional defect has its own rule, which goes before this table.
DISCORDANT = (INDETERMINATE, "READOUT_DISCORDANT")
TABLE: Mapping[tuple[str, str], tuple[str, str]] = {
    (NORMAL, NORMAL): (NORMAL, ""),
    (NORMAL, REDUCED): DISCORDANT,
    (NORMAL, MOSAIC): DISCORDANT,
    (NORMAL, ABSENT): DISCORDANT,
    (NORMAL, GREY_ZONE): (INDETERMINATE, GREY_ZONE),
    (NORMAL, NOT_TESTED): (INDETERMINATE, "FUNCTION_NOT_TESTED"),
    (ABSENT, ABSENT): (ABSENT, ""),
    (ABSENT, NORMAL): DISCORDANT,
    (ABSENT, REDUCED): DISCORDANT,
    (ABSENT, MOSAIC): DISCORDANT,
    (ABSENT, NOT_TESTED): (ABSENT, "FUNCTION_NOT_TESTED"),
    (REDUCED, REDUCED): (REDUCED, ""),
    # CD40-Ig is the dimmer stain: what CD154 shows it may not resolve.
    (REDUCED, UNRESOLVED): (REDUCED, ""),
    (REDUCED, GREY_ZONE): (REDUCED, ""),
    (REDUCED, NORMAL): DISCORDANT,
    (REDUCED, MOSAIC): DISCORDANT,
    (REDUCED, ABSENT): DISCORDANT,
    (REDUCED, NOT_TESTED): (REDUCED, "FUNCTION_NOT_TESTED"),
    (MOSAIC, MOSAIC): (MOSAIC, ""),
    (MOSAIC, GREY_ZONE): (MOSAIC, ""),
    (MOSAIC, NORMAL): DISCORDANT,
    (MOSAIC, REDUCED): DISCORDANT,
    (MOSAIC, ABSENT): DISCORDANT,
    (MOSAIC, NOT_TESTED): (MOSAIC, "FUNCTION_NOT_TESTED"),
}


def measures_of(case: Case, reagent: str, limits: Mapping[str, Any]) -> Measures:
    """Return the named measures of one reagent that rules compare; None is not known. Fractions are 0 to 1."""
    expression, comparison = case.reagents[reagent], case.comparison(reagent)
    high = expression.percent_positive_high
    by_fit = usable_fit(expression, limits)
    negative = expression.negative_fraction
    # Where a fit can be used, positive cells lie where it says; else they are those above the threshold.
    expressing = None
    if by_fit and negative is not None:
        expressing = (1 - negative) * expression.events
    elif expression.percent_positive is not None:
        expressing = expression.percent_positive / 100 * expression.events
    calls, guards, bright = limits["calls"], limits["guards"], comparison.bright_events
    return {
        "normal_odds": comparison.normal_odds,
        "mosaic_odds": comparison.mosaic_odds,
        "reduced_odds": comparison.reduced_odds,
        "absent_odds": comparison.absent_odds,
        "odds_min": math.log(float(limits["odds"]["call_odds"])),
        "mosaic_odds_min": _mosaic_needs([comparison], limits),
        "positive_high": None if high is None else high / 100,
        "positive_fraction": positive_fraction(expression, limits),
        "level": comparison.mfi_all_ratio,
        "shape_distance": comparison.shape_distance,
        "mutant_fraction": comparison.mutant_fraction,
        "bright_fraction": None if bright is None else bright / expression.events,
        "expressing_events": expressing,
        "expressing_events_min": max(
            float(calls["minor_fraction_min"]) * expression.events, float(guards["minor_quantify"])
        ),
    }


def sample_measures(case: Case, limits: Mapping[str, Any]) -> Measures:
    """Return the named measures of the sample as a whole: the odds by all reagents together, and binding."""
    binding = case.binding
    return {
        **{f"joint_{call}": odds for call, odds in case.joint.items()},
        "binding_ratio": None if binding is None else binding.ratio,
        "binding_ratio_high": None if binding is None else binding.high,
        "odds_min": math.log(float(limits["odds"]["call_odds"])),
        "mosaic_odds_min": _mosaic_needs(list(case.comparisons.values()), limits),
    }


def _mosaic_needs(comparisons: Sequence[Comparison], limits: Mapping[str, Any]) -> float:
    """Return the ln odds that a mosaic needs by these reagents together.

    Twice those of a call where its mutant cells express a part: the law of one kind of cells in an unusual person may
    look like that of two, and no healthy people tell how unusual it can be. Every reagent shows that law, so each must
    say as much.
    """
    needed = math.log(float(limits["odds"]["call_odds"]))
    residual = any(one.residual_kept is not None for one in comparisons)
    return SQUARED * len(comparisons) * needed if residual else needed


def decide(case: Case, guards: tuple[Guard, ...], limits: Mapping[str, Any], *, require_function: bool) -> Decision:
    """Return the call of a sample with its whole trace.

    Guards first, then a sub-call for each reagent, then the table and the odds of all reagents together; what none
    covers is INDETERMINATE.
    """
    return decide_on(
        every_measure(case, limits),
        case.planned,
        guards,
        limits["calls"],
        alone=case.alone,
        require_function=require_function,
    )


def every_measure(case: Case, limits: Mapping[str, Any]) -> dict[str, Measures]:
    """Return the named measures of every reagent that was measured, and those of the sample under ``SAMPLE``."""
    measures = {reagent: measures_of(case, reagent, limits) for reagent in case.planned if reagent in case.reagents}
    return measures | {SAMPLE: sample_measures(case, limits)}


def decide_on(
    measures: Mapping[str, Measures],
    planned: tuple[str, ...],
    guards: tuple[Guard, ...],
    limits: Mapping[str, Any],
    *,
    alone: bool,
    require_function: bool,
) -> Decision:
    """Return the decision on named measures by reagent; ``limits`` are those of the group ``calls``.

    ``planned`` are the reagents of the sheet, of which some may have no measures; ``alone`` marks a single control.
    """
    together = measures.get(SAMPLE, {})
    subcalls = {reagent: _subcall(reagent, measures.get(reagent), guards, limits, alone) for reagent in planned}
    functional = _functional(measures, together, limits)
    if alone:
        call, reasons = _alone(guards)
    else:
        call, reasons = _combine(guards, subcalls, functional, together, limits, require_function)
    rows, fired = current_assay().guard, [guard for guard in guards if guard.fired]
    reasons += [guard.code for guard in fired if rows[guard.code].warns]
    qc = "fail" if any(guard.blocks == ALL_CALLS for guard in fired) else "warn" if fired else "pass"
    pattern = _pattern(subcalls, functional)
    odds = {
        name.removeprefix("joint_"): value
        for name, value in together.items()
        if name.startswith("joint_") and value is not None
    }
    return Decision(call, pattern, tuple(dict.fromkeys(reasons)), qc, guards, subcalls, functional, odds)


def _subcall(
    reagent: str, measures: Measures | None, guards: tuple[Guard, ...], limits: Mapping[str, Any], alone: bool
) -> SubCall:
    relevant = [guard for guard in guards if guard.reagent in ("", reagent)]
    if alone:
        # Without another control no rule can be decided; its guards say what a control must be.
        codes = _codes(relevant, NORMAL)
        call = INDETERMINATE if codes or measures is None else NORMAL
        return SubCall(reagent, call, call, codes, ())
    if measures is None:
        return SubCall(reagent, INDETERMINATE, INDETERMINATE, _codes(relevant, INDETERMINATE), ())
    outcomes = tuple(evaluate(rule, measures, limits) for rule in RULES)
    pattern, reason = first(outcomes, measures)
    reasons = _codes(relevant, pattern)
    call = INDETERMINATE if reasons else pattern
    if reason and not reasons:
        doubtful = [guard.code for guard in relevant if guard.blocking and guard.code in OF_MEASURES]
        reasons = (*dict.fromkeys(doubtful), reason)
    return SubCall(reagent, call, pattern, reasons, outcomes)


def _codes(guards: Sequence[Guard], call: str) -> tuple[str, ...]:
    """Return the codes of the guards that take away a call, each once; those that take away every call always count.

    What could not be computed is told only where nothing fired: it is mostly the consequence of what did.
    """
    standing = [guard for guard in guards if guard.blocking and (guard.blocks == ALL_CALLS or call in guard.blocks)]
    fired = [guard for guard in standing if guard.fired]
    return tuple(dict.fromkeys(guard.code for guard in fired or standing))


def first(outcomes: Sequence[Outcome], measures: Measures) -> tuple[str, str]:
    """Return the call of the rule that is met and goes before the others, or INDETERMINATE and why.

    Every rule has its place, so the order in which they were evaluated does not matter. One that goes before and may or
    may not be met, for want of a measure, stops the search.
    """
    for outcome in sorted(outcomes, key=lambda outcome: outcome.rule.place):
        if outcome.met:
            return outcome.rule.call, ""
        if outcome.met is None:
            return INDETERMINATE, BETWEEN
    return INDETERMINATE, _undecided(outcomes, measures)


def _undecided(outcomes: Sequence[Outcome], measures: Measures) -> str:
    """Return why no rule was met: which two explanations are left, or what the likeliest one wants."""
    known = {call: odds for call, name in ODDS.items() if (odds := measures.get(name)) is not None and odds == odds}
    if len(known) < len(ODDS):
        return BETWEEN
    best, second = sorted(known, key=lambda call: -known[call])[:2]
    needed = measures.get("odds_min")
    if needed is not None and known[best] >= needed:
        # The odds are there, and something else is not.
        missed = [
            checked.condition.measure
            for outcome in outcomes
            if outcome.rule.call == best
            for checked in outcome.conditions
            if checked.met is not True
        ]
        return MISSED.get(missed[0] if missed else "", BETWEEN)
    return {frozenset({NORMAL, MOSAIC}): GREY_ZONE, frozenset({REDUCED, MOSAIC}): UNRESOLVED}.get(
        frozenset({best, second}), BETWEEN
    )


# CD154 is there, and CD40-Ig does not bind to it: by the odds, and by the ratio of their levels.
FUNCTIONAL = Rule(
    FUNCTIONAL_DEFECT,
    0,
    (
        Condition("joint_FUNCTIONAL_DEFECT", ">=", "odds_min"),
        Condition("binding_ratio_high", "<=", "functional_ratio_max"),
    ),
)
# Two readouts that are like the control's, or reduced, must be so alike.
ALIKE = Condition("binding_ratio", ">=", "binding_ratio_min")


def _functional(measures: Mapping[str, Measures], together: Measures, limits: Mapping[str, Any]) -> Outcome | None:
    """Return the rule of a functional defect evaluated; None without both readouts."""
    if not together or CD40_IG not in measures or not any(reagent in measures for reagent in CLONES):
        return None
    return evaluate(FUNCTIONAL, together, limits)


def _settled(call: str, subcalls: Mapping[str, SubCall], together: Measures) -> bool:
    """Return whether all reagents together give a call that some of them leave open, and none contradicts.

    Whatever else the rule of the call wants must hold in every reagent.
    """
    if not _together(call, together):
        return False
    for subcall in subcalls.values():
        if subcall.call != call and (subcall.call != INDETERMINATE or not set(subcall.reasons) <= set(UNDECIDED)):
            return False
        if any(outcome.met is None for outcome in subcall.outcomes):
            return False
        mine = [outcome for outcome in subcall.outcomes if outcome.rule.call == call]
        others = [one.met for outcome in mine for one in outcome.conditions if one.condition.measure != ODDS[call]]
        if not others or not all(others):
            return False
    return True


def _cd154(subcalls: Mapping[str, SubCall]) -> tuple[str, tuple[str, ...]]:
    """Return the CD154 sub-call of one or two clones: they must agree."""
    clones = [subcalls[reagent] for reagent in CLONES if reagent in subcalls]
    if not clones:
        return INDETERMINATE, ("TUBE_MISSING",)
    unsure = [clone for clone in clones if clone.call == INDETERMINATE]
    if unsure:
        return INDETERMINATE, tuple(code for clone in unsure for code in clone.reasons)
    if len({clone.call for clone in clones}) > 1:
        return INDETERMINATE, ("CLONE_DISCORDANT",)
    return clones[0].call, ()


def _combine(
    guards: tuple[Guard, ...],
    subcalls: Mapping[str, SubCall],
    functional: Outcome | None,
    together: Measures,
    limits: Mapping[str, Any],
    require_function: bool,
) -> tuple[str, list[str]]:
    hard = _codes([guard for guard in guards if not guard.reagent], INDETERMINATE)
    # What else is wrong is told too: it is what the laboratory must mend before it repeats the assay.
    others = [code for subcall in subcalls.values() for code in subcall.reasons if code not in UNDECIDED]
    if hard:
        return INDETERMINATE, [*hard, *others]
    cd154, why = _cd154(subcalls)
    binding = subcalls.get(CD40_IG)
    valid = binding is not None and not _not_valid(binding, guards)
    if valid and _is_defect(functional, subcalls):
        blocking = _codes(guards, FUNCTIONAL_DEFECT)
        return (INDETERMINATE, list(blocking)) if blocking else (FUNCTIONAL_DEFECT, [])
    settled = next((call for call in ODDS if valid and _settled(call, subcalls, together)), None)
    if settled is not None:
        blocking = _codes(guards, settled)
        if blocking:
            return INDETERMINATE, list(blocking)
        return _alike(settled, together, limits)
    if cd154 == INDETERMINATE:
        return INDETERMINATE, [*why, *others]
    if not valid or binding is None:
        # What cannot support a call may still speak against it: a worse assay must not lead to a call.
        if binding is not None and not _unjudged(binding):
            against = TABLE.get((cd154, binding.pattern), DISCORDANT)[0] != cd154
            if against and binding.pattern != INDETERMINATE:
                return INDETERMINATE, ["READOUT_DISCORDANT", *others]
            if against or (functional is not None and functional.met is not False and cd154 in (NORMAL, REDUCED)):
                return INDETERMINATE, ["FUNCTION_NOT_TESTED", *others]
        call, reason = TABLE[cd154, NOT_TESTED]
        if cd154 == NORMAL and not require_function:
            call = NORMAL
        return call, [reason, *others]
    key = binding.reasons[0] if binding.reasons in ((GREY_ZONE,), (UNRESOLVED,)) else binding.call
    if (cd154, key) in TABLE:
        call, reason = TABLE[cd154, key]
        if call != INDETERMINATE:
            return _alike(call, together, limits) if _together(call, together) else (INDETERMINATE, [_rival(together)])
        return call, [reason] if reason else []
    return INDETERMINATE, list(binding.reasons)


def _together(call: str, together: Measures) -> bool:
    """Return whether the odds of all reagents together reach what a call needs."""
    odds, needed = together.get(f"joint_{call}"), together.get("mosaic_odds_min" if call == MOSAIC else "odds_min")
    return odds is not None and needed is not None and odds >= needed


def _rival(together: Measures) -> str:
    """Return why all reagents together give no call: two that are not of one kind, or explanations that are close."""
    known = {name: odds for name, odds in together.items() if name.startswith("joint_") and odds is not None}
    close = sorted(known, key=lambda name: -(known[name] or 0.0))[:2]
    return "READOUT_DISCORDANT" if "joint_DISCORDANT" in close else BETWEEN


def _alike(call: str, together: Measures, limits: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return a call of both readouts, unless CD40-Ig binds less than CD154 lets expect."""
    if call in (NORMAL, REDUCED) and check(ALIKE, together, limits).met is not True:
        return INDETERMINATE, ["READOUT_DISCORDANT"]
    return call, []


def _is_defect(functional: Outcome | None, subcalls: Mapping[str, SubCall]) -> bool:
    """Return whether CD40-Ig does not bind a CD154 that is there; guards of either readout leave nothing to say."""
    if functional is None or functional.met is not True:
        return False
    clones = [subcalls[reagent] for reagent in CLONES if reagent in subcalls]
    return all(
        clone.call in (NORMAL, REDUCED)
        or (clone.call == clone.pattern == INDETERMINATE and set(clone.reasons) <= {BETWEEN, GREY_ZONE})
        for clone in clones
    )


def _not_valid(binding: SubCall, guards: Sequence[Guard]) -> bool:
    """Return whether a CD40-Ig result is none at all.

    It is not where another guard takes its call away too, or would perhaps, had it been computed: a worse assay must
    not lead to a call.
    """
    if binding.call != INDETERMINATE or not any(code in INVALID for code in binding.reasons):
        return False
    if any(code in NOTHING_MEASURED for code in binding.reasons):
        return True
    unknown = [guard for guard in guards if guard.reagent == binding.reagent and guard.fired is None]
    return all(code in INVALID for code in (*binding.reasons, *_codes(unknown, binding.pattern)))


def _unjudged(binding: SubCall) -> bool:
    """Return whether a CD40-Ig tube has no background of any kind: it then tells no more than one that was not made."""
    return "TUBE_MISSING" in binding.reasons and not binding.outcomes


def _alone(guards: tuple[Guard, ...]) -> tuple[str, list[str]]:
    """Return the call of a single control: NORMAL when its own guards hold, for there is nothing to compare it with."""
    codes = _codes(guards, NORMAL)
    return (INDETERMINATE, list(codes)) if codes else (NORMAL, [])


def _pattern(subcalls: Mapping[str, SubCall], functional: Outcome | None) -> str:
    """Return what the measures alone say of CD154, for words about a sample that gets no call."""
    cd154 = next((subcalls[reagent].pattern for reagent in CLONES if reagent in subcalls), INDETERMINATE)
    defect = functional is not None and functional.met and cd154 in (NORMAL, REDUCED)
    return FUNCTIONAL_DEFECT if defect else cd154

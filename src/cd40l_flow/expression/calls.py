"""The calls: a sub-call for each reagent by the rules, then one table from sub-calls to the call of the sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cd40l_flow.expression.case import Case
from cd40l_flow.expression.effects import (
    ABSENT,
    EVERY,
    FUNCTIONAL_DEFECT,
    INDETERMINATE,
    MOSAIC,
    NORMAL,
    REDUCED,
    TOLD,
    Guard,
)
from cd40l_flow.expression.quality import positive_fraction, usable_fit
from cd40l_flow.expression.rules import RULES, Condition, Measures, Outcome, Rule, evaluate

CD154, CLONE_2, CD40_IG = "CD154", "CD154-2", "CD40-Ig"
CLONES = (CD154, CLONE_2)
NOT_TESTED = "not tested"
GREY_ZONE, UNRESOLVED, BETWEEN = "MOSAIC_GREY_ZONE", "REDUCED_VS_MOSAIC", "BETWEEN_LIMITS"
# Reasons of a sub-call that only say that no rule was met.
UNDECIDED = (BETWEEN, GREY_ZONE, UNRESOLVED)
# Guards that tell why no rule was met, for they are of the measures themselves.
OF_MEASURES = ("FIT_UNSTABLE", "HIGH_BACKGROUND")
# Reasons that make a CD40-Ig result no result at all: as if the tube had not been made.
INVALID = ("TUBE_MISSING", "TOO_FEW_EVENTS", "ACTIVATION_FAILED", "LOW_SEPARATION", "CONTROL_ABSENT")
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

    ``functional`` is None where one of the two readouts was not measured.
    """

    call: str
    pattern: str
    reasons: tuple[str, ...]
    qc: str
    guards: tuple[Guard, ...]
    subcalls: Mapping[str, SubCall]
    functional: Outcome | None


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
        "positive_high": None if high is None else high / 100,
        "positive_fraction": positive_fraction(expression, limits),
        "relative_positive": comparison.relative_positive,
        "level": comparison.mfi_all_ratio,
        "positive_level": comparison.mfi_ratio,
        "mutant_fraction": comparison.mutant_fraction,
        "lob": comparison.lob,
        "lod": comparison.lod,
        "separation": expression.separation,
        "separation_min": float(guards["separation_min"]),
        "absolute_shift": None if expression.shift is None else abs(expression.shift),
        "valley_depth": expression.valley,
        "dip_p": expression.dip_p,
        "likelihood_ratio_p": comparison.likelihood_ratio_p,
        "mosaic_over_shift": comparison.mosaic_over_shift,
        "shift_over_mosaic": None if comparison.mosaic_over_shift is None else -comparison.mosaic_over_shift,
        "mosaic_resolved_min": float(calls["mosaic_resolved_min"]),
        "wider_change": comparison.wider_change,
        "wider_separation": comparison.wider_separation,
        "bright_fraction": None if bright is None else bright / expression.events,
        "bright_share": None if not expressing or bright is None else max(bright, 0.0) / expressing,
        "expressing_events": expressing,
        "expressing_events_min": max(
            float(calls["minor_fraction_min"]) * expression.events, float(guards["minor_quantify"])
        ),
    }


def decide(case: Case, guards: tuple[Guard, ...], limits: Mapping[str, Any], *, require_function: bool) -> Decision:
    """Return the call of a sample with its whole trace.

    Guards first, then a sub-call for each reagent, then the table; what no rule covers is INDETERMINATE.
    """
    measures = {reagent: measures_of(case, reagent, limits) for reagent in case.planned if reagent in case.reagents}
    return decide_on(
        measures, case.planned, guards, limits["calls"], alone=case.alone, require_function=require_function
    )


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
    subcalls = {reagent: _subcall(reagent, measures.get(reagent), guards, limits, alone) for reagent in planned}
    functional = _functional(measures, limits)
    if alone:
        call, reasons = _alone(guards)
    else:
        call, reasons = _combine(guards, subcalls, functional, require_function)
    fired = [guard for guard in guards if guard.fired]
    reasons += [guard.code for guard in fired if guard.code in TOLD]
    qc = "fail" if any(guard.blocks == EVERY for guard in fired) else "warn" if fired else "pass"
    pattern = _pattern(subcalls, functional)
    return Decision(call, pattern, tuple(dict.fromkeys(reasons)), qc, guards, subcalls, functional)


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
        doubtful = [guard.code for guard in relevant if guard.stands_in_the_way and guard.code in OF_MEASURES]
        reasons = (*dict.fromkeys(doubtful), reason)
    return SubCall(reagent, call, pattern, reasons, outcomes)


def _codes(guards: Sequence[Guard], call: str) -> tuple[str, ...]:
    """Return the codes of the guards that take away a call, each once; those that take away every call always count.

    What could not be computed is told only where nothing fired: it is mostly the consequence of what did.
    """
    standing = [
        guard for guard in guards if guard.stands_in_the_way and (guard.blocks == EVERY or call in guard.blocks)
    ]
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
    f, lob, lod = (measures[name] for name in ("mutant_fraction", "lob", "lod"))
    separation, needed = measures["separation"], measures["separation_min"]
    # Cells that express too little to be told from those that do not: unless they are absent, it may be either.
    if separation is not None and needed is not None and separation < needed:
        return INDETERMINATE, UNRESOLVED
    if f is not None and lob is not None and lod is not None and f > lob:
        return INDETERMINATE, GREY_ZONE if f <= lod else UNRESOLVED
    over, resolved = measures["mosaic_over_shift"], measures["mosaic_resolved_min"]
    both = over is not None and resolved is not None and abs(over) < resolved
    return INDETERMINATE, UNRESOLVED if both else BETWEEN


# CD154 is there, and CD40-Ig does not bind: by its percent or by its ratio to CD154.
FUNCTIONAL = Rule(
    FUNCTIONAL_DEFECT,
    0,
    (Condition("cd154_relative_positive", ">=", "functional_cd154_relative_min"),),
    (
        (
            Condition("cd40ig_positive_high", "<=", "functional_cd40ig_max"),
            Condition("cd40ig_over_cd154", "<=", "functional_ratio_max"),
        ),
    ),
)


def _functional(measures: Mapping[str, Measures], limits: Mapping[str, Any]) -> Outcome | None:
    """Return the rule of a functional defect evaluated; None without both readouts."""
    clones = [measures[reagent] for reagent in CLONES if reagent in measures]
    if CD40_IG not in measures or not clones:
        return None
    known = [value for clone in clones if (value := clone["relative_positive"]) is not None]
    best = max(known) if known else None
    binding = measures[CD40_IG]["relative_positive"]
    together = {
        "cd154_relative_positive": best,
        "cd40ig_positive_high": measures[CD40_IG]["positive_high"],
        "cd40ig_over_cd154": None if binding is None or not best else binding / best,
    }
    return evaluate(FUNCTIONAL, together, limits)


def _is_functional(functional: Outcome | None, cd154: str) -> bool | None:
    return False if functional is None or cd154 not in (NORMAL, REDUCED) else functional.met


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
    require_function: bool,
) -> tuple[str, list[str]]:
    hard = _codes([guard for guard in guards if not guard.reagent], INDETERMINATE)
    # What else is wrong is told too: it is what the laboratory must mend before it repeats the assay.
    others = [code for subcall in subcalls.values() for code in subcall.reasons if code not in UNDECIDED]
    if hard:
        return INDETERMINATE, [*hard, *others]
    cd154, why = _cd154(subcalls)
    if cd154 == INDETERMINATE:
        return INDETERMINATE, [*why, *others]
    binding = subcalls.get(CD40_IG)
    if binding is None or _not_valid(binding, guards):
        # What cannot support a call may still speak against it: a worse assay must not lead to a call.
        if binding is not None:
            against = TABLE.get((cd154, binding.pattern), DISCORDANT)[0] != cd154
            if against and binding.pattern != INDETERMINATE:
                return INDETERMINATE, ["READOUT_DISCORDANT", *others]
            if against or _is_functional(functional, cd154) is not False:
                return INDETERMINATE, ["FUNCTION_NOT_TESTED", *others]
        call, reason = TABLE[cd154, NOT_TESTED]
        if cd154 == NORMAL and not require_function:
            call = NORMAL
        return call, [reason, *others]
    is_functional = _is_functional(functional, cd154)
    if is_functional is None:
        return INDETERMINATE, ["FUNCTION_NOT_TESTED", *others]
    if is_functional:
        blocking = _codes(guards, FUNCTIONAL_DEFECT)
        return (INDETERMINATE, list(blocking)) if blocking else (FUNCTIONAL_DEFECT, [])
    key = binding.reasons[0] if binding.reasons in ((GREY_ZONE,), (UNRESOLVED,)) else binding.call
    if (cd154, key) in TABLE:
        call, reason = TABLE[cd154, key]
        return call, [reason] if reason else []
    return INDETERMINATE, list(binding.reasons)


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


def _alone(guards: tuple[Guard, ...]) -> tuple[str, list[str]]:
    """Return the call of a single control: NORMAL when its own guards hold, for there is nothing to compare it with."""
    codes = _codes(guards, NORMAL)
    return (INDETERMINATE, list(codes)) if codes else (NORMAL, [])


def _pattern(subcalls: Mapping[str, SubCall], functional: Outcome | None) -> str:
    """Return what the measures alone say of CD154, for words about a sample that gets no call."""
    cd154 = next((subcalls[reagent].pattern for reagent in CLONES if reagent in subcalls), INDETERMINATE)
    return FUNCTIONAL_DEFECT if _is_functional(functional, cd154) else cd154

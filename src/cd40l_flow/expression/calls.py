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
from cd40l_flow.expression.rules import RULES, Checked, Condition, Outcome, check, evaluate, every, some

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
    """The call of a sample, why, and the trace: guards, sub-calls, and the conditions of a functional defect."""

    call: str
    pattern: str
    reasons: tuple[str, ...]
    qc: str
    guards: tuple[Guard, ...]
    subcalls: Mapping[str, SubCall]
    functional: tuple[Checked, ...]


# CD154 sub-call x CD40-Ig sub-call -> call and reason. What is not listed is INDETERMINATE, READOUT_DISCORDANT.
TABLE: Mapping[tuple[str, str], tuple[str, str]] = {
    (NORMAL, NORMAL): (NORMAL, ""),
    (ABSENT, ABSENT): (ABSENT, ""),
    (REDUCED, REDUCED): (REDUCED, ""),
    (MOSAIC, MOSAIC): (MOSAIC, ""),
    (MOSAIC, GREY_ZONE): (MOSAIC, ""),
    (NORMAL, GREY_ZONE): (INDETERMINATE, GREY_ZONE),
    (NORMAL, NOT_TESTED): (INDETERMINATE, "FUNCTION_NOT_TESTED"),
    (ABSENT, NOT_TESTED): (ABSENT, "FUNCTION_NOT_TESTED"),
    (REDUCED, NOT_TESTED): (REDUCED, "FUNCTION_NOT_TESTED"),
    (MOSAIC, NOT_TESTED): (MOSAIC, "FUNCTION_NOT_TESTED"),
}


def measures_of(case: Case, reagent: str, limits: Mapping[str, Any]) -> dict[str, float | None]:
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
    calls, guards = limits["calls"], limits["guards"]
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
        "bright_events": comparison.bright_events,
        "expressing_events": expressing,
        "bright_events_limit": max(
            float(calls["minor_fraction_min"]) * expression.events, float(guards["minor_quantify"])
        ),
    }


def decide(case: Case, guards: tuple[Guard, ...], limits: Mapping[str, Any], *, require_function: bool) -> Decision:
    """Return the call of a sample with its whole trace.

    Guards first, then a sub-call for each reagent, then the table; what no rule covers is INDETERMINATE.
    """
    subcalls = {reagent: _subcall(case, reagent, guards, limits) for reagent in case.planned}
    functional = _functional(case, limits)
    if case.alone:
        call, reasons = _alone(guards)
    else:
        call, reasons = _combine(guards, subcalls, functional, require_function)
    fired = [guard for guard in guards if guard.fired]
    reasons += [guard.code for guard in fired if guard.effect == "soft" and guard.code in TOLD]
    qc = "fail" if any(guard.blocks == EVERY for guard in fired) else "warn" if fired else "pass"
    pattern = _pattern(subcalls, functional)
    return Decision(call, pattern, tuple(dict.fromkeys(reasons)), qc, guards, subcalls, functional)


def _subcall(case: Case, reagent: str, guards: tuple[Guard, ...], limits: Mapping[str, Any]) -> SubCall:
    relevant = [guard for guard in guards if guard.reagent in ("", reagent)]
    if case.alone:
        # Without another control no rule can be decided; its guards say what a control must be.
        codes = _codes(relevant, NORMAL)
        call = INDETERMINATE if codes or reagent not in case.reagents else NORMAL
        return SubCall(reagent, call, call, codes, ())
    if reagent not in case.reagents:
        return SubCall(reagent, INDETERMINATE, INDETERMINATE, _codes(relevant, INDETERMINATE), ())
    measures = measures_of(case, reagent, limits)
    outcomes = tuple(evaluate(rule, measures, limits["calls"]) for rule in RULES)
    pattern, reason = _first(outcomes, measures)
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


def _first(outcomes: tuple[Outcome, ...], measures: Mapping[str, float | None]) -> tuple[str, str]:
    """Return the first call whose rule is met, or INDETERMINATE and why; a rule that may be met stops the search."""
    for outcome in outcomes:
        if outcome.met:
            return outcome.rule.call, ""
        if outcome.met is None:
            return INDETERMINATE, BETWEEN
    f, lob, lod = (measures[name] for name in ("mutant_fraction", "lob", "lod"))
    separation, needed = measures["separation"], measures["separation_min"]
    if separation is not None and needed is not None and separation < needed:
        return INDETERMINATE, UNRESOLVED
    if f is not None and lob is not None and lod is not None and f > lob:
        return INDETERMINATE, GREY_ZONE if f <= lod else UNRESOLVED
    return INDETERMINATE, BETWEEN


def _functional(case: Case, limits: Mapping[str, Any]) -> tuple[Checked, ...]:
    """Return the conditions of a functional defect: CD154 is there, CD40-Ig does not bind."""
    clones = [reagent for reagent in CLONES if reagent in case.reagents]
    if CD40_IG not in case.reagents or not clones:
        return ()
    known = [value for reagent in clones if (value := case.comparison(reagent).relative_positive) is not None]
    best = max(known) if known else None
    binding = case.comparison(CD40_IG).relative_positive
    high = case.reagents[CD40_IG].percent_positive_high
    measures = {
        "cd154_relative_positive": best,
        "cd40ig_positive_high": None if high is None else high / 100,
        "cd40ig_over_cd154": None if binding is None or not best else binding / best,
    }
    conditions = (
        Condition("cd154_relative_positive", ">=", "functional_cd154_relative_min"),
        Condition("cd40ig_positive_high", "<=", "functional_cd40ig_max"),
        Condition("cd40ig_over_cd154", "<=", "functional_ratio_max"),
    )
    return tuple(check(condition, measures, limits["calls"]) for condition in conditions)


def _is_functional(checked: tuple[Checked, ...], cd154: str) -> bool | None:
    if not checked or cd154 not in (NORMAL, REDUCED):
        return False
    return every([checked[0].met, some([c.met for c in checked[1:]])])


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
    functional: tuple[Checked, ...],
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
    if binding is None or _not_valid(binding):
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
    key = GREY_ZONE if binding.reasons == (GREY_ZONE,) else binding.call
    if (cd154, key) in TABLE:
        call, reason = TABLE[cd154, key]
        return call, [reason] if reason else []
    return INDETERMINATE, list(binding.reasons) if key in (INDETERMINATE, GREY_ZONE) else ["READOUT_DISCORDANT"]


def _not_valid(binding: SubCall) -> bool:
    return binding.call == INDETERMINATE and any(code in INVALID for code in binding.reasons)


def _alone(guards: tuple[Guard, ...]) -> tuple[str, list[str]]:
    """Return the call of a single control: NORMAL when its own guards hold, for there is nothing to compare it with."""
    codes = _codes(guards, NORMAL)
    return (INDETERMINATE, list(codes)) if codes else (NORMAL, [])


def _pattern(subcalls: Mapping[str, SubCall], functional: tuple[Checked, ...]) -> str:
    """Return what the measures alone say of CD154, for words about a sample that gets no call."""
    cd154 = next((subcalls[reagent].pattern for reagent in CLONES if reagent in subcalls), INDETERMINATE)
    return FUNCTIONAL_DEFECT if _is_functional(functional, cd154) else cd154

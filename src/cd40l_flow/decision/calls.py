"""The calls: a sub-call for each reagent by its odds, one table from sub-calls to the call, and the odds of all
reagents together, which may settle what one of them leaves open and must not speak against the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cd40l_flow.assay.effects import ALL_CALLS, FUNCTIONAL_DEFECT, INDETERMINATE, MOSAIC, NORMAL, REDUCED
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.rules import BETWEEN, DISCORDANT, GREY_ZONE, MISSED, NOT_TESTED, ODDS, UNRESOLVED
from cd40l_flow.decision.applied import Guard
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.rule_logic import Measures, Outcome, check, evaluate
from cd40l_flow.decision.rule_measures import SAMPLE, every_measure

# Reasons of a sub-call that only say that no rule was met: all reagents together may settle it.
UNDECIDED = (BETWEEN, GREY_ZONE, UNRESOLVED)
# Guards that explain why no rule was met, for they are of the measures themselves.
OF_MEASURES = ("FIT_UNSTABLE", "HIGH_BACKGROUND")
# Reasons that make a CD40-Ig result no result at all: as if the tube had not been made.
INVALID = ("TUBE_MISSING", "TOO_FEW_EVENTS", "ACTIVATION_FAILED", "LOW_SEPARATION", "CONTROL_ABSENT", "CONTROL_FAILED")
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
    outcomes = tuple(evaluate(rule, measures, limits) for rule in current_assay().rules)
    pattern, reason = first(outcomes, measures)
    reasons = _codes(relevant, pattern)
    call = INDETERMINATE if reasons else pattern
    if reason and not reasons:
        # One that takes no call away explains nothing: the measures hold what it says.
        doubtful = [guard.code for guard in relevant if guard.blocking and guard.blocks and guard.code in OF_MEASURES]
        reasons = (*dict.fromkeys(doubtful), reason)
    return SubCall(reagent, call, pattern, reasons, outcomes)


def _codes(guards: Sequence[Guard], call: str) -> tuple[str, ...]:
    """Return the codes of the guards that take away a call, each once; those that take away every call always count.

    What could not be computed is a reason only where nothing fired: it is mostly the consequence of what did.
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


def _functional(measures: Mapping[str, Measures], together: Measures, limits: Mapping[str, Any]) -> Outcome | None:
    """Return the rule of a functional defect evaluated; None without both readouts."""
    assay = current_assay()
    if not together or assay.function not in measures or not set(assay.expression) & set(measures):
        return None
    return evaluate(assay.functional, together, limits)


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
    clones = [subcalls[reagent] for reagent in current_assay().expression if reagent in subcalls]
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
    # What else is wrong is a reason too: the laboratory must correct it before it repeats the assay.
    others = [code for subcall in subcalls.values() for code in subcall.reasons if code not in UNDECIDED]
    if hard:
        return INDETERMINATE, [*hard, *others]
    cd154, why = _cd154(subcalls)
    binding = subcalls.get(current_assay().function)
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
            against = current_assay().calls.get((cd154, binding.pattern), DISCORDANT)[0] != cd154
            if against and binding.pattern != INDETERMINATE:
                return INDETERMINATE, ["READOUT_DISCORDANT", *others]
            if against or (functional is not None and functional.met is not False and cd154 in (NORMAL, REDUCED)):
                return INDETERMINATE, ["FUNCTION_NOT_TESTED", *others]
        call, reason = current_assay().calls[cd154, NOT_TESTED]
        if cd154 == NORMAL and not require_function:
            call = NORMAL
        return call, [reason, *others]
    key = binding.reasons[0] if binding.reasons in ((GREY_ZONE,), (UNRESOLVED,)) else binding.call
    if (cd154, key) in current_assay().calls:
        call, reason = current_assay().calls[cd154, key]
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
    if call in (NORMAL, REDUCED) and check(current_assay().alike, together, limits).met is not True:
        return INDETERMINATE, ["READOUT_DISCORDANT"]
    return call, []


def _is_defect(functional: Outcome | None, subcalls: Mapping[str, SubCall]) -> bool:
    """Return whether CD40-Ig does not bind a CD154 that is there; guards of either readout leave nothing to say."""
    if functional is None or functional.met is not True:
        return False
    clones = [subcalls[reagent] for reagent in current_assay().expression if reagent in subcalls]
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
    """Return whether a CD40-Ig tube has no background of any kind: it then says no more than one that was not made."""
    return "TUBE_MISSING" in binding.reasons and not binding.outcomes


def _alone(guards: tuple[Guard, ...]) -> tuple[str, list[str]]:
    """Return the call of a single control: NORMAL when its own guards hold, for there is nothing to compare it with."""
    codes = _codes(guards, NORMAL)
    return (INDETERMINATE, list(codes)) if codes else (NORMAL, [])


def _pattern(subcalls: Mapping[str, SubCall], functional: Outcome | None) -> str:
    """Return what the measures alone say of CD154, for words about a sample that gets no call."""
    clones = current_assay().expression
    cd154 = next((subcalls[reagent].pattern for reagent in clones if reagent in subcalls), INDETERMINATE)
    defect = functional is not None and functional.met and cd154 in (NORMAL, REDUCED)
    return FUNCTIONAL_DEFECT if defect else cd154

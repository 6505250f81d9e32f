"""The calls: a sub-call for each reagent by its odds, a table from sub-calls to the call, and the joint odds of all
reagents, which may settle an open sub-call and must support the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cd40l_flow.assay.call_limits import CallLimits
from cd40l_flow.assay.cd40l.rules import BETWEEN, DISCORDANT, GREY_ZONE, MISSED, NOT_TESTED, ODDS, UNRESOLVED
from cd40l_flow.assay.effects import FUNCTIONAL_DEFECT, INDETERMINATE, MOSAIC, NORMAL, REDUCED, takes_every_call
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.decision.applied import Guard
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.rule_logic import Measures, Outcome, check, evaluate
from cd40l_flow.decision.rule_measures import SAMPLE, every_measure

# Reasons of a sub-call that only mean that no rule was met: the joint odds may settle it.
UNDECIDED = (BETWEEN, GREY_ZONE, UNRESOLVED)
# Guards of the measures themselves, which explain why no rule was met.
OF_MEASURES = ("FIT_UNSTABLE", "HIGH_BACKGROUND")
# Reasons that invalidate a CD40-Ig result, as if the tube had not been stained.
INVALID = ("TUBE_MISSING", "TOO_FEW_EVENTS", "ACTIVATION_FAILED", "LOW_SEPARATION", "CONTROL_ABSENT", "CONTROL_FAILED")
# Those of them without any measure; guards that could not be computed follow from them.
NOTHING_MEASURED = ("TUBE_MISSING", "TOO_FEW_EVENTS")


@dataclass(frozen=True)
class SubCall:
    """The call of one reagent; ``pattern`` is the call by the measures alone, before guards."""

    reagent: str
    call: str
    pattern: str
    reasons: tuple[str, ...]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Decision:
    """The call of a sample, its reasons and its trace: guards, sub-calls, and the rule of a functional defect.

    ``functional`` is None if one of the two readouts was not measured. ``odds`` are the natural-log odds of each call
    by all reagents together.
    """

    call: str
    pattern: str
    reasons: tuple[str, ...]
    qc: str
    guards: tuple[Guard, ...]
    subcalls: Mapping[str, SubCall]
    functional: Outcome | None
    odds: Mapping[str, float] = field(default_factory=dict)


def decide(case: Case, guards: tuple[Guard, ...], limits: Limits, *, require_function: bool) -> Decision:
    """Return the call of a sample with its whole trace.

    Guards come first, then a sub-call for each reagent, then the table and the joint odds of all reagents. Anything not
    covered is INDETERMINATE.
    """
    return decide_on(
        every_measure(case, limits),
        case.planned,
        guards,
        limits.calls,
        alone=case.alone,
        require_function=require_function,
    )


def decide_on(
    measures: Mapping[str, Measures],
    planned: tuple[str, ...],
    guards: tuple[Guard, ...],
    limits: CallLimits,
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
    qc = "fail" if any(takes_every_call(guard.blocks) for guard in fired) else "warn" if fired else "pass"
    pattern = _pattern(subcalls, functional)
    odds = {
        name.removeprefix("joint_"): value
        for name, value in together.items()
        if name.startswith("joint_") and value is not None
    }
    return Decision(call, pattern, tuple(dict.fromkeys(reasons)), qc, guards, subcalls, functional, odds)


def _subcall(
    reagent: str, measures: Measures | None, guards: tuple[Guard, ...], limits: CallLimits, alone: bool
) -> SubCall:
    relevant = [guard for guard in guards if guard.reagent in ("", reagent)]
    if alone:
        # Without another control no rule can be evaluated; guards decide whether a control is valid.
        codes = codes_against(relevant, NORMAL)
        call = INDETERMINATE if codes or measures is None else NORMAL
        return SubCall(reagent, call, call, codes, ())
    if measures is None:
        return SubCall(reagent, INDETERMINATE, INDETERMINATE, codes_against(relevant, INDETERMINATE), ())
    outcomes = tuple(evaluate(rule, measures, limits) for rule in current_assay().rules)
    pattern, reason = first(outcomes, measures)
    reasons = codes_against(relevant, pattern)
    call = INDETERMINATE if reasons else pattern
    if reason and not reasons:
        # One that takes no call away explains nothing: the measures already show it.
        doubtful = [guard.code for guard in relevant if guard.blocking and guard.blocks and guard.code in OF_MEASURES]
        reasons = (*dict.fromkeys(doubtful), reason)
    return SubCall(reagent, call, pattern, reasons, outcomes)


def codes_against(guards: Sequence[Guard], call: str) -> tuple[str, ...]:
    """Return the codes of the guards that exclude a call, each once; guards that exclude every call always count.

    A guard that could not be computed is a reason only if none fired, since it mostly follows from one that did.
    """
    standing = [
        guard for guard in guards if guard.blocking and (takes_every_call(guard.blocks) or call in guard.blocks)
    ]
    fired = [guard for guard in standing if guard.fired]
    return tuple(dict.fromkeys(guard.code for guard in fired or standing))


def first(outcomes: Sequence[Outcome], measures: Measures) -> tuple[str, str]:
    """Return the call of the first rule that is met, or INDETERMINATE and the reason.

    Rules are ordered by their place, not by evaluation. An earlier rule that is undecided, because a measure is
    missing, stops the search.
    """
    for outcome in sorted(outcomes, key=lambda outcome: outcome.rule.place):
        if outcome.met:
            return outcome.rule.call, ""
        if outcome.met is None:
            return INDETERMINATE, BETWEEN
    return INDETERMINATE, _undecided(outcomes, measures)


def _undecided(outcomes: Sequence[Outcome], measures: Measures) -> str:
    """Return why no rule was met: the two remaining explanations, or the unmet condition of the likeliest one."""
    known = {call: odds for call, name in ODDS.items() if (odds := measures.get(name)) is not None and odds == odds}
    if len(known) < len(ODDS):
        return BETWEEN
    best, second = sorted(known, key=lambda call: -known[call])[:2]
    needed = measures.get("odds_min")
    if needed is not None and known[best] >= needed:
        # The odds suffice, but another condition is not met.
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


def _functional(measures: Mapping[str, Measures], together: Measures, limits: CallLimits) -> Outcome | None:
    """Return the rule of a functional defect evaluated; None without both readouts."""
    assay = current_assay()
    rule = assay.functional
    if rule is None or not together or assay.function not in measures or not set(assay.expression) & set(measures):
        return None
    return evaluate(rule, together, limits)


def _settled(call: str, subcalls: Mapping[str, SubCall], together: Measures) -> bool:
    """Return whether the joint odds give a call that some reagents leave open and none contradicts.

    All other conditions of the rule must hold in every reagent.
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
    limits: CallLimits,
    require_function: bool,
) -> tuple[str, list[str]]:
    hard = codes_against([guard for guard in guards if not guard.reagent], INDETERMINATE)
    # Other problems are reasons too: the laboratory must correct them before it repeats the assay.
    others = [code for subcall in subcalls.values() for code in subcall.reasons if code not in UNDECIDED]
    if hard:
        return INDETERMINATE, [*hard, *others]
    cd154, why = _cd154(subcalls)
    binding = subcalls.get(current_assay().function)
    valid = binding is not None and not _not_valid(binding, guards)
    if valid and _is_defect(functional, subcalls):
        blocking = codes_against(guards, FUNCTIONAL_DEFECT)
        return (INDETERMINATE, list(blocking)) if blocking else (FUNCTIONAL_DEFECT, [])
    settled = next((call for call in ODDS if valid and _settled(call, subcalls, together)), None)
    if settled is not None:
        blocking = codes_against(guards, settled)
        if blocking:
            return INDETERMINATE, list(blocking)
        return _alike(settled, together, limits)
    if cd154 == INDETERMINATE:
        return INDETERMINATE, [*why, *others]
    if not valid or binding is None:
        # A result that cannot support a call may still contradict it: a worse assay must not lead to a call.
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
    """Return whether the joint odds of all reagents reach the odds that a call needs."""
    odds, needed = together.get(f"joint_{call}"), together.get("mosaic_odds_min" if call == MOSAIC else "odds_min")
    if odds is None or needed is None or odds < needed:
        return False
    if call != MOSAIC:
        return True
    # Odds of the others are those against the likeliest, which is the mosaic here.
    one_kind, least = (together.get(f"joint_{name}") for name in (NORMAL, REDUCED)), together.get("one_kind_odds_min")
    return least is not None and all(other is None or -other >= least for other in one_kind)


def _rival(together: Measures) -> str:
    """Return why the joint odds give no call: discordant reagents, or two close explanations."""
    known = {name: odds for name, odds in together.items() if name.startswith("joint_") and odds is not None}
    mosaic, needed = known.get(f"joint_{MOSAIC}"), together.get("mosaic_odds_min")
    if mosaic is not None and needed is not None and mosaic >= needed:
        # Only one kind of cells is not far enough behind.
        return GREY_ZONE
    close = sorted(known, key=lambda name: -(known[name] or 0.0))[:2]
    return "READOUT_DISCORDANT" if "joint_DISCORDANT" in close else BETWEEN


def _alike(call: str, together: Measures, limits: CallLimits) -> tuple[str, list[str]]:
    """Return a call of both readouts, unless CD40-Ig binds less than expected from CD154."""
    alike = current_assay().alike
    if alike is not None and call in (NORMAL, REDUCED) and check(alike, together, limits).met is not True:
        return INDETERMINATE, ["READOUT_DISCORDANT"]
    return call, []


def _is_defect(functional: Outcome | None, subcalls: Mapping[str, SubCall]) -> bool:
    """Return whether CD40-Ig does not bind although CD154 is expressed; guards of either readout prevent this
    conclusion.
    """
    if functional is None or functional.met is not True:
        return False
    clones = [subcalls[reagent] for reagent in current_assay().expression if reagent in subcalls]
    return all(
        clone.call in (NORMAL, REDUCED)
        or (clone.call == clone.pattern == INDETERMINATE and set(clone.reasons) <= {BETWEEN, GREY_ZONE})
        for clone in clones
    )


def _not_valid(binding: SubCall, guards: Sequence[Guard]) -> bool:
    """Return whether a CD40-Ig result is invalid.

    It is not treated so if another guard also excludes its call, or might have: a worse assay must not lead to a call.
    """
    if binding.call != INDETERMINATE or not any(code in INVALID for code in binding.reasons):
        return False
    if any(code in NOTHING_MEASURED for code in binding.reasons):
        return True
    unknown = [guard for guard in guards if guard.reagent == binding.reagent and guard.fired is None]
    return all(code in INVALID for code in (*binding.reasons, *codes_against(unknown, binding.pattern)))


def _unjudged(binding: SubCall) -> bool:
    """Return whether a CD40-Ig tube has no background of any kind and so no information."""
    return "TUBE_MISSING" in binding.reasons and not binding.outcomes


def _alone(guards: tuple[Guard, ...]) -> tuple[str, list[str]]:
    """Return the call of a single control: NORMAL if its own guards pass, since there is no comparison."""
    codes = codes_against(guards, NORMAL)
    return (INDETERMINATE, list(codes)) if codes else (NORMAL, [])


def _pattern(subcalls: Mapping[str, SubCall], functional: Outcome | None) -> str:
    """Return the CD154 call by the measures alone, for the wording of a sample without a call."""
    clones = current_assay().expression
    cd154 = next((subcalls[reagent].pattern for reagent in clones if reagent in subcalls), INDETERMINATE)
    defect = functional is not None and functional.met and cd154 in (NORMAL, REDUCED)
    return FUNCTIONAL_DEFECT if defect else cd154

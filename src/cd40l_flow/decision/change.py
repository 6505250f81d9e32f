"""What would change a call: the smallest changes of measures that lead to another call, from the rules."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from cd40l_flow.assay.call_limits import CallLimits
from cd40l_flow.assay.cd40l.rules import MEASURE_WORDS
from cd40l_flow.assay.effects import INDETERMINATE
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.tables import OPERATOR_WORDS
from cd40l_flow.decision.applied import Guard
from cd40l_flow.decision.calls import Decision, SubCall, decide_on
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.odds import with_odds
from cd40l_flow.decision.rule_logic import Measures, check
from cd40l_flow.decision.rule_measures import SAMPLE, every_measure

# Most changes listed for each reagent.
MOST = 2
# Relative distance beyond the limit of a changed measure, smaller than any measurement error.
NUDGE = 1e-9
# Smallest limit used as the unit of a distance.
LEAST_SCALE = 0.05


@dataclass(frozen=True)
class Step:
    """One measure that would have to lie on the other side of a limit: at ``needed`` (``op`` the limit)."""

    measure: str
    value: float
    needed: float
    op: str
    limit: float

    @property
    def distance(self) -> float:
        """The distance relative to the limit."""
        return abs(self.value - self.limit) / max(abs(self.limit), LEAST_SCALE)


@dataclass(frozen=True)
class Change:
    """A change that gives another sub-call of one reagent, or (``reagent`` empty) another call.

    ``steps`` is empty if only checks would have to pass, or if the run would need ``controls`` healthy controls.
    """

    reagent: str
    before: str
    after: str
    steps: tuple[Step, ...]
    text: str
    controls: int | None = None


# Odds beyond this natural logarithm are stated as this one.
MOST_LN = 20.0

OTHER_SIDE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def would_change(case: Case, decision: Decision, limits: Limits, *, require_function: bool) -> tuple[Change, ...]:
    """Return what would change a decision: the checks that block it, else more controls, and the nearest limits of each
    reagent.

    Single measures come first; if none is enough, pairs. Unknown measures are not changed. ``limits`` are all groups of
    the configuration's.
    """
    chosen = limits.calls
    measures = every_measure(case, limits)

    def decided(changed: Mapping[str, Measures], guards: tuple[Guard, ...]) -> Decision:
        return decide_on(changed, case.planned, guards, chosen, alone=case.alone, require_function=require_function)

    changes = list(_without_checks(decision, decided(measures, ()), case.alone))
    if case.alone or changes:
        return tuple(changes)
    for added in sorted(case.more_controls) if decision.call == INDETERMINATE else ():
        weighed = case.more_controls[added]
        richer = replace(case, comparisons=with_odds(case.comparisons, weighed), joint=weighed.joint)
        new = decided(every_measure(richer, limits), decision.guards)
        if new.call != INDETERMINATE:
            changes.append(_with_controls(case, decision, new, added))
            break
    for reagent in measures:
        steps = list(_steps(reagent, measures[reagent], chosen))
        for size in (1, 2):
            found: dict[str, Change] = {}
            sets = sorted(combinations(steps, size), key=lambda chosen: sum(step.distance for step in chosen))
            for one in sets:
                if len({step.measure for step in one}) < size:
                    continue
                moved = {**measures[reagent], **{step.measure: step.needed for step in one}}
                new = decided({**measures, reagent: moved}, decision.guards)
                if reagent == SAMPLE:
                    if new.call != decision.call and new.call not in found:
                        text = f"All reagents: {_worded(one)} would make the call {new.call}."
                        found[new.call] = Change("", decision.call, new.call, one, text)
                    continue
                before, after = decision.subcalls[reagent], new.subcalls[reagent]
                if (after.call, new.call) != (before.call, decision.call) and after.call not in found:
                    found[after.call] = Change(
                        reagent, before.call, after.call, one, _words(reagent, one, after, new, decision)
                    )
                if len(found) == MOST:
                    break
            if found:
                changes += found.values()
                break
    return tuple(sorted(changes, key=lambda change: sum(step.distance for step in change.steps)))


def _without_checks(decision: Decision, free: Decision, alone: bool) -> Iterator[Change]:
    """Yield the call that the measures would give without checks, if checks block it."""
    standing = [guard for guard in decision.guards if guard.blocking and guard.code in decision.reasons]
    blocking = [guard for guard in standing if guard.blocks]
    if decision.call != INDETERMINATE or not blocking or free.call == INDETERMINATE:
        return
    codes = ", ".join(dict.fromkeys(guard.code for guard in blocking))
    basis = "its own measures" if alone else "the same measures"
    yield Change(
        "",
        decision.call,
        free.call,
        (),
        f"The call rests on {codes}. If that were corrected, {basis} would give {free.call}; repeat before "
        "interpreting them.",
    )


def _with_controls(case: Case, decision: Decision, new: Decision, added: int) -> Change:
    """Return the call that the same measures would give in a run with so many more controls like its own."""
    now = len(case.control.names) if case.control else 0
    odds = math.exp(min(new.odds[new.call], MOST_LN))
    text = (
        f"A run with {now + added} healthy controls (this one: {now}) that together are as bright and have as many "
        f"negative cells as now would make the odds {odds:,.0f} to 1 and the call {new.call}."
    )
    return Change("", decision.call, new.call, (), text, now + added)


def _steps(reagent: str, measures: Measures, limits: CallLimits) -> Iterator[Step]:
    """Yield, for each limit of a measure, the step to its other side, each once."""
    seen = set()
    if reagent == SAMPLE:
        assay = current_assay()
        conditions = [*(assay.functional.needs if assay.functional else ()), *([assay.alike] if assay.alike else ())]
    else:
        conditions = [c for rule in current_assay().rules for group in (rule.needs, *rule.either) for c in group]
    for condition in conditions:
        checked = check(condition, measures, limits)
        if checked.met is None or checked.value is None or checked.limit is None:
            continue
        op = OTHER_SIDE[condition.op] if checked.met else condition.op
        key = (condition.measure, op, checked.limit)
        if key not in seen:
            seen.add(key)
            nudge = NUDGE * max(abs(checked.limit), 1.0)
            past_limit = {"<": -nudge, ">": nudge}.get(op, 0.0)
            yield Step(condition.measure, checked.value, checked.limit + past_limit, op, checked.limit)


def _words(reagent: str, steps: tuple[Step, ...], after: SubCall, new: Decision, decision: Decision) -> str:
    reason = f" ({', '.join(after.reasons)})" if after.reasons else ""
    call = f", and the call {new.call}" if new.call != decision.call else "; the call would stay"
    return f"{reagent}: {_worded(steps)} would make its sub-call {after.call}{reason}{call}."


def _worded(steps: tuple[Step, ...]) -> str:
    return " and ".join(
        f"{_name(step)} {OPERATOR_WORDS[step.op]} {_number(step, step.limit)} (measured {_number(step, step.value)})"
        for step in steps
    )


def _name(step: Step) -> str:
    return MEASURE_WORDS[step.measure][0]


def _number(step: Step, value: float) -> str:
    kind = MEASURE_WORDS[step.measure][1]
    if kind == "fraction":
        return f"{100 * value:.3g} %"
    return f"{value:,.0f}" if kind == "events" else f"{value:.3g}"

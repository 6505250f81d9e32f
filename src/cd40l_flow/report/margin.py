"""The measure that decided a call and the one that lies nearest its limit, both with value and limit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cd40l_flow.assay.texts import load_texts, reason_texts
from cd40l_flow.result.numbers import format_against, format_limit, format_unit, measure_label, operator_sign
from cd40l_flow.result.types.decision import Condition, Guard, Rule
from cd40l_flow.result.types.result import Result

# The measure that tells a reader most of each call's rule; where it is not there, the odds, which every rule has.
_TELLING = {"ABSENT": "positive_high", "REDUCED": "level", "FUNCTIONAL_DEFECT": "binding_ratio_high"}
_ODDS = "_odds"
# Settings of the instrument and what the sheet says are met or not: they lie at no distance from a limit.
_NOT_BY_DEGREE = ("GAIN_MISMATCH", "CONTROL_DOUBTFUL", "SAMPLE_AGE", "REFERENCE_MISMATCH")
# Limits near zero are no scale for a distance.
_LEAST_SCALE = 0.05
_LONGEST = 64  # letters of a check's own words


@dataclass(frozen=True)
class Compared:
    """A measure against its limit, in words; ``distance`` in parts of the limit, negative beyond it."""

    name: str
    value: str
    limit: str
    distance: float

    @property
    def text(self) -> str:
        """The measure, its value and its limit as one phrase."""
        return str(load_texts()["page"]["compared"].format(name=self.name, value=self.value, limit=self.limit))


def decided_by(result: Result) -> Compared | None:
    """Return the measure that decided: of the rule that was met, else of the check that stopped the call, else of the
    rule that was missed most narrowly; None where nothing has a value.
    """
    stopping = [guard for guard in result.guards if guard.fired and guard.code in result.reasons]
    if result.call == "INDETERMINATE" and (checks := list(_checks(stopping))):
        return checks[0]
    met = [rule for rule in result.rules if rule.met and rule.call == result.call]
    telling = _TELLING.get(result.call, _ODDS)
    for wanted in (telling, _ODDS, ""):
        for rule in met:
            for condition in rule.conditions:
                if condition.measure.endswith(wanted) and (found := _condition(rule, condition)) is not None:
                    return found
    if missed := [found for found in _conditions(result.rules) if found.distance < 0]:
        return max(missed, key=lambda one: one.distance)
    control = [guard for guard in result.guards if guard.code == "CONTROL_FAILED" and not result.rules]
    return next(_checks(control), None)


def nearest_limit(result: Result) -> Compared | None:
    """Return, of what holds, what lies nearest its limit in parts of it, the measure that decided left aside.

    Counted are the conditions of the rules that were met and the checks that can stop or narrow a call. None where
    nothing has both value and limit.
    """
    decided = decided_by(result)
    passed = [guard for guard in result.guards if guard.fired is False and guard.effect != "soft"]
    passed = [guard for guard in passed if guard.code not in _NOT_BY_DEGREE]
    found = [*_conditions(rule for rule in result.rules if rule.met and _counts(rule, result)), *_checks(passed)]
    others = [one for one in found if decided is None or one.name != decided.name]
    return min(others, key=lambda one: one.distance, default=None)


def _counts(rule: Rule, result: Result) -> bool:
    """Return whether a rule that is met carries the call of its reagent, or that of all."""
    if rule.reagent is None:
        return rule.call == result.call
    return rule.reagent not in result.subcalls or result.subcalls[rule.reagent].call in (rule.call, "INDETERMINATE")


def _conditions(rules: Iterable[Rule]) -> Iterator[Compared]:
    for rule in rules:
        for condition in rule.conditions:
            if (found := _condition(rule, condition)) is not None:
                yield found


def _condition(rule: Rule, condition: Condition) -> Compared | None:
    """Return a condition of a rule against its limit; odds as readers say them, 150 to 1."""
    value, limit = condition.value, condition.limit
    if value is None or limit is None:
        return None
    words = load_texts()["page"]
    within = abs(value - limit) / max(abs(limit), _LEAST_SCALE)
    distance = within if condition.met else -within
    reagent = f"{rule.reagent}: " if rule.reagent else ""
    if _ODDS in condition.measure or condition.measure.startswith("joint_"):
        pattern = words["patterns"][rule.call]
        name = words["odds"].format(reagent=reagent, pattern=pattern)
        return Compared(name, _odds(value), f"{operator_sign(condition.op)} {_odds(limit)}", distance)
    shown = format_against(condition.measure, value, limit)
    bound = f"{operator_sign(condition.op)} {format_limit(condition.measure, limit)}"
    return Compared(f"{reagent}{measure_label(condition.measure)}", shown, bound, distance)


def _odds(value: float) -> str:
    """Return natural-log odds as a reader says them."""
    if value > math.log(1e6):
        return str(load_texts()["page"]["odds_most"])
    ratio = math.exp(abs(value))
    number = f"{min(ratio, 1e6):,.0f}" if ratio >= 10 else f"{ratio:.1f}"
    return f"{number} to 1" if value >= 0 else f"1 to {number}"


def _checks(guards: Iterable[Guard]) -> Iterator[Compared]:
    """Yield checks with value and limit; of which side the limit is, its outcome tells."""
    for guard in guards:
        if guard.value is not None and guard.limit is not None:
            yield _check(guard)


def _check(guard: Guard) -> Compared:
    value, limit = float(guard.value or 0.0), float(guard.limit or 0.0)
    above = (value > limit) == (guard.fired is True)
    within = abs(value - limit) / max(abs(limit), _LEAST_SCALE)
    reagent = f"{guard.reagent}: " if guard.reagent else ""
    message = guard.message.rstrip(".")
    name = message if len(message) <= _LONGEST else reason_texts(guard.code).get("check", guard.code)
    bound = f"{'≤' if above else '≥'} {format_unit(guard.unit, limit, limit=True)}"
    shown = format_unit(guard.unit, value)
    return Compared(f"{reagent}{name}", shown, bound, -within if guard.fired else within)

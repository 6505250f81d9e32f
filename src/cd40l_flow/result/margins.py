"""The measure that decided a call and the one nearest its limit, on one scale, so that samples can be sorted by it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cd40l_flow.assay.effects import MOSAIC, SQUARED
from cd40l_flow.assay.texts import load_texts, reason_texts
from cd40l_flow.result.numbers import (
    format_against,
    format_limit,
    format_unit,
    measure_base,
    measure_kind,
    measure_label,
    operator_sign,
)
from cd40l_flow.result.types.decision import Condition, Guard, Rule
from cd40l_flow.result.types.result import Result

# The measure that shows a reader most of each call's rule; without it the odds, which every rule has.
_SHOWN = {"ABSENT": "positive_high", "REDUCED": "level", "FUNCTIONAL_DEFECT": "binding_ratio_high"}
_ODDS = "_odds"
# Settings of the instrument, what the sheet says, and comparisons of which either side can be right have no margin.
_NOT_BY_DEGREE = ("GAIN_MISMATCH", "CONTROL_DOUBTFUL", "SAMPLE_AGE", "REFERENCE_MISMATCH", "NEGATIVES_DEPENDENT")
_LONGEST = 64  # letters of a check's own words
_MOST, _LEAST = 100.0, -999.0
_LOWER_LIMITS = (">", ">=")


@dataclass(frozen=True)
class Margin:
    """A measure against its limit: ``name``, ``value`` and ``limit`` in words.

    ``percent`` of the way from the limit to what a healthy sample would show: 100 at most, negative beyond the limit.
    """

    percent: float
    name: str
    value: str
    limit: str
    reagent: str
    measure: str

    @property
    def text(self) -> str:
        """The measure, its value and its limit as one phrase; of a check without a value its name."""
        if not self.limit:
            return self.name
        return str(load_texts()["page"]["compared"].format(name=self.name, value=self.value, limit=self.limit))


def decided_by(result: Result) -> Margin | None:
    """Return the measure that decided: of the rule that was met, else the odds by all reagents together, of the check
    that stopped the call, or of the rule that was missed most narrowly; None where nothing has a value.
    """
    stopping = _stopping(result) if result.call == "INDETERMINATE" else []
    if checks := list(_checks(stopping)):
        return min(checks, key=_percent_of)
    if without_value := [guard for guard in stopping if guard.effect != "soft"]:
        name = reason_texts(without_value[0].code)["name"]
        return Margin(_LEAST, name, "", "", without_value[0].reagent or "", without_value[0].code)
    met = [rule for rule in result.rules if rule.met and rule.call == result.call]
    for wanted in (_SHOWN.get(result.call, _ODDS), _ODDS, ""):
        for rule in met:
            for condition in rule.conditions:
                if condition.measure.endswith(wanted) and (found := _condition(rule, condition)) is not None:
                    return found
    if (together := _together(result)) is not None:
        return together
    if (missed := _missed(result)) is not None:
        return missed
    control = [guard for guard in result.guards if guard.code == "CONTROL_FAILED" and not result.rules]
    return next(_checks(control), None)


def nearest_limit(result: Result) -> Margin | None:
    """Return, of what holds, what lies nearest its limit, the measure that decided left aside."""
    decided = decided_by(result)
    others = [one for one in _holding(result) if decided is None or one.name != decided.name]
    return min(others, key=_percent_of, default=None)


def nearest_margin(result: Result) -> Margin | None:
    """Return the measure by which a call is nearest to another; None where nothing has both value and limit.

    Of a call: whatever of all that made it or could take it away is nearest its limit. Where there is no call: what
    stopped it, else the rule that was missed most narrowly.
    """
    if result.call != "INDETERMINATE":
        return min(_holding(result), key=_percent_of, default=None)
    return min(_checks(_stopping(result)), key=_percent_of, default=_missed(result))


def _percent_of(margin: Margin) -> float:
    return margin.percent


def _stopping(result: Result) -> list[Guard]:
    return [guard for guard in result.guards if guard.fired and guard.code in result.reasons]


def _holding(result: Result) -> Iterator[Margin]:
    """Yield the conditions of the rules that were met, and the checks that can stop or narrow a call and did not."""
    for rule in result.rules:
        if rule.met and _carries(rule, result):
            # An alternative that does not hold carries nothing.
            yield from _conditions(rule, [one for one in rule.conditions if one.met])
    if (together := _together(result)) is not None:
        yield together
    yield from _checks(guard for guard in result.guards if guard.fired is False and guard.effect != "soft")


def _together(result: Result) -> Margin | None:
    """Return the odds of a call that all reagents together make, though each of them leaves it open; else None."""
    needed, odds = result.configuration.limits.get("odds", {}).get("call_odds"), result.odds.joint.get(result.call)
    by_rule = not result.rules or any(rule.met and rule.call == result.call for rule in result.rules)
    if by_rule or odds is None or not isinstance(needed, int | float):
        return None
    limit = math.log(needed)
    kept = [reagent for reagent in result.reagents if result.numbers(reagent).get("residual_kept") is not None]
    if result.call == MOSAIC and kept:
        limit *= SQUARED
    words = load_texts()["page"]
    name = words["odds"].format(reagent=words["together"], pattern=words["patterns"][result.call])
    return Margin(_percent(odds, limit, "number", lower=True), name, _odds(odds), f"≥ {_odds(limit)}", "", "odds")


def _carries(rule: Rule, result: Result) -> bool:
    """Return whether a rule that is met carries the call of its reagent, or that of all."""
    if rule.reagent is None:
        return rule.call == result.call
    return rule.reagent not in result.subcalls or result.subcalls[rule.reagent].call in (rule.call, "INDETERMINATE")


def _missed(result: Result) -> Margin | None:
    """Return what the rule lacked that was missed most narrowly; a rule lacks what it misses by the most."""
    worst = [
        min(margins, key=_percent_of) for rule in result.rules if (margins := list(_conditions(rule, rule.conditions)))
    ]
    return max((one for one in worst if one.percent < 0), key=_percent_of, default=None)


def _conditions(rule: Rule, conditions: Iterable[Condition]) -> Iterator[Margin]:
    for condition in conditions:
        if (found := _condition(rule, condition)) is not None:
            yield found


def _condition(rule: Rule, condition: Condition) -> Margin | None:
    """Return a condition of a rule against its limit; odds as readers say them, 150 to 1."""
    value, limit, measure = condition.value, condition.limit, condition.measure
    if value is None or limit is None or condition.met is None:
        return None
    percent = _percent(value, limit, measure_kind(measure), lower=condition.op in _LOWER_LIMITS)
    reagent, sign = f"{rule.reagent}: " if rule.reagent else "", operator_sign(condition.op)
    base = measure_base(measure)[0]
    if _ODDS in measure or measure.startswith("joint_"):
        words = load_texts()["page"]
        name = words["odds"].format(reagent=reagent, pattern=words["patterns"][rule.call])
        return Margin(percent, name, _odds(value), f"{sign} {_odds(limit)}", rule.reagent or "", base)
    shown, bound = format_against(measure, value, limit), f"{sign} {format_limit(measure, limit)}"
    return Margin(percent, f"{reagent}{measure_label(measure)}", shown, bound, rule.reagent or "", base)


def _odds(value: float) -> str:
    """Return natural-log odds as a reader says them."""
    most = math.log(1e6)
    if value > most:
        return str(load_texts()["page"]["odds_most"])
    ratio = math.exp(min(abs(value), most))
    number = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"
    return f"{number} to 1" if value >= 0 else f"1 to {number}"


def _checks(guards: Iterable[Guard]) -> Iterator[Margin]:
    """Yield the margins of checks; the outcome shows on which side a limit is."""
    for guard in guards:
        value, limit = guard.value, guard.limit
        if value is None or limit is None or guard.code in _NOT_BY_DEGREE:
            continue
        lower = (value >= limit) != bool(guard.fired)
        kind = {"%": "percent", "fraction": "fraction", "x": "ratio"}.get(guard.unit, "number")
        percent = _percent(value, limit, kind, lower=lower)
        reagent, message = f"{guard.reagent}: " if guard.reagent else "", guard.message.rstrip(".")
        name = message if len(message) <= _LONGEST else reason_texts(guard.code).get("check", guard.code)
        bound = f"{'≥' if lower else '≤'} {format_unit(guard.unit, limit, limit=True)}"
        yield Margin(
            percent, f"{reagent}{name}", format_unit(guard.unit, value), bound, guard.reagent or "", guard.code
        )


def _percent(value: float, limit: float, kind: str, *, lower: bool) -> float:
    """Return how far a value lies within its limit, in percent of the way to where it is best, 100 at most.

    Best is the top of a percent or a fraction, 1 of a ratio to the control, and 0 or twice the limit of the rest.
    """
    best = {"percent": 100.0, "fraction": 1.0, "ratio": 1.0}.get(kind)
    if lower and best is not None and best > limit:
        span = best - limit
    elif not lower and kind == "ratio" and limit > 1:
        span = limit - 1
    else:
        span = abs(limit)
    within = (value - limit) if lower else (limit - value)
    return max(min(100 * within / (span or 1.0), _MOST), _LEAST)

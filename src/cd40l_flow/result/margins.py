"""How near a call lies to its nearest limit, on one scale for all measures, so that samples can be sorted by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cd40l_flow.assay.texts import reason_texts
from cd40l_flow.result.numbers import (
    format_against,
    format_limit,
    format_unit,
    measure_base,
    measure_kind,
    measure_label,
    operator_sign,
)
from cd40l_flow.result.types.decision import Guard, Rule
from cd40l_flow.result.types.result import Result

# Settings of the instrument, what the sheet says, and comparisons of which either side can be right have no margin.
_NOT_BY_DEGREE = ("GAIN_MISMATCH", "CONTROL_DOUBTFUL", "SAMPLE_AGE", "REFERENCE_MISMATCH", "NEGATIVES_DEPENDENT")
_MOST = 100.0
_LOWER_LIMITS = (">", ">=")


@dataclass(frozen=True)
class Margin:
    """``percent`` of the way from the limit to what a healthy sample would show: 100 at most, negative beyond it."""

    percent: float
    words: str
    reagent: str
    measure: str


def nearest_margin(result: Result) -> Margin | None:
    """Return the margin of what lies nearest its limit; None where nothing has both value and limit.

    Of a call: the conditions of the rules that made it and the checks that could take it away. Where there is no call:
    the check that stopped it by the least, else the rule that was missed by the least.
    """
    if result.call != "INDETERMINATE":
        rules = [rule for rule in result.rules if rule.met and _carries(rule, result)]
        passed = [guard for guard in result.guards if guard.fired is False and guard.effect != "soft"]
        found = [*(margin for rule in rules for margin in _conditions(rule)), *_checks(passed)]
        return min(found, key=lambda one: one.percent, default=None)
    stopping = [guard for guard in result.guards if guard.fired and guard.code in result.reasons]
    if checks := list(_checks(stopping)):
        return min(checks, key=lambda one: one.percent)
    missed = [
        min(margins, key=lambda one: one.percent) for rule in result.rules if (margins := list(_conditions(rule)))
    ]
    return max((one for one in missed if one.percent < 0), key=lambda one: one.percent, default=None)


def _carries(rule: Rule, result: Result) -> bool:
    """Return whether a rule that is met makes the call of its reagent, or that of all."""
    if rule.reagent is None:
        return rule.call == result.call
    return rule.reagent in result.subcalls and result.subcalls[rule.reagent].call == rule.call


def _conditions(rule: Rule) -> Iterator[Margin]:
    for condition in rule.conditions:
        value, limit, measure = condition.value, condition.limit, condition.measure
        if value is None or limit is None or condition.met is None:
            continue
        lower = condition.op in _LOWER_LIMITS
        percent = _percent(value, limit, measure_kind(measure), lower=lower)
        reagent = f"{rule.reagent}: " if rule.reagent else ""
        bound = f"{operator_sign(condition.op)} {format_limit(measure, limit)}"
        words = f"{reagent}{measure_label(measure)} {format_against(measure, value, limit)} ({bound})"
        yield Margin(percent, words, rule.reagent or "", measure_base(measure)[0])


def _checks(guards: Iterable[Guard]) -> Iterator[Margin]:
    """Yield the margins of checks; on which side a limit is, the outcome tells."""
    for guard in guards:
        if guard.value is None or guard.limit is None or guard.code in _NOT_BY_DEGREE:
            continue
        lower = (guard.value >= guard.limit) != bool(guard.fired)
        kind = {"%": "percent", "fraction": "fraction", "x": "ratio"}.get(guard.unit, "number")
        percent = _percent(guard.value, guard.limit, kind, lower=lower)
        bound = f"{'≥' if lower else '≤'} {format_unit(guard.unit, guard.limit, limit=True)}"
        reagent = f"{guard.reagent}: " if guard.reagent else ""
        name = reason_texts(guard.code)["name"]
        words = f"{reagent}{name}: {format_unit(guard.unit, guard.value)} ({bound})"
        yield Margin(percent, words, guard.reagent or "", guard.code)


def _percent(value: float, limit: float, kind: str, *, lower: bool) -> float:
    """Return how far a value lies within its limit, in percent of the way to where it is best.

    Best is the top of a percent or a fraction, 1 of a ratio to the control, and nought or twice the limit of the rest.
    """
    best = {"percent": 100.0, "fraction": 1.0, "ratio": 1.0}.get(kind)
    if lower and best is not None and best > limit:
        span = best - limit
    elif not lower and kind == "ratio" and limit > 1:
        span = limit - 1
    else:
        span = abs(limit)
    within = (value - limit) if lower else (limit - value)
    return max(min(100 * within / (span or 1.0), _MOST), -999.0)

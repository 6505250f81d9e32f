"""Rules evaluated in three-valued logic: unknown is not false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cd40l_flow.assay.call_limits import CallLimits
from cd40l_flow.assay.limits import limit_named
from cd40l_flow.assay.tables import Condition, Rule

# Measure -> value; None and NaN are not known.
Measures = Mapping[str, float | None]
OPERATORS = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}


@dataclass(frozen=True)
class Checked:
    """A condition evaluated: ``met`` is None when the measure or its limit is not known."""

    condition: Condition
    value: float | None
    limit: float | None
    met: bool | None

    @property
    def distance(self) -> float | None:
        """How far the value lies inside its limit, negative beyond it, in the unit of the measure; None if unknown."""
        if self.met is None or self.value is None or self.limit is None:
            return None
        return self.value - self.limit if self.condition.op in (">", ">=") else self.limit - self.value


@dataclass(frozen=True)
class Outcome:
    """A rule evaluated: ``met`` is None when it could be either."""

    rule: Rule
    met: bool | None
    conditions: tuple[Checked, ...]


def check(condition: Condition, measures: Measures, limits: CallLimits) -> Checked:
    """Return a condition evaluated on measures and limits."""
    value = measures.get(condition.measure)
    if isinstance(condition.limit, str):
        name = condition.limit
        limit = measures[name] if name in measures else limit_named(limits, name)
    else:
        limit = condition.limit
    unknown = value is None or limit is None or value != value or limit != limit
    return Checked(condition, value, limit, None if unknown else bool(OPERATORS[condition.op](value, limit)))


def every(results: list[bool | None]) -> bool | None:
    """Return Kleene's conjunction: False if any is, else None if any is, else True."""
    return False if False in results else None if None in results else True


def some(results: list[bool | None]) -> bool | None:
    """Return Kleene's disjunction: True if any is, else None if any is, else False."""
    return True if True in results else None if None in results else False


def evaluate(rule: Rule, measures: Measures, limits: CallLimits) -> Outcome:
    """Return a rule evaluated in three-valued logic."""
    needs = [check(condition, measures, limits) for condition in rule.needs]
    groups = [[check(condition, measures, limits) for condition in group] for group in rule.either]
    met = every([c.met for c in needs] + [some([c.met for c in group]) for group in groups])
    return Outcome(rule, met, tuple(needs + [c for group in groups for c in group]))

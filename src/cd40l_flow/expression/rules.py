"""Rules as data: each call of a reagent is a list of conditions on named measures; unknown is not false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cd40l_flow.expression.effects import ABSENT, MOSAIC, NORMAL, REDUCED

OPERATORS = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}


@dataclass(frozen=True)
class Condition:
    """``measure`` compared with ``limit``: the name of a limit of the group ``calls`` or of a measure, or a number."""

    measure: str
    op: str
    limit: str | float


@dataclass(frozen=True)
class Rule:
    """A call and what must hold for it: every condition of ``needs``, and of each group of ``either`` at least one."""

    call: str
    needs: tuple[Condition, ...]
    either: tuple[tuple[Condition, ...], ...] = ()


@dataclass(frozen=True)
class Checked:
    """A condition evaluated: ``met`` is None when the measure or its limit is not known."""

    condition: Condition
    value: float | None
    limit: float | None
    met: bool | None


@dataclass(frozen=True)
class Outcome:
    """A rule evaluated: ``met`` is None when it could be either."""

    rule: Rule
    met: bool | None
    conditions: tuple[Checked, ...]


# In order of precedence; the names are those of `measures_of`. The limits, with their sources, are in the schema of the
# configuration.
RULES: tuple[Rule, ...] = (
    Rule(
        ABSENT,
        (
            Condition("positive_high", "<=", "absent_positive_max"),
            Condition("relative_positive", "<=", "absent_relative_max"),
            Condition("bright_events", "<", "bright_events_limit"),
        ),
    ),
    Rule(
        MOSAIC,
        (
            Condition("mutant_fraction", ">", "lod"),
            Condition("expressing_events", ">=", "bright_events_limit"),
            Condition("positive_level", ">=", "mosaic_level_low"),
            Condition("positive_level", "<=", "mosaic_level_high"),
            Condition("separation", ">=", "separation_min"),
            Condition("absolute_shift", "<", "mosaic_shift_max"),
        ),
        (
            (
                Condition("valley_depth", ">=", "mosaic_valley_min"),
                Condition("dip_p", "<", "dip_alpha"),
                Condition("likelihood_ratio_p", "<", "mosaic_ratio_alpha"),
            ),
        ),
    ),
    Rule(
        REDUCED,
        (
            Condition("mutant_fraction", "<=", "lob"),
            Condition("separation", ">=", "separation_min"),
        ),
        (
            (
                Condition("level", "<", "reduced_level_max"),
                Condition("positive_fraction", "<", "normal_positive_min"),
            ),
        ),
    ),
    Rule(
        NORMAL,
        (
            Condition("positive_fraction", ">=", "normal_positive_min"),
            Condition("relative_positive", ">=", "normal_relative_min"),
            Condition("level", ">=", "normal_level_min"),
            Condition("mutant_fraction", "<=", "lob"),
        ),
    ),
)


def check(condition: Condition, measures: Mapping[str, float | None], limits: Mapping[str, Any]) -> Checked:
    """Return a condition evaluated on measures and limits."""
    value = measures.get(condition.measure)
    if isinstance(condition.limit, str):
        named = measures[condition.limit] if condition.limit in measures else limits[condition.limit]
        limit = None if named is None else float(named)
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


def evaluate(rule: Rule, measures: Mapping[str, float | None], limits: Mapping[str, Any]) -> Outcome:
    """Return a rule evaluated in three-valued logic."""
    needs = [check(condition, measures, limits) for condition in rule.needs]
    groups = [[check(condition, measures, limits) for condition in group] for group in rule.either]
    met = every([c.met for c in needs] + [some([c.met for c in group]) for group in groups])
    return Outcome(rule, met, tuple(needs + [c for group in groups for c in group]))

"""Rules as data: each call of a reagent is a list of conditions on named measures; unknown is not false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cd40l_flow.assay.effects import ABSENT, MOSAIC, NORMAL, REDUCED

# Measure -> value; None and NaN are not known.
Measures = Mapping[str, float | None]
OPERATORS = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}
# What each measure of the rules is, in words, and what kind of number.
MEASURE_WORDS: Mapping[str, tuple[str, str]] = {
    "normal_odds": ("ln odds of cells like the control's", "number"),
    "mosaic_odds": ("ln odds of two kinds of cells", "number"),
    "reduced_odds": ("ln odds of one kind that expresses less", "number"),
    "absent_odds": ("ln odds of cells that do not express", "number"),
    "joint_FUNCTIONAL_DEFECT": ("ln odds of a functional defect by all reagents together", "number"),
    "odds_min": ("ln odds that a call needs", "number"),
    "mosaic_odds_min": ("ln odds that a mosaic needs, twice those of a call where the dim cells express", "number"),
    "positive_high": ("upper end of the 95 % interval of percent positive", "fraction"),
    "positive_fraction": ("positive fraction", "fraction"),
    "level": ("MFI of all activated cells over the control's", "ratio"),
    "shape_distance": ("distance of the signal's spread from the control's", "SD between people"),
    "mutant_fraction": ("mutant fraction", "fraction"),
    "bright_fraction": ("cells at the control's level of all activated cells", "fraction"),
    "expressing_events": ("expressing cells", "events"),
    "expressing_events_min": ("smallest population that counts", "events"),
    "binding_ratio": ("CD40-Ig over CD154, each as MFI over the control's", "ratio"),
    "binding_ratio_high": ("upper end of the 95 % interval of CD40-Ig over CD154", "ratio"),
}


@dataclass(frozen=True)
class Condition:
    """``measure`` compared with ``limit``: the name of a limit of the group ``calls`` or of a measure, or a number."""

    measure: str
    op: str
    limit: str | float


@dataclass(frozen=True)
class Rule:
    """A call and what must hold for it: every condition of ``needs``, and of each group of ``either`` at least one.

    Of several rules that are met the one with the smallest ``place`` gives the call.
    """

    call: str
    place: int
    needs: tuple[Condition, ...]
    either: tuple[tuple[Condition, ...], ...] = ()


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


# The names are those of `measures_of`. The limits, with their sources, are in the schema of the configuration.
RULES: tuple[Rule, ...] = (
    Rule(
        ABSENT,
        1,
        (
            Condition("absent_odds", ">=", "odds_min"),
            Condition("positive_high", "<=", "absent_positive_max"),
        ),
    ),
    Rule(
        MOSAIC,
        2,
        (
            Condition("mosaic_odds", ">=", "mosaic_odds_min"),
            Condition("expressing_events", ">=", "expressing_events_min"),
        ),
    ),
    Rule(
        REDUCED,
        3,
        (
            Condition("reduced_odds", ">=", "odds_min"),
            Condition("level", "<", "reduced_level_max"),
        ),
    ),
    Rule(
        NORMAL,
        4,
        (
            Condition("normal_odds", ">=", "odds_min"),
            Condition("level", ">=", "normal_level_min"),
            Condition("shape_distance", "<=", "normal_shape_max"),
        ),
    ),
)
# Which measure of each call is its odds.
ODDS: Mapping[str, str] = {
    ABSENT: "absent_odds",
    MOSAIC: "mosaic_odds",
    REDUCED: "reduced_odds",
    NORMAL: "normal_odds",
}


def check(condition: Condition, measures: Measures, limits: Mapping[str, Any]) -> Checked:
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


def evaluate(rule: Rule, measures: Measures, limits: Mapping[str, Any]) -> Outcome:
    """Return a rule evaluated in three-valued logic."""
    needs = [check(condition, measures, limits) for condition in rule.needs]
    groups = [[check(condition, measures, limits) for condition in group] for group in rule.either]
    met = every([c.met for c in needs] + [some([c.met for c in group]) for group in groups])
    return Outcome(rule, met, tuple(needs + [c for group in groups for c in group]))

"""Rules as data: each call of a reagent is a list of conditions on named measures; unknown is not false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cd40l_flow.expression.effects import ABSENT, MOSAIC, NORMAL, REDUCED

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
    "positive_high": ("upper end of the 95 % interval of percent positive", "fraction"),
    "positive_fraction": ("positive fraction", "fraction"),
    "percent_positive": ("percent positive", "fraction"),
    "relative_positive": ("positive fraction over the control's", "ratio"),
    "level": ("MFI of all activated cells over the control's", "ratio"),
    "positive_level": ("MFI of the positive cells over the control's", "ratio"),
    "mutant_fraction": ("mutant fraction", "fraction"),
    "lob": ("limit of blank of the mutant fraction", "fraction"),
    "lod": ("limit of detection of the mutant fraction", "fraction"),
    "separation": ("separation of expressing and not expressing cells (Ashman's D)", "number"),
    "separation_min": ("smallest separation that tells them apart", "number"),
    "absolute_shift": ("distance of the negative peak from the background", "robust SD"),
    "valley_depth": ("depth of the valley between the peaks", "number"),
    "dip_p": ("p of the dip test of one mode", "p"),
    "likelihood_ratio_p": ("p of two populations against one shifted", "p"),
    "mosaic_over_shift": ("twice the log likelihood of a mosaic less that of one shifted population", "number"),
    "shift_over_mosaic": ("twice the log likelihood of one shifted population less that of a mosaic", "number"),
    "mosaic_resolved_min": ("smallest difference that tells the two explanations apart", "number"),
    "wider_change": ("change of the negative fraction on a scale with twice the linear part", "fraction"),
    "wider_separation": ("separation on a scale with twice the linear part (Ashman's D)", "number"),
    "bright_fraction": ("cells at the control's level of all activated cells", "fraction"),
    "bright_share": ("cells at the control's level over expressing cells", "fraction"),
    "expressing_events": ("expressing cells", "events"),
    "expressing_events_min": ("smallest population that counts", "events"),
    "cd154_relative_positive": ("CD154-positive fraction over the control's (the better clone)", "ratio"),
    "cd40ig_positive_high": ("upper end of the 95 % interval of CD40-Ig-positive cells", "fraction"),
    "cd40ig_over_cd154": ("CD40-Ig over CD154, each over the control's", "ratio"),
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
            Condition("positive_high", "<=", "absent_positive_max"),
            Condition("relative_positive", "<=", "absent_relative_max"),
            # As a share alone: with few cells a small population must not pass for none.
            Condition("bright_fraction", "<", "minor_fraction_min"),
        ),
    ),
    Rule(
        MOSAIC,
        2,
        (
            Condition("mutant_fraction", ">", "lod"),
            Condition("expressing_events", ">=", "expressing_events_min"),
            Condition("positive_level", ">=", "mosaic_level_low"),
            Condition("positive_level", "<=", "mosaic_level_high"),
            Condition("separation", ">=", "separation_min"),
            Condition("absolute_shift", "<", "mosaic_shift_max"),
            Condition("mosaic_over_shift", ">=", "mosaic_resolved_min"),
            Condition("wider_change", "<=", "mosaic_scale_change_max"),
            Condition("wider_separation", ">=", "separation_min"),
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
        3,
        (
            Condition("mutant_fraction", "<=", "lob"),
            Condition("shift_over_mosaic", ">=", "mosaic_resolved_min"),
        ),
        (
            # One population and not two: far enough from the background to see that, or hardly a cell as bright as the
            # control's, which every mosaic has.
            (
                Condition("separation", ">=", "separation_min"),
                Condition("bright_share", "<=", "reduced_bright_max"),
            ),
            (
                Condition("level", "<", "reduced_level_max"),
                Condition("positive_fraction", "<", "normal_positive_min"),
            ),
        ),
    ),
    Rule(
        NORMAL,
        4,
        (
            Condition("positive_fraction", ">=", "normal_positive_min"),
            Condition("relative_positive", ">=", "normal_relative_min"),
            Condition("level", ">=", "normal_level_min"),
            Condition("mutant_fraction", "<=", "lob"),
        ),
    ),
)


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

"""The named measures that rules compare, of each reagent and of the sample as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cd40l_flow.assay.effects import SQUARED
from cd40l_flow.assay.limits import Limits
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.quality import positive_fraction, usable_fit
from cd40l_flow.decision.rule_logic import Measures
from cd40l_flow.mixture.model import Comparison

# Name of the pseudo-reagent for measures of the whole sample.
SAMPLE = "sample"


def every_measure(case: Case, limits: Limits) -> dict[str, Measures]:
    """Return the named measures of every reagent that was measured, and those of the sample under ``SAMPLE``."""
    measures = {reagent: measures_of(case, reagent, limits) for reagent in case.planned if reagent in case.reagents}
    return measures | {SAMPLE: sample_measures(case, limits)}


def measures_of(case: Case, reagent: str, limits: Limits) -> Measures:
    """Return the named measures of one reagent that rules compare; None is not known. Fractions are 0 to 1."""
    expression, comparison = case.reagents[reagent], case.comparison(reagent)
    high = expression.percent_positive_high
    by_fit = usable_fit(expression, limits)
    negative = expression.negative_fraction
    # Positive cells are those of the fit if it is usable, else those above the threshold.
    expressing = None
    if by_fit and negative is not None:
        expressing = (1 - negative) * expression.events
    elif expression.percent_positive is not None:
        expressing = expression.percent_positive / 100 * expression.events
    calls, guards, bright = limits.calls, limits.guards, comparison.bright_events
    return {
        "normal_odds": comparison.normal_odds,
        "mosaic_odds": comparison.mosaic_odds,
        "reduced_odds": comparison.reduced_odds,
        "absent_odds": comparison.absent_odds,
        "odds_min": math.log(limits.odds.call_odds),
        "mosaic_odds_min": _mosaic_needs([comparison], 1, limits),
        "positive_high": None if high is None else high / 100,
        "positive_fraction": positive_fraction(expression, limits),
        "level": comparison.mfi_all_ratio,
        "shape_distance": comparison.shape_distance,
        "mutant_fraction": comparison.mutant_fraction,
        "mutant_fraction_min": _fraction_of_mosaic(comparison),
        "bright_fraction": None if bright is None else bright / expression.events,
        "expressing_events": expressing,
        "expressing_events_min": max(calls.minor_fraction_min * expression.events, guards.minor_quantify),
    }


def sample_measures(case: Case, limits: Limits) -> Measures:
    """Return the named measures of the sample as a whole: the odds by all reagents together, and binding."""
    binding = case.binding
    return {
        **{f"joint_{call}": odds for call, odds in case.joint.items()},
        "binding_ratio": None if binding is None else binding.ratio,
        "binding_ratio_high": None if binding is None else binding.high,
        "odds_min": math.log(limits.odds.call_odds),
        "mosaic_odds_min": _mosaic_needs(list(case.comparisons.values()), 1, limits),
        "one_kind_odds_min": _mosaic_needs(list(case.comparisons.values()), len(case.comparisons), limits),
    }


def _fraction_of_mosaic(comparison: Comparison) -> float | None:
    """Return the mutant fraction that a mosaic needs: the limit of blank, for odds count cells, and know less of how
    healthy people differ. Mutant cells that express are no negative ones, and need none; without odds of a mosaic no
    fraction speaks against it.
    """
    if comparison.mosaic_odds is None:
        return None
    return comparison.lob if comparison.residual_kept is None else -math.inf


def _mosaic_needs(comparisons: Sequence[Comparison], alike: int, limits: Limits) -> float:
    """Return the ln odds that a mosaic needs by these reagents together, against what ``alike`` of them would imitate.

    It is twice that of a call if mutant cells express partially: one kind of cells in an unusual healthy person may
    look like two kinds. Every reagent shows the same distribution, so against one kind each must reach it.
    """
    needed = math.log(limits.odds.call_odds)
    return SQUARED * alike * needed if any(one.residual_kept is not None for one in comparisons) else needed

"""Whether a fit may be used, and which positive fraction counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cd40l_flow.expression.model import Expression


def fit_is_stable(expression: Expression, limits: Mapping[str, Any]) -> bool | None:
    """Return whether the mixture converged and its interval is within the limit; None without a fit."""
    low, high = expression.negative_fraction_low, expression.negative_fraction_high
    if low is None or high is None or expression.converged is None:
        return None
    return expression.converged and high - low <= float(limits["guards"]["fit_interval_max"])


def usable_fit(expression: Expression, limits: Mapping[str, Any]) -> bool:
    """Return whether the positive fraction may come from the fit: stable, and its components far enough apart."""
    return bool(
        fit_is_stable(expression, limits)
        and expression.separation is not None
        and expression.separation >= float(limits["guards"]["separation_min"])
    )


def positive_fraction(expression: Expression, limits: Mapping[str, Any]) -> float | None:
    """Return the positive fraction (0 to 1) that guards and rules use: 1 - negative fraction, else percent positive.

    At D = 3 only two thirds of a healthy sample lie above the background's 99th percentile, so the fit goes first. A
    fit whose separation is not known leaves it open which of the two counts: None.
    """
    separation = expression.separation
    if expression.negative_fraction is not None and (separation is None or separation != separation):
        return None
    if usable_fit(expression, limits):
        return expression.positive_fraction_by_fit
    return None if expression.percent_positive is None else expression.percent_positive / 100

"""Quality of a fit, and the positive fraction to use."""

from __future__ import annotations

from cd40l_flow.assay.limits import Limits
from cd40l_flow.mixture.fit import FAINTEST
from cd40l_flow.mixture.model import Expression


def fit_is_stable(expression: Expression, limits: Limits) -> bool | None:
    """Return whether the mixture converged and its interval is within the limit; None without a fit."""
    low, high = expression.negative_fraction_low, expression.negative_fraction_high
    if low is None or high is None or expression.converged is None:
        return None
    return expression.converged and high - low <= limits.guards.fit_interval_max


def usable_fit(expression: Expression, limits: Limits) -> bool:
    """Return whether the positive fraction may come from the fit: it must be stable with well separated components.

    With a borrowed background, the cells must support it as well (`not_carried`).
    """
    return bool(
        fit_is_stable(expression, limits)
        and expression.separation is not None
        and expression.separation >= limits.guards.separation_min
        and not not_carried(expression, limits)
    )


def not_carried(expression: Expression, limits: Limits) -> str:
    """Return in words why a fitted fraction may not be shown; else empty.

    Expressing cells as dim as the background itself have no fraction. A borrowed background may be shifted besides: if
    the positive cells are no separate population, or the negative ones do not match it, the fraction is not determined.
    """
    if expression.at_bound == (FAINTEST,):
        return "the fitted expressing cells cannot be distinguished from the background"
    if expression.anchor.exact or expression.negative_fraction is None:
        return ""
    guards = limits.guards
    separation, shift = expression.separation, expression.shift
    if expression.anchor.resting and expression.anchor.change is None:
        return "it is not known what stimulation does to resting cells"
    if not fit_is_stable(expression, limits):
        return "the fit is not stable"
    if separation is None or not separation >= guards.borrowed_separation_min:
        return "the fitted expressing cells are no population of their own"
    if shift is None or not abs(shift) <= guards.borrowed_shift_max:
        return "the negative cells do not lie where the background does"
    if expression.misplaced is not None and expression.misplaced > guards.borrowed_misplaced_max:
        return "the fit does not describe the cells"
    return ""


def positive_fraction(expression: Expression, limits: Limits) -> float | None:
    """Return the positive fraction (0 to 1) that guards and rules use: 1 - negative fraction, else percent positive.

    At D = 3 only two thirds of a healthy sample lie above the background's 99th percentile, so the fit takes
    precedence. If the separation of a fit is unknown, the result is None.
    """
    separation = expression.separation
    if expression.negative_fraction is not None and (separation is None or separation != separation):
        return None
    if usable_fit(expression, limits):
        return expression.positive_fraction_by_fit
    return None if expression.percent_positive is None else expression.percent_positive / 100

"""The ratio of two measured levels with its interval, whichever of them is near zero."""

from __future__ import annotations

import math

from cd40l_flow.mixture.proportion import Z95


def ratio_interval(level: float, error: float, other: float, other_error: float) -> tuple[float, float, float] | None:
    """Return the low end, the ratio of a level to another one and the high end, 95 %; None where the other is not
    above zero.

    Errors are standard errors; of independent levels the ends are Fieller's (1954,
    doi:10.1111/j.2517-6161.1954.tb00159.x). Levels below zero give a ratio of zero.
    """
    if other <= 0:
        return None
    g = (Z95 * other_error / other) ** 2
    if g >= 1:
        return None
    ratio = level / other
    half = Z95 / other * math.sqrt(error**2 * (1 - g) + (ratio * other_error) ** 2)
    return max((ratio - half) / (1 - g), 0.0), max(ratio, 0.0), max((ratio + half) / (1 - g), 0.0)

"""Medians and quantiles by selecting one place at a time: numpy's selection has vector instructions for that alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cd40l_flow.base.model import Floats, Singles

# Which fractions of a normal distribution lie below its mean less one SD, and its mean and one.
ONE_SD_BELOW, ONE_SD_ABOVE = 0.1587, 0.8413


def quantiles(values: Floats | Singles, fractions: Sequence[float]) -> list[float]:
    """Return the quantiles of values, (n,), for rising fractions, as ``np.quantile`` does; NaN without values.

    Ten times as fast as ``np.quantile``, which selects all places at once.
    """
    if not values.size:
        return [math.nan] * len(fractions)
    found = []
    rest, taken = values.copy(), 0
    for fraction in fractions:
        place = fraction * (values.size - 1)
        below = min(int(place), values.size - 1)
        low, rest = selected(rest, below - taken)
        taken = below
        high = rest[1:].min() if rest.size > 1 else low
        share, step = place - below, float(high) - float(low)
        found.append(float(low) + step * share if share < 0.5 else float(high) - step * (1 - share))
    return found


def median(values: Floats | Singles) -> float:
    """Return the median of values, (n,), NaN without values."""
    if not values.size:
        return math.nan
    high, rest = selected(values.copy(), (values.size - 1) // 2)
    return float(high) if values.size % 2 else (float(high) + float(rest[1:].min())) / 2


def selected(values: Floats | Singles, place: int) -> tuple[np.floating, Floats | Singles]:
    """Return the value at a place of the order, counted from 0, and it with all that come after; changes ``values``."""
    values.partition(place)
    return values[place], values[place:]

"""Errors of median fluorescence from order statistics, for the intervals of ratios."""

from __future__ import annotations

import math

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.histogram import edges, quantile
from cd40l_flow.mixture.proportion import Z95
from cd40l_flow.signal.quantiles import median
from cd40l_flow.signal.scale import Scale

FEWEST = 10  # fewest cells for the normal approximation of order statistics


def median_interval(values: Floats) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the median of values, (n,), in their unit; None, None of fewer than 10.

    Its ends are the order statistics half a binomial width to either side (David & Nagaraja 2003, section 7.1).
    """
    n = values.size
    if n < FEWEST:
        return None, None
    half = Z95 * 0.5 * math.sqrt(n)
    low, high = max(math.floor(0.5 * n - half), 0), min(math.ceil(0.5 * n + half), n - 1)
    ordered = np.partition(values, (low, high))
    return float(ordered[low]), float(ordered[high])


def median_difference(values: Floats, others: Floats) -> tuple[float, float | None, float | None]:
    """Return the median of values, (n,), less that of others, (m,), with its 95 % interval, in their unit.

    The intervals of the two medians are combined by MOVER (Zou and Donner 2008, doi:10.1002/sim.3095).
    """
    own, other = median(values), median(others)
    low, high = median_interval(values)
    other_low, other_high = median_interval(others)
    apart = own - other
    if low is None or high is None or other_low is None or other_high is None:
        return apart, None, None
    return apart, apart - math.hypot(own - low, other_high - other), apart + math.hypot(high - own, other - other_low)


def log_error(counts: Floats, background: Floats, scale: Scale) -> float | None:
    """Return the standard error of ln(median - background's median) of binned cells, (bins,), on a scale.

    The 95 % interval of a median ends at the order statistics half a binomial width to either side (David & Nagaraja
    2003, section 7.1). None with few cells, or where the interval reaches down to the background.
    """
    middle = _median(counts, scale)
    dark = _median(background, scale)
    if middle is None or dark is None or middle[0] <= dark[1]:
        return None
    own = (math.log(middle[2] - dark[1]) - math.log(middle[0] - dark[1])) / (2 * Z95)
    of_background = (dark[2] - dark[0]) / (2 * Z95) / (middle[1] - dark[1])
    return math.hypot(own, of_background)


def above(counts: Floats, threshold_scaled: float) -> Floats:
    """Return the binned cells above a threshold on the logicle scale, with the part above of its own bin."""
    ends = edges(counts.size)
    part: Floats = np.clip((ends[1:] - threshold_scaled) / np.diff(ends), 0.0, 1.0)
    return counts * part


def _median(counts: Floats, scale: Scale) -> tuple[float, float, float] | None:
    """Return the low end, the median and the high end of its 95 % interval, channel values."""
    n = float(counts.sum())
    if n < FEWEST:
        return None
    half = Z95 * 0.5 / math.sqrt(n)
    ends = [quantile(counts, min(max(q, 0.0), 1.0)) for q in (0.5 - half, 0.5, 0.5 + half)]
    low, middle, high = (float(value) for value in scale.inverse(np.array(ends)))
    return low, middle, high

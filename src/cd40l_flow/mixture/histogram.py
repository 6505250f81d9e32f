"""Binned data on the fixed scale: what every fit and every figure of a target is made from."""

from __future__ import annotations

from functools import cache

import numpy as np

from cd40l_flow.base.model import Floats, Singles

LOW, HIGH = -0.2, 1.1
AT_A_TIME = 1 << 16  # values: they stay in cache


@cache
def edges(bins: int) -> Floats:
    """Return the (bins + 1,) bin edges on the logicle scale, read-only: every fit uses them hundreds of times."""
    ends = np.linspace(LOW, HIGH, bins + 1)
    ends.flags.writeable = False
    return ends


@cache
def centres(bins: int) -> Floats:
    """Return the (bins,) bin centres on the logicle scale, read-only."""
    ends = edges(bins)
    middle: Floats = (ends[:-1] + ends[1:]) / 2
    middle.flags.writeable = False
    return middle


def histogram(scaled: Floats | Singles, bins: int) -> Floats:
    """Return the counts, (bins,), of values on the logicle scale, (n,); values outside are counted in the end bins."""
    counts = np.zeros(bins)
    for begin in range(0, scaled.size, AT_A_TIME):
        places = (scaled[begin : begin + AT_A_TIME] - LOW) / (HIGH - LOW) * bins
        counts += np.bincount(np.clip(places.astype(np.intp), 0, bins - 1), minlength=bins)
    return counts


def bin_of(scaled: float, bins: int) -> int:
    """Return the bin of one value on the logicle scale, as `histogram` counts it."""
    return int(min(max((scaled - LOW) / (HIGH - LOW) * bins, 0), bins - 1))


def quantile(counts: Floats, fraction: float) -> float:
    """Return a quantile of binned values on the logicle scale, interpolated within the bin; NaN when empty."""
    total = counts.sum()
    if total <= 0:
        return float("nan")
    cumulative = np.concatenate(([0.0], np.cumsum(counts))) / total
    # np.interp needs rising abscissae: of an empty stretch, its lower end counts.
    rising = np.concatenate(([True], np.diff(cumulative) > 0))
    return float(np.interp(fraction, cumulative[rising], edges(counts.size)[rising]))

"""Binned data on the fixed scale, the input of all fits and figures of a target."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from cd40l_flow.base.model import Floats, Singles

LOW, HIGH = -0.2, 1.1
FLOOR_REACH = 12  # bins above a floor whose density gives the width of the hidden part
AT_A_TIME = 1 << 16  # values per batch, to stay in the CPU cache


@cache
def edges(bins: int) -> Floats:
    """Return the (bins + 1,) bin edges on the logicle scale, read-only and cached, since fits use them hundreds of
    times.
    """
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
    """Return a quantile of binned values on the logicle scale, interpolated between the upper ends of bins with cells;
    NaN when empty.

    So the cells of a bin are spread over the empty bins beneath it, as between single values in a sparse tail.
    """
    total = counts.sum()
    if total <= 0:
        return float("nan")
    cumulative = np.concatenate(([0.0], np.cumsum(counts))) / total
    # np.interp needs ascending abscissae: of empty bins, the lower end is used.
    rising = np.concatenate(([True], np.diff(cumulative) > 0))
    return float(np.interp(fraction, cumulative[rising], edges(counts.size)[rising]))


def expressing_cells(counts: Floats, expected: Floats) -> Floats:
    """Return binned cells, (bins,), each weighted by its probability of expressing.

    ``expected``, (2, bins), are the expected counts of the negative and of the positive component.
    """
    found: Floats = counts * expected[1] / np.maximum(expected.sum(axis=0), 1e-12)
    return found


def piled(rows: Floats, floor: int, below: float = 0.0) -> Floats:
    """Return rows of bins, (..., bins), with everything up to a floor in its bin, and ``below`` in the bins beneath."""
    if floor <= 0:
        return rows
    found = rows.copy()
    found[..., floor] = rows[..., : floor + 1].sum(axis=-1)
    found[..., :floor] = below
    return found


def spread_below(counts: Floats, floor: int) -> Floats:
    """Return binned cells, (bins,), with a pile-up at a floor spread beneath it.

    They form the lower half of a normal distribution that matches the density just above the floor: the hidden shape is
    unknown, but it is no peak.
    """
    pile = float(counts[: floor + 1].sum())
    if floor <= 0 or pile <= 0:
        return counts
    above = counts[floor + 1 : floor + 1 + FLOOR_REACH]
    density = float(above.mean()) if above.size else 0.0
    # In bins; as wide as the bins beneath have room for, where next to nothing lies above.
    room = max((floor + 1) / 3, 0.5)
    sd = min(math.sqrt(2 / math.pi) * pile / density, room) if density > 0 else room
    half = np.exp(-0.5 * ((np.arange(floor + 1) - floor) / sd) ** 2)
    return np.concatenate((pile * half / half.sum(), counts[floor + 1 :]))


def cut(counts: Floats, bins: int) -> Floats:
    """Return the first bins, (bins,), with everything above added to the last."""
    return np.append(counts[: bins - 1], counts[bins - 1 :].sum())


def merged(counts: Floats, most: int) -> Floats:
    """Return rows of bins, (..., bins), with neighbours merged in pairs until there are at most ``most``.

    An odd number of bins is left as it is.
    """
    while counts.shape[-1] > most and counts.shape[-1] % 2 == 0:
        counts = counts[..., ::2] + counts[..., 1::2]
    return counts


def edge_densities(rows: Floats) -> Floats:
    """Return densities at the edges of equal bins from their probabilities, (..., bins), in shares per bin, (..., bins
    + 1): the slope of the quartic through five points of the cumulative distribution.
    """
    padded = np.zeros((*rows.shape[:-1], rows.shape[-1] + 4))
    padded[..., 2:-2] = rows
    found: Floats = (7 * (padded[..., 1:-2] + padded[..., 2:-1]) - padded[..., :-3] - padded[..., 3:]) / 12
    return found


def cumulated(p: Floats, places: Floats) -> Floats:
    """Return the sum of bins, (bins,), below places counted in bins, (n,), by Hermite's cubic between the edges."""
    left = np.minimum(places.astype(np.intp), p.size - 1)
    t = places - left
    density = edge_densities(p)
    inside, first, second = p[left], density[left], density[left + 1]
    below = np.concatenate(([0.0], np.cumsum(p)))
    found: Floats = below[left] + t * (
        first + t * (3 * inside - 2 * first - second + t * (first + second - 2 * inside))
    )
    return found

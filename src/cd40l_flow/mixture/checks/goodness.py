"""Goodness of fit: Pearson's chi-squared on wide bins, and the share of misplaced cells.

Bins are merged until each has enough cells and several steps of integer or logarithmic data, with edges midway between
steps. The counting error of the background tube counts as an error of the expectation. The test detects any misfit,
which always exists with enough cells; the share measures its size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.components import Background
from cd40l_flow.mixture.histogram import edges

FEWEST = 15.0  # expected cells in a wide bin
LEAST_WIDTH = 0.4  # of a wide bin, in robust SD of the background
STEPS = 3  # data steps that a wide bin must contain
MOST_BINS = 32
Z95_ONE_SIDED = 1.6449
PARAMETERS = 6.0  # degrees of freedom used by the fit: weight, shift and four of the signal distribution


@dataclass(frozen=True)
class Goodness:
    """The agreement of a fit with the cells.

    ``p`` is the p value of chi-squared. ``misplaced`` is the share of cells (0 to 1) that would have to move for
    agreement, beyond chance: half the sum of absolute differences. ``overdispersion`` is a lower bound of the excess
    scatter: chi-squared over its 95th percentile, 1 or more.
    """

    p: float
    misplaced: float
    overdispersion: float


def goodness(counts: Floats, expected: Floats, background: Background) -> Goodness | None:
    """Return how well expected counts, (2, bins) of negative and positive cells, describe counts, (bins,).

    None with too few wide bins. The p value is that of chi-squared by Wilson & Hilferty (1931).
    """
    teeth = np.flatnonzero(counts + background.counts > 0)
    bounds = _wide(teeth, expected.sum(axis=0), _bins(background))
    count = bounds.size - 1
    if count <= PARAMETERS + 2:
        return None
    seen, negative, all_of_it, tube = (
        _between(each, bounds) for each in (counts, expected[0], expected.sum(axis=0), background.counts)
    )
    # The tube's counting error limits how well the negative cells of a bin are known.
    doubt = negative**2 / np.maximum(tube, 1.0)
    variance = all_of_it + doubt
    away = seen - all_of_it
    chi = float((away**2 / variance).sum())
    freedom = count - PARAMETERS
    chance = math.sqrt(2 / math.pi) * np.sqrt(variance * freedom / count)
    total = max(float(counts.sum()), 1.0)
    misplaced = 0.5 * float((np.abs(away) - chance).sum()) / total
    return Goodness(chi_squared_tail(chi, freedom), min(max(misplaced, 0.0), 1.0), max(chi / _percentile(freedom), 1.0))


def chi_squared_tail(chi: float, freedom: float) -> float:
    """Return the probability of a chi-squared at least so large, to about 0.001 (Wilson & Hilferty 1931)."""
    ninth = 2 / (9 * freedom)
    z = ((chi / freedom) ** (1 / 3) - (1 - ninth)) / math.sqrt(ninth)
    return float(ndtr(-z))


def _percentile(freedom: float) -> float:
    """Return the 95th percentile of chi-squared (Wilson & Hilferty 1931)."""
    ninth = 2 / (9 * freedom)
    return freedom * (1 - ninth + Z95_ONE_SIDED * math.sqrt(ninth)) ** 3


def _bins(background: Background) -> int:
    ends = edges(background.scale_bins)
    return max(math.ceil(LEAST_WIDTH * background.sd / float(ends[1] - ends[0])), 1)


def _between(counts: Floats, bounds: Floats) -> Floats:
    """Return what lies between bounds counted in bins, (groups + 1,); of a bin that is cut, its part."""
    below = np.concatenate(([0.0], np.cumsum(counts)))
    found: Floats = np.diff(np.interp(bounds, np.arange(below.size), below))
    return found


def _wide(teeth: NDArray[np.intp], expected: Floats, least: int) -> Floats:
    """Return the bounds of the wide bins, counted in bins: midway between two teeth, the bins that hold cells.

    Each is at least so many bins wide, and holds ``STEPS`` teeth or more.
    """
    middles = np.concatenate(([0.0], (teeth[1:] + teeth[:-1] + 1) / 2, [float(expected.size)]))
    own = _between(expected, middles)
    fewest = max(FEWEST, float(expected.sum()) / MOST_BINS)
    rest = float(own.sum())
    bounds, held, since = [0.0], 0.0, 0
    for place, value in enumerate(own):
        held, since, rest = held + float(value), since + 1, rest - float(value)
        end = float(middles[place + 1])
        if held >= fewest and since >= STEPS and end - bounds[-1] >= least and rest >= fewest:
            bounds.append(end)
            held, since = 0.0, 0
    return np.array([*bounds, float(expected.size)])

"""Independence of the negative cells from CD69 and CD3: mutant cells, weakly stimulated cells, or no CD4 cells.

Mutant cells of a mosaic have as much CD69 and CD3 as the others. Negatives that depend on CD69 mean weak stimulation.
Negatives that depend on CD3 are other T cells (gamma-delta cells have more CD3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.histogram import HIGH, LOW, histogram
from cd40l_flow.signal.acquisition import Mask

FEWEST = 150  # fewest cells to be split in thirds
SLIGHT = 0.3  # ln odds ratio above which a marker is used
PRIOR = 0.5  # cells of each sort in each third, before counting


@dataclass(frozen=True)
class Dependence:
    """The dependence of negatives on a marker: ln odds ratio of its lower against its upper third.

    0 without dependence; ``error`` is its standard error.
    """

    log_ratio: float
    error: float


@dataclass(frozen=True)
class Independence:
    """The dependence of one reagent's negatives on CD69 and CD3, None with too few cells or no negatives.

    ``inner`` are the binned cells, (bins,), least affected by other causes of negatives: the upper third of CD69 if
    negatives depend on it, and the third of CD3 with the fewest. ``inner_odds`` are the ln odds of a mosaic among them,
    None if not computed. ``strong`` is the dependence on CD69 within its upper third: where it goes on there, even
    these cells were stimulated too little, and what they show is no mosaic.
    """

    cd69: Dependence | None
    cd3: Dependence | None
    inner: Floats
    inner_odds: float | None = None
    strong: Dependence | None = None

    @property
    def largest(self) -> Dependence | None:
        """Whichever of the two is the stronger."""
        known = [one for one in (self.cd69, self.cd3) if one is not None]
        return max(known, key=lambda one: abs(one.log_ratio), default=None)


def independence(scaled: Floats, cd69: Floats, cd3: Floats, expected: Floats) -> Independence:
    """Return the dependence of the negatives of one reagent's activated cells on CD69 and CD3.

    ``scaled`` is the target on the logicle scale, ``cd69`` and ``cd3`` in any unit, (n,) each; ``expected`` are the
    expected counts of the fitted negative and positive component, (2, bins): a cell is weighted by its posterior
    probability of being negative.
    """
    bins = expected.shape[1]
    total = expected.sum(axis=0)
    weight = np.where(total > 0, expected[0] / np.maximum(total, 1e-12), 0.5)
    places = np.clip(((scaled - LOW) / (HIGH - LOW) * bins).astype(np.intp), 0, bins - 1)
    negative: Floats = weight[places]
    if scaled.size < FEWEST:
        return Independence(None, None, np.zeros(bins))
    by_cd69, by_cd3 = _dependence(negative, cd69), _dependence(negative, cd3)
    inner, strong = np.ones(scaled.size, dtype=bool), None
    if by_cd69 is not None and by_cd69.log_ratio > SLIGHT:
        inner = cd69 >= np.quantile(cd69, 2 / 3)
        strong = _dependence(negative[inner], cd69[inner])
    if by_cd3 is not None and abs(by_cd3.log_ratio) > SLIGHT:
        inner &= _fewest(negative, cd3)
    return Independence(by_cd69, by_cd3, histogram(scaled[inner], bins), strong=strong)


def _fewest(negative: Floats, marker: Floats) -> Mask:
    """Return the mask, (n,), of the third of a marker with the fewest negatives."""
    low, high = np.quantile(marker, (1 / 3, 2 / 3))
    thirds = [marker <= low, (marker > low) & (marker < high), marker >= high]
    return min(thirds, key=lambda third: float(negative[third].mean()) if third.any() else 1.0)


def _dependence(negative: Floats, marker: Floats) -> Dependence | None:
    """Return the ln odds ratio of being negative, lower against upper third of a marker, (n,) each."""
    low, high = np.quantile(marker, (1 / 3, 2 / 3))
    if not low < high:
        return None
    log, variance = 0.0, 0.0
    for side, third in ((1, negative[marker <= low]), (-1, negative[marker >= high])):
        without = float(third.sum()) + PRIOR
        others = third.size - float(third.sum()) + PRIOR
        log += side * math.log(without / others)
        variance += 1 / without + 1 / others
    return Dependence(log, math.sqrt(variance))

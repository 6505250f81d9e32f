"""Whether cells that do not express are a kind of their own, or those that were stimulated less, or no CD4 cells.

Mutant cells of a mosaic are scattered among the others: they have as much CD69 and CD3. Where the negatives follow CD69
stimulation was weak, where they follow CD3 they are other T cells (gamma-delta cells carry more of it).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.histogram import HIGH, LOW, histogram
from cd40l_flow.signal.acquisition import Mask

FEWEST = 150  # cells of which thirds are looked at
SLIGHT = 0.3  # ln odds ratio above which a marker is heeded
PRIOR = 0.5  # cells of each sort in each third, before counting


@dataclass(frozen=True)
class Dependence:
    """How the negatives of one reagent go with another marker: ln odds ratio of its lower against its upper third.

    0 where they do not; ``error`` is its standard error.
    """

    log_ratio: float
    error: float


@dataclass(frozen=True)
class Independence:
    """How the negatives of one reagent go with CD69 and with CD3, None where there are too few cells or no negatives.

    ``inner`` are the binned cells, (bins,), in which other reasons not to express than a missing target count least:
    the upper third of CD69 where the negatives follow it, and the third of CD3 that has the fewest. ``inner_odds`` are
    the ln odds of a mosaic among them, None where nobody asked.
    """

    cd69: Dependence | None
    cd3: Dependence | None
    inner: Floats
    inner_odds: float | None = None

    @property
    def largest(self) -> Dependence | None:
        """Whichever of the two is the stronger."""
        known = [one for one in (self.cd69, self.cd3) if one is not None]
        return max(known, key=lambda one: abs(one.log_ratio), default=None)


def independence(scaled: Floats, cd69: Floats, cd3: Floats, expected: Floats) -> Independence:
    """Return how the negatives of one reagent's activated cells go with CD69 and CD3.

    ``scaled`` is the target on the logicle scale, ``cd69`` and ``cd3`` in any unit, (n,) each; ``expected`` are the
    expected counts of the fitted negative and positive component, (2, bins): a cell counts as negative as far as the
    fit takes it for one.
    """
    bins = expected.shape[1]
    total = expected.sum(axis=0)
    weight = np.where(total > 0, expected[0] / np.maximum(total, 1e-12), 0.5)
    places = np.clip(((scaled - LOW) / (HIGH - LOW) * bins).astype(np.intp), 0, bins - 1)
    negative: Floats = weight[places]
    if scaled.size < FEWEST:
        return Independence(None, None, np.zeros(bins))
    by_cd69, by_cd3 = _dependence(negative, cd69), _dependence(negative, cd3)
    inner = np.ones(scaled.size, dtype=bool)
    if by_cd69 is not None and by_cd69.log_ratio > SLIGHT:
        inner &= cd69 >= np.quantile(cd69, 2 / 3)
    if by_cd3 is not None and abs(by_cd3.log_ratio) > SLIGHT:
        inner &= _fewest(negative, cd3)
    return Independence(by_cd69, by_cd3, histogram(scaled[inner], bins))


def _fewest(negative: Floats, marker: Floats) -> Mask:
    """Return which cells are in the third of a marker that has the fewest negatives, (n,)."""
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

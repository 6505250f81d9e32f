"""The ends of a detector's range, where log amplifiers and clipped exports pile up values beyond the range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cd40l_flow.base.model import Floats, Singles

FEWEST = 10
SMALLEST_SHARE = 0.001
# The end value holds this many times the events of each neighbour. A smooth distribution does not change that much
# between two converter steps.
OVER_NEIGHBOURS = 3.0
NEIGHBOURS = 8


@dataclass(frozen=True)
class Pile:
    """A pile-up at the end of a detector's range: its ``value``, in the unit of the values, and its ``share`` of all
    values, 0 to 1.
    """

    value: float
    share: float


def pile(values: Floats | Singles) -> Pile | None:
    """Return the pile-up at the lowest value, or None; ``values`` are (n,), any unit.

    A pile-up holds at least ten events, a thousandth of all, and three times the events of any of the next eight
    values. Its events are censored: their true value is at most the one recorded.
    """
    if values.size < FEWEST:
        return None
    lowest = values.min()
    count = int(np.count_nonzero(values == lowest))
    if count < max(FEWEST, SMALLEST_SHARE * values.size):
        return None
    above = values[values > lowest]
    if above.size:
        # Stop once the nearest events cover all neighbours, or exceed what a pile-up allows.
        nearest = np.sort(np.partition(above, min(count * NEIGHBOURS, above.size) - 1)[: count * NEIGHBOURS])
        _, held = np.unique(nearest, return_counts=True)
        if count < OVER_NEIGHBOURS * int(held[:NEIGHBOURS].max()):
            return None
    return Pile(float(lowest), count / values.size)


def top_pile(values: Floats | Singles) -> Pile | None:
    """Return the pile-up at the highest value, or None; the mirror image of ``pile``."""
    found = pile(-values)
    return None if found is None else Pile(-found.value, found.share)

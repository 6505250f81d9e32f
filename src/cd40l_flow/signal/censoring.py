"""The ends of a detector's range, where log amplifiers and clipped exports pile up what lies beyond them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cd40l_flow.base.model import Floats, Singles

FEWEST = 10
SMALLEST_SHARE = 0.001
# The end value holds this many times what each of its neighbours does: a distribution that thins out, or rises, does
# not do that between two steps of a converter.
OVER_NEIGHBOURS = 3.0
NEIGHBOURS = 8


@dataclass(frozen=True)
class Pile:
    """Values beyond the end of a detector's range, all given as that end: ``value`` (the unit of the values) and the
    ``share`` of all values that lie there, 0 to 1.
    """

    value: float
    share: float


def pile(values: Floats | Singles) -> Pile | None:
    """Return the lowest value and its share where events are piled there, else None; ``values`` are (n,), any unit.

    The lowest value is a pile where it holds at least ten events, a thousandth of all, and three times what any of its
    eight neighbours holds, neighbours being the next values that occur. What lies there is censored: known to be no
    more than that value.
    """
    if values.size < FEWEST:
        return None
    lowest = values.min()
    count = int(np.count_nonzero(values == lowest))
    if count < max(FEWEST, SMALLEST_SHARE * values.size):
        return None
    above = values[values > lowest]
    if above.size:
        # The nearest events reach past the neighbours sought, or they alone hold more than the pile allows.
        nearest = np.sort(np.partition(above, min(count * NEIGHBOURS, above.size) - 1)[: count * NEIGHBOURS])
        _, held = np.unique(nearest, return_counts=True)
        if count < OVER_NEIGHBOURS * int(held[:NEIGHBOURS].max()):
            return None
    return Pile(float(lowest), count / values.size)


def top_pile(values: Floats | Singles) -> Pile | None:
    """Return the highest value and its share where events are piled there, else None; as ``pile``, from above."""
    found = pile(-values)
    return None if found is None else Pile(-found.value, found.share)

"""Bins of time, as numbers of events: an acquisition is in order, so a bin is told by its first event."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats

Index = NDArray[np.intp]

_CHUNK = 1 << 14  # events at a time: they stay in the processor's cache


def bin_edges(clock: Floats, place: Callable[[Floats], Floats], bins: int) -> Index:
    """Return the numbers of the first events of bins, and of all events last, (bins + 1,).

    ``clock`` is time in order, (events,); ``place`` gives where times lie, in bins. What is beyond counts to the last.
    """
    edges = np.full(bins + 1, clock.size, dtype=np.intp)
    edges[0] = 0
    reached = 0
    for begin in range(0, clock.size, _CHUNK):
        places = place(clock[begin : begin + _CHUNK])
        last = min(int(places[-1]), bins - 1)
        edges[reached + 1 : last + 1] = begin + np.searchsorted(places, np.arange(reached + 1, last + 1))
        reached = last
    return edges


def united(one: Index, other: Index) -> Index:
    """Return the edges of both, rising and each once: as ``np.union1d``, which would load numpy's masked arrays."""
    both = np.sort(np.concatenate((one, other)))
    return both[np.flatnonzero(np.diff(both, prepend=-1))]

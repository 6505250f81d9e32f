"""Bins of time. Events are in order of time, so the index of its first event defines a bin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats

Index = NDArray[np.intp]

_CHUNK = 1 << 14  # events per batch, to stay in the CPU cache


def bin_edges(clock: Floats, place: Callable[[Floats], Floats], bins: int) -> Index:
    """Return the index of the first event of each bin, then the number of events, (bins + 1,).

    ``clock``, (events,), is time in ascending order; ``place`` converts times to bin coordinates. Later times belong to
    the last bin.
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
    """Return the sorted union of two sets of edges, as ``np.union1d``, which would import numpy's masked arrays."""
    both = np.sort(np.concatenate((one, other)))
    return both[np.flatnonzero(np.diff(both, prepend=-1))]

"""A signal as percentiles among all events of its tube: bounded, instrument-independent, with known noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats, Singles
from cd40l_flow.signal.bins import Index
from cd40l_flow.signal.quantiles import quantiles

LEVELS = 2048
_SAMPLED = 10_000
_CHUNK = 1 << 14  # events per batch, to stay in the CPU cache


@dataclass(frozen=True)
class Ranks:
    """``levels`` of the events, (events,), in equal steps of the range; how many events each level has, ``counts``,
    and its percentile, ``points``, both (LEVELS,).
    """

    levels: NDArray[np.uint16]
    counts: Index
    points: Floats

    @property
    def size(self) -> int:
        """The number of events."""
        return self.levels.size

    @property
    def spread(self) -> float:
        """The standard deviation of an event's percentile."""
        mean = float(self.counts @ self.points) / self.size
        return math.sqrt(float(self.counts @ (self.points - mean) ** 2) / self.size)

    def sums(self, edges: Index, keep: NDArray[np.bool_] | None = None) -> Floats:
        """Return the sums of percentiles of the (kept) events between edges, (edges - 1,).

        ``edges`` ascend strictly from 0 to the number of events.
        """
        step = max(1, _CHUNK * (edges.size - 1) // self.size)
        parts = []
        for at in range(0, edges.size - 1, step):
            ends = edges[at : at + step + 1]
            points = self.points.take(self.levels[ends[0] : ends[-1]])
            if keep is not None:
                points *= keep[ends[0] : ends[-1]]
            parts.append(np.add.reduceat(points, ends[:-1] - ends[0]))
        return np.concatenate(parts)


def rank(values: Floats | Singles) -> Ranks | None:
    """Return values, (events,), as ranks to 1/2048 of the range; None where all are equal."""
    low, high = quantiles(values[:: max(1, values.size // _SAMPLED)], (0.001, 0.999))
    if not high > low:
        return None
    start, unit = values.dtype.type(low), values.dtype.type(LEVELS / (high - low))
    levels = np.empty(values.size, dtype=np.uint16)
    counts = np.zeros(LEVELS, dtype=np.intp)
    for begin in range(0, values.size, _CHUNK):
        place = values[begin : begin + _CHUNK] - start
        place *= unit
        part = levels[begin : begin + _CHUNK]
        part[...] = np.clip(place, 0, LEVELS - 1, out=place)
        counts += np.bincount(part, minlength=LEVELS)
    points = (np.cumsum(counts) - 0.5 * counts) * (100 / values.size)
    return Ranks(levels, counts, points)

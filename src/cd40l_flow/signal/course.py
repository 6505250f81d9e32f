"""The course of an acquisition for a figure: event counts and signal shifts in equal intervals of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.signal.bins import Index, bin_edges

BINS = 60
FEWEST = 10  # events in a bin, below which its mean is not shown


@dataclass(frozen=True)
class Course:
    """Events and signals in 60 equal intervals of a tube's time, which starts at ``begin`` and lasts ``seconds``.

    ``counts``, (60,), are numbers of events. ``shifts`` maps signal -> mean percentile minus that of the kept events,
    (60,), NaN with fewer than 10 events.
    """

    begin: float
    seconds: float
    counts: Index
    shifts: Mapping[str, Floats]


def course_edges(clock: Floats) -> Index:
    """Return the index of the first event of 60 equal intervals, then the number of events, (61,)."""
    begin, seconds = float(clock[0]), float(clock[-1] - clock[0])
    return bin_edges(clock, lambda time: (time - begin) * (BINS / seconds if seconds else 0.0), BINS)


def course(clock: Floats, edges: Index, sums: Mapping[str, Floats], levels: Mapping[str, float]) -> Course:
    """Return the course from ``course_edges``, the sums of each signal's percentiles between them, and its mean over
    kept events.
    """
    counts = np.diff(edges)
    shifts = {
        name: np.where(counts >= FEWEST, own / np.maximum(counts, 1) - levels[name], np.nan)
        for name, own in sums.items()
    }
    return Course(float(clock[0]), float(clock[-1] - clock[0]), counts, shifts)

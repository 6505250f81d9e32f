"""The course of an acquisition: its events and the shifts of its signals in equal stretches of time, for a figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.signal.bins import Index, bin_edges

BINS = 60
FEWEST = 10  # events in a bin, for a mean that says something


@dataclass(frozen=True)
class Course:
    """What happened in 60 equal stretches of a tube's time, which begins at ``begin`` and lasts ``seconds``.

    ``counts`` are their events, (60,); ``shifts`` maps signal -> mean percentile of the events less that of what is
    kept, (60,), NaN where there are fewer than 10 events.
    """

    begin: float
    seconds: float
    counts: Index
    shifts: Mapping[str, Floats]


def course_edges(clock: Floats) -> Index:
    """Return the first events of 60 equal stretches of time and the number of events last, (61,)."""
    begin, seconds = float(clock[0]), float(clock[-1] - clock[0])
    return bin_edges(clock, lambda time: (time - begin) * (BINS / seconds if seconds else 0.0), BINS)


def course(clock: Floats, edges: Index, sums: Mapping[str, Floats], levels: Mapping[str, float]) -> Course:
    """Return the course from ``course_edges``, each signal's sums of percentiles between them and its level kept."""
    counts = np.diff(edges)
    shifts = {
        name: np.where(counts >= FEWEST, own / np.maximum(counts, 1) - levels[name], np.nan)
        for name, own in sums.items()
    }
    return Course(float(clock[0]), float(clock[-1] - clock[0]), counts, shifts)

"""The flow rate: events per second, stops, and bursts (air bubble, pressure shock)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats
from cd40l_flow.signal.bins import Index, bin_edges
from cd40l_flow.signal.quantiles import median as median_of

SHORTEST = 0.1  # seconds, as flowAI's second fraction
EVENTS_A_BIN = 25
MOST_BINS = 5_000
NEIGHBOURS = 10  # bins on either side
LONGEST_BURST = 0.05  # of the events; a larger share is a change of flow speed, not a burst
STANDARD_ERRORS = 6.0
STOP_FACTOR = 50.0  # mean distances between events; a Poisson process reaches it once in e^50
_CHUNK = 1 << 14  # events per batch, to stay in the CPU cache


@dataclass(frozen=True)
class FlowRate:
    """The flow of one tube: ``median`` in events per second; ``stops`` and ``bursts`` as (first, last) second.

    ``slow_percent`` is the percent of time with a flow below a third of the median, without stops.
    """

    median: float
    stops: tuple[tuple[float, float], ...]
    bursts: tuple[tuple[float, float], ...]
    slow_percent: float


def flow_rate(time: Floats, burst_factor: float, stop_seconds: float) -> FlowRate:
    """Return the flow of an acquisition; ``time``, (events,), in seconds, ascending.

    Bins are at least 0.1 s and one clock tick wide, with about 25 events each. A burst has ``burst_factor`` times the
    median rate. A stop lasts at least ``stop_seconds`` and 50 mean inter-event times.
    """
    begin, duration = float(time[0]), float(time[-1] - time[0])
    tick, waits = _steps(time, stop_seconds)
    if not tick:
        return FlowRate(0.0, (), (), 0.0)
    wanted = max(SHORTEST, duration / MOST_BINS, EVENTS_A_BIN * median_of(_spacing(time)))
    # All bins hold the same number of ticks; otherwise a coarse clock would create a false rhythm.
    width = max(1.0, math.ceil(wanted / tick)) * tick if wanted < 1_000 * tick else wanted

    def place(times: Floats) -> Floats:
        return (times - begin) / width + 1e-6

    counts = np.diff(bin_edges(time, place, int(place(time[-1:])[0]) + 1))
    # The last bin is not full.
    full = counts[:-1] if counts.size > 1 else counts
    busy = full[full > 0].astype(np.float64)
    median = median_of(busy) if busy.size else float(full.sum())
    spread = max(1.4826 * median_of(np.abs(busy - median)) if busy.size else 0.0, np.sqrt(median))
    burst = _burst(counts, median, burst_factor, spread)
    if counts[burst].sum() > LONGEST_BURST * time.size:
        burst[:] = False
    # Its ends lie somewhere in the neighbouring bins.
    burst[1:] |= burst[:-1].copy()
    burst[:-1] |= burst[1:].copy()
    shortest = max(stop_seconds, STOP_FACTOR * width / max(median, 1.0))
    stops = tuple((float(a), float(b)) for a, b in zip(time[waits], time[waits + 1], strict=True) if b - a > shortest)
    slow = np.count_nonzero((full > 0) & (full < median / 3) & (full < median - STANDARD_ERRORS * np.sqrt(median)))
    return FlowRate(
        median=median / width,
        stops=stops,
        bursts=tuple((begin + a * width, begin + b * width) for a, b in _runs(burst)),
        slow_percent=100 * slow / max(busy.size, 1),
    )


def _spacing(time: Floats) -> Floats:
    """Return the mean inter-event time in blocks of 25, seconds: the clock may be too coarse for single events."""
    ends = time[::EVENTS_A_BIN]
    return np.diff(ends) / EVENTS_A_BIN if ends.size > 1 else np.array([(time[-1] - time[0]) / max(time.size - 1, 1)])


def _steps(time: Floats, stop_seconds: float) -> tuple[float, Index]:
    """Return the smallest time step in seconds (0 without one), and the events after which time did not advance."""
    tick, waits = np.inf, []
    for begin in range(0, time.size - 1, _CHUNK):
        gaps = np.diff(time[begin : begin + _CHUNK + 1])
        waits.append(begin + np.flatnonzero(gaps > stop_seconds))
        gaps[gaps <= 0] = np.inf
        tick = min(tick, float(gaps.min()))
    return (tick if np.isfinite(tick) else 0.0), np.concatenate(waits)


def _burst(counts: Index, median: float, burst_factor: float, spread: float) -> NDArray[np.bool_]:
    """Return a mask, (bins,), of the bins with far more events than usual.

    A burst exceeds both the overall median and that of the neighbouring bins: a change of flow speed is no burst.
    """

    def far_above(usual: Floats) -> Floats:
        return np.maximum(burst_factor * usual, usual + STANDARD_ERRORS * np.maximum(spread, np.sqrt(usual)))

    burst: NDArray[np.bool_] = counts > far_above(np.array(median))
    reach = min(NEIGHBOURS, (counts.size - 1) // 2)
    if reach and burst.any():
        windows = np.lib.stride_tricks.sliding_window_view(counts, 2 * reach + 1)
        at = np.flatnonzero(burst)
        neighbours = np.median(windows[np.clip(at - reach, 0, len(windows) - 1)], axis=1)
        burst[at] = counts[at] > far_above(np.maximum(neighbours, median))
    return burst


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and last + 1 of each run of True."""
    padded = np.concatenate(([False], mask, [False]))
    ends = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(a), int(b)) for a, b in zip(ends[::2], ends[1::2], strict=True)]

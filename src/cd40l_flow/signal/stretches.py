"""Intervals of an acquisition with a shifted signal: change points of block means.

Every signal is first replaced by its percentile among all events of the tube, which is bounded, instrument-independent
and of known noise. The method follows PeacoQC (doi:10.1002/cyto.a.24501: bins, robust spread) and of circular binary
segmentation (doi:10.1093/biostatistics/kxh008: both ends of an interval at once).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats
from cd40l_flow.signal.bins import Index
from cd40l_flow.signal.quantiles import median
from cd40l_flow.signal.ranks import Ranks

MOST_BLOCKS = 500  # as PeacoQC's max_bins
FEWEST_IN_BLOCK = 25
FEWEST_IN_STRETCH = 150  # as PeacoQC's min_cells: a shorter stable interval between two bad ones is not informative
STANDARD_ERRORS = 6.0
_CLASSES = 20  # of percentiles, for the likelihood of a single event


@dataclass(frozen=True)
class Segment:
    """Events ``first`` to ``last`` - 1 in order of time, between two change points.

    ``levels`` maps signal -> mean percentile; ``shifts`` are levels minus those of the stable part of the tube, in
    percentile points. ``bad`` names the shifted signals; it is empty for the stable part.
    """

    first: int
    last: int
    levels: Mapping[str, float]
    shifts: Mapping[str, float]
    bad: tuple[str, ...]


def block_edges(events: int) -> Index:
    """Return the ends of blocks of equal numbers of events, (blocks + 1,)."""
    blocks = max(1, min(MOST_BLOCKS, events // FEWEST_IN_BLOCK))
    return np.linspace(0, events, blocks + 1).astype(np.intp)


def segments(watched: Mapping[str, tuple[Ranks, Floats]], limit: float) -> list[Segment]:
    """Return the contiguous segments of an acquisition in order of time.

    ``watched`` are signals in order of time, as ranks, and the means of their blocks. A change point needs
    ``STANDARD_ERRORS`` and half of ``limit``, percentile points. The stable part is the largest set of segments within
    ``limit`` of one of them. A segment is bad if it differs from that by more than ``limit`` and more than counting
    error explains.
    """
    names = list(watched)
    events = next(iter(watched.values()))[0].size
    edges = block_edges(events)
    means = np.stack([own for _, own in watched.values()])
    noise = np.array([_noise(signal, own, edges) for signal, own in watched.values()])
    ends = _change_points(means, noise / np.sqrt(events / (edges.size - 1)), 0.5 * limit)
    levels = np.stack([means[:, a:b].mean(axis=1) for a, b in zip(ends[:-1], ends[1:], strict=True)], axis=1)
    sizes = np.diff(edges[ends])
    steady = _steady(levels, sizes, limit)
    reference = levels[:, steady] @ sizes[steady] / sizes[steady].sum()
    shifts = levels - reference[:, None]
    beyond = np.abs(shifts) > np.maximum(limit, STANDARD_ERRORS * noise[:, None] / np.sqrt(sizes))
    found = []
    for at, (first, last) in enumerate(zip(edges[ends[:-1]], edges[ends[1:]], strict=True)):
        bad = tuple(name for name, is_bad in zip(names, beyond[:, at], strict=True) if is_bad)
        rows = [dict(zip(names, map(float, column[:, at]), strict=True)) for column in (levels, shifts)]
        found.append(Segment(int(first), int(last), rows[0], rows[1], bad))
    return found


def bad_stretches(found: Sequence[Segment], watched: Mapping[str, tuple[Ranks, Floats]]) -> list[tuple[int, int]]:
    """Return (first, last + 1) of the events to remove, in order of time: neighbours merged, ends refined event by
    event.

    ``watched`` are the signals that ``segments`` was given.
    """
    joined: list[list[int]] = []
    for segment in found:
        if not segment.bad:
            continue
        if joined and segment.first - joined[-1][1] < FEWEST_IN_STRETCH:
            joined[-1][1] = segment.last
        else:
            joined.append([segment.first, segment.last])
    if not joined:
        return []
    signals = [one for one, _ in watched.values()]
    events = signals[0].size
    reach = 2 * int(block_edges(events)[1])
    kinds = [(one.points * (_CLASSES / 100)).clip(0, _CLASSES - 1).astype(np.intp) for one in signals]
    every = [np.bincount(kind, one.counts, _CLASSES) for one, kind in zip(signals, kinds, strict=True)]
    inside = [[_counted(one, kind, *ends) for ends in joined] for one, kind in zip(signals, kinds, strict=True)]
    steady = [_log_shares(counts - np.sum(cut, axis=0)) for counts, cut in zip(every, inside, strict=True)]
    refined = []
    for number, (first, last) in enumerate(joined):
        bad = [_log_shares(counts[number]) for counts in inside]
        # Log likelihood ratio of bad to stable for each level.
        odds = [(there - here)[kind] for there, here, kind in zip(bad, steady, kinds, strict=True)]

        def ratio(a: int, b: int, odds: list[Floats] = odds) -> Floats:
            """Return the cumulative log likelihood ratio of bad to stable from ``a``, (b - a + 1,)."""
            terms = [odd[one.levels[a:b]] for one, odd in zip(signals, odds, strict=True)]
            return np.concatenate(([0.0], np.cumsum(np.sum(terms, axis=0))))

        middle = (first + last) // 2
        if first > 0:
            a, b = max(0, first - reach), min(middle, first + reach)
            first = a + int(np.argmin(ratio(a, b)))
        if last < events:
            a, b = max(middle, last - reach), min(events, last + reach)
            last = a + int(np.argmax(ratio(a, b)))
        refined.append((first, last))
    return refined


def _counted(signal: Ranks, kind: Index, first: int, last: int) -> Floats:
    """Return the events of each class of percentiles in a stretch, (classes,); ``kind`` is the class of each level."""
    counts: Floats = np.bincount(kind[signal.levels[first:last]], minlength=_CLASSES).astype(np.float64)
    return counts


def _noise(signal: Ranks, means: Floats, edges: Index) -> float:
    """Return the SD of one event's percentile, or the one seen between neighbouring blocks if larger."""
    size = signal.size / (edges.size - 1)
    between = 1.4826 * median(np.abs(np.diff(means))) if means.size > 1 else 0.0
    return max(signal.spread, between * math.sqrt(size / 2), 1e-9)


def _change_points(means: Floats, noise: Floats, least: float) -> Index:
    """Return the blocks at which segments begin, and the number of blocks last; ``noise`` is that of a block's mean."""
    summed = np.concatenate((np.zeros((means.shape[0], 1)), np.cumsum(means, axis=1)), axis=1)
    cuts, pending = {0, means.shape[1]}, [(0, means.shape[1])]
    while pending:
        first, last = pending.pop()
        arc = _best_arc(summed[:, first : last + 1], noise, least)
        if arc is None:
            continue
        ends = sorted({first, first + arc[0], first + arc[1], last})
        cuts.update(ends)
        pending += zip(ends[:-1], ends[1:], strict=True)
    return np.array(sorted(cuts), dtype=np.intp)


def _best_arc(summed: Floats, noise: Floats, least: float) -> tuple[int, int] | None:
    """Return the two ends of the interval that differs most from the rest of its segment, or None.

    ``summed`` are sums of block means, (signals, blocks + 1).
    """
    blocks = summed.shape[1] - 1
    if blocks < 2:
        return None
    scale = _scale(blocks)
    places = np.arange(blocks + 1) / blocks
    best, chosen = STANDARD_ERRORS, None
    for sums, error in zip(summed, noise, strict=True):
        level = sums - places * sums[-1] + (places - 1) * sums[0]
        if not _may_score(level, scale, best * error):
            continue
        weight, over_root = _weights(blocks)
        difference = np.abs(level[None, :] - level[:, None])
        score = difference * over_root
        score[difference < least * weight] = 0.0
        at = int(score.argmax())
        if score.flat[at] > best * error:
            best, chosen = float(score.flat[at]) / error, at
    return None if chosen is None else divmod(chosen, blocks + 1)


def _may_score(level: Floats, scale: Floats, wanted: float) -> bool:
    """Return whether any interval can score above the threshold, so that all must be evaluated.

    ``level``, (blocks + 1,), starts and ends at 0, so an interval and its complement have the same score. Only the
    shorter one is considered, and only lengths that the range of levels allows.
    """
    wanted *= 1 - 1e-9
    half = level.size // 2
    long = np.flatnonzero((level.max() - level.min()) * scale[1 : half + 1] > wanted)
    if not long.size:
        return False
    reach = int(long[-1]) + 1
    ring = np.concatenate((level, level[1 : reach + 1]))
    rises = sliding_window_view(ring, reach + 1)
    return bool((np.abs(rises[:, 1:] - rises[:, :1]) * scale[1 : reach + 1]).max() > wanted)


@lru_cache(maxsize=8)
def _scale(blocks: int) -> Floats:
    """Return one over the root of length x (1 - length / blocks), (blocks + 1,), 0 for none and for the whole."""
    length = np.arange(blocks + 1, dtype=np.float64)
    scale = np.zeros(blocks + 1)
    scale[1:-1] = 1 / np.sqrt(length[1:-1] * (1 - length[1:-1] / blocks))
    return scale


@lru_cache(maxsize=8)
def _weights(blocks: int) -> tuple[Floats, Floats]:
    """Return length x (1 - length / blocks) of every stretch, (blocks + 1, blocks + 1), and one over its root.

    Below the diagonal, and for the full length, both are such that the score is never reached.
    """
    places = np.arange(blocks + 1)
    length = (places[None, :] - places[:, None]).astype(np.float64)
    weight = length * (1 - length / blocks)
    weight[(length <= 0) | (length >= blocks)] = np.inf
    return weight, 1 / np.sqrt(weight)


def _steady(levels: Floats, sizes: Index, limit: float) -> NDArray[np.bool_]:
    """Return which segments form the stable part: the largest set within ``limit`` of one of its members."""
    near = np.abs(levels[:, :, None] - levels[:, None, :]).max(axis=0) <= limit
    chosen: NDArray[np.bool_] = near[int(np.argmax(near @ sizes))]
    return chosen


def _log_shares(counts: Floats) -> Floats:
    """Return the log share of each class of percentiles from its events, smoothed by one event a class, (classes,)."""
    smoothed = counts + 1.0
    shares: Floats = np.log(smoothed / smoothed.sum())
    return shares

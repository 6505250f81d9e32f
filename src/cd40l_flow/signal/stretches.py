"""Stretches of an acquisition in which a signal lies elsewhere than in the rest: change points of block means.

Every signal is first replaced by its percentile among all events of the tube: bounded, the same for every instrument
and colour, and its noise is known. The ideas are those of PeacoQC (doi:10.1002/cyto.a.24501: bins, robust spread) and
of circular binary segmentation (doi:10.1093/biostatistics/kxh008: a stretch is found by both of its ends at once).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.inputs.model import Floats, Singles

MOST_BLOCKS = 500  # as PeacoQC's max_bins
FEWEST_IN_BLOCK = 25
FEWEST_IN_STRETCH = 150  # as PeacoQC's min_cells: a shorter steady stretch between two bad ones says nothing
STANDARD_ERRORS = 6.0
LEVELS = 2048
_CLASSES = 20  # of percentiles, for the likelihood of a single event
_SAMPLED = 10_000

Index = NDArray[np.intp]


@dataclass(frozen=True)
class Segment:
    """Events ``first`` to ``last`` - 1 in order of time, between two change points.

    ``levels`` maps signal -> mean percentile; ``shifts`` are levels less those of the steady part of the tube,
    percentile points; ``bad`` names the signals that lie too far away, empty for the steady part.
    """

    first: int
    last: int
    levels: Mapping[str, float]
    shifts: Mapping[str, float]
    bad: tuple[str, ...]


def percentiles(values: Floats | Singles) -> Floats | None:
    """Return each value's percentile among all, (n,), 0 to 100, to 1/2048 of the range; None where all are equal."""
    sample = values[:: max(1, values.size // _SAMPLED)]
    low, high = np.quantile(sample, (0.001, 0.999))
    if not high > low:
        return None
    place = values - values.dtype.type(low)
    place *= values.dtype.type(LEVELS / (high - low))
    np.clip(place, 0, LEVELS - 1, out=place)
    level = place.astype(np.int32)
    counts = np.bincount(level, minlength=LEVELS)
    middle = (np.cumsum(counts) - 0.5 * counts) * (100 / values.size)
    found: Floats = middle.take(level)
    return found


def block_edges(events: int) -> Index:
    """Return the ends of blocks of equal numbers of events, (blocks + 1,)."""
    blocks = max(1, min(MOST_BLOCKS, events // FEWEST_IN_BLOCK))
    return np.linspace(0, events, blocks + 1).astype(np.intp)


def segments(signals: Mapping[str, Floats], limit: float) -> list[Segment]:
    """Return the segments of an acquisition, in order of time, the first event of one following the last of another.

    ``signals`` are percentiles, (events,) each, in order of time. A change point needs ``STANDARD_ERRORS`` and half of
    ``limit``, percentile points. The steady part is the largest set of segments within ``limit`` of one of them; a
    segment is bad when it lies beyond ``limit`` of it and beyond what counting explains.
    """
    names = list(signals)
    events = next(iter(signals.values())).size
    edges = block_edges(events)
    means = np.stack([np.add.reduceat(signals[name], edges[:-1]) for name in names]) / np.diff(edges)
    noise = np.array([_noise(signals[name], row, edges) for name, row in zip(names, means, strict=True)])
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
        told = [dict(zip(names, map(float, column[:, at]), strict=True)) for column in (levels, shifts)]
        found.append(Segment(int(first), int(last), told[0], told[1], bad))
    return found


def bad_stretches(found: Sequence[Segment], signals: Mapping[str, Floats]) -> list[tuple[int, int]]:
    """Return first and last + 1 of the events to cut, in order of time: neighbours joined, ends set event by event."""
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
    events = next(iter(signals.values())).size
    inside = np.zeros(events, dtype=bool)
    for first, last in joined:
        inside[first:last] = True
    reach = 2 * int(block_edges(events)[1])
    classes = [(points * (_CLASSES / 100)).clip(0, _CLASSES - 1).astype(np.intp) for points in signals.values()]
    steady = [_log_shares(column[~inside]) for column in classes]
    refined = []
    for first, last in joined:
        bad = [_log_shares(column[first:last]) for column in classes]

        def ratio(a: int, b: int, bad: list[Floats] = bad) -> Floats:
            """Return log likelihood, summed from ``a``, of events being bad rather than steady, (b - a + 1,)."""
            terms = [there[c[a:b]] - here[c[a:b]] for there, here, c in zip(bad, steady, classes, strict=True)]
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


def _noise(points: Floats, means: Floats, edges: Index) -> float:
    """Return the standard deviation of one event's percentile, or what neighbouring blocks show when that is more."""
    size = points.size / (edges.size - 1)
    between = 1.4826 * float(np.median(np.abs(np.diff(means)))) if means.size > 1 else 0.0
    return max(float(points.std()), between * math.sqrt(size / 2), 1e-9)


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
    """Return the two ends of the stretch that differs most from the rest of its segment, or None when none does.

    ``summed`` are sums of block means, (signals, blocks + 1).
    """
    blocks = summed.shape[1] - 1
    if blocks < 2:
        return None
    weight, scale = _weights(blocks)
    places = np.arange(blocks + 1) / blocks
    best, chosen = STANDARD_ERRORS, None
    for sums, error in zip(summed, noise, strict=True):
        level = sums - places * sums[-1] + (places - 1) * sums[0]
        difference = np.abs(level[None, :] - level[:, None])
        score = difference * scale
        if score.max() <= best * error:
            continue
        score[difference < least * weight] = 0.0
        at = int(score.argmax())
        if score.flat[at] > best * error:
            best, chosen = float(score.flat[at]) / error, at
    return None if chosen is None else divmod(chosen, blocks + 1)


@lru_cache(maxsize=8)
def _weights(blocks: int) -> tuple[Floats, Floats]:
    """Return length x (1 - length / blocks) of every stretch, (blocks + 1, blocks + 1), and one over its root.

    Below the diagonal, and for the whole, both are such that a stretch never scores.
    """
    places = np.arange(blocks + 1)
    length = (places[None, :] - places[:, None]).astype(np.float64)
    weight = length * (1 - length / blocks)
    weight[(length <= 0) | (length >= blocks)] = np.inf
    return weight, 1 / np.sqrt(weight)


def _steady(levels: Floats, sizes: Index, limit: float) -> NDArray[np.bool_]:
    """Return which segments are the steady part: the largest set that lies within ``limit`` of one of its own."""
    near = np.abs(levels[:, :, None] - levels[:, None, :]).max(axis=0) <= limit
    chosen: NDArray[np.bool_] = near[int(np.argmax(near @ sizes))]
    return chosen


def _log_shares(classes: Index) -> Floats:
    """Return the log share of each class of percentiles, smoothed by one event a class, (classes,)."""
    counts = np.bincount(classes, minlength=_CLASSES) + 1.0
    shares: Floats = np.log(counts / counts.sum())
    return shares

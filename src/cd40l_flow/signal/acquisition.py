"""Acquisition QC: events at the edge of the range, and stretches of time where flow or signal went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.gating_limits import AcquisitionLimits
from cd40l_flow.base.model import Events, Floats, Singles
from cd40l_flow.signal.bins import Index, united
from cd40l_flow.signal.course import Course, course, course_edges
from cd40l_flow.signal.flow_rate import FlowRate, flow_rate
from cd40l_flow.signal.ranks import Ranks, rank
from cd40l_flow.signal.stretches import STANDARD_ERRORS, Segment, bad_stretches, block_edges, segments

Mask = NDArray[np.bool_]

FEWEST_EVENTS = 300
PILE_UP_FRACTION = 0.002
DEFAULTS = AcquisitionLimits()


@dataclass(frozen=True)
class BadInterval:
    """An interval of time that is removed: its ends in seconds, its number of events, and the reason.

    Every event from ``start`` to ``end``, both included, is removed. ``shifts`` maps each shifted signal to its shift
    in percentile points. It is empty for a burst of events.
    """

    start: float
    end: float
    events: int
    shifts: Mapping[str, float]


@dataclass(frozen=True)
class TimeQC:
    """What acquisition QC found in time: ``steady`` (events,), False for events to cut.

    ``drifts`` maps signal -> largest difference that remains among the kept events, in percentile points (target
    included). ``flow`` and ``course`` are None where there are too few events.
    """

    steady: Mask
    stretches: tuple[BadInterval, ...] = ()
    drifts: Mapping[str, float] = field(default_factory=dict)
    flow: FlowRate | None = None
    course: Course | None = None
    limits: AcquisitionLimits = DEFAULTS


@dataclass(frozen=True)
class Acquisition:
    """What acquisition QC found in one tube.

    ``keep``, (events,), is False for removed events. ``in_range`` is the same without the time gate. Percents are of
    all events of the tube. ``problem`` is the reason why time could not be assessed, or empty. ``ceilings`` maps each
    scatter detector to the channel value above which events were removed.
    """

    keep: Mask
    in_range: Mask
    removed_percent: float
    margin_percent: float
    problem: str
    time_qc: TimeQC
    ceilings: Mapping[str, float] = field(default_factory=dict)

    def without_time_qc(self) -> Acquisition:
        """Return the same acquisition without the time gate."""
        nothing = replace(self.time_qc, steady=np.ones_like(self.keep), stretches=())
        return replace(self, keep=self.in_range, removed_percent=0.0, time_qc=nothing)


def at_the_top(values: Floats | Singles, maximum: float) -> Mask:
    """Return a mask, (n,), of the values at the top of the range (channel values), or at a pile-up of the largest
    value.
    """
    return reaching(values, ceiling(values, maximum))


def reaching(values: Floats | Singles, limit: float) -> Mask:
    """Return a mask, (n,), of the values at or above a limit, in any floating-point precision."""
    with np.errstate(over="ignore"):
        least = values.dtype.type(limit)
    # The smallest number of that precision that is not below the limit.
    mask: Mask = values >= (least if least >= limit else np.nextafter(least, np.inf, dtype=values.dtype))
    return mask


def ceiling(values: Floats | Singles, maximum: float) -> float:
    """Return the channel value at which values, (n,), are saturated: ``maximum``, or a pile-up below it.

    Some instruments saturate below ``$PnR``. There, a value shared by over 0.2 % of the events is the ceiling.
    """
    largest = float(values.max(initial=-np.inf))
    piled = np.count_nonzero(values == largest) > max(10, PILE_UP_FRACTION * values.size)
    return min(largest, maximum) if piled else maximum


def top_of(events: Events, name: str) -> float:
    """Return the largest value a detector can give, channel values: converters write one less than ``$PnR``."""
    detector = events.header.detector(name)
    return detector.maximum - 1.0 if detector else np.inf


def steady_intervals(
    time: Floats,
    signals: Mapping[str, Floats | Singles],
    target: Floats | Singles | None = None,
    limits: AcquisitionLimits = DEFAULTS,
) -> TimeQC:
    """Return which events were acquired while every signal was stable, with the findings.

    ``time`` is in seconds, (events,), in any order; ``signals``, (events,) each on any monotonic scale, decide which
    events are removed. ``target`` is monitored and reported, but removes nothing: a time gate chosen by the target
    could create a call. Sources: PeacoQC (doi:10.1002/cyto.a.24501), flowAI (doi:10.1093/bioinformatics/btw191).
    """
    steady: Mask = np.ones(time.size, dtype=bool)
    if time.size < FEWEST_EVENTS:
        return TimeQC(steady)
    order = None if np.all(time[1:] >= time[:-1]) else np.argsort(time, kind="stable")
    clock = time if order is None else time[order]
    ranks = {}
    for name, values in (signals if target is None else {**signals, "target": target}).items():
        found = rank(values if order is None else values[order])
        if found is not None:
            ranks[name] = found
    blocks, moments = block_edges(time.size), course_edges(clock)
    ends = united(blocks, moments)
    sums = {name: one.sums(ends) for name, one in ranks.items()}
    means = {name: _between(blocks, ends, one) / np.diff(blocks) for name, one in sums.items()}
    deciding = {name: (ranks[name], means[name]) for name in signals if name in ranks}
    parts = segments(deciding, limits.shift_points) if deciding else []
    own = dict.fromkeys(deciding, parts)
    if target is not None and "target" in ranks:
        own["target"] = segments({"target": (ranks["target"], means["target"])}, limits.shift_points)
    flow = flow_rate(clock, limits.burst_factor, limits.stop_s)
    bad = [(first, last, _shifts(parts, first, last)) for first, last in bad_stretches(parts, deciding)]
    keep, stretches = _cut(clock, bad, flow)
    kept = np.diff(blocks).astype(np.float64)
    if stretches:
        kept = np.add.reduceat(keep, blocks[:-1], dtype=np.float64)
        means = {name: one.sums(blocks, keep) / np.maximum(kept, 1) for name, one in ranks.items()}
    drifts = {}
    for name, one in ranks.items():
        drift = _drift(one, means[name], kept, [part.levels[name] for part in own[name] if _mostly(keep, part)])
        if abs(drift) > limits.drift_points:
            drifts[name] = drift
    levels = {name: float(kept @ one / kept.sum()) for name, one in means.items()}
    seen = course(clock, moments, {name: _between(moments, ends, one) for name, one in sums.items()}, levels)
    if order is None:
        steady = keep
    else:
        steady[order] = keep
    return TimeQC(steady, stretches, drifts, flow, seen, limits)


def _cut(
    clock: Floats, bad: Sequence[tuple[int, int, Mapping[str, float]]], flow: FlowRate
) -> tuple[Mask, tuple[BadInterval, ...]]:
    """Return which events are kept and which intervals are removed: ``bad`` stretches (first, last + 1, shifts) and
    bursts.
    """
    keep: Mask = np.ones(clock.size, dtype=bool)
    stretches = []
    bursts = [np.searchsorted(clock, burst) for burst in flow.bursts]
    for first, last, shifts in [*bad, *((int(begin), int(end), {}) for begin, end in bursts)]:
        if last <= first:
            continue
        # Whole time ticks are removed, so that the reported seconds reproduce the gate in any program.
        first = int(np.searchsorted(clock, clock[first], side="left"))
        last = int(np.searchsorted(clock, clock[last - 1], side="right"))
        fresh = int(np.count_nonzero(keep[first:last]))
        if fresh:
            keep[first:last] = False
            stretches.append(BadInterval(float(clock[first]), float(clock[last - 1]), fresh, shifts))
    return keep, tuple(sorted(stretches, key=lambda one: one.start))


def _between(edges: Index, ends: Index, sums: Floats) -> Floats:
    """Return sums between some of the edges from the sums between all edges."""
    return np.add.reduceat(sums, np.searchsorted(ends, edges[:-1]))


def _shifts(parts: list[Segment], first: int, last: int) -> dict[str, float]:
    """Return the largest shift of each signal that made an interval bad, in percentile points."""
    strongest: dict[str, float] = {}
    for part in parts:
        if part.bad and part.first < last and part.last > first:
            for name in part.bad:
                strongest[name] = max(strongest.get(name, 0.0), part.shifts[name], key=abs)
    return strongest


def _drift(signal: Ranks, means: Floats, kept: Floats, levels: Sequence[float]) -> float:
    """Return the drift of a signal over the kept events, in percentile points.

    This is the change along a straight line through the ``means`` of the ``kept`` events of each block, where it
    exceeds six standard errors, or the difference of two segments' ``levels`` if that is larger.
    """
    edges = block_edges(signal.size)
    place = 0.5 * (edges[1:] + edges[:-1]) / signal.size
    centred = place - (kept @ place) / kept.sum()
    moment = kept @ centred**2
    change = float(kept @ (centred * means) / moment) if moment > 0 else 0.0
    error = signal.spread / np.sqrt(max(moment, 1e-9))
    change = change if abs(change) > STANDARD_ERRORS * error else 0.0
    step = max(levels, default=0.0) - min(levels, default=0.0)
    return change if abs(change) >= step else step


def _mostly(keep: Mask, part: Segment) -> bool:
    """Return whether a segment is kept."""
    return float(np.mean(keep[part.first : part.last])) > 0.5

"""Acquisition QC: events at the edge of the range, and stretches of time where the signal went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.inputs.model import Floats

Mask = NDArray[np.bool_]

MIN_EVENTS_PER_BIN = 150
MAX_BINS = 100
MAD_LIMIT = 6.0
FEWEST_BINS = 8
PILE_UP_FRACTION = 0.002


@dataclass(frozen=True)
class Acquisition:
    """What acquisition QC found in one tube.

    ``keep`` is (events,), False for events cut; percents are of all events of the tube. ``problem`` says why time could
    not be assessed, empty when it was.
    """

    keep: Mask
    removed_percent: float
    margin_percent: float
    problem: str


def at_the_top(values: Floats, maximum: float) -> Mask:
    """Return which values, (n,), sit at the top of the range (channel values), or pile up at the largest value seen.

    Some instruments saturate below ``$PnR``; a value shared by over 0.2 % of the events is their ceiling.
    """
    largest = values.max(initial=-np.inf)
    ceiling = largest if np.count_nonzero(values == largest) > max(10, PILE_UP_FRACTION * values.size) else maximum
    mask: Mask = values >= min(ceiling, maximum)
    return mask


def steady_stretches(time: Floats, signals: Mapping[str, Floats]) -> Mask:
    """Return which events, (events,), were acquired while every signal was steady.

    ``time`` is in seconds; ``signals`` are (events,), bounded: scatter over its range or fluorescence on the logicle
    scale. Time is cut into bins of equal event counts; a bin is bad when the mean of any signal leaves the median of
    all bins by more than 6 median absolute deviations (PeacoQC's limit, doi:10.1002/cyto.a.24501) and by more than
    sampling noise explains. Means, not medians: the median of a bimodal marker jumps between its modes.
    """
    keep = np.ones(time.size, dtype=bool)
    bins = min(MAX_BINS, time.size // MIN_EVENTS_PER_BIN)
    if bins < FEWEST_BINS:
        return keep
    order = np.argsort(time, kind="stable")
    edges = np.linspace(0, time.size, bins + 1).astype(int)
    bad = np.zeros(bins, dtype=bool)
    for signal in signals.values():
        means = np.add.reduceat(signal[order], edges[:-1]) / np.diff(edges)
        centre = np.median(means)
        spread = 1.4826 * float(np.median(np.abs(means - centre)))
        noise = float(signal.std()) / np.sqrt(time.size / bins)
        bad |= np.abs(means - centre) > MAD_LIMIT * max(spread, noise)
    for low, high, is_bad in zip(edges[:-1], edges[1:], bad, strict=True):
        if is_bad:
            keep[order[low:high]] = False
    return keep

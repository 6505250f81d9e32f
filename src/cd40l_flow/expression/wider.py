"""The same cells on a scale whose linear part is twice as wide: what the scale makes must not decide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cd40l_flow.expression.histogram import edges
from cd40l_flow.inputs.model import Floats
from cd40l_flow.signal.scale import Scale

STEPS = 40


def wider(scale: Scale, factor: float = 2.0) -> Scale:
    """Return the scale whose ``linear_width`` is ``factor`` times as large, or the widest there is."""
    low, high = scale.w, scale.m / 2 - 0.01
    wanted = factor * scale.linear_width
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if replace(scale, w=middle).linear_width < wanted else (low, middle)
    return replace(scale, w=high)


def rebinned(counts: Floats, scale: Scale, other: Scale) -> Floats:
    """Return binned cells, (bins,), in as many bins of another scale; within its bin a cell may be anywhere."""
    ends = edges(counts.size)
    moved = other.forward(scale.inverse(ends))
    cumulative = np.concatenate(([0.0], np.cumsum(counts)))
    below: Floats = np.interp(ends, moved, cumulative)
    # What leaves the scale is kept in its end bins, as in any histogram.
    below[0], below[-1] = 0.0, cumulative[-1]
    return np.diff(below)

"""Which events lie in a convex polygon."""

from __future__ import annotations

import numpy as np

from cd40l_flow.inputs.model import Floats, Singles
from cd40l_flow.signal.acquisition import Mask

# The largest rectangle in an ellipse has 0.71 of its width and height.
INSCRIBED = (0.7, 0.6, 0.45, 0.3)


def inside_convex(vertices: Floats, x: Floats | Singles, y: Floats | Singles) -> Mask:
    """Return which events, (n,), lie within a polygon or on its edge.

    ``vertices`` are its corners, (k, 2), counter-clockwise. Most events lie within a rectangle inside it and need not
    be held against every side.
    """
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    mask: Mask = (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])
    middle, half = (low + high) / 2, (high - low) / 2
    doubtful = np.flatnonzero(mask)
    for share in INSCRIBED:
        (left, bottom), (right, top) = middle - share * half, middle + share * half
        corners = np.array([(left, bottom), (right, bottom), (right, top), (left, top)])
        if _beside(vertices, corners[:, 0], corners[:, 1]).all():
            some_x, some_y = x[doubtful], y[doubtful]
            doubtful = doubtful[(some_x < left) | (some_x > right) | (some_y < bottom) | (some_y > top)]
            break
    mask[doubtful] = _beside(vertices, x[doubtful].astype(np.float64), y[doubtful].astype(np.float64))
    return mask


def _beside(vertices: Floats, x: Floats, y: Floats) -> Mask:
    """Return which places, (n,), lie to the left of every side or on it."""
    found = np.ones(x.size, dtype=bool)
    for (x0, y0), (x1, y1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        found &= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) >= 0
    return found

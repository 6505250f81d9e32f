"""Convex polygons: events inside, convex hull, clipping at a vertical line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cd40l_flow.base.model import Floats, Singles
from cd40l_flow.signal.acquisition import Mask

STRIPS = 512
SLACK = 1e-6  # of the greatest value: above single-precision rounding, far below the width of a strip


def inside_convex(vertices: Floats, x: Floats | Singles, y: Floats | Singles) -> Mask:
    """Return which events, (n,), lie within a polygon or on its edge.

    ``vertices`` are its corners, (k, 2), counter-clockwise. Vertical strips decide most events; only the others are
    tested against every side.
    """
    (left, bottom), (right, top) = vertices.min(axis=0), vertices.max(axis=0)
    mask: Mask = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    if right <= left:
        return mask
    places = np.flatnonzero(mask)
    some_x, some_y = x[places], y[places]
    strip = np.minimum(((some_x - left) * (STRIPS / (right - left))).astype(np.intp), STRIPS - 1)
    least, low, high, most = (edge.astype(some_y.dtype)[strip] for edge in _strips(vertices))
    sure = (some_y > low) & (some_y < high)
    mask[places] = sure
    doubtful = np.flatnonzero(~sure & (some_y >= least) & (some_y <= most))
    across, up = some_x[doubtful].astype(np.float64), some_y[doubtful].astype(np.float64)
    mask[places[doubtful]] = _left_of(vertices, across, up)
    return mask


def _strips(vertices: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return four heights of each strip, (512,): outside below the first and above the last, inside between the others.

    The lower outline is the maximum of the lines through the lower sides, the upper one the minimum of the others; they
    bend only at corners.
    """
    (x0, y0), (x1, y1) = vertices.T, np.roll(vertices, -1, axis=0).T
    ends = np.linspace(x0.min(), x0.max(), STRIPS + 1)
    slack = SLACK * float(np.abs(y0).max())
    outlines = []
    for lines, extreme in ((x1 > x0, np.max), (x1 < x0, np.min)):
        slopes = (y1[lines] - y0[lines]) / (x1[lines] - x0[lines])
        outlines.append(extreme(y0[lines] + (ends[:, None] - x0[lines]) * slopes, axis=1))
    lower, upper = outlines
    least, most = np.minimum(lower[:-1], lower[1:]), np.maximum(upper[:-1], upper[1:])
    place = (x0 - ends[0]) / (ends[-1] - ends[0]) * STRIPS
    # A corner on the border of two strips counts for both, whatever the rounding.
    for shift in (-1e-6, 1e-6):
        strip = np.clip(place + shift, 0, STRIPS - 1).astype(np.intp)
        np.minimum.at(least, strip, y0)
        np.maximum.at(most, strip, y0)
    low, high = np.maximum(lower[:-1], lower[1:]), np.minimum(upper[:-1], upper[1:])
    return least - slack, low + slack, high - slack, most + slack


def _left_of(vertices: Floats, x: Floats, y: Floats) -> Mask:
    """Return a mask, (n,), of the points to the left of every side or on it."""
    found = np.ones(x.size, dtype=bool)
    for (x0, y0), (x1, y1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        found &= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) >= 0
    return found


def convex_hull(points: Floats) -> Floats:
    """Return the convex hull of points, (n, 2), as its corners, (k, 2), counter-clockwise (Andrew's monotone chain)."""
    ordered = sorted(map(tuple, points.tolist()))

    def chain(corners: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        kept: list[tuple[float, float]] = []
        for x, y in corners:
            while len(kept) >= 2:
                (x0, y0), (x1, y1) = kept[-2:]
                if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0:
                    break
                kept.pop()
            kept.append((x, y))
        return kept[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def right_of(vertices: Floats, edge: float) -> Floats:
    """Return a polygon clipped to the right of a vertical line (Sutherland and Hodgman)."""
    kept: list[tuple[float, float]] = []
    for (x0, y0), (x1, y1) in zip(vertices.tolist(), np.roll(vertices, -1, axis=0).tolist(), strict=True):
        if x0 >= edge:
            kept.append((x0, y0))
        if (x0 >= edge) != (x1 >= edge):
            kept.append((edge, y0 + (edge - x0) / (x1 - x0) * (y1 - y0)))
    return np.array(kept)

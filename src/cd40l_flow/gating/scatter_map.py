"""FSC x SSC binned in logarithmic squares, so that one small map fits any instrument."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats, Singles
from cd40l_flow.gating.density import Counts

# Exponent and first five bits of mantissa of a single-precision number are its piecewise linear logarithm: 32 squares
# to each doubling, 2 to 3 % wide, far smaller than any population; ten doublings below the largest value.
_SHIFT = 18
OCTAVES, PER_OCTAVE = 10, 32
SIDE = OCTAVES * PER_OCTAVE
SQUARES = SIDE * SIDE
OUTSIDE, INSIDE, ON_THE_EDGE = 0, 1, 2
_FAR = 1e30
Squares = NDArray[np.int32]


@dataclass(frozen=True)
class ScatterMap:
    """A map of SIDE x SIDE squares; ``last`` are the indices of the last FSC and SSC steps."""

    last: tuple[int, int]

    @staticmethod
    def up_to(fsc: float, ssc: float) -> ScatterMap:
        """Return the map whose last squares contain these values, channels; larger values are counted there too."""
        last = np.array([max(fsc, 1e-30), max(ssc, 1e-30)], dtype=np.float32).view(np.int32) >> _SHIFT
        return ScatterMap((int(last[0]), int(last[1])))

    def squares(self, fsc: Singles, ssc: Singles) -> Squares:
        """Return the square of each event, (n,): row FSC, column SSC, counted row by row."""
        found = self._steps(fsc, 0)
        found *= SIDE
        found += self._steps(ssc, 1)
        return found

    def _steps(self, values: Singles, axis: int) -> Squares:
        steps = np.right_shift(values.view(np.int32), _SHIFT)
        steps -= self.last[axis] - SIDE + 1
        return np.clip(steps, 0, SIDE - 1, out=steps)

    def ends(self, axis: int) -> Floats:
        """Return the bin edges of an axis, (SIDE + 1,), channels."""
        steps = np.arange(self.last[axis] - SIDE + 1, self.last[axis] + 2, dtype=np.int32)
        return (steps << _SHIFT).view(np.float32).astype(np.float64)

    def middles(self, held: Counts) -> Floats:
        """Return the logarithms of the centres of squares, (n, 2)."""
        logs = [np.log((ends[:-1] + ends[1:]) / 2) for ends in (self.ends(0), self.ends(1))]
        return np.column_stack([logs[0][held // SIDE], logs[1][held % SIDE]])

    def cut_out(self, vertices: Floats) -> NDArray[np.uint8]:
        """Return for each square whether it lies outside, inside or on the edge of a convex polygon, (SQUARES,).

        ``vertices`` (k, 2) are counter-clockwise, in channels.
        """
        across, up = self.ends(0), self.ends(1)
        for ends in (across, up):
            ends[0], ends[-1] = -_FAR, _FAR
        lower, upper = _chains(vertices)
        left, right = vertices[:, 0].min(), vertices[:, 0].max()
        kinds = np.full((SIDE, SIDE), OUTSIDE, dtype=np.uint8)
        # Only rows between the polygon's ends can contain a part of it.
        first, last = np.searchsorted(across, left, side="left") - 1, np.searchsorted(across, right, side="right")
        rows = slice(max(int(first), 0), min(int(last), SIDE))
        across = across[rows.start : rows.stop + 1]
        within = np.clip(across, left, right)
        floors, ceilings = np.interp(within, *lower.T), np.interp(within, *upper.T)
        whole = (across[:-1] >= left) & (across[1:] <= right)
        touched = (across[1:] >= left) & (across[:-1] <= right)
        # Tolerance for rounding: such squares are tested event by event.
        hair = 1e-9 * (vertices[:, 1].max() - vertices[:, 1].min())
        highest_floor = np.maximum(floors[:-1], floors[1:]) + hair
        lowest_ceiling = np.minimum(ceilings[:-1], ceilings[1:]) - hair
        lowest_floor = np.minimum(floors[:-1], floors[1:]) - hair
        highest_ceiling = np.maximum(ceilings[:-1], ceilings[1:]) + hair
        for chain, ends, pick in ((lower, lowest_floor, np.argmin), (upper, highest_ceiling, np.argmax)):
            x, y = chain[int(pick(chain[:, 1]))]
            ends[(across[:-1] <= x) & (across[1:] >= x)] = y + (hair if pick is np.argmax else -hair)
        near = touched[:, None] & (up[1:] >= lowest_floor[:, None]) & (up[:-1] <= highest_ceiling[:, None])
        inside = whole[:, None] & (up[:-1] >= highest_floor[:, None]) & (up[1:] <= lowest_ceiling[:, None])
        kinds[rows] = np.where(inside, INSIDE, near * ON_THE_EDGE)
        return kinds.ravel()


def _chains(vertices: Floats) -> tuple[Floats, Floats]:
    """Return the lower and the upper side of a convex polygon, each (k, 2) from left to right."""
    start = int(np.lexsort((vertices[:, 1], vertices[:, 0]))[0])
    ordered = np.roll(vertices, -start, axis=0)
    right = np.flatnonzero(ordered[:, 0] == ordered[:, 0].max())
    upper = ordered[right[-1] :]
    if upper[-1, 0] > ordered[0, 0]:
        upper = np.vstack([upper, ordered[:1]])
    return ordered[: right[0] + 1], upper[::-1]

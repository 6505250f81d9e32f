"""Smoothed densities on a fixed scale, their modes and the valleys between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cd40l_flow.inputs.model import Floats

GRID = 400
LOW, HIGH = -0.2, 1.1


@dataclass(frozen=True)
class Density:
    """A density of one marker: ``grid`` (points on the logicle scale) and ``height`` (per unit of the scale), both
    (400,).
    """

    grid: Floats
    height: Floats

    def mode(self, low: float = LOW, high: float = HIGH) -> float:
        """Return the position of the highest point between two positions of the scale."""
        inside = (self.grid >= low) & (self.grid <= high)
        return float(self.grid[inside][np.argmax(self.height[inside])])


@dataclass(frozen=True)
class Valley:
    """A minimum between two modes; ``depth`` is 1 - height over the lower of the two modes (0 none, 1 empty)."""

    position: float
    depth: float
    left_mode: float
    right_mode: float


def density(scaled: Floats, bandwidth: float | None = None) -> Density:
    """Return the Gaussian kernel density of values on the logicle scale, (n,).

    The bandwidth (scale units) defaults to 0.9 min(SD, IQR/1.34) n^(-1/5) (Silverman 1986, eq. 3.31), at most 0.03: the
    rule is for one mode and would smear two.
    """
    edges = np.linspace(LOW, HIGH, GRID + 1)
    grid = (edges[:-1] + edges[1:]) / 2
    step = edges[1] - edges[0]
    counts = np.bincount(np.clip(((scaled - LOW) / step).astype(np.intp), 0, GRID - 1), minlength=GRID).astype(
        np.float64
    )
    if bandwidth is None:
        quartiles = np.quantile(scaled, (0.25, 0.75)) if scaled.size else np.zeros(2)
        spread = min(float(scaled.std()) if scaled.size else 0.0, float(quartiles[1] - quartiles[0]) / 1.34)
        bandwidth = float(np.clip(0.9 * spread * max(scaled.size, 1) ** -0.2, 0.008, 0.03))
    reach = int(np.ceil(4 * bandwidth / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / bandwidth) ** 2)
    height = np.convolve(counts, kernel / kernel.sum(), mode="same") / (max(scaled.size, 1) * step)
    return Density(grid, height)


def find_valleys(
    curve: Density, low: float, high: float, min_depth: float = 0.2, min_mass: float = 0.01
) -> list[Valley]:
    """Return the valleys between two positions of the scale, from left to right.

    A valley is at least ``min_depth`` deep against the lower of the modes it parts; a mode holds at least the fraction
    ``min_mass`` of the events between its valleys, so that a few stray events in an empty stretch are none.
    """
    height, grid = curve.height, curve.grid
    mass = np.concatenate(([0.0], np.cumsum(height))) * float(grid[1] - grid[0])
    modes = _modes(height, min_depth)
    while True:
        floors = [_floor(height, left, right) for left, right in zip(modes[:-1], modes[1:], strict=True)]
        ends = [0, *floors, height.size]
        masses = [mass[end] - mass[start] for start, end in zip(ends[:-1], ends[1:], strict=True)]
        if len(modes) < 2 or min(masses) >= min_mass:
            break
        del modes[int(np.argmin(masses))]
    return [
        Valley(
            position=float(grid[floor]),
            depth=float(1 - height[floor] / min(height[left], height[right])),
            left_mode=float(grid[left]),
            right_mode=float(grid[right]),
        )
        for left, right, floor in zip(modes[:-1], modes[1:], floors, strict=True)
        if low <= grid[floor] <= high
    ]


def _floor(height: Floats, left: int, right: int) -> int:
    """Return the lowest place between two modes: of an empty stretch, which has many, the middle."""
    between = height[left : right + 1]
    lowest = np.flatnonzero(between <= between.min() + 1e-9 * height.max())
    return left + int(lowest[len(lowest) // 2])


def _modes(height: Floats, min_depth: float) -> list[int]:
    """Return the places of the maxima, left to right, that are parted by dips of ``min_depth`` of the lower of two."""
    modes: list[int] = []
    rising, extreme = True, 0
    for index, value in enumerate(height):
        if rising:
            if value >= height[extreme]:
                extreme = index
            elif value <= (1 - min_depth) * height[extreme]:
                modes.append(extreme)
                rising, extreme = False, index
        elif value <= height[extreme]:
            extreme = index
        elif height[extreme] <= (1 - min_depth) * value:
            rising, extreme = True, index
    if rising and height[extreme] > 0:
        modes.append(extreme)
    return modes


def find_valley(
    curve: Density, low: float, high: float, min_depth: float = 0.2, min_mass: float = 0.01
) -> Valley | None:
    """Return the valley that parts the most, or None: the one whose floor lies furthest below the lower of its
    modes.
    """
    valleys = find_valleys(curve, low, high, min_depth, min_mass)

    def persistence(valley: Valley) -> float:
        lower = min(np.interp(mode, curve.grid, curve.height) for mode in (valley.left_mode, valley.right_mode))
        return float(lower * valley.depth)

    return max(valleys, key=persistence, default=None)


def left_sd(scaled: Floats, mode: float) -> float:
    """Return the SD of a population from the half below its mode, (n,) on the logicle scale: what lies above may be
    others.
    """
    left = mode - scaled[scaled < mode]
    return float(np.quantile(left, 0.6827)) if left.size else 0.0

"""Smoothed densities on a fixed scale, their modes and the valleys between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cd40l_flow.inputs.model import Floats

GRID = 400
LOW, HIGH = -0.2, 1.1


@dataclass(frozen=True)
class Density:
    """A density of one marker: ``grid`` (points on the logicle scale) and ``height`` (per unit of the scale), both (400,)."""

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


def find_valley(
    curve: Density, low: float, high: float, min_depth: float = 0.2, min_mass: float = 0.01
) -> Valley | None:
    """Return the most persistent valley between two positions of the scale, or None.

    Persistence is the height of the lower of the two modes it parts, less its own. A valley counts when it is at least
    ``min_depth`` deep and leaves at least the fraction ``min_mass`` of the events on each side.
    """
    height, grid = curve.height, curve.grid
    step = float(grid[1] - grid[0])
    below = np.maximum.accumulate(height)
    above = np.maximum.accumulate(height[::-1])[::-1]
    mass = np.cumsum(height) * step
    lower_mode = np.minimum(below, above)
    with np.errstate(invalid="ignore", divide="ignore"):
        depth = np.where(lower_mode > 0, 1 - height / lower_mode, 0.0)
    allowed = (grid >= low) & (grid <= high) & (depth >= min_depth) & (mass >= min_mass) & (1 - mass >= min_mass)
    if not allowed.any():
        return None
    persistence = np.where(allowed, lower_mode - height, -np.inf)
    best = float(persistence.max())
    # An empty stretch has many equally good points: take its middle.
    tied = np.flatnonzero(persistence >= best - 1e-9 * max(best, 1.0))
    index = int(tied[len(tied) // 2])
    return Valley(
        position=float(grid[index]),
        depth=float(depth[index]),
        left_mode=float(grid[int(np.argmax(height[: index + 1]))]),
        right_mode=float(grid[index + int(np.argmax(height[index:]))]),
    )


def left_sd(scaled: Floats, mode: float) -> float:
    """Return the SD of a population from the half below its mode, (n,) on the logicle scale: what lies above may be others."""
    left = mode - scaled[scaled < mode]
    return float(np.quantile(left, 0.6827)) if left.size else 0.0

"""Smoothed densities on a fixed scale, their modes and the valleys between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats, Singles
from cd40l_flow.gating.restored import restored
from cd40l_flow.signal.scale import Scale

Counts = NDArray[np.intp]

GRID = 400
LOW, HIGH = -0.2, 1.1
STEP = (HIGH - LOW) / GRID
# The histogram for quantiles is this many times finer than the density: about a thousandth of the scale.
FINER = 4
NARROWEST, WIDEST = 0.008, 0.03
# Points up to this fraction of the rise to the lower mode still belong to the floor of a valley (half of it for the
# higher mode, at most half of the rise).
FLAT = 0.1
_CHUNK = 1 << 14  # values per batch, to stay in the CPU cache


@dataclass(frozen=True)
class Density:
    """A density of one marker: ``grid`` (points on the logicle scale), ``height`` (per unit of the scale), both (400,).

    ``counts``, (1600,), is the underlying histogram, used for quantiles. ``low`` and ``high`` are the detector's ends.
    Beyond them only the number of events is known, and they are spread as in ``restored``; no boundary lies there.
    ``foot`` is the upper end of the population that the lower end cuts off, or None.
    """

    grid: Floats
    height: Floats
    counts: Floats
    low: float = LOW
    high: float = HIGH
    foot: float | None = None

    @property
    def total(self) -> int:
        """The number of values."""
        return round(float(self.counts.sum()))

    def mode(self, low: float = LOW, high: float = HIGH) -> float:
        """Return the position of the highest point between two positions of the scale."""
        inside = (self.grid >= low) & (self.grid <= high)
        return float(self.grid[inside][np.argmax(self.height[inside])])

    def middle(self, low: float = LOW, high: float = HIGH) -> float:
        """Return the middle of the highest peak between two positions: the mean of the part above half its height.

        It is more stable than the highest point of a flat top.
        """
        first, last = np.searchsorted(self.grid, (low, high))
        heights = self.height[first:last]
        top = int(np.argmax(heights))
        low_enough = np.flatnonzero(heights < heights[top] / 2)
        after = int(np.searchsorted(low_enough, top))
        start = int(low_enough[after - 1]) + 1 if after else 0
        end = int(low_enough[after]) if after < low_enough.size else heights.size
        weights = heights[start:end] - heights[top] / 2
        return float(weights @ self.grid[first + start : first + end] / weights.sum())

    def quantile(self, fraction: float) -> float:
        """Return the position below which a fraction of the values lies, NaN without values."""
        return _quantile(self.counts, fraction)

    def below(self, position: float) -> float:
        """Return the fraction of the values below a position."""
        cumulated = np.concatenate(([0.0], np.cumsum(self.counts)))
        return float(np.interp(position, _EDGES, cumulated) / max(cumulated[-1], 1.0))

    def seen(self, position: float) -> float:
        """Return a position moved inside the detector's range, if it lies beyond an end."""
        low = self.low + STEP / 2 if self.low > LOW else LOW
        high = self.high - STEP / 2 if self.high < HIGH else HIGH
        return min(max(position, low), high)

    def smoothed(self, bandwidth: float) -> Floats:
        """Return the heights with another bandwidth, (400,)."""
        return _smoothed(self.counts, bandwidth)

    def left_sd(self, mode: float, high: float | None = None) -> float:
        """Return the SD of a population from the half below its mode, free of populations above.

        It is the distance below the mode that holds 68.27 % of that half. With ``high``, the upper end of the
        population, the upper half is used if a log amplifier or an analog baseline cuts off the lower one (less than a
        third of the events).
        """
        cumulated = np.concatenate(([0.0], np.cumsum(self.counts)))
        if high is not None:
            # The mode of a pile-up at the bottom of the range may be one step off.
            middle, end = np.interp((mode - STEP, high), _EDGES, cumulated)
            if 3 * middle < end - middle:
                return _place(cumulated, middle + 0.6827 * (end - middle)) - mode
        below = float(np.interp(mode, _EDGES, cumulated))
        # Without values the mode is not a number, and so is the part below it.
        return mode - _place(cumulated, below - 0.6827 * below) if below > 0 else 0.0


@dataclass(frozen=True)
class Valley:
    """A minimum between two modes; ``depth`` is 1 - height over the lower of the two modes (0 none, 1 empty)."""

    position: float
    depth: float
    left_mode: float
    right_mode: float


_EDGES: Floats = np.linspace(LOW, HIGH, GRID * FINER + 1)
_GRID: Floats = (_EDGES[::FINER][:-1] + _EDGES[::FINER][1:]) / 2


def _place(cumulated: Floats, count: float) -> float:
    """Return where a cumulative histogram reaches a count."""
    bin_ = max(int(np.searchsorted(cumulated, count, side="left")), 1)
    below, above = cumulated[bin_ - 1], cumulated[bin_]
    share = (count - below) / (above - below) if above > below else 0.0
    return float(_EDGES[bin_ - 1] + share * (_EDGES[1] - _EDGES[0]))


def _quantile(counts: Floats, fraction: float) -> float:
    cumulated = np.concatenate(([0.0], np.cumsum(counts)))
    return _place(cumulated, fraction * cumulated[-1]) if cumulated[-1] else float("nan")


def counted(scaled: Floats | Singles) -> Counts:
    """Return the counts, (1600,), of values on the logicle scale, (n,); values outside are counted in the end bins."""
    fine = GRID * FINER
    unit, first = (scaled.dtype.type(number * fine / (HIGH - LOW)) for number in (1.0, -LOW))
    counts = np.zeros(fine, dtype=np.intp)
    for begin in range(0, scaled.size, _CHUNK):
        places = scaled[begin : begin + _CHUNK] * unit
        places += first
        counts += np.bincount(np.clip(places, 0, fine - 1, out=places).astype(np.uint16), minlength=fine)
    return counts


def density(scaled: Floats | Singles, bandwidth: float | None = None) -> Density:
    """Return the Gaussian kernel density of values on the logicle scale, (n,); bandwidth as in ``density_of``."""
    return density_of(counted(scaled), bandwidth)


@dataclass(frozen=True)
class Ends:
    """Pile-ups at the ends of a detector's range, on its ``scale``; None without one."""

    low: float | None
    high: float | None
    scale: Scale

    def drawn_out(self, counts: Floats, spacing: float) -> tuple[Floats, float | None]:
        """Return counts, (1600,), with pile-ups spread beyond the ends, and the upper end of the lower one's
        population.

        ``spacing`` is the step between values; both are on the scale.
        """
        first, last = (None if end is None else _bin(end) for end in (self.low, self.high))
        if first is None and last is None:
            return counts, None
        found = restored(counts, first, last, self.scale.inverse(_EDGES), spacing * FINER / STEP)
        return found.counts, None if found.foot is None else self.scale.to_scaled(found.foot)


def density_of(counts: Counts | Floats, bandwidth: float | None = None, ends: Ends | None = None) -> Density:
    """Return the Gaussian kernel density of counted values, (1600,).

    The bandwidth (scale units) defaults to 0.9 min(SD, IQR/1.34) n^(-1/5) (Silverman 1986, eq. 3.31), at most 0.03: the
    rule is for one mode and would blur two. It is never narrower than the instrument's step between values, since
    integers would give a comb. Pile-ups at ``ends`` are spread beyond them.
    """
    counts = counts.astype(np.float64)
    spacing = _spacing(counts)
    foot = None
    if ends is not None:
        counts, foot = ends.drawn_out(counts, spacing)
    if bandwidth is None:
        bandwidth = max(_silverman(counts), min(spacing, WIDEST))
    low = LOW if ends is None or ends.low is None else ends.low
    high = HIGH if ends is None or ends.high is None else ends.high
    return Density(_GRID, _smoothed(counts, bandwidth), counts, low, high, foot)


def _bin(position: float) -> int:
    """Return the index of the fine bin of a position."""
    return int(np.argmax(counted(np.array([position], dtype=np.float32))))


def spread_out(values: Floats, counts: Counts | Floats, origin: float, unit: float) -> Floats:
    """Return the counts, (1600,), on the scale (value - ``origin``) / ``unit`` of a histogram with any bins.

    ``values``, (n + 1,), are its bin edges and ``counts``, (n,), its counts, spread evenly within each bin.
    """
    cumulated = np.concatenate(([0.0], np.cumsum(counts)))
    reached = np.interp(origin + unit * _EDGES, values, cumulated)
    reached[0], reached[-1] = 0.0, cumulated[-1]
    return np.diff(reached)


def _smoothed(counts: Floats, bandwidth: float) -> Floats:
    """Return the density of a fine histogram on the grid, (400,), per unit of the scale."""
    coarse = counts.reshape(GRID, FINER).sum(axis=1)
    reach = int(np.ceil(4 * bandwidth / STEP))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * STEP / bandwidth) ** 2)
    height: Floats = np.convolve(coarse, kernel / kernel.sum(), mode="full")[reach : reach + GRID]
    return height / (max(float(counts.sum()), 1.0) * STEP)


def _silverman(counts: Floats) -> float:
    total = counts.sum()
    if total == 0:
        return NARROWEST
    middles = (_EDGES[:-1] + _EDGES[1:]) / 2
    mean = (counts * middles).sum() / total
    spread = float(np.sqrt((counts * (middles - mean) ** 2).sum() / total))
    spread = min(spread, (_quantile(counts, 0.75) - _quantile(counts, 0.25)) / 1.34)
    return float(np.clip(0.9 * spread * total**-0.2, NARROWEST, WIDEST))


def _spacing(counts: Floats) -> float:
    """Return the step between neighbouring values where most values lie, scale units; 0 where they are continuous.

    Bins of five events next to empty ones are not chance: the spacing is that of 90 % of the events.
    """
    held = np.flatnonzero(counts >= 5)
    if held.size < 3 or counts[held].sum() < 0.8 * counts.sum():
        return 0.0
    gaps = np.diff(held)
    order = np.argsort(gaps, kind="stable")
    weights = np.minimum(counts[held[:-1]], counts[held[1:]])[order]
    reached = int(np.searchsorted(np.cumsum(weights), 0.9 * weights.sum()))
    gap = float(gaps[order][min(reached, gaps.size - 1)])
    return gap * STEP / FINER if gap > FINER else 0.0


def find_valleys(
    curve: Density, low: float, high: float, min_depth: float = 0.2, min_mass: float = 0.01
) -> list[Valley]:
    """Return the valleys between two positions of the scale, from left to right.

    A valley is at least ``min_depth`` deep relative to the lower of its two modes. A mode holds at least the fraction
    ``min_mass`` of the events, so that a few stray events are no mode.
    """
    height, grid = curve.height, curve.grid
    mass = np.concatenate(([0.0], np.cumsum(height))) * STEP
    modes = _modes(height, min_depth)
    while True:
        floors = [
            left + int(np.argmin(height[left : right + 1])) for left, right in zip(modes[:-1], modes[1:], strict=True)
        ]
        ends = [0, *floors, height.size]
        masses = [mass[end] - mass[start] for start, end in zip(ends[:-1], ends[1:], strict=True)]
        if len(modes) < 2 or min(masses) >= min_mass:
            break
        del modes[int(np.argmin(masses))]
    valleys = [
        Valley(
            position=curve.seen(_floor(curve, left, floor, right)),
            depth=float(1 - height[floor] / min(height[left], height[right])),
            left_mode=float(grid[left]),
            right_mode=float(grid[right]),
        )
        for left, right, floor in zip(modes[:-1], modes[1:], floors, strict=True)
    ]
    return [valley for valley in valleys if low <= valley.position <= high]


def _floor(curve: Density, left: int, lowest: int, right: int) -> float:
    """Return the middle of a valley's floor, weighted by depth: the centre of a nearly empty interval, not its emptiest
    bin.
    """
    height = curve.height
    rises = sorted((height[left] - height[lowest], height[right] - height[lowest]))
    brim = height[lowest] + min(max(FLAT * rises[0], FLAT / 2 * rises[1]), rises[0] / 2)
    start, end = lowest, lowest
    while height[start - 1] < brim:
        start -= 1
    while height[end + 1] < brim:
        end += 1
    weights = np.maximum(brim - height[start : end + 1], 0.0)
    return float((weights * curve.grid[start : end + 1]).sum() / weights.sum())


def _modes(height: Floats, min_depth: float) -> list[int]:
    """Return the indices of the maxima, left to right, separated by dips of ``min_depth`` of the lower of two."""
    modes: list[int] = []
    rising, extreme = True, 0
    values = height.tolist()
    for index, value in enumerate(values):
        if rising:
            if value >= values[extreme]:
                extreme = index
            elif value <= (1 - min_depth) * values[extreme]:
                modes.append(extreme)
                rising, extreme = False, index
        elif value <= values[extreme]:
            extreme = index
        elif values[extreme] <= (1 - min_depth) * value:
            rising, extreme = True, index
    if rising:
        modes.append(extreme)
    return modes


def most_prominent(curve: Density, valleys: list[Valley]) -> Valley | None:
    """Return the most prominent valley, or None: the one with the largest drop below the lower of its modes."""

    def persistence(valley: Valley) -> float:
        lower = min(np.interp(mode, curve.grid, curve.height) for mode in (valley.left_mode, valley.right_mode))
        return float(lower * valley.depth)

    return max(valleys, key=persistence, default=None)

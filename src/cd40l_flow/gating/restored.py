"""Spread of a pile-up beyond the detector's end, following the population it belongs to.

Log amplifiers and clipped exports record every event beyond the range at its end. Such a pile-up looks like a peak with
a valley beside it. Here its events are spread over the tail of a normal distribution that fits the visible part of
their population, so that modes, spreads and valleys are those of the whole population. Counts within the range do not
change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx, ndtr, ndtri

from cd40l_flow.base.model import Floats

FEWEST, SMALLEST_SHARE = 10, 0.001
# Bins per smoothing unit, and the smoothing width in bins: an eightieth of the scale.
COARSE, BLUR = 4, 16
# Spread of a population in bins (1,600 per 1.3 of the scale): of an invisible one, and the maximum.
NARROWEST, WIDEST = 12.0, 125.0
# A pile-up this many times larger than the next population predicts is a population of its own.
TOO_MANY = 3.0
DIP = 0.2
# A population ends at this many SD; a smaller cut-off share does not determine its SD.
FOOT_SD, LEAST_CUT = 3.0, 0.1


@dataclass(frozen=True)
class Restored:
    """Counts, (bins,), with pile-ups spread; ``foot`` is the upper end of the population at the lower end, channels.

    It is the mean + 3 SD of a normal distribution in channels, None if too little is cut off to estimate it.
    """

    counts: Floats
    foot: float | None


def restored(counts: Floats, low: int | None, high: int | None, values: Floats, spacing: float = 0.0) -> Restored:
    """Return counts, (bins,), with the pile-ups in bin ``low`` (and below) and ``high`` (and above) spread beyond the
    ends.

    ``values``, (bins + 1,), are the bin edges on the linear scale, channels; ``spacing`` is the step between values,
    bins.
    """
    foot = None
    if low is not None:
        counts, foot = _drawn_out(counts, low, values, spacing)
    if high is not None:
        counts = _drawn_out(counts[::-1], counts.size - 1 - high, -values[::-1], spacing)[0][::-1]
    return Restored(counts, foot)


def _drawn_out(counts: Floats, at: int, values: Floats, spacing: float) -> tuple[Floats, float | None]:
    """Return counts with the bins up to ``at`` spread as a normal tail, and the upper end of their population."""
    piled = float(counts[: at + 1].sum())
    if piled < max(FEWEST, SMALLEST_SHARE * counts.sum()):
        return counts, None
    end = float(values[at + 1])
    seen, beyond = counts[at + 1 :], values[at + 1 :] - end
    heights = _heights(seen, spacing)
    modes = _peaks(heights)
    tail = _seen_tail(seen, heights, modes)
    found = counts.copy()
    if tail is not None:
        middle, spread = _tail(piled, tail, beyond, end - float(values[0]))
        found[: at + 1] = piled * _normal(values[: at + 2] - end, middle, spread)
        return found, end + middle + FOOT_SD * spread
    foot = None
    modes = [mode for mode in modes if mode]
    middle, spread, whole = _flank(piled, seen, heights, modes) if modes else (0.0, NARROWEST, piled)
    found[: at + 1] = piled * _normal(np.arange(-(at + 1), 1.0), middle, spread)
    if whole > piled > LEAST_CUT * whole:
        centre, sd = _tail(piled, seen[: _end(heights, modes) * COARSE], beyond, end - float(values[0]))
        foot = end + centre + FOOT_SD * sd
    return found, foot


def _seen_tail(seen: Floats, heights: Floats, modes: list[int]) -> Floats | None:
    """Return the visible part, (bins,), of a population that decreases from the pile-up on, None if it rises first."""
    if not modes or modes[0] > 0:
        return None
    valley = _end(heights, modes)
    tail = seen[: valley * COARSE]
    if len(modes) == 1:
        return tail
    flat = float(heights[valley]) * tail.size
    # Otherwise the apparent tail is noise.
    return tail if tail.sum() - flat > 3 * math.sqrt(tail.sum() + flat) else None


def _end(heights: Floats, modes: list[int]) -> int:
    """Return the lowest point between the first two modes, or the last point."""
    return modes[0] + int(np.argmin(heights[modes[0] : modes[1]])) if len(modes) > 1 else heights.size


def _normal(ends: Floats, middle: float, spread: float) -> Floats:
    """Return the share of each bin, (n,), of a normal distribution truncated to the range of the edges ``ends``, (n +
    1,).
    """
    shares = np.diff(ndtr((ends - middle) / spread))
    total = float(shares.sum())
    if total > 0:
        return np.asarray(shares / total, dtype=np.float64)
    shares[-1] = 1.0
    return np.asarray(shares, dtype=np.float64)


def _tail(piled: float, tail: Floats, values: Floats, room: float) -> tuple[float, float]:
    """Return mean and SD, channels from the pile-up, of a population whose mode is cut off.

    ``tail``, (bins,), is its visible part, ``values`` are edges of these and further bins, ``room`` is how far the
    scale reaches beyond. Background is normal in channels (noise), not on the scale. A piled-up share p lies below z =
    probit(p) SD, and the distance to the next events gives the SD. The nearest fifth of the events (at least thirty)
    shows this population; the nearest half may include others, so the smaller SD is used.
    """
    held = float(tail.sum())
    whole = piled + held
    z = float(ndtri(piled / whole))
    reached = np.cumsum(tail)
    spreads = []
    for wanted in (max(30.0, 0.2 * held), 0.5 * held):
        if held >= wanted:
            within = int(np.searchsorted(reached, wanted))
            span = float(ndtri(min((piled + reached[within]) / whole, 1 - 1e-9))) - z
            spreads.append(float(values[within + 1]) / span)
    least = float(values[min(int(NARROWEST), values.size - 1)])
    spread = min(max(min(spreads), least), room / (2 + max(z, 0.0)))
    return -z * spread, spread


def _flank(piled: float, seen: Floats, heights: Floats, modes: list[int]) -> tuple[float, float, float]:
    """Return mean and SD (bins) and events of the population whose flank the pile-up is, or of the pile-up itself."""
    mode, end = modes[0], _end(heights, modes)
    right = np.cumsum(seen[mode * COARSE : end * COARSE])
    spread = min(max(float(np.searchsorted(right, 0.6827 * right[-1])), NARROWEST), WIDEST)
    z = mode * COARSE / spread
    near = max(int(spread / 4), BLUR)
    # Mills' ratio: the normal tail probability beyond z over the density at z.
    mills = math.sqrt(math.pi / 2) * float(erfcx(z / math.sqrt(2)))
    expected = max(float(seen[:near].mean()) * spread * mills, 2 * float(right[-1]) * float(ndtr(-z)))
    if piled > TOO_MANY * expected + 3 * math.sqrt(expected) + FEWEST:
        return 0.0, NARROWEST, piled
    return float(mode * COARSE), spread, piled + float(seen[: end * COARSE].sum())


def _heights(seen: Floats, spacing: float) -> Floats:
    """Return the smoothed visible counts per bin, (bins / 4,), mirrored at the pile-up."""
    size = seen.size // COARSE
    coarse = seen[: size * COARSE].reshape(size, COARSE).mean(axis=1)
    blur = max(BLUR, spacing) / COARSE
    reach = min(math.ceil(4 * blur), size)
    if not reach:
        return np.asarray(coarse, dtype=np.float64)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / blur) ** 2)
    padded = np.concatenate((coarse[:reach][::-1], coarse, np.zeros(reach)))
    return np.asarray(np.convolve(padded, kernel / kernel.sum(), mode="valid"), dtype=np.float64)


def _peaks(heights: Floats) -> list[int]:
    """Return the indices of the maxima, left to right, separated by significant dips."""
    peaks: list[int] = []
    rising, extreme = True, 0
    window = BLUR * math.sqrt(2 * math.pi)  # effective number of bins per smoothed height
    for index, value in enumerate(heights.tolist()):
        height = float(heights[extreme])
        differ = abs(height - value) * window > 3 * math.sqrt((height + value) * window)
        if rising:
            if value >= height:
                extreme = index
            elif value <= (1 - DIP) * height and differ:
                peaks.append(extreme)
                rising, extreme = False, index
        elif value <= height:
            extreme = index
        elif height <= (1 - DIP) * value and differ:
            rising, extreme = True, index
    if rising and heights.size and heights[extreme] > 0:
        peaks.append(extreme)
    return peaks

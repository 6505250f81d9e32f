"""What a detector's end has cut off, drawn out beyond it as the population goes on: a pile is no peak.

Log amplifiers and clipped exports give every event beyond the range as its end. Left there, the pile is a peak of its
own with a valley beside it. Here its events are spread over the tail of a normal law that fits what is seen of their
population, so that modes, spreads and valleys are those of the whole. No count on the seen side changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx, ndtr, ndtri

from cd40l_flow.base.model import Floats

FEWEST, SMALLEST_SHARE = 10, 0.001
# Bins to a unit of smoothing, and what it is smoothed by, in bins: an eightieth of the scale.
COARSE, BLUR = 4, 16
# Spread of a population, bins (1,600 to 1.3 of the scale): of one that shows nothing of itself, and the most there is.
NARROWEST, WIDEST = 12.0, 125.0
# A pile this many times what the seen part of the next population lets expect is one of its own.
TOO_MANY = 3.0
DIP = 0.2
# A population ends at this many SD; a smaller share of it that is cut off does not show its SD.
FOOT_SD, LEAST_CUT = 3.0, 0.1


@dataclass(frozen=True)
class Restored:
    """Counts, (bins,), with piles drawn out; ``foot`` is where the population at the lower end ceases, channels.

    It is its middle + 3 SD as a normal law in channels, None where too little of it is cut off to say so.
    """

    counts: Floats
    foot: float | None


def restored(counts: Floats, low: int | None, high: int | None, values: Floats, spacing: float = 0.0) -> Restored:
    """Return counts, (bins,), with the events piled in bin ``low`` (and below) and ``high`` (and above) drawn out.

    ``values`` are the ends of the bins on the linear scale, (bins + 1,), channels; ``spacing`` is the step between the
    values that occur, bins.
    """
    foot = None
    if low is not None:
        counts, foot = _drawn_out(counts, low, values, spacing)
    if high is not None:
        counts = _drawn_out(counts[::-1], counts.size - 1 - high, -values[::-1], spacing)[0][::-1]
    return Restored(counts, foot)


def _drawn_out(counts: Floats, at: int, values: Floats, spacing: float) -> tuple[Floats, float | None]:
    """Return counts with those of the bins up to ``at`` spread as a normal tail, and the foot of their population."""
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
    """Return what is seen of a population that thins out from the pile on, (bins,), None where it rises first."""
    if not modes or modes[0] > 0:
        return None
    valley = _end(heights, modes)
    tail = seen[: valley * COARSE]
    flat = float(heights[min(valley, heights.size - 1)]) * tail.size
    # Else chance alone made it look like a tail.
    real = len(modes) == 1 or tail.sum() - flat > 3 * math.sqrt(tail.sum() + flat)
    return tail if real else None


def _end(heights: Floats, modes: list[int]) -> int:
    """Return the lowest place between the first mode and the second, or the last of all."""
    return modes[0] + int(np.argmin(heights[modes[0] : modes[1]])) if len(modes) > 1 else heights.size


def _normal(ends: Floats, middle: float, spread: float) -> Floats:
    """Return the share of each bin, (n,), in the part of a normal law that lies between the first and the last of its
    ``ends``, (n + 1,).
    """
    shares = np.diff(ndtr((ends - middle) / spread))
    total = float(shares.sum())
    if total > 0:
        return np.asarray(shares / total, dtype=np.float64)
    shares[-1] = 1.0
    return np.asarray(shares, dtype=np.float64)


def _tail(piled: float, tail: Floats, values: Floats, room: float) -> tuple[float, float]:
    """Return middle and SD, channels from the end of the pile, of a population whose mode is cut off.

    ``tail`` is what is seen of it, (bins,), ``values`` the ends of these bins and of more; ``room`` is how far the
    scale reaches beyond. Background is a normal law in channels (noise), not on the scale. The share p of its events
    that is piled is that below z = probit(p) SD; the distance within which the next events lie then gives the SD. The
    nearest fifth, and at least thirty, shows the population itself, the half of it of others beyond as well, so the
    smaller SD holds.
    """
    held = float(tail.sum())
    whole = piled + held
    z = float(ndtri(piled / whole)) if held else 3.0
    reached = np.cumsum(tail)
    spreads = []
    for wanted in (max(30.0, 0.2 * held), 0.5 * held):
        if held >= wanted > 0:
            within = int(np.searchsorted(reached, wanted))
            span = float(ndtri(min((piled + reached[within]) / whole, 1 - 1e-9))) - z
            spreads.append(float(values[within + 1]) / span)
    least = float(values[min(int(NARROWEST), values.size - 1)])
    spread = min(max(min(spreads, default=least), least), room / (2 + max(z, 0.0)))
    return -z * spread, spread


def _flank(piled: float, seen: Floats, heights: Floats, modes: list[int]) -> tuple[float, float, float]:
    """Return middle and SD, bins, and the events of the population whose flank the pile is; else the pile's own."""
    mode, end = modes[0], _end(heights, modes)
    right = np.cumsum(seen[mode * COARSE : end * COARSE])
    spread = float(np.searchsorted(right, 0.6827 * right[-1])) if right.size else 0.0
    spread = min(max(spread, NARROWEST), WIDEST)
    z = mode * COARSE / spread
    near = max(int(spread / 4), BLUR)
    # Mills' ratio: the tail of a normal law beyond z over its height there.
    mills = math.sqrt(math.pi / 2) * float(erfcx(z / math.sqrt(2)))
    expected = max(float(seen[:near].mean()) * spread * mills, 2 * float(right[-1]) * float(ndtr(-z)))
    if piled > TOO_MANY * expected + 3 * math.sqrt(expected) + FEWEST:
        return 0.0, NARROWEST, piled
    return float(mode * COARSE), spread, piled + float(seen[: end * COARSE].sum())


def _heights(seen: Floats, spacing: float) -> Floats:
    """Return the smoothed counts per bin of what is seen, (bins / 4,), mirrored at the pile."""
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
    """Return the indices of the maxima, left to right, parted by dips that are deeper than chance makes them."""
    peaks: list[int] = []
    rising, extreme = True, 0
    window = BLUR * math.sqrt(2 * math.pi)  # bins that one smoothed height rests on
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

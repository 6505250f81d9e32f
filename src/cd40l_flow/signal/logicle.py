"""The logicle function and its inverse: closed form one way, a table of cubic pieces the other.

Source: Parks, Roederer & Moore 2006 (doi:10.1002/cyto.a.20258); Moore & Parks 2012 (doi:10.1002/cyto.a.22030). With y
on the scale, x = a e^(by) - c e^(-dy) + f above the place y1 of zero, and below it the reflection about (0, y1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats, Singles

_PIECES = 8  # 2^8 pieces to each doubling of (distance from zero + width)
_SHIFT = 52 - _PIECES  # a double has 52 bits of mantissa
_CHUNK = 1 << 14  # values per batch, to stay in the CPU cache


@dataclass(frozen=True)
class Biexponential:
    """The terms of x = a e^(by) - c e^(-dy) + f; ``y1`` is where x is 0."""

    a: float
    b: float
    c: float
    d: float
    f: float
    y1: float

    def x(self, y: Floats) -> Floats:
        """Return the linear values of scale positions at or above ``y1``, (n,)."""
        found: Floats = self.a * np.exp(self.b * y) - self.c * np.exp(-self.d * y) + self.f
        return found

    def slope(self, y: Floats) -> Floats:
        """Return dx/dy, (n,)."""
        found: Floats = self.a * self.b * np.exp(self.b * y) + self.c * self.d * np.exp(-self.d * y)
        return found


@lru_cache(maxsize=256)
def biexponential(t: float, w: float, m: float, a: float) -> Biexponential:
    """Return the terms of a scale: top ``t`` (channel values), ``w`` and ``m`` decades, ``a`` decades below zero."""
    width = w / (m + a)
    x2 = a / (m + a)
    y1 = x2 + width
    y0 = x2 + 2 * width
    b = (m + a) * math.log(10)
    low, high = 0.0, b
    for _ in range(200):  # bisection: 2 ln(d/b) + w(b + d) rises with d and changes sign in (0, b]
        d = 0.5 * (low + high)
        if not low < d < high:
            break
        if 2 * (math.log(d) - math.log(b)) + width * (b + d) > 0:
            high = d
        else:
            low = d
    ratio = math.exp(y0 * (b + d))
    offset = math.exp(b * y1) - ratio * math.exp(-d * y1)
    amplitude = t / ((math.exp(b) - offset) - ratio * math.exp(-d))
    return Biexponential(amplitude, b, ratio * amplitude, d, -amplitude * offset, y1)


def inverse(scaled: Floats, terms: Biexponential) -> Floats:
    """Return the linear values of scale positions, (n,)."""
    below = scaled < terms.y1
    x = terms.x(np.where(below, 2 * terms.y1 - scaled, scaled))
    return np.where(below, -x, x)


def forward(values: Floats | Singles, terms: Biexponential) -> Floats:
    """Return the scale positions of linear values, (n,): exact to 1e-11, NaN where not finite."""
    scaled: Floats = np.empty(values.size)
    lay(values, terms, scaled)
    return scaled


def lay(values: Floats | Singles, terms: Biexponential, scaled: Floats | Singles) -> None:
    """Write the scale positions of linear values, (n,), into ``scaled``, (n,), of any floating-point precision.

    |x| + width, as a floating-point number, is its own piecewise linear logarithm: exponent and first bits of mantissa
    number the piece, the other bits are the place in it.
    """
    top = max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))
    if not math.isfinite(top):
        finite = np.isfinite(values)
        scaled[~finite] = np.nan
        scaled[finite] = forward(values[finite], terms)
        return
    width = float(terms.slope(np.array([terms.y1]))[0]) / terms.b
    # At least the top of the scale, so that all values of a detector share one table.
    top = max(top, float(terms.x(np.ones(1))[0]))
    first, cubics = _pieces(terms, width, math.frexp(top + width)[1])
    inside = (1 << _SHIFT) - 1
    size = min(_CHUNK, values.size)
    held, looked, summed, pieces = np.empty(size), np.empty(size), np.empty(size), np.empty(size, dtype=np.int64)
    for begin in range(0, values.size, _CHUNK):
        part = values[begin : begin + _CHUNK]
        place, coefficient, rise, piece = (whole[: part.size] for whole in (held, looked, summed, pieces))
        np.add(np.abs(part, out=place), width, out=place)
        bits = place.view(np.int64)
        np.subtract(np.right_shift(bits, _SHIFT, out=piece), first, out=piece)
        np.multiply(np.bitwise_and(bits, inside, out=bits), 1.0 / (1 << _SHIFT), out=place)
        # All indices are valid, and mode "clip" saves numpy a buffered copy.
        cubics[3].take(piece, out=rise, mode="clip")
        for power in (2, 1, 0):
            rise *= place
            rise += cubics[power].take(piece, out=coefficient, mode="clip")
        np.copysign(rise, part, out=rise)
        scaled[begin : begin + _CHUNK] = np.add(rise, terms.y1, out=rise)


@lru_cache(maxsize=64)
def _pieces(terms: Biexponential, width: float, octaves: int) -> tuple[int, NDArray[np.float64]]:
    """Return the number of the first piece, and the cubics in order, (4, pieces): Hermite, from exact ends and slopes.

    ``octaves`` is the exponent of two that no value of |x| + ``width`` reaches.
    """
    first = int(np.array([width]).view(np.int64)[0] >> _SHIFT)
    last = int(np.array([math.ldexp(1.0, octaves)]).view(np.int64)[0] >> _SHIFT)
    ends = (np.arange(first, last + 1, dtype=np.int64) << _SHIFT).view(np.float64)
    x = ends - width
    # Newton from the asinh of the same slope at zero; x(y) is convex above y1, so it goes down to the root and stays.
    y = _solve(np.abs(x), terms)
    rise = np.sign(x) * (y - terms.y1)
    slopes = np.diff(ends) / terms.slope(y)[:-1], np.diff(ends) / terms.slope(y)[1:]
    step = np.diff(rise)
    cubics = np.stack([rise[:-1], slopes[0], 3 * step - 2 * slopes[0] - slopes[1], slopes[0] + slopes[1] - 2 * step])
    return first, cubics


def _solve(x: Floats, terms: Biexponential) -> Floats:
    """Return the y of x at or above 0 by Newton's method, from above: x(y) is convex there."""
    y = np.maximum(terms.y1, np.log((x - terms.f + terms.c) / terms.a) / terms.b)
    for _ in range(60):
        step = (terms.x(y) - x) / terms.slope(y)
        y = np.maximum(y - step, terms.y1)
        if np.abs(step).max() < 1e-15:
            break
    return y

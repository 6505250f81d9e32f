"""Axes of figures: where a value lies as a fraction of the axis, and which ticks to draw."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats, Singles
from cd40l_flow.figures.plots import PlotAxis, Tick
from cd40l_flow.signal.scale import Scale

DECADES = (-1e3, -1e2, 0.0, *(10.0**power for power in range(2, 7)))
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Axis:
    """One axis of a figure: positions of values as fractions of its length, and its ticks."""

    def __init__(self, label: str, low: float, high: float, scale: Scale | None = None) -> None:
        self.label, self.low, self.high, self.scale = label, low, high, scale

    def fraction(self, values: Floats) -> Floats:
        """Return where values on the axis's own scale lie, 0 to 1, clipped to the axis."""
        clipped: Floats = np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)
        return clipped

    def cells(self, values: Floats | Singles, count: int) -> NDArray[np.uint8]:
        """Return the cell of each value, (n,), of ``count`` equal ones, at most 256; clipped to the axis."""
        unit = count / (self.high - self.low)
        places = values * values.dtype.type(unit)
        places -= values.dtype.type(self.low * unit)
        cells: NDArray[np.uint8] = np.clip(places, 0, count - 1, out=places).astype(np.uint8)
        return cells

    def at(self, value: float) -> float:
        """Return where one value on the axis's own scale lies, 0 to 1."""
        return float(self.fraction(np.array([value]))[0])

    def describe(self) -> PlotAxis:
        """Return label and ticks as plots have them; the panels of all tubes share their ticks."""
        ends = self.low, self.high, self.scale
        return PlotAxis(label=self.label, ticks=_ticks(*ends), minor=_minor(*ends))


@lru_cache(maxsize=256)
def _ticks(low: float, high: float, scale: Scale | None) -> tuple[Tick, ...]:
    """Return the ticks of an axis: fraction of its length and text."""
    if scale is None:
        step = 10 ** np.floor(np.log10(max(high - low, 1e-9)))
        step = step / 2 if (high - low) / step < 3 else step
        values = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
        fractions = np.clip((values - low) / (high - low), 0.0, 1.0)
        return tuple((round(float(at), 6), _plain(float(value))) for at, value in zip(fractions, values, strict=True))
    shown = [value for value in DECADES if not value or abs(value) >= 1.5 * scale.linear_width]
    places = (scale.forward(np.array(shown)) - low) / (high - low)
    ticks = zip(places.tolist(), shown, strict=True)
    return tuple((round(place, 6), _power(value)) for place, value in ticks if 0 <= place <= 1)


@lru_cache(maxsize=256)
def _minor(low: float, high: float, scale: Scale | None) -> tuple[float, ...]:
    """Return the minor ticks of an axis: the multiples of each decade on a logicle scale, none on another."""
    if scale is None:
        return ()
    shown = [value for value in DECADES if value and abs(value) >= 1.5 * scale.linear_width]
    values = np.array([value * times for value in shown for times in range(2, 10)])
    places = (scale.forward(values) - low) / (high - low) if values.size else values
    return tuple(round(place, 6) for place in places.tolist() if 0 <= place <= 1)


def _plain(value: float) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"


def _power(value: float) -> str:
    if value == 0:
        return "0"
    return ("\N{MINUS SIGN}" if value < 0 else "") + "10" + str(round(np.log10(abs(value)))).translate(SUPERSCRIPTS)

"""Axes of figures: where a value lies as a fraction of the axis, and which ticks to draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from cd40l_flow.inputs.model import Floats
from cd40l_flow.signal.scale import Scale

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Axis:
    """One axis of a figure: positions of values as fractions of its length, and its ticks."""

    def __init__(self, label: str, low: float, high: float, scale: Scale | None = None) -> None:
        self.label, self.low, self.high, self.scale = label, low, high, scale

    def fraction(self, values: Floats) -> Floats:
        """Return where values on the axis's own scale lie, 0 to 1, clipped to the axis."""
        clipped: Floats = np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)
        return clipped

    def at(self, value: float) -> float:
        """Return where one value on the axis's own scale lies, 0 to 1."""
        return float(self.fraction(np.array([value]))[0])

    def describe(self) -> dict[str, Any]:
        """Return label and ticks, each tick a fraction of the axis and its text."""
        return {"label": self.label, "ticks": self._ticks()}

    def _ticks(self) -> list[list[Any]]:
        if self.scale is None:
            step = 10 ** np.floor(np.log10(max(self.high - self.low, 1e-9)))
            step = step / 2 if (self.high - self.low) / step < 3 else step
            values = np.arange(np.ceil(self.low / step), np.floor(self.high / step) + 1) * step
            return [[round(self.at(value), 6), _plain(float(value))] for value in values]
        ticks = []
        width = self.scale.linear_width
        for value in [-1e3, -1e2, 0.0, *(10.0**power for power in range(2, 7))]:
            if value and abs(value) < 1.5 * width:
                continue
            position = (self.scale.to_scaled(value) - self.low) / (self.high - self.low)
            if 0 <= position <= 1:
                ticks.append([round(position, 6), _power(value)])
        return ticks


def _plain(value: float) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"


def _power(value: float) -> str:
    if value == 0:
        return "0"
    return ("\N{MINUS SIGN}" if value < 0 else "") + "10" + str(round(np.log10(abs(value)))).translate(SUPERSCRIPTS)

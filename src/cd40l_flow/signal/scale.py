"""One fixed logicle scale per detector of a run: W comes from the controls, never from another test sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cd40l_flow.inputs.model import Floats


@dataclass(frozen=True)
class Scale:
    """Logicle scale of a detector; 0 to 1 spans ``m`` decades below ``t`` (channel values), ``w`` of them linear.

    Source: Parks, Roederer & Moore 2006 (doi:10.1002/cyto.a.20258); Moore & Parks 2012 (doi:10.1002/cyto.a.22030).
    """

    t: float
    w: float
    m: float
    a: float
    source: str

    def forward(self, values: Floats) -> Floats:
        """Return compensated linear values on the logicle scale, same shape; 1 is the top ``t``."""
        from flowutils.transforms import logicle

        flat = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
        scaled: Floats = logicle(flat, None, t=self.t, m=self.m, w=self.w, a=self.a)
        return scaled.reshape(np.shape(values))

    def inverse(self, scaled: Floats) -> Floats:
        """Return logicle values on the linear scale, same shape, channel values."""
        from flowutils.transforms import logicle_inverse

        flat = np.ascontiguousarray(scaled, dtype=np.float64).reshape(-1)
        values: Floats = logicle_inverse(flat, None, t=self.t, m=self.m, w=self.w, a=self.a)
        return values.reshape(np.shape(scaled))

    def to_scaled(self, value: float) -> float:
        """Return one linear value on the logicle scale."""
        return float(self.forward(np.array([value]))[0])

    def to_linear(self, scaled: float) -> float:
        """Return one logicle value on the linear scale, channel values."""
        return float(self.inverse(np.array([scaled]))[0])

    @property
    def linear_width(self) -> float:
        """The widest Gaussian background (SD, channel values, centred on 0) that keeps one mode on this scale.

        With x(y) the inverse scale, the log density of N(0, s) in y has curvature x'''/x' - x'^2/s^2 at x = 0, so it
        stays unimodal while s^2 <= x'^3 / x'''. For asinh(x/c) this is c itself.
        """
        b, d, a, c, x1 = _biexponential(self.t, self.w, self.m, self.a)
        up, down = a * math.exp(b * x1), c * math.exp(-d * x1)
        first = b * up + d * down
        third = b**3 * up + d**3 * down
        return math.sqrt(first**3 / third)


def _biexponential(t: float, w: float, m: float, a: float) -> tuple[float, float, float, float, float]:
    """Return b, d, a, c and the position of zero of x = a e^(by) - c e^(-dy) + f (Moore & Parks 2012)."""
    width = w / (m + a)
    x2 = a / (m + a)
    x1 = x2 + width
    x0 = x2 + 2 * width
    b = (m + a) * math.log(10)
    low, high = 0.0, b
    for _ in range(200):  # bisection: 2 ln(d/b) + w(b + d) rises with d and changes sign in (0, b]
        d = 0.5 * (low + high)
        if 2 * (math.log(d) - math.log(b)) + width * (b + d) > 0:
            high = d
        else:
            low = d
    ratio = math.exp(x0 * (b + d))
    offset = math.exp(b * x1) - ratio * math.exp(-d * x1)
    amplitude = t / ((math.exp(b) - offset) - ratio * math.exp(-d))
    return b, d, amplitude, ratio * amplitude, x1


def choose_scale(top: float, negatives: Floats, background_sd: float, limits: Mapping[str, Any], source: str) -> Scale:
    """Return the narrowest scale that shows the negative values of ``negatives`` and keeps the background unimodal.

    ``negatives`` are compensated linear values, (n,), of which only those below zero are used; ``background_sd`` is the
    robust SD of the background in channel values, 0 where unknown; ``limits`` is the group ``scale`` of the
    configuration. W = (M - log10(T/|r|)) / 2 with r the 5th percentile of the negative values (Parks 2006), at least
    the configured width, widened until ``linear_width`` reaches the background's SD, at most M/2.
    """
    t = float(limits["top"] or top)
    m = float(limits["decades"])
    w = float(limits["linear_decades"])
    below = negatives[negatives < 0]
    if below.size >= 20:
        r = abs(float(np.quantile(below, 0.05)))
        w = max(w, (m - math.log10(t / r)) / 2 if r > 0 else w)
    ceiling = m / 2 - 0.05
    scale = Scale(t=t, w=round(min(w, ceiling), 3), m=m, a=0.0, source=source)
    while scale.linear_width < background_sd and scale.w < ceiling:
        scale = replace(scale, w=round(min(scale.w + 0.05, ceiling), 3))
    return scale


def widest(scales: Sequence[Scale]) -> Scale:
    """Return the scale with the widest linear part: what several controls of one run share (order does not matter)."""
    return max(scales, key=lambda scale: (scale.w, scale.t))


def robust_sd(values: Floats) -> float:
    """Return half the distance between the 15.87th and 84.13th percentiles, in the unit of ``values``; NaN if empty."""
    if values.size == 0:
        return math.nan
    low, high = np.quantile(values, (0.1587, 0.8413))
    return float(high - low) / 2

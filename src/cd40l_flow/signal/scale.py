"""One fixed logicle scale per detector of a run: W comes from the controls, never from another test sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from cd40l_flow.assay.gating_limits import ScaleLimits
from cd40l_flow.base.model import Floats, Singles
from cd40l_flow.signal.logicle import Biexponential, biexponential, forward, inverse, lay
from cd40l_flow.signal.quantiles import ONE_SD_ABOVE, ONE_SD_BELOW, quantiles

# The range for which the usual decades are meant, and how many SD of its background the linear part of a wider one may
# show: a detector of more bits may read as few channels.
USUAL_TOP, MOST_LINEAR = 2.0**18, 2.0


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
        flat = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
        return forward(flat, self._terms).reshape(np.shape(values))

    def singles(self, values: Singles) -> Singles:
        """Return compensated linear values, (n,), on the logicle scale in single precision, as gates use them."""
        scaled: Singles = np.empty(values.size, dtype=np.float32)
        lay(values, self._terms, scaled)
        return scaled

    def inverse(self, scaled: Floats) -> Floats:
        """Return logicle values on the linear scale, same shape, channel values."""
        flat = np.ascontiguousarray(scaled, dtype=np.float64).reshape(-1)
        return inverse(flat, self._terms).reshape(np.shape(scaled))

    @property
    def _terms(self) -> Biexponential:
        return biexponential(self.t, self.w, self.m, self.a)

    def to_scaled(self, value: float) -> float:
        """Return one linear value on the logicle scale."""
        return float(self.forward(np.array([value]))[0])

    def to_linear(self, scaled: float) -> float:
        """Return one logicle value on the linear scale, channel values."""
        return float(self.inverse(np.array([scaled]))[0])

    @property
    def linear_width(self) -> float:
        """The SD of the widest Gaussian background (channel values, centred on 0) that is unimodal on this scale.

        With x(y) the inverse scale, the log density of N(0, s) in y has curvature x'''/x' - x'^2/s^2 at x = 0, so it
        stays unimodal while s^2 <= x'^3 / x'''. For asinh(x/c) this is c itself.
        """
        terms = self._terms
        up, down = terms.a * math.exp(terms.b * terms.y1), terms.c * math.exp(-terms.d * terms.y1)
        first = terms.b * up + terms.d * down
        third = terms.b**3 * up + terms.d**3 * down
        return math.sqrt(first**3 / third)


def choose_scale(top: float, negatives: Floats, background_sd: float, limits: ScaleLimits, source: str) -> Scale:
    """Return the narrowest scale that shows the negative values of ``negatives`` and keeps the background unimodal.

    ``negatives`` are compensated linear values, (n,), of which only those below zero are used; ``background_sd`` is the
    robust SD of the background in channel values, 0 where unknown; ``limits`` is the group ``scale`` of the
    configuration. W = (M - log10(T/|r|)) / 2 with r the 5th percentile of the negative values (Parks 2006), at least
    the configured width, widened until ``linear_width`` reaches the background's SD, at most M/2. Where T is above
    2^18 and even the configured width is much wider than the background, M is larger: by log10(T / 2^18) at most.
    """
    t = float(limits.top or top)
    m = limits.decades
    w = limits.linear_decades
    below = negatives[negatives < 0]
    if below.size >= 20:
        r = abs(quantiles(below, (0.05,))[0])
        w = max(w, (m - math.log10(t / r)) / 2 if r > 0 else w)
    ceiling = m / 2 - 0.05
    scale = Scale(t=t, w=round(min(w, ceiling), 3), m=m, a=0.0, source=source)
    while scale.linear_width < background_sd and scale.w < ceiling:
        scale = replace(scale, w=round(min(scale.w + 0.05, ceiling), 3))
    narrow = scale.w <= limits.linear_decades and scale.linear_width > MOST_LINEAR * background_sd > 0
    if t > USUAL_TOP and narrow:
        # At the same W the linear part is 10^-M of the top.
        needed = math.log10(scale.linear_width / (MOST_LINEAR * background_sd))
        scale = replace(scale, m=round(m + min(needed, math.log10(t / USUAL_TOP)), 3))
    return scale


def widest(scales: Sequence[Scale]) -> Scale:
    """Return the scale with the widest linear part, which the controls of a run share; order does not matter."""
    return max(scales, key=lambda scale: (scale.linear_width, scale.t))


def robust_sd(values: Floats, floor: float | None = None) -> float:
    """Return half the distance between the 15.87th and 84.13th percentiles, in the unit of ``values``; NaN if empty.

    If the lower percentile falls in a pile-up at ``floor``, the SD is that of the normal distribution with the same
    share there and the same upper percentile; NaN if that falls in the pile-up too.
    """
    low, high = quantiles(values, (ONE_SD_BELOW, ONE_SD_ABOVE))
    if floor is None or not low <= floor:
        return (high - low) / 2
    share = float(np.mean(values <= floor))
    return (high - floor) / (1 - NormalDist().inv_cdf(share)) if high > floor else math.nan

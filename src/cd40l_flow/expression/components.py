"""The two components of the mixture, as probabilities per bin with their derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cd40l_flow.expression.histogram import centres, edges, quantile
from cd40l_flow.inputs.model import Floats

SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
TINY = 1e-300


@dataclass(frozen=True)
class Background:
    """The negative component: the background tube's own shape, smoothed a little.

    ``counts`` are its binned values, (bins,); ``sd`` their robust SD and ``median`` their median on the logicle scale.
    ``density`` (per scale unit) runs straight between the bin edges, (bins + 1,), and ``cumulative`` is its exact
    integral there: the likelihood is then smooth in the shift.
    """

    counts: Floats
    median: float
    sd: float
    density: Floats
    cumulative: Floats

    def probabilities(self, shift: float) -> tuple[Floats, Floats]:
        """Return the probability of each bin with the shape moved by ``shift`` (scale units), and its slope in it."""
        ends = edges(self.counts.size)
        step = float(ends[1] - ends[0])
        place = np.clip((ends - shift - ends[0]) / step, 0.0, self.counts.size)
        left = np.minimum(place.astype(np.intp), self.counts.size - 1)
        part = place - left
        rise = self.density[left + 1] - self.density[left]
        moved = self.cumulative[left] + step * part * (self.density[left] + 0.5 * part * rise)
        return np.diff(moved), -np.diff(self.density[left] + part * rise)


def background_component(counts: Floats) -> Background:
    """Return the negative component of binned background values, (bins,); at least one event is needed.

    The shape is kept; a Gaussian kernel of 0.5 SD n^(-1/5) fills the gaps between few events (it widens the shape by
    under 2 % at 1,000 events), and one event in all is spread over 8 SD so that no bin inside is impossible. The SD is
    the robust one.
    """
    total = float(counts.sum())
    if total <= 0:
        raise ValueError("a background without events has no shape")
    bins = counts.size
    step = float(edges(bins)[1] - edges(bins)[0])
    median = quantile(counts, 0.5)
    sd = max((quantile(counts, 0.8413) - quantile(counts, 0.1587)) / 2, step)
    width = max(0.5 * sd * total**-0.2, 0.5 * step)
    reach = math.ceil(4 * width / step)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    smooth = np.convolve(counts, kernel / kernel.sum(), mode="full")[reach : reach + bins]
    spread = np.exp(-0.5 * ((centres(bins) - median) / (2 * sd)) ** 2)
    smooth = smooth / smooth.sum() * total + spread / spread.sum()
    density = np.concatenate(([0.0], (smooth[:-1] + smooth[1:]) / 2, [0.0]))
    density /= density.sum() * step
    # The trapezoid rule is exact for straight pieces; the ends are 0, so their sum is the integral.
    cumulative = np.concatenate(([0.0], np.cumsum((density[:-1] + density[1:]) / 2 * step)))
    return Background(counts, median, sd, density, cumulative)


@dataclass(frozen=True)
class Positive:
    """The positive component: a skew-normal on the logicle scale (Azzalini 1985), by its mean, log width and shape.

    ``mean`` and exp(``log_width``) = omega are in scale units; ``shape`` is alpha: 0 symmetric, negative skewed to the
    left.
    """

    mean: float
    log_width: float
    shape: float

    @property
    def sd(self) -> float:
        """Standard deviation, scale units."""
        delta = self.shape / math.sqrt(1 + self.shape**2)
        return math.exp(self.log_width) * math.sqrt(1 - (SQRT_2_OVER_PI * delta) ** 2)

    def probabilities(self, bins: int) -> tuple[Floats, Floats]:
        """Return the probability of each bin, (bins,), and its derivatives in mean, log width and shape, (3, bins)."""
        from scipy.special import log_ndtr

        omega, alpha = math.exp(self.log_width), self.shape
        root = math.sqrt(1 + alpha**2)
        offset, offset_slope = SQRT_2_OVER_PI * alpha / root, SQRT_2_OVER_PI / root**3
        z = (centres(bins) - self.mean) / omega + offset
        log_half = log_ndtr(alpha * z)
        density = np.exp(math.log(2) - 0.5 * z**2 + log_half)
        total = max(float(density.sum()), TINY)
        p: Floats = density / total
        # Derivative of the log density; the hazard phi/Phi is taken in logs, for Phi underflows far out.
        hazard = np.exp(-0.5 * (alpha * z) ** 2 - 0.5 * math.log(2 * math.pi) - log_half)
        in_z = -z + alpha * hazard
        logs = np.vstack((-in_z / omega, -in_z * (z - offset), in_z * offset_slope + z * hazard))
        slopes: Floats = p * (logs - (logs @ p)[:, None])
        return p, slopes


def ashman_d(mean_a: float, sd_a: float, mean_b: float, sd_b: float) -> float:
    """Return Ashman's D of two components: sqrt(2) |difference| / sqrt(sum of variances); above 2 they are separate.

    Source: Ashman, Bird & Zepf 1994 (doi:10.1086/117248).
    """
    return math.sqrt(2) * abs(mean_a - mean_b) / math.sqrt(sd_a**2 + sd_b**2)

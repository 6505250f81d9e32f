"""The two components of the mixture, as probabilities per bin with their derivatives.

A cell that expresses has what any cell has, its background, and the light of its target on top. The target's signal is
log-skew-normal; both add on the linear scale and are looked at on the logicle scale. So one shape, of the logarithm of
the signal, serves a bright and a dim sample alike, which no shape on the logicle scale does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cd40l_flow.expression.histogram import centres, edges, quantile
from cd40l_flow.expression.normal import hazard, log_ndtr
from cd40l_flow.inputs.model import Floats
from cd40l_flow.signal.scale import Scale

SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
TINY = 1e-300
# The grid of log signals begins at a twentieth of the background's SD, and is the bins' from three of them.
FAINTEST, BRIGHT, FAINT_STEP = 0.05, 3.0, 0.04
KERNEL = 0.6  # of the smoothing of a background, in SD n^(-1/5)
ELECTRON = 2e-5  # of the top of the scale; cytometers with a top of 262,144 read about 2 to 10 channels per electron
TILTS, TILT_REACH = 3, 3.0
LEAST_SKEW, SKEW_BOUND = 1e-3, 0.95  # a skew-normal's skewness is below 0.9953


@dataclass(frozen=True)
class Positive:
    """What the target adds to the positive cells: the law of ln(signal in channel values), skew-normal (Azzalini 1985).

    ``level`` is its mean, exp(``log_spread``) its standard deviation (natural logarithms), ``skew`` its skewness: 0
    symmetric, negative with a tail of dim cells, between -0.95 and 0.95. (The direct parameters have a singular point
    at no skew, these have not: Azzalini & Capitanio 1999, doi:10.1111/1467-9868.00194.)
    """

    level: float
    log_spread: float
    skew: float

    @property
    def median(self) -> float:
        """Geometric mean of the signal, channel values."""
        return math.exp(self.level)


@dataclass(frozen=True)
class Background:
    """The negative component: the background tube's own shape, smoothed a little.

    ``counts`` are its binned values, (bins,), and ``smooth`` the probabilities they are smoothed to; ``sd`` is their
    robust SD and ``median`` their median on the logicle scale, ``linear_sd`` the SD in channel values.
    """

    counts: Floats
    smooth: Floats
    median: float
    sd: float
    linear_sd: float
    scale: Scale

    @cached_property
    def ends(self) -> Floats:
        """Bin edges in channel values, (bins + 1,)."""
        return self.scale.inverse(edges(self.counts.size))

    @cached_property
    def directions(self) -> Floats:
        """Ways in which the true shape may differ from the tube's, (3, bins): its width, lean and tails.

        Polynomials of degree 2 to 4 in robust SD, of mean 0 and variance 1 under the shape, uncorrelated with each
        other and with the place. Tilting the shape by ``a`` of them costs m a^2 / 2 of log likelihood, m being the
        tube's cells: what a tube of that size leaves open.
        """
        z = np.clip((centres(self.counts.size) - self.median) / self.sd, -TILT_REACH, TILT_REACH)
        root = np.sqrt(self.smooth)
        orthogonal, triangle = np.linalg.qr(np.vander(z, 2 + TILTS, increasing=True) * root[:, None])
        inverse = np.linalg.solve(triangle, np.eye(2 + TILTS))
        return (np.vander(z, 2 + TILTS, increasing=True) @ inverse)[:, 2:].T

    def tilted(self, tilt: Floats) -> tuple[Floats, Floats]:
        """Return the shape tilted along ``directions`` by (3,), (bins,), and its derivatives by them, (3, bins)."""
        p = self.smooth * np.exp(tilt @ self.directions)
        p /= p.sum()
        return p, p * (self.directions - (self.directions @ p)[:, None])

    @cached_property
    def cumulative(self) -> Floats:
        """Share of the background below each bin edge, (bins + 1,)."""
        return np.concatenate(([0.0], np.cumsum(self.smooth)))

    def move(self, rows: Floats, shift: float) -> tuple[Floats, Floats]:
        """Return probabilities of bins, (rows, bins), with all cells moved by ``shift``, and their slopes in it.

        ``shift`` is in robust SD of the background, added on the linear scale. Between the bin edges the density runs
        straight there, so that the likelihood is smooth in the shift.
        """
        ends = self.ends
        widths = np.diff(ends)
        density = np.zeros((rows.shape[0], ends.size))
        density[:, 1:-1] = (rows[:, :-1] + rows[:, 1:]) / (widths[:-1] + widths[1:])
        below = np.zeros_like(density)
        np.cumsum((density[:, :-1] + density[:, 1:]) * (widths / 2), axis=1, out=below[:, 1:])
        at = np.clip(ends - shift * self.linear_sd, ends[0], ends[-1])
        left = np.minimum(np.searchsorted(ends, at, side="right") - 1, widths.size - 1)
        away = at - ends[left]
        lower = density[:, left]
        there = lower + (away / widths[left]) * (density[:, left + 1] - lower)
        moved = below[:, left] + 0.5 * away * (lower + there)
        return np.diff(moved, axis=1), -self.linear_sd * np.diff(there, axis=1)

    @cached_property
    def signals(self) -> tuple[Floats, Floats]:
        """Signals to add, ln(channel values), and the weight of each in integrals, (signals,) each.

        Above a few SD of the background they are the bins' centres: a bright cell then lies in its bin, and no pattern
        of two grids appears. Below, they run in even steps down to a signal that nobody could tell from none.
        """
        middle = self.scale.inverse(centres(self.counts.size))
        bright = np.log(middle[middle > BRIGHT * self.linear_sd])
        top = bright[0] if bright.size else math.log(self.scale.t)
        faint = top - FAINT_STEP * np.arange(math.ceil(math.log(BRIGHT / FAINTEST) / FAINT_STEP), 0, -1)
        grid = np.concatenate((faint, bright))
        return grid, np.gradient(grid)

    @cached_property
    def lit(self) -> Floats:
        """Probability of each bin for background cells with a given signal added, (signals, bins)."""
        below = np.interp(self.ends - np.exp(self.signals[0])[:, None], self.ends, self.cumulative)
        # What leaves the scale is kept in its end bins, as in the data.
        below[:, 0], below[:, -1] = 0.0, 1.0
        return np.diff(below, axis=1)

    @cached_property
    def noise(self) -> Floats:
        """Share of the cells of an expected signal that show another, for light comes in electrons, (signals, signals).

        A signal S has a variance of S times one electron's channel values; it is put on three points by Gauss-Hermite
        quadrature, and each of them on its two neighbours in the grid.
        """
        signals = np.exp(self.signals[0])
        rows = np.arange(signals.size)
        shares = 2 / 3 * np.eye(signals.size)
        spread = np.sqrt(3 * signals * self.electron)
        for side in (-1, 1):
            place = np.interp(signals + side * spread, signals, rows)
            left = np.minimum(place.astype(np.intp), signals.size - 2)
            shares[rows, left] += (1 - place + left) / 6
            shares[rows, left + 1] += (place - left) / 6
        return shares

    @property
    def electron(self) -> float:
        """What one photo-electron is, channel values: a judgement, at most what the background's own noise leaves room
        for.
        """
        median = self.scale.to_linear(self.median)
        room = 0.5 * self.linear_sd**2 / median if median > 0 else math.inf
        return min(ELECTRON * self.scale.t, room)

    def probabilities(self, shift: float) -> tuple[Floats, Floats]:
        """Return the probability of each bin with all cells moved by ``shift`` (robust SD, linear), and its slope."""
        moved, slopes = self.move(self.smooth[None], shift)
        return moved[0], slopes[0]

    def positive(self, positive: Positive) -> tuple[Floats, Floats]:
        """Return the probability of each bin, (bins,), and its derivatives by level, log spread and skew, (3, bins)."""
        p = signal_law(positive, *self.signals) @ self.noise @ self.lit
        return p[0], p[1:]


def signal_law(positive: Positive, log_signals: Floats, weights: Floats) -> Floats:
    """Return the probabilities of a grid of log signals and their derivatives by the 3 parameters, (4, grid)."""
    skew = min(max(positive.skew, -SKEW_BOUND), SKEW_BOUND)
    if abs(skew) >= LEAST_SKEW:
        return _law(positive.level, positive.log_spread, skew, log_signals, weights)
    # Near no skew alpha changes with the cube root of the skewness: run straight between two points there.
    low, high = (_law(positive.level, positive.log_spread, side * LEAST_SKEW, log_signals, weights) for side in (-1, 1))
    part = 0.5 * (1 + skew / LEAST_SKEW)
    law = (1 - part) * low + part * high
    law[3] = (high[0] - low[0]) / (2 * LEAST_SKEW)
    return law


def _law(level: float, log_spread: float, skew: float, log_signals: Floats, weights: Floats) -> Floats:
    # From mean, SD and skewness to Azzalini's delta and alpha: b = delta sqrt(2 / pi).
    spread = math.exp(log_spread)
    root = math.copysign((2 * abs(skew) / (4 - math.pi)) ** (1 / 3), skew)  # b / sqrt(1 - b^2)
    root_slope = root / (3 * skew)
    b = root / math.sqrt(1 + root**2)
    b_slope = root_slope / (1 + root**2) ** 1.5
    delta = b / SQRT_2_OVER_PI
    delta_slope = b_slope / SQRT_2_OVER_PI
    alpha = delta / math.sqrt(1 - delta**2)
    alpha_slope = delta_slope / (1 - delta**2) ** 1.5
    unit = 1 / math.sqrt(1 - b**2)  # omega at a standard deviation of 1
    unit_slope = b * b_slope * unit**3
    standard = (log_signals - level) / spread
    z = standard / unit + b
    lower = log_ndtr(alpha * z)
    p = weights * np.exp(-0.5 * z**2 + lower)
    p /= max(float(p.sum()), TINY)
    ratio = hazard(alpha * z, lower)
    in_z = -z + alpha * ratio
    logs = np.empty((3, z.size))
    logs[0] = -in_z / (unit * spread)
    logs[1] = -in_z * standard / unit
    logs[2] = in_z * (b_slope - standard * unit_slope / unit**2) + ratio * z * alpha_slope
    logs -= (logs @ p)[:, None]
    return np.vstack((p, logs * p))


def background_component(counts: Floats, scale: Scale) -> Background:
    """Return the negative component of binned background values, (bins,), on a scale; at least one event is needed.

    The shape is kept; a Gaussian kernel of 0.6 SD n^(-1/5) fills the gaps between few events, what it adds to the
    variance is taken back by drawing the values together (Silverman 1986, section 6.4), and one event in all is spread
    over 8 SD so that no bin inside is impossible. The SD is the robust one.
    """
    total = float(counts.sum())
    if total <= 0:
        raise ValueError("a background without events has no shape")
    bins = counts.size
    ends = edges(bins)
    step = float(ends[1] - ends[0])
    low, median, high = (quantile(counts, q) for q in (0.1587, 0.5, 0.8413))
    if high - low < 2 * step:
        low, high = median - step, median + step
    sd = (high - low) / 2
    width = max(KERNEL * sd * total**-0.2, 0.5 * step)
    reach = math.ceil(4 * width / step)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    smooth = np.convolve(counts, kernel / kernel.sum(), mode="full")[reach : reach + bins]
    below = np.concatenate(([0.0], np.cumsum(smooth)))
    smooth = np.diff(np.interp(median + (ends - median) * math.sqrt(1 + (width / sd) ** 2), ends, below))
    spread = np.exp(-0.5 * ((centres(bins) - median) / (2 * sd)) ** 2)
    smooth = smooth / smooth.sum() * total + spread / spread.sum()
    linear = scale.inverse(np.array([low, high]))
    return Background(counts, smooth / smooth.sum(), median, sd, float(linear[1] - linear[0]) / 2, scale)


def ashman_d(mean_a: float, sd_a: float, mean_b: float, sd_b: float) -> float:
    """Return Ashman's D of two components: sqrt(2) |difference| / sqrt(sum of variances); above 2 they are separate.

    Source: Ashman, Bird & Zepf 1994 (doi:10.1086/117248).
    """
    return math.sqrt(2) * abs(mean_a - mean_b) / math.sqrt(sd_a**2 + sd_b**2)

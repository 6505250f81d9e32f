"""The two components of the mixture, as probabilities per bin with their derivatives.

An expressing cell has the background of any cell plus the signal of its target. The target's signal is log-skew-normal;
both add on the linear scale and are binned on the logicle scale. So one shape, of the logarithm of the signal, fits
bright and dim samples alike, which no shape on the logicle scale does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array, vstack

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.histogram import centres, cumulated, cut, edge_densities, edges, quantile, spread_below
from cd40l_flow.mixture.signal_law import SignalParameters, bend_slopes, signal_law
from cd40l_flow.signal.scale import USUAL_TOP, Scale

# The grid of log signals starts at a twentieth of the background's SD and follows the bins above three SD.
FAINTEST, BRIGHT, FAINT_STEP = 0.05, 3.0, 0.04
WIDE_STEP = 0.15
# Bandwidth for smoothing a background, in SD n^(-1/5): the normal reference rule (Silverman 1986, equation 3.28). A
# smaller one keeps noise of the tube, which a large dim sample would fit as expressing cells.
KERNEL = 1.0
FINELY = 8  # parts of a bin within which the cumulative distribution is linear
# Of the top of the scale; cytometers with a top of 262,144 read about 2 to 10 channels per electron. One of more bits
# may read as few, which its background shows: a tenth of its SD is what those 2 to 10 are of usual backgrounds.
ELECTRON, ELECTRON_OF_NOISE = 1.7e-5, 0.1
ELECTRON_BOUNDS = (-1.1, 1.1)  # of the logarithm of a photo-electron over that
TILTS, TILT_REACH = 3, 3.0
MOST_WIDENING = 0.3


@dataclass(frozen=True)
class Background:
    """The negative component: the background tube's own shape, smoothed a little.

    ``counts`` are its binned values, (bins,), and ``smooth`` the probabilities they are smoothed to; ``sd`` is their
    robust SD and ``median`` their median on the logicle scale, ``linear_sd`` the SD in channel values. Of the scale's
    ``scale_bins``, those above the last may be left out; what lies there is in the last. ``floor`` is the bin of the
    lowest value that the instrument writes; cells there are censored. ``smooth`` continues below it, for added signals.
    """

    counts: Floats
    smooth: Floats
    median: float
    sd: float
    linear_sd: float
    scale: Scale
    scale_bins: int
    floor: int = 0

    def upto(self, bins: int) -> Background:
        """Return the background truncated to its first bins, to skip bins without cells."""
        if bins >= self.counts.size:
            return self
        if bins not in self._shorter:
            self._shorter[bins] = replace(self, counts=cut(self.counts, bins), smooth=cut(self.smooth, bins))
        return self._shorter[bins]

    @cached_property
    def _shorter(self) -> dict[int, Background]:
        return {}

    @cached_property
    def _edges(self) -> Floats:
        """Bin edges on the logicle scale, (bins + 1,)."""
        return edges(self.scale_bins)[: self.counts.size + 1]

    @cached_property
    def ends(self) -> Floats:
        """Bin edges in channel values, (bins + 1,)."""
        return self.scale.inverse(self._edges)

    @cached_property
    def _polynomials(self) -> tuple[Floats, Floats]:
        """Values of the directions, (3, bins), and half their mean curvature in robust SD, (3,)."""
        z = np.clip((centres(self.scale_bins)[: self.counts.size] - self.median) / self.sd, -TILT_REACH, TILT_REACH)
        powers = np.vander(z, 2 + TILTS, increasing=True)
        root = np.sqrt(self.smooth)
        _, triangle = np.linalg.qr(powers * root[:, None])
        inverse = np.linalg.solve(triangle, np.eye(2 + TILTS))[:, 2:]
        order = np.arange(2, 2 + TILTS)
        curvatures = (self.smooth @ powers[:, :TILTS]) * order * (order - 1)
        return (powers @ inverse).T, 0.5 * curvatures @ inverse[2:]

    @property
    def directions(self) -> Floats:
        """Directions in which the true shape may differ from the tube's, (3, bins): width, skewness and tails.

        Polynomials of degree 2 to 4 in robust SD, of mean 0 and variance 1 under the shape, uncorrelated with each
        other and with location. Tilting the shape by ``a`` of them costs m a^2 / 2 of log likelihood, m being the
        tube's cells: the sampling error of the tube.
        """
        return self._polynomials[0]

    def widening(self, electron: float) -> Floats:
        """Return the tilt of the shape per robust SD of shift, (3,): more light has more photo-electron noise.

        Adding variance changes the density by half its second derivative (heat equation), here projected on the
        directions.
        """
        tilt: Floats = self.electron(electron) / self.linear_sd * self._polynomials[1]
        # A background of a single value has no curvature.
        return np.clip(tilt, -MOST_WIDENING, MOST_WIDENING)

    def tilted(self, tilt: Floats) -> tuple[Floats, Floats]:
        """Return the shape tilted along ``directions`` by (3,), (bins,), and its derivatives by them, (3, bins)."""
        p = self.smooth * np.exp(tilt @ self.directions)
        p /= p.sum()
        return p, p * (self.directions - (self.directions @ p)[:, None])

    @cached_property
    def _finely(self) -> tuple[Floats, Floats]:
        """Channel values and the share of the background below each, (8 bins + 1,); linear in between."""
        places = np.arange(FINELY * self.counts.size + 1) / FINELY
        step = float(self._edges[1] - self._edges[0])
        return self.scale.inverse(self._edges[0] + step * places), cumulated(self.smooth, places)

    def move(self, rows: Floats, shift: float, sloped: int) -> tuple[Floats, Floats]:
        """Return probabilities of bins, (rows, bins), with all cells moved by ``shift``, and the slopes in it of the
        first ``sloped`` rows, (sloped, bins).

        ``shift`` is in robust SD of the background, added on the linear scale. The density is parabolic between bin
        edges, which keeps the likelihood smooth in the shift and adds no width in wide bins.
        """
        ends = self.ends
        at = np.clip(ends - shift * self.linear_sd, ends[0], ends[-1])
        left = np.minimum(np.searchsorted(ends, at, side="right") - 1, ends.size - 2)
        widths = ends[left + 1] - ends[left]
        t = (at - ends[left]) / widths
        # Cubic Hermite interpolation of the cumulative distribution between edges.
        inside = rows.take(left, axis=1)
        slopes = edge_densities(rows) / self._channels_per_bin
        first, second = slopes.take(left, axis=1) * widths, slopes.take(left + 1, axis=1) * widths
        bend, twist = 3 * inside - 2 * first - second, first + second - 2 * inside
        below = np.zeros((rows.shape[0], ends.size))
        np.cumsum(rows, axis=1, out=below[:, 1:])
        moved = below.take(left, axis=1) + t * (first + t * (bend + t * twist))
        first, bend, twist = first[:sloped], bend[:sloped], twist[:sloped]
        there = (first + t * (2 * bend + 3 * t * twist)) / widths
        return np.diff(moved, axis=1), -self.linear_sd * np.diff(there, axis=1)

    @cached_property
    def _channels_per_bin(self) -> Floats:
        """Width of a bin in channel values at each bin edge, (bins + 1,)."""
        return np.gradient(self.ends, edge_order=2)

    @cached_property
    def signals(self) -> tuple[Floats, Floats]:
        """The grid of added signals, ln(channel values), and their weights in integrals, (signals,) each.

        Above a few SD of the background they are the bin centres, which avoids interference of two grids. Below, they
        continue in even steps down to an undetectable signal; beyond the last bin, in wide steps to the top of the
        scale.
        """
        middle = self.scale.inverse(centres(self.scale_bins))
        last = self.counts.size
        beyond = (np.log(middle[-1]) - np.log(middle[last - 1])) if last < middle.size else 0.0
        bright = np.log(middle[middle > BRIGHT * self.linear_sd])
        top = bright[0] if bright.size else math.log(self.scale.t)
        faint = top - FAINT_STEP * np.arange(math.ceil(math.log(BRIGHT / FAINTEST) / FAINT_STEP), 0, -1)
        if beyond > 0:
            wide = np.log(middle[last - 1]) + np.linspace(0.0, beyond, math.ceil(beyond / WIDE_STEP) + 1)[1:]
            bright = np.concatenate((bright[bright <= np.log(middle[last - 1])], wide))
        grid = np.concatenate((faint, bright))
        return grid, np.gradient(grid)

    @cached_property
    def lit(self) -> Floats:
        """Probability of each bin for background cells with a given signal added, (signals, bins)."""
        fine, cumulative = self._finely
        below = np.interp(self.ends - np.exp(self.signals[0])[:, None], fine, cumulative)
        # Cells beyond the scale count in its end bins, as in the data.
        below[:, 0], below[:, -1] = 0.0, 1.0
        return np.diff(below, axis=1)

    def noisy(self, law: Floats, electron: float) -> Floats:
        """Return a distribution of signals and its derivatives, (rows, signals), with photo-electron noise added.

        The blur grows almost linearly with the size of an electron; a parabola through zero, one and two of the usual
        size keeps the likelihood smooth. The last row returned is the first's derivative by ln(electron).
        """
        size = math.exp(electron)
        once, twice = np.hsplit(np.asarray(self._blurs @ law.T).T, 2)
        straight, bend = 2 * once - 1.5 * law - 0.5 * twice, 0.5 * (law + twice) - once
        slope: Floats = size * straight[0] + 2 * size**2 * bend[0]
        return np.vstack((law + size * straight + size**2 * bend, slope))

    @cached_property
    def _blurs(self) -> csr_array[np.float64]:
        """The matrix that blurs a distribution of signals by the usual electron, and below it by twice that, (2
        signals, signals).

        A signal S has a variance of S times the channel values of one electron. It is represented by three
        Gauss-Hermite points, the outer ones interpolated on the grid; two thirds stay.
        """
        signals = np.exp(self.signals[0])
        index = np.arange(signals.size)
        found = []
        for size in (1.0, 2.0):
            spread = np.sqrt(3 * signals * size * self.electron(0.0))
            both = np.concatenate((signals - spread, signals + spread))
            place = np.interp(both, signals, index)
            left = np.minimum(place.astype(np.intp), signals.size - 2)
            right = place - left
            shares = np.concatenate(((1 - right) / 6, right / 6, np.full(signals.size, 2 / 3)))
            to, of = np.concatenate((left, left + 1, index)), np.concatenate((np.tile(index, 4), index))
            found.append(csr_array((shares, (to, of)), shape=(signals.size, signals.size)))
        return csr_array(vstack(found))

    @property
    def electron_bounds(self) -> tuple[float, float]:
        """The bounds of ln(photo-electron / usual size); the background's own noise limits it."""
        low, high = ELECTRON_BOUNDS
        median = self.scale.to_linear(self.median)
        if median <= 0:
            return low, high
        return low, min(max(math.log(0.5 * self.linear_sd**2 / median / self.electron(0.0)), low), high)

    def electron(self, log_ratio: float) -> float:
        """Return a photo-electron in channel values from ln(photo-electron / usual size)."""
        usual = min(ELECTRON * self.scale.t, max(ELECTRON * USUAL_TOP, ELECTRON_OF_NOISE * self.linear_sd))
        return usual * math.exp(log_ratio)

    def moved(self, rows: Floats, shift: float) -> Floats:
        """Return `move`'s probabilities without slopes, (rows, bins); its parabolas may be slightly negative."""
        return np.maximum(self.move(rows, shift, 0)[0], 0.0)

    def positives(self, several: Sequence[SignalParameters]) -> Floats:
        """Return the probabilities of the bins for several laws of one electron, (laws, bins), without derivatives."""
        laws = np.array([signal_law(one, *self.signals)[0] for one in several])
        found: Floats = np.maximum(self.noisy(laws, several[0].electron)[:-1] @ self.lit, 0.0)
        return found

    def positive(self, positive: SignalParameters, *, bending: bool = False) -> tuple[Floats, Floats]:
        """Return the probability of each bin, (bins,), and its derivatives by the law's parameters, (4, bins).

        With ``bending`` those by its bends follow, (12, bins) in all.
        """
        law = signal_law(positive, *self.signals)
        if bending:
            law = np.vstack((law, bend_slopes(law[0], positive, self.signals[0])))
        p = self.noisy(law, positive.electron) @ self.lit
        # Order: level, spread, skew, electron, bends; noise adds the derivative by the electron last.
        slopes = np.vstack((p[1:4], p[-1:], p[4:-1])) if bending else p[1:]
        # The noise parabola may be slightly negative where the density is near zero.
        return np.maximum(p[0], 0.0), slopes


def background_component(counts: Floats, scale: Scale, floor: int = 0) -> Background:
    """Return the negative component of binned background values, (bins,), on a scale; at least one event is needed.

    ``floor`` is the bin of the lowest value that the instrument writes, 0 without a limit. A Gaussian kernel of SD
    n^(-1/5) fills gaps between few events. The variance it adds is removed by shrinking the values (Silverman 1986,
    section 6.4), and one event in total is spread over 8 SD so that no bin has probability zero. The SD is the robust
    one.
    """
    total = float(counts.sum())
    if total <= 0:
        raise ValueError("a background without events has no shape")
    bins = counts.size
    step = float(edges(bins)[1] - edges(bins)[0])
    laid = spread_below(counts, floor)
    low, median, high = (quantile(laid, q) for q in (0.1587, 0.5, 0.8413))
    if high - low < 2 * step:
        low, high = median - step, median + step
    sd = (high - low) / 2
    width = max(KERNEL * sd * total**-0.2, 0.5 * step)
    reach = math.ceil(4 * width / step)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    smooth = np.convolve(laid, kernel / kernel.sum(), mode="full")[reach : reach + bins]
    middle = (median - float(edges(bins)[0])) / step
    together = middle + (np.arange(bins + 1) - middle) * math.sqrt(1 + (width / sd) ** 2)
    smooth = np.maximum(np.diff(cumulated(smooth, np.clip(together, 0, bins))), 0.0)
    spread = np.exp(-0.5 * ((centres(bins) - median) / (2 * sd)) ** 2)
    smooth = smooth / smooth.sum() * total + spread / spread.sum()
    linear = scale.inverse(np.array([low, high]))
    linear_sd = float(linear[1] - linear[0]) / 2
    return Background(counts, smooth / smooth.sum(), median, sd, linear_sd, scale, bins, floor)


def ashman_d(mean_a: float, sd_a: float, mean_b: float, sd_b: float) -> float:
    """Return Ashman's D of two components: sqrt(2) |difference| / sqrt(sum of variances); above 2 they are separate.

    Source: Ashman, Bird & Zepf 1994 (doi:10.1086/117248).
    """
    return math.sqrt(2) * abs(mean_a - mean_b) / math.sqrt(sd_a**2 + sd_b**2)

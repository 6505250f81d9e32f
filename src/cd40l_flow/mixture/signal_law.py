"""The distribution of the target's signal, log-skew-normal with optional bends, and its derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from cd40l_flow.base.model import Floats

SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
SQRT_2PI = math.sqrt(2 * math.pi)
TINY = 1e-300
LEAST_SKEW, NEXT_TO_NONE = 0.05, 1e-6
BEYOND = 1.01  # times the least skew: where the law is looked at too, for its slope there
SKEW_BOUND = 0.95  # a skew-normal's skewness is below 0.9953
# Positions of the bends in standard deviations from the mean, and the width of each.
BENDS = np.array((-3.6, -2.8, -2.0, -1.2, -0.4, 0.4, 1.2, 2.0))
BEND_WIDTH = 0.6


@dataclass(frozen=True)
class SignalParameters:
    """The distribution of ln(signal in channel values) of positive cells, skew-normal (Azzalini 1985).

    ``level`` is its mean, exp(``log_spread``) its standard deviation (natural logarithms), ``skew`` its skewness: 0
    symmetric, negative with a tail of dim cells, between -0.95 and 0.95. (The direct parameters are singular at zero
    skewness, these are not: Azzalini & Capitanio 1999, doi:10.1111/1467-9868.00194.) ``electron`` is ln(signal of one
    photo-electron over its usual size, `Background.electron`), the shot noise. ``bends`` multiply the density by the
    exponential of so many times bell curves at ``BENDS`` standard deviations from the mean, (8,), or none: dim
    continua, shoulders and second peaks of real cells. Level, spread and skew are those of the distribution before
    bending.
    """

    level: float
    log_spread: float
    skew: float
    electron: float = 0.0
    bends: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        """Geometric mean of the signal, channel values."""
        return math.exp(self.level)


def signal_law(positive: SignalParameters, log_signals: Floats, weights: Floats) -> Floats:
    """Return the probabilities of a grid of log signals and their derivatives by the 3 parameters, (4, grid)."""
    law = _straight(positive, log_signals, weights)
    return _bent(law, positive, log_signals) if positive.bends else law


def bend_slopes(p: Floats, positive: SignalParameters, log_signals: Floats) -> Floats:
    """Return the derivatives of probabilities, (grid,), by the law's bends, (8, grid)."""
    bells, _ = _bells(positive, log_signals)
    slopes: Floats = p * (bells - (bells @ p)[:, None])
    return slopes


def _bells(positive: SignalParameters, log_signals: Floats) -> tuple[Floats, Floats]:
    """Return the bell curves at each bend and their slopes by the standardised log signal, (8, grid) each."""
    away = ((log_signals - positive.level) / math.exp(positive.log_spread) - BENDS[:, None]) / BEND_WIDTH
    bells: Floats = np.exp(-0.5 * away * away)
    return bells, -away / BEND_WIDTH * bells


def _bent(law: Floats, positive: SignalParameters, log_signals: Floats) -> Floats:
    """Return a distribution and its derivatives, (4, grid), with bends."""
    bends, spread = np.array(positive.bends), math.exp(positive.log_spread)
    bells, slopes = _bells(positive, log_signals)
    factor = np.exp(bends @ bells)
    found = law * factor
    by_place = found[0] * (bends @ slopes)
    found[1] -= by_place / spread
    found[2] -= by_place * (log_signals - positive.level) / spread
    total = max(float(found[0].sum()), TINY)
    found /= total
    found[1:] -= found[1:].sum(axis=1, keepdims=True) * found[0]
    return found


def _straight(positive: SignalParameters, log_signals: Floats, weights: Floats) -> Floats:
    """Return `signal_law` without bends."""
    skew = min(max(positive.skew, -SKEW_BOUND), SKEW_BOUND)
    if abs(skew) >= LEAST_SKEW:
        only: Floats = _laws(positive, (skew,), log_signals, weights)[0]
        return only
    # Near zero the law is a series in the cube root of the skewness: powers 1 and 5/3 in its odd part, 4/3 and 2 in its
    # even part. Some of these have no second derivative at 0. Polynomials with the same values and slopes at both ends
    # replace them: a slope that jumps there would stop the search for the best fit.
    sides = tuple(side * LEAST_SKEW for side in (-BEYOND, -1, NEXT_TO_NONE, 1, BEYOND))
    lowest, low, middle, high, highest = _laws(positive, sides, log_signals, weights)
    odd, odd_beyond = 0.5 * (high - low), 0.5 * (highest - lowest)
    even, even_beyond = 0.5 * (high + low) - middle, 0.5 * (highest + lowest) - middle
    five_thirds = (odd_beyond - BEYOND * odd) / (BEYOND ** (5 / 3) - BEYOND)
    square = (even_beyond - BEYOND ** (4 / 3) * even) / (BEYOND**2 - BEYOND ** (4 / 3))
    linear, four_thirds, u = odd - five_thirds, even - square, skew / LEAST_SKEW
    law: Floats = middle + u * linear + (2 * u + u**3) / 3 * five_thirds
    law += (4 * u**2 - u**4) / 3 * four_thirds + u**2 * square
    law[3] = linear[0] + (2 / 3 + u**2) * five_thirds[0] + (8 * u - 4 * u**3) / 3 * four_thirds[0] + 2 * u * square[0]
    law[3] /= LEAST_SKEW
    return law


def _laws(positive: SignalParameters, skews: tuple[float, ...], log_signals: Floats, weights: Floats) -> Floats:
    """Return `signal_law` at several skews away from 0, (skews, 4, grid)."""
    b, b_slope, alpha, alpha_slope, unit, unit_slope = _azzalinis(skews)
    spread = math.exp(positive.log_spread)
    standard = (log_signals - positive.level) / spread
    z = standard / unit + b
    tilted = alpha * z
    bell = np.exp(-0.5 * tilted * tilted)
    weighed = weights * np.exp(-0.5 * z * z)
    p = weighed * ndtr(tilted)
    total = np.maximum(p.sum(axis=1, keepdims=True), TINY)
    p /= total
    # The density times phi / Phi of alpha z, the slope of log Phi; then p's slope in z.
    rise = weighed * bell / (total * SQRT_2PI)
    in_z = alpha * rise - z * p
    found = np.empty((len(skews), 4, log_signals.size))
    found[:, 0] = p
    found[:, 1] = in_z / (-unit * spread)
    found[:, 2] = in_z * standard / -unit
    found[:, 3] = in_z * (b_slope - standard * (unit_slope / unit**2)) + rise * z * alpha_slope
    found[:, 1:] -= found[:, 1:].sum(axis=2, keepdims=True) * p[:, None]
    return found


@lru_cache(maxsize=64)
def _azzalinis(skews: tuple[float, ...]) -> Floats:
    """Return b = delta sqrt(2 / pi), alpha and omega at a standard deviation of 1, each with its slope in the skewness,
    (6, skews, 1).
    """
    found = []
    for skew in skews:
        root = math.copysign((2 * abs(skew) / (4 - math.pi)) ** (1 / 3), skew)  # b / sqrt(1 - b^2)
        root_slope = root / (3 * skew)
        b = root / math.sqrt(1 + root**2)
        b_slope = root_slope / (1 + root**2) ** 1.5
        delta = b / SQRT_2_OVER_PI
        delta_slope = b_slope / SQRT_2_OVER_PI
        alpha = delta / math.sqrt(1 - delta**2)
        alpha_slope = delta_slope / (1 - delta**2) ** 1.5
        unit = 1 / math.sqrt(1 - b**2)
        found.append((b, b_slope, alpha, alpha_slope, unit, b * b_slope * unit**3))
    return np.array(found).T[:, :, None]

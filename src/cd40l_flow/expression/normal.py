"""The normal distribution without scipy, whose import costs a job more than its fits."""

from __future__ import annotations

import math

import numpy as np

from cd40l_flow.inputs.model import Floats

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
# Chebyshev fit of log(erfc(y) / t) + y^2 in t = 1 / (1 + y / 2), y >= 0; relative error below 1.2e-7 everywhere (Press
# et al., Numerical Recipes in C, 2nd edition 1992, section 6.2).
ERFC = (
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806,
    0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277,
)  # fmt: skip


def log_ndtr(x: Floats) -> Floats:
    """Return the logarithm of the standard normal distribution function, same shape; no underflow far out."""
    y = np.abs(x) * math.sqrt(0.5)
    t = 1 / (1 + 0.5 * y)
    series = np.full_like(t, ERFC[-1])
    for coefficient in ERFC[-2::-1]:
        series *= t
        series += coefficient
    lower: Floats = np.log(0.5 * t) - y**2 + series
    return np.where(x < 0, lower, np.log1p(-np.exp(lower)))


def hazard(x: Floats, log_lower: Floats) -> Floats:
    """Return phi(x) / Phi(x), same shape, given ``log_lower`` = log Phi(x)."""
    ratio: Floats = np.exp(-0.5 * x**2 - LOG_SQRT_2PI - log_lower)
    return ratio

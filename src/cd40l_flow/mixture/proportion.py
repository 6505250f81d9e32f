"""Percent positive and its interval: counts above a threshold, corrected for the background's."""

from __future__ import annotations

import math

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.histogram import edges
from cd40l_flow.signal.acquisition import Mask

Z95 = 1.959963984540054  # 97.5th percentile of the normal distribution


def wilson(p: float, n: float) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a proportion ``p`` (0 to 1) of ``n`` events (Wilson 1927)."""
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def percent_positive(above: Mask, background: Floats, threshold_scaled: float) -> tuple[float | None, ...]:
    """Return low, percent and high of the background-corrected percent positive (0 to 100); None without cells.

    ``above``, (n,), marks the cells above the threshold; ``background`` are binned values, (bins,). The percent is (p -
    b) / (1 - b); the Wilson intervals of p and b are combined by MOVER (Newcombe 1998,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I).
    """
    n, m = above.size, float(background.sum())
    if n == 0 or m == 0:
        return None, None, None
    p = float(np.mean(above))
    cumulative = np.concatenate(([0.0], np.cumsum(background))) / m
    b = max(1 - float(np.interp(threshold_scaled, edges(background.size), cumulative)), 0.0)
    if b >= 1:
        # All of the background lies above the threshold: no correction is possible.
        return None, None, None
    p_low, p_high = wilson(p, n)
    b_low, b_high = wilson(b, m)
    corrected = (p - b) / (1 - b)
    # The derivative of the quotient is 1 / (1 - b) by p and -(1 - p) / (1 - b)^2 by b.
    rate_p, rate_b = 1 / (1 - b), (1 - p) / (1 - b) ** 2
    low = corrected - math.hypot(rate_p * (p - p_low), rate_b * (b_high - b))
    high = corrected + math.hypot(rate_p * (p_high - p), rate_b * (b - b_low))
    return tuple(100 * min(max(value, 0.0), 1.0) for value in (low, corrected, high))

"""Positive cells of one group as a share of all cells: the group's part is counted, its positive fraction fitted."""

from __future__ import annotations

import math

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.interval import ROOT_95
from cd40l_flow.mixture.proportion import wilson
from cd40l_flow.mixture.shared_shape import Profile

FRACTIONS: Floats = np.concatenate((1 / (1 + np.exp(-np.linspace(-12, 9, 500))), [1.0]))
SHARES: Floats = np.concatenate((np.geomspace(1e-6, 0.1, 300), np.linspace(0.1, 1, 301)[1:-1]))
HALF_DROP = ROOT_95**2 / 2


def share_interval(
    profile: Profile | None, positive: float, cells: int, total: int, error: float = 0.0
) -> tuple[float, float, float]:
    """Return the low end, the share (0 to 1) of positive cells of a group among all cells, and the high end, 95 %.

    ``positive`` is the fitted positive fraction of the group, ``profile`` its profile likelihood (None of a group
    without cells), ``cells`` of ``total`` are in the group. The log likelihoods of both are added, and the share's own
    profile taken. The interval is never narrower than Wilson's of so many cells, and ``error``, a standard error from
    elsewhere, is added in quadrature.
    """
    share = positive * cells / total
    low, high = wilson(share, total)
    if profile is not None and cells:
        ends = _profiled(profile, cells, total)
        low, high = min(low, ends[0]), max(high, ends[1])
    away = ROOT_95 * error
    return max(share - math.hypot(share - low, away), 0.0), share, min(share + math.hypot(high - share, away), 1.0)


def _profiled(profile: Profile, cells: int, total: int) -> tuple[float, float]:
    """Return the ends of the profile-likelihood interval of a share."""
    of_fraction = profile.drop(FRACTIONS[:-1])
    of_fraction = np.append(of_fraction, of_fraction[-1])
    part = SHARES[:, None] / FRACTIONS
    drops = np.where(part <= 1, of_fraction + _binomial_drop(np.minimum(part, 1.0), cells, total), math.inf).min(axis=1)
    inside = np.flatnonzero(drops <= HALF_DROP + drops.min())
    first, last = int(inside[0]), int(inside[-1])
    return _end(drops, first, -1), _end(drops, last, 1)


def _end(drops: Floats, inside: int, side: int) -> float:
    """Return where the drop reaches that of 95 %, interpolated between shares."""
    outside = inside + side
    if outside < 0:
        return 0.0
    if outside >= drops.size:
        return 1.0
    limit = HALF_DROP + drops.min()
    part = (limit - drops[inside]) / (drops[outside] - drops[inside])
    return float(SHARES[inside] + part * (SHARES[outside] - SHARES[inside]))


def _binomial_drop(part: Floats, cells: int, total: int) -> Floats:
    """Return how far the log likelihood of a binomial share drops from its maximum; both ends are allowed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = cells * (math.log(cells / total) - np.log(part)) if cells else np.zeros_like(part)
        rest = total - cells
        outside = rest * (math.log(rest / total) - np.log1p(-part)) if rest else np.zeros_like(part)
    drop: Floats = inside + outside
    return drop

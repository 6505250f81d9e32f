"""Comparison with another method on the same samples, as CLSI EP09 has it: Deming, Passing and Bablok, differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, t

from cd40l_flow.laboratory.validation.estimate import Estimate

# What EP09c asks for; fewer than ten do not determine a line.
ASKED, FEWEST = 40, 10
_Z = 1.959963984540054
# Other method and this one.
Pairs = Sequence[tuple[float, float]]
Array = np.ndarray


@dataclass(frozen=True)
class Line:
    """A line: this method = intercept + slope x the other one."""

    slope: Estimate
    intercept: Estimate


@dataclass(frozen=True)
class Differences:
    """How far this method lies above the other one: the mean, and the limits within which 95 % of differences lie."""

    bias: Estimate
    lower: Estimate
    upper: Estimate


def deming(pairs: Pairs) -> Line | None:
    """Return the line that takes both methods' errors as equal; intervals by the jackknife (Linnet 1993).

    Clin Chem 1993;39:424 (PMID 8448852). None with fewer than ten pairs or without any spread.
    """
    x, y = _arrays(pairs)
    if x.size < FEWEST or np.ptp(x) == 0:
        return None
    slope, intercept = _deming(x, y)
    keep = ~np.eye(x.size, dtype=bool)
    left_out = np.array([_deming(x[rows], y[rows]) for rows in keep])
    pseudo = x.size * np.array([slope, intercept]) - (x.size - 1) * left_out
    errors = pseudo.std(axis=0, ddof=1) / math.sqrt(x.size)
    reach = float(t.ppf(0.975, x.size - 2)) * errors
    return Line(
        Estimate(slope, slope - float(reach[0]), slope + float(reach[0]), x.size),
        Estimate(intercept, intercept - float(reach[1]), intercept + float(reach[1]), x.size),
    )


def _deming(x: Array, y: Array) -> tuple[float, float]:
    xx, yy = float(x.var()), float(y.var())
    xy = float(np.mean((x - x.mean()) * (y - y.mean())))
    slope = (yy - xx + math.sqrt((yy - xx) ** 2 + 4 * xy * xy)) / (2 * xy) if xy else 0.0
    return slope, float(y.mean() - slope * x.mean())


def passing_bablok(pairs: Pairs) -> Line | None:
    """Return the line by the shifted median of all slopes, with its rank intervals (Passing and Bablok 1983).

    J Clin Chem Clin Biochem 1983;21:709 (PMID 6655447). Outliers do not move it. None with fewer than ten pairs.
    """
    x, y = _arrays(pairs)
    if x.size < FEWEST:
        return None
    first, second = np.triu_indices(x.size, 1)
    dx, dy = x[second] - x[first], y[second] - y[first]
    kept = (dx != 0) | (dy != 0)
    with np.errstate(divide="ignore"):
        slopes = np.where(dx[kept] == 0, np.sign(dy[kept]) * np.inf, dy[kept] / np.where(dx[kept] == 0, 1, dx[kept]))
    slopes = np.sort(slopes[slopes != -1])
    shift = int(np.sum(slopes < -1))
    count = slopes.size
    if not count:
        return None
    middle = [slopes[min(place + shift, count - 1)] for place in ((count - 1) // 2, count // 2)]
    slope = float(np.mean(middle))
    reach = _Z * math.sqrt(x.size * (x.size - 1) * (2 * x.size + 5) / 18)
    low = round((count - reach) / 2)
    ends = [float(slopes[min(max(place, 0), count - 1)]) for place in (low - 1 + shift, count - low + shift)]
    if not all(map(math.isfinite, (slope, *ends))):
        return None
    return Line(Estimate(slope, ends[0], ends[1], x.size), _median_intercept(x, y, slope, ends))


def _median_intercept(x: Array, y: Array, slope: float, ends: Sequence[float]) -> Estimate:
    """Return the median of what the slope leaves, and its interval.

    That of the slope alone, as Passing and Bablok have it, is too narrow where the values lie about their mean; the
    median's own (order statistics) is joined to it in quadrature.
    """
    left = np.sort(y - slope * x)
    intercept = float(np.median(left))
    rank = int(binom.ppf(0.025, left.size, 0.5))
    own = (float(left[max(rank - 1, 0)]), float(left[min(left.size - rank, left.size - 1)]))
    tilted = sorted(float(np.median(y - end * x)) for end in ends)
    low, high = (math.hypot(intercept - a, intercept - b) for a, b in zip(tilted, own, strict=True))
    return Estimate(intercept, intercept - low, intercept + high, left.size)


def bland_altman(pairs: Pairs) -> Differences | None:
    """Return the mean difference and the limits of agreement with their intervals (Bland and Altman 1999).

    Stat Methods Med Res 1999;8:135 (PMID 10501650): the variance of a limit is that of the mean and of the SD. None
    with fewer than ten pairs.
    """
    x, y = _arrays(pairs)
    if x.size < FEWEST:
        return None
    apart = y - x
    mean, sd, count = float(apart.mean()), float(apart.std(ddof=1)), x.size
    quantile = float(t.ppf(0.975, count - 1))
    of_mean = quantile * sd / math.sqrt(count)
    of_limit = quantile * sd * math.sqrt(1 / count + _Z**2 / (2 * (count - 1)))
    lower, upper = mean - _Z * sd, mean + _Z * sd
    return Differences(
        Estimate(mean, mean - of_mean, mean + of_mean, count),
        Estimate(lower, lower - of_limit, lower + of_limit, count),
        Estimate(upper, upper - of_limit, upper + of_limit, count),
    )


def _arrays(pairs: Pairs) -> tuple[Array, Array]:
    both = np.array(pairs, dtype=float).reshape(-1, 2)
    return both[:, 0], both[:, 1]

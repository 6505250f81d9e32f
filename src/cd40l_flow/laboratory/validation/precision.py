"""Precision by nested analysis of variance, as CLSI EP05 has it: repeats within runs, runs within instruments.

Every subject is a material of its own; sums of squares and degrees of freedom of all are pooled, so that a laboratory
may repeat one blood often or many bloods twice. Designs need not be balanced: the coefficients of the expected mean
squares are those of the numbers that there are (Searle, Casella, McCulloch, *Variance Components*, 1992, chapter 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import chi2, f, t

from cd40l_flow.laboratory.validation.estimate import Estimate

# Values of the repeats of one run.
Repeats = Sequence[float]


@dataclass(frozen=True)
class MeanSquare:
    """A mean square, its degrees of freedom and how often the variance of its own level is in it."""

    value: float
    freedom: int
    times: float


@dataclass(frozen=True)
class Precision:
    """SDs in the unit of the values: of repeats in a run, between runs, and of both together (within the laboratory).

    None is what the design does not hold: no repeats within a run, or no subject in two runs. ``mean`` is of all
    values.
    """

    mean: float
    repeatability: Estimate | None
    between: Estimate | None
    within_laboratory: Estimate | None


def precision(subjects: Mapping[Any, Mapping[Any, Repeats]]) -> Precision | None:
    """Return the precision of values by subject and run; None without any repeat.

    Intervals: of repeatability by chi-squared; of the others the modified large-sample limits of Graybill and Wang
    (J Am Stat Assoc 1980;75:869) for sums, and of Ting, Burdick, Graybill et al. (J Stat Comput Simul 1990;35:135) for
    differences of mean squares. A variance below zero is zero.
    """
    values = [value for runs in subjects.values() for repeats in runs.values() for value in repeats]
    if not values:
        return None
    mean = math.fsum(values) / len(values)
    within, among = _within(subjects), _among(subjects)
    if within is None and among is None:
        return None
    inside = sum(len(repeats) for runs in subjects.values() for repeats in runs.values() if len(repeats) > 1)
    count = sum(len(repeats) for runs in subjects.values() if len(runs) > 1 for repeats in runs.values())
    repeatability = _sd_of_mean_square(within, inside) if within is not None else None
    if among is None:
        return Precision(mean, repeatability, None, None)
    groups = len({run for runs in subjects.values() if len(runs) > 1 for run in runs})
    if within is None:
        # One value a run: what lies between them is of runs and repeats together.
        return Precision(mean, None, None, _sd_of_mean_square(among, count))
    between = _root(_difference(among, within), count, groups)
    total = _root(_sum(among, within), count, groups)
    return Precision(mean, repeatability, between, total)


def _within(subjects: Mapping[Any, Mapping[Any, Repeats]]) -> MeanSquare | None:
    groups = [repeats for runs in subjects.values() for repeats in runs.values() if len(repeats) > 1]
    freedom = sum(len(repeats) - 1 for repeats in groups)
    if not freedom:
        return None
    return MeanSquare(math.fsum(_squares(repeats) for repeats in groups) / freedom, freedom, 1.0)


def _among(subjects: Mapping[Any, Mapping[Any, Repeats]]) -> MeanSquare | None:
    """Return the mean square between the runs of a subject; its own variance is in it ``times`` times.

    Subjects of one run share what is the run's, so its degrees of freedom are those of the runs, not of the subjects.
    """
    squares, freedom, times = [], 0, []
    for runs in subjects.values():
        if len(runs) < 2:
            continue
        sizes = [len(repeats) for repeats in runs.values()]
        means = [math.fsum(repeats) / len(repeats) for repeats in runs.values()]
        total = sum(sizes)
        centre = math.fsum(size * mean for size, mean in zip(sizes, means, strict=True)) / total
        squares += [size * (mean - centre) ** 2 for size, mean in zip(sizes, means, strict=True)]
        freedom += len(runs) - 1
        times.append(total - sum(size * size for size in sizes) / total)
    if not freedom:
        return None
    return MeanSquare(math.fsum(squares) / freedom, _apart(subjects), sum(times) / freedom)


def _apart(subjects: Mapping[Any, Mapping[Any, Repeats]]) -> int:
    """Return the number of runs less that of their sets that no subject joins."""
    joined: list[set[Any]] = []
    for runs in subjects.values():
        if len(runs) > 1:
            touched = [one for one in joined if one & runs.keys()]
            joined = [one for one in joined if not one & runs.keys()] + [set(runs).union(*touched)]
    return sum(len(one) - 1 for one in joined)


def _squares(values: Repeats) -> float:
    centre = math.fsum(values) / len(values)
    return math.fsum((value - centre) ** 2 for value in values)


def _sd_of_mean_square(square: MeanSquare, count: int) -> Estimate:
    low, high = (square.freedom * square.value / float(chi2.ppf(p, square.freedom)) for p in (0.975, 0.025))
    return Estimate(math.sqrt(square.value), math.sqrt(low), math.sqrt(high), count, square.freedom)


def _sum(among: MeanSquare, within: MeanSquare) -> tuple[float, float, float]:
    """Return the variance of one value of a new run, and its interval: both levels, each with its weight >= 0."""
    parts = [(1 / among.times, among), (1 - 1 / among.times, within)]
    value = sum(weight * square.value for weight, square in parts)
    lower = [(weight * square.value * (1 - square.freedom / _chi(0.975, square))) ** 2 for weight, square in parts]
    upper = [(weight * square.value * (square.freedom / _chi(0.025, square) - 1)) ** 2 for weight, square in parts]
    return value, value - math.sqrt(sum(lower)), value + math.sqrt(sum(upper))


def _difference(among: MeanSquare, within: MeanSquare) -> tuple[float, float, float]:
    """Return the variance between runs, and its interval (Ting et al., for a difference of two mean squares)."""
    a, w, times = among.value, within.value, among.times
    g1, h1 = 1 - among.freedom / _chi(0.975, among), among.freedom / _chi(0.025, among) - 1
    g2, h2 = 1 - within.freedom / _chi(0.975, within), within.freedom / _chi(0.025, within) - 1
    f1 = float(f.ppf(0.975, among.freedom, within.freedom))
    f2 = float(f.ppf(0.025, among.freedom, within.freedom))
    g12 = ((f1 - 1) ** 2 - g1**2 * f1**2 - h2**2) / f1
    h12 = ((1 - f2) ** 2 - h1**2 * f2**2 - g2**2) / f2
    value = (a - w) / times
    below = (g1 * a) ** 2 + (h2 * w) ** 2 + g12 * a * w
    above = (h1 * a) ** 2 + (g2 * w) ** 2 + h12 * a * w
    return value, value - math.sqrt(max(below, 0.0)) / times, value + math.sqrt(max(above, 0.0)) / times


def _chi(p: float, square: MeanSquare) -> float:
    return float(chi2.ppf(p, square.freedom))


def _root(variance: tuple[float, float, float], count: int, groups: int) -> Estimate:
    value, low, high = (math.sqrt(max(part, 0.0)) for part in variance)
    return Estimate(value, low, high, count, groups)


def difference_of_runs(first: Sequence[float], second: Sequence[float]) -> Estimate | None:
    """Return how far the second instrument lies above the first, by the effects of their runs (Welch's t).

    None with fewer than two runs on either: an instrument's effect cannot be separated from a run's then.
    """
    if min(len(first), len(second)) < 2:
        return None
    parts = [_squares(effects) / (len(effects) - 1) / len(effects) for effects in (first, second)]
    apart = math.fsum(second) / len(second) - math.fsum(first) / len(first)
    if not sum(parts):
        return Estimate(apart, apart, apart, len(first) + len(second), 2)
    freedom = sum(parts) ** 2 / sum(
        part * part / (len(effects) - 1) for part, effects in zip(parts, (first, second), strict=True)
    )
    reach = float(t.ppf(0.975, freedom)) * math.sqrt(sum(parts))
    return Estimate(apart, apart - reach, apart + reach, len(first) + len(second), len(first) + len(second))


def differences(pairs: Sequence[tuple[float, float]]) -> Estimate | None:
    """Return the mean difference, second less first, of pairs of one material each, with its t interval."""
    if len(pairs) < 2:
        return None
    apart = [second - first for first, second in pairs]
    mean = math.fsum(apart) / len(apart)
    reach = float(t.ppf(0.975, len(apart) - 1)) * math.sqrt(_squares(apart) / (len(apart) - 1) / len(apart))
    return Estimate(mean, mean - reach, mean + reach, len(apart), len(apart))

"""Limits of blank and detection, as CLSI EP17 has them: of repeats of healthy blood and of blood with few mutants."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import binom, chi2, nct

from cd40l_flow.laboratory.validation.estimate import Estimate, summed
from cd40l_flow.laboratory.validation.precision import Repeats, precision

# What EP17-A2 asks for each reagent lot: measurements, samples, days.
ASKED, ASKED_SAMPLES, ASKED_RUNS = 60, 4, 3
# Fewer say nothing of a 95th percentile.
FEWEST = 10
SHARE = 0.95
_Z = 1.6448536269514722  # 95th percentile of the normal distribution


def limit_of_blank(people: Mapping[Any, Repeats]) -> Estimate | None:
    """Return the 95th percentile of blanks by mean and SD (EP17's parametric limit), None with fewer than ten.

    ``people`` are the blank values by person. The SD is that of one value of another person: between and within
    people. Its interval is that of a quantile of a normal sample (noncentral t), of as many values and degrees of
    freedom as the values of so few people are worth.
    """
    values = [value for repeats in people.values() for value in repeats]
    if len(values) < FEWEST or len(people) < 2:
        return None
    found = precision({"blood": dict(people)})
    if found is None or found.within_laboratory is None:
        return None
    worth, freedom, sd = _worth(people, found.within_laboratory.value)
    mean = found.mean
    # EP17: for an SD of few degrees of freedom, which is too small on average.
    factor = _Z / (1 - 1 / (4 * freedom))
    if sd == 0:
        return None
    ends = [mean + float(nct.ppf(p, freedom, _Z * math.sqrt(worth))) * sd / math.sqrt(worth) for p in (0.025, 0.975)]
    return Estimate(mean + factor * sd, ends[0], ends[1], len(values), len(people))


def _worth(people: Mapping[Any, Repeats], sd: float) -> tuple[float, float, float]:
    """Return how many independent values the mean is worth, the degrees of freedom of the SD and the SD."""
    sizes = np.array([len(repeats) for repeats in people.values()], dtype=float)
    total, groups = sizes.sum(), sizes.size
    squares = sum(float(np.sum((np.asarray(repeats) - np.mean(repeats)) ** 2)) for repeats in people.values())
    free = total - groups
    inner = squares / free if free else 0.0
    own = max(sd * sd - inner, 0.0)
    variance_of_mean = own * float(np.sum(sizes**2)) / total**2 + inner / total
    worth = sd * sd / variance_of_mean if variance_of_mean > 0 else total
    times = (total - float(np.sum(sizes**2)) / total) / (groups - 1)
    among = own * times + inner
    parts = (among / times) ** 2 / (groups - 1) + (((1 - 1 / times) * inner) ** 2 / free if free else 0.0)
    freedom = (among / times + (1 - 1 / times) * inner) ** 2 / parts if parts > 0 else groups - 1
    return worth, max(freedom, 1.0), sd


def limit_of_blank_by_rank(values: Sequence[float]) -> Estimate | None:
    """Return the 95th percentile of blanks by rank, EP17's limit without a law, None below the number it asks for.

    The interval is that of a quantile by order statistics (binomial); an end that so few values do not have is None.
    """
    count = len(values)
    if count < ASKED:
        return None
    ordered = sorted(values)
    rank = 0.5 + SHARE * count
    below = min(int(rank), count)
    above = min(below + 1, count)
    value = ordered[below - 1] + (rank - below) * (ordered[above - 1] - ordered[below - 1])
    low = int(binom.ppf(0.025, count, SHARE))
    high = int(binom.ppf(0.975, count, SHARE)) + 1
    return Estimate(value, ordered[max(low - 1, 0)], ordered[high - 1] if high <= count else None, count)


def spread_of_low(levels: Mapping[Any, Repeats]) -> Estimate | None:
    """Return the SD of values about the mean of their own level, pooled over levels, with its chi-squared interval."""
    groups = [repeats for repeats in levels.values() if len(repeats) > 1]
    freedom = sum(len(repeats) - 1 for repeats in groups)
    if not freedom:
        return None
    variance = sum(float(np.var(repeats, ddof=1)) * (len(repeats) - 1) for repeats in groups) / freedom
    low, high = (math.sqrt(freedom * variance / float(chi2.ppf(p, freedom))) for p in (0.975, 0.025))
    return Estimate(math.sqrt(variance), low, high, sum(map(len, groups)), len(groups))


def limit_of_detection(blank: Estimate, low: Estimate) -> Estimate:
    """Return the limit of detection: 95 % of samples there lie above the limit of blank.

    ``low`` is the SD of samples of low fraction, as `spread_of_low` gives it: LoD = LoB + 1.645 / (1 - 1 / (4 freedom))
    SD. The intervals of both parts are joined by MOVER.
    """
    freedom = low.count - low.groups
    factor = _Z / (1 - 1 / (4 * freedom)) if freedom > 0 else _Z
    ends = [None if end is None else _Z * end for end in (low.low, low.high)]
    return summed(blank, Estimate(factor * low.value, ends[0], ends[1], low.count, low.groups))

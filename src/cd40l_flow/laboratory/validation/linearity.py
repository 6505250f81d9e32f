"""Linearity of a dilution series, as CLSI EP06 has it: slope, intercept, and what bends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from cd40l_flow.laboratory.validation.estimate import Estimate

FEWEST_LEVELS = 5
# From so many subjects or runs on, the intervals are those between them; with fewer, those within series.
SERIES = 3
# Pairs of expected and measured.
Pairs = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Linearity:
    """A line through a dilution series: measured = intercept + slope x expected.

    ``bend`` is how far a parabola through the series stands above the line between its ends, in the middle of 0 to 1.
    ``levels`` are mean, and deviation from the line, by expected fraction.
    """

    slope: Estimate
    intercept: Estimate
    bend: Estimate | None
    levels: Mapping[float, tuple[Estimate, Estimate]]


def linearity(series: Mapping[tuple[str, str], Pairs]) -> Linearity | None:
    """Return the line through the dilution series of all subjects and runs; None with fewer than five levels.

    ``series`` are pairs of expected and measured fraction by subject and run. All values of a run rest on the same
    controls, and all of a subject on its healthy cells, so each series gets its own line, and the intervals are those
    of the mean line (t) between runs or between subjects, whichever is wider, of those that are three or more. With
    fewer of both the values are taken as independent, and the study must state so.
    """
    fitting = {name: pairs for name, pairs in series.items() if len({x for x, _ in pairs}) >= FEWEST_LEVELS}
    if not fitting:
        return None
    together = [pair for pairs in fitting.values() for pair in pairs]
    if clusters(fitting) >= SERIES:
        names = list(fitting)
        lines = np.array([_fit(pairs, 1)[0] for pairs in fitting.values()])
        curves = np.array([_fit(pairs, 2)[0] for pairs in fitting.values()])
        intercept, slope = (_mean_line(names, column, len(together)) for column in lines.T)
        bend = _scaled(_mean_line(names, curves[:, 2], len(together)), -0.25)
    else:
        intercept, slope = _estimates(together, 1, len(fitting))[:2]
        bend = _scaled(_estimates(together, 2, len(fitting))[2], -0.25)
    levels = {}
    for x in sorted({x for x, _ in together}):
        measured = [y for level, y in together if level == x]
        if len(measured) > 1:
            mean = _mean(measured, len(measured))
            line = intercept.value + slope.value * x
            deviation = Estimate(
                mean.value - line, _less(mean.low, line), _less(mean.high, line), len(measured), mean.groups
            )
            levels[x] = (mean, deviation)
    return Linearity(slope, intercept, bend, levels)


def clusters(series: Mapping[tuple[str, str], Pairs]) -> int:
    """Return the number of subjects or of runs, whichever is larger."""
    return max((len({name[factor] for name in series}) for factor in (0, 1)), default=0)


def _mean_line(names: Sequence[tuple[str, str]], values: Sequence[float] | np.ndarray, count: int) -> Estimate:
    """Return the mean over series, with the wider of the intervals between subjects and between runs."""
    found = []
    for factor in (0, 1):
        means: dict[str, list[float]] = {}
        for name, value in zip(names, values, strict=True):
            means.setdefault(name[factor], []).append(float(value))
        if len(means) >= SERIES:
            found.append(_mean([math.fsum(one) / len(one) for one in means.values()], count))
    widest = max(found, key=lambda one: (one.high or 0.0) - (one.low or 0.0))
    mean = math.fsum(map(float, values)) / len(names)
    low, high = (mean + (end or 0.0) - widest.value for end in (widest.low, widest.high))
    return Estimate(mean, low, high, count, widest.groups)


def _fit(pairs: Pairs, degree: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return coefficients from the constant up, their standard errors, and the degrees of freedom."""
    x, y = np.array(pairs, dtype=float).T
    design = np.vander(x, degree + 1, increasing=True)
    found, *_ = np.linalg.lstsq(design, y, rcond=None)
    free = y.size - degree - 1
    variance = float(np.sum((y - design @ found) ** 2)) / free if free > 0 else math.nan
    return found, np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * variance), free


def _estimates(pairs: Pairs, degree: int, groups: int) -> list[Estimate]:
    found, errors, free = _fit(pairs, degree)
    reach = float(t.ppf(0.975, free)) * errors if free > 0 else np.full(errors.shape, math.nan)
    return [
        Estimate(float(one), _finite(one - far), _finite(one + far), len(pairs), groups)
        for one, far in zip(found, reach, strict=True)
    ]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _mean(values: Sequence[float] | np.ndarray, count: int) -> Estimate:
    """Return a mean and its t interval."""
    known = np.asarray(values, dtype=float)
    reach = float(t.ppf(0.975, known.size - 1)) * float(known.std(ddof=1)) / math.sqrt(known.size)
    mean = float(known.mean())
    return Estimate(mean, mean - reach, mean + reach, count, known.size)


def _scaled(one: Estimate, factor: float) -> Estimate:
    ends = [None if end is None else factor * end for end in (one.low, one.high)]
    low, high = ends if factor > 0 else reversed(ends)
    return Estimate(factor * one.value, low, high, one.count, one.groups)


def _less(value: float | None, line: float) -> float | None:
    return None if value is None else value - line

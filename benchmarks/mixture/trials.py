"""Samples whose negative fraction is known, measured as the workflow does it, and by others."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from benchmarks.mixture import rivals
from benchmarks.mixture.bound import cramer_rao
from benchmarks.mixture.physical import SCALE, Sample, draw_sample
from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.control import control_terms
from cd40l_flow.mixture.components import background_component
from cd40l_flow.mixture.fit import fit_mixture
from cd40l_flow.mixture.histogram import centres, histogram, quantile
from cd40l_flow.mixture.interval import profile_interval
from cd40l_flow.mixture.measures import TargetCells, fit
from cd40l_flow.mixture.model import Anchor, ControlExpression, Expression
from cd40l_flow.mixture.prior import NOTHING_KNOWN
from cd40l_flow.mixture.problem import Problem
from cd40l_flow.signal.scale import Scale

SEPARATIONS = (6.0, 4.0, 3.0, 2.0)
CONTROL_FRACTION = 0.10
RIVAL_EVERY = 10  # one sample in so many goes to the slower rivals too


@dataclass(frozen=True)
class Trial:
    """One sample measured: the truth, the estimate with its interval, the limits, the rivals' estimates, seconds."""

    truth: float
    shift: float
    estimate: float
    low: float
    high: float
    bound: float
    bound_shape: float
    threshold: float
    converged: bool
    borrowed: float
    fit_seconds: float | None
    interval_seconds: float | None
    scikit: float | None
    components: int | None
    scikit_seconds: float | None
    skew_normals: float | None
    mclust: float | None


@cache
def limits() -> Limits:
    """Return the default limits."""
    return Limits()


def between() -> tuple[float, float]:
    """Return the standard deviations of log spread and skewness between sample and control."""
    mixture = limits().mixture
    return mixture.shape_spread_sd, mixture.shape_skew_sd


def binned(values: Floats) -> Floats:
    """Return the counts of channel values in the bins of the scale."""
    return histogram(SCALE.forward(values), limits().mixture.bins)


def anchor_of(values: Floats, *, exact: bool = True) -> Anchor:
    """Return the background of an isotype tube; ``exact`` where it is the sample's own."""
    return Anchor(binned(values), "isotype", ("background.fcs",), exact=exact)


def control_of(sample: Sample) -> ControlExpression:
    """Return what the sample's control lends, measured as the workflow measures it."""
    empty = np.empty(0)
    anchor = anchor_of(sample.control_background)
    return control_terms(fit(TargetCells(sample.control, empty), anchor, SCALE, limits()), limits())


def measured(sample: Sample, control: ControlExpression | None, anchor: Anchor) -> Expression:
    """Return the measures of a sample beside its control and its background."""
    return fit(TargetCells(sample.cells, np.empty(0)), anchor, SCALE, limits(), control=control)


def trial(separation: float, size: int, seed: int, number: int) -> Trial:
    """Return one seeded sample of a cell of the table, measured."""
    sample = draw_sample((seed, round(10 * separation), size, number), separation, size)
    control = control_of(sample)
    anchor = anchor_of(sample.background)
    found = measured(sample, control, anchor)
    bounds = cramer_rao(sample, CONTROL_FRACTION, between())
    seconds: tuple[float | None, float | None] = (None, None)
    scikit: tuple[float | None, int | None, float | None] = (None, None, None)
    skew_normals = mclust = None
    if number % RIVAL_EVERY == 0:
        seconds = seconds_of(sample, control)
        scaled = SCALE.forward(sample.cells)
        low, centre, high = (quantile(anchor.counts, q) for q in (0.1587, 0.5, 0.8413))
        sd = (high - low) / 2
        scikit = rivals.by_scikit_learn(scaled, centre, sd)
        counts = binned(sample.cells)
        skew_normals = rivals.by_skew_normals(counts, centres(counts.size), centre, sd)
        mclust = rivals.by_mclust(scaled, centre, sd) if rivals.mclust_there() else None
    return Trial(
        truth=sample.fraction,
        shift=sample.shift,
        estimate=_known(found.negative_fraction),
        low=_known(found.negative_fraction_low),
        high=_known(found.negative_fraction_high),
        bound=bounds[0],
        bound_shape=bounds[1],
        threshold=rivals.by_threshold(sample.cells, sample.background),
        converged=bool(found.converged),
        borrowed=_known(found.borrowed),
        fit_seconds=seconds[0],
        interval_seconds=seconds[1],
        scikit=scikit[0],
        components=scikit[1],
        scikit_seconds=scikit[2],
        skew_normals=skew_normals,
        mclust=mclust,
    )


def seconds_of(sample: Sample, control: ControlExpression) -> tuple[float, float]:
    """Return the seconds of one fit, its background's preparation included, and of its interval."""
    counts, dark = binned(sample.cells), binned(sample.background)
    most = limits().mixture.shift_max
    start = time.process_time()
    background = background_component(dark, SCALE)
    best = fit_mixture(counts, background, control.prior, most)
    middle = time.process_time()
    profile_interval(best, Problem(counts, background, control.prior or NOTHING_KNOWN, most))
    return middle - start, time.process_time() - middle


Found = tuple[float, float, float, float]


def fallback(anchor: str, seed: int, number: int) -> Found:
    """Return truth, estimate and interval of a sample of 2,000 cells at D = 4 with a background of this kind.

    The control's has the control's own shift against the sample's tubes; resting cells have half the sample's shift at
    random, for activation moves the autofluorescence.
    """
    sample = draw_sample((seed, 77, number), 4.0, 2000)
    random = np.random.default_rng((seed, 78, number))
    unit = sample.robust_sd / sample.physics.gain
    if anchor == "own":
        used = anchor_of(sample.background)
    elif anchor == "control's":
        values = sample.physics.cells(random, sample.background.size, 1.0, sample.control_shift * unit)
        used = anchor_of(values, exact=False)
    else:
        values = sample.physics.cells(random, sample.background.size, 1.0, random.uniform(-0.5, 0.5) * unit)
        used = anchor_of(values, exact=False)
    found = measured(sample, control_of(sample), used)
    return _found(sample, found)


def differing(separation: float, size: int, unlike: tuple[float, float], seed: int, number: int) -> Found:
    """Return truth, estimate and interval of a sample whose control's signal has another spread and skewness."""
    sample = draw_sample((seed, 80, round(10 * separation), size, number), separation, size, differing=unlike)
    found = measured(sample, control_of(sample), anchor_of(sample.background))
    return _found(sample, found)


def rescaled(seed: int, number: int) -> tuple[list[float], float]:
    """Return the negative fractions of one sample at W, W + 0.3 and W + 0.6, and its interval's width."""
    separation = SEPARATIONS[number % len(SEPARATIONS)]
    sample = draw_sample((seed, 79, number), separation, 2000)
    found, width = [], math.nan
    bins = limits().mixture.bins
    for wider in (0.0, 0.3, 0.6):
        scale = replace(SCALE, w=SCALE.w + wider)
        empty = np.empty(0)

        def of(values: Floats, scale: Scale = scale) -> Anchor:
            return Anchor(histogram(scale.forward(values), bins), "isotype", (), exact=True)

        control = control_terms(
            fit(TargetCells(sample.control, empty), of(sample.control_background), scale, limits()), limits()
        )
        one = fit(TargetCells(sample.cells, empty), of(sample.background), scale, limits(), control=control)
        found.append(_known(one.negative_fraction))
        width = _known(one.negative_fraction_high) - _known(one.negative_fraction_low)
    return found, width


def _found(sample: Sample, measures: Expression) -> Found:
    fraction, low, high = measures.negative_fraction, measures.negative_fraction_low, measures.negative_fraction_high
    return sample.fraction, _known(fraction), _known(low), _known(high)


def _known(value: float | None) -> float:
    return math.nan if value is None else value

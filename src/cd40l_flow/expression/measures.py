"""The measures of one reagent: percent positive, MFI, the mixture and its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cd40l_flow.expression.components import Background, Positive, background_component
from cd40l_flow.expression.dip import dip, dip_p_value
from cd40l_flow.expression.histogram import centres, edges, histogram, quantile
from cd40l_flow.expression.mixture import (
    SHAPE_SD,
    WIDTH_SD,
    Fit,
    fit_mixture,
    parameters,
    profile_interval,
)
from cd40l_flow.expression.model import Anchor, ControlExpression, Expression
from cd40l_flow.expression.proportion import Z95, percent_positive
from cd40l_flow.inputs.model import Floats
from cd40l_flow.signal.scale import Scale

FEWEST_TO_FIT = 100
BACKGROUND_RESAMPLES = 30
SEED = 154


@dataclass(frozen=True)
class TargetCells:
    """The target on the gated cells of one reagent: compensated linear values, (n,), of activated and resting cells.

    ``resting`` are CD3+CD8- cells of the unstimulated tube of the same reagent, empty when there is none.
    """

    activated: Floats
    resting: Floats


def fit(
    cells: TargetCells,
    anchor: Anchor,
    scale: Scale,
    limits: Mapping[str, Any],
    *,
    reagent: str = "CD154",
    detector: str = "",
    tubes: tuple[str, ...] = (),
    control: ControlExpression | None = None,
    threshold: float | None = None,
) -> Expression:
    """Return everything measured of one reagent in one sample, by itself.

    ``limits`` are all groups of the configuration's limits. ``anchor`` needs at least one event. ``control`` lends the
    shape of its positive component; ``threshold`` (linear) replaces the background's quantile.
    """
    mixture = limits["mixture"]
    bins = int(mixture["bins"])
    scaled = scale.forward(cells.activated)
    counts = histogram(scaled, bins)
    source = f"{100 * mixture['background_quantile']:g}th percentile of the background"
    threshold_scaled = quantile(anchor.counts, float(mixture["background_quantile"]))
    automatic = scale.to_linear(threshold_scaled)
    overridden = threshold is not None
    if threshold is None:
        threshold = automatic
    else:
        threshold_scaled, source = scale.to_scaled(threshold), "override"
    above = cells.activated > threshold
    low, percent, high = percent_positive(above, anchor.counts, threshold_scaled)
    background = background_component(anchor.counts)
    background_mfi = scale.to_linear(background.median)
    background_sd = _linear_sd(anchor.counts, scale)
    positives = cells.activated[above]
    enough = positives.size >= int(limits["guards"]["minor_mention"])
    mfi_positive = float(np.median(positives)) if enough else None
    resting = scale.forward(cells.resting) if cells.resting.size else np.empty(0)
    found = _fit(counts, background, anchor, control.positive if control else None, limits)
    return Expression(
        reagent=reagent,
        detector=detector,
        tubes=tubes,
        events=int(cells.activated.size),
        scale=scale,
        counts=counts,
        anchor=anchor,
        threshold=threshold,
        threshold_scaled=threshold_scaled,
        threshold_source=source,
        percent_positive=percent,
        percent_positive_low=low,
        percent_positive_high=high,
        mfi_all=float(np.median(cells.activated)) if cells.activated.size else None,
        mfi_positive=mfi_positive,
        mfi_background=background_mfi,
        stain_index=(mfi_positive - background_mfi) / (2 * background_sd) if mfi_positive is not None else None,
        negative_fraction=found.fit.negative_fraction if found else None,
        negative_fraction_low=found.low if found else None,
        negative_fraction_high=found.high if found else None,
        separation=found.fit.separation if found else None,
        shift=found.fit.shift if found else None,
        converged=found.fit.converged if found else None,
        positive=found.fit.positive if found else None,
        positive_low_scaled=found.positive_low if found else None,
        expected=found.fit.expected if found else None,
        valley=_valley(counts, found.fit, background) if found else None,
        dip_p=_dip_p(scaled) if found else None,
        borrowed=found.borrowed if found else None,
        unstimulated_percent_positive=100 * float(np.mean(resting > threshold_scaled)) if resting.size else None,
        background_shift=(background.median - float(np.median(resting))) / background.sd if resting.size else None,
        linear_width_ratio=scale.linear_width / background_sd if background_sd > 0 else None,
        threshold_automatic=automatic if overridden else None,
    )


@dataclass(frozen=True)
class _Found:
    fit: Fit
    low: float
    high: float
    positive_low: float
    borrowed: float


def _fit(
    counts: Floats, background: Background, anchor: Anchor, prior: Positive | None, limits: Mapping[str, Any]
) -> _Found | None:
    """Return the mixture with its interval; None with too few cells to fit."""
    if counts.sum() < FEWEST_TO_FIT or anchor.counts.sum() < FEWEST_TO_FIT:
        return None
    shift_max = float(limits["mixture"]["shift_max"])
    best = fit_mixture(counts, background, prior, shift_max)
    low, high = profile_interval(best, counts, background, prior, shift_max)
    # The background tube is a sample too: refit with its counts resampled (Poisson bootstrap, fixed seed).
    random = np.random.default_rng(SEED)
    start = (parameters(best),)
    redrawn = [random.poisson(anchor.counts).astype(np.float64) for _ in range(BACKGROUND_RESAMPLES)]
    refits = [fit_mixture(counts, background_component(drawn), prior, shift_max, start) for drawn in redrawn]
    spread = Z95 * float(np.std([refit.negative_fraction for refit in refits]))
    negative = best.negative_fraction
    low = negative - math.hypot(negative - low, spread)
    high = negative + math.hypot(high - negative, spread)
    if not anchor.exact:
        # A borrowed background may lie elsewhere: the interval spans the fits with it moved as far as it may be wrong.
        for side in (-1, 1):
            moved: Floats = np.interp(
                edges(counts.size) - side * shift_max * background.sd, edges(counts.size), background.cumulative
            )
            shifted = background_component(np.diff(moved) * anchor.counts.sum())
            refit = fit_mixture(counts, shifted, prior, 1e-6, start).negative_fraction
            low, high = min(low, refit - (negative - low)), max(high, refit + (high - negative))
    p1, _ = best.positive.probabilities(counts.size)
    return _Found(best, max(low, 0.0), min(high, 1.0), quantile(p1, 0.1), _borrowed(best, counts, prior))


def _borrowed(best: Fit, counts: Floats, prior: Positive | None) -> float:
    """Return the share of the information on the positive width that is the control's, prior over prior + data.

    The data's information on log width of a normal is 2 a cell, weighed by how surely each cell is positive.
    """
    if prior is None:
        return 0.0
    total = np.maximum(best.expected.sum(axis=0), 1e-12)
    sure = best.expected[1] / total
    information = 2 * float(counts @ (sure**2))
    from_prior = 1 / WIDTH_SD**2 + 1 / SHAPE_SD**2
    return from_prior / (from_prior + information)


def _linear_sd(counts: Floats, scale: Scale) -> float:
    """Return the robust SD of binned values in channel values."""
    low, high = scale.inverse(np.array([quantile(counts, q) for q in (0.1587, 0.8413)]))
    return float(high - low) / 2


def _valley(counts: Floats, best: Fit, background: Background) -> float | None:
    """Return the depth of the valley between the two components (1 empty, 0 none), None where they are not ordered."""
    kernel = np.hanning(13) / np.hanning(13).sum()
    smooth = np.convolve(counts, kernel, mode="same")
    grid = centres(counts.size)
    low, high = background.median + best.shift * background.sd, best.positive.mean
    between = np.flatnonzero((grid >= low) & (grid <= high))
    if between.size < 3:
        return None
    bottom = int(between[np.argmin(smooth[between])])
    left, right = smooth[: bottom + 1].max(), smooth[bottom:].max()
    return float(1 - smooth[bottom] / max(min(left, right), 1e-9))


def _dip_p(scaled: Floats) -> float:
    """Return the p value of Hartigan's dip test of one mode; values on the logicle scale, (n,)."""
    return dip_p_value(dip(np.sort(scaled)), scaled.size)

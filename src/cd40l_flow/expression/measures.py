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
    log_likelihood_at,
    parameters,
    profile_interval,
)
from cd40l_flow.expression.model import Anchor, Comparison, ControlExpression, Expression
from cd40l_flow.inputs.model import Floats
from cd40l_flow.signal.scale import Scale

Z95 = 1.959963984540054
FEWEST_TO_FIT = 100
BACKGROUND_RESAMPLES = 30
SEED = 154


@dataclass(frozen=True)
class TargetCells:
    """The target on the gated cells of one reagent: compensated linear values, (n,), of the activated cells and of the resting.

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

    ``limits`` are all groups of the configuration's limits. ``control`` lends the shape of its positive component; ``threshold`` (linear) replaces the
    background's quantile. Percent positive: (p - b) / (1 - b) of sample and background above the threshold, with Wilson
    intervals combined by MOVER (Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I).
    """
    mixture = limits["mixture"]
    bins = int(mixture["bins"])
    scaled = scale.forward(cells.activated)
    counts = histogram(scaled, bins)
    source = f"{100 * mixture['background_quantile']:g}th percentile of the background"
    if threshold is None:
        threshold_scaled = quantile(anchor.counts, float(mixture["background_quantile"]))
        threshold = scale.to_linear(threshold_scaled)
    else:
        threshold_scaled, source = scale.to_scaled(threshold), "override"
    above = cells.activated > threshold
    low, percent, high = _percent_positive(above, anchor.counts, threshold_scaled)
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
    )


def compare(
    expression: Expression, control: ControlExpression, limits: Mapping[str, Any], *, by_fit: bool
) -> Comparison:
    """Return one reagent beside the controls'.

    ``by_fit`` says whether the sample's own positive fraction may be taken from its fit (stable and separate). Mutant fraction f = 1 - (1 - n) /
    (1 - n_control), clipped at 0; its interval adds, in squares, the errors of sample and control and the spread between
    healthy people. LoB = 2.33 s, LoD = LoB + 1.645 s with s^2 = (sqrt(2) SD_healthy / (1 - n_control))^2 + counting error^2.
    """
    mixture = limits["mixture"]
    fraction = expression.positive_fraction_by_fit if by_fit and control.by_fit else None
    control_fraction = control.positive_fraction if fraction is not None else None
    if fraction is None and expression.percent_positive is not None and control.percent_positive is not None:
        fraction, control_fraction = expression.percent_positive / 100, control.percent_positive / 100
    values: dict[str, float | None] = {
        "relative_positive": _ratio(fraction, control_fraction),
        "mfi_ratio": _ratio(expression.mfi_above_background, control.mfi_above_background),
        "mfi_all_ratio": _ratio(expression.mfi_all_above_background, control.mfi_all_above_background),
        "bright_events": _bright_events(expression, control),
    }
    negative, negative_c, sd_c = expression.negative_fraction, control.negative_fraction, control.negative_fraction_sd
    low, high = expression.negative_fraction_low, expression.negative_fraction_high
    if negative is None or low is None or high is None or negative_c is None or sd_c is None or negative_c >= 0.99:
        return Comparison(**values)
    raw = 1 - (1 - negative) / (1 - negative_c)
    healthy = math.sqrt(2) * float(mixture["healthy_negative_sd"]) / (1 - negative_c)
    of_control = (1 - raw) * sd_c / (1 - negative_c)
    # The counting error at the limit is that of a healthy sample of this size, not of this sample's own fraction.
    blank_error = math.hypot((high - low) / (2 * Z95) / (1 - negative_c), sd_c / (1 - negative_c))
    s = math.hypot(healthy, blank_error)
    lob = float(mixture["lob_z"]) * s
    lod = lob + float(mixture["lod_z"]) * s
    common = Z95 * math.hypot(healthy, of_control)
    values |= {
        "mutant_fraction": max(raw, 0.0),
        "mutant_fraction_low": max(raw - math.hypot((negative - low) / (1 - negative_c), common), 0.0),
        "mutant_fraction_high": min(max(raw + math.hypot((high - negative) / (1 - negative_c), common), 0.0), 1.0),
        "lob": lob,
        "lod": lod,
    }
    values |= _two_populations(expression, control, limits, most_healthy=1 - (1 - lob) * (1 - negative_c))
    return Comparison(**values)


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
    refits = [
        fit_mixture(counts, background_component(random.poisson(anchor.counts) * 1.0), prior, shift_max, start)
        for _ in range(BACKGROUND_RESAMPLES)
    ]
    spread = Z95 * float(np.std([refit.negative_fraction for refit in refits]))
    negative = best.negative_fraction
    low = negative - math.hypot(negative - low, spread)
    high = negative + math.hypot(high - negative, spread)
    if not anchor.exact:
        # A borrowed background may lie elsewhere: the interval spans the fits with it moved as far as it may be wrong.
        for side in (-1, 1):
            moved = np.interp(
                edges(counts.size) - side * shift_max * background.sd, edges(counts.size), background.cumulative
            )
            shifted = background_component(np.diff(moved) * anchor.counts.sum())
            refit = fit_mixture(counts, shifted, prior, 1e-6, start).negative_fraction
            low, high = min(low, refit - (negative - low)), max(high, refit + (high - negative))
    p1, _ = best.positive.probabilities(counts.size)
    return _Found(best, max(low, 0.0), min(high, 1.0), quantile(p1, 0.1), _borrowed(best, counts, prior))


def _borrowed(best: Fit, counts: Floats, prior: Positive | None) -> float:
    """Return the share of the information on the positive width that is the control's: prior over prior + data (0 to 1).

    The data's information on log width of a normal is 2 a cell, weighed by how surely each cell is positive.
    """
    if prior is None:
        return 0.0
    total = np.maximum(best.expected.sum(axis=0), 1e-12)
    sure = best.expected[1] / total
    information = 2 * float(counts @ (sure**2))
    from_prior = 1 / WIDTH_SD**2 + 1 / SHAPE_SD**2
    return from_prior / (from_prior + information)


def _percent_positive(above: Floats, background: Floats, threshold_scaled: float) -> tuple[float | None, ...]:
    """Return low, percent and high of the background-corrected percent positive; Nones when a tube has no cells."""
    n, m = above.size, float(background.sum())
    if n == 0 or m == 0:
        return None, None, None
    p = float(np.mean(above))
    cumulative = np.concatenate(([0.0], np.cumsum(background))) / m
    b = 1 - float(np.interp(threshold_scaled, edges(background.size), cumulative))
    p_low, p_high = wilson(p, n)
    b_low, b_high = wilson(b, m)
    corrected = (p - b) / (1 - b) if b < 1 else 0.0
    low = corrected - math.hypot(p - p_low, b_high - b) / max(1 - b, 1e-9)
    high = corrected + math.hypot(p_high - p, b - b_low) / max(1 - b, 1e-9)
    return tuple(100 * min(max(value, 0.0), 1.0) for value in (low, corrected, high))


def wilson(p: float, n: float) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a proportion ``p`` (0 to 1) of ``n`` events (Wilson 1927)."""
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


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
    """Return the p value of Hartigan's dip test of one mode (Hartigan & Hartigan 1985), values on the logicle scale, (n,)."""
    return dip_p_value(dip(np.sort(scaled)), scaled.size)


def _bright_events(expression: Expression, control: ControlExpression) -> float | None:
    """Return how many cells lie above the 10th percentile of the control's positive component, beyond the background's."""
    if control.positive_low_scaled is None:
        return None
    bright = centres(expression.counts.size) > control.positive_low_scaled
    background = expression.anchor.counts
    false = float(background[bright].sum() / max(background.sum(), 1.0))
    return float(expression.counts[bright].sum()) - false * expression.events


def _two_populations(
    expression: Expression, control: ControlExpression, limits: Mapping[str, Any], most_healthy: float
) -> dict[str, float | None]:
    """Compare two populations with one shifted population beside the most negatives that a healthy donor may have."""
    from scipy.special import chdtrc

    if expression.negative_fraction is None or expression.positive is None or expression.expected is None:
        return {}
    shift_max = float(limits["mixture"]["shift_max"])
    background = background_component(expression.anchor.counts)
    best = fit_mixture(expression.counts, background, control.positive, shift_max)
    if best.negative_fraction <= most_healthy:
        return {"likelihood_ratio": 0.0, "likelihood_ratio_p": 1.0, "delta_bic": -math.log(expression.events)}
    null = log_likelihood_at(most_healthy, best, expression.counts, background, control.positive, shift_max)
    ratio = max(2 * (best.log_likelihood - null), 0.0)
    return {
        "likelihood_ratio": ratio,
        "likelihood_ratio_p": float(chdtrc(1, ratio)),
        "delta_bic": ratio - math.log(expression.events),
    }


def _ratio(value: float | None, reference: float | None) -> float | None:
    """Return a ratio, or None where the reference is missing or not positive."""
    return None if value is None or reference is None or reference <= 0 else value / reference

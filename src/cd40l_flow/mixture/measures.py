"""The measures of one reagent: percent positive, MFI, the mixture and its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.checks.dip import dip, dip_p_value
from cd40l_flow.mixture.checks.free_mixture import free_mixture
from cd40l_flow.mixture.checks.goodness import Goodness, goodness
from cd40l_flow.mixture.checks.model_free import valley_depth
from cd40l_flow.mixture.components import Background
from cd40l_flow.mixture.fit import Fit, fit_mixture, parameters
from cd40l_flow.mixture.histogram import histogram, piled, quantile
from cd40l_flow.mixture.interval import profile_interval
from cd40l_flow.mixture.medians import median_interval
from cd40l_flow.mixture.model import Anchor, ControlExpression, Expression
from cd40l_flow.mixture.prior import NOTHING_KNOWN, Prior
from cd40l_flow.mixture.problem import ANCHORED, Problem
from cd40l_flow.mixture.proportion import percent_positive
from cd40l_flow.signal.quantiles import median
from cd40l_flow.signal.scale import Scale

FEWEST_TO_FIT = 100
MOST_TO_TEST = 100_000  # values that the dip test looks at
MOST_TAIL = 3.0  # largest threshold above the background's median, in distances to the 90th percentile
AT_THE_TOP = 0.99  # of the range: cells above it are off-scale even after compensation


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
    limits: Limits,
    *,
    reagent: str = "",
    detector: str = "",
    tubes: tuple[str, ...] = (),
    control: ControlExpression | None = None,
    threshold: float | None = None,
) -> Expression:
    """Return all measures of one reagent in one sample, without comparison.

    ``limits`` are all groups of the configuration's limits. ``anchor`` needs at least one event. ``control`` provides a
    prior of the positive component; ``threshold`` (linear) replaces the background's quantile.

    On arrays, in a notebook:

    >>> import numpy as np
    >>> from cd40l_flow.cohort.config import parse_config
    >>> from cd40l_flow.mixture.histogram import histogram
    >>> from cd40l_flow.signal.scale import Scale
    >>> config, _ = parse_config({"samples": "samples.tsv", "tubes": "tubes.tsv", "fcs_dir": "fcs"})
    >>> scale = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="example")
    >>> random = np.random.default_rng(1)
    >>> dark = random.normal(200, 120, 5000)
    >>> activated = random.normal(200, 120, 2000)
    >>> activated[600:] += 7000 * np.exp(0.4 * random.normal(size=1400))
    >>> anchor = Anchor(histogram(scale.forward(dark), 512), "isotype", ("isotype.fcs",), exact=True)
    >>> found = fit(TargetCells(activated, np.empty(0)), anchor, scale, config.limits)
    >>> round(found.negative_fraction, 2), found.converged
    (0.3, True)
    >>> found.negative_fraction_low < 0.3 < found.negative_fraction_high
    True
    """
    mixture = limits.mixture
    bins = mixture.bins
    scaled = scale.forward(cells.activated)
    counts = histogram(scaled, bins)
    source = f"{100 * mixture.background_quantile:g}th percentile of the background"
    threshold_scaled, outliers = background_threshold(anchor.counts, mixture.background_quantile)
    if outliers:
        source += ", its outliers left out"
    automatic, automatic_scaled = scale.to_linear(threshold_scaled), threshold_scaled
    overridden = threshold is not None
    if threshold is None:
        threshold = automatic
    else:
        threshold_scaled, source = scale.to_scaled(threshold), "override"
    above = cells.activated > threshold
    low, percent, high = percent_positive(above, anchor.counts, threshold_scaled)
    background = anchor.component(scale)
    background_mfi = scale.to_linear(background.median)
    background_sd = _linear_sd(anchor.counts, scale)
    positives = cells.activated[above]
    enough = positives.size >= limits.guards.minor_mention
    mfi_positive = median(positives) if enough else None
    all_low, all_high = median_interval(cells.activated)
    positive_low, positive_high = median_interval(positives) if enough else (None, None)
    resting = scale.forward(cells.resting) if cells.resting.size else np.empty(0)
    margin = cells.activated >= AT_THE_TOP * scale.t
    measurable = histogram(scaled[~margin], bins)
    found = _fit(measurable, background, anchor, control.prior if control else None, limits)
    # The boundary is midway between the background's median and the threshold. At the threshold itself, dim components
    # of real recordings (up to 0.3 of the cells) would count as negative.
    free = free_mixture(counts, (background.median + automatic_scaled) / 2)
    # Off-scale cells are positive, whatever the distribution of the others.
    measurable_share = float(measurable.sum()) / max(cells.activated.size, 1)
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
        mfi_all=median(cells.activated) if cells.activated.size else None,
        mfi_positive=mfi_positive,
        mfi_background=background_mfi,
        stain_index=(mfi_positive - background_mfi) / (2 * background_sd) if mfi_positive is not None else None,
        negative_fraction=measurable_share * found.fit.negative_fraction if found else None,
        negative_fraction_low=measurable_share * found.low if found else None,
        negative_fraction_high=measurable_share * found.high if found else None,
        separation=found.fit.separation if found else None,
        shift=found.fit.shift if found else None,
        converged=found.fit.converged if found else None,
        positive=found.fit.positive if found else None,
        positive_low_scaled=found.positive_low if found else None,
        expected=found.fit.expected if found else None,
        valley=valley_depth(counts, background.median + found.fit.shift * background.sd, found.fit.positive_mean)
        if found
        else None,
        dip_p=_dip_p(scaled) if found else None,
        borrowed=found.borrowed if found else None,
        unstimulated_percent_positive=100 * float(np.mean(resting > threshold_scaled)) if resting.size else None,
        background_shift=(background.median - median(resting)) / background.sd if resting.size else None,
        linear_width_ratio=scale.linear_width / background_sd if background_sd > 0 else None,
        threshold_automatic=automatic if overridden else None,
        gmm_negative_fraction=free.negative_fraction if free else None,
        gmm_components=free.components if free else None,
        mixture=found.fit if found else None,
        mfi_all_low=all_low,
        mfi_all_high=all_high,
        mfi_positive_low=positive_low,
        mfi_positive_high=positive_high,
        margin_events=int(np.count_nonzero(margin)),
        goodness=found.goodness.p if found and found.goodness else None,
        misplaced=found.goodness.misplaced if found and found.goodness else None,
        overdispersion=found.goodness.overdispersion if found and found.goodness else None,
        model_error=measurable_share * found.fit.model_error if found else None,
        at_bound=found.fit.at_bound if found else (),
    )


def background_threshold(counts: Floats, share: float) -> tuple[float, bool]:
    """Return the quantile of a binned background, (bins,), on the logicle scale, and whether outliers are left out.

    With 1 % of contaminating positive cells, the 99 % quantile jumps to them. Its distance from the median is 1.8 times
    that of the 90th percentile for a Gaussian background and 2.4 times for an exponential tail. Beyond ``MOST_TAIL``
    times it is no tail, and the threshold is capped.
    """
    middle, high, plain = (quantile(counts, q) for q in (0.5, 0.9, share))
    most = middle + MOST_TAIL * (high - middle)
    robust = share <= 0.99 and high > middle and plain > most
    return (most, True) if robust else (plain, False)


@dataclass(frozen=True)
class _Found:
    fit: Fit
    low: float
    high: float
    positive_low: float
    borrowed: float
    goodness: Goodness | None


def _fit(counts: Floats, background: Background, anchor: Anchor, prior: Prior | None, limits: Limits) -> _Found | None:
    """Return the mixture with its interval; None with too few cells to fit."""
    if counts.sum() < FEWEST_TO_FIT or anchor.counts.sum() < FEWEST_TO_FIT:
        return None
    shift_max = limits.mixture.shift_max
    borrowed = not anchor.exact
    best = fit_mixture(counts, background, prior, shift_max, borrowed=borrowed)
    low, high = profile_interval(
        best, Problem(counts, background, prior or NOTHING_KNOWN, shift_max, borrowed=borrowed)
    )
    described = goodness(piled(counts, background.floor), best.expected, background)
    return _Found(best, low, high, quantile(best.expected[1], 0.1), _borrowed(best, prior), described)


def _borrowed(best: Fit, prior: Prior | None) -> float:
    """Return the share of the information on the log spread of the signal that comes from the control."""
    if prior is None:
        return 0.0
    _, _, known = prior.penalty(parameters(best)[2:ANCHORED])
    return float(min(max(known[1, 1] / best.information[3, 3], 0.0), 1.0))


def _linear_sd(counts: Floats, scale: Scale) -> float:
    """Return the robust SD of binned values in channel values."""
    low, high = scale.inverse(np.array([quantile(counts, q) for q in (0.1587, 0.8413)]))
    return float(high - low) / 2


def _dip_p(scaled: Floats) -> float:
    """Return the p value of Hartigan's dip test of one mode; values on the logicle scale, (n,).

    Of very many values only every k-th is used. This is enough to detect any relevant second mode, and limits memory.
    """
    ordered = np.sort(scaled)
    some = ordered[:: max(1, ordered.size // MOST_TO_TEST)]
    return dip_p_value(dip(some), some.size)

"""One reagent relative to the controls: ratios, and the mutant fraction with its limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from cd40l_flow.assay.call_limits import MixtureLimits
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.checks.model_free import distances
from cd40l_flow.mixture.detection import detectable
from cd40l_flow.mixture.histogram import centres
from cd40l_flow.mixture.medians import above, log_error
from cd40l_flow.mixture.model import Comparison, ControlExpression, Expression
from cd40l_flow.mixture.proportion import Z95

# A value and the ends of its 95 % interval; None is not known.
Ends = tuple[float | None, float | None, float | None]


def compare(expression: Expression, control: ControlExpression, limits: Limits, *, by_fit: bool) -> Comparison:
    """Return one reagent relative to the controls.

    ``by_fit`` is True if the sample's positive fraction may come from its fit (stable and separate). Mutant fraction f
    = 1 - (1 - n) / (1 - n_control), below 0 if the sample has fewer negatives; its interval combines in quadrature the
    errors of sample and control and the spread between healthy people. LoB = 2.33 s, LoD = LoB + 1.645 s with s^2 =
    (sqrt(1 + 1 / k) SD_healthy / (1 - n_control))^2 + counting error^2, k being the number of controls.
    """
    counts = expression.counts
    positives = above(counts, expression.threshold_scaled)
    positive, positive_c = expression.mfi_above_background, control.mfi_above_background
    whole, whole_c = expression.mfi_all_above_background, control.mfi_all_above_background
    relative = _relative_positive(expression, control, by_fit=by_fit)
    of_positives = _level(_ratio(positive, positive_c), positives, control.mfi_error, expression)
    of_all = _level(_ratio(whole, whole_c), counts, control.mfi_all_error, expression)
    found = Comparison(
        mfi_ratio=of_positives[0],
        mfi_ratio_low=of_positives[1],
        mfi_ratio_high=of_positives[2],
        mfi_all_ratio=of_all[0],
        mfi_all_ratio_low=of_all[1],
        mfi_all_ratio_high=of_all[2],
        relative_positive=relative[0],
        relative_positive_low=relative[1],
        relative_positive_high=relative[2],
        bright_events=_bright_events(expression, control),
        distances=distances(counts, expression.anchor.counts, control.counts),
    )
    return _with_mutants(found, expression, control, limits)


def agreeing(comparisons: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """Return the comparisons of one sample's reagents, with the difference to the other readout's mutant fraction.

    Both are of the same blood, so only counting errors count. The other readout of function is the first clone, and
    that of every clone is function.
    """
    assay, found = current_assay(), {}
    for reagent, mine in comparisons.items():
        theirs = comparisons.get(assay.expression[0] if reagent == assay.function else assay.function)
        if theirs is not None and theirs.mutant_fraction is not None and mine.mutant_fraction is not None:
            error = math.hypot(mine.mutant_error or 0.0, theirs.mutant_error or 0.0)
            apart = mine.mutant_fraction - theirs.mutant_fraction
            mine = replace(mine, agreement=apart / error if error > 0 else None)
        found[reagent] = mine
    return found


def _relative_positive(expression: Expression, control: ControlExpression, *, by_fit: bool) -> Ends:
    """Return the positive fraction over the controls', from the fits if both can be used, with its interval."""
    if by_fit and control.by_fit:
        fraction, reference = expression.positive_fraction_by_fit, control.positive_fraction
        low, high = _less_from_one(expression.negative_fraction_high), _less_from_one(expression.negative_fraction_low)
    else:
        fraction, low, high, reference = (
            None if percent is None else percent / 100
            for percent in (
                expression.percent_positive,
                expression.percent_positive_low,
                expression.percent_positive_high,
                control.percent_positive,
            )
        )
    ratio = _ratio(fraction, reference)
    error = control.positive_fraction_error
    if None in (ratio, fraction, low, high, reference, error):
        return ratio, None, None
    assert ratio is not None and fraction is not None and low is not None and high is not None
    assert reference is not None and error is not None
    # MOVER for a ratio, to first order: the ends of the numerator, and the relative error of the denominator.
    common = Z95 * ratio * error / reference
    lowest = max(ratio - math.hypot((fraction - low) / reference, common), 0.0)
    return ratio, lowest, ratio + math.hypot((high - fraction) / reference, common)


def _level(ratio: float | None, cells: Floats, control_error: float | None, expression: Expression) -> Ends:
    """Return an MFI over the controls' with the interval of both errors; ``cells``, (bins,), are those it is of."""
    if ratio is None or ratio <= 0 or control_error is None:
        return ratio, None, None
    own = log_error(cells, expression.anchor.counts, expression.scale)
    if own is None:
        return ratio, None, None
    width = Z95 * math.hypot(own, control_error)
    return ratio, ratio * math.exp(-width), ratio * math.exp(width)


def _with_mutants(found: Comparison, expression: Expression, control: ControlExpression, limits: Limits) -> Comparison:
    """Return a comparison with the mutant fraction, its interval and its limits, where both could be fitted."""
    negative, negative_c, sd_c = expression.negative_fraction, control.negative_fraction, control.negative_fraction_sd
    low, high = expression.negative_fraction_low, expression.negative_fraction_high
    if negative is None or low is None or high is None or negative_c is None or sd_c is None or negative_c >= 0.99:
        return found
    mixture = limits.mixture
    expressing = 1 - negative_c
    raw = 1 - (1 - negative) / expressing
    healthy_sd = mixture.healthy_negative_sd
    healthy = math.sqrt(1 + 1 / control.count) * healthy_sd / expressing
    of_control = (1 - raw) * sd_c / expressing
    # The counting error comes from the intervals of sample and control, which include the overlap of the components.
    lob, lod = detection_limits(healthy_sd, negative_c, (high - low) / (2 * Z95), sd_c, mixture, controls=control.count)
    common = Z95 * math.hypot(healthy, of_control)
    titration = control.titration
    return replace(
        found,
        mutant_fraction=raw,
        mutant_fraction_low=raw - math.hypot((negative - low) / expressing, common),
        mutant_fraction_high=raw + math.hypot((high - negative) / expressing, common),
        mutant_error=math.hypot((high - low) / (2 * Z95) / expressing, of_control),
        lob=lob,
        lod=lod,
        titration=None
        if titration is None
        else detectable(titration, expression.events, sd_c / expressing, healthy, mixture),
    )


def detection_limits(
    healthy_sd: float,
    negative: float,
    error: float,
    control_error: float,
    mixture: MixtureLimits,
    *,
    controls: int = 1,
) -> tuple[float, float]:
    """Return limit of blank and limit of detection of the mutant fraction (0 to 1).

    ``healthy_sd`` is the SD of the negative fraction among healthy donors, ``negative`` the control's; the errors are
    the standard errors of the negative fraction of sample and control, and ``controls`` is the number of controls.
    """
    s = math.hypot(math.sqrt(1 + 1 / controls) * healthy_sd, error, control_error) / (1 - negative)
    lob = mixture.lob_z * s
    return lob, lob + mixture.lod_z * s


def _bright_events(expression: Expression, control: ControlExpression) -> float | None:
    """Return the number of cells above the 10th percentile of the control's positives, corrected for background."""
    if control.positive_low_scaled is None:
        return None
    bright = centres(expression.counts.size) > control.positive_low_scaled
    background = expression.anchor.counts
    false = float(background[bright].sum() / max(background.sum(), 1.0))
    return float(expression.counts[bright].sum()) - false * expression.events


def _less_from_one(value: float | None) -> float | None:
    return None if value is None else 1 - value


def _ratio(value: float | None, reference: float | None) -> float | None:
    """Return a ratio, or None where the reference is missing or not positive."""
    return None if value is None or reference is None or reference <= 0 else value / reference

"""One reagent beside the controls': ratios, the mutant fraction with its limits, what speaks for two populations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cd40l_flow.expression.components import background_component
from cd40l_flow.expression.histogram import centres
from cd40l_flow.expression.mixture import fit_mixture, log_likelihood_at
from cd40l_flow.expression.model import Comparison, ControlExpression, Expression
from cd40l_flow.expression.proportion import Z95


def compare(
    expression: Expression, control: ControlExpression, limits: Mapping[str, Any], *, by_fit: bool
) -> Comparison:
    """Return one reagent beside the controls'.

    ``by_fit`` says whether the sample's own positive fraction may be taken from its fit (stable and separate). Mutant
    fraction f = 1 - (1 - n) / (1 - n_control), clipped at 0; its interval adds, in squares, the errors of sample and
    control and the spread between healthy people. LoB = 2.33 s, LoD = LoB + 1.645 s with s^2 = (sqrt(2) SD_healthy / (1
    - n_control))^2 + counting error^2.
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
    # The counting error is told by the intervals of sample and control: they hold the overlap of the components too.
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


def _bright_events(expression: Expression, control: ControlExpression) -> float | None:
    """Return how many cells lie above the 10th percentile of the control's positives, beyond the background's."""
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

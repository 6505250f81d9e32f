"""Control terms: the combined measures of a run's controls, and the shape of their positive cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from msgspec import convert

from cd40l_flow.assay.call_limits import MixtureLimits
from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.quality import positive_fraction, usable_fit
from cd40l_flow.mixture.detection import combine_titrations
from cd40l_flow.mixture.fit import Fit
from cd40l_flow.mixture.medians import above, log_error
from cd40l_flow.mixture.model import ControlExpression, Expression
from cd40l_flow.mixture.prior import Prior, combine_priors, control_prior
from cd40l_flow.mixture.proportion import Z95
from cd40l_flow.mixture.signal_law import SignalParameters
from cd40l_flow.mixture.titration import titrate


def control_terms(expression: Expression, limits: Limits) -> ControlExpression:
    """Return the control terms of one control for one reagent."""
    low, high = expression.negative_fraction_low, expression.negative_fraction_high
    return ControlExpression(
        percent_positive=expression.percent_positive,
        positive_fraction=positive_fraction(expression, limits),
        by_fit=usable_fit(expression, limits),
        mfi_above_background=expression.mfi_above_background,
        mfi_all_above_background=expression.mfi_all_above_background,
        negative_fraction=expression.negative_fraction,
        negative_fraction_sd=None if low is None or high is None else (high - low) / (2 * Z95),
        separation=expression.separation,
        positive=expression.positive,
        prior=None if expression.mixture is None else prior_of(expression.mixture, limits.mixture),
        positive_low_scaled=expression.positive_low_scaled,
        background=expression.anchor.counts,
        background_source=expression.anchor.source,
        counts=expression.counts,
        mfi_error=log_error(
            above(expression.counts, expression.threshold_scaled), expression.anchor.counts, expression.scale
        ),
        mfi_all_error=log_error(expression.counts, expression.anchor.counts, expression.scale),
        positive_fraction_error=_fraction_error(expression, limits),
        titration=None,
        floor=expression.anchor.floor,
    )


def with_titration(terms: ControlExpression, expression: Expression, limits: Limits) -> ControlExpression:
    """Return the terms of one control with the titration of its own cells."""
    if expression.mixture is None or terms.prior is None or terms.negative_fraction_sd is None:
        return terms
    background = expression.anchor.component(expression.scale)
    titration = titrate(
        expression.counts,
        background,
        expression.mixture,
        terms.prior,
        limits.mixture,
        control_error=terms.negative_fraction_sd,
    )
    return replace(terms, titration=titration)


def prior_of(fit: Fit, mixture: MixtureLimits) -> Prior:
    """Return the prior of a sample's positive cells from a control's fit; ``mixture`` is that group of the limits."""
    covariance = np.asarray(np.linalg.inv(fit.information), dtype=np.float64)
    return control_prior(fit.positive, covariance[3:6, 3:6], mixture, fit.bend_covariance)


def _fraction_error(expression: Expression, limits: Limits) -> float | None:
    """Return the standard error of the positive fraction, of the fit or of percent positive as `positive_fraction`."""
    ends = (expression.negative_fraction_low, expression.negative_fraction_high, 1.0)
    if not usable_fit(expression, limits):
        ends = (expression.percent_positive_low, expression.percent_positive_high, 100.0)
    low, high, whole = ends
    return None if low is None or high is None else (high - low) / whole / (2 * Z95)


def combine(terms: Sequence[ControlExpression], mixture: MixtureLimits) -> ControlExpression:
    """Return several controls as one: fractions and shapes averaged, MFIs by their geometric mean, backgrounds pooled.

    ``mixture`` is that group of the limits. A measure that any control lacks is unknown; the fit counts only if it is
    usable in all of them.
    """
    if len(terms) == 1:
        return terms[0]
    count = len(terms)
    shapes = [term.positive for term in terms if term.positive is not None]
    return ControlExpression(
        percent_positive=_mean([term.percent_positive for term in terms]),
        positive_fraction=_mean([term.positive_fraction for term in terms]),
        by_fit=all(term.by_fit for term in terms),
        mfi_above_background=_geometric([term.mfi_above_background for term in terms]),
        mfi_all_above_background=_geometric([term.mfi_all_above_background for term in terms]),
        negative_fraction=_mean([term.negative_fraction for term in terms]),
        negative_fraction_sd=_error([term.negative_fraction_sd for term in terms]),
        separation=min((term.separation for term in terms if term.separation is not None), default=None),
        positive=SignalParameters(
            level=math.fsum(shape.level for shape in shapes) / count,
            log_spread=math.fsum(shape.log_spread for shape in shapes) / count,
            skew=math.fsum(shape.skew for shape in shapes) / count,
            electron=math.fsum(shape.electron for shape in shapes) / count,
        )
        if len(shapes) == count
        else None,
        prior=combine_priors([term.prior for term in terms], mixture),
        positive_low_scaled=_mean([term.positive_low_scaled for term in terms]),
        background=np.sum([term.background for term in terms], axis=0),
        background_source=terms[0].background_source,
        counts=np.sum([term.counts for term in terms], axis=0),
        mfi_error=_error([term.mfi_error for term in terms]),
        mfi_all_error=_error([term.mfi_all_error for term in terms]),
        positive_fraction_error=_error([term.positive_fraction_error for term in terms]),
        titration=combine_titrations([term.titration for term in terms]),
        count=sum(term.count for term in terms),
        floor=max((term.floor for term in terms if term.floor is not None), default=None),
        members=tuple(terms),
    )


def read_terms(terms: object) -> ControlExpression:
    """Return the terms from the record of a control in its result."""
    return convert(terms, ControlExpression, from_attributes=True, dec_hook=_array)


def _array(_: type, values: list[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def _error(errors: Sequence[float | None]) -> float | None:
    """Return the standard error of a mean of independent values."""
    known = [error for error in errors if error is not None]
    return math.hypot(*known) / len(known) if len(known) == len(errors) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _geometric(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and value > 0]
    return math.exp(sum(math.log(value) for value in known) / len(known)) if len(known) == len(values) else None

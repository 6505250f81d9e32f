"""What the controls of a run lend to every sample: their measures combined, and the shapes to borrow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from cd40l_flow.expression.components import Positive
from cd40l_flow.expression.model import ControlExpression, Expression
from cd40l_flow.expression.proportion import Z95
from cd40l_flow.expression.quality import positive_fraction, usable_fit


def control_terms(expression: Expression, limits: Mapping[str, Any]) -> ControlExpression:
    """Return the terms of ratios that one control gives for one reagent."""
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
        positive_low_scaled=expression.positive_low_scaled,
        background=expression.anchor.counts,
        background_source=expression.anchor.source,
    )


def combine(terms: Sequence[ControlExpression]) -> ControlExpression:
    """Return several controls as one: fractions and shapes averaged, MFIs by their geometric mean, backgrounds pooled.

    A measure that any control lacks is unknown; the fit counts only where it is usable in all of them.
    """
    if len(terms) == 1:
        return terms[0]
    count = len(terms)
    sds = [term.negative_fraction_sd for term in terms]
    shapes = [term.positive for term in terms if term.positive is not None]
    return ControlExpression(
        percent_positive=_mean([term.percent_positive for term in terms]),
        positive_fraction=_mean([term.positive_fraction for term in terms]),
        by_fit=all(term.by_fit for term in terms),
        mfi_above_background=_geometric([term.mfi_above_background for term in terms]),
        mfi_all_above_background=_geometric([term.mfi_all_above_background for term in terms]),
        negative_fraction=_mean([term.negative_fraction for term in terms]),
        negative_fraction_sd=None if None in sds else math.hypot(*(sd for sd in sds if sd is not None)) / count,
        separation=min((term.separation for term in terms if term.separation is not None), default=None),
        positive=Positive(
            mean=sum(shape.mean for shape in shapes) / count,
            log_width=sum(shape.log_width for shape in shapes) / count,
            shape=sum(shape.shape for shape in shapes) / count,
        )
        if len(shapes) == count
        else None,
        positive_low_scaled=_mean([term.positive_low_scaled for term in terms]),
        background=np.sum([term.background for term in terms], axis=0),
        background_source=terms[0].background_source,
    )


def to_json(terms: ControlExpression) -> dict[str, Any]:
    """Return the terms as plain JSON values; the background's counts as whole numbers, (bins,)."""
    plain = asdict(terms)
    plain["background"] = [round(float(count)) for count in terms.background]
    return plain


def from_json(plain: Mapping[str, Any]) -> ControlExpression:
    """Return the terms that `to_json` wrote."""
    positive = plain["positive"]
    values = dict(plain) | {
        "positive": Positive(**positive) if positive else None,
        "background": np.array(plain["background"], dtype=np.float64),
    }
    return ControlExpression(**values)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _geometric(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and value > 0]
    return math.exp(sum(math.log(value) for value in known) / len(known)) if len(known) == len(values) else None

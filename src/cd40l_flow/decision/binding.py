"""CD40-Ig binding relative to CD154 expression: function is a ratio of levels, not of percents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cd40l_flow.mixture.model import Comparison, ControlExpression, Expression


@dataclass(frozen=True)
class Binding:
    """MFI of CD40-Ig over that of CD154, all activated cells, each over the controls', with its 95 % interval."""

    ratio: float
    low: float
    high: float


def binding_of(
    expressions: Mapping[str, Expression],
    comparisons: Mapping[str, Comparison],
    controls: Mapping[str, ControlExpression],
    clones: Sequence[str],
    function: str,
) -> Binding | None:
    """Return the ratio of ``function`` over the brightest of the ``clones``; None if either is unknown or there is no
    CD154 to bind.
    """
    there = [
        comparison
        for clone in clones
        if (comparison := comparisons.get(clone)) is not None and _positive(comparison.mfi_all_ratio_low)
    ]
    if not there or function not in comparisons or function not in controls:
        return None
    best = max(there, key=lambda one: one.mfi_all_ratio or 0.0)
    mine, expression, control = comparisons[function], expressions[function], controls[function]
    of = control.mfi_all_above_background
    below, ratio, above = best.mfi_all_ratio_low, best.mfi_all_ratio, best.mfi_all_ratio_high
    if None in (mine.mfi_all_ratio, of, below, ratio, above) or not _positive(of):
        return None
    assert mine.mfi_all_ratio is not None and of is not None
    assert below is not None and ratio is not None and above is not None
    found = mine.mfi_all_ratio / ratio
    if mine.mfi_all_ratio_low is not None and mine.mfi_all_ratio_high is not None and found > 0:
        own = math.log(mine.mfi_all_ratio_high / mine.mfi_all_ratio_low) / 2
        width = math.hypot(own, math.log(above / below) / 2)
        return Binding(found, found * math.exp(-width), found * math.exp(width))
    # Not above the background: the ratio has no logarithm, and the interval of the median bounds it.
    if expression.mfi_all_high is None or expression.mfi_background is None:
        return None
    most = max(expression.mfi_all_high - expression.mfi_background, 0.0) / of / below
    return Binding(max(found, 0.0), 0.0, max(most, found))


def _positive(value: float | None) -> bool:
    return value is not None and value > 0

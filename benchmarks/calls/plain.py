"""Calls without a model of the background: a threshold, or a free mixture, and rules of thumb."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cd40l_flow.result.types.result import Result

FEWEST_EVENTS, LEAST_CD69, LEAST_CONTROL = 500, 70.0, 75.0
# What a laboratory would do without a model of the background: cells above the background's 99th percentile, or the
# components of a free mixture whose middle lies there. Bins of the gated cells -> positive fraction, middle.
Positives = Callable[[np.ndarray, np.ndarray], tuple[float, float]]


def by_threshold(counts: np.ndarray, background: np.ndarray) -> tuple[float, float]:
    """Return the positive fraction above the threshold and the median bin of the positives."""
    first = int(np.searchsorted(np.cumsum(background), 0.99 * background.sum())) + 1
    above = counts[first:]
    if not above.sum():
        return 0.0, math.nan
    return float(above.sum() / counts.sum()), first + float(np.searchsorted(np.cumsum(above), above.sum() / 2))


def by_mixture(counts: np.ndarray, background: np.ndarray) -> tuple[float, float]:
    """Return the positive fraction of a mixture of one to three normals, their number by BIC, and their mean."""
    from sklearn.mixture import GaussianMixture

    threshold = int(np.searchsorted(np.cumsum(background), 0.99 * background.sum())) + 1
    values = np.repeat(np.arange(counts.size, dtype=np.float64), counts.astype(int))[:, None]
    if len(values) < 10:
        return math.nan, math.nan
    fits = [GaussianMixture(number, random_state=0, n_init=2).fit(values) for number in (1, 2, 3)]
    best = min(fits, key=lambda fit: fit.bic(values))
    means, weights = best.means_[:, 0], best.weights_
    positive = means > threshold
    if not positive.any():
        return 0.0, math.nan
    return float(weights[positive].sum()), float(np.average(means[positive], weights=weights[positive]))


def plain_rules(
    result: Result,
    arrays: Mapping[str, Any],
    control: Result,
    control_arrays: Mapping[str, Any],
    positives: Positives,
) -> str:
    """Return the call by the rules of thumb of published reports, on the same gated cells.

    Files, number of cells and activation are checked as anybody would; then at least 70 % positive is normal, at most
    10 % absent, and what lies between is a mosaic where the positive cells are as bright as the control's.
    """
    refused = any(tube.status == "refused" for tube in result.tubes)
    events, activated = result.activated_events, result.cd69_percent
    if refused or not events or events < FEWEST_EVENTS or (activated or 0.0) < LEAST_CD69:
        return "INDETERMINATE"
    if result.metadata.calcineurin_inhibitor != "no":
        return "INDETERMINATE"
    found: dict[str, tuple[float, float]] = {}
    for reagent, key in (("CD154", "cd154"), ("CD40-Ig", "cd40ig")):
        if f"{key}_sample" not in arrays or f"{key}_sample" not in control_arrays:
            return "INDETERMINATE"
        fraction, middle = positives(arrays[f"{key}_sample"], arrays[f"{key}_background"])
        healthy, level = positives(control_arrays[f"{key}_sample"], control_arrays[f"{key}_background"])
        if not 100 * healthy >= LEAST_CONTROL:
            return "INDETERMINATE"
        found[reagent] = fraction, middle - level
    words = {reagent: _plain_word(*found[reagent]) for reagent in found}
    if words["CD154"] == words["CD40-Ig"]:
        return words["CD154"]
    if words["CD40-Ig"] == "ABSENT" and words["CD154"] in ("NORMAL", "REDUCED"):
        return "FUNCTIONAL_DEFECT"
    return "INDETERMINATE"


def _plain_word(fraction: float, shift: float) -> str:
    if fraction <= 0.10:
        return "ABSENT"
    # Half as bright is about 17 of 256 bins of the 4.5 decades of the scale.
    bright = shift > -17
    if fraction >= 0.70:
        return "NORMAL" if bright else "REDUCED"
    return "MOSAIC" if bright else "REDUCED"

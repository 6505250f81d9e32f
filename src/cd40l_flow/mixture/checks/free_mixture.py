"""A second opinion: scikit-learn's Gaussian mixture, which does not use the background tube.

It shares with the anchored fit only the binned cells and the definition of negative, so an error of either appears as a
difference.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.histogram import edges

# Of 1,000, 2,000 and 5,000 cells the fraction is the same to 0.01, and 1,000 take 10 ms.
MOST_CELLS, MOST_COMPONENTS = 1000, 3
TOLERANCE, MOST_STEPS = 1e-5, 200
# Minimum variance of a component: an SD of 2 of 512 bins, so that none fits a pile-up or a step of the data.
LEAST_VARIANCE = 2.5e-5
FEWEST = 3  # cells from which a component starts
DIGITS = 3  # more digits would differ between machines


@dataclass(frozen=True)
class FreeMixture:
    """The weight (0 to 1) of the components whose mean is negative, and how many components there are."""

    negative_fraction: float
    components: int


def free_mixture(counts: Floats, boundary: float) -> FreeMixture | None:
    """Return the free mixture of binned cells, (bins,), with the number of components of the lowest BIC, 1 to 3.

    A component whose mean lies below ``boundary``, on the logicle scale of the bins, counts as negative. Every
    component starts from the cells of an equal part of the range, which separates rare populations; components are
    added while the BIC decreases (Schwarz 1978). None with fewer than ``FEWEST`` cells or without a boundary.
    """
    from sklearn.mixture import GaussianMixture

    cells = _drawn(counts)
    if cells.size < FEWEST or not np.isfinite(boundary):
        return None
    best, lowest = None, np.inf
    for components in range(1, MOST_COMPONENTS + 1):
        start = _start(cells, components)
        if start is None:
            break
        weights, means, precisions = start
        mixture = GaussianMixture(
            components,
            covariance_type="spherical",
            tol=TOLERANCE,
            max_iter=MOST_STEPS,
            reg_covar=LEAST_VARIANCE,
            weights_init=weights,
            means_init=means[:, None],
            precisions_init=precisions,
            random_state=0,
        )
        with warnings.catch_warnings():
            # A mixture that has not converged is compared by its BIC like any other.
            warnings.simplefilter("ignore")
            mixture.fit(cells[:, None])
        criterion = float(mixture.bic(cells[:, None]))
        if criterion >= lowest:
            break
        best, lowest = mixture, criterion
    if best is None:
        return None
    below = best.means_[:, 0] < boundary
    return FreeMixture(round(float(best.weights_[below].sum()), DIGITS), int(below.size))


def _drawn(counts: Floats) -> Floats:
    """Return at most ``MOST_CELLS`` values on the logicle scale in rising order, (n,): evenly spaced quantiles."""
    total = float(counts.sum())
    number = min(int(total), MOST_CELLS)
    below = np.concatenate(([0.0], np.cumsum(counts)))
    rank = (np.arange(number) + 0.5) / max(number, 1) * total
    # The bin that holds each: none lies in an empty one.
    at = np.searchsorted(below, rank, side="right") - 1
    ends = edges(counts.size)
    found: Floats = ends[at] + (rank - below[at]) / counts[at] * (ends[1] - ends[0])
    return found


def _start(cells: Floats, components: int) -> tuple[Floats, Floats, Floats] | None:
    """Return weight, mean and precision of the cells in each equal part of their range, (components,) each.

    The range is that of 98 % of the cells. None where a part holds fewer than ``FEWEST``.
    """
    low, high = np.quantile(cells, (0.01, 0.99))
    part = np.clip((cells - low) / (high - low) * components, 0, components - 1).astype(np.intp)
    number = np.bincount(part, minlength=components)
    if number.min() < FEWEST:
        return None
    means = np.bincount(part, cells, components) / number
    variances = np.bincount(part, (cells - means[part]) ** 2, components) / number
    return number / cells.size, means, 1 / (variances + LEAST_VARIANCE)

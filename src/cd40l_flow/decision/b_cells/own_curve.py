"""The laboratory's own curve of switched B cells by age, from the shares of its healthy donors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cd40l_flow.assay.memory_b.age_table import BANDS, band_at
from cd40l_flow.base.model import Floats
from cd40l_flow.cohort.laboratory import ByAge
from cd40l_flow.cohort.reference_types import AgeKnot
from cd40l_flow.decision.b_cells.age_curve import logit
from cd40l_flow.mixture.proportion import Z95

# Width of the neighbourhood that makes the mean and SD of one age, as a standard deviation of ln age: a factor of 1.35.
BANDWIDTH = 0.3
# No group of the published table has an SD below 0.32; a smaller one, of few donors, would call healthy people low.
SMALLEST_SD = 0.2
# A share of no cells has no logit; this replaces it, indistinguishable to a reader.
SMALLEST, LARGEST = 0.05, 99.95
CONFIDENCE, COVERED = 0.95, 0.975


@dataclass(frozen=True)
class Donor:
    """A healthy donor: age in months, and the share of switched cells with its 95 % interval, percent of B cells."""

    age_months: float
    percent: float
    low: float
    high: float


def own_curve(donors: Sequence[Donor], share: str, *, fewest: int) -> ByAge | None:
    """Return the curve of a laboratory's donors; None where no age band has ``fewest`` of them.

    At the mean ln age of each such band: the mean of the logit by a locally linear regression on ln age with Gaussian
    weights (Cleveland 1979), the SD from the squared residuals over 1 - leverage, less the counting error, averaged
    with the same weights (Fan and Yao 1998). The factor of the tolerance limit is that of a normal sample of the
    weights' effective size (noncentral t; Hahn and Meeker 1991).
    """
    bands = {band.words: sum(band_at(donor.age_months) is band for donor in donors) for band in BANDS}
    kept = [band for band in BANDS if bands[band.words] >= fewest]
    if not kept:
        return None
    ordered = sorted(donors, key=lambda donor: (donor.age_months, donor.percent, donor.low, donor.high))
    x = np.log([donor.age_months for donor in ordered])
    y = np.array([_inside(donor.percent) for donor in ordered])
    error = np.array([(_inside(donor.high) - _inside(donor.low)) / (2 * Z95) for donor in ordered])
    rows = [_weights(x, at) for at in x]
    leverage = np.array([row[place] for place, row in enumerate(rows)])
    residuals = y - np.array([row @ y for row in rows])
    # A donor alone at his age is his own mean, and shows nothing of the spread.
    informative = leverage < 0.95
    squares = np.where(informative, residuals**2 / np.where(informative, 1 - leverage, 1.0), 0.0) - error**2
    knots = []
    for band in kept:
        at = float(np.mean([math.log(donor.age_months) for donor in ordered if band_at(donor.age_months) is band]))
        near = np.exp(-0.5 * ((x - at) / BANDWIDTH) ** 2)
        spread = near * informative
        if not spread.sum() > 0:
            continue
        sd = max(math.sqrt(max(float(spread @ squares / spread.sum()), 0.0)), SMALLEST_SD)
        size = float(spread.sum() ** 2 / (spread @ spread))
        mu = float(_weights(x, at) @ y)
        knots.append(AgeKnot(age_months=math.exp(at), mu=mu, sd=sd, factor=tolerance_factor(size)))
    return ByAge(share, tuple(knots), bands) if knots else None


def tolerance_factor(size: float) -> float:
    """Return how many SD below its mean a normal sample of this size has its one-sided tolerance limit."""
    from scipy.stats import nct, norm

    size = max(size, 2.0)
    root = math.sqrt(size)
    return float(nct.ppf(CONFIDENCE, size - 1, norm.ppf(COVERED) * root) / root)


def _inside(percent: float) -> float:
    return logit(min(max(percent, SMALLEST), LARGEST))


def _weights(x: Floats, at: float) -> Floats:
    """Return the weight of each donor in the locally linear mean at an age, (n,); they add up to 1."""
    near = np.exp(-0.5 * ((x - at) / BANDWIDTH) ** 2)
    apart = x - at
    first, second = float(near @ apart), float(near @ apart**2)
    total = float(near.sum())
    # Where all ages are one there is no slope.
    if second * total - first**2 <= 1e-9 * total**2:
        return np.asarray(near / total, dtype=np.float64)
    weights = near * (second - apart * first)
    return np.asarray(weights / weights.sum(), dtype=np.float64)

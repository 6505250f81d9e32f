"""In-silico titration: the run's own positive and negative cells, mixed at known fractions and analysed as samples.

The control gives the distribution of positive cells in this run, its background tube that of negative cells. Expected
histograms of mixtures are fitted like samples, which gives the bias. The information of the fit gives the error, which
draws at the limit verify. The result is the smallest mutant fraction that the run can detect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from cd40l_flow.assay.call_limits import MixtureLimits
from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.components import Background, background_component
from cd40l_flow.mixture.detection import Titration, detectable
from cd40l_flow.mixture.fit import Fit, fit_mixture, parameters
from cd40l_flow.mixture.histogram import expressing_cells
from cd40l_flow.mixture.prior import Prior
from cd40l_flow.mixture.problem import SHIFT_SD
from cd40l_flow.mixture.weight_error import weight_error

SIZES = (500, 2000, 10_000, 20_000)  # between them errors are powers of the number
FRACTIONS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 0.95)
DRAWS = 40  # the share detected, 0.95, is then known to 3.4 %; a fit of each draw makes up most of the titration
DRAWN_SIZE = 2000
SEED = 154
# Gain in log likelihood at which the fit of a mixture ends: about a hundredth of a standard error of the fraction.
ENOUGH = 1e-4


def titrate(
    counts: Floats,
    background: Background,
    fit: Fit,
    prior: Prior,
    mixture: MixtureLimits,
    *,
    control_error: float,
) -> Titration:
    """Return the titration of one reagent from a control's binned cells, (bins,), its background and its fit.

    ``prior`` is the control's prior for samples, ``mixture`` that group of the limits, ``control_error`` the standard
    error of the control's negative fraction.
    """
    makes = _Mixtures.of(counts, background, fit, prior, mixture.shift_max)
    found = [makes.analysed(fraction) for fraction in FRACTIONS]
    titration = Titration(
        fractions=FRACTIONS,
        sizes=SIZES,
        recovered=tuple(recovered for recovered, _ in found),
        errors=tuple(errors for _, errors in found),
        drawn_size=DRAWN_SIZE,
        drawn_fraction=None,
        drawn_detected=None,
        drawn_error=None,
    )
    relative_error = control_error / (1 - fit.negative_fraction)
    limit = detectable(titration, DRAWN_SIZE, relative_error, 0.0, mixture).limit_counting
    if limit is None:
        return titration
    _, errors = titration.at(DRAWN_SIZE)
    blank = mixture.lob_z * math.hypot(float(errors[0]), relative_error)
    drawn = makes.drawn(limit)
    # All draws share this control; its own sampling error is added as noise.
    noise = np.random.default_rng(SEED + 1).standard_normal(drawn.size) * relative_error * (1 - limit)
    return replace(
        titration,
        drawn_fraction=limit,
        drawn_detected=float(np.mean(drawn + noise > blank)),
        drawn_error=float(np.std(drawn)) / float(np.interp(limit, FRACTIONS, errors)),
    )


@dataclass(frozen=True)
class _Mixtures:
    """The distributions of the run's negative and positive cells, (bins,), to be mixed and analysed."""

    background: Background
    positive: Floats
    fit: Fit
    prior: Prior
    shift_max: float

    @classmethod
    def of(cls, counts: Floats, background: Background, fit: Fit, prior: Prior, shift_max: float) -> _Mixtures:
        expressing = expressing_cells(counts, fit.expected)
        return cls(background, expressing / expressing.sum(), fit, prior, shift_max)

    @property
    def healthy(self) -> float:
        """The control's own negative fraction."""
        return self.fit.negative_fraction

    def law(self, fraction: float, shift: float = 0.0) -> Floats:
        """Return the probability of each bin at a mutant fraction, (bins,), all cells shifted in robust SD."""
        negative = self._negative(fraction)
        moved = self.background.moved(np.vstack((self.background.smooth, self.positive)), shift)
        p: Floats = negative * moved[0] + (1 - negative) * moved[1]
        return p

    def _negative(self, fraction: float) -> float:
        return 1 - (1 - fraction) * (1 - self.healthy)

    def _mutant(self, negative: float) -> float:
        return 1 - (1 - negative) / (1 - self.healthy)

    def _start(self, fraction: float) -> Floats:
        near = replace(self.fit, negative_fraction=min(max(self._negative(fraction), 1e-4), 1 - 1e-4), shift=0.0)
        return parameters(near)

    def analysed(self, fraction: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the mutant fractions recovered from each number of cells, and their standard errors, (sizes,) each."""
        recovered, errors = [], []
        law, start = self.law(fraction), self._start(fraction)
        for size in SIZES:
            found = fit_mixture(size * law, self.background, self.prior, self.shift_max, (start,), gain=ENOUGH)
            start = parameters(found)
            error = weight_error(found.negative_fraction, found.information).sd
            if found.bending is None:
                error = math.hypot(error, found.model_error)
            recovered.append(self._mutant(found.negative_fraction))
            errors.append(error / (1 - self.healthy))
        return tuple(recovered), tuple(errors)

    def drawn(self, fraction: float) -> Floats:
        """Return the mutant fractions found in seeded draws of samples, each with a background tube of its own."""
        random = np.random.default_rng(SEED)
        found, start = [], self._start(fraction)
        for _ in range(DRAWS):
            shift = float(np.clip(random.normal(0.0, SHIFT_SD), -2 * SHIFT_SD, 2 * SHIFT_SD))
            counts = random.poisson(DRAWN_SIZE * self.law(fraction, shift)).astype(np.float64)
            tube = random.poisson(self.background.counts).astype(np.float64)
            background = background_component(tube, self.background.scale, self.background.floor)
            fit = fit_mixture(counts, background, self.prior, self.shift_max, (start,), gain=ENOUGH)
            found.append(self._mutant(fit.negative_fraction))
        return np.array(found)

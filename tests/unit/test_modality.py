"""One population or two: healthy, carrier, reduced and too dim to tell; what valleys say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cd40l_flow.expression.components import Background, background_component
from cd40l_flow.expression.histogram import centres, histogram
from cd40l_flow.expression.mixture import Fit, Problem, fit_mixture, parameters
from cd40l_flow.expression.modality import (
    FEWEST_DRAWS,
    MOST_DRAWS,
    Hypotheses,
    Modality,
    modality,
    valley_depth,
)
from cd40l_flow.expression.prior import NOTHING_KNOWN
from cd40l_flow.inputs.model import Floats
from cd40l_flow.signal.scale import Scale

SCALE = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="test")
BINS = 512
LEVEL, SPREAD = math.log(3000.0), 0.45
RESOLVED = 6.63
HYPOTHESES = Hypotheses(0.16, 0.21, (LEVEL - math.log(2), LEVEL + math.log(2)))


def binned(values: Floats) -> Floats:
    return histogram(SCALE.forward(values), BINS)


def case(seed: int, negative: float, level: float = LEVEL, n: int = 3000) -> tuple[Problem, Fit]:
    """Return the problem and the fit of a sample: negatives are the background's, positives add light to it."""
    random = np.random.default_rng(seed)
    dark = random.normal(150, 90, 5000)
    cells = random.normal(150, 90, n)
    lit = random.random(n) >= negative
    cells[lit] += np.exp(random.normal(level, SPREAD, int(lit.sum())))
    background = background_component(binned(dark), SCALE)
    fit = fit_mixture(binned(cells), background, None, 1.0)
    return Problem(binned(cells), background, NOTHING_KNOWN, 1.0), fit


def found(seed: int, negative: float, level: float = LEVEL, alpha: float = 0.0, n: int = 3000) -> Modality:
    problem, fit = case(seed, negative, level, n)
    return modality(problem, parameters(fit), HYPOTHESES, alpha=alpha)


@pytest.mark.parametrize("negative", [0.35, 0.5, 0.9])
def test_a_mosaic_explains_a_mosaic(negative: float) -> None:
    result = found(1, negative)
    assert result.mosaic_over_shift > RESOLVED
    assert result.likelihood_ratio_p < 0.001


@pytest.mark.parametrize("level", [LEVEL, LEVEL + math.log(0.3)], ids=["healthy", "reduced"])
def test_one_population_with_its_negatives_is_none(level: float) -> None:
    result = found(2, 0.10, level)
    assert result.mosaic_over_shift < -RESOLVED
    assert (result.likelihood_ratio, result.likelihood_ratio_p) == (0.0, 1.0)


def test_between_the_hypotheses_neither_is_told() -> None:
    assert abs(found(3, 0.175, n=1000).mosaic_over_shift) < RESOLVED


def test_dim_mosaics_and_shifts_look_alike() -> None:
    """Where the light added is as wide as the background, both explain the same cells."""
    dim = math.log(100.0)
    problem, fit = case(4, 0.4, dim, n=1000)
    levels = (dim - math.log(2), dim + math.log(2))
    result = modality(problem, parameters(fit), Hypotheses(0.16, 0.21, levels), alpha=0.0)
    assert abs(result.mosaic_over_shift) < RESOLVED


def test_the_null_is_drawn_where_it_decides_alone() -> None:
    clear, doubtful = found(1, 0.5, alpha=0.001), found(3, 0.185, alpha=0.01)
    assert not clear.null_drawn
    assert doubtful.null_drawn and doubtful.null_scale >= 1.0
    assert found(3, 0.185, alpha=0.01) == doubtful  # drawn from a fixed seed


def test_p_values_of_the_null_are_small_as_seldom_as_they_say() -> None:
    """At the most negatives of a healthy donor, p is below 0.1 in a tenth of samples, or a few more by counting."""
    p = [found(100 + seed, HYPOTHESES.healthy, n=1000).likelihood_ratio_p for seed in range(40)]
    assert sum(value < 0.1 for value in p) <= 10


def test_the_valley_by_hand() -> None:
    counts = np.zeros(BINS)
    counts[(centres(BINS) > 0.1) & (centres(BINS) < 0.2)] = 10
    counts[(centres(BINS) > 0.6) & (centres(BINS) < 0.7)] = 40
    assert valley_depth(counts, 0.15, 0.65) == pytest.approx(1.0)
    assert valley_depth(counts + 5, 0.15, 0.65) == pytest.approx(1 - 5 / 15)
    assert valley_depth(np.full(BINS, 7.0), 0.15, 0.65) == pytest.approx(0.0)
    assert valley_depth(counts, 0.65, 0.15) is None


def test_draws_of_the_null_are_few_and_end_where_the_decision_is_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    def counting(counts: Floats, scale: Scale, floor: int) -> Background:
        counted.append(1)
        return background_component(counts, scale, floor)

    monkeypatch.setattr("cd40l_flow.expression.modality.background_component", counting)
    numbers = []
    for negative in (0.19, 0.20, 0.21, 0.22):
        counted.clear()
        if found(5, negative, alpha=0.01).null_drawn:
            numbers.append(len(counted))
    assert numbers
    assert FEWEST_DRAWS <= min(numbers) <= max(numbers) <= MOST_DRAWS

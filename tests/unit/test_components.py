"""The components of the mixture against closed forms and scipy, and their derivatives against differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cd40l_flow.expression.components import Positive, ashman_d, background_component
from cd40l_flow.expression.histogram import centres, edges, histogram, quantile

BINS = 512


@pytest.mark.parametrize("shape", [-6.0, -1.5, 0.0, 2.0])
@pytest.mark.parametrize("width", [0.02, 0.06, 0.12])
def test_the_positive_component_is_scipys_skew_normal(shape: float, width: float) -> None:
    positive = Positive(mean=0.5, log_width=math.log(width), shape=shape)
    delta = shape / math.sqrt(1 + shape**2)
    law = stats.skewnorm(shape, loc=0.5 - width * delta * math.sqrt(2 / math.pi), scale=width)
    assert law.mean() == pytest.approx(positive.mean)
    assert law.std() == pytest.approx(positive.sd)
    expected = np.diff(law.cdf(edges(BINS)))
    found, _ = positive.probabilities(BINS)
    assert found.sum() == pytest.approx(1.0)
    # The density at the middle of a bin stands for the bin: an error of second order in step over width.
    np.testing.assert_allclose(found, expected, atol=1e-3 * (0.02 / width) ** 2)


@pytest.mark.parametrize("shape", [-4.0, -0.5, 1.5])
def test_slopes_of_the_positive_component(shape: float) -> None:
    theta = np.array([0.6, math.log(0.05), shape])
    _, slopes = Positive(*theta).probabilities(BINS)
    for index in range(3):
        step = np.zeros(3)
        step[index] = 1e-6
        up, _ = Positive(*(theta + step)).probabilities(BINS)
        down, _ = Positive(*(theta - step)).probabilities(BINS)
        np.testing.assert_allclose(slopes[index], (up - down) / 2e-6, atol=1e-6)


def test_the_background_keeps_its_shape_and_moves_smoothly() -> None:
    counts = histogram(np.random.default_rng(1).normal(0.25, 0.04, 5000), BINS)
    background = background_component(counts)
    assert background.median == pytest.approx(0.25, abs=0.002)
    assert background.sd == pytest.approx(0.04, rel=0.05)
    p, slope = background.probabilities(0.0)
    assert p.sum() == pytest.approx(1.0)
    assert p.min() >= 0
    assert float(p @ centres(BINS)) == pytest.approx(0.25, abs=0.002)
    for shift in (-0.02, 0.0, 0.0137, 0.02):
        moved, slope = background.probabilities(shift)
        assert float(moved @ centres(BINS)) == pytest.approx(float(p @ centres(BINS)) + shift, abs=1e-6)
        up, _ = background.probabilities(shift + 1e-7)
        down, _ = background.probabilities(shift - 1e-7)
        np.testing.assert_allclose(slope, (up - down) / 2e-7, atol=1e-4)


@pytest.mark.parametrize("place", [0, 100, BINS - 1])
def test_a_background_in_one_bin_is_still_a_distribution(place: int) -> None:
    counts = np.zeros(BINS)
    counts[place] = 300
    background = background_component(counts)
    p, _ = background.probabilities(0.0)
    assert np.isfinite(p).all()
    assert p.sum() == pytest.approx(1.0)
    assert background.sd > 0


def test_a_background_without_events_is_refused() -> None:
    with pytest.raises(ValueError, match="without events"):
        background_component(np.zeros(BINS))


def test_ashman_d_in_closed_form() -> None:
    assert ashman_d(0.0, 1.0, 3.0, 1.0) == pytest.approx(3.0)
    assert ashman_d(3.0, 1.0, 0.0, 1.0) == pytest.approx(3.0)
    assert ashman_d(0.0, 1.0, 5.0, 7.0) == pytest.approx(math.sqrt(2) * 5 / math.sqrt(50))


def test_binning() -> None:
    values = np.array([-5.0, -0.2, 0.0, 0.5, 1.099, 7.0])
    counts = histogram(values, 13)  # bins of 0.1
    assert counts.sum() == values.size
    assert (counts[0], counts[-1]) == (2, 2)  # what lies outside is kept in the end bins
    assert math.isnan(quantile(np.zeros(13), 0.5))
    even = np.ones(13)
    assert quantile(even, 0.5) == pytest.approx(0.45)
    gap = np.array([1.0, *np.zeros(11), 1.0])
    assert quantile(gap, 0.5) == pytest.approx(-0.1)  # of an empty stretch, the lower end

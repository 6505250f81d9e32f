"""The mixture against known truth, its own likelihood, and another implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cd40l_flow.expression.components import Background, Positive, background_component
from cd40l_flow.expression.histogram import histogram
from cd40l_flow.expression.mixture import (
    _Problem,
    _starts,
    fit_mixture,
    log_likelihood_at,
    parameters,
    profile_interval,
)
from cd40l_flow.inputs.model import Floats

BINS = 512
NEGATIVE, NEGATIVE_SD, POSITIVE_SD, SHAPE = 0.25, 0.04, 0.05, -1.5
SHIFT_MAX = 0.5


def law(separation: float) -> Positive:
    """Return the positive component that lies at an Ashman's D from the background."""
    distance = separation * math.sqrt((NEGATIVE_SD**2 + POSITIVE_SD**2) / 2)
    delta = SHAPE / math.sqrt(1 + SHAPE**2)
    omega = POSITIVE_SD / math.sqrt(1 - 2 / math.pi * delta**2)
    return Positive(NEGATIVE + distance, math.log(omega), SHAPE)


def draw(random: np.random.Generator, separation: float, n: int, fraction: float) -> tuple[Floats, float]:
    """Return binned cells and the share of them that is negative."""
    positive = law(separation)
    negative = random.random(n) < fraction
    omega = math.exp(positive.log_width)
    location = positive.mean - omega * SHAPE / math.sqrt(1 + SHAPE**2) * math.sqrt(2 / math.pi)
    values = np.where(
        negative,
        random.normal(NEGATIVE, NEGATIVE_SD, n),
        stats.skewnorm.rvs(SHAPE, loc=location, scale=omega, size=n, random_state=random),
    )
    return histogram(values, BINS), float(negative.mean())


def background(random: np.random.Generator, n: int = 5000) -> Background:
    return background_component(histogram(random.normal(NEGATIVE, NEGATIVE_SD, n), BINS))


def problem(seed: int = 1, prior: Positive | None = None) -> _Problem:
    random = np.random.default_rng(seed)
    return _Problem(draw(random, 4.0, 2000, 0.4)[0], background(random), prior, SHIFT_MAX)


@pytest.mark.parametrize("prior", [None, law(4.0)])
def test_gradient(prior: Positive | None) -> None:
    case = problem(prior=prior)
    for theta in (
        np.array([-0.5, 0.1, 0.45, -3.0, -1.0]),
        np.array([2.0, -0.4, 0.6, -2.0, 3.0]),
        np.array([-6.0, 0.0, 0.35, -4.0, -6.0]),
    ):
        _, gradient = case.objective(theta)
        steps = 1e-6 * np.eye(5)
        numeric = [(case.objective(theta + step)[0] - case.objective(theta - step)[0]) / 2e-6 for step in steps]
        np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-3)


def test_the_likelihood_never_falls_below_a_start() -> None:
    for seed in range(5):
        case = problem(seed)
        best = fit_mixture(case.counts, case.background, None, SHIFT_MAX)
        assert best.converged
        for start in _starts(case):
            assert best.log_likelihood >= -case.objective(start)[0] - 1e-6
        # Nor can any neighbour do better.
        at = parameters(best)
        for step in 0.02 * np.vstack((np.eye(5), -np.eye(5))):
            assert -case.objective(at + step)[0] <= best.log_likelihood + 1e-6


# How much wider than the binomial error a fit may be at each separation: overlap and the unknown shape cost precision.
@pytest.mark.parametrize(("separation", "inflation"), [(6.0, 1.3), (4.0, 1.6), (3.0, 2.5)])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_truth_is_recovered(separation: float, inflation: float, fraction: float) -> None:
    random = np.random.default_rng(int(100 * separation + 10 * fraction))
    prior, n, repeats = law(separation), 2000, 8
    errors = []
    for _ in range(repeats):
        counts, _ = draw(random, separation, n, fraction)
        errors.append(fit_mixture(counts, background(random), prior, SHIFT_MAX).negative_fraction - fraction)
    binomial = math.sqrt(fraction * (1 - fraction) / n)
    rms = math.sqrt(float(np.mean(np.square(errors))))
    # Of so few fits the RMS may exceed its expectation, by the square root of chi-squared over its degrees of freedom.
    assert rms < inflation * binomial * math.sqrt(stats.chi2.ppf(0.999, repeats) / repeats)


def test_healthy_samples_keep_their_ten_percent() -> None:
    """A free mixture invents an even split in what is one skewed population and a few negatives."""
    random = np.random.default_rng(9)
    for separation in (4.0, 6.0):
        counts, true = draw(random, separation, 3000, 0.10)
        found = fit_mixture(counts, background(random), law(separation), SHIFT_MAX)
        assert found.negative_fraction == pytest.approx(true, abs=0.02)
        assert found.positive.mean == pytest.approx(law(separation).mean, abs=0.01)


@pytest.mark.parametrize("n", [1000, 30_000, 1_000_000])
@pytest.mark.parametrize("separation", [4.0, 7.0])
def test_any_number_of_cells_converges(separation: float, n: int) -> None:
    """The slope left at the limit of precision grows with the cells; it must not be taken for a failure."""
    random = np.random.default_rng(n)
    counts, realised = draw(random, separation, n, 0.1)

    found = fit_mixture(counts, background(random, 50_000), None, SHIFT_MAX)

    assert found.converged
    assert found.negative_fraction == pytest.approx(realised, abs=0.02)


def test_scikit_learn_agrees_where_the_populations_are_far_apart() -> None:
    from sklearn.mixture import GaussianMixture

    random = np.random.default_rng(3)
    n = 4000
    negative = random.random(n) < 0.3
    values = np.where(negative, random.normal(0.2, 0.03, n), random.normal(0.7, 0.04, n))
    peer = GaussianMixture(2, tol=1e-8, random_state=0).fit(values[:, None])
    weight = float(peer.weights_[np.argmin(peer.means_[:, 0])])
    anchor = background_component(histogram(random.normal(0.2, 0.03, 5000), BINS))
    found = fit_mixture(histogram(values, BINS), anchor, None, SHIFT_MAX)
    assert found.negative_fraction == pytest.approx(weight, abs=2e-3)
    assert found.negative_fraction == pytest.approx(float(negative.mean()), abs=2e-3)
    assert found.positive.mean == pytest.approx(float(peer.means_.max()), abs=2e-3)
    assert found.positive.sd == pytest.approx(0.04, rel=0.05)


@pytest.mark.parametrize("separation", [3.0, 6.0])
def test_the_profile_interval_covers(separation: float) -> None:
    random = np.random.default_rng(17)
    prior, repeats, covered = law(separation), 25, 0
    for _ in range(repeats):
        counts, _ = draw(random, separation, 1000, 0.3)
        anchor = background(random, 20_000)
        best = fit_mixture(counts, anchor, prior, SHIFT_MAX)
        low, high = profile_interval(best, counts, anchor, prior, SHIFT_MAX)
        assert low <= best.negative_fraction <= high
        covered += low <= 0.3 <= high
    # So few as this, with 95 % coverage, happen once in 500.
    assert covered >= stats.binom.ppf(0.002, repeats, 0.95)


def test_the_profile_falls_to_both_sides() -> None:
    case = problem()
    best = fit_mixture(case.counts, case.background, None, SHIFT_MAX)
    low, high = profile_interval(best, case.counts, case.background, None, SHIFT_MAX)
    for end in (low, high):
        value = log_likelihood_at(end, best, case.counts, case.background, None, SHIFT_MAX)
        assert 2 * (best.log_likelihood - value) == pytest.approx(3.84, abs=0.1)
    inside = log_likelihood_at((low + high) / 2, best, case.counts, case.background, None, SHIFT_MAX)
    assert 2 * (best.log_likelihood - inside) < 3.84


@pytest.mark.parametrize("separation", [2.0, 4.0, 8.0])
@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.5, 0.98, 1.0])
@pytest.mark.parametrize("n", [1, 20, 500])
def test_no_sample_breaks_the_fit(separation: float, fraction: float, n: int) -> None:
    random = np.random.default_rng(n)
    counts, _ = draw(random, separation, n, fraction)
    found = fit_mixture(counts, background(random, 300), None, SHIFT_MAX)
    assert 0 < found.negative_fraction < 1
    assert np.isfinite([found.separation, found.log_likelihood, found.shift]).all()
    assert found.expected.sum() == pytest.approx(n, rel=1e-3)


@pytest.mark.parametrize("place", [0, 200, BINS - 1])
@pytest.mark.parametrize("cells", [0, 250, BINS - 1])
def test_piles_in_one_bin_do_not_break_the_fit(place: int, cells: int) -> None:
    one, other = np.zeros(BINS), np.zeros(BINS)
    one[place], other[cells] = 400, 700
    anchor = background_component(one)
    found = fit_mixture(other, anchor, None, SHIFT_MAX)
    assert np.isfinite([found.negative_fraction, found.separation, found.log_likelihood]).all()
    low, high = profile_interval(found, other, anchor, None, SHIFT_MAX)
    assert 0 <= low <= high <= 1


def test_no_cells_at_all() -> None:
    found = fit_mixture(np.zeros(BINS), background(np.random.default_rng(1)), None, SHIFT_MAX)
    assert math.isfinite(found.negative_fraction)
    assert found.expected.sum() == 0


def test_the_same_counts_give_the_same_bits() -> None:
    case = problem(4)
    first, second = (fit_mixture(case.counts, case.background, law(4.0), SHIFT_MAX) for _ in range(2))
    assert parameters(first).tobytes() == parameters(second).tobytes()

"""The mixture against known truth, its own likelihood, and other implementations."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from cd40l_flow.assay.call_limits import MixtureLimits
from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.components import TILTS, Background, background_component
from cd40l_flow.mixture.fit import Fit, fit_mixture, parameters
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.interval import ROOT_95, profile_interval
from cd40l_flow.mixture.prior import NOTHING_KNOWN, Prior, control_prior
from cd40l_flow.mixture.problem import ANCHORED, PARAMETERS, Problem, find_starts
from cd40l_flow.mixture.signal_law import SignalParameters
from cd40l_flow.mixture.weight_error import weight_error
from cd40l_flow.signal.scale import Scale

BINS = 512
SCALE = Scale(t=262144.0, w=0.7, m=4.5, a=0.0, source="test")
SHIFT_MAX = 1.0
MEAN, SD, SPREAD, ALPHA = 150.0, 70.0, 0.45, -1.5
MIXTURE = MixtureLimits(shape_spread_sd=0.02, shape_skew_sd=0.04)
BRIGHT, DIM = 7.5, 5.6  # levels: D of about 6 and about 3


def cells(random: np.random.Generator, level: float, n: int, fraction: float, shift: float = 0.0) -> Floats:
    """Return linear values of cells, a fraction of them without signal; ``shift`` in channel values."""
    values = random.normal(MEAN + shift, SD, n)
    positive = random.random(n) >= fraction
    law = stats.skewnorm(ALPHA)
    deviates = (law.rvs(n, random_state=random) - law.mean()) / law.std()
    return values + np.where(positive, np.exp(level + SPREAD * deviates), 0.0)


def binned(values: Floats, scale: Scale = SCALE) -> Floats:
    return histogram(scale.forward(values), BINS)


def background(random: np.random.Generator, n: int = 5000) -> Background:
    return background_component(binned(random.normal(MEAN, SD, n)), SCALE)


def known(level: float = BRIGHT) -> Prior:
    """Return what a good control of this shape would lend."""
    skew = float(stats.skewnorm(ALPHA).stats(moments="s"))
    return control_prior(SignalParameters(level, math.log(SPREAD), skew), np.diag((0.02**2, 0.06**2, 0.3**2)), MIXTURE)


def problem(seed: int = 1, level: float = BRIGHT, n: int = 2000, fraction: float = 0.4) -> Problem:
    random = np.random.default_rng(seed)
    return Problem(binned(cells(random, level, n, fraction)), background(random), known(level), SHIFT_MAX)


def fitted(case: Problem) -> Fit:
    return fit_mixture(case.counts, case.background, case.prior, case.shift_max)


@pytest.mark.parametrize("logit", [-4.0, -2.0, -0.7, 0.7, 2.0, 4.0])
def test_a_search_starts_at_the_truth_where_the_grid_holds_it(logit: float) -> None:
    """No other mixture explains expected counts better (Gibbs' inequality)."""
    dark, prior = background(np.random.default_rng(2)), known()
    negative = 1 / (1 + math.exp(-logit))
    truth = negative * dark.smooth + (1 - negative) * dark.positives([prior.centre])[0]
    start = find_starts(Problem(5000 * truth, dark, prior, SHIFT_MAX))[0]
    assert (start[0], start[2]) == (logit, pytest.approx(BRIGHT))


@pytest.mark.parametrize("prior", [NOTHING_KNOWN, known()])
def test_gradient(prior: Prior) -> None:
    case = replace(problem(), prior=prior)
    for theta in (
        np.array([-0.5, 0.1, 7.0, -0.8, -0.3, 0.2, 0.01, 0.0, -0.01]),
        np.array([2.0, -0.4, 6.0, -0.4, 0.5, -0.5, 0.0, 0.03, 0.02]),
        np.array([-6.0, 0.0, 5.0, -1.2, -0.8, 0.0, 0.0, 0.0, 0.0]),
    ):
        _, gradient, _ = case.objective(theta)
        steps = 1e-5 * np.eye(PARAMETERS)
        numeric = [(case.objective(theta + step)[0] - case.objective(theta - step)[0]) / 2e-5 for step in steps]
        np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=0.05)


def test_information_is_the_curvature_where_the_data_are_what_is_expected() -> None:
    case = problem()
    theta = np.array([-0.4, 0.0, BRIGHT, math.log(SPREAD), case.prior.centre.skew, 0.0, *(TILTS * (0.0,))])
    seen = case.components(theta)[0]
    expected = replace(case, counts=1e4 * np.pad(seen, (0, case.counts.size - seen.size)))
    _, _, information = expected.objective(theta)
    for index in range(ANCHORED):
        step = np.zeros(PARAMETERS)
        step[index] = 1e-3
        curvature = (expected.objective(theta + step)[1] - expected.objective(theta - step)[1]) / 2e-3
        scale = np.sqrt(np.diag(information) * information[index, index])
        np.testing.assert_allclose(curvature / scale, information[index] / scale, atol=0.03)


@pytest.mark.parametrize("level", [BRIGHT, DIM])
@pytest.mark.parametrize("fraction", [0.1, 0.9])
def test_an_independent_optimiser_finds_nothing_better(level: float, fraction: float) -> None:
    case = problem(3, level, fraction=fraction)
    found = fitted(case)
    assert found.converged
    assert all(found.log_likelihood >= -case.objective(start)[0] - 1e-6 for start in find_starts(case))
    low, high = case.bounds()
    at = parameters(found)
    for start in (at, at + np.array([0.5, 0.2, 0.3, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0])):
        peer = optimize.minimize(
            lambda theta: case.objective(theta)[:2],
            np.clip(start, low, high),
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low, high, strict=True)),
        )
        assert -peer.fun <= found.log_likelihood + 1e-3


# How much wider than the binomial error a fit may be: overlap and what is unknown cost precision.
@pytest.mark.parametrize(("level", "inflation"), [(BRIGHT, 1.3), (DIM, 2.5)])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_truth_is_recovered(level: float, inflation: float, fraction: float) -> None:
    random = np.random.default_rng(int(100 * level + 10 * fraction))
    n, repeats = 2000, 8
    errors = []
    for _ in range(repeats):
        shift = random.uniform(-0.5, 0.5) * SD
        counts = binned(cells(random, level, n, fraction, shift))
        errors.append(fit_mixture(counts, background(random), known(level), SHIFT_MAX).negative_fraction - fraction)
    binomial = math.sqrt(fraction * (1 - fraction) / n)
    rms = math.sqrt(float(np.mean(np.square(errors))))
    # Of so few fits the RMS may exceed its expectation, by the square root of chi-squared over its degrees of freedom.
    assert rms < inflation * binomial * math.sqrt(stats.chi2.ppf(0.999, repeats) / repeats)


@pytest.mark.parametrize("level", [math.log(0.3) + BRIGHT, BRIGHT, math.log(1.25) + BRIGHT])
def test_one_shape_serves_every_level(level: float) -> None:
    """The control lends spread and skew of the logarithm of the signal, whatever the level of the sample."""
    random = np.random.default_rng(4)
    counts = binned(cells(random, level, 4000, 0.3))
    found = fit_mixture(counts, background(random), known(BRIGHT), SHIFT_MAX)
    assert found.negative_fraction == pytest.approx(0.3, abs=0.03)
    assert found.positive.level == pytest.approx(level, abs=0.06)


def test_a_sample_of_another_shape_overrides_the_control() -> None:
    random = np.random.default_rng(5)
    values = random.normal(MEAN, SD, 5000)
    positive = random.random(5000) >= 0.2
    values[positive] += np.exp(random.normal(BRIGHT, 2 * SPREAD, int(positive.sum())))
    found = fit_mixture(binned(values), background(random), known(), SHIFT_MAX)
    assert math.exp(found.positive.log_spread) == pytest.approx(2 * SPREAD, rel=0.1)
    assert found.negative_fraction == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("n", [1000, 30_000, 1_000_000])
def test_any_number_of_cells_converges(n: int) -> None:
    random = np.random.default_rng(n)
    found = fit_mixture(binned(cells(random, BRIGHT, n, 0.1)), background(random, 50_000), None, SHIFT_MAX)
    assert found.converged
    assert found.negative_fraction == pytest.approx(0.1, abs=0.03)


def test_scikit_learn_agrees_where_the_populations_are_far_apart() -> None:
    from sklearn.mixture import GaussianMixture

    random = np.random.default_rng(3)
    values = random.normal(MEAN, SD, 4000)
    positive = random.random(4000) >= 0.3
    values[positive] += np.exp(random.normal(9.5, 0.2, int(positive.sum())))
    peer = GaussianMixture(2, tol=1e-8, random_state=0).fit(SCALE.forward(values)[:, None])
    weight = float(peer.weights_[np.argmin(peer.means_[:, 0])])
    found = fit_mixture(binned(values), background(random), None, SHIFT_MAX)
    assert found.negative_fraction == pytest.approx(weight, abs=2e-3)
    assert found.negative_fraction == pytest.approx(1 - float(positive.mean()), abs=2e-3)
    assert found.positive_mean == pytest.approx(float(peer.means_.max()), abs=2e-3)
    assert found.positive_sd == pytest.approx(
        math.sqrt(float(peer.covariances_[np.argmax(peer.means_)].item())), rel=0.05
    )


# Intervals


@pytest.mark.parametrize("level", [BRIGHT, DIM])
def test_the_profile_interval_covers(level: float) -> None:
    random = np.random.default_rng(17)
    repeats, covered = 25, 0
    for _ in range(repeats):
        case = Problem(binned(cells(random, level, 1000, 0.3)), background(random), known(level), SHIFT_MAX)
        best = fitted(case)
        low, high = profile_interval(best, case)
        assert low <= best.negative_fraction <= high
        covered += low <= 0.3 <= high
    # So few as this, with 95 % coverage, happen once in 500.
    assert covered >= stats.binom.ppf(0.002, repeats, 0.95)


@pytest.mark.parametrize("fraction", [0.03, 0.5, 0.97])
def test_the_likelihood_falls_by_half_the_quantile_at_the_ends(fraction: float) -> None:
    case = problem(level=DIM, fraction=fraction)
    best = replace(fitted(case), model_error=0.0)
    ends = profile_interval(best, case)
    for end in ends:
        logit = math.log(end / (1 - end))
        held = replace(case, weight=logit).solve(np.array([logit, *parameters(best)[1:]]))
        assert 2 * (held.value + best.log_likelihood) == pytest.approx(ROOT_95**2, rel=0.07)
    # What the law's shape leaves open comes on top, in squares, and never beyond 0 and 1.
    wider = profile_interval(replace(best, model_error=0.02), case)
    for end, wide in zip(ends, wider, strict=True):
        away = math.copysign(math.hypot(end - best.negative_fraction, ROOT_95 * 0.02), end - best.negative_fraction)
        assert wide == pytest.approx(min(max(best.negative_fraction + away, 0.0), 1.0))


def test_ends_of_samples_without_one_kind() -> None:
    random = np.random.default_rng(2)
    tube = background(random)
    none = Problem(binned(random.normal(MEAN, SD, 500)), tube, known(), SHIFT_MAX)
    low, high = profile_interval(fitted(none), none)
    assert high > 0.995
    assert 0.97 < low < 1
    every = Problem(binned(cells(random, 9.0, 500, 0.0)), tube, known(9.0), SHIFT_MAX)
    low, high = profile_interval(fitted(every), every)
    assert low < 0.005
    assert 0 < high < 0.03


def test_the_error_of_the_weight_is_that_of_its_interval() -> None:
    case = problem(level=DIM)
    best = fitted(case)
    low, high = profile_interval(best, case)
    error = weight_error(best.negative_fraction, best.information)
    assert error.sd == pytest.approx((high - low) / 3.92, rel=0.1)
    assert error.background > 0


def test_a_small_background_tube_widens_the_interval() -> None:
    random = np.random.default_rng(8)
    counts = binned(cells(random, 5.0, 5000, 0.5))
    values = random.normal(MEAN, SD, 5000)
    widths = []
    for size in (5000, 200):
        case = Problem(counts, background_component(binned(values[:size]), SCALE), known(5.0), SHIFT_MAX)
        low, high = profile_interval(fitted(case), case)
        widths.append(high - low)
    assert widths[1] > 1.2 * widths[0]


# What must not matter, and what must not break it


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), fraction=st.floats(0.05, 0.95), gain=st.floats(0.1, 10.0))
def test_gain_and_order_do_not_matter(seed: int, fraction: float, gain: float) -> None:
    random = np.random.default_rng(seed)
    values, tube = cells(random, BRIGHT, 1000, fraction), random.normal(MEAN, SD, 2000)
    first = fit_mixture(binned(values), background_component(binned(tube), SCALE), None, SHIFT_MAX)
    scale = replace(SCALE, t=gain * SCALE.t)
    shuffled = random.permutation(gain * values)
    other = background_component(binned(gain * tube, scale), scale)
    second = fit_mixture(binned(shuffled, scale), other, None, SHIFT_MAX)
    assert second.negative_fraction == pytest.approx(first.negative_fraction, abs=1e-6)
    assert second.positive.level - first.positive.level == pytest.approx(math.log(gain), abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), fraction=st.floats(0.05, 0.95))
def test_another_background_tube_moves_the_fraction_by_less_than_its_interval(seed: int, fraction: float) -> None:
    random = np.random.default_rng(seed)
    counts = binned(cells(random, DIM, 2000, fraction))
    one, two = (Problem(counts, background(random), known(DIM), SHIFT_MAX) for _ in range(2))
    best = fitted(one)
    low, high = profile_interval(best, one)
    assert abs(fitted(two).negative_fraction - best.negative_fraction) < high - low


@pytest.mark.parametrize("level", [4.5, BRIGHT, 10.0])
@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 20, 500])
def test_no_sample_breaks_the_fit(level: float, fraction: float, n: int) -> None:
    random = np.random.default_rng(n)
    case = Problem(binned(cells(random, level, n, fraction)), background(random, 300), NOTHING_KNOWN, SHIFT_MAX)
    found = fitted(case)
    assert 0 < found.negative_fraction < 1
    assert np.isfinite([found.separation, found.log_likelihood, found.shift]).all()
    assert found.expected.sum() == pytest.approx(n, rel=1e-3)
    low, high = profile_interval(found, case)
    assert 0 <= low <= high <= 1


@pytest.mark.parametrize("place", [0, 200, BINS - 1])
@pytest.mark.parametrize("other", [0, 250, BINS - 1])
def test_piles_in_one_bin_do_not_break_the_fit(place: int, other: int) -> None:
    one, two = np.zeros(BINS), np.zeros(BINS)
    one[place], two[other] = 400, 700
    case = Problem(two, background_component(one, SCALE), NOTHING_KNOWN, SHIFT_MAX)
    found = fitted(case)
    assert np.isfinite([found.negative_fraction, found.separation, found.log_likelihood]).all()
    low, high = profile_interval(found, case)
    assert 0 <= low <= high <= 1


def test_no_cells_at_all() -> None:
    found = fit_mixture(np.zeros(BINS), background(np.random.default_rng(1)), None, SHIFT_MAX)
    assert math.isfinite(found.negative_fraction)
    assert found.expected.sum() == 0


def test_the_same_counts_give_the_same_bits() -> None:
    case = problem(4)
    assert parameters(fitted(case)).tobytes() == parameters(fitted(case)).tobytes()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_dim_sample_does_not_depend_on_how_wide_the_bins_are(seed: int) -> None:
    """On a scale with a wide linear part the background spans four bins; the fraction stays within its interval."""
    random = np.random.default_rng(seed)
    values, tube = cells(random, 5.3, 5000, 0.6, 20.0), random.normal(MEAN, SD, 5000)
    found, widths = [], []
    for w in (0.7, 1.3):
        scale = replace(SCALE, w=w)
        anchor = background_component(binned(tube, scale), scale)
        case = Problem(binned(values, scale), anchor, known(5.3), SHIFT_MAX)
        best = fitted(case)
        low, high = profile_interval(best, case)
        found.append(best.negative_fraction)
        widths.append(high - low)
    assert abs(found[1] - found[0]) < widths[0] / 3
    assert widths[1] == pytest.approx(widths[0], rel=0.25)

"""One mixture for several groups of cells: known truth, its likelihood, and its intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime, brentq
from scipy.stats import binom

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.components import background_component
from cd40l_flow.mixture.group_share import _profiled, share_interval
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.prior import NOTHING_KNOWN
from cd40l_flow.mixture.problem import Problem
from cd40l_flow.mixture.proportion import wilson
from cd40l_flow.mixture.shared_shape import Profile, SharedFit, SharedProblem, fit_shared, profile
from cd40l_flow.signal.scale import Scale

SCALE = Scale(262144.0, 0.8, 4.5, 0.0, "test")
BINS = 256


def counts(values: Floats, factor: float = 1.0, scale: Scale = SCALE) -> Floats:
    return histogram(scale.forward(factor * values), BINS)


def cells(rng: np.random.Generator, negative: int, positive: int, level: float = 7.0) -> Floats:
    values = rng.normal(60, 150, negative + positive)
    values[negative:] += np.exp(level + 0.6 * rng.standard_normal(positive))
    return values


def fitted(groups: list[Floats], dark: Floats, factor: float = 1.0, apart: int | None = None) -> SharedFit:
    scale = replace(SCALE, t=factor * SCALE.t)
    binned = [counts(group, factor, scale) for group in groups]
    return fit_shared(binned, background_component(counts(dark, factor, scale), scale), None, 0.5, apart=apart)


@pytest.fixture(scope="module")
def known() -> tuple[list[Floats], Floats]:
    rng = np.random.default_rng(20)
    return [cells(rng, 3000, 300), cells(rng, 60, 140), cells(rng, 95, 5)], rng.normal(60, 150, 3000)


def test_the_shares_of_each_group_are_found(known: tuple[list[Floats], Floats]) -> None:
    """Negative fractions of three groups lie within three counting errors of the truth."""
    found = fitted(*known)
    for negative, share, size in zip(found.negative, (3000 / 3300, 60 / 200, 0.95), (3300, 200, 100), strict=True):
        assert abs(negative - share) < 3 * np.sqrt(share * (1 - share) / size)
    assert found.converged and found.separation > 3


def test_the_distance_is_of_the_cells_and_not_of_their_background_tube(known: tuple[list[Floats], Floats]) -> None:
    """Negative cells half a robust SD above their background lie so much nearer to the positive ones."""
    groups, dark = known
    lower = fitted(groups, dark - 75)
    assert lower.shift == pytest.approx(fitted(groups, dark).shift + 0.5, abs=0.1)
    assert lower.separation == pytest.approx(fitted(groups, dark).separation, rel=0.05)


def test_shares_do_not_depend_on_the_unit(known: tuple[list[Floats], Floats]) -> None:
    """A gain of the detector changes no share."""
    np.testing.assert_allclose(fitted(*known).negative, fitted(*known, factor=0.25).negative, atol=2e-3)


def test_gradient_is_that_of_the_likelihood(known: tuple[list[Floats], Floats]) -> None:
    """The gradient is the likelihood's, by finite differences, with a group of its own level."""
    groups, dark = known
    binned = tuple(counts(group) for group in groups)
    background = background_component(counts(dark), SCALE)
    shared = SharedProblem(binned, Problem(np.sum(binned, axis=0), background, NOTHING_KNOWN, 0.5), apart=1)
    theta = np.array([2.0, -0.5, 2.5, 0.1, 0.05, 6.9, -0.4, 0.2, 0.1, 0.02, -0.01, 0.01])
    numeric = approx_fprime(theta, lambda at: shared.objective(at)[0], 1e-5)
    np.testing.assert_allclose(shared.objective(theta)[1], numeric, rtol=2e-3, atol=0.5)


def test_a_group_of_dimmer_positive_cells_is_not_lost() -> None:
    """Positive cells of one group at 0.6 of the others' level are found where that group may lie apart."""
    rng = np.random.default_rng(4)
    groups = [cells(rng, 4000, 400, level=6.5), cells(rng, 200, 400, level=7.0)]
    dark = rng.normal(60, 150, 4000)
    truth = 4000 / 4400
    assert abs(fitted(groups, dark, apart=0).negative[0] - truth) < abs(fitted(groups, dark).negative[0] - truth)
    assert abs(fitted(groups, dark, apart=0).negative[0] - truth) < 0.015


def test_intervals_hold_the_truth() -> None:
    """Of 60 samples of 400 cells at D about 3, the interval holds the true share of 6 % in 90 % or more."""
    rng = np.random.default_rng(9)
    held = 0
    for _ in range(60):
        of = rng.multinomial(400, (0.06, 0.05, 0.08, 0.81))
        groups = [cells(rng, of[3], of[2], 6.4), cells(rng, of[1], of[0], 6.4)]
        found = fitted(groups, rng.normal(60, 150, 300), apart=0)
        low, share, high = share_interval(profile(found, 1), 1 - found.negative[1], groups[1].size, 400)
        assert low <= share <= high
        held += low <= 0.06 <= high
    assert held >= 54


@pytest.mark.parametrize("total", [40, 200, 2000])
def test_no_cell_is_not_nothing(total: int) -> None:
    """Without a cell of a group the upper end is Wilson's of none seen, and the lower end zero."""
    low, share, high = share_interval(None, 0.0, 0, total)
    assert (low, share) == (0.0, 0.0)
    assert high == pytest.approx(wilson(0.0, total)[1])
    assert binom.pmf(0, total, high) < 0.05


def test_a_certain_fraction_leaves_the_error_of_counting() -> None:
    """Where the positive fraction is known to be one, the interval is that of the counted cells."""
    logits = np.linspace(3.0, 9.0, 13)
    sure = Profile(logits, np.where(logits > 8.9, 0.0, 50.0))
    low, share, high = share_interval(sure, 1.0, 50, 1000)
    assert share == 0.05
    np.testing.assert_allclose((low, high), wilson(0.05, 1000), rtol=0.06)


def test_an_error_from_elsewhere_widens_both_sides() -> None:
    """A standard error is added in quadrature."""
    plain, wide = share_interval(None, 0.0, 0, 500), share_interval(None, 0.0, 0, 500, 0.01)
    assert wide[2] == pytest.approx(np.hypot(plain[2], 1.96 * 0.01), rel=1e-3)


def test_a_group_that_is_everything_and_positive_reaches_one() -> None:
    """And one that is everything and negative reaches zero."""
    logits = np.linspace(-9.0, 9.0, 37)
    all_positive, none = Profile(logits, 20 * (9.0 - logits)), Profile(logits, 20 * (9.0 + logits))
    low, share, high = share_interval(all_positive, 1.0, 400, 400)
    assert (share, high) == (1.0, 1.0) and 0.98 < low < 1.0
    low, share, high = share_interval(none, 0.0, 400, 400)
    assert (share, low) == (0.0, 0.0) and 0.0 < high < 0.02


@pytest.mark.parametrize(("cells_in", "total"), [(30, 1000), (55, 1000), (400, 5000), (700, 1000)])
def test_the_ends_of_a_counted_share_are_found_between_the_shares_that_are_tried(cells_in: int, total: int) -> None:
    """Where all cells of a group are positive, the profile is the binomial likelihood: it drops by 1.92."""
    logits = np.linspace(3.0, 9.0, 13)
    ends = _profiled(Profile(logits, np.where(logits > 8.9, 0.0, 900.0)), cells_in, total)

    def drop(share: float) -> float:
        return float(binom.logpmf(cells_in, total, cells_in / total) - binom.logpmf(cells_in, total, share)) - 1.9207

    exact = brentq(drop, 1e-9, cells_in / total), brentq(drop, cells_in / total, 1 - 1e-9)
    assert ends == pytest.approx(exact, rel=2e-3)

"""What the fit knows before it sees cells: how far a background moves, how large a photo-electron can be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.assay.call_limits import MixtureLimits
from cd40l_flow.mixture.components import ELECTRON, ELECTRON_BOUNDS, Background, background_component
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.prior import Prior, combine_priors, control_prior
from cd40l_flow.mixture.problem import PARAMETERS, Problem
from cd40l_flow.mixture.signal_law import SignalParameters
from cd40l_flow.signal.scale import Scale

BINS = 512
SCALE = Scale(t=262144.0, w=0.7, m=4.5, a=0.0, source="test")
MIXTURE = MixtureLimits(shape_spread_sd=0.02, shape_skew_sd=0.04)
KNOWN = control_prior(SignalParameters(8.5, math.log(0.45), -0.3), np.diag((0.02**2, 0.06**2, 0.3**2)), MIXTURE)
ALL_NEGATIVE = 9.0  # logit


def background(median: float = 150.0, sd: float = 70.0) -> Background:
    values = np.random.default_rng(1).normal(median, sd, 20_000)
    return background_component(histogram(SCALE.forward(values), BINS), SCALE)


def moved_cells(dark: Background, cells: float, shift: float) -> np.ndarray:
    """Return the counts expected of cells of the background's shape, moved by robust SD of it."""
    return cells * dark.moved(dark.smooth[None], shift)[0]


@pytest.mark.parametrize(("borrowed", "half_width"), [(False, 0.5), (True, 1.0)])
def test_a_background_moves_as_far_as_a_uniform_law_says(borrowed: bool, half_width: float) -> None:
    """The variance of a uniform law of half width a is a^2 / 3: half a robust SD either way, twice that if borrowed."""
    case = Problem(np.zeros(BINS), background(), KNOWN, shift_max=1.0, borrowed=borrowed)
    theta = np.zeros(PARAMETERS)
    centre = KNOWN.centre
    theta[2:6] = centre.level, centre.log_spread, centre.skew, centre.electron
    values = [case.objective(theta + at * np.eye(PARAMETERS)[1])[0] for at in (-0.5, 0.0, 0.5)]
    curvature = (values[0] - 2 * values[1] + values[2]) / 0.5**2
    assert curvature**-0.5 == pytest.approx(half_width / math.sqrt(3), rel=0.05)
    assert values[0] == pytest.approx(values[2])


@pytest.mark.parametrize("cells", [10.0, 40.0, 1000.0])
def test_few_cells_move_the_background_by_less(cells: float) -> None:
    """The closed form of a normal mean with a normal prior: n / (n + 1 / prior variance) of what is seen.

    So a handful of cells cannot move the background to where they would all be negative.
    """
    dark = background()
    seen = 0.4
    case = replace(Problem(moved_cells(dark, cells, seen), dark, KNOWN, shift_max=1.0), weight=ALL_NEGATIVE)
    theta = np.zeros(PARAMETERS)
    theta[0] = ALL_NEGATIVE
    centre = KNOWN.centre
    theta[2:6] = centre.level, centre.log_spread, centre.skew, centre.electron
    found = case.solve(theta).theta[1]
    assert found == pytest.approx(seen * cells / (cells + 3 / 0.5**2), abs=0.04)


@pytest.mark.parametrize(("median", "sd"), [(550.0, 70.0), (1000.0, 120.0), (300.0, 40.0)])
def test_photo_electrons_make_no_more_than_half_the_noise_of_the_background(median: float, sd: float) -> None:
    """Poisson noise: light of M channel values, in electrons of e, has a variance of M e."""
    dark = background(median, sd)
    most = dark.electron(dark.electron_bounds[1])
    assert SCALE.to_linear(dark.median) * most == pytest.approx(0.5 * dark.linear_sd**2)
    assert SCALE.to_linear(dark.median) * most == pytest.approx(0.5 * sd**2, rel=0.05)


def test_electrons_stay_within_what_cytometers_have() -> None:
    """Where the background leaves room it is the range of instruments: a factor of three about the usual size."""
    assert background(150.0, 300.0).electron_bounds == ELECTRON_BOUNDS
    assert background(-50.0, 70.0).electron_bounds == ELECTRON_BOUNDS
    assert background(2000.0, 30.0).electron_bounds == (ELECTRON_BOUNDS[0], ELECTRON_BOUNDS[0])
    least, most = (ELECTRON * SCALE.t * math.exp(bound) for bound in ELECTRON_BOUNDS)
    assert 1.0 < least < 2.0
    assert 10.0 < most < 15.0


def lent(level: float = 8.5, spread: float = 0.01, bends: bool = False) -> Prior:
    """Return the prior of one control; ``spread`` is the variance of its own error in all three numbers."""
    law = SignalParameters(level, math.log(0.45), -0.3, 0.2, tuple(0.1 * place for place in range(8)) if bends else ())
    return control_prior(law, np.eye(3) * spread, MIXTURE, np.eye(8) * 0.04 if bends else None)


BETWEEN = np.diag((0.02**2, 0.04**2, 0.0))


def test_one_control_lends_its_error_and_what_people_differ_by() -> None:
    one = lent(bends=True)
    np.testing.assert_allclose(one.covariance, np.eye(3) * 0.01 + BETWEEN)
    assert one.bend_covariance is not None
    np.testing.assert_allclose(one.bend_covariance, np.eye(8) * (0.04 + 0.1**2))
    assert combine_priors([one], MIXTURE) is one


def test_the_mean_of_controls_has_the_error_of_a_mean() -> None:
    """A sample's own difference from people stays whole, theirs and their errors are divided by their number."""
    both = combine_priors([lent(8.0, 0.01), lent(9.0, 0.03), lent(8.8, 0.02)], MIXTURE)
    assert both is not None and both.level_known and both.bend_covariance is None
    assert both.centre == SignalParameters(pytest.approx(8.6), math.log(0.45), pytest.approx(-0.3), pytest.approx(0.2))  # type: ignore[arg-type]
    np.testing.assert_allclose(both.covariance, np.eye(3) * 0.02 / 3 + BETWEEN / 2 * (1 + 1 / 3))
    unknown = replace(lent(), level_known=False)
    assert combine_priors([lent(), unknown], MIXTURE).level_known is False  # type: ignore[union-attr]


def test_a_control_without_bends_has_none_and_differs_by_what_people_do() -> None:
    both = combine_priors([lent(bends=True), lent()], MIXTURE)
    assert both is not None and both.bend_covariance is not None
    assert both.centre.bends == pytest.approx(tuple(0.05 * place for place in range(8)))
    mean = (0.04 + 0.01 + 0.01) / 2
    np.testing.assert_allclose(both.bend_covariance, np.eye(8) * ((mean - 0.01) / 2 + 0.01 * (1 + 1 / 2) / 2))


def test_where_one_control_has_no_shape_there_is_none() -> None:
    for several in ([], [None], [lent(), None], [lent(), lent(), None]):
        assert combine_priors(several, MIXTURE) is None

"""The titration against closed forms and samples drawn anew."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from msgspec import convert

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.components import Background, background_component
from cd40l_flow.mixture.detection import Titration, combine_titrations, detectable
from cd40l_flow.mixture.fit import Fit, fit_mixture
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.prior import Prior, control_prior
from cd40l_flow.mixture.titration import FRACTIONS, SIZES, titrate
from cd40l_flow.signal.scale import Scale
from helpers.by_hand.cases import limits

SCALE = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="test")
BINS = 512
MIXTURE = limits().mixture
Z = MIXTURE.lob_z + MIXTURE.lod_z


def cells(random: np.random.Generator, n: int, negative: float) -> Floats:
    values = random.normal(150, 90, n)
    lit = random.random(n) >= negative
    values[lit] += np.exp(random.normal(math.log(1200.0), 0.45, int(lit.sum())))
    return histogram(SCALE.forward(values), BINS)


def tube(random: np.random.Generator) -> Background:
    return background_component(histogram(SCALE.forward(random.normal(150, 90, 5000)), BINS), SCALE)


def made() -> tuple[Titration, Fit, Prior]:
    random = np.random.default_rng(1)
    background, counts = tube(random), cells(random, 10_000, 0.1)
    fit = fit_mixture(counts, background, None, MIXTURE.shift_max)
    prior = control_prior(fit.positive, np.linalg.inv(fit.information)[3:6, 3:6], MIXTURE)
    return titrate(counts, background, fit, prior, MIXTURE, control_error=0.004), fit, prior


def even(error: float) -> Titration:
    """Return a titration that recovers everything with the same error."""
    rows = tuple(tuple(fraction for _ in SIZES) for fraction in FRACTIONS)
    errors = tuple(tuple(error for _ in SIZES) for _ in FRACTIONS)
    return Titration(FRACTIONS, SIZES, rows, errors, 2000, None, None, None)


@pytest.mark.parametrize("spread", [0.0, 0.03])
def test_limits_in_closed_form(spread: float) -> None:
    found = detectable(even(0.01), 2000, 0.0, 0.0 + spread, MIXTURE)
    assert found.limit_counting == pytest.approx(Z * 0.01, abs=0.001)
    assert found.limit_with_healthy_spread == pytest.approx(Z * math.hypot(0.01, spread), abs=0.001)
    assert found.recovery == pytest.approx(1.0)
    assert found.bias == pytest.approx(0.0, abs=1e-9)


def test_the_controls_error_counts_too() -> None:
    alone, with_control = (detectable(even(0.01), 2000, error, 0.0, MIXTURE).limit_counting for error in (0.0, 0.01))
    assert alone is not None and with_control is not None
    assert alone < with_control < Z * math.hypot(0.01, 0.01) + 0.001


def test_nothing_is_seen_where_errors_are_too_large() -> None:
    found = detectable(even(0.5), 2000, 0.0, 0.0, MIXTURE)
    assert (found.limit_counting, found.limit_with_healthy_spread, found.recovery) == (None, None, None)


def test_errors_are_interpolated_between_sizes_and_go_on_with_the_root_beyond() -> None:
    errors = tuple(tuple(1 / math.sqrt(n) for n in SIZES) for _ in FRACTIONS)
    titration = replace(even(0.01), errors=errors)
    for n in (50, 700, 3000, 90_000):
        assert titration.at(n)[1][0] == pytest.approx(1 / math.sqrt(n), rel=1e-9)


def test_mixtures_of_the_runs_own_cells_are_recovered() -> None:
    titration, _, _ = made()
    for fraction, row, errors in zip(titration.fractions, titration.recovered, titration.errors, strict=True):
        assert np.abs(np.array(row) - fraction).max() < 0.01
        assert np.all(np.diff(errors) < 0)
    assert titration.drawn_detected is not None and titration.drawn_error is not None
    assert 0.86 <= titration.drawn_detected <= 1.0
    assert 0.8 <= titration.drawn_error <= 1.2


def test_the_computed_error_is_that_of_samples_drawn_anew() -> None:
    titration, fit, prior = made()
    place = FRACTIONS.index(0.2), SIZES.index(2000)
    found = []
    for seed in range(80):
        random = np.random.default_rng(1000 + seed)
        counts = cells(random, 2000, 1 - (1 - 0.2) * (1 - 0.1))
        sample = fit_mixture(counts, tube(random), prior, MIXTURE.shift_max)
        found.append(1 - (1 - sample.negative_fraction) / (1 - fit.negative_fraction))
    assert float(np.std(found)) == pytest.approx(titration.errors[place[0]][place[1]], rel=0.25)


def test_several_controls_in_any_order() -> None:
    several = [even(error) for error in (0.01, 0.013, 0.029)]
    one, other = combine_titrations(several), combine_titrations(several[::-1])
    assert one == other and one is not None
    assert one.errors[0][0] == pytest.approx(math.sqrt((0.01**2 + 0.013**2 + 0.029**2) / 3))
    assert combine_titrations([several[0]]) is several[0]
    assert combine_titrations([None, several[1]]) is several[1]
    assert combine_titrations([None]) is None
    assert combine_titrations([]) is None


def test_two_controls_are_their_mean() -> None:
    both = combine_titrations([replace(even(error), drawn_fraction=error) for error in (0.03, 0.04)])
    assert both is not None
    assert both.errors[0][0] == pytest.approx(math.hypot(0.03, 0.04) / math.sqrt(2))
    assert both.drawn_fraction == pytest.approx(0.035)


def test_the_control_s_error_is_that_of_its_positive_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant fractions are of positive cells: of a control with 40 % negative ones an error counts 1 / 0.6 times."""
    monkeypatch.setattr("cd40l_flow.mixture.titration.DRAWS", 2)
    random = np.random.default_rng(3)
    background, counts = tube(random), cells(random, 10_000, 0.4)
    fit = fit_mixture(counts, background, None, MIXTURE.shift_max)
    prior = control_prior(fit.positive, np.linalg.inv(fit.information)[3:6, 3:6], MIXTURE)
    found = titrate(counts, background, fit, prior, MIXTURE, control_error=0.03)
    assert (
        found.drawn_fraction == detectable(found, 2000, 0.03 / (1 - fit.negative_fraction), 0.0, MIXTURE).limit_counting
    )
    assert (
        found.drawn_fraction != detectable(found, 2000, 0.03 * (1 - fit.negative_fraction), 0.0, MIXTURE).limit_counting
    )


def test_json_and_back() -> None:
    titration = even(0.01)
    assert convert(json.loads(json.dumps(asdict(titration))), Titration) == titration

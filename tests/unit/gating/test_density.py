"""Valleys lie between modes, wherever the modes are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd40l_flow.gating.density import STEP, Density, Valley, density, find_valleys, most_prominent


def two_peaks(left: float, right: float, share: float, n: int = 5000, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.concatenate(
        (random.normal(left, 0.04, round(n * share)), random.normal(right, 0.05, round(n * (1 - share))))
    )


def find_valley(curve: Density, low: float, high: float) -> Valley | None:
    return most_prominent(curve, find_valleys(curve, low, high))


def test_the_density_integrates_to_one_and_keeps_the_mean() -> None:
    values = two_peaks(0.2, 0.7, 0.4)

    curve = density(values)

    step = curve.grid[1] - curve.grid[0]
    assert curve.height.sum() * step == pytest.approx(1, abs=1e-6)
    assert (curve.grid * curve.height).sum() * step == pytest.approx(values.mean(), abs=step)


@settings(max_examples=60)
@given(st.floats(0.1, 0.35), st.floats(0.3, 0.55), st.floats(0.03, 0.97), st.integers(0, 100))
def test_one_valley_lies_between_two_peaks(left: float, apart: float, share: float, seed: int) -> None:
    valley = find_valley(density(two_peaks(left, left + apart, share, seed=seed)), 0.0, 1.0)

    assert valley is not None
    assert left + 0.03 < valley.position < left + apart - 0.03
    assert valley.left_mode == pytest.approx(left, abs=0.03)
    assert valley.right_mode == pytest.approx(left + apart, abs=0.04)
    assert valley.depth > 0.8


@pytest.mark.parametrize("seed", range(20))
def test_one_peak_has_no_valley(seed: int) -> None:
    values = np.random.default_rng(seed).normal(0.5, 0.08, 2000)

    assert find_valleys(density(values), 0.0, 1.0) == []


def test_three_peaks_have_two_valleys_and_stray_events_none() -> None:
    random = np.random.default_rng(2)
    values = np.concatenate([random.normal(mode, 0.03, 1000) for mode in (0.2, 0.5, 0.8)] + [np.full(5, 0.95)])

    positions = [valley.position for valley in find_valleys(density(values), 0.0, 1.0)]

    assert positions == pytest.approx([0.35, 0.65], abs=0.05)


def test_a_valley_outside_the_allowed_range_is_none() -> None:
    curve = density(two_peaks(0.2, 0.6, 0.5))

    assert find_valley(curve, 0.5, 1.0) is None
    assert find_valley(density(np.empty(0)), 0.0, 1.0) is None


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_order_and_repetition_of_events_do_not_matter(seed: int) -> None:
    values = two_peaks(0.2, 0.7, 0.3)
    curve = density(values, bandwidth=0.02)

    shuffled = density(np.random.default_rng(seed).permutation(values), bandwidth=0.02)
    doubled = density(np.repeat(values, 2), bandwidth=0.02)

    np.testing.assert_array_equal(shuffled.height, curve.height)
    np.testing.assert_allclose(doubled.height, curve.height, rtol=1e-9)


def test_left_sd_ignores_what_lies_above_the_mode() -> None:
    random = np.random.default_rng(4)
    values = np.concatenate((random.normal(0.3, 0.05, 20_000), random.normal(0.45, 0.1, 4000)))

    assert density(values).left_sd(0.3) == pytest.approx(0.05, rel=0.1)


def test_a_population_cut_off_at_the_bottom_has_the_spread_of_its_upper_half() -> None:
    values = np.abs(np.random.default_rng(5).normal(0.0, 0.05, 20_000)) + 0.3

    assert density(values, bandwidth=0.008).left_sd(0.3, high=0.6) == pytest.approx(0.05, rel=0.1)


@settings(max_examples=30)
@given(st.floats(0.005, 0.995), st.integers(0, 100))
def test_quantiles_are_those_of_the_values(fraction: float, seed: int) -> None:
    values = np.random.default_rng(seed).normal(0.5, 0.1, 3000)
    curve = density(values)

    assert np.mean(values <= curve.quantile(fraction)) == pytest.approx(fraction, abs=0.005)
    assert curve.below(curve.quantile(fraction)) == pytest.approx(fraction, abs=1e-9)


@settings(max_examples=30)
@given(st.integers(-40, 40), st.integers(0, 50))
def test_a_shift_moves_the_valley_by_as_much(steps: int, seed: int) -> None:
    values = two_peaks(0.3, 0.65, 0.4, seed=seed)
    plain, moved = (find_valley(density(each), -0.2, 1.1) for each in (values, values + steps * STEP))

    assert plain is not None
    assert moved is not None
    assert moved.position - plain.position == pytest.approx(steps * STEP, abs=1e-6)


@pytest.mark.parametrize("step", [0.0, 0.01, 0.02, 0.03])
def test_integers_of_a_coarse_converter_are_no_comb(step: float) -> None:
    values = two_peaks(0.3, 0.7, 0.4, n=20_000)
    coarse = np.round(values / step) * step if step else values

    valleys = find_valleys(density(coarse), -0.2, 1.1)

    assert len(valleys) == 1
    assert valleys[0].position == pytest.approx(0.48, abs=0.04)


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_a_resample_hardly_moves_an_empty_valley(seed: int) -> None:
    values = two_peaks(0.2, 0.8, 0.5, n=2000)
    again = np.random.default_rng(seed).choice(values, values.size)
    plain, moved = find_valley(density(values), 0, 1), find_valley(density(again), 0, 1)

    assert plain is not None
    assert moved is not None
    assert moved.position == pytest.approx(plain.position, abs=0.02)

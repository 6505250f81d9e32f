"""Distances of histograms against scipy, a valley by hand, errors of medians against repeated draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.checks.model_free import distances, valley_depth
from cd40l_flow.mixture.histogram import centres, histogram
from cd40l_flow.mixture.medians import above, log_error
from cd40l_flow.signal.scale import Scale

BINS = 512
SCALE = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="test")


def binned(values: Floats) -> Floats:
    return histogram(values, BINS)


def on_bins(values: Floats) -> Floats:
    """Return values as the histogram sees them, for implementations that take values."""
    return np.repeat(np.arange(BINS), binned(values).astype(int)).astype(float)


def test_against_scipy() -> None:
    random = np.random.default_rng(1)
    sample, background, control = (random.normal(mean, 0.1, n) for mean, n in ((0.45, 900), (0.3, 700), (0.6, 1500)))
    found = distances(binned(sample), binned(background), binned(control))
    a, b, c = on_bins(sample), on_bins(background), on_bins(control)
    assert found.ks_background == pytest.approx(stats.ks_2samp(a, b, method="asymp").statistic, abs=1e-12)
    assert found.ks_control == pytest.approx(stats.ks_2samp(a, c, method="asymp").statistic, abs=1e-12)
    # "greater": the first distribution function lies above the second, so the second sample is the brighter one.
    assert found.overton_background == pytest.approx(
        stats.ks_2samp(b, a, alternative="greater", method="asymp").statistic, abs=1e-12
    )
    assert found.overton_control == pytest.approx(
        stats.ks_2samp(a, c, alternative="greater", method="asymp").statistic, abs=1e-12
    )


def test_overton_of_separate_peaks_is_the_positive_share() -> None:
    background = binned(np.full(100, 0.1))
    sample = binned(np.concatenate((np.full(30, 0.1), np.full(70, 0.8))))
    found = distances(sample, background, None)
    assert found.overton_background == pytest.approx(0.7)
    assert found.ks_background == pytest.approx(0.7)
    assert found.ks_control is None and found.overton_control is None


def test_a_dimmer_sample_has_no_overton_but_a_distance() -> None:
    found = distances(binned(np.full(50, 0.2)), binned(np.full(50, 0.5)), binned(np.full(50, 0.2)))
    assert (found.overton_background, found.ks_background) == (0.0, 1.0)
    assert (found.overton_control, found.ks_control) == (0.0, 0.0)


def test_overton_of_two_normals_in_closed_form() -> None:
    """Of normals a shift d apart, the greatest difference of the distribution functions is 2 Phi(d / 2) - 1."""
    centres = np.linspace(-0.2, 1.1, BINS + 1)
    background, sample = (np.diff(stats.norm.cdf(centres, mean, 0.08)) for mean in (0.3, 0.46))
    found = distances(sample, background, None)
    assert found.overton_background == pytest.approx(2 * stats.norm.cdf(1.0) - 1, abs=1e-4)


@pytest.mark.parametrize("empty", ["sample", "background"])
def test_without_cells_there_is_no_distance(empty: str) -> None:
    cells, none = binned(np.full(5, 0.5)), np.zeros(BINS)
    found = distances(none if empty == "sample" else cells, none if empty == "background" else cells, None)
    assert found.ks_background is None and found.overton_background is None


def test_the_error_of_a_median_is_that_of_repeated_draws() -> None:
    random = np.random.default_rng(2)
    found, medians = [], []
    for _ in range(1000):
        cells, dark = 7000 * np.exp(random.normal(0, 0.5, 400)), random.normal(200, 120, 300)
        medians.append(math.log(float(np.median(cells)) - float(np.median(dark))))
        found.append(log_error(binned(SCALE.forward(cells)), binned(SCALE.forward(dark)), SCALE))
    assert float(np.mean([error for error in found if error])) == pytest.approx(float(np.std(medians)), rel=0.12)


def test_a_median_in_the_background_has_no_logarithm() -> None:
    random = np.random.default_rng(3)
    dark = binned(SCALE.forward(random.normal(200, 120, 300)))
    assert log_error(binned(SCALE.forward(random.normal(205, 120, 300))), dark, SCALE) is None
    assert log_error(np.zeros(BINS), dark, SCALE) is None


def test_cells_above_a_threshold() -> None:
    counts = np.ones(13)  # bins of 0.1 from -0.2
    assert above(counts, 1.05).tolist() == pytest.approx([0.0] * 12 + [0.5])
    assert above(counts, -1.0).sum() == 13


def test_the_depth_of_a_valley_by_hand() -> None:
    counts = np.zeros(BINS)
    counts[(centres(BINS) > 0.1) & (centres(BINS) < 0.2)] = 10
    counts[(centres(BINS) > 0.6) & (centres(BINS) < 0.7)] = 40
    assert valley_depth(counts, 0.15, 0.65) == pytest.approx(1.0)
    assert valley_depth(counts + 5, 0.15, 0.65) == pytest.approx(1 - 5 / 15)
    assert valley_depth(np.full(BINS, 7.0), 0.15, 0.65) == pytest.approx(0.0)
    assert valley_depth(counts, 0.65, 0.15) is None


def test_a_single_cell_has_a_distance() -> None:
    found = distances(binned(np.array([0.8])), binned(np.array([0.2])), None)
    assert (found.ks_background, found.overton_background) == (1.0, 1.0)


def test_a_valley_needs_three_bins() -> None:
    grid = centres(BINS)
    assert valley_depth(np.ones(BINS), grid[100], grid[101]) is None
    assert valley_depth(np.ones(BINS), grid[100], grid[102]) == pytest.approx(0.0)


@pytest.mark.parametrize(("cells", "dark"), [(9, 300), (300, 9), (10, 10)])
def test_a_median_of_fewer_than_ten_cells_has_no_error(cells: int, dark: int) -> None:
    random = np.random.default_rng(4)
    found = log_error(
        binned(SCALE.forward(random.normal(7000, 500, cells))),
        binned(SCALE.forward(random.normal(200, 50, dark))),
        SCALE,
    )
    assert (found is None) is (min(cells, dark) < 10)

"""The components of the mixture against closed forms, scipy and cells drawn; derivatives against differences."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cd40l_flow.mixture.components import ELECTRON, TILTS, ashman_d, background_component
from cd40l_flow.mixture.histogram import centres, edges, histogram, quantile
from cd40l_flow.mixture.signal_law import LEAST_SKEW, SignalParameters, signal_law
from cd40l_flow.signal.scale import Scale

BINS = 512
SCALE = Scale(t=262144.0, w=0.7, m=4.5, a=0.0, source="test")


def dark(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(150, 70, n)


@pytest.mark.parametrize("alpha", [-6.0, -1.5, 2.0])
def test_the_signals_law_is_scipys_skew_normal(alpha: float) -> None:
    law = stats.skewnorm(alpha, loc=6.0, scale=0.5)
    mean, variance, skew = (float(value) for value in law.stats(moments="mvs"))
    grid = np.linspace(0, 12, 2001)
    found = signal_law(SignalParameters(mean, 0.5 * math.log(variance), skew), grid, np.gradient(grid))[0]
    np.testing.assert_allclose(found, law.pdf(grid) * (grid[1] - grid[0]), atol=1e-6)


def test_without_skew_it_is_normal() -> None:
    grid = np.linspace(0, 12, 1001)
    found = signal_law(SignalParameters(6.0, math.log(0.5), 0.0), grid, np.gradient(grid))[0]
    np.testing.assert_allclose(found, stats.norm(6.0, 0.5).pdf(grid) * (grid[1] - grid[0]), atol=1e-4)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_the_law_does_not_bend_where_another_formula_takes_over(side: float) -> None:
    """Neither value nor slope jumps at the least skew; a slope that did would hold the search for the best fit."""
    grid = np.linspace(-8, 8, 801)
    inside, outside = (
        signal_law(SignalParameters(0.0, 0.0, side * (LEAST_SKEW + away)), grid, np.ones_like(grid))
        for away in (-1e-8, 1e-8)
    )
    assert np.abs(inside - outside).max(axis=1) == pytest.approx(0.0, abs=2e-4 * float(np.abs(outside[3]).max()))


@pytest.mark.parametrize("skew", [-0.9, -0.3, 0.0004, 0.6])
def test_slopes_of_the_positive_component(skew: float) -> None:
    background = background_component(histogram(SCALE.forward(dark(1, 5000)), BINS), SCALE)
    theta = np.array([6.0, math.log(0.45), skew, 0.3])
    _, slopes = background.positive(SignalParameters(*theta))
    for index in range(4):
        step = np.zeros(4)
        step[index] = 1e-5
        up, _ = background.positive(SignalParameters(*(theta + step)))
        down, _ = background.positive(SignalParameters(*(theta - step)))
        np.testing.assert_allclose(slopes[index], (up - down) / 2e-5, atol=2e-6)


@pytest.mark.parametrize("electron", [-0.8, 0.0, 0.8])
@pytest.mark.parametrize("level", [4.5, 6.0, 8.5])
def test_positive_cells_are_background_and_signal_added(level: float, electron: float) -> None:
    """The convolution against cells drawn: background, a signal, and the Poisson noise of its electrons."""
    random = np.random.default_rng(7)
    n = 400_000
    tube = background_component(histogram(SCALE.forward(dark(2, n)), BINS), SCALE)
    signal = np.exp(random.normal(level, 0.4, n))
    size = tube.electron(electron)
    cells = dark(3, n) + random.poisson(signal / size) * size
    expected, _ = tube.positive(SignalParameters(level, math.log(0.4), 0.0, electron))
    found = histogram(SCALE.forward(cells), BINS) / n
    assert expected.sum() == pytest.approx(1.0, abs=1e-6)
    # Total variation distance; counting alone makes about 0.007 of it.
    assert 0.5 * np.abs(expected - found).sum() < 0.015


@pytest.mark.parametrize("shift", [-0.5, 0.5])
def test_a_brighter_background_is_a_noisier_one(shift: float) -> None:
    """Cells of a Poisson background with more or less light, against the tube's shape tilted and moved."""
    random = np.random.default_rng(11)
    n, electron = 400_000, ELECTRON * SCALE.t

    def cells(light: float) -> np.ndarray:
        values = electron * random.poisson(np.maximum(25 * random.lognormal(0.0, 0.3, n) + light, 0.0))
        return SCALE.forward(values + random.normal(0, 15, n))

    tube = background_component(histogram(cells(0.0), BINS), SCALE)
    there = histogram(cells(shift * tube.linear_sd / electron), BINS) / n
    plain = tube.moved(tube.smooth[None], shift)[0]
    moved = tube.moved(tube.tilted(shift * tube.widening(0.0))[0][None], shift)
    assert 0.5 * np.abs(moved[0] - there).sum() < 0.01 < 0.5 * np.abs(plain - there).sum()


def test_the_background_keeps_its_shape() -> None:
    values = np.random.default_rng(1).lognormal(5.0, 0.4, 5000)
    background = background_component(histogram(SCALE.forward(values), BINS), SCALE)
    scaled = SCALE.forward(values)
    assert background.median == pytest.approx(float(np.median(scaled)), abs=0.002)
    low, high = np.quantile(values, (0.1587, 0.8413))
    assert background.linear_sd == pytest.approx((high - low) / 2, rel=0.02)
    p = background.moved(background.smooth[None], 0.0)[0]
    assert p.sum() == pytest.approx(1.0, abs=1e-6)
    assert p.min() >= 0
    mean = float(p @ centres(BINS))
    assert mean == pytest.approx(float(scaled.mean()), abs=0.001)
    # Smoothing widens nothing: what the kernel adds is taken back.
    assert math.sqrt(float(p @ (centres(BINS) - mean) ** 2)) == pytest.approx(float(scaled.std()), rel=0.01)


@pytest.mark.parametrize("shift", [-0.5, -0.1, 0.0, 0.3, 0.5])
def test_a_shift_is_added_on_the_linear_scale(shift: float) -> None:
    n = 200_000
    values = dark(4, n)
    background = background_component(histogram(SCALE.forward(values), BINS), SCALE)
    (moved,), (slope,) = background.move(background.smooth[None], shift, 1)
    found = histogram(SCALE.forward(values + shift * background.linear_sd), BINS) / n
    assert 0.5 * np.abs(moved - found).sum() < 0.012
    (up,), _ = background.move(background.smooth[None], shift + 1e-6, 0)
    (down,), _ = background.move(background.smooth[None], shift - 1e-6, 0)
    np.testing.assert_allclose(slope, (up - down) / 2e-6, atol=1e-5)


def test_tilts_are_what_the_tube_leaves_open() -> None:
    """They have mean 0 and variance 1 under the shape, and are uncorrelated with each other and with the place."""
    background = background_component(histogram(SCALE.forward(dark(5, 5000)), BINS), SCALE)
    ways, p = background.directions, background.smooth
    np.testing.assert_allclose(ways @ p, 0, atol=1e-9)
    np.testing.assert_allclose((ways * p) @ ways.T, np.eye(TILTS), atol=1e-9)
    np.testing.assert_array_equal(background.tilted(np.zeros(TILTS))[0], p / p.sum())
    tilt = np.array([0.03, -0.02, 0.01])
    _, slopes = background.tilted(tilt)
    for index, step in enumerate(1e-6 * np.eye(TILTS)):
        difference = (background.tilted(tilt + step)[0] - background.tilted(tilt - step)[0]) / 2e-6
        np.testing.assert_allclose(slopes[index], difference, atol=1e-8)


@pytest.mark.parametrize("place", [0, 100, BINS - 1])
def test_a_background_in_one_bin_is_still_a_distribution(place: int) -> None:
    counts = np.zeros(BINS)
    counts[place] = 300
    background = background_component(counts, SCALE)
    p = background.moved(background.smooth[None], 0.0)[0]
    assert np.isfinite(p).all()
    assert 0.4 < p.sum() <= 1.0 + 1e-9
    assert background.sd > 0


def test_a_background_without_events_is_refused() -> None:
    with pytest.raises(ValueError, match="without events"):
        background_component(np.zeros(BINS), SCALE)
    one = np.zeros(BINS)
    one[150] = 1
    assert background_component(one, SCALE).smooth.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("bins", "sd"), [(1, 1.0), (2, 1.0), (4, 4 * 0.3413)])
def test_a_background_is_at_least_two_bins_wide(bins: int, sd: float) -> None:
    """Of cells spread evenly over some bins the robust SD is 0.3413 of the width; below one bin it is a bin."""
    counts = np.zeros(BINS)
    counts[100:200], counts[200 : 200 + bins] = 1e-3, 100
    background = background_component(counts, SCALE)
    step = float(edges(BINS)[1] - edges(BINS)[0])
    assert background.sd == pytest.approx(sd * step, rel=1e-3)
    middle = float(edges(BINS)[200]) + bins / 2 * step
    assert background.median == pytest.approx(middle, abs=1e-5)
    ends = SCALE.inverse(np.array([middle - sd * step, middle + sd * step]))
    assert background.linear_sd == pytest.approx((ends[1] - ends[0]) / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("median", "sd", "high"), [(-0.5, 2.0, 1.1), (0.0, 2.0, 1.1), (0.5, 2.0, None), (0.5, 1.0, -1.1)]
)
def test_a_background_of_hardly_any_light_bounds_the_electron(median: float, sd: float, high: float | None) -> None:
    """Half its variance may be the noise of its median light; without light nothing is known."""
    background = background_component(histogram(SCALE.forward(dark(1, 500)), BINS), SCALE)
    faint = replace(background, median=SCALE.to_scaled(median), linear_sd=sd)
    most = math.log(0.5 * sd**2 / median / (ELECTRON * SCALE.t)) if high is None else high
    assert faint.electron_bounds == pytest.approx((-1.1, most))


@pytest.mark.parametrize("bits", [14, 18, 20, 24])
@pytest.mark.parametrize("sd", [25.0, 45.0, 120.0])
def test_an_electron_is_as_large_as_the_detectors_range_and_noise_say(bits: int, sd: float) -> None:
    """Of the range where the background fills it as on 18 bits, of the background where it reads as few channels."""
    ratio = 2.0 ** (bits - 18)
    wide = replace(SCALE, t=SCALE.t * ratio)
    background = background_component(histogram(wide.forward(dark(1, 500)), BINS), wide)
    usual = ELECTRON * SCALE.t
    assert replace(background, linear_sd=sd * max(ratio, 1)).electron(0.0) == pytest.approx(
        ratio * usual if bits <= 18 else ratio * min(usual, max(usual / ratio, 0.1 * sd))
    )
    few = replace(background, linear_sd=sd).electron(0.0)
    assert few == pytest.approx(ratio * usual if bits <= 18 else min(max(usual, 0.1 * sd), ratio * usual))


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
    assert quantile(np.ones(13) / 13, 0.5) == pytest.approx(0.45)
    even = np.ones(13)
    assert quantile(even, 0.5) == pytest.approx(0.45)
    gap = np.array([1.0, *np.zeros(11), 1.0])
    assert quantile(gap, 0.5) == pytest.approx(-0.1)  # of an empty stretch, the lower end
    assert edges(13).size == 14


@pytest.mark.parametrize("wider", [0.3, 0.6])
@pytest.mark.parametrize("shift", [0.0, 0.13, -0.4])
def test_wide_bins_widen_nothing(wider: float, shift: float) -> None:
    """Moved, or with light added, a background of few bins has the probabilities of a normal distribution's cells."""
    scale = Scale(t=262144.0, w=0.7 + wider, m=4.5, a=0.0, source="test")
    law = stats.norm(150, 70)
    background = background_component(5e6 * np.diff(law.cdf(scale.inverse(edges(BINS)))), scale)
    moved = background.moved(background.smooth[None], shift)[0]
    exact = np.diff(law.cdf(scale.inverse(edges(BINS)) - shift * background.linear_sd))
    assert 0.5 * np.abs(moved - exact).sum() < 0.003
    signals = np.exp(background.signals[0])
    for index in np.searchsorted(signals, (60.0, 200.0)):
        lit = np.diff(law.cdf(scale.inverse(edges(BINS)) - signals[index]))
        assert 0.5 * np.abs(background.lit[index] - lit).sum() < 0.003


def test_the_smoothed_tube_is_nearer_to_the_truth_than_the_tube(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lost of the likelihood of 10,000 cells by the noise that is left: half the smoothing loses more."""
    random = np.random.default_rng(8)
    many = background_component(histogram(SCALE.forward(random.lognormal(5.0, 0.4, 4_000_000)), BINS), SCALE).smooth
    tubes = [histogram(SCALE.forward(random.lognormal(5.0, 0.4, 5000)), BINS) for _ in range(12)]

    def lost() -> float:
        return float(np.mean([1e4 * many @ np.log(many / background_component(tube, SCALE).smooth) for tube in tubes]))

    usual = lost()
    monkeypatch.setattr("cd40l_flow.mixture.components.KERNEL", 0.5)
    assert usual < 0.75 * lost()


def test_bins_left_out_change_nothing_below() -> None:
    background = background_component(histogram(SCALE.forward(dark(9, 5000)), BINS), SCALE)
    short = background.upto(400)
    law = SignalParameters(6.5, math.log(0.4), -0.4)
    whole, part = background.positive(law)[0], short.positive(law)[0]
    np.testing.assert_allclose(part[:-1], whole[:399], atol=1e-9)
    assert part.sum() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("bins", [250, 400, 480, 511, BINS])
def test_the_grid_of_signals_ends_at_the_top_of_the_scale(bins: int) -> None:
    """Rising from a twentieth of the background's SD; its weights are the length of the range, ends counted half."""
    background = background_component(histogram(SCALE.forward(dark(9, 5000)), BINS), SCALE).upto(bins)
    grid, weights = background.signals
    assert grid[-1] == pytest.approx(math.log(float(SCALE.inverse(centres(BINS))[-1])))
    assert grid[0] == pytest.approx(math.log(0.05 * background.linear_sd), abs=0.1)
    steps = np.diff(grid)
    assert np.all(steps > 0) and steps.max() < 0.16
    # Beyond the last bin the steps are as wide as they may be.
    last = math.log(float(SCALE.inverse(centres(BINS))[bins - 1]))
    assert np.count_nonzero(grid > last + 1e-9) == math.ceil((grid[-1] - last) / 0.15)
    assert weights.sum() == pytest.approx(grid[-1] - grid[0] + (steps[0] + steps[-1]) / 2)


def test_the_median_of_a_signal() -> None:
    assert SignalParameters(math.log(500.0), -0.9, -0.3).median == pytest.approx(500.0)

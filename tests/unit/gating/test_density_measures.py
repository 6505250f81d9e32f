"""What is read off a density, beside the definition: ends, spreads, middles, floors of valleys, bandwidths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.base.model import Floats
from cd40l_flow.gating.density import (
    GRID,
    HIGH,
    LOW,
    STEP,
    Density,
    Ends,
    density,
    density_of,
    find_valleys,
    most_prominent,
    spread_out,
)
from helpers.by_hand.curves import EDGES, curve, even, lopsided, normal, on_grid
from helpers.by_hand.tubes import SCALE

PLAIN = density(np.empty(0))


def shaped(*points: tuple[int, float]) -> Density:
    """Return a density with straight lines between heights at bins of the grid."""
    at, heights = zip(*points, strict=True)
    return replace(PLAIN, height=np.interp(np.arange(GRID), at, heights))


def test_no_boundary_lies_beyond_half_a_step_within_the_ends_of_a_detector() -> None:
    ended = replace(PLAIN, low=0.1, high=0.9)
    for place, seen in ((-0.1, 0.1 + STEP / 2), (0.1, 0.1 + STEP / 2), (0.5, 0.5), (2.0, 0.9 - STEP / 2)):
        assert ended.seen(place) == pytest.approx(seen, abs=1e-12)
    assert [PLAIN.seen(place) for place in (-1.0, LOW, 0.5, 2.0)] == [LOW, LOW, 0.5, HIGH]


def test_shares_below_a_place_are_counted_from_the_lower_end() -> None:
    one = density(np.array([0.5]))
    assert (one.below(LOW), one.below(0.4), one.below(0.6), one.below(HIGH)) == (0.0, 0.0, 1.0, 1.0)
    assert PLAIN.below(0.5) == 0.0 and np.isnan(PLAIN.quantile(0.5))
    assert curve(even(0.2, 0.6, 100)).below(0.3) == pytest.approx(0.25)


def test_without_values_below_a_place_there_is_no_spread() -> None:
    one = curve(even(0.5, 0.6, 1000))
    assert one.left_sd(0.4) == 0.0
    assert one.left_sd(0.6) == pytest.approx(0.06827, abs=2e-4)
    few = curve(even(0.5, 0.6, 4))
    assert few.left_sd(0.6) == pytest.approx(0.06827, abs=2e-4)
    assert few.left_sd(0.505, high=0.56) == pytest.approx(0.6827 * (0.055 + STEP) - STEP, abs=2e-4)
    assert few.quantile(0.25) == pytest.approx(0.525, abs=2e-4) and few.quantile(0.0) == LOW


@pytest.mark.parametrize(("left", "upper"), [(0.034, True), (0.0385, False)])
def test_the_upper_half_gives_the_spread_where_less_than_a_third_as_many_lie_below(left: float, upper: bool) -> None:
    """A step below the mode counts as above it; other populations above ``high`` do not count."""
    mode = on_grid(0.4)
    one = curve(lopsided(mode, left, 0.1, 1e6), normal(1.0, 0.01, 1e6))
    assert one.left_sd(mode, high=0.8) == pytest.approx(0.1 if upper else left, rel=0.05)
    assert one.left_sd(mode) == pytest.approx(left, rel=0.01)


@pytest.mark.parametrize(("low", "high"), [(LOW, HIGH), (LOW, 0.6)])
def test_the_middle_of_a_peak_is_the_mean_of_its_upper_half(low: float, high: float) -> None:
    """Another one, nearly as high, and what lies below half its height do not count."""
    one = shaped(
        (0, 0.0), (90, 0.0), (100, 8.0), (140, 2.0), (150, 2.0), (160, 0.0), (300, 0.0), (310, 7.9), (320, 0.0)
    )
    weights = np.maximum(one.height[:200] - 4.0, 0.0)
    assert one.middle(low, high) == pytest.approx(float(weights @ one.grid[:200] / weights.sum()), abs=1e-12)
    upper = np.maximum(one.height[200:] - 3.95, 0.0)
    assert one.middle(0.6) == pytest.approx(float(upper @ one.grid[200:] / upper.sum()), abs=1e-12)
    step = shaped((0, 5.0), (9, 5.0), (10, 0.0))
    assert step.middle() == pytest.approx(float(step.grid[:10].mean()))
    assert shaped((380, 0.0), (390, 5.0), (399, 5.0)).middle() > one.grid[385]


@pytest.mark.parametrize("right", [12.0, 40.0, 150.0])
def test_a_valley_lies_in_the_middle_of_its_floor_weighted_by_depth(right: float) -> None:
    """A tenth of the rise to the lower mode belongs to it, or half a tenth of the higher, at most half of the rise."""
    one = shaped((0, 0.0), (100, 11.0), (150, 1.0), (250, right), (300, 0.0))
    brim = 1.0 + min(max(0.1 * 10, 0.05 * (right - 1)), 5.0) if right > 11 else 0.0
    weights = np.where(np.arange(GRID) > 100, np.maximum(brim - one.height, 0.0), 0.0)[:250]
    (valley,) = find_valleys(one, 0.0, 1.0)
    assert valley.position == pytest.approx(float(weights @ one.grid[:250] / weights.sum()), abs=1e-9)
    assert valley.depth == pytest.approx(1 - 1 / 11)
    assert (valley.left_mode, valley.right_mode) == (one.grid[100], one.grid[250])


@pytest.mark.parametrize(("floor", "seen"), [(8.1, False), (7.9, True)])
def test_a_dip_of_a_fifth_of_the_lower_mode_is_a_valley(floor: float, seen: bool) -> None:
    for heights in ((10.0, 14.0), (14.0, 10.0)):
        one = shaped((0, 0.0), (100, heights[0]), (150, floor), (200, heights[1]), (300, 0.0))
        assert bool(find_valleys(one, 0.0, 1.0)) is seen
    assert not find_valleys(one, 0.0, 1.0, min_depth=0.25)


def test_a_peak_at_the_upper_end_is_a_mode() -> None:
    one = shaped((0, 0.0), (100, 10.0), (200, 1.0), (399, 10.0))
    (valley,) = find_valleys(one, 0.0, 1.0)
    assert valley.right_mode == one.grid[399]
    assert find_valleys(PLAIN, LOW, HIGH) == []


@pytest.mark.parametrize(("share", "seen"), [(0.008, False), (0.013, True)])
def test_one_event_in_a_hundred_is_a_population(share: float, seen: bool) -> None:
    one = curve(normal(0.3, 0.03, 1e6 * (1 - share)), normal(0.7, 0.03, 1e6 * share))
    assert bool(find_valleys(one, 0.0, 1.0)) is seen


def test_the_most_prominent_valley_drops_most_below_its_lower_mode() -> None:
    """A deep one beside a small peak drops less than a shallow one between large peaks."""
    one = shaped((0, 0.0), (50, 2.0), (80, 0.2), (150, 12.0), (200, 7.0), (250, 12.0), (300, 0.0))
    valleys = find_valleys(one, LOW, HIGH)
    assert len(valleys) == 2 and most_prominent(one, valleys) == valleys[1]
    assert most_prominent(one, []) is None


def bandwidth(one: Density, place: float) -> float:
    """Return the bandwidth by the heights of a kernel around a bin of the grid that stands alone."""
    at = int(np.argmin(np.abs(one.grid - place)))
    return float(3 * STEP / np.sqrt(2 * np.log(one.height[at] / one.height[at + 3])))


def two(first: float, second: float, events: tuple[float, float]) -> Floats:
    """Return counts of events in one bin each at two places of the grid."""
    counts = np.zeros(EDGES.size - 1)
    for place, held in zip((first, second), events, strict=True):
        counts[int(np.searchsorted(EDGES, place))] += held
    return counts


@pytest.mark.parametrize(
    ("events", "apart", "expected"),
    [
        # 0.9 x SD x n^-0.2: the SD of two equal halves is half their distance.
        ((1000.0, 1000.0), 0.1, 0.9 * 0.05 * 2000**-0.2),
        # With fewer than a quarter in the other one the quartiles are alike, and the least is taken.
        ((2400.0, 600.0), 0.5, 0.008),
        ((1000.0, 1000.0), 0.5, 0.03),
        ((1e6, 1e6), 0.02, 0.008),
    ],
)
def test_bandwidths_are_silvermans_within_two_limits(
    events: tuple[float, float], apart: float, expected: float
) -> None:
    first, second = on_grid(0.3), on_grid(0.3 + apart)
    one = density_of(two(first, second, events))
    if apart < 0.05:
        assert one.height.tolist() == density_of(two(first, second, events), bandwidth=0.008).height.tolist()
    else:
        assert bandwidth(one, first) == pytest.approx(expected, rel=0.02)


def test_the_quartiles_tell_the_bandwidth_where_outliers_widen_the_sd() -> None:
    """Of events spread evenly over a fifth of the scale they lie a tenth apart; a tenth lies far away."""
    one = even(0.2, 0.4, 900) + two(on_grid(0.8), on_grid(0.8), (50.0, 50.0))
    quartiles = 0.2 * 500 / 900  # a quarter of the thousand events lies below 250 / 900 of the fifth
    found = bandwidth(density_of(one), on_grid(0.8))
    assert found == pytest.approx(0.9 * quartiles / 1.34 * 1000**-0.2, rel=0.03)


@pytest.mark.parametrize(("bins", "expected"), [(16, 4 * STEP), (60, 0.03), (4, None)])
def test_the_bandwidth_is_at_least_the_instruments_step(bins: int, expected: float | None) -> None:
    """Up to three hundredths; bins next to each other on the grid are no steps."""
    counts = np.zeros(EDGES.size - 1)
    counts[400:640:bins] = 1e4
    for events, wide in ((1e4, expected), (4.0, None)):
        one = density_of(counts * events / 1e4)
        other = density_of(counts * events / 1e4, bandwidth=wide or one_sd(counts * events / 1e4))
        np.testing.assert_allclose(one.height, other.height, rtol=1e-6)


def one_sd(counts: Floats) -> float:
    """Return Silverman's bandwidth of events that lie evenly, whose SD is the smaller of the two spreads."""
    middles = (EDGES[:-1] + EDGES[1:]) / 2
    mean = float(counts @ middles / counts.sum())
    sd = float(np.sqrt(counts @ (middles - mean) ** 2 / counts.sum()))
    quartiles = density_of(counts, bandwidth=0.01).quantile(0.75) - density_of(counts, bandwidth=0.01).quantile(0.25)
    return float(np.clip(0.9 * min(sd, quartiles / 1.34) * counts.sum() ** -0.2, 0.008, 0.03))


def test_one_pile_up_is_spread_whichever_end_it_lies_at() -> None:
    """And the density knows its end."""
    counts = np.zeros(EDGES.size - 1)
    counts[600] = 500
    place = float((EDGES[600] + EDGES[601]) / 2)
    for ends, side in ((Ends(place, None, SCALE), slice(0, 600)), (Ends(None, place, SCALE), slice(601, None))):
        one = density_of(counts, ends=ends)
        assert one.counts[side].sum() > 400 and one.total == 500
        assert (one.low, one.high) == (ends.low or LOW, ends.high or HIGH)


def test_values_outside_the_scale_are_counted_at_its_ends() -> None:
    counts = density(np.array([-5.0, -0.3, 0.5, 5.0])).counts
    assert (counts[0], counts[-1], counts.sum()) == (2, 1, 4)
    below, bin_ = density(np.full(10, -5.0)), EDGES[1] - EDGES[0]
    assert below.quantile(0.3) == pytest.approx(LOW + 0.3 * bin_, abs=1e-9)
    assert below.left_sd(0.0) == pytest.approx(-LOW - 0.3173 * bin_, abs=1e-9)


def test_a_histogram_is_spread_on_another_scale() -> None:
    """Counts stay with their bins: those beyond an end are counted at it."""
    found = spread_out(np.array([0.0, 10.0, 20.0, 1000.0]), np.array([100.0, 300.0, 50.0]), 5.0, 10.0)
    assert found.sum() == pytest.approx(450)
    reached = np.concatenate(([0.0], np.cumsum(found)))
    assert np.interp((0.0, 0.5, 1.0), EDGES, reached) == pytest.approx([50, 100, 250], abs=0.1)

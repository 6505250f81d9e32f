"""The CD69 boundary: its F1 beside the formula, its fallbacks, and both sides of each limit, without chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from cd40l_flow.base.model import Floats
from cd40l_flow.gating.cd69 import find_cd69
from cd40l_flow.gating.density import STEP, Density, density
from cd40l_flow.gating.found import Found
from cd40l_flow.signal.scale import Scale
from helpers.by_hand.curves import EDGES, curve, even, lopsided, normal, on_grid

SCALE = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="test")
NONE = density(np.empty(0))
ADDED, RESTING, PEAK = "largest F1 of what stimulation added", "unstimulated,", "unstimulated peak + 4 SD"
MODE = on_grid(0.3)


def find(resting: Density, active: Density = NONE, most: float = 2.0) -> Found:
    return find_cd69(resting, active, SCALE, most)


def at(*parts: tuple[float, float]) -> Density:
    """Return the density of events that all lie at a few places: (place, events)."""
    counts = np.zeros(EDGES.size - 1)
    for place, events in parts:
        counts[int(np.searchsorted(EDGES, place))] += events
    return curve(counts)


@pytest.mark.parametrize(("share", "apart", "sd"), [(0.6, 0.25, 0.05), (0.1, 0.2, 0.05), (0.9, 0.35, 0.09)])
def test_the_boundary_is_the_mean_of_the_places_of_a_large_f1(share: float, apart: float, sd: float) -> None:
    """By the law of the cells themselves: exp(F1 / 0.012 + 30 t), from where 2 % of resting cells lie above."""
    rest, added = normal(MODE, 0.05, 1e6), normal(MODE + apart, sd, 1e6)
    found = find(curve(rest), curve((1 - share) * rest, share * added))
    least = MODE + 0.05 * ndtri(0.98)
    places = EDGES[least <= EDGES]
    above, true = ((1 - ndtr((places - middle) / one)) for middle, one in ((MODE, 0.05), (MODE + apart, sd)))
    f1 = 2 * share * true / (share * true + (1 - share) * above + share)
    weights = np.exp(f1 / 0.012 + 30 * places)
    assert found.position == pytest.approx(float((weights * places).sum() / weights.sum()), abs=1e-3)
    assert found.method.startswith(ADDED)


def dipping(low: float, ratio: float, events: float) -> tuple[Density, Density]:
    """Return two tubes of ``events`` cells: of those of the first a share ``low`` is dim, of the other ``ratio`` times
    as many.
    """
    return at((0.2, low * events), (0.5, (1 - low) * events)), at(
        (0.2, ratio * low * events), (0.5, (1 - ratio * low) * events)
    )


@pytest.mark.parametrize(("events", "added"), [(2740, False), (2805, True)])
def test_fewer_cells_than_two_standard_errors_below_are_added_ones(events: float, added: bool) -> None:
    """A fifth of the cells is dim and 0.9 times as many are in the stimulated tube.

    The variance of that ratio is (0.18 x 0.82 + 0.9^2 x 0.2 x 0.8) / n / 0.2^2: two SD are 0.1 where n is 2772.
    """
    assert find(*dipping(0.2, 0.9, events)).method.startswith(ADDED) is added


@pytest.mark.parametrize(("share", "read"), [(0.16, True), (0.14, False)])
def test_a_seventh_of_the_resting_cells_is_needed_below(share: float, read: bool) -> None:
    assert find(*dipping(share, 0.5, 20_000)).method.startswith(ADDED) is read


def test_below_the_end_of_either_detector_nothing_is_compared() -> None:
    resting, active = dipping(0.2, 0.5, 20_000)
    for low, read in ((0.45, True), (0.55, False)):
        assert find(replace(resting, low=low), active).method.startswith(ADDED) is read
        assert find(resting, replace(active, low=low)).method.startswith(ADDED) is read


@pytest.mark.parametrize(
    ("events", "added", "enough"), [(480, 60, True), (472, 59, False), (8000, 200, True), (8000, 120, False)]
)
def test_sixty_added_cells_or_two_in_a_hundred_move_the_boundary(events: int, added: int, enough: bool) -> None:
    found = find(at((0.2, 5000)), at((0.2, events - added), (0.6, added)))
    assert found.method.startswith(ADDED) is enough


def test_a_hundred_cells_of_either_kind_of_tube_are_needed() -> None:
    resting, active = at((0.2, 1e5)), at((0.2, 10), (0.6, 90))
    assert find(resting, active).method.startswith(ADDED)
    assert find(resting, at((0.2, 9), (0.6, 90))).method.startswith(RESTING)
    assert not find(at((0.2, 100)), active).flag
    assert "no unstimulated tube" in find(at((0.2, 99)), active).flag


def test_the_boundary_lies_within_the_range_of_the_stimulated_tube() -> None:
    resting, active = curve(normal(0.2, 0.04, 1e5)), curve(normal(0.45, 0.05, 1e5))
    free, seen = find(resting, active).position, find(resting, replace(active, low=0.4)).position
    assert free is not None and seen is not None
    assert free < 0.38 and 0.4 < seen < 0.45


@pytest.mark.parametrize("most", [2.0, 20.0, 50.0])
def test_without_added_cells_the_boundary_leaves_the_asked_percent_above(most: float) -> None:
    resting = curve(even(0.1, 0.9, 1e5))
    found = find(resting, most=most)
    assert found.position == pytest.approx(0.9 - 0.008 * most, abs=1e-3)
    assert found.method == f"unstimulated, {most:.1f} % of the unstimulated above" and not found.flag
    assert found.evidence is not None and found.evidence.quantile == found.position


def test_the_least_boundary_is_the_nearer_of_the_quantile_and_that_of_a_normal_peak() -> None:
    """Cells with CD69 move the quantile, not the lower half of the peak; a short upper half moves the quantile."""
    mode = on_grid(0.4)
    for most in (20.0, 2.0):
        carrying = find(curve(normal(mode, 0.15, 1e6), even(0.8, 1.0, 3e5)), most=most)
        assert carrying.evidence is not None
        expected = mode + 0.15 * ndtri(1 - most / 100)
        assert carrying.evidence.allowed == (pytest.approx(expected, abs=4e-4), 0.95)
    short = find(curve(lopsided(MODE, 0.06, 0.03, 1e6)))
    assert short.evidence is not None and short.evidence.allowed[0] == short.evidence.quantile
    assert short.evidence.allowed[0] == pytest.approx(MODE + 0.03 * ndtri(0.97), abs=1e-3)


@pytest.mark.parametrize(("sd", "counted"), [(0.03, 0.03), (0.001, 0.005)])
def test_where_more_than_the_asked_percent_carry_cd69_the_peak_ends_at_four_sd(sd: float, counted: float) -> None:
    found = find(curve(normal(MODE, sd, 1e5), normal(0.8, 0.01, 25_000)))
    assert found.position == pytest.approx(MODE + 4 * counted, abs=1e-3)
    assert found.method.startswith(f"{PEAK}, 20.0 %")
    assert found.flag == "20.0 % CD69+ without stimulation"


@pytest.mark.parametrize(("sds", "peak"), [(3.7, False), (4.5, True)])
def test_the_peak_ends_at_four_sd_where_the_quantile_lies_beyond(sds: float, peak: bool) -> None:
    sd = 0.03
    found = find(curve(normal(MODE, sd, 97_800), even(MODE + sds * sd, MODE + (sds + 0.1) * sd, 2200)))
    assert found.method.startswith(PEAK) is peak
    assert found.position == pytest.approx(MODE + (4.0 if peak else sds + 0.01) * sd, abs=1e-3)


@pytest.mark.parametrize(("percent", "told"), [(2.05, False), (2.2, True)])
def test_a_twentieth_more_than_the_asked_percent_is_told(percent: float, told: bool) -> None:
    found = find(curve(normal(MODE, 0.03, 1000 * (100 - percent)), normal(0.8, 0.01, 1000 * percent)))
    assert ("CD69+ without stimulation" in found.flag) is told


def three(dim: float, bright: float, place: float = 0.5) -> Found:
    """Return the boundary where stimulation added two populations: a dim one, a bright one at 0.85."""
    resting = normal(0.2, 0.03, 1e6 * (1 - dim - bright))
    active = curve(resting, normal(place, 0.03, 1e6 * dim), normal(0.85, 0.03, 1e6 * bright))
    return find(curve(normal(0.2, 0.03, 1e6)), active)


def test_a_clear_valley_beyond_another_peak_is_told_with_its_distance() -> None:
    beyond, beside = three(0.45, 0.5), three(0.45, 0.1)
    assert beyond.position is not None and beyond.evidence is not None
    valley = beyond.evidence.valleys[-1].position
    assert valley == pytest.approx(0.675, abs=0.02) and 0.25 < beyond.position < 0.45
    away = f"{valley - beyond.position:.2f} of the scale away"
    assert beyond.flag == f"the valley of the stimulated tubes lies {away}"
    assert not beside.flag


@pytest.mark.parametrize(("apart", "clear"), [(0.16, False), (0.18, True)])
def test_only_a_valley_half_as_deep_as_its_peak_is_clear(apart: float, clear: bool) -> None:
    low, high = on_grid(0.7 - apart / 2), on_grid(0.7 + apart / 2)
    found = find(curve(normal(0.2, 0.03, 1e6)), curve(normal(low, 0.05, 5e5), normal(high, 0.05, 5e5)))
    assert found.evidence is not None and (len(found.evidence.valleys) == 1) is clear


@pytest.mark.parametrize(("place", "seen"), [(0.94, True), (0.96, False), (0.15, False)])
def test_clear_valleys_are_looked_for_above_the_resting_peak(place: float, seen: bool) -> None:
    active = curve(normal(place - 0.04, 0.01, 5e5), normal(place + 0.04, 0.01, 5e5))
    found = find(curve(normal(0.2, 0.03, 1e6)), active)
    assert found.evidence is not None and (len(found.evidence.valleys) == 1) is seen


@pytest.mark.parametrize(("sd", "counted"), [(0.02, 0.02), (0.001, 0.005)])
def test_without_an_unstimulated_tube_a_dark_peak_ends_at_four_sd(sd: float, counted: float) -> None:
    mode = on_grid(0.2)
    found = find(NONE, curve(normal(mode, sd, 1e5)))
    assert found.position == pytest.approx(mode + 4 * counted, abs=1e-3)
    assert found.flag == "no unstimulated tube and no valley: hardly any CD69+ cells"


@pytest.mark.parametrize(("widths", "dark"), [(2.7, True), (3.4, False)])
def test_a_peak_beyond_three_widths_of_the_background_is_not_dark(widths: float, dark: bool) -> None:
    mode = on_grid(SCALE.to_scaled(widths * SCALE.linear_width))
    assert SCALE.to_linear(mode) / SCALE.linear_width == pytest.approx(widths, abs=0.25)
    found = find(NONE, curve(normal(mode, 0.02, 1e5)))
    assert (found.position is not None) is dark
    assert dark or "positive or negative cannot be determined" in found.flag


def test_positions_are_upper_ends_of_bins() -> None:
    """All resting cells in one bin, all added ones in another: the best boundaries lie from the end of the first."""
    found = find(at((0.3, 1e5)), at((0.3 + 4 * STEP, 1e5)))
    first, last = (EDGES[np.searchsorted(EDGES, place) + end] for place, end in ((0.3, 1), (0.3 + 4 * STEP, 0)))
    places: Floats = np.linspace(first, last, round((last - first) / STEP * 4) + 1)
    weights = np.exp(30 * places)
    assert found.position == pytest.approx(float((weights * places).sum() / weights.sum()), abs=1e-6)

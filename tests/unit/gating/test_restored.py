"""Pile-ups spread again over the tail of their population, beside the normal law that they were cut from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from cd40l_flow.base.model import Floats
from cd40l_flow.gating.density import Ends, counted, density_of
from cd40l_flow.gating.restored import restored
from helpers.by_hand.tubes import SCALE, peaks

BINS = 1600
EVEN = np.arange(BINS + 1.0)  # a channel for each bin
BENT = 100 * np.sinh((EVEN - 400) / 300)
LAST = 399  # the bin of the pile-up, which ends at the edge 400


def law(values: Floats, middle: float, sd: float, events: float) -> Floats:
    """Return the counts of a normal population in bins with these edges, channels."""
    return events * np.diff(norm.cdf(values, middle, sd))


def cut(counts: Floats, piled: float | None = None) -> Floats:
    """Return counts with all up to the last bin in that; or so many piled up there."""
    found = counts.copy()
    found[:LAST] = 0.0
    found[LAST] = counts[: LAST + 1].sum() if piled is None else piled
    return found


@pytest.mark.parametrize(("values", "middle", "sd"), [(EVEN, 380.0, 60.0), (EVEN, 330.0, 90.0), (BENT, -30.0, 40.0)])
def test_a_population_whose_mode_is_cut_off_is_found_again(values: Floats, middle: float, sd: float) -> None:
    """By the share of its events in the pile-up and the distance to the next ones, whatever the scale."""
    whole = law(values, middle, sd, 1e6)
    found = restored(cut(whole), LAST, None, values)
    assert found.foot == pytest.approx(middle + 3 * sd, rel=1e-3)
    np.testing.assert_allclose(found.counts, whole * 1e6 / whole.sum(), atol=1e-3 * whole.max())
    np.testing.assert_array_equal(found.counts[LAST + 1 :], whole[LAST + 1 :])


def test_the_upper_end_is_the_mirror_of_the_lower_one() -> None:
    counts = cut(law(BENT, -30.0, 40.0, 1e5))
    lower = restored(counts, LAST, None, BENT)
    upper = restored(counts[::-1], None, BINS - 1 - LAST, -BENT[::-1])
    np.testing.assert_allclose(upper.counts[::-1], lower.counts)
    assert upper.foot is None and lower.foot is not None
    both = counts + counts[::-1]
    twice = restored(both, LAST, BINS - 1 - LAST, EVEN)
    np.testing.assert_allclose(twice.counts[: LAST + 1], restored(both, LAST, None, EVEN).counts[: LAST + 1])
    np.testing.assert_allclose(twice.counts[::-1], twice.counts, atol=1e-6)


@pytest.mark.parametrize(("share", "foot"), [(0.16, True), (0.12, True), (0.08, False)])
def test_a_population_whose_flank_is_cut_off_is_found_again(share: float, foot: bool) -> None:
    """Its upper end too, where more than a tenth of it is in the pile-up."""
    sd = 60.0
    middle = 400 - sd * norm.ppf(share)
    whole = law(EVEN, middle, sd, 1e6)
    found = restored(cut(whole), LAST, None, EVEN)
    assert found.foot == (pytest.approx(middle + 3 * sd, rel=1e-3) if foot else None)
    assert found.counts.sum() == pytest.approx(1e6)
    bins = np.arange(LAST + 1)
    mean = [float(bins @ each[: LAST + 1] / each[: LAST + 1].sum()) for each in (found.counts, whole)]
    assert mean[0] == pytest.approx(mean[1], abs=1.5)


HALF = 2 * np.diff(norm.cdf((np.arange(LAST + 2) - LAST - 1) / 12.0))  # what an invisible population is spread over


@pytest.mark.parametrize(("times", "own"), [(3.0, False), (4.2, True)])
def test_a_pile_of_three_times_what_the_next_population_foretells_is_one_of_its_own(times: float, own: bool) -> None:
    """It is invisible then, and spread narrowly; else over the flank of that population."""
    whole = law(EVEN, 490.0, 60.0, 1e6)
    piled = times * norm.cdf(-1.5) * 1e6
    found = restored(cut(whole, piled), LAST, None, EVEN)
    assert np.allclose(found.counts[: LAST + 1], piled * HALF, atol=1e-3 * piled) is own
    assert found.counts[: LAST + 1].sum() == pytest.approx(piled)


def test_chance_and_ten_events_are_allowed_for() -> None:
    """Three times what Mills' ratio foretells from the height at the end, and three SD of that, and ten.

    Its mode is read in units of four bins: of a peak 122 bins beyond the end, SD 120, it lies at 120.
    """
    whole, z = law(EVEN, 522.0, 120.0, 650), 1.0
    foretold = float(whole[LAST + 1 : LAST + 31].mean()) * 120 * norm.sf(z) / norm.pdf(z)
    most = 3 * foretold + 3 * math.sqrt(foretold) + 10
    for piled, own in ((most - 4, False), (most + 4, True)):
        found = restored(cut(whole, piled), LAST, None, EVEN).counts[: LAST + 1]
        assert np.allclose(found, piled * HALF, atol=1e-3 * piled) is own


@pytest.mark.parametrize("change", [0.0, 1.5])
def test_the_larger_of_two_forecasts_counts(change: float) -> None:
    """By the height at the end, or by the cells above the mode where hardly any lie at the end."""
    whole = law(EVEN, 490.0, 60.0, 1e6)
    whole[LAST + 1 : LAST + 17] *= change
    tail = norm.cdf(-1.5) * 1e6
    for times, own in ((2.5 if change == 0.0 else 4.6, False), (6.5, True)):
        found = restored(cut(whole, times * tail), LAST, None, EVEN).counts[: LAST + 1]
        assert np.allclose(found, times * tail * HALF, atol=1e-2 * times * tail) is own


def test_fewer_than_ten_events_or_one_in_a_thousand_are_no_pile() -> None:
    for events, few, enough in ((2000.0, 9.0, 10.0), (60_000.0, 38.0, 46.0)):
        whole = law(EVEN, 430.0, 60.0, events)
        for piled, spread in ((few, False), (enough, True)):
            found = restored(cut(whole, piled), LAST, None, EVEN).counts
            assert bool(found[LAST] < piled / 2) is spread, (events, piled)


def test_ten_events_far_from_every_population_stay_where_they_are() -> None:
    """Ten are not too many for any population, and a tail at a hundred SD is nowhere."""
    counts = cut(law(EVEN, 1500.0, 3.0, 5000), 10.0)
    np.testing.assert_array_equal(restored(counts, LAST, None, EVEN).counts, counts)


@pytest.mark.parametrize("last", [LAST, BINS - 2])
def test_nothing_but_a_pile_is_an_invisible_population(last: int) -> None:
    """Also where no bin, or hardly one, lies beyond."""
    counts = np.zeros(BINS)
    counts[last] = 500.0
    found = restored(counts, last, None, EVEN)
    assert found.foot is None
    expected = 2 * 500 * np.diff(norm.cdf((np.arange(last + 2) - last - 1) / 12.0))
    np.testing.assert_allclose(found.counts[: last + 1], expected, atol=1e-6)


def slope(held: float, length: int, bend: float) -> Floats:
    """Return the visible counts of a tail that falls to nothing over so many bins, the steeper the larger ``bend``."""
    heights = np.where(np.arange(BINS - LAST - 1) < length, 1 - np.arange(BINS - LAST - 1) / (length * 1.02), 0.0)
    heights = np.maximum(heights, 0.0) ** bend
    return held * heights / heights.sum()


@pytest.mark.parametrize("held", [20.0, 40.0, 58.0, 120.0, 1000.0])
@pytest.mark.parametrize("bend", [0.2, 6.0])
def test_the_nearest_fifth_of_a_tail_or_its_half_gives_the_smaller_sd(held: float, bend: float) -> None:
    """The fifth is at least thirty events; a tail of fewer has its half alone."""
    piled, tail = held, slope(held, 240, bend)
    counts = np.concatenate((np.zeros(LAST), [piled], tail))
    reached = np.cumsum(tail)
    z = norm.ppf(piled / (piled + held))
    sds = []
    for wanted in [max(30.0, held / 5)] * (held >= 30) + [held / 2]:
        bins = int(np.argmax(reached >= wanted))
        sds.append((bins + 1) / (norm.ppf((piled + reached[bins]) / (piled + held)) - z))
    assert restored(counts, LAST, None, EVEN).foot == pytest.approx(400 + (3 - z) * min(sds), rel=1e-6)


def test_a_tail_within_a_bin_counts_as_twelve_bins_wide() -> None:
    counts = np.zeros(BINS)
    counts[LAST : LAST + 2] = 500.0
    assert restored(counts, LAST, None, EVEN).foot == pytest.approx(400 + 36)


@pytest.mark.parametrize(("piled", "room"), [(9000.0, 100.0), (500.0, 30.0)])
def test_a_population_reaches_two_sd_into_the_scale_below_its_mean(piled: float, room: float) -> None:
    """A broader one would lie mostly beyond the end of the scale: a mean below the end lies within the room too."""
    tail = slope(1000.0, 300, 0.2)
    values = np.concatenate((np.linspace(400 - room, 400, LAST + 1, endpoint=False), EVEN[LAST + 1 :]))
    found = restored(np.concatenate((np.zeros(LAST), [piled], tail)), LAST, None, values)
    z = norm.ppf(piled / (piled + 1000))
    assert found.foot == pytest.approx(400 + (3 - z) * room / (2 + max(z, 0.0)), rel=1e-6)


@pytest.mark.parametrize(("more", "tail"), [(150.0, False), (215.0, True)])
def test_an_apparent_tail_within_three_sd_of_its_valley_is_noise(more: float, tail: bool) -> None:
    """Of a plateau of 9.8 to 10.2 events in each of 400 bins, so many more lie beside the pile-up.

    The tail has 80 + ``more`` events above its valley, whose 3 SD are 3 x the root of about 2 x 3,920.
    """
    bins = np.arange(BINS - LAST - 1)
    seen = np.where(bins < 1000, 10.2 - 0.001 * bins, 0.0) + law(np.arange(bins.size + 1.0), 700, 60, 2e5)
    seen[:16] += more / 16
    found = restored(np.concatenate((np.zeros(LAST), [500.0], seen)), LAST, None, EVEN)
    assert (found.foot is not None) is tail


@pytest.mark.parametrize(("held", "tail"), [(8.0, False), (13.0, True)])
def test_a_tail_of_nine_events_is_none(held: float, tail: bool) -> None:
    bins = np.arange(BINS - LAST - 1)
    seen = np.where(bins < 8, held / 8, 0.0) + law(np.arange(bins.size + 1.0), 700, 60, 2e4)
    found = restored(np.concatenate((np.zeros(LAST), [100.0], seen)), LAST, None, EVEN)
    assert (found.foot is not None) is tail


def test_no_population_is_spread_wider_than_a_tenth_of_the_scale() -> None:
    """125 bins, whatever the width of what is seen."""
    whole = law(EVEN, 702.0, 200.0, 1e6)
    found = restored(cut(whole), LAST, None, EVEN).counts[: LAST + 1]
    shares = np.diff(norm.cdf(np.arange(-LAST - 1, 1.0), 300.0, 125.0))
    np.testing.assert_allclose(found, found.sum() * shares / shares.sum(), atol=0.02 * found.max())


def test_a_flank_too_reaches_two_sd_into_the_scale_below_its_mean() -> None:
    """Of a population of SD 60 with room for 50 below the end, the upper end is that of SD 25."""
    values = np.concatenate((np.linspace(350, 400, LAST + 1, endpoint=False), EVEN[LAST + 1 :]))
    z = norm.ppf(0.16)
    found = restored(cut(law(EVEN, 400 - 60 * z, 60.0, 1e6)), LAST, None, values)
    assert found.foot == pytest.approx(400 + (3 - z) * 25, rel=1e-3)


@pytest.mark.parametrize(("valley", "tail"), [(70.0, True), (80.0, False)])
def test_a_dip_of_a_fifth_parts_a_tail_from_the_next_population(valley: float, tail: bool) -> None:
    seen = np.interp(np.arange(BINS - LAST - 1), (0, 200, 400, 600), (100.0, valley, 200.0, 0.0))
    found = restored(np.concatenate((np.zeros(LAST), [5000.0], seen)), LAST, None, EVEN)
    assert (found.foot is not None) is tail


def test_without_ends_nothing_is_spread() -> None:
    counts = counted(peaks((0.3, 0.05, 3000)))
    plain, open_ends = density_of(counts), density_of(counts, ends=Ends(None, None, SCALE))
    np.testing.assert_array_equal(plain.counts, open_ends.counts)
    assert open_ends.foot is None and (open_ends.low, open_ends.high) == (plain.low, plain.high)

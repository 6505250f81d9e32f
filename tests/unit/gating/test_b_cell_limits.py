"""Both sides of each limit of the boundaries on B cells, on curves without chance."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from cd40l_flow.base.model import Floats
from cd40l_flow.gating.b_cells import (
    Peak,
    beyond,
    end_of_dim_peak,
    find_cd19,
    find_cd27,
    find_cd38,
    find_immunoglobulin,
    peaks,
    separation,
)
from cd40l_flow.gating.density import HIGH, LOW, STEP, Density, density
from cd40l_flow.gating.found import Found
from helpers.by_hand.curves import EDGES, curve, even, normal, on_grid

DARK, SD = on_grid(0.3), 0.05
NO_FMO, NINETY_NINE = "no FMO of CD27", 2.326


def cells(count: int, *, at: float = DARK, sd: float = SD) -> Floats:
    """Return the counts of so many cells; whole numbers of them where the total matters."""
    return normal(at, sd, count)


def test_ashmans_d_is_the_distance_over_the_mean_square_of_the_sds() -> None:
    """Of equal SDs it is the distance in SD, whichever peak comes first."""
    one, other = Peak(0.2, 0.05), Peak(0.35, 0.05)
    assert separation(one, other) == separation(other, one) == pytest.approx(3.0)
    assert separation(Peak(0.2, 0.03), Peak(0.4, 0.04)) == pytest.approx(math.sqrt(2) * 0.2 / 0.05)


@pytest.mark.parametrize(("sd", "counted"), [(0.03, 0.03), (0.004, 0.01)])
def test_lymphocytes_without_cd19_end_at_four_sd(sd: float, counted: float) -> None:
    found = find_cd19(curve(normal(DARK, sd, 1e5)))
    assert found.position == pytest.approx(DARK + 4 * counted, abs=1e-3)
    assert (found.method, found.flag) == ("CD19- mode + 4 SD", "no valley: hardly any CD19+ cells")


@pytest.mark.parametrize(("total", "few", "enough"), [(2000, 17, 23), (100_000, 170, 230)])
def test_twenty_b_cells_or_two_in_a_thousand_are_a_population(total: int, few: int, enough: int) -> None:
    for count, seen in ((few, False), (enough, True)):
        found = find_cd19(curve(normal(0.3, 0.03, total - count), normal(0.7, 0.01, count)))
        assert (found.method == "valley") is seen, count


@pytest.mark.parametrize(("apart", "deep"), [(0.16, False), (0.18, True)])
def test_the_brightest_deep_valley_of_cd19_is_taken_and_the_most_prominent_where_none_is_deep(
    apart: float, deep: bool
) -> None:
    """Dim cells lie far below, in a deeper valley; the upper one is 0.43 or 0.58 deep."""
    low, high = on_grid(0.6 - apart / 2), on_grid(0.6 + apart / 2)
    found = find_cd19(curve(normal(0.15, 0.03, 4e5), normal(low, 0.05, 2e5), normal(high, 0.05, 2e5)))
    assert found.position == pytest.approx(0.6 if deep else 0.33, abs=0.05)


def test_twenty_cells_have_a_peak() -> None:
    """Of B cells, and of those that lack the marker: of which the median and the distance to one SD above it count."""
    bright, dark = cells(1000, at=0.7, sd=0.03), cells(1000)
    found = peaks(curve(bright), curve(dark))
    assert found is not None
    assert found[0].mode == pytest.approx(DARK, abs=1e-3) and found[0].sd == pytest.approx(SD, rel=0.01)
    assert found[1].mode == pytest.approx(0.7, abs=STEP) and found[1].sd == pytest.approx(0.03, rel=0.12)
    for few, there in ((20, True), (19, False)):
        assert (peaks(curve(bright * few / 1000), curve(dark)) is not None) is there
        assert (peaks(curve(bright), curve(dark * few / 1000)) is not None) is there


def test_narrow_peaks_count_as_a_hundredth_of_the_scale_wide() -> None:
    found = peaks(curve(cells(10_000, at=0.7, sd=0.001)), curve(cells(10_000, sd=0.001)))
    assert found is not None and found[0].sd == 0.01
    narrow = peaks(density(np.full(10_000, 0.7), bandwidth=0.004), curve(cells(10_000)))
    assert narrow is not None and narrow[1].sd == 0.01


@pytest.mark.parametrize("others", [0, 1000])
def test_ten_cells_two_sd_above_the_dark_ones_are_a_peak(others: int) -> None:
    """Whatever the number of cells below."""
    dark = cells(1000)
    below = even(DARK - 0.1, DARK + 1.9 * SD, others + 20)
    for count, there in ((10.2, True), (9.8, False)):
        bright = even(DARK + 2.1 * SD, DARK + 2.6 * SD, count)
        assert (peaks(curve(below, bright), curve(dark)) is not None) is there


DARK_CELLS = curve(cells(100_000, at=DARK + 0.4 * STEP))  # their median lies between two points of the grid
PLAIN = DARK_CELLS.quantile(0.5)


def own_mode(memory: Density) -> float:
    """Return where B cells without the marker lie, of these memory cells beside dark cells at 0.3, SD 0.05."""
    found = peaks(curve(cells(1000, at=0.8, sd=0.03)), DARK_CELLS, memory)
    assert found is not None
    assert found[0].sd == pytest.approx(SD, rel=0.01)
    return found[0].mode


def test_memory_cells_within_two_and_a_half_sd_tell_where_b_cells_without_the_marker_lie() -> None:
    for sds, theirs in ((1.0, True), (2.2, True), (3.0, False)):
        place = on_grid(PLAIN + sds * SD)
        mode = own_mode(curve(normal(place, 0.01, 10_000)))
        assert mode == pytest.approx(place if theirs else PLAIN, abs=1e-9), sds


def test_twenty_memory_cells_are_needed_between_the_two_ends() -> None:
    place = on_grid(PLAIN + SD)
    for count, theirs in ((20.2, True), (19.8, False)):
        memory = curve(normal(place, 0.005, count), normal(0.1, 0.01, 500))
        assert own_mode(memory) == pytest.approx(place if theirs else PLAIN, abs=1e-9)


def slope(mode: float) -> Density:
    """Return memory cells that rise to a place and fall beyond it, as a triangle over a tenth of the scale."""
    middles = (EDGES[:-1] + EDGES[1:]) / 2
    return curve(np.maximum(0.1 - np.abs(middles - mode), 0.0) * 1000)


def test_a_mode_at_the_end_of_the_range_is_none() -> None:
    """There the memory cells rise or fall on: a step from either end they do not, nearer ones are not told."""
    grid = slope(0.5).grid
    first = int(np.searchsorted(grid, PLAIN))
    last = int(np.searchsorted(grid, PLAIN + 2.5 * SD)) - 1
    for at, inner in ((first, 1), (last, -1)):
        assert own_mode(slope(float(grid[at]))) == PLAIN
        assert own_mode(slope(float(grid[at + inner]))) == pytest.approx(float(grid[at + inner]), abs=1e-9)


def immunoglobulin(curve_: Density, negatives: Density) -> Found:
    return find_immunoglobulin(curve_, negatives, "IgD", "T cells")


def test_hardly_any_b_cells_leave_the_percentile_of_cells_without_immunoglobulin() -> None:
    few = curve(cells(15))
    enough, lacking = (immunoglobulin(few, curve(cells(count))) for count in (100, 99))
    assert enough.position == pytest.approx(DARK + NINETY_NINE * SD, abs=2e-3)
    assert enough.method == "99th percentile of T cells"
    assert enough.flag == "only 15 B cells, hardly any with IgD"
    assert lacking.position is None and lacking.flag == "only 15 B cells, 99 T cells: IgD gate not drawn"
    for found in (enough, lacking):
        assert found.evidence is not None and found.evidence.allowed == (LOW, 1.0)


@pytest.mark.parametrize("sd", [0.05, 0.001])
def test_outliers_do_not_set_a_percentile(sd: float) -> None:
    """Three for a hundred cells lie far above: three times from the median to the 90th percentile is the most.

    That distance counts as a hundredth of the scale where it is less.
    """
    found = immunoglobulin(curve(cells(15)), curve(normal(DARK, sd, 1e5), normal(0.9, 0.01, 3000)))
    middle, high = (DARK + sd * NormalDist().inv_cdf(1.03 * share) for share in (0.5, 0.9))
    assert found.position == pytest.approx(middle + 3 * max(high - middle, 0.01), abs=2e-3)


@pytest.mark.parametrize(("distance", "told"), [(1.85, False), (2.2, True)])
def test_immunoglobulin_less_than_two_sd_above_is_not_told(distance: float, told: bool) -> None:
    """Ashman's D; of fewer than a hundred B cells what there is is taken."""
    wide = 0.08
    negatives = curve(normal(on_grid(0.3), wide, 1e5))
    for events, drawn in ((100.0, told), (99.0, True)):
        bright = curve(normal(0.3 + distance * wide, wide, 1e6))
        few = replace(bright, counts=bright.counts * events / 1e6)
        found = immunoglobulin(few, negatives)
        assert (found.position is not None) is drawn
        assert ("not separated from that of T cells" in found.flag) is not drawn
        assert ("only 99 B cells" in found.flag) is (drawn and events < 100)


@pytest.mark.parametrize(("dark", "bright"), [(0.05, 0.1), (0.08, 0.04)])
def test_without_a_valley_the_boundary_is_as_many_sd_from_either_peak(dark: float, bright: float) -> None:
    found = immunoglobulin(curve(normal(0.7, bright, 1e6)), curve(normal(0.3, dark, 1e6)))
    sds = (0.7 - 0.3) / (dark + bright)
    assert found.position == pytest.approx(0.3 + sds * dark, abs=0.006)
    assert found.flag == "no deep valley"
    assert found.evidence is not None and found.evidence.modes == pytest.approx((0.3, 0.7), abs=STEP)


@pytest.mark.parametrize(("apart", "deep"), [(0.16, False), (0.18, True)])
def test_only_a_deep_valley_parts_immunoglobulins(apart: float, deep: bool) -> None:
    """Half as deep as the lower peak is high; of fewer than a hundred cells a valley may be chance."""
    sd = 0.05
    low, high = on_grid(0.5 - apart / 2), on_grid(0.5 + apart / 2)
    both = curve(normal(low, sd, 5e5), normal(high, sd, 5e5))
    negatives = curve(normal(low - 0.02, 0.02, 1e5))
    found = immunoglobulin(both, negatives)
    assert (found.method == "valley") is deep
    few = immunoglobulin(replace(both, counts=both.counts * 99 / 1e6), negatives)
    assert few.method != "valley" and "only 99 B cells" in few.flag


def cd27(naive: Density, fmo: Density | None) -> Found:
    return find_cd27(naive, fmo)


def test_a_hundred_cells_of_the_fmo_set_the_boundary_of_cd27() -> None:
    naive = curve(cells(1000))
    enough, few = (cd27(naive, curve(cells(count))) for count in (100, 99))
    assert (enough.method, enough.flag) == ("99th percentile of the FMO", "")
    assert (few.method, few.flag) == ("IgD+ cells' mode + 2.33 SD", NO_FMO)
    for found in (enough, few):
        assert found.position == pytest.approx(DARK + NINETY_NINE * SD, abs=2e-3)
        assert found.evidence is not None and found.evidence.allowed == (LOW, 1.0)


def test_twenty_naive_cells_set_the_boundary_of_cd27_and_fewer_than_a_hundred_are_told() -> None:
    flags = {count: cd27(curve(cells(count)), None) for count in (19, 20, 99, 100)}
    assert flags[19].position is None
    assert flags[19].flag == "only 19 IgD+ B cells and no FMO: CD27 gate not drawn"
    assert flags[20].flag == f"{NO_FMO}; only 20 IgD+ B cells"
    assert flags[99].flag == f"{NO_FMO}; only 99 IgD+ B cells"
    assert flags[100].flag == NO_FMO


def by_naive(shift: float, width: float, sd: float = SD, count: int = 100_000) -> bool:
    """Return whether IgD+ cells, so many SD brighter and so much wider than the FMO, set the boundary of CD27."""
    naive = curve(normal(on_grid(DARK) + shift * sd, width * sd, count))
    found = cd27(naive, curve(normal(DARK, sd, 100_000)))
    return found.method.startswith("IgD+")


def test_naive_cells_half_an_sd_brighter_than_the_fmo_set_the_boundary_unless_dim_memory_cells_are_among_them() -> None:
    assert by_naive(0.6, 1.0) and not by_naive(0.4, 1.0)
    assert by_naive(3.0, 1.4) and not by_naive(3.0, 1.6)
    assert by_naive(3.0, 1.0, count=100) and not by_naive(3.0, 1.0, count=99)


def test_a_narrow_fmo_counts_as_a_hundredth_of_the_scale_wide() -> None:
    """Its cells at 0.004, brighter ones by 0.0033 or 0.0065: a third of a hundredth, and two thirds."""
    assert not by_naive(STEP / 0.004, 1.0, sd=0.004) and by_naive(2 * STEP / 0.004, 1.0, sd=0.004)


@pytest.mark.parametrize(("count", "drawn"), [(100, True), (99, False)])
def test_a_hundred_naive_cells_tell_plasmablasts(count: int, drawn: bool) -> None:
    found = find_cd38(curve(cells(500, at=0.2)), curve(cells(count)))
    assert (found.position is not None) is drawn
    assert found.evidence is not None and found.evidence.allowed == (LOW, 1.0)
    if drawn:
        assert found.position == pytest.approx(DARK + NINETY_NINE * SD, abs=2e-3)
        assert found.method == "naive B cells' mode + 2.33 SD"
    else:
        assert found.flag == "only 99 naive B cells: plasmablasts are not left out"


@pytest.mark.parametrize(("apart", "deep"), [(0.16, False), (0.18, True)])
def test_a_deep_valley_of_twenty_cells_above_naive_ones_tells_plasmablasts(apart: float, deep: bool) -> None:
    own = curve(normal(on_grid(0.65 - apart / 2), 0.05, 5e5), normal(on_grid(0.65 + apart / 2), 0.05, 5e5))
    naive = curve(cells(1000))
    for events in (19, 20, 5000):
        found = find_cd38(replace(own, counts=own.counts * events / 1e6), naive)
        assert (found.method == "valley") is (deep and events >= 20)
    below = find_cd38(own, curve(cells(1000, at=0.75)))
    assert below.method != "valley"


def test_a_dim_peak_ends_in_a_valley_a_third_deep_above_a_seventh_of_the_cells() -> None:
    """0.25 and 0.34 deep; 0.12 and 0.18 of the cells below."""
    for apart, deep in ((0.14, False), (0.15, True)):
        low, high = on_grid(0.5 - apart / 2), on_grid(0.5 + apart / 2)
        end = end_of_dim_peak(curve(normal(low, 0.05, 5e5), normal(high, 0.05, 5e5)))
        assert end == pytest.approx(0.5 if deep else HIGH, abs=0.01)
    for share, enough in ((0.12, False), (0.18, True)):
        end = end_of_dim_peak(curve(normal(0.2, 0.03, share * 1e5), normal(0.7, 0.03, (1 - share) * 1e5)))
        assert (end < 0.6) is enough and (enough or end == HIGH)


@pytest.mark.parametrize(("sd", "counted"), [(0.05, 0.05), (0.001, 0.01)])
def test_the_percentile_of_a_dim_peak_is_free_of_brighter_cells(sd: float, counted: float) -> None:
    one = curve(normal(DARK, sd, 1e5), normal(0.75, 0.03, 2e5))
    assert beyond(one) == pytest.approx(DARK + NINETY_NINE * counted, abs=2e-3)
    assert beyond(one, 1.0) == pytest.approx(DARK + counted, abs=2e-3)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_without_b_cells_there_is_no_place_beyond_them() -> None:
    """A memory tube without B cells beside others with some: it failed where it should say that there are none."""
    assert math.isnan(beyond(density(np.empty(0))))
    assert density(np.empty(0)).left_sd(math.nan) == 0.0

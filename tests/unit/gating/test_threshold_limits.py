"""Where each boundary on one marker lies without a valley, and both sides of each limit, on curves without chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.gating import b_cells, cd69, thresholds
from cd40l_flow.gating.density import STEP, Density, density, find_valleys
from cd40l_flow.gating.found import Found
from cd40l_flow.signal.scale import Scale
from helpers.by_hand.curves import curve, even, lopsided, normal, on_grid, twins

SCALE = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="test")
ZERO = SCALE.to_scaled(0.0)
Find = Callable[[Density], Found]
FINDERS: dict[str, tuple[Find, float]] = {
    "viability": (thresholds.find_viability, 0.1),
    "CD3": (lambda one: thresholds.find_cd3(one, SCALE), ZERO),
    "CD8": (thresholds.find_cd8, 0.05),
    "CD4": (lambda one: thresholds.find_positive(one, "CD4", "T cells"), 0.1),
    "CD69 alone": (lambda one: cd69.find_cd69(density(np.empty(0)), one, SCALE, 2.0), ZERO),
    "dump": (b_cells.find_dump, 0.1),
    "CD19": (b_cells.find_cd19, 0.1),
}
EVERY = pytest.mark.parametrize("name", FINDERS)


@EVERY
def test_a_hundred_cells_draw_a_gate_and_ninety_nine_do_not(name: str) -> None:
    find, _ = FINDERS[name]
    hundred = np.repeat([0.3, 0.7], 50) + np.tile(np.linspace(-0.02, 0.02, 50), 2)

    enough, few = find(density(hundred)), find(density(hundred[1:]))

    assert enough.position is not None and 0.35 < enough.position < 0.65
    assert few.position is None and "only 99 " in few.flag
    assert few.evidence is not None and few.evidence.curve.total == 99


@EVERY
def test_valleys_are_looked_for_between_two_places_of_the_scale(name: str) -> None:
    find, low = FINDERS[name]
    for end, inside in ((low, 1), (0.95, -1)):
        for side in (1, -1):
            found = find(twins(end + 0.01 * side, apart=0.08, sd=0.01))
            assert found.evidence is not None and found.evidence.allowed == (low, 0.95)
            assert (found.evidence.origin, found.evidence.unit) == (0.0, 1.0), "positions are on the curve's scale"
            assert len(found.evidence.valleys) == (side == inside)


@pytest.mark.parametrize("name", ["CD3", "CD8", "CD4", "dump", "CD19"])
def test_a_valley_less_than_half_deep_is_told(name: str) -> None:
    find, _ = FINDERS[name]
    for apart, depth, shallow in ((0.16, 0.43, True), (0.18, 0.58, False)):
        found = find(twins(on_grid(0.5), apart, sd=0.05, events=1e6))
        assert found.method == "valley" and found.evidence is not None
        assert found.evidence.valleys[0].depth == pytest.approx(depth, abs=0.02)
        assert (f"shallow valley (depth {found.evidence.valleys[0].depth:.2f})" in found.flag) == shallow


@pytest.mark.parametrize(("sd", "counted"), [(0.03, 0.03), (0.004, 0.01)])
def test_live_cells_alone_end_at_four_sd(sd: float, counted: float) -> None:
    """A peak narrower than a hundredth of the scale counts as that wide."""
    mode = on_grid(0.3)
    found = thresholds.find_viability(curve(normal(mode, sd, 1e5)))
    assert found.position == pytest.approx(mode + 4 * counted, abs=1e-3)
    assert (found.method, found.flag) == ("live mode + 4 SD", "no valley: no distinct dead cells")


@pytest.mark.parametrize(("share", "seen"), [(0.0015, False), (0.0025, True)])
def test_two_dead_cells_in_a_thousand_are_a_population(share: float, seen: bool) -> None:
    found = thresholds.find_viability(curve(normal(0.3, 0.03, 1e6 * (1 - share)), normal(0.7, 0.01, 1e6 * share)))
    assert (found.method == "valley") is seen


def smeared(left: float, between: float) -> Found:
    """Return the boundary of live cells whose lower half is wider (SD ``left``) than the upper one (0.02).

    So the mode + 4 SD lies beyond the foot of the upper flank; ``between`` cells for each live one lie around it.
    """
    mode = on_grid(0.3)
    live = lopsided(mode, left, 0.02, 1e5)
    return thresholds.find_viability(curve(live, even(mode + 0.04, mode + 4 * left, 1e5 * between)))


@pytest.mark.parametrize(("left", "between", "told"), [(0.052, 0.1, True), (0.052, 0.075, False), (0.048, 0.1, False)])
def test_many_cells_far_beyond_the_foot_of_the_live_peak_are_not_live(left: float, between: float, told: bool) -> None:
    """More than one for twenty live ones, over more than a tenth of the scale.

    The mode + 4 SD of the lower half lies 0.108 and 0.092 beyond the foot, 0.063 and 0.048 of the live cells between.
    """
    found, foot = smeared(left, between), on_grid(0.3) + 0.08
    assert (found.method == "foot of the live peak") is told
    assert found.position == pytest.approx(foot if told else foot + (0.11 if left > 0.05 else 0.094), abs=0.004)


def test_dead_cells_do_not_count_as_live_ones() -> None:
    """Half of all cells are dead, one for fifteen live ones lies between, which are more than a twentieth of them."""
    mode = on_grid(0.3)
    parts = normal(mode, 0.02, 1e5), even(mode + 0.04, 0.7, 0.14e5), normal(0.8, 0.03, 1e5)
    found = thresholds.find_viability(curve(*parts))
    assert found.method == "foot of the live peak"
    assert "not separated: 3 %" in found.flag


def test_how_many_cells_lie_between_live_and_dead_ones_is_told() -> None:
    """The flank is read down to a third of the peak: below a fifth the dying cells would hide it."""
    few, many = smeared(0.06, 0.2), smeared(0.056, 0.405)
    assert few.position == pytest.approx(on_grid(0.3) + 0.08, abs=0.004)
    assert few.flag == "live and dead cells are not separated: 12 % of the cells lie between them"
    assert many.flag == "live and dead cells are not separated: 16 % of the cells lie between them"  # 16.4 %


def test_t_cells_alone_end_three_sd_below_their_mode() -> None:
    mode = on_grid(0.7)
    found = thresholds.find_cd3(curve(normal(mode, 0.05, 1e5)), SCALE)
    assert found.position == pytest.approx(mode - 0.15, abs=1e-3)
    assert found.flag == "no valley: hardly any CD3- lymphocytes"
    # The same peak nearer to the background: three SD below its mode lies at zero, on either side of it.
    for off in (0.01, -0.01):
        near = thresholds.find_cd3(curve(normal(on_grid(ZERO + 0.15 + off), 0.05, 1e5)), SCALE)
        assert (near.position is None) is (off < 0)


PILE, DIM, BRIGHT = 0.1, 0.3, 0.7


def three(pile: float, dim: float, bright: float, events: float = 1e4) -> Density:
    """Return the density of three populations in CD3, shares given, the lowest at the end of its detector."""
    parts = [normal(at, 0.02, events * share) for at, share in ((PILE, pile), (DIM, dim), (BRIGHT, bright))]
    return replace(curve(*parts), low=PILE)


def left_out(active: Density, resting: Density | None) -> bool:
    """Return whether the valley below the dim cells is left out."""
    valleys = find_valleys(active, 0.0, 0.95)
    assert len(valleys) == 2
    kept = thresholds.beyond_pile(active, valleys, resting)
    assert kept in (valleys, valleys[1:])
    return len(kept) == 1


@pytest.mark.parametrize(("times", "there"), [(0.35, False), (0.45, True)])
def test_dim_cells_that_are_in_the_unstimulated_tube_too_did_not_lose_cd3(times: float, there: bool) -> None:
    """At least two fifths as many of them as in the stimulated tubes."""
    active = three(0.4, 0.2, 0.4)
    assert left_out(active, three(0.5, 0.2 * times, 0.5 - 0.2 * times)) is there
    assert left_out(active, None) is False


def test_unstimulated_tubes_of_few_cells_and_peaks_above_the_pile_tell_nothing() -> None:
    active, resting = three(0.4, 0.2, 0.4), three(0.4, 0.2, 0.4, 100)
    assert left_out(active, resting) is True
    assert left_out(active, replace(resting, counts=resting.counts * 0.99)) is False
    mode = find_valleys(active, 0.0, 0.95)[0].left_mode
    for steps, there in ((0.5, True), (1.5, False)):
        assert left_out(replace(active, low=mode - steps * STEP), resting) is there
    one = find_valleys(active, 0.0, 0.95)[:1]
    assert thresholds.beyond_pile(active, one, resting) == one


def test_cd8_negative_cells_alone_end_three_sd_above_their_mode() -> None:
    """Between the points of the grid too; a peak narrower than a hundredth of the scale counts as that wide."""
    mode = on_grid(0.3)
    for sd, far in ((29.75 * STEP / 3, 29.75 * STEP), (0.004, 9.5 * STEP)):
        found = thresholds.find_cd8(curve(normal(mode, sd, 1e5)))
        assert found.position == pytest.approx(mode + far, abs=5e-4)
        assert (found.method, found.flag) == ("foot of the CD8- peak", "no valley: one CD8 population only")


@pytest.mark.parametrize(("height", "part_of_it"), [(0.03, False), (0.055, True)])
def test_the_cd8_negative_peak_ends_where_it_is_down_to_a_twentieth(height: float, part_of_it: bool) -> None:
    mode, sd, end = on_grid(0.3), 0.03, 0.5
    top = 1e5 / sd / np.sqrt(2 * np.pi)
    one = curve(normal(mode, sd, 1e5), even(mode + 2 * sd, end, height * top * (end - mode - 2 * sd)))
    found = thresholds.find_cd8(one)
    if part_of_it:
        over = one.grid[one.height > 0.05 * one.height.max()].max()
        assert over == pytest.approx(end, abs=0.02)
        assert found.position == pytest.approx(over + STEP / 2, abs=1e-9)
    else:
        assert found.position == pytest.approx(mode + 3 * sd, abs=STEP)


def piled(foot: float | None = None, above: float = 0.0) -> Density:
    """Return CD8- cells cut off 2.5 SD below their mode, CD8+ ones, and ``above`` so many of the peak's height."""
    mode, sd = on_grid(0.3), 0.05
    top = 1e6 / sd / np.sqrt(2 * np.pi)
    dim = even(mode + 2.6 * sd, 0.6, above * top * (0.6 - mode - 2.6 * sd)) if above else np.zeros(1600)
    return replace(curve(normal(mode, sd, 1e6), normal(0.85, 0.03, 5e5), dim), low=mode - 2.5 * sd, foot=foot)


def test_a_cd8_negative_peak_that_is_cut_off_ends_at_the_foot_of_its_population() -> None:
    """That of the cut-off population where it is known, at most the valley; else where its upper flank leads."""
    valley = find_valleys(piled(), 0.05, 0.95)[0].position
    assert thresholds.find_cd8(piled(0.4)).position == pytest.approx(0.4)
    beyond = thresholds.find_cd8(piled(valley + 0.05))
    assert (beyond.position, beyond.method) == (pytest.approx(valley), "valley")
    flank = thresholds.find_cd8(piled())
    assert flank.position == pytest.approx(on_grid(0.3) + 0.15, abs=0.01)
    assert flank.method == "foot of the CD8- peak"


def test_a_flank_is_read_above_the_cells_in_the_gap() -> None:
    """Down to an eighth of the peak, where dim cells are a fiftieth of it."""
    found = thresholds.find_cd8(piled(above=0.02))
    assert found.position == pytest.approx(on_grid(0.3) + 0.15, abs=0.012)


def test_a_flank_that_drops_at_once_ends_within_a_few_hundredths() -> None:
    """The spread of such a peak counts as a hundredth of the scale."""
    mode = on_grid(0.3)
    one = replace(curve(normal(mode, 0.001, 1e6)), low=mode - 0.02)
    found = thresholds.find_cd8(one)
    sunk = one.grid[(one.grid >= mode) & (one.height <= one.height.max() * np.exp(-2))][0]
    assert found.position == pytest.approx(sunk + 0.01, abs=1e-6)

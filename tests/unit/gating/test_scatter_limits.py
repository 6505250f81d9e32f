"""Both sides of the limits of the scatter gate: how many T cells, blasts and dead cells it takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from cd40l_flow.base.model import Floats
from cd40l_flow.gating.density import Ends
from cd40l_flow.gating.found import Found
from cd40l_flow.gating.model import ScatterGate
from cd40l_flow.gating.scatter import Scattered, find_lymphocytes
from cd40l_flow.gating.scatter_map import ScatterMap
from helpers.by_hand.tubes import SCALE, peaks

Tube = dict[str, Floats]
MAP = ScatterMap.up_to(1000.0, 1000.0)


def scattered(tube: Tube, *, stimulated: bool) -> Scattered:
    """Return a tube of FSC, SSC, CD3 and maybe CD69; ``dead`` and ``dropped`` are indices."""
    fsc, ssc, cd3 = (tube[name].astype(np.float32) for name in ("fsc", "ssc", "cd3"))
    cd69 = tube["cd69"].astype(np.float32) if "cd69" in tube else None
    dead, dropped = (tube.get(name, np.empty(0)).astype(np.int32) for name in ("dead", "dropped"))
    return Scattered(MAP.squares(fsc, ssc), cd3, cd69, dropped, dead, stimulated=stimulated)


def found(stimulated: Sequence[Tube], resting: Sequence[Tube] = (), ends: Ends | None = None) -> Found:
    tubes = [scattered(one, stimulated=state) for state, some in ((True, stimulated), (False, resting)) for one in some]
    return find_lymphocytes(tubes, MAP, ends)


def cells(count: int, *, cd3: Floats | None = None, side: float = 120.0, seed: int = 1, **more: Floats) -> Tube:
    """Return cells in one place of FSC x SSC, CD3+ if not told otherwise."""
    random = np.random.default_rng(seed)
    fsc, ssc = 400 * np.exp(0.1 * random.standard_normal(count)), side * np.exp(0.08 * random.standard_normal(count))
    return {"fsc": fsc, "ssc": ssc, "cd3": np.linspace(0.65, 0.75, count) if cd3 is None else cd3} | more


def joined(*tubes: Tube) -> Tube:
    return {name: np.concatenate([one[name] for one in tubes]) for name in tubes[0]}


def inside(gate: Found, tube: Tube) -> float:
    """Return which share of the cells of a tube lies in a gate."""
    assert gate.shape is not None
    return float(ScatterGate("FSC", "SSC", gate.shape, "").inside(tube["fsc"], tube["ssc"]).mean())


@pytest.mark.parametrize(("count", "drawn"), [(50, True), (49, False)])
def test_fifty_live_t_cells_are_needed(count: int, drawn: bool) -> None:
    """Of all cells, and of those beyond a valley of CD3; dead and dropped ones do not count."""
    few = found([cells(count)])
    among = found([joined(cells(count), cells(400, cd3=peaks((0.25, 0.03, 400)), seed=2))])
    died = found([cells(count + 30, dead=np.arange(10), dropped=np.arange(10, 30))])
    for one in (few, among, died):
        assert (one.shape is not None) is drawn
        assert drawn or one.flag == "no CD3+ lymphocytes found in FSC x SSC"
    assert few.method == ("CD3 mode" if drawn else "none") and among.method == ("CD3+ back-gate" if drawn else "none")
    assert not drawn or few.flag == "no valley in CD3 before the scatter gate"


@pytest.mark.parametrize(("near", "drawn"), [(50, True), (49, False)])
def test_without_a_valley_t_cells_are_those_from_three_sd_below_their_mode(near: int, drawn: bool) -> None:
    """Their lower half reaches 0.03 down, SD 0.028; eleven more cells lie 0.1 below the mode, beyond a valley.

    That valley lies below the places where valleys are looked for.
    """
    values = np.concatenate((np.linspace(0.17, 0.2, 29), np.linspace(0.2, 0.22, near - 29), np.full(11, 0.101)))
    one = found([cells(near + 11, cd3=values)])
    assert (one.shape is not None) is drawn
    assert one.method == ("CD3 mode" if drawn else "none")
    assert drawn or (one.evidence is not None and one.evidence.allowed == (0.15, 0.9) and not one.evidence.valleys)


@pytest.mark.parametrize("kind", ["dead", "dropped"])
def test_dead_and_dropped_cells_do_not_fill_the_valley_of_cd3(kind: str) -> None:
    both = cells(2000, cd3=peaks((0.25, 0.03, 1000), (0.7, 0.03, 1000)))
    others = cells(20_000, cd3=peaks((0.47, 0.1, 20_000)), seed=2)
    one = found([joined(both, others) | {kind: np.arange(2000, 22_000)}])
    assert one.method.startswith("CD3+ back-gate") and not one.flag
    assert found([joined(both, others)]).method == "CD3 mode"


@pytest.mark.parametrize(("place", "seen"), [(0.16, True), (0.14, False), (0.89, True), (0.91, False)])
def test_valleys_of_cd3_are_looked_for_between_two_places(place: float, seen: bool) -> None:
    values = peaks((place - 0.05, 0.01, 500), (place + 0.05, 0.01, 500))
    one = found([cells(1000, cd3=values)])
    assert one.method == ("CD3+ back-gate" if seen else "CD3 mode")


@pytest.mark.parametrize(("logs", "alike"), [(0.4, True), (0.6, False)])
def test_cells_half_a_logarithm_above_t_cells_in_side_scatter_are_others(logs: float, alike: bool) -> None:
    """Many dim cells: the lowest valley of CD3 is taken where they lie no further than that from the bright ones."""
    dim = cells(5000, cd3=peaks((0.45, 0.02, 5000)), side=120 * np.exp(logs), seed=2)
    bright = cells(1000, cd3=peaks((0.75, 0.02, 1000)))
    dark = cells(500, cd3=peaks((0.2, 0.02, 500)), seed=3)
    one = found([joined(dark, dim, bright)])
    assert inside(one, dim) > 0.95 if alike else inside(one, dim) < 0.05
    assert alike or inside(one, bright) > 0.97


def stretched(blasts: int, resting: int = 1000) -> bool:
    """Return whether so many larger cells with CD69 stretch the gate, beside so many unstimulated ones."""
    rest = cells(resting, cd69=peaks((0.3, 0.03, resting)), seed=2)
    plain = cells(1000, cd69=np.full(1000, 0.1))
    large = {"fsc": np.full(blasts, 400 * np.exp(0.18)), "ssc": np.full(blasts, 120.0)}
    large |= {"cd3": np.full(blasts, 0.7), "cd69": np.full(blasts, 0.7)}
    with_them = found([joined(plain, large)], [rest])
    without = found([joined(plain, large | {"cd69": np.full(blasts, 0.1)})], [rest])
    assert with_them.shape is not None and without.shape is not None
    right = with_them.shape[:, 0].max() / without.shape[:, 0].max()
    assert right == pytest.approx(1.0, abs=1e-9) or right > 1.1
    return bool(right > 1.1)


def test_fifty_blasts_and_fifty_unstimulated_cells_stretch_the_gate() -> None:
    assert stretched(50) and not stretched(49)
    assert stretched(100, resting=50) and not stretched(100, resting=49)


def test_blasts_have_more_cd69_than_all_but_two_percent_of_unstimulated_cells() -> None:
    """Of a hundred steps of CD69 those up to 0.49 are as in the unstimulated tube."""
    rest = cells(1000, cd69=np.linspace(0.2, 0.5, 1000), seed=2)
    plain = cells(1000, cd69=np.full(1000, 0.1))
    for cd69, more in ((0.49, False), (0.498, True)):
        large = {"fsc": np.full(100, 480.0), "ssc": np.full(100, 120.0), "cd3": np.full(100, 0.7)}
        one = found([joined(plain, large | {"cd69": np.full(100, cd69)})], [rest])
        none = found([joined(plain, large | {"cd69": np.full(100, 0.1)})], [rest])
        assert one.shape is not None and none.shape is not None
        assert bool(one.shape[:, 0].max() > 1.05 * none.shape[:, 0].max()) is more


@pytest.mark.parametrize(("count", "cut_off"), [(100, True), (99, False)])
def test_a_hundred_dead_cells_tell_where_cells_die(count: int, cut_off: bool) -> None:
    """Seen beside them in any number."""
    live = cells(300)
    small = {"fsc": np.linspace(300, 320, count), "ssc": np.full(count, 120.0), "cd3": np.full(count, 0.7)}
    one = found([joined(live, small) | {"dead": np.arange(300, 300 + count)}])
    assert one.shape is not None and one.evidence is not None
    assert ("ends where two of three CD3+ cells are dead" in one.method) is cut_off
    assert (one.evidence.quantile is not None) is cut_off
    assert one.evidence.reference is not None and one.evidence.reference.total == count
    # Nothing dead, no reference.
    none = found([live]).evidence
    assert none is not None and none.reference is None


def test_cells_of_a_pile_that_are_in_the_unstimulated_tube_too_are_no_t_cells() -> None:
    """Of a CD3 detector with an end: the valley below the dim cells counts where stimulation made them dim.

    They are more than the bright ones and have less side scatter: the gate is drawn around either kind.
    """
    dark, bright = cells(3000, cd3=np.full(3000, 0.2), seed=2), cells(2000, cd3=peaks((0.75, 0.03, 2000)))
    dim = cells(4000, cd3=peaks((0.42, 0.03, 4000)), side=40.0, seed=3)
    all_kinds, plain = joined(dark, bright, dim), joined(dark, bright)
    ends = Ends(float(np.float32(0.2)), None, SCALE)
    for stimulated, resting, theirs in (
        ([all_kinds], [all_kinds], False), ([all_kinds], [plain], True), ([all_kinds], [], True),
        ([], [all_kinds], False),
    ):  # fmt: skip
        one = found(stimulated, resting, ends)
        assert (inside(one, dim) > 0.95) is theirs and (inside(one, bright) > 0.95) is not theirs
    assert inside(found([all_kinds], [all_kinds]), dim) > 0.95, "without an end of the detector there is no pile"


def test_the_gate_is_an_ellipse_of_3_6_sd_in_the_logarithms() -> None:
    """Its corners lie outside by so much that its sides touch the ellipse; the trimmed spread is put right."""
    one = found([cells(30_000)])
    assert one.shape is not None and len(one.shape) == 36
    outside = 3.6 / np.cos(np.pi / 36)
    for axis, middle, sd in ((0, 400.0, 0.1), (1, 120.0, 0.08)):
        ends = np.log(one.shape[:, axis].min() / middle), np.log(one.shape[:, axis].max() / middle)
        assert ends == pytest.approx((-outside * sd, outside * sd), rel=0.03)


@pytest.mark.parametrize(("times", "dying"), [(1.7, False), (2.5, True)])
def test_where_two_of_three_cells_of_a_size_are_dead_the_others_are_dying(times: float, dying: bool) -> None:
    """Below 350 channels so many dead cells for each live one; the gate ends there or goes on."""
    live = joined(
        cells(3000), {"fsc": np.linspace(300, 350, 500), "ssc": np.full(500, 120.0), "cd3": np.full(500, 0.7)}
    )
    small = live["fsc"][(live["fsc"] > 300) & (live["fsc"] < 350)]
    near = round(small.size * times)
    dead = {"fsc": np.quantile(small, np.linspace(0, 1, near))}
    dead |= {"ssc": np.full(near, 120.0), "cd3": np.full(near, 0.7)}
    one = found([joined(live, dead) | {"dead": np.arange(3500, 3500 + near)}])
    assert one.shape is not None
    left = float(one.shape[:, 0].min())
    assert left == pytest.approx(345, abs=10) if dying else left < 300


@pytest.mark.parametrize("kind", ["dead", "dropped"])
def test_dead_and_dropped_cells_do_not_hide_where_t_cells_lie(kind: str) -> None:
    """Among them are twenty times as many without CD3 as there are T cells; other CD3+ cells lie elsewhere."""
    dark, bright = cells(20_000, cd3=peaks((0.25, 0.03, 20_000)), seed=2), cells(1000)
    elsewhere = joined(cells(600, side=400.0, seed=3), cells(400, cd3=peaks((0.25, 0.03, 400)), side=400.0, seed=4))
    every = joined(bright, elsewhere, dark)
    assert inside(found([every | {kind: np.arange(2000, 22_000)}]), bright) > 0.95
    assert inside(found([every]), bright) < 0.05


def test_dropped_cells_do_not_count_as_dead_ones() -> None:
    """Small cells with CD3, of which there are three kinds."""
    kinds = cells(3000, cd3=peaks((0.2, 0.02, 1000), (0.45, 0.02, 1000), (0.75, 0.02, 1000)))
    small = {"fsc": np.linspace(300, 320, 1000), "ssc": np.full(1000, 120.0), "cd3": np.full(1000, 0.75)}
    at = np.arange(3000, 4000)
    assert "are dead" in found([joined(kinds, small) | {"dead": at}]).method
    assert "are dead" not in found([joined(kinds, small) | {"dropped": at}]).method

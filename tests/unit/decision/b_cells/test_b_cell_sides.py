"""Sides, leaks and errors of gates of B cells that are placed by hand, in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.assay.b_cells import B_CELLS, CD3_POSITIVE
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.b_cells.cells import PooledCells
from cd40l_flow.decision.b_cells.measures import Share
from cd40l_flow.decision.b_cells.shares import Leak, put_right
from cd40l_flow.decision.b_cells.sides import (
    GROUPS,
    IGD_NEGATIVE,
    IGD_POSITIVE,
    IGM_NEGATIVE,
    IGM_POSITIVE,
    Sides,
    gate_errors,
    groups_of,
    igd_separation,
    igm_leak,
    sides_of,
    transitional_percent,
)
from cd40l_flow.gating.density import density
from cd40l_flow.gating.found import Evidence, Found
from cd40l_flow.gating.model import GatedTube
from cd40l_flow.mixture.proportion import Z95, wilson
from helpers.by_hand.gated_tubes import SCALE, gated_tube, normal

DIM, EDGE, BRIGHT = 100.0, 1000.0, 9000.0
GATES = {"IgD": "igd_low", "CD27": "cd27_low", "IgM": "igm_low", "CD38": "cd38_low"}
# Kinds of B cells by IgD, CD27, IgM, CD38, and how many of each.
KINDS = {
    (1, 0, 1, 0): 600,  # naive
    (1, 1, 1, 0): 100,  # non-switched
    (0, 1, 0, 0): 150,  # switched
    (0, 1, 1, 0): 50,  # IgM-only
    (0, 0, 0, 0): 60,  # double-negative
    (0, 1, 0, 1): 40,  # plasmablasts
}


def values_of(kinds: dict[tuple[int, ...], int], markers: Sequence[str] = tuple(GATES)) -> dict[str, Floats]:
    rows = np.repeat(np.array(list(kinds)), list(kinds.values()), axis=0)
    return {marker: np.where(rows[:, place], BRIGHT, DIM) for place, marker in enumerate(GATES) if marker in markers}


def tube(
    values: dict[str, Floats], gates: Sequence[str] = tuple(GATES.values()), t_igm: Floats | None = None,
    method: str = "valley", found: Found | None = None,
) -> GatedTube:  # fmt: skip
    """Return a tube of B cells, and of T cells of this IgM behind them."""
    cells, others = next(iter(values.values())).size, 0 if t_igm is None else t_igm.size
    tails = {marker: t_igm if marker == "IgM" and t_igm is not None else np.full(others, DIM) for marker in values}
    masks = {B_CELLS: np.arange(cells + others) < cells}
    if t_igm is not None:
        masks[CD3_POSITIVE] = ~masks[B_CELLS]
    return gated_tube(
        {marker: np.concatenate((one, tails[marker])) for marker, one in values.items()}, masks,
        parents={CD3_POSITIVE: "all"}, boundaries=dict.fromkeys(gates, EDGE), method=method,
        found={} if found is None else {"igd_low": found},
    )  # fmt: skip


def pooled(*tubes: GatedTube) -> PooledCells:
    return PooledCells(tubes, B_CELLS)


def sides(cells: PooledCells) -> Sides:
    found = sides_of(cells)
    assert found is not None
    return found


def test_every_kind_of_cell_is_in_its_group() -> None:
    found = sides(pooled(tube(values_of(KINDS))))
    sizes = {name: int(mask.sum()) for name, mask in groups_of(found).items()}
    # Plasmablasts are in no group.
    assert sizes == {IGD_POSITIVE: 700, IGD_NEGATIVE: 260, IGM_POSITIVE: 50, IGM_NEGATIVE: 210}
    assert found.plasmablast is not None and found.plasmablast.sum() == 40
    assert found.memory.sum() == 340


@pytest.mark.parametrize(
    ("lacking", "groups", "dark"),
    [("CD38", GROUPS, 300), ("IgM", (IGD_POSITIVE, IGD_NEGATIVE), 260), ("CD27", GROUPS, 300)],
)
def test_without_a_boundary_its_side_is_not_known(lacking: str, groups: tuple[str, ...], dark: int) -> None:
    gates = [gate for marker, gate in GATES.items() if marker != lacking]
    found = sides(pooled(tube(values_of(KINDS), gates)))
    assert tuple(groups_of(found)) == groups
    assert groups_of(found)[IGD_NEGATIVE].sum() == dark
    if lacking == "CD27":
        assert found.cd27 is None and found.plasmablast is None and not found.memory.any()
    assert sides_of(pooled(tube(values_of(KINDS), [gate for gate in GATES.values() if gate != "igd_low"]))) is None


def near(kinds: dict[tuple[int, ...], int], marker: str, away: float, cells: int) -> dict[str, Floats]:
    """Return the values of B cells, the first of which lie so far from the boundary of a marker, on the scale."""
    values = values_of(kinds)
    values[marker][:cells] = SCALE.to_linear(SCALE.to_scaled(EDGE) + away)
    return values


@pytest.mark.parametrize(("method", "reach"), [("valley", 0.005), ("quantile", 0.015)])
def test_a_boundary_is_in_doubt_by_what_lies_near_it(method: str, reach: float) -> None:
    """Half of the CD27+ cells that change sides: of 1,000 B cells 80 CD27+ ones have IgD next to it."""
    kinds = {(1, 1, 1, 0): 100, (0, 1, 0, 0): 100, (1, 0, 1, 0): 800}
    for away, moved in ((0.9 * reach, 80), (-0.9 * reach, 80), (1.1 * reach, 0)):
        errors = gate_errors(pooled(tube(near(kinds, "IgD", away, 80), method=method)))
        expected = 0.5 * moved / 1000
        assert errors[IGD_POSITIVE] == pytest.approx(expected)
        assert errors[IGD_NEGATIVE] == pytest.approx(expected)
        assert errors[IGM_POSITIVE] == pytest.approx(expected)
        assert errors[IGM_NEGATIVE] == 0.0
    # IgM parts the cells without IgD, and leaves the others where they are.
    errors = gate_errors(
        pooled(tube(near({(0, 1, 0, 0): 100, (1, 0, 1, 0): 900}, "IgM", 0.5 * reach, 30), method=method))
    )
    assert [errors[name] for name in GROUPS] == pytest.approx([0.0, 0.0, 0.015, 0.015])


def test_errors_of_several_boundaries_add_in_squares() -> None:
    values = near({(0, 1, 0, 0): 200, (1, 0, 1, 0): 800}, "IgD", 0.002, 60)
    values["IgM"][100:140] = SCALE.to_linear(SCALE.to_scaled(EDGE) + 0.002)
    errors = gate_errors(pooled(tube(values)))
    assert errors[IGM_NEGATIVE] == pytest.approx(math.hypot(0.03, 0.02))


def test_a_boundary_of_cd27_that_few_cells_fix_may_lie_too_low() -> None:
    """Half of the cells between it and where it may lie are added; none below it, and none without such a doubt."""
    kinds = {(0, 1, 0, 0): 300, (1, 0, 1, 0): 700}
    values = near(kinds, "CD27", 0.04, 90)
    values["CD27"][90:120] = SCALE.to_linear(SCALE.to_scaled(EDGE) - 0.01)
    cells = pooled(tube(values))
    for by, between in ((0.05, 90), (0.03, 0), (0.0, 0)):
        errors = gate_errors(cells, by)
        assert errors[IGD_NEGATIVE] == errors[IGM_NEGATIVE] == pytest.approx(0.5 * between / 1000)
        assert errors[IGD_POSITIVE] == errors[IGM_POSITIVE] == 0.0
    unbounded = pooled(tube(values, [gate for gate in GATES.values() if gate != "igd_low"]))
    assert set(gate_errors(unbounded, 0.05).values()) == {0.0}


def leaky(t_above: int, t_cells: int, naive_below: int, naive: int, **changes: object) -> tuple[PooledCells, Sides]:
    """Return cells of which so many T cells lie above the boundary of IgM, and so many naive B cells below it."""
    kinds = {(1, 0, 1, 0): naive - naive_below, (1, 0, 0, 0): naive_below, (0, 1, 0, 0): 50}
    t_igm = np.where(np.arange(t_cells) < t_above, BRIGHT, DIM)
    cells = pooled(tube(values_of(kinds), t_igm=t_igm, **changes))  # type: ignore[arg-type]
    return cells, sides(cells)


def test_what_the_boundary_of_igm_misplaces_is_counted_in_cells_that_are_known() -> None:
    assert igm_leak(*leaky(4, 100, 30, 200)) == Leak(0.04, 0.15)
    assert igm_leak(*leaky(1, 20, 5, 20)) == Leak(0.05, 0.25)


@pytest.mark.parametrize(
    "cells",
    [
        leaky(1, 19, 5, 20),
        leaky(1, 20, 5, 19),
        leaky(30, 100, 20, 100),
        leaky(4, 100, 30, 200, gates=("igd_low", "cd27_low", "cd38_low")),
    ],
    ids=["few T cells", "few naive cells", "half misplaced", "no boundary"],
)
def test_where_igm_does_not_tell_nothing_is_put_right(cells: tuple[PooledCells, Sides]) -> None:
    assert igm_leak(*cells) == Leak()
    assert igm_leak(*leaky(29, 100, 20, 100)) == Leak(0.29, 0.2)


def test_without_t_cells_nothing_is_put_right() -> None:
    cells = pooled(tube(values_of(KINDS)))
    assert igm_leak(cells, sides(cells)) == Leak()


@pytest.mark.parametrize("lacking", ["without", "with it"])
def test_an_unknown_share_is_not_put_right(lacking: str) -> None:
    known, unknown = Share(10.0, 9.0, 11.0, 100, 10.0), Share(None, None, None, 0)
    pair = (unknown, known) if lacking == "without" else (known, unknown)
    assert put_right(*pair, Leak(0.1, 0.1), 1000) == pair
    for end in ("low", "high"):
        half = replace(known, **{end: None})
        assert put_right(half, known, Leak(0.0, 0.1), 1000)[0] == half


def test_half_of_what_a_leak_changes_is_its_error() -> None:
    """12 and 3 % seen, a tenth of the cells with IgM below the boundary: 11.67 % have none; Wilson's ends at least."""
    seen = Share(12.0, 9.0, 15.0, 120, 12.0), Share(3.0, 1.0, 5.0, 30, 3.0)
    without, _ = put_right(*seen, Leak(0.0, 0.1), 1000)
    percent = (0.9 * 12.0 - 0.1 * 3.0) / 0.9
    far = Z95 * 0.5 * (12.0 - percent)
    ends = [100 * end for end in wilson(percent / 100, 1000)]
    assert without.percent == pytest.approx(percent)
    assert without.low == pytest.approx(min(percent - math.hypot(3.0, far), ends[0]))
    assert without.high == pytest.approx(max(percent + math.hypot(3.0, far), ends[1]))


def evidence(reference: Floats | None) -> Found:
    curve = density(np.full(100, 0.5))
    return Found(
        0.4,
        "valley",
        "",
        Evidence(curve, "above", (0.0, 1.0), reference=None if reference is None else density(reference)),
    )


def test_the_distance_of_igd_is_between_cells_that_have_none_and_cd27_negative_ones() -> None:
    """Ashman's D of two normal peaks, on the scale."""
    dark, bright = normal(2000, 0.3, 0.04), normal(3000, 0.62, 0.05)
    memory = normal(2000, 0.45, 0.02)
    values = {"IgD": SCALE.inverse(np.concatenate((bright, memory))), "CD27": np.repeat([DIM, BRIGHT], [3000, 2000])}
    cells = pooled(tube(values, ("igd_low", "cd27_low"), found=evidence(dark)))
    found = sides(cells)
    expected = math.sqrt(2) * 0.32 / math.hypot(0.04, 0.05)
    assert igd_separation(cells, found) == pytest.approx(expected, rel=0.06)
    # With CD27+ cells, which lie between, another peak is the next one.
    for unknown in (None, replace(found, cd27=None)):
        assert igd_separation(cells, unknown) < 0.8 * expected  # type: ignore[operator]


@pytest.mark.parametrize("found", [None, Found(0.4, "valley"), evidence(None), evidence(np.full(3, 0.3))])
def test_without_cells_that_have_no_igd_there_is_no_distance(found: Found | None) -> None:
    cells = pooled(tube(values_of(KINDS), found=found))
    assert igd_separation(cells, sides(cells)) is None


def young(naive: int, transitional: int, markers: tuple[str, ...] = ("CD38", "CD24"), igm: int = 1) -> PooledCells:
    """Return naive cells of which so many more have bright CD38 and CD24, and IgD- cells that have them too."""
    counts = naive, transitional, 100
    values = {
        "IgD": np.repeat([BRIGHT, BRIGHT, DIM], counts),
        "CD27": np.full(sum(counts), DIM),
        "IgM": np.repeat([BRIGHT, BRIGHT if igm else DIM, BRIGHT], counts),
    }
    lit = [SCALE.inverse(np.concatenate((normal(naive, 0.4, 0.03), normal(transitional + 100, 0.8, 0.02))))] * 2
    values |= {marker: one for marker, one in zip(("CD38", "CD24"), lit, strict=True) if marker in markers}
    return pooled(tube(values, ("igd_low", "cd27_low", "igm_low")))


def test_transitional_cells_are_young_ones_bright_in_both_markers() -> None:
    """Of all B cells; the IgD- cells that are as bright are none, nor are cells without IgM."""
    cells = young(700, 200)
    assert transitional_percent(cells, sides(cells)) == pytest.approx(20.0)
    without = young(700, 200, igm=0)
    assert transitional_percent(without, sides(without)) == 0.0
    assert transitional_percent(without, replace(sides(without), igm=None)) == pytest.approx(20.0)


@pytest.mark.parametrize(
    "cells", [young(12, 7), young(700, 200, ("CD38",)), young(700, 200, ("CD24",))], ids=["19 cells", "CD38", "CD24"]
)
def test_without_cells_or_stain_there_are_no_transitional_ones(cells: PooledCells) -> None:
    assert transitional_percent(cells, sides(cells)) is None
    assert transitional_percent(young(700, 200), None) is None
    twenty = young(13, 7)
    assert transitional_percent(twenty, sides(twenty)) is not None

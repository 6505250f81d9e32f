"""The scatter gate holds the CD3+ cloud on any instrument; singlets are one narrow band."""

from __future__ import annotations

import flowkit
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon

from cd40l_flow.gating.found import Found
from cd40l_flow.gating.model import Boundary, ScatterGate
from cd40l_flow.gating.scatter import Scattered, find_lymphocytes, rectangle
from cd40l_flow.gating.scatter_map import INSIDE, ON_THE_EDGE, OUTSIDE, ScatterMap
from cd40l_flow.gating.singlets import find_singlets


def blood(random: np.random.Generator, lymphocytes: int = 3000, others: int = 6000) -> tuple[np.ndarray, ...]:
    """Return FSC, SSC and CD3 of lymphocytes (two thirds CD3+) and granulocytes, of which 2 % seem CD3+."""
    fsc = np.concatenate((random.normal(400, 50, lymphocytes), random.normal(600, 90, others)))
    ssc = np.concatenate((120 * random.lognormal(0, 0.22, lymphocytes), random.normal(800, 120, others)))
    chance = np.concatenate((np.full(lymphocytes, 0.67), np.full(others, 0.02)))
    cd3 = np.where(
        random.random(fsc.size) < chance, random.normal(0.6, 0.05, fsc.size), random.normal(0.2, 0.04, fsc.size)
    )
    return fsc, ssc, cd3


def looked(fsc: np.ndarray, ssc: np.ndarray, cd3: np.ndarray, dead: np.ndarray | None = None) -> Found:
    """Look for lymphocytes in a single stimulated tube without CD69."""
    nothing = np.zeros(fsc.size, dtype=bool)
    return looked_in(fsc, ssc, cd3, np.full(fsc.size, 0.2), nothing if dead is None else dead, ~nothing)


def looked_in(
    fsc: np.ndarray, ssc: np.ndarray, cd3: np.ndarray, cd69: np.ndarray, dead: np.ndarray, stimulated: np.ndarray
) -> Found:
    """Look for lymphocytes in two tubes, one of them stimulated."""
    place = ScatterMap.up_to(fsc.max(initial=1.0), ssc.max(initial=1.0))
    tubes = []
    for state in (False, True):
        own = stimulated == state
        columns = [values[own].astype(np.float32) for values in (fsc, ssc, cd3, cd69)]
        squares = place.squares(*columns[:2])
        died = np.flatnonzero(dead[own]).astype(np.int32)
        tubes.append(Scattered(squares, *columns[2:], np.empty(0, np.int32), died, stimulated=state))
    return find_lymphocytes(tubes, place)


def polygon(found: Found) -> ScatterGate:
    assert found.shape is not None
    return ScatterGate("FSC", "SSC", found.shape, found.method, found.flag)


@pytest.mark.parametrize("times", [1.0, 300.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_gate_holds_lymphocytes_and_no_granulocytes_at_any_gain(seed: int, times: float) -> None:
    fsc, ssc, cd3 = blood(np.random.default_rng(seed))

    gate = polygon(looked(fsc * times, ssc * times, cd3))

    inside = gate.inside(fsc * times, ssc * times)
    assert inside[:3000].mean() > 0.99
    assert inside[3000:].mean() < 0.01


def test_few_lymphocytes_among_many_granulocytes_are_found() -> None:
    fsc, ssc, cd3 = blood(np.random.default_rng(8), lymphocytes=400, others=9500)

    gate = polygon(looked(fsc, ssc, cd3))

    assert gate.inside(fsc, ssc)[:400].mean() > 0.95


def test_without_cd3_positive_cells_there_is_no_gate() -> None:
    few = np.full(30, 0.5)
    for found in (looked(np.empty(0), np.empty(0), np.empty(0)), looked(few, few, few)):
        assert found.shape is None
        assert "no CD3+ lymphocytes" in found.flag
        assert found.evidence is not None, "what was looked at is told, above all without a gate"


def test_blasts_with_cd69_stretch_the_gate() -> None:
    """A tenth of the CD3+ cells are blasts, half as large again: too few to move the ellipse of all."""
    random = np.random.default_rng(4)
    fsc = np.concatenate((random.normal(400, 40, 9000), random.normal(560, 50, 1000)))
    ssc = np.concatenate((random.normal(120, 20, 9000), random.normal(190, 30, 1000)))
    blast = np.arange(10_000) >= 9000
    cd3 = random.normal(0.6, 0.05, 10_000)
    cd69 = np.where(blast, random.normal(0.7, 0.05, 10_000), random.normal(0.2, 0.04, 10_000))
    stimulated = blast | (np.arange(10_000) % 2 == 0)
    none = np.zeros(10_000, dtype=bool)

    plain = polygon(looked_in(fsc, ssc, cd3, np.full(10_000, 0.2), none, stimulated))
    stretched = polygon(looked_in(fsc, ssc, cd3, cd69, none, stimulated))

    assert stretched.inside(fsc, ssc)[blast].mean() > 0.99
    assert plain.inside(fsc, ssc)[blast].mean() < 0.7
    assert stretched.inside(fsc, ssc)[~blast].mean() > 0.99


def test_the_gate_ends_where_most_cells_are_dead() -> None:
    """Live cells reach down among the dead ones; below the size at which two of three are dead the gate ends."""
    random = np.random.default_rng(5)
    fsc = np.concatenate((random.normal(400, 50, 6000), random.normal(250, 40, 6000)))
    ssc = random.normal(120, 20, 12_000)
    dead = np.arange(12_000) >= 6000

    found = looked(fsc, ssc, random.normal(0.6, 0.05, 12_000), dead)

    left = polygon(found).vertices[:, 0].min()
    # Where the two normal densities are one to two.
    places = np.linspace(250, 400, 2000)
    ratio = np.exp(-((places - 400) ** 2) / 2 / 50**2) / 50 / (np.exp(-((places - 250) ** 2) / 2 / 40**2) / 40)
    assert left == pytest.approx(places[np.argmax(ratio > 0.5)], abs=8)
    assert found.evidence is not None
    assert found.evidence.reference is not None, "the dead cells are told beside the live ones"


def test_granulocytes_that_part_from_other_cells_in_cd3_are_no_t_cells() -> None:
    """Half of all cells bind a little of every antibody: the first valley in CD3 lies below them."""
    random = np.random.default_rng(6)
    fsc = np.concatenate((random.normal(400, 40, 3000), random.normal(600, 60, 5000)))
    ssc = np.concatenate((random.normal(120, 20, 3000), random.normal(700, 90, 5000)))
    cd3 = np.concatenate(
        (random.normal(0.2, 0.02, 2000), random.normal(0.65, 0.04, 1000), random.normal(0.35, 0.03, 5000))
    )

    gate = polygon(looked(fsc, ssc, cd3))

    assert gate.inside(fsc, ssc)[2000:3000].mean() > 0.98
    assert gate.inside(fsc, ssc)[3000:].mean() < 0.01


@settings(max_examples=40)
@given(st.integers(0, 1000))
def test_inside_is_what_matplotlib_says(seed: int) -> None:
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, 12))
    vertices = np.column_stack((500 + 200 * np.cos(angle), 300 + 90 * np.sin(angle)))
    points = random.uniform(0, 800, (500, 2))

    mine = ScatterGate("FSC", "SSC", vertices, "test").inside(points[:, 0], points[:, 1])

    np.testing.assert_array_equal(mine, Polygon(vertices).contains_points(points))


def test_inside_is_what_flowkits_polygon_gate_holds() -> None:
    """The found polygon of blood, on the events it was found in, beside an independent implementation."""
    fsc, ssc, cd3 = blood(np.random.default_rng(11))
    gate = polygon(looked(fsc, ssc, cd3))
    points = np.column_stack((fsc, ssc))
    sample = flowkit.Sample(points, channel_labels=["FSC", "SSC"], sample_id="blood")
    strategy = flowkit.GatingStrategy()
    axes = [flowkit.Dimension(name, compensation_ref="uncompensated") for name in ("FSC", "SSC")]
    strategy.add_gate(flowkit.gates.PolygonGate("lymphocytes", axes, gate.vertices), gate_path=("root",))

    theirs = strategy.gate_sample(sample).get_gate_membership("lymphocytes")

    stored = sample.get_events(source="raw")
    np.testing.assert_array_equal(gate.inside(stored[:, 0], stored[:, 1]), theirs)
    assert 2500 < np.count_nonzero(theirs) < 3500


@settings(max_examples=40)
@given(st.integers(0, 1000))
def test_squares_inside_and_outside_a_polygon_hold_only_such_events(seed: int) -> None:
    """Events in squares on the edge are looked at one by one; the others go by their square."""
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, 12))
    vertices = np.column_stack((500 + 200 * np.cos(angle), 300 + 250 * np.sin(angle)))
    if seed % 3 == 0:
        vertices = np.array([[400.0, 100.0], [700.0, 150.0], [700.0, 300.0], [400.0, 350.0]])
    fsc, ssc = random.uniform(-50, 900, (2, 4000)).astype(np.float32)
    place = ScatterMap.up_to(float(fsc.max()), float(ssc.max()))

    kinds = place.cut_out(vertices)[place.squares(fsc, ssc)]

    inside = ScatterGate("FSC", "SSC", vertices, "test").inside(fsc, ssc)
    assert inside[kinds == INSIDE].all()
    assert not inside[kinds == OUTSIDE].any()
    assert np.mean(kinds == ON_THE_EDGE) < 0.12


def test_an_overridden_gate_is_a_rectangle_that_keeps_the_polygon() -> None:
    fsc, ssc, cd3 = blood(np.random.default_rng(1))
    gate = polygon(looked(fsc, ssc, cd3))
    side = Boundary("lymph_fsc_low", "", "FSC", 350.0, 350.0, "override", by="AB", reason="debris")

    drawn = rectangle(gate, {"lymph_fsc_low": side})

    expected = (fsc >= 350) & (fsc <= gate.vertices[:, 0].max())
    expected &= (ssc >= gate.vertices[:, 1].min()) & (ssc <= gate.vertices[:, 1].max())
    np.testing.assert_array_equal(drawn.inside(fsc, ssc), expected)
    np.testing.assert_array_equal(drawn.automatic, gate.vertices)


def test_singlets_are_kept_and_doublets_left_out() -> None:
    random = np.random.default_rng(3)
    singles, doublets = random.normal(1.2, 0.03, 5000), random.normal(1.9, 0.1, 300)

    low, high = (
        end.position for end in find_singlets(np.concatenate((singles, doublets, [np.nan, np.inf])).astype(np.float32))
    )

    assert low is not None
    assert high is not None
    assert np.mean((singles > low) & (singles < high)) > 0.995
    assert np.mean((doublets > low) & (doublets < high)) < 0.02
    few = find_singlets(singles[:20])[0]
    assert few.position is None
    assert "too few" in few.flag


@settings(max_examples=20)
@given(st.floats(0.01, 1000), st.integers(0, 100))
def test_the_singlet_band_scales_with_the_ratio(times: float, seed: int) -> None:
    ratio = np.random.default_rng(seed).normal(1.2, 0.03, 2000)

    for plain, scaled in zip(find_singlets(ratio), find_singlets(ratio * times), strict=True):
        assert plain.position is not None
        assert scaled.position == pytest.approx(plain.position * times, rel=2e-3)

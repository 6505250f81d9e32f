"""The scatter gate holds the CD3+ cloud on any instrument; singlets are one narrow band."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon

from cd40l_flow.gating.model import Boundary, ScatterGate
from cd40l_flow.gating.scatter import find_lymphocytes, find_singlets, rectangle


def blood(random: np.random.Generator, lymphocytes: int = 3000, others: int = 6000) -> tuple[np.ndarray, ...]:
    """Return FSC, SSC and CD3 of lymphocytes (two thirds CD3+) and granulocytes, of which 2 % seem CD3+."""
    fsc = np.concatenate((random.normal(400, 50, lymphocytes), random.normal(600, 90, others)))
    ssc = np.concatenate((random.normal(120, 30, lymphocytes), random.normal(800, 120, others)))
    chance = np.concatenate((np.full(lymphocytes, 0.67), np.full(others, 0.02)))
    cd3 = np.where(
        random.random(fsc.size) < chance, random.normal(0.6, 0.05, fsc.size), random.normal(0.2, 0.04, fsc.size)
    )
    return fsc, ssc, cd3


@pytest.mark.parametrize("times", [1.0, 300.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_gate_holds_lymphocytes_and_no_granulocytes_at_any_gain(seed: int, times: float) -> None:
    fsc, ssc, cd3 = blood(np.random.default_rng(seed))

    gate = find_lymphocytes(fsc * times, ssc * times, cd3, ("FSC", "SSC"))

    assert gate is not None
    inside = gate.inside(fsc * times, ssc * times)
    assert inside[:3000].mean() > 0.99
    assert inside[3000:].mean() < 0.01


def test_few_lymphocytes_among_many_granulocytes_are_found() -> None:
    fsc, ssc, cd3 = blood(np.random.default_rng(8), lymphocytes=400, others=9500)

    gate = find_lymphocytes(fsc, ssc, cd3, ("FSC", "SSC"))

    assert gate is not None
    assert gate.inside(fsc, ssc)[:400].mean() > 0.95


def test_without_cd3_positive_cells_there_is_no_gate() -> None:
    assert find_lymphocytes(np.empty(0), np.empty(0), np.empty(0), ("FSC", "SSC")) is None
    few = np.full(30, 0.5)
    assert find_lymphocytes(few, few, few, ("FSC", "SSC")) is None


@settings(max_examples=40)
@given(st.integers(0, 1000))
def test_inside_is_what_matplotlib_says(seed: int) -> None:
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, 12))
    vertices = np.column_stack((500 + 200 * np.cos(angle), 300 + 90 * np.sin(angle)))
    points = random.uniform(0, 800, (500, 2))

    mine = ScatterGate("FSC", "SSC", vertices, "test").inside(points[:, 0], points[:, 1])

    np.testing.assert_array_equal(mine, Polygon(vertices).contains_points(points))


def test_an_overridden_gate_is_a_rectangle_that_keeps_the_polygon() -> None:
    fsc, ssc, cd3 = blood(np.random.default_rng(1))
    gate = find_lymphocytes(fsc, ssc, cd3, ("FSC", "SSC"))
    assert gate is not None
    side = Boundary("lymph_fsc_low", "", "FSC", 350.0, 350.0, "override", by="AB", reason="debris")

    drawn = rectangle(gate, {"lymph_fsc_low": side})

    expected = (fsc >= 350) & (fsc <= gate.vertices[:, 0].max())
    expected &= (ssc >= gate.vertices[:, 1].min()) & (ssc <= gate.vertices[:, 1].max())
    np.testing.assert_array_equal(drawn.inside(fsc, ssc), expected)
    np.testing.assert_array_equal(drawn.automatic, gate.vertices)


def test_singlets_are_kept_and_doublets_left_out() -> None:
    random = np.random.default_rng(3)
    singles, doublets = random.normal(1.2, 0.03, 5000), random.normal(1.9, 0.1, 300)

    band = find_singlets(np.concatenate((singles, doublets, [np.nan, np.inf])))

    assert band is not None
    low, high = band
    assert np.mean((singles > low) & (singles < high)) > 0.995
    assert np.mean((doublets > low) & (doublets < high)) < 0.02
    assert find_singlets(singles[:20]) is None

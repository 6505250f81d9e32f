"""Each fluorescence boundary on populations whose truth is known, and its word when there is no valley."""

from __future__ import annotations

import numpy as np
import pytest

from cd40l_flow.gating.thresholds import find_cd3, find_cd8, find_cd69, find_viability
from cd40l_flow.signal.scale import Scale

SCALE = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="test")


def peaks(*parts: tuple[float, float, int], seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(mode, sd, n) for mode, sd, n in parts])


def test_cd3_lies_in_the_valley() -> None:
    found = find_cd3(peaks((0.2, 0.04, 800), (0.7, 0.05, 3000)), SCALE)

    assert found.position == pytest.approx(0.45, abs=0.12)
    assert found.method == "valley"
    assert not found.flag


def test_activated_cells_with_less_cd3_stay_in() -> None:
    """After PMA the activated cells are a dim peak beside the bright ones of cells that did not respond."""
    found = find_cd3(peaks((0.2, 0.03, 900), (0.5, 0.05, 2000), (0.78, 0.03, 2500)), SCALE)

    assert found.position is not None
    assert 0.25 < found.position < 0.42
    assert "2 CD3+ populations" in found.flag


def test_pure_t_cells_have_a_flagged_fallback_and_none_at_all_no_gate() -> None:
    pure = find_cd3(peaks((0.7, 0.04, 3000)), SCALE)
    none = find_cd3(peaks((0.13, 0.03, 3000)), SCALE)

    assert pure.position == pytest.approx(0.58, abs=0.03)
    assert "no valley" in pure.flag
    assert none.position is None
    assert "no CD3+ cells" in none.flag


def test_the_cd8_dim_shoulder_stays_out() -> None:
    values = peaks((0.2, 0.04, 3000), (0.42, 0.05, 250), (0.75, 0.04, 1500))

    found = find_cd8(values)

    assert found.position is not None
    assert np.mean(values[:3000] <= found.position) > 0.99
    assert np.mean(values[3000:3250] <= found.position) < 0.1


def test_one_cd8_population_is_flagged() -> None:
    found = find_cd8(peaks((0.2, 0.04, 2000)))

    assert found.position == pytest.approx(0.32, abs=0.02)
    assert "one CD8 population" in found.flag


def test_cd69_leaves_two_percent_of_resting_cells_above() -> None:
    resting, active = peaks((0.15, 0.04, 3000)), peaks((0.65, 0.06, 3000), seed=2)

    found = find_cd69(resting, active, SCALE, 2.0)

    assert found.position is not None
    assert np.mean(resting > found.position) == pytest.approx(0.02, abs=0.001)
    assert not found.flag


def test_few_activated_cells_move_the_cd69_boundary_into_the_valley() -> None:
    """With one cell in four activated, the 2 % of the many resting ones would be a sixteenth of the gate."""
    resting = peaks((0.15, 0.04, 3000))
    stimulated = peaks((0.15, 0.04, 2250), (0.65, 0.06, 750), seed=2)

    found = find_cd69(resting, stimulated, SCALE, 2.0)

    assert found.position is not None
    assert np.mean(stimulated[:2250] > found.position) < 0.001
    assert np.mean(stimulated[2250:] > found.position) > 0.999
    assert "valley" in found.method


def test_a_cd69_shoulder_keeps_the_boundary_of_the_unstimulated_tube() -> None:
    resting = peaks((0.3, 0.06, 3000))
    shoulder = peaks((0.3, 0.06, 2400), (0.46, 0.06, 600), seed=2)

    found = find_cd69(resting, shoulder, SCALE, 2.0)

    assert found.position == pytest.approx(float(np.quantile(resting, 0.98)))


def test_cells_activated_before_the_assay_do_not_move_the_cd69_boundary() -> None:
    resting = peaks((0.15, 0.04, 2700), (0.6, 0.05, 300))

    found = find_cd69(resting, peaks((0.65, 0.06, 3000), seed=2), SCALE, 2.0)

    assert found.position == pytest.approx(0.31, abs=0.03)
    assert "% CD69+ without stimulation" in found.flag


def test_without_an_unstimulated_tube_the_fallback_is_named() -> None:
    none = np.empty(0)

    valley = find_cd69(none, peaks((0.15, 0.04, 300), (0.65, 0.06, 3000)), SCALE, 2.0)
    resting_only = find_cd69(none, peaks((0.15, 0.03, 3000)), SCALE, 2.0)
    one_bright = find_cd69(none, peaks((0.65, 0.06, 3000)), SCALE, 2.0)

    assert "no unstimulated tube" in valley.flag
    assert "hardly any CD69+" in resting_only.flag
    assert one_bright.position is None, "95 % or 0 % activated cannot be told from one population"


def test_dead_cells_are_above_the_viability_boundary() -> None:
    found = find_viability(peaks((0.25, 0.05, 5000), (0.7, 0.08, 150)))

    assert found.position == pytest.approx(0.47, abs=0.1)
    assert find_viability(peaks((0.25, 0.05, 5000))).flag


@pytest.mark.parametrize("find", [find_viability, find_cd8, lambda values: find_cd3(values, SCALE)])
def test_too_few_cells_draw_no_gate(find) -> None:  # type: ignore[no-untyped-def]
    found = find(np.full(20, 0.5))

    assert found.position is None
    assert "not drawn" in found.flag

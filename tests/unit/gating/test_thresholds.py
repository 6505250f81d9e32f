"""Each fluorescence boundary on populations whose truth is known, and its word when there is no valley."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd40l_flow.gating import cd69, thresholds
from cd40l_flow.gating.density import STEP, density
from cd40l_flow.gating.found import Found, compare_with_control
from cd40l_flow.signal.scale import Scale

SCALE = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="test")


def peaks(*parts: tuple[float, float, int], seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(mode, sd, n) for mode, sd, n in parts])


def find_viability(values: np.ndarray) -> Found:
    return thresholds.find_viability(density(values))


def find_cd3(values: np.ndarray, scale: Scale) -> Found:
    return thresholds.find_cd3(density(values), scale)


def find_cd8(values: np.ndarray) -> Found:
    return thresholds.find_cd8(density(values))


def find_cd4(values: np.ndarray) -> Found:
    return thresholds.find_positive(density(values), "CD4", "CD3+CD8-")


def find_cd69(resting: np.ndarray, stimulated: np.ndarray, scale: Scale, most: float) -> Found:
    return cd69.find_cd69(density(resting), density(stimulated), scale, most)


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


def f1(values: np.ndarray, true: np.ndarray, position: float) -> float:
    found = values > position
    return float(2 * np.sum(found & true) / (found.sum() + true.sum()))


def best_f1(values: np.ndarray, true: np.ndarray) -> float:
    return max(f1(values, true, position) for position in np.linspace(0, 1, 500))


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.8, 0.98])
@pytest.mark.parametrize("apart", [0.17, 0.25, 0.45])
@pytest.mark.parametrize("carrying", [0.0, 0.02])
def test_cd69_is_as_good_as_a_threshold_can_be(share: float, apart: float, carrying: float) -> None:
    """A peak of its own or a shoulder, few cells or most, some resting cells with CD69 or none."""
    n, active = 6000, round(6000 * share)
    tail = round(4000 * carrying)
    resting = peaks((0.25, 0.04, 4000 - tail), (0.25 + 0.6 * apart, 0.06, tail))
    extra = round((n - active) * carrying)
    stimulated = peaks(
        (0.25, 0.04, n - active - extra), (0.25 + 0.6 * apart, 0.06, extra), (0.25 + apart, 0.05, active), seed=2
    )
    true = np.arange(n) >= n - active

    found = find_cd69(resting, stimulated, SCALE, 2.0)

    assert found.position is not None
    assert f1(stimulated, true, found.position) > best_f1(stimulated, true) - 0.025
    if not found.flag:
        assert np.mean(resting > found.position) <= 0.0215


def test_without_activation_cd69_leaves_two_percent_of_resting_cells_above() -> None:
    found = find_cd69(peaks((0.15, 0.04, 3000)), peaks((0.15, 0.04, 3000), seed=2), SCALE, 2.0)

    assert found.position is not None
    assert np.mean(peaks((0.15, 0.04, 3000)) > found.position) == pytest.approx(0.02, abs=0.001)
    assert not found.flag


def test_cells_activated_before_the_assay_are_told_and_do_not_move_the_boundary_into_the_activated() -> None:
    resting = peaks((0.15, 0.04, 2700), (0.6, 0.05, 300))
    stimulated = peaks((0.65, 0.06, 3000), seed=2)

    found = find_cd69(resting, stimulated, SCALE, 2.0)

    assert found.position is not None
    assert np.mean(stimulated > found.position) > 0.99
    assert "% CD69+ without stimulation" in found.flag


def test_what_cd69_was_held_against_is_told() -> None:
    found = find_cd69(peaks((0.15, 0.04, 3000)), peaks((0.15, 0.04, 900), (0.6, 0.05, 3000)), SCALE, 2.0)

    assert found.evidence is not None
    assert found.evidence.reference is not None
    assert found.evidence.reference.mode() == pytest.approx(0.15, abs=0.01)
    assert [valley.position for valley in found.evidence.valleys] == pytest.approx([0.38], abs=0.05)


def test_the_controls_boundary_serves_where_none_is_found_and_tells_how_far_others_are() -> None:
    none = find_cd3(peaks((0.13, 0.03, 3000)), SCALE)
    valley = find_cd3(peaks((0.2, 0.04, 800), (0.7, 0.05, 3000)), SCALE)
    assert valley.position is not None

    borrowed = compare_with_control(none, 0.4, 0.1, 3000, 200)
    near = compare_with_control(valley, valley.position + 0.05, 0.1, 3800, 200)
    far = compare_with_control(valley, valley.position + 0.2, 0.1, 3800, 200)
    few = compare_with_control(valley, valley.position + 0.05, 0.1, 150, 200)

    assert (borrowed.position, borrowed.method) == (0.4, "the control's boundary")
    assert "no CD3+ cells" in borrowed.flag
    assert (near.position, near.flag) == (valley.position, "")
    assert far.position == valley.position
    assert "0.20 of the scale below the control's" in far.flag
    assert few.position == valley.position + 0.05
    assert "only 150 events" in few.flag
    assert compare_with_control(none, None, 0.1, 3000, 200) is none


def test_cd4_lies_in_the_valley_or_nowhere() -> None:
    both = find_cd4(peaks((0.2, 0.04, 600), (0.6, 0.05, 2500)))

    assert both.position == pytest.approx(0.4, abs=0.06)
    assert find_cd4(peaks((0.6, 0.05, 2500))).position is None


def test_a_cd8_negative_peak_cut_off_by_a_log_amplifier_stays_whole() -> None:
    negative = np.maximum(peaks((0.16, 0.07, 3000)), 0.15)
    values = np.concatenate((negative, peaks((0.72, 0.04, 1500), seed=2)))

    found = find_cd8(values)

    assert found.position is not None
    assert np.mean(negative <= found.position) > 0.97


@settings(max_examples=25, deadline=None)
@given(st.integers(-30, 30), st.integers(0, 1000))
def test_a_shift_along_the_scale_moves_every_boundary_and_order_does_not(steps: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.permutation(peaks((0.3, 0.04, 1500), (0.7, 0.05, 2500), seed=seed))
    resting = peaks((0.3, 0.04, 1500), seed=seed + 1)
    shift = steps * STEP

    for find in (
        find_viability,
        find_cd8,
        find_cd4,
        lambda each: find_cd69(resting + (each is not values) * shift, each, SCALE, 2.0),
    ):
        plain, moved = find(values), find(values + shift)
        assert plain.position is not None
        assert moved.position is not None
        assert moved.position - plain.position == pytest.approx(shift, abs=2e-3)
        assert find(random.permutation(values)).position is not None
    assert find_cd8(random.permutation(values)).position == find_cd8(values).position


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

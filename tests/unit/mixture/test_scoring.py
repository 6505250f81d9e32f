"""The optimiser of the likelihoods: closed forms, bounds, and searches that must end early."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.scoring import PATIENCE, STEPS, Objective, minimise

MATRIX = np.array([[4.0, 1.0], [1.0, 2.0]])
BEST = np.array([1.0, -2.0])
WIDE = np.full(2, 1e3)


def valley(theta: Floats) -> tuple[float, Floats, Floats]:
    """Return a quadratic with its minimum, 3, at ``BEST``."""
    away = theta - BEST
    return 3 + 0.5 * float(away @ MATRIX @ away), MATRIX @ away, MATRIX


def counted(objective: Objective) -> tuple[Objective, list[Floats]]:
    seen: list[Floats] = []

    def looked(theta: Floats) -> tuple[float, Floats, Floats]:
        seen.append(theta)
        return objective(theta)

    return looked, seen


def test_the_minimum_of_a_quadratic_is_one_step_away() -> None:
    objective, seen = counted(valley)
    found = minimise(objective, np.array([50.0, 30.0]), -WIDE, WIDE, WIDE)
    assert found.converged and len(seen) <= 4
    assert found.theta == pytest.approx(BEST, abs=1e-3) and found.value == pytest.approx(3.0, abs=1e-6)


def test_a_parameter_is_held_at_its_bound_while_the_other_one_moves_on() -> None:
    """The minimum along the edge is where the free slope is 0: 1 (0 - 1) + 2 (y + 2) = 0."""
    found = minimise(valley, np.array([-3.0, 0.0]), -WIDE, np.array([0.0, 1e3]), WIDE)
    assert found.converged
    assert found.theta == pytest.approx([0.0, -1.5], abs=1e-3)


def test_in_a_corner_nothing_is_left_to_move() -> None:
    low, high = np.array([2.0, 0.0]), np.array([3.0, 1.0])
    found = minimise(valley, np.array([9.0, 9.0]), low, high, WIDE)
    assert found.converged and found.theta.tolist() == [2.0, 0.0]
    objective, seen = counted(valley)
    held = minimise(objective, low, low, low, WIDE)
    assert held.converged and held.theta.tolist() == [2.0, 0.0] and len(seen) == 1


@pytest.mark.parametrize("slope", [0.5, -0.5])
def test_a_slope_that_points_beyond_a_bound_holds_however_small_it_is(slope: float) -> None:
    objective, seen = counted(lambda theta: (slope * float(theta[0]), np.array([slope]), np.eye(1)))
    start = np.array([-math.copysign(1.0, slope)])
    found = minimise(objective, start, np.array([-1.0]), np.array([1.0]), np.ones(1))
    assert (found.converged, found.theta.tolist(), len(seen)) == (True, start.tolist(), 1)


def test_no_step_is_longer_than_allowed() -> None:
    objective, seen = counted(valley)
    minimise(objective, np.array([5.0, -2.0]), -WIDE, WIDE, np.array([0.5, 0.5]))
    assert max(float(np.abs(after - before).max()) for before, after in zip(seen, seen[1:], strict=False)) <= 0.5 + 1e-9


@pytest.mark.parametrize(("promise", "converged"), [(2e-6, True), (0.9e-4, True), (1.1e-4, False), (0.5, False)])
def test_a_likelihood_that_no_step_raises_is_at_its_end_where_little_was_to_be_had(
    promise: float, converged: bool
) -> None:
    """A jump to a higher value wherever one goes; along its slope half its square would be gained."""
    slope = math.sqrt(2 * promise)
    objective, seen = counted(lambda theta: (float(theta[0] != 0), np.array([slope]), np.eye(1)))
    found = minimise(objective, np.zeros(1), -WIDE[:1], WIDE[:1], WIDE[:1])
    assert (found.converged, found.value, found.theta.tolist()) == (converged, 0.0, [0.0])
    assert len(seen) == 41


def slow(theta: Floats) -> tuple[float, Floats, Floats]:
    """Return a slope of 1 whose information promises little, so that each step gains 0.01 and never ends."""
    return -float(theta[0]), np.array([-1.0]), np.array([[100.0]])


def test_a_search_without_an_end_is_told() -> None:
    objective, seen = counted(slow)
    found = minimise(objective, np.zeros(1), np.full(1, -1e6), np.full(1, 1e6), np.ones(1))
    assert not found.converged and len(seen) == STEPS + 1
    assert found.value == pytest.approx(-0.01 * STEPS, rel=1e-3)


@pytest.mark.parametrize(
    ("beat", "looks"),
    [(1.0, STEPS + 1), (-0.1, STEPS + 1), (-0.4, PATIENCE + 1), (-0.505, PATIENCE + 1), (-0.515, 2)],
    ids=["beaten from the start", "beaten in time", "not beaten in time", "just within reach", "just out of reach"],
)
def test_a_search_that_will_not_win_stops(beat: float, looks: int) -> None:
    """At a gain of 0.01 a step it would need more than 50 steps for 0.5, and 20 is all it gets."""
    objective, seen = counted(slow)
    minimise(objective, np.zeros(1), np.full(1, -1e6), np.full(1, 1e6), np.ones(1), beat=beat)
    assert len(seen) == looks

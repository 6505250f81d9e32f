"""Events in a convex polygon, against matplotlib's and the plain definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path

from cd40l_flow.gating.polygon import inside_convex


def ellipse(corners: int, wide: float, tall: float, turn: float) -> np.ndarray:
    """Return corners of an ellipse, counter-clockwise."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    x, y = wide * np.cos(angles), tall * np.sin(angles)
    return np.column_stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)]) + 300.0


@given(
    corners=st.integers(3, 40),
    wide=st.floats(5, 200),
    tall=st.floats(5, 200),
    turn=st.floats(0, 3.1),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_same_events_as_another_implementation(
    corners: int, wide: float, tall: float, turn: float, seed: int
) -> None:
    """Slender, turned and three-cornered ones too, for which no rectangle inside is found."""
    vertices = ellipse(corners, wide, tall, turn)
    events = np.random.default_rng(seed).uniform(50, 550, (2000, 2))

    found = inside_convex(vertices, events[:, 0], events[:, 1])

    assert np.array_equal(found, Path(vertices).contains_points(events))
    assert np.array_equal(found[::-1], inside_convex(vertices, events[::-1, 0], events[::-1, 1]))


def test_corners_and_sides_belong_to_it() -> None:
    square = np.array([(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)])
    x, y = np.array([0.0, 2.0, 4.0, 4.1, -0.1, 2.0]), np.array([0.0, 0.0, 3.0, 2.0, 2.0, 2.0])

    assert inside_convex(square, x, y).tolist() == [True, True, True, False, False, True]


def test_of_a_polygon_without_width_only_the_line_is_inside() -> None:
    line = np.array([(3.0, 0.0), (3.0, 4.0), (3.0, 2.0)])
    x, y = np.array([3.0, 3.0, 3.0, 3.1, 2.9, 3.0]), np.array([0.0, 2.0, 4.0, 2.0, 2.0, 4.1])

    assert inside_convex(line, x, y).tolist() == [True, True, True, False, False, False]

"""The density that a boundary was searched in is shown on the axis of its panel, each curve once."""

from __future__ import annotations

import numpy as np
import pytest

from cd40l_flow.figures.axes import Axis
from cd40l_flow.figures.evidence import POINTS, Curves
from cd40l_flow.gating.density import density
from cd40l_flow.gating.found import Evidence, Found, no_gate
from cd40l_flow.gating.thresholds import find_cd8


def two_peaks() -> np.ndarray:
    random = np.random.default_rng(3)
    return np.concatenate((random.normal(0.2, 0.03, 4000), random.normal(0.7, 0.04, 2000)))


def test_curve_and_valley_lie_where_the_values_do() -> None:
    axis = Axis("CD8", -0.2, 1.1)
    found = find_cd8(density(two_peaks()))
    curves = Curves()

    told = curves.describe(found, axis)

    assert told is not None
    heights = curves.arrays[told.curve or ""]
    assert heights.shape == (POINTS,)
    assert heights.dtype == np.uint8
    assert heights.max() == 255
    places = axis.low + (np.arange(POINTS) + 0.5) / POINTS * (axis.high - axis.low)
    assert places[np.argmax(heights)] == pytest.approx(0.2, abs=0.02)
    (valley,) = told.valleys
    assert 0.3 < axis.low + valley * (axis.high - axis.low) < 0.6
    assert told.reference is None
    assert told.control is None


def test_tubes_that_share_a_curve_share_its_array_and_another_axis_has_its_own() -> None:
    found = find_cd8(density(two_peaks()))
    curves = Curves()

    told = [curves.describe(found, axis) for axis in (Axis("a", -0.2, 1.1), Axis("b", -0.2, 1.1), Axis("c", 0.0, 1.0))]

    names = [one.curve for one in told if one is not None and one.curve is not None]
    assert names[0] == names[1] != names[2]
    assert sorted(curves.arrays) == sorted(set(names))


def test_positions_of_a_ratio_are_told_as_ratios_and_the_controls_beside() -> None:
    """Of singlets the density lies on a scale of its own: value = origin + unit x position."""
    curve = density(np.random.default_rng(1).normal(0.5, 0.05, 3000))
    evidence = Evidence(curve, "inside", (0.0, 1.0), reference=curve, origin=1.0, unit=0.4)
    curves = Curves()

    told = curves.describe(Found(1.2, "test", evidence=evidence, control=1.3), Axis("ratio", 1.0, 1.4))

    assert told is not None
    assert (np.argmax(curves.arrays[told.curve or ""]) + 0.5) / POINTS == pytest.approx(0.5, abs=0.03)
    assert told.reference == told.curve, "one density, one array"
    assert told.control == pytest.approx(0.75)


def test_without_evidence_or_values_nothing_is_told() -> None:
    axis = Axis("CD8", -0.2, 1.1)
    curves = Curves()

    empty = curves.describe(find_cd8(density(np.empty(0))), axis)

    assert curves.describe(None, axis) is None
    assert curves.describe(no_gate("none"), axis) is None
    assert empty is not None
    assert empty.curve is None
    assert not curves.arrays

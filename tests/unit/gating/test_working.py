"""How a boundary is applied to the tubes of a sample: which override, which detector's ends, which cells pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.assay.cd40l.gates import ACTIVATED, CD3_POSITIVE, CD8_NEGATIVE, CD8_POSITIVE, GATES
from cd40l_flow.assay.lookup import using
from cd40l_flow.assay.memory_b import MEMORY_B
from cd40l_flow.assay.tables import Gate
from cd40l_flow.gating.control_gates import ControlBoundary, ControlGates, combined, control_gates
from cd40l_flow.gating.found import Found, compare_with_control, joined
from cd40l_flow.gating.marker_gate import gate_on_marker
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.gating.working import WorkingTube, ends_of
from helpers.by_hand.cases import SAMPLE
from helpers.by_hand.tubes import SCALE, by_hand, peaks, row, scales, signal, working

CD8, CD3 = row(GATES, CD8_NEGATIVE), row(GATES, CD3_POSITIVE)
VALUES = np.array([0.2, 0.3, 0.5, 0.7])


def test_the_innermost_ends_of_several_tubes_count() -> None:
    """No boundary lies beyond the end of any tube's detector."""
    tubes = [
        signal({"CD3": VALUES}, floors={"CD3-A": low}, tops={"CD3-A": high}) for low, high in ((10.0, 9e4), (40.0, 5e4))
    ]
    plain = signal({"CD3": VALUES, "CD8": VALUES})
    ends = ends_of([plain, *tubes, signal({"CD8": VALUES})], "CD3", scales(plain))
    assert ends is not None
    assert ends.low == pytest.approx(SCALE.to_scaled(40.0), abs=1e-6)
    assert ends.high == pytest.approx(SCALE.to_scaled(5e4), abs=1e-6)
    assert ends_of([plain], "CD3", scales(plain)) is None
    low = ends_of([signal({"CD3": VALUES}, floors={"CD3-A": 10.0})], "CD3", scales(plain))
    assert low is not None and low.high is None


def test_an_override_of_one_tube_comes_before_that_of_all() -> None:
    work = working(signal({"CD3": VALUES}), signal({"CD3": VALUES}, fcs="b.fcs"))
    every, own = by_hand("cd3_low", 500.0), by_hand("cd3_low", 700.0, "a.fcs")
    work.overrides = [own, every, by_hand("cd8_high", 900.0, "a.fcs"), by_hand("cd8_high", 950.0, "b.fcs")]
    assert [work.override("cd3_low", tube) for tube in work.tubes] == [own, every]
    work.overrides = [every, own]
    assert [work.override("cd3_low", tube) for tube in work.tubes] == [own, every]
    assert work.override("time_low", work.tubes[0]) is None


def test_values_at_a_boundary_count_as_below() -> None:
    """Of a gate that keeps what lies below they pass, and the others are the other population."""
    work = working(signal({"CD8": VALUES, "CD3": VALUES}), parent="T")
    tube = work.tubes[0]
    found = Found(float(np.float32(0.3)), "test", "doubtful")
    assert work.threshold(CD8, found, "T") and work.threshold(CD3, found, "T")
    kept = {name: tube.indices[name].tolist() for name in (CD8_NEGATIVE, CD8_POSITIVE, CD3_POSITIVE)}
    assert kept == {CD8_NEGATIVE: [0, 1], CD8_POSITIVE: [2, 3], CD3_POSITIVE: [2, 3]}
    assert work.flags == [], "the flag of a boundary that is drawn stays with the boundary"
    boundary = tube.boundaries[0]
    assert (boundary.gate, boundary.detector, boundary.flag) == ("cd8_high", "CD8-A", "doubtful")
    assert boundary.value == pytest.approx(SCALE.to_linear(0.3), rel=1e-6)
    done = tube.finish()
    assert done.percent(CD8_NEGATIVE) == 50.0 and done.percent(ACTIVATED) is None


def test_a_boundary_that_is_not_found_leaves_the_reason_and_no_population() -> None:
    work = working(signal({"CD3": VALUES, "CD8": VALUES}), parent="T")
    assert not work.threshold(CD8, Found(None, "none", "too few"), "T")
    assert work.flags == ["too few"]
    assert work.tubes[0].failed == {CD8_NEGATIVE: "T"} and CD8_NEGATIVE not in work.tubes[0].indices
    assert not work.threshold(CD8, Found(None, "none"), "T")
    assert work.flags == ["too few"]


def test_tubes_without_the_marker_or_the_parent_are_passed_over() -> None:
    """A boundary set by hand in one tube is drawn there, though none was found."""
    tubes = signal({"CD8": VALUES}), signal({"CD3": VALUES}, fcs="b.fcs"), signal({"CD8": VALUES}, fcs="c.fcs")
    work = working(*tubes, overrides=[by_hand("cd8_high", 900.0, "c.fcs")], parent="T")
    bare = WorkingTube(signal({"CD8": VALUES}, fcs="d.fcs"))
    work.tubes.append(bare)
    assert work.threshold(CD8, Found(None, "none", "too few"), "T")
    assert [CD8_NEGATIVE in tube.indices for tube in work.tubes] == [False, False, True, False]
    assert [tube.failed for tube in work.tubes] == [{CD8_NEGATIVE: "T"}, {}, {}, {}]
    assert work.flags == []
    drawn = work.tubes[2].boundaries[0]
    assert (drawn.method, drawn.automatic, drawn.flag, drawn.by) == ("override", None, "too few", "AB")
    assert drawn.scaled == pytest.approx(SCALE.to_scaled(900.0))


def test_densities_are_of_the_tubes_that_have_marker_and_population() -> None:
    tubes = signal({"CD8": VALUES}), signal({"CD3": VALUES}, fcs="b.fcs"), signal({"CD8": VALUES[:3]}, fcs="c.fcs")
    work = working(*tubes, parent="T")
    work.tubes.append(WorkingTube(signal({"CD8": VALUES}, fcs="d.fcs")))
    assert work.density("CD8", "T").total == 7
    assert work.density("CD8", "T", lambda tube: tube.signal.events.tube.fcs == "c.fcs").total == 3
    assert work.density("CD8", "T", lambda _: False).total == work.density("CD4", "T").total == 0


def test_values_are_those_of_the_marker_and_population_asked_for() -> None:
    tube = working(signal({"CD3": VALUES, "CD8": VALUES[::-1]}), parent="T").tubes[0]
    tube.indices["two"] = np.array([0, 3], dtype=np.int32)
    for _ in range(2):
        assert tube.values("CD3", "T").tolist() == pytest.approx(VALUES.tolist())
        assert tube.values("CD8", "T").tolist() == pytest.approx(VALUES[::-1].tolist())
        assert tube.values("CD8", "two").tolist() == pytest.approx([0.7, 0.2])


def test_the_background_of_a_marker_has_its_detector_and_not_its_stain() -> None:
    tube = WorkingTube(signal({"CD27": VALUES}, reagent="memory-FMO27", stimulation="unstimulated"))
    memory = WorkingTube(signal({"CD27": VALUES}, reagent="memory"))
    with using(MEMORY_B):
        assert memory.stains("CD27") and not tube.stains("CD27") and not memory.stains("IgD")
    assert memory.stimulated and not tube.stimulated
    assert tube.dropped.size == 0, "before the time gate none is left out"


def test_a_control_on_another_detector_says_nothing() -> None:
    """On the same one its boundary serves where none is found, and tells how far others lie."""
    none = Found(None, "none", "too few")
    for detector, used in (("CD8-A", True), ("FITC-A", False)):
        given = ControlGates({"cd8_high": ControlBoundary(detector, 0.45)})
        work = working(signal({"CD8": VALUES}), control_gates=given, parent="T")
        found = work.compare_with_control(CD8, none, 4)
        assert found.position == (0.45 if used else None)
    assert working(signal({"CD8": VALUES})).compare_with_control(CD8, none, 4) is none


@pytest.mark.parametrize(("position", "flag"), [
    (0.55, ""), (0.651, "0.15 of the scale above"), (0.349, "0.15 of the scale below"), (0.649, ""), (0.351, ""),
])  # fmt: skip
def test_a_boundary_far_from_the_controls_is_told(position: float, flag: str) -> None:
    found = compare_with_control(Found(position, "valley"), 0.5, 0.15, 200, 200)
    assert (found.position, found.control) == (position, 0.5)
    assert found.flag == (f"{flag} the control's boundary" if flag else "")
    few = compare_with_control(Found(position, "valley", "shallow"), 0.5, 0.15, 199, 200)
    assert (few.position, few.control, few.method) == (0.5, 0.5, "the control's boundary")
    assert few.flag == "only 199 events to find it in; the control's boundary is used"
    assert joined("a", "", "b", "a") == "a; b"


def test_a_control_without_tubes_gives_no_gates_and_stimulated_ones_come_first() -> None:
    assert control_gates(GatedSample(SAMPLE, (), {})) == ControlGates()
    work = working(
        signal({"CD8": VALUES}, stimulation="unstimulated"), signal({"CD8": VALUES}, fcs="b.fcs"), parent="T"
    )
    for tube, position in zip(work.tubes, (0.4, 0.6), strict=True):
        boundary = work.boundary("cd8_high", tube, "CD8-A", Found(position, "test"), SCALE)
        assert boundary is not None
        tube.boundaries.append(boundary)
    given = control_gates(GatedSample(SAMPLE, tuple(tube.finish() for tube in work.tubes), {}))
    assert given == ControlGates({"cd8_high": ControlBoundary("CD8-A", 0.6)})
    other = ControlGates({"cd8_high": ControlBoundary("CD8-A", 0.4)})
    assert combined([given, other]).boundaries["cd8_high"].scaled == pytest.approx(0.5)


POSITIVE = Gate("B", "positive", ("b_low",), "CD8", distance="cd8_distance_max")
BOTH = peaks((0.3, 0.03, 300), (0.7, 0.03, 300))


@pytest.mark.parametrize(
    ("stained", "third", "flags"),
    [
        ("any", 600, ["CD8 not stained in 1 tube(s)"]),
        ("own", None, []),
        ("all", None, ["the CD8 gate is part of the assay, but CD8 is not stained in every tube: no gate was drawn"]),
    ],
)
def test_what_becomes_of_a_tube_that_lacks_the_marker(stained: str, third: int | None, flags: list[str]) -> None:
    """It goes on ungated, or is left behind, or no gate is drawn at all."""
    work = working(signal({"CD8": BOTH}), signal({"CD3": BOTH}, fcs="b.fcs"), parent="A")
    assert gate_on_marker(work, replace(POSITIVE, stained=stained), "A") is (stained != "all")
    sizes = [None if "B" not in tube.indices else tube.indices["B"].size for tube in work.tubes]
    assert sizes == [None if stained == "all" else 300, third]
    assert (work.tubes[1].found.get("B"), work.flags) == (None, flags)


def test_a_gate_that_was_switched_on_says_so_where_it_cannot_be_drawn() -> None:
    work = working(signal({"CD8": BOTH}), signal({"CD3": BOTH}, fcs="b.fcs"), parent="A")
    assert not gate_on_marker(work, replace(POSITIVE, only_if="cd4_gate"), "A")
    assert work.flags[0].startswith("the CD8 gate is switched on, but CD8 is not stained in every tube")


@pytest.mark.parametrize(("stained", "goes_on"), [("any", True), ("own", True), ("all", False)])
def test_a_gate_that_every_tube_could_have_and_none_got(stained: str, goes_on: bool) -> None:
    """Its own tubes do not go on ungated: what comes of it comes of its parent, or of nothing."""
    work = working(signal({"CD8": np.full(20, 0.3)}), parent="A")
    assert gate_on_marker(work, replace(POSITIVE, stained=stained), "A") is goes_on
    assert "B" not in work.tubes[0].indices
    assert work.flags == ["only 20 A cells: CD8 gate not drawn"]


def test_gates_with_one_boundary_in_common_search_it_once() -> None:
    work = working(signal({"CD8": BOTH}), parent="A")
    work.tubes[0].indices["C"] = np.arange(300, 600, dtype=np.int32)
    assert gate_on_marker(work, POSITIVE, "A") and gate_on_marker(work, replace(POSITIVE, population="D"), "C")
    assert work.tubes[0].indices["D"].size == 300 and len(work.tubes[0].boundaries) == 1
    assert work.shared["b_low"].method == "valley"

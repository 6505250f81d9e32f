"""Time, lymphocytes and single cells of tubes made by hand: who passes, what is drawn, what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cd40l_flow.assay.cd40l.gates import GATES
from cd40l_flow.assay.shared_gates import LYMPHOCYTES, SINGLETS, TIME
from cd40l_flow.base.model import Floats
from cd40l_flow.gating.control_gates import ControlGates, ControlPolygon
from cd40l_flow.gating.scatter_steps import NO_SCATTER, gate_lymphocytes, gate_singlets, gate_time
from cd40l_flow.gating.working import Working
from cd40l_flow.signal.prepare import TubeSignal
from helpers.by_hand.tubes import by_hand, peaks, row, signal, working

TIME_GATE, SCATTER_GATE, SINGLET_GATE = (row(GATES, name) for name in (TIME, LYMPHOCYTES, SINGLETS))
SECONDS = np.arange(6.0)


def timed(work: Working) -> list[list[int]]:
    """Return the events of each tube that pass the time gate."""
    assert gate_time(work, TIME_GATE, "all")
    return [tube.indices[TIME].tolist() for tube in work.tubes]


def test_events_pass_that_acquisition_kept_within_times_set_by_hand() -> None:
    """Both ends belong to it; a tube without time has none."""
    values = {"CD3": np.full(6, 0.5)}
    tubes = signal(values, time=SECONDS, keep=[0, 1, 2, 4, 5]), signal(values, fcs="b.fcs", keep=[0, 5])
    overrides = [by_hand("time_low", 1.0), by_hand("time_high", 4.0)]
    work = working(*tubes, overrides=overrides)
    assert timed(work) == [[1, 2, 4], [0, 5]]
    assert [tube.dropped.tolist() for tube in work.tubes] == [[0, 3, 5], [1, 2, 3, 4]]
    assert [tube.indices["all"].tolist() for tube in work.tubes] == [list(range(6))] * 2
    drawn = [(one.gate, one.detector, one.value, one.scaled) for one in work.tubes[0].boundaries]
    assert drawn == [("time_low", "Time", 1.0, 1.0), ("time_high", "Time", 4.0, 4.0)]
    assert not work.tubes[1].boundaries
    assert timed(working(tubes[0])) == [[0, 1, 2, 4, 5]]
    unnamed = replace(tubes[0], events=replace(tubes[0].events, scatter=replace(tubes[0].events.scatter, time=None)))
    work = working(unnamed, overrides=overrides)
    timed(work)
    assert work.tubes[0].boundaries[0].detector == ""


def blood(
    fcs: str = "a.fcs", *, seed: int = 1, times: tuple[float, float] = (1.0, 1.0), cd3: Floats | None = None, **more
) -> TubeSignal:
    """Return 1,000 lymphocytes, half of them CD3+, and 1,000 granulocytes; ``times`` is the gain of FSC and SSC."""
    fsc = peaks((400, 40, 1000), (600, 60, 1000), seed=seed)
    ssc = peaks((120, 15, 1000), (700, 80, 1000), seed=seed + 1)
    found = peaks((0.6, 0.04, 500), (0.2, 0.03, 1500), seed=seed + 2) if cd3 is None else cd3
    scatter = {"FSC": fsc * times[0], "SSC": ssc * times[1]}
    return signal({"CD3": found} | more.pop("others", {}), fcs=fcs, scatter=scatter, **more)


def scattered(*tubes: TubeSignal, drawn: bool = True, **more: Any) -> Working:
    """Return a sample of which lymphocytes are drawn, if so expected; all events kept are in the time gate."""
    work = working(*tubes, **more)
    assert gate_time(work, TIME_GATE, "all")
    assert gate_lymphocytes(work, SCATTER_GATE, TIME) is drawn
    return work


def test_lymphocytes_are_drawn_at_any_gain_of_either_detector() -> None:
    """A gain of a power of two moves the polygon by exactly as much, from values far below 1 to the largest."""
    plain = scattered(blood(), blood("b.fcs", seed=5))
    assert not plain.flags
    gates = [tube.scatter_gate for tube in plain.tubes]
    assert gates[0] is gates[1] is not None
    inside = plain.tubes[0].indices[LYMPHOCYTES]
    assert np.mean(inside < 1000) > 0.99 and np.sum(inside < 1000) > 950
    for times in ((2.0**-20, 1.0), (1.0, 2.0**-20), (2.0**10, 2.0**-4)):
        other = scattered(blood(times=times), blood("b.fcs", seed=5, times=times))
        gate = other.tubes[0].scatter_gate
        assert gate is not None and gates[0] is not None
        np.testing.assert_allclose(gate.vertices, gates[0].vertices * times, rtol=1e-6)
        assert other.tubes[0].indices[LYMPHOCYTES].tolist() == inside.tolist()


def test_the_map_reaches_to_the_largest_value_of_any_tube() -> None:
    """The second tube has blood of twice the gain: the polygon of both is the same in either order."""
    one, other = blood(), blood("b.fcs", seed=5, times=(2.0, 4.0))
    found = [scattered(*tubes).tubes[0].scatter_gate for tubes in ((one, other), (other, one))]
    assert found[0] is not None and found[1] is not None
    np.testing.assert_allclose(np.sort(found[0].vertices, axis=0), np.sort(found[1].vertices, axis=0))


def test_events_outside_the_time_gate_are_in_no_population() -> None:
    kept = np.arange(0, 2000, 2)
    work = scattered(blood(keep=kept.tolist()))
    found = work.tubes[0].indices[LYMPHOCYTES]
    assert found.size > 450 and not np.any(found % 2)


def test_without_cd3_positive_cells_no_lymphocytes_are_drawn() -> None:
    work = scattered(blood(cd3=np.full(2000, 0.2), keep=range(40)), drawn=False)
    tube = work.tubes[0]
    assert tube.failed == {LYMPHOCYTES: TIME}
    assert work.flags == [tube.found[LYMPHOCYTES].flag] == ["no CD3+ lymphocytes found in FSC x SSC"]
    assert LYMPHOCYTES not in tube.indices and tube.scatter_gate is None


def test_tubes_without_scatter_go_on_ungated() -> None:
    bare = signal({"CD3": np.full(50, 0.5)}, fcs="b.fcs")
    work = scattered(blood(), bare)
    assert work.tubes[0].scatter_gate is not None
    assert work.tubes[1].indices[LYMPHOCYTES].size == 50 and work.tubes[1].scatter_gate is None
    assert work.tubes[1].found[LYMPHOCYTES].flag == NO_SCATTER
    (flag,) = work.flags
    assert flag == f"{NO_SCATTER}: debris, doublets and other leukocytes are not left out in 1 tube(s)"
    alone = scattered(bare, replace(bare))
    assert "in 2 tube(s)" in alone.flags[0]


def test_sides_set_by_hand_make_a_rectangle_in_their_tube_alone() -> None:
    """The other sides are the polygon's; both sides belong to it."""
    overrides = [by_hand("lymph_fsc_low", 390.0, "b.fcs"), by_hand("lymph_ssc_high", 125.0, "b.fcs")]
    work = scattered(blood(), blood("b.fcs"), overrides=overrides)
    plain, moved = work.tubes
    assert plain.scatter_gate is not None and moved.scatter_gate is not None and not plain.boundaries
    low, high = plain.scatter_gate.vertices.min(axis=0), plain.scatter_gate.vertices.max(axis=0)
    sides = moved.scatter_gate.vertices.min(axis=0), moved.scatter_gate.vertices.max(axis=0)
    assert sides[0].tolist() == [390.0, low[1]] and sides[1].tolist() == [high[0], 125.0]
    assert [(one.gate, one.detector, one.value) for one in moved.boundaries] == [
        ("lymph_fsc_low", "FSC", 390.0), ("lymph_ssc_high", "SSC", 125.0),
    ]  # fmt: skip
    fsc, ssc = (moved.signal.stored(name) for name in ("FSC", "SSC"))
    expected = (fsc >= 390) & (fsc <= high[0]) & (ssc >= low[1]) & (ssc <= 125)
    assert moved.indices[LYMPHOCYTES].tolist() == np.flatnonzero(expected).tolist()


def test_dead_cells_are_those_of_the_time_gate_beyond_the_boundary_of_the_viability_dye() -> None:
    """Small CD3+ cells are dead, and the gate ends at them; what the time gate left out does not tell who is dead."""
    fsc = peaks((400, 40, 2000), (250, 20, 2000))
    ssc, cd3 = peaks((120, 15, 4000)), peaks((0.6, 0.04, 4000))
    dye, filler = peaks((0.2, 0.05, 2000), (0.8, 0.03, 2000)), np.full(4000, 0.97)
    plain, undyed = (
        scattered(signal({"CD3": cd3} | more, scatter={"FSC": fsc, "SSC": ssc})) for more in ({"viability": dye}, {})
    )
    filled = scattered(signal(
        {"CD3": np.tile(cd3, 2), "viability": np.concatenate((dye, filler))},
        scatter={"FSC": np.tile(fsc, 2), "SSC": np.tile(ssc, 2)}, keep=range(4000),
    ))  # fmt: skip
    dropped = scattered(signal({"CD3": cd3}, scatter={"FSC": fsc, "SSC": ssc}, keep=range(3990)))
    few = scattered(signal(
        {"CD3": cd3[:90], "viability": dye[1955:2045]}, scatter={"FSC": fsc[:90], "SSC": ssc[:90]},
    ))  # fmt: skip
    lefts = [
        work.tubes[0].scatter_gate.vertices[:, 0].min() if work.tubes[0].scatter_gate is not None else None
        for work in (plain, filled, undyed, dropped, few)
    ]
    assert lefts[0] == pytest.approx(300, abs=20) and lefts[1] == lefts[0]
    assert lefts[2] < 210 and lefts[3] < 210
    assert lefts[4] is not None, "of 90 cells the dye tells nothing"


@pytest.mark.parametrize(
    ("moved", "told"), [((1.0, 1.0), ""), ((0.81, 1.0), ""), ((1.0, 1.32), ""), ((1.0, 1.0 / 1.6), "60 %"),
                        ((1.0 / 1.27, 1.0), "27 %"), ((0.7, 0.75), "43 %")],
)  # fmt: skip
def test_a_polygon_whose_middle_lies_far_from_the_controls_is_told(moved: tuple[float, float], told: str) -> None:
    """By the percent of the control's in FSC or SSC, whichever is more; a quarter and less is not."""
    plain = scattered(blood()).tubes[0].scatter_gate
    assert plain is not None
    given = ControlGates(polygon=ControlPolygon(("FSC", "SSC"), plain.vertices * moved))
    found = scattered(blood(), control_gates=given).tubes[0].found[LYMPHOCYTES]
    assert found.flag == (f"its middle lies {told} from that of the control's" if told else "")
    assert found.shape is not None
    np.testing.assert_array_equal(found.shape, plain.vertices)


def test_the_middle_of_a_polygon_is_that_between_its_ends() -> None:
    """A control's polygon moved along FSC until its middle lies at five sevenths: 40 % from it."""
    plain = scattered(blood()).tubes[0].scatter_gate
    assert plain is not None
    middle = (plain.vertices[:, 0].min() + plain.vertices[:, 0].max()) / 2
    moved = ControlPolygon(("FSC", "SSC"), plain.vertices - [middle * 2 / 7, 0.0])
    found = scattered(blood(), control_gates=ControlGates(polygon=moved)).tubes[0].found[LYMPHOCYTES]
    assert found.flag == "its middle lies 40 % from that of the control's"


def test_the_controls_polygon_serves_where_none_is_found_on_the_same_detectors() -> None:
    square = np.array([[300.0, 50.0], [500.0, 50.0], [500.0, 200.0], [300.0, 200.0]])
    tube = blood(cd3=np.full(2000, 0.2), keep=range(40))
    for names, used in ((("FSC", "SSC"), True), (("FSC", "SSC-H"), False)):
        given = ControlGates(polygon=ControlPolygon(names, square))
        work = scattered(tube, control_gates=given, drawn=used)
        found = work.tubes[0].found[LYMPHOCYTES]
        if used:
            assert found.method == "the control's polygon" and found.shape is square
            assert found.flag == "no CD3+ lymphocytes found in FSC x SSC; the control's polygon is used"
            fsc, ssc = (work.tubes[0].signal.stored(name)[:40] for name in ("FSC", "SSC"))
            inside = (fsc >= 300) & (fsc <= 500) & (ssc >= 50) & (ssc <= 200)
            assert work.tubes[0].indices[LYMPHOCYTES].size == np.count_nonzero(inside)


RATIO = np.concatenate((peaks((1.2, 0.03, 2000)), np.full(200, 1.9)))


def heights(ratio: Floats, fcs: str = "a.fcs") -> TubeSignal:
    """Return a tube of cells of FSC 600 and a ratio of area to height."""
    scatter = {"FSC": np.full(ratio.size, 600.0), "FSC-H": np.where(ratio > 0, 600 / np.where(ratio > 0, ratio, 1), 0)}
    return signal({"CD3": np.full(ratio.size, 0.5)}, fcs=fcs, scatter=scatter)


def single(*tubes: TubeSignal, **more) -> Working:
    """Return a sample of which single cells are gated."""
    work = working(*tubes, parent=LYMPHOCYTES, **more)
    assert gate_singlets(work, SINGLET_GATE, LYMPHOCYTES)
    return work


def test_single_cells_lie_within_their_band_and_events_without_height_are_none() -> None:
    ratio = np.concatenate((RATIO, [0.0] * 5))
    work = single(heights(ratio))
    tube = work.tubes[0]
    low, high = tube.boundaries
    assert (low.gate, high.gate, low.detector, low.tube) == ("singlet_low", "singlet_high", "FSC/FSC-H", "a.fcs")
    assert low.value == pytest.approx(1.08, abs=0.02) and high.value == pytest.approx(1.29, abs=0.02)
    expected = (ratio >= low.value) & (ratio <= high.value)
    assert tube.indices[SINGLETS].tolist() == np.flatnonzero(expected).tolist()
    moved = single(heights(ratio), overrides=[by_hand("singlet_high", 1.2), by_hand("singlet_low", 1.1)]).tubes[0]
    assert np.all((ratio[moved.indices[SINGLETS]] > 1.0999) & (ratio[moved.indices[SINGLETS]] < 1.2001))


@pytest.mark.parametrize(("count", "borrowed"), [(50, False), (49, True)])
def test_few_lymphocytes_take_the_band_of_the_samples_tubes(count: int, borrowed: bool) -> None:
    work = single(heights(RATIO), heights(RATIO[:count], "b.fcs"))
    first, second = (tube.boundaries for tube in work.tubes)
    flag = "only 49 lymphocytes: the band of the sample's tubes together" if borrowed else ""
    assert [one.flag for one in second] == [flag] * 2 and [one.flag for one in first] == [""] * 2
    near = [abs(one.value - other.value) < 2e-3 for one, other in zip(first, second, strict=True)]
    assert all(near) is borrowed


def test_too_few_lymphocytes_have_no_band_and_go_on_where_other_tubes_have_one() -> None:
    """Where no tube has one, the population is missing, and why is said."""
    none = single(heights(RATIO[:20]), heights(RATIO[:25], "b.fcs"))
    assert none.flags == ["too few lymphocytes for a singlet gate"] * 2
    assert [tube.failed for tube in none.tubes] == [{SINGLETS: LYMPHOCYTES}] * 2
    assert all(SINGLETS not in tube.indices for tube in none.tubes)
    by_eye = single(heights(RATIO[:20]), heights(RATIO[:25], "b.fcs"), overrides=[by_hand("singlet_low", 1.2, "b.fcs")])
    assert by_eye.tubes[0].indices[SINGLETS].size == 20
    assert by_eye.tubes[1].indices[SINGLETS].size == np.count_nonzero(RATIO[:25] >= 1.2)


def test_tubes_without_a_second_fsc_measure_go_on_where_others_have_one() -> None:
    bare = signal({"CD3": np.full(30, 0.5)}, fcs="b.fcs", scatter={"FSC": np.full(30, 600.0)})
    reason = "singlets not assessable: no second FSC measure in this file"
    work = single(heights(RATIO), bare)
    assert work.tubes[1].indices[SINGLETS].size == 30
    assert work.tubes[1].failed == {SINGLETS: LYMPHOCYTES}
    assert [work.tubes[1].found[name].flag for name in SINGLET_GATE.boundaries] == [reason] * 2
    assert work.flags == ["singlets not assessable in 1 tube(s): no second FSC measure"]
    alone = single(bare)
    assert SINGLETS not in alone.tubes[0].indices and len(alone.flags) == 1


def test_without_height_the_width_tells() -> None:
    width = np.concatenate((peaks((60, 2, 2000)), np.full(200, 110.0)))
    tube = signal({"CD3": np.full(2200, 0.5)}, scatter={"FSC": np.full(2200, 600.0), "FSC-W": width})
    work = single(tube)
    low, high = work.tubes[0].boundaries
    assert (
        low.detector == "FSC-W" and low.value == pytest.approx(52, abs=1.5) and high.value == pytest.approx(66, abs=1)
    )
    assert work.tubes[0].indices[SINGLETS].size == pytest.approx(1998, abs=6)

"""What is measured of simulated memory tubes, beside their truth."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from benchmarks.b_cells.memory_cells import measured

from cd40l_flow.decision.b_cells.measures import MemoryControl, MemoryMeasures, Share
from cd40l_flow.simulate.b_cells import BSample, Subsets, write_b_cells

SEED = 31
USUAL = BSample("P01", b_events=1500, b_percent=20.0, tubes=("memory", "memory-FMO27"))


def of(sample: BSample, folder: Path, control: MemoryControl | None = None) -> MemoryMeasures:
    write_b_cells(folder, SEED, [sample])
    found, _ = measured(folder, sample, control)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> MemoryMeasures:
    return of(USUAL, tmp_path_factory.mktemp("usual"))


def holds(share: Share | None, percent: float) -> bool:
    assert share is not None and share.low is not None and share.high is not None
    return share.low <= percent <= share.high


def test_every_subset_is_found(usual: MemoryMeasures) -> None:
    """The intervals hold the donor's shares, and shares add up to all B cells."""
    true = USUAL.subsets
    assert usual.unresolved == "" and usual.cd27_converged and usual.cd27_background == "memory-FMO27"
    assert holds(usual.switched, 100 * true.switched)
    assert holds(usual.switched_two_marker, 100 * (true.switched + true.igm_only))
    assert holds(usual.non_switched, 100 * true.non_switched)
    assert holds(usual.naive, 100 * (true.naive + true.transitional))
    assert holds(usual.plasmablasts, 100 * true.plasmablast)
    parts = (usual.naive, usual.non_switched, usual.switched_two_marker, usual.double_negative, usual.plasmablasts)
    assert sum(part.percent or 0.0 for part in parts if part is not None) == pytest.approx(100, abs=0.5)
    assert usual.cd27_separation is not None and usual.cd27_separation > 2
    assert usual.igd_separation is not None and usual.igd_separation > 3


def test_none_seen_is_not_none(tmp_path: Path) -> None:
    """A donor without switched cells has an interval from zero to at least Wilson's end of none seen."""
    none = replace(USUAL, subsets=Subsets(switched=0.0, igm_only=0.0, plasmablast=0.0), b_events=400, b_percent=8.0)
    found = of(none, tmp_path)
    assert found.switched is not None and found.switched.low is not None and found.switched.high is not None
    assert found.switched.low < 0.2 and found.switched.high >= 100 * 3.84 / (found.b_events + 3.84)


def test_hardly_any_b_cells_are_counted_and_not_lost(tmp_path: Path) -> None:
    """Where 0.1 % of the lymphocytes are B cells, that is what is reported, not a failure."""
    found = of(replace(USUAL, b_percent=0.1, b_events=0, events=8000), tmp_path)
    assert found.b_cells.percent is not None and found.b_cells.percent < 0.6
    assert found.lymphocytes > 2000
    assert found.switched is None or found.switched.high is None or found.switched.high > 10


def test_what_is_not_stained_is_told(tmp_path: Path) -> None:
    """Without CD3, CD38 and an FMO there is a result, with what each lack costs."""
    found = of(replace(USUAL, tubes=("memory",), dump=False, cd38=False), tmp_path)
    assert found.cd3_percent is None and found.plasmablasts is None and found.transitional_percent is None
    assert found.cd27_background == "IgD-bright cells"
    assert len(found.notes) >= 3 and holds(found.switched_two_marker, 13.2)


def test_memory_cells_are_not_taken_for_naive_ones_without_an_fmo(usual: MemoryMeasures, tmp_path: Path) -> None:
    """A donor with 10 % naive cells, most IgD+ cells CD27+: no number, where 38 % of switched cells were shown as 0."""
    few_naive = Subsets(0.04, 0.45, 0.38, 0.007, 0.025, 0.0035)
    control = MemoryControl(("C01",), usual.igd_median, usual.igm_median, usual.cd27_negative_median)
    found = of(replace(USUAL, subsets=few_naive, b_events=600, tubes=("memory",)), tmp_path, control)
    share = found.switched
    shown = share is not None and share.percent is not None
    assert not shown or holds(share, 38.0)
    assert shown or "IgD+ cells have" in found.unresolved


def test_unwashed_serum_leaves_no_igd_to_gate_on(tmp_path: Path) -> None:
    """Where plasma took the anti-IgD away, medians fall beneath those of a washed sample."""
    found = of(replace(USUAL, serum_ig=0.03), tmp_path)
    assert found.unresolved or (found.igd_median is not None and found.igd_median < 3000)


def test_a_control_lends_the_shape_of_memory_cells(usual: MemoryMeasures, tmp_path: Path) -> None:
    """With few cells the control's shape keeps the share near the truth, and does not change a certain one."""
    control = MemoryControl(("C01",), cd27_shape=usual.cd27_shape)
    few = replace(USUAL, sample="P02", b_events=120, b_percent=3.0)
    assert holds(of(few, tmp_path / "few", control).switched_two_marker, 12.6)
    again = of(USUAL, tmp_path / "again", control)
    assert again.switched_two_marker.percent == pytest.approx(usual.switched_two_marker.percent, abs=0.5)


def test_the_same_tube_gives_the_same_numbers(usual: MemoryMeasures, tmp_path: Path) -> None:
    """Nothing is random in the measures."""
    again = of(USUAL, tmp_path)
    assert all(getattr(again, field.name) == getattr(usual, field.name) for field in fields(usual))

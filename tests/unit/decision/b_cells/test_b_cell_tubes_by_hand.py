"""What is measured of B cells that are placed by hand: why shares cannot be told, notes, and CD40 in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cd40l_flow.assay.b_cells import B_CELLS, CD3_POSITIVE
from cd40l_flow.assay.cd40.gates import MONOCYTES
from cd40l_flow.assay.shared_gates import TIME
from cd40l_flow.decision.b_cells import measure, shares
from cd40l_flow.decision.b_cells.cd27_anchors import Anchor
from cd40l_flow.decision.b_cells.cd40 import T_CELLS, _compared, cd40_measures
from cd40l_flow.decision.b_cells.measure import _not_naive, memory_measures
from cd40l_flow.decision.b_cells.measures import Cd40Cells, Cd40Measures, MemoryControl
from cd40l_flow.gating.found import Found, no_gate
from cd40l_flow.gating.model import GatedTube
from cd40l_flow.mixture.medians import median_difference, median_interval
from cd40l_flow.mixture.proportion import Z95
from helpers.by_hand.b_cells import cd40_cells
from helpers.by_hand.cases import limits
from helpers.by_hand.gated_tubes import SCALE, first, gated_sample, gated_tube, normal

LIMITS = limits()
MARKERS = ("CD19", "CD27", "IgD", "IgM", "CD38", "CD3")
BOUNDARIES = {"cd19_low": 500.0, "cd3_high": 500.0, "igd_low": 1000.0, "cd27_low": 1000.0, "igm_low": 1000.0}
CELLS = 300


def memory_tube(
    cells: int = 15,  # too few for a mixture, which no test here is about
    markers: Sequence[str] = MARKERS,
    gates: Sequence[str] = tuple(BOUNDARIES),
    populations: Sequence[str] = (TIME, B_CELLS),
    found: dict[str, Found] | None = None,
    reagent: str = "memory",
) -> GatedTube:
    """Return a tube whose first events are naive B cells, the other ones T cells; every cell has its kind's light."""
    values = {marker: np.full(2 * CELLS, 9000.0 if marker in ("CD19", "IgD", "IgM") else 100.0) for marker in markers}
    masks = {TIME: first(2 * CELLS, 2 * CELLS), B_CELLS: first(2 * CELLS, cells)}
    return gated_tube(
        values, {name: masks[name] for name in populations}, fcs=f"{reagent}.fcs", stimulation="unstimulated",
        reagent=reagent, boundaries={gate: BOUNDARIES[gate] for gate in gates}, found=found,
    )  # fmt: skip


def unresolved(*tubes: GatedTube, flags: tuple[str, ...] = ()) -> str:
    found = memory_measures(gated_sample(*tubes, flags=flags), None, LIMITS)
    assert found is not None
    # Where the shares cannot be told none is.
    assert not found.unresolved or found.naive.percent is found.switched_two_marker.percent is None
    return found.unresolved


def test_without_its_tube_nothing_is_measured() -> None:
    assert memory_measures(gated_sample(memory_tube(reagent="memory-FMO27")), None, LIMITS) is None


@pytest.mark.parametrize(
    ("flags", "why"), [((), "B cells could not be gated"), (("CD3: none", "CD19: none"), "CD19: none")]
)
def test_without_b_cells_the_last_warning_says_why(flags: tuple[str, ...], why: str) -> None:
    ungated = memory_tube(populations=(TIME,))
    assert unresolved(ungated, flags=flags) == why
    found = memory_measures(gated_sample(ungated), None, LIMITS)
    assert found is not None
    assert (found.b_events, found.b_cells.percent, found.lymphocytes) == (0, None, 2 * CELLS)


def test_no_b_cell_is_counted_as_none() -> None:
    found = memory_measures(gated_sample(memory_tube(cells=0)), None, LIMITS)
    assert found is not None and found.unresolved == "no B cells"
    assert (found.b_events, found.b_cells.percent) == (0, 0.0)


@pytest.mark.parametrize(
    ("gate", "flag", "why"),
    [
        ("igd_low", "", "IgD could not be gated"),
        ("igd_low", "no cells without IgD", "no cells without IgD"),
        ("cd27_low", "", "CD27 could not be gated"),
        ("cd27_low", "only 3 naive cells", "only 3 naive cells"),
    ],
)
def test_a_boundary_that_is_missing_is_named_by_its_search(gate: str, flag: str, why: str) -> None:
    gates = [one for one in BOUNDARIES if one != gate]
    assert unresolved(memory_tube(gates=gates, found={gate: no_gate(flag)} if flag else {})) == why


@pytest.mark.parametrize(("apart", "told"), [(2.0, True), (1.99, False), (None, True)])
def test_igd_must_lie_two_sd_apart(apart: float | None, told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "igd_separation", lambda *_: apart)
    why = unresolved(memory_tube())
    assert why == "" if told else "IgD of B cells is not separated" in why and "(D 2.0, at least 2)" in why


@pytest.mark.parametrize(
    ("lacking", "note"),
    [
        ("CD3", "CD3 is not stained"),
        ("IgM", "IgM is not stained"),
        ("CD38", "CD38 is not stained"),
        ("", ""),
    ],
)
def test_what_is_not_stained_is_noted(lacking: str, note: str) -> None:
    gates = [gate for gate in BOUNDARIES if (lacking, gate) not in (("CD3", "cd3_high"), ("IgM", "igm_low"))]
    tubes = (
        memory_tube(markers=[one for one in MARKERS if one != lacking], gates=gates),
        memory_tube(reagent="memory-FMO27"),
    )
    found = memory_measures(gated_sample(*tubes), None, LIMITS)
    assert found is not None
    assert [text[: len(note)] for text in found.notes] == ([note] if note else [])
    alone = memory_measures(gated_sample(memory_tube()), None, LIMITS)
    assert alone is not None and [text[:13] for text in alone.notes] == ["No B cells of"]


def test_igm_that_does_not_tell_is_noted() -> None:
    gates = [gate for gate in BOUNDARIES if gate != "igm_low"]
    found = memory_measures(gated_sample(memory_tube(gates=gates), memory_tube(reagent="memory-FMO27")), None, LIMITS)
    assert found is not None
    assert found.notes == ("IgM of B cells is not separated from that of cells without it: no three-marker share.",)
    ungated = memory_measures(gated_sample(memory_tube(populations=(TIME,))), None, LIMITS)
    assert ungated is not None and len(ungated.notes) == 1  # nothing but the FMO


@pytest.mark.parametrize(
    ("mine", "theirs", "fixed"),
    [
        (301.0, 100.0, False),
        (300.0, 100.0, True),
        (301.0, None, True),
        (None, 100.0, True),
        (301.0, 0.0, True),
        (301.0, -5.0, True),
    ],
)
def test_igd_cells_fix_no_cd27_negative_ones_where_they_have_thrice_the_control_s(
    mine: float | None, theirs: float | None, fixed: bool
) -> None:
    why = _not_naive(mine, MemoryControl(("C01",), cd27_negative_median=theirs), 3.0)
    assert why == "" if fixed else "3.0 times the CD27 of the control's naive cells (at most 3)" in why
    assert _not_naive(mine, None, 3.0) == ""


@pytest.mark.parametrize(("cells", "fitted"), [(20, True), (19, False)])
def test_fewer_than_twenty_b_cells_are_counted(cells: int, fitted: bool) -> None:
    found = memory_measures(gated_sample(memory_tube(cells)), None, LIMITS)
    assert found is not None
    assert (found.cd27_separation is not None) is (found.cd27_background != "") is fitted
    assert found.naive.threshold_percent == 100.0 and found.naive.events == cells


@pytest.mark.parametrize(("naive", "memory", "known"), [(30, 5, True), (30, 0, False), (20, 5, True), (19, 5, False)])
def test_without_a_control_igd_negative_cells_tell_where_cd27_begins(
    naive: int, memory: int, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They need twenty IgD+ cells beside them."""
    laws = []

    def anchored(*given: Any) -> tuple[Anchor, ...]:
        laws.append(given[4])
        return ()

    monkeypatch.setattr(shares, "cd27_anchors", anchored)
    tube = memory_tube(naive + memory)
    dark = np.arange(2 * CELLS) >= naive
    column = tube.signal.events.names.index("IgD-A")
    tube.signal.events.values[dark, column] = 100.0
    tube.signal.scaled["IgD"][dark] = SCALE.to_scaled(100.0)
    memory_measures(gated_sample(tube), None, LIMITS)
    assert len(laws) == (naive + memory >= 20)
    assert [law is not None for law in laws] == [known] * len(laws)


# CD40 on B cells and monocytes.


def cd40_tube(
    reagent: str,
    b_cells: float,
    monocytes: float,
    markers: Sequence[str] = ("CD19", "CD3", "CD14"),
    populations: Sequence[str] = (TIME, B_CELLS, MONOCYTES, CD3_POSITIVE),
    cells: int = 90,  # too few for a mixture, which no test here is about
) -> GatedTube:
    """Return a tube of as many B cells, monocytes and T cells of known medians of CD40; T cells have 50."""
    target = np.concatenate([normal(cells, median, 40.0) for median in (b_cells, monocytes, 50.0)])
    kinds = np.repeat([0, 1, 2], cells)
    bright = {"CD19": 0, "CD14": 1, "CD3": 2}
    values = {"target": target} | {name: np.where(kinds == bright[name], 9000.0, 0.0) for name in markers}
    masks = {TIME: kinds >= 0, B_CELLS: kinds == 0, MONOCYTES: kinds == 1, CD3_POSITIVE: kinds == 2}
    return gated_tube(
        values, {name: masks[name] for name in populations}, fcs=f"{reagent}.fcs", stimulation="unstimulated",
        reagent=reagent, parents=dict.fromkeys(masks, TIME) | {TIME: "all"},
        boundaries={"cd19_low": 1000.0, "cd3_high": 1000.0},
    )  # fmt: skip


def cd40(*tubes: GatedTube, controls: Sequence[Cd40Measures] = ()) -> Cd40Measures:
    found = cd40_measures(gated_sample(*tubes), controls, LIMITS)
    assert found is not None
    return found


ISOTYPE = cd40_tube("CD40-isotype", 60.0, 100.0)


def test_cd40_is_the_median_less_that_of_the_isotype_on_the_same_cells() -> None:
    found = cd40(cd40_tube("CD40", 1060.0, 600.0), ISOTYPE)
    assert [(one.population, one.level) for one in found.cells] == [
        ("B cells", pytest.approx(1000.0, rel=1e-4)), ("monocytes", pytest.approx(500.0, rel=1e-4)),
    ]  # fmt: skip
    assert (found.background, found.notes, found.b_events, found.lymphocytes) == ("CD40-isotype", (), 90, 270)
    assert cd40_measures(gated_sample(ISOTYPE), (), LIMITS) is None
    beside = cd40(cd40_tube("CD40", 560.0, 600.0), ISOTYPE, controls=[found])
    assert [one.ratio for one in beside.cells] == [pytest.approx(0.5, rel=1e-3), pytest.approx(1.0, rel=1e-3)]


def test_without_an_isotype_t_cells_stand_in_for_b_cells_alone() -> None:
    found = cd40(cd40_tube("CD40", 1060.0, 600.0))
    (b_cells,) = found.cells
    assert (b_cells.population, b_cells.level) == ("B cells", pytest.approx(1010.0, rel=1e-4))
    assert found.background == T_CELLS
    assert [note[:20] for note in found.notes] == ["No isotype tube with", "Monocytes were not m"]
    # An isotype tube of monocytes alone serves these.
    isotype = cd40_tube("CD40-isotype", 60.0, 100.0, populations=(TIME, MONOCYTES, CD3_POSITIVE))
    both = cd40(cd40_tube("CD40", 1060.0, 600.0), isotype)
    assert [one.level for one in both.cells] == [pytest.approx(1010.0, rel=1e-4), pytest.approx(500.0, rel=1e-4)]
    assert [note[:20] for note in both.notes] == ["No isotype tube with"]


def test_what_the_cd40_tube_lacks_is_noted() -> None:
    no_t_cells = cd40(cd40_tube("CD40", 1060.0, 600.0, ("CD19", "CD14")), ISOTYPE)
    assert [note[:18] for note in no_t_cells.notes] == ["CD3 is not stained"]
    no_monocytes = cd40(cd40_tube("CD40", 1060.0, 600.0, populations=(TIME, B_CELLS, CD3_POSITIVE)), ISOTYPE)
    assert [note[:20] for note in no_monocytes.notes] == ["Monocytes were not m"]
    nothing = cd40(cd40_tube("CD40", 1060.0, 600.0, populations=(TIME,)))
    assert nothing.cells == () and nothing.b_events == 0


@pytest.mark.parametrize(("cells", "dark", "known"), [(10, 10, True), (9, 300, False), (300, 9, False)])
def test_a_level_of_fewer_than_ten_cells_has_no_interval(cells: int, dark: int, known: bool) -> None:
    """The intervals of both medians are combined by MOVER."""
    values, background = normal(cells, 900.0, 200.0), normal(dark, 100.0, 40.0)
    level, low, high = median_difference(values, background)
    assert level == pytest.approx(800.0)
    assert (low is not None) is (high is not None) is known
    if known:
        own, other = median_interval(values), median_interval(background)
        assert None not in (*own, *other)
        assert low == pytest.approx(800 - math.hypot(900 - own[0], other[1] - 100))  # type: ignore[operator]
        assert high == pytest.approx(800 + math.hypot(own[1] - 900, 100 - other[0]))  # type: ignore[operator]


def level(middle: float, away: float | None) -> Cd40Cells:
    low, high = (None, None) if away is None else (middle - away, middle + 2 * away)
    return replace(cd40_cells("B cells", None), level=middle, level_low=low, level_high=high)


def test_a_ratio_has_the_errors_of_all_medians_and_of_two_tubes() -> None:
    """Two controls of 1,000 and 600: their mean is 800, of which the sample has half."""
    theirs = [level(1000.0, 60.0), level(600.0, 80.0)]
    found = _compared(level(400.0, 30.0), theirs, LIMITS)
    cv = LIMITS.b_cells.cd40_tube_cv
    controls = math.hypot(math.hypot(60 / Z95, 80 / Z95) / 2 / 800, cv / math.sqrt(2))
    common = Z95 * 0.5 * math.hypot(controls, cv)
    assert found.ratio == pytest.approx(0.5)
    assert found.ratio_low == pytest.approx(0.5 - math.hypot(30 / 800, common))
    assert found.ratio_high == pytest.approx(0.5 + math.hypot(60 / 800, common))
    few = _compared(level(400.0, None), theirs, LIMITS)
    assert (few.ratio, few.ratio_low, few.ratio_high) == (pytest.approx(0.5), None, None)
    none = _compared(level(-10.0, 400.0), theirs, LIMITS)
    assert none.ratio_low == 0.0 and none.ratio == pytest.approx(-10 / 800)


@pytest.mark.parametrize("half", ["level_low", "level_high"])
def test_half_an_interval_is_none(half: str) -> None:
    found = _compared(replace(level(400.0, 30.0), **{half: None}), [level(800.0, 60.0)], LIMITS)
    assert (found.ratio, found.ratio_low, found.ratio_high) == (pytest.approx(0.5), None, None)


def test_without_controls_or_a_level_there_is_no_ratio() -> None:
    mine = level(400.0, 30.0)
    assert _compared(mine, [], LIMITS) == mine
    unknown = replace(mine, level=None)
    assert _compared(unknown, [level(800.0, 60.0)], LIMITS) == unknown


def test_a_control_without_a_level_lends_none() -> None:
    """One of two controls that did not measure monocytes leaves their ratio unknown."""
    whole, part = cd40(cd40_tube("CD40", 1060.0, 600.0), ISOTYPE), cd40(cd40_tube("CD40", 1060.0, 600.0))
    found = cd40(cd40_tube("CD40", 560.0, 600.0), ISOTYPE, controls=[whole, part])
    assert [one.ratio is not None for one in found.cells] == [True, False]

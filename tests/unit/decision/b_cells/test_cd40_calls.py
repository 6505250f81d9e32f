"""Calls of CD40 on B cells and monocytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd40l_flow.assay.cd40.guards import GUARDS
from cd40l_flow.assay.effects import CD40_ABSENT, CD40_CALLS, CD40_LOW, DISCORDANT, PRESENT
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.decision.b_cells.measures import Cd40TCells, Share
from cd40l_flow.decision.case import Refusal
from cd40l_flow.simulate.b_cells import BScenario, day_control, write_b_cells
from cd40l_flow.steps import analyse_sample
from helpers.by_hand.b_cells import CHECKS, CONTROL, SAMPLE, call_cd40, cd40, cd40_cells


@pytest.mark.parametrize(
    ("b_cells", "monocytes", "call"),
    [
        (1.0, 1.0, PRESENT),
        (0.6, 0.7, PRESENT),
        (0.25, 0.25, CD40_LOW),
        (0.0, 0.0, CD40_ABSENT),
        (0.0, 1.0, DISCORDANT),
        (1.0, 0.0, DISCORDANT),
        (0.0, 0.25, DISCORDANT),
        (0.4, 1.0, "INDETERMINATE"),
        (1.0, 0.35, "INDETERMINATE"),
    ],
)
def test_both_kinds_of_cells_must_agree(b_cells: float, monocytes: float, call: str) -> None:
    found = call_cd40(cd40(b_cells, monocytes))
    assert found.call == found.pattern == call
    assert found.reasons == (("BETWEEN_LIMITS",) if call == "INDETERMINATE" else ())
    assert set(found.subcalls) == {"B cells", "monocytes"}
    # Only what is open itself has a reason of its own.
    for kind, level in (("B cells", b_cells), ("monocytes", monocytes)):
        is_open = level in (0.35, 0.4)
        assert found.subcalls[kind].reasons == (("BETWEEN_LIMITS",) if is_open else ())
        assert (found.subcalls[kind].call == "INDETERMINATE") == is_open


@pytest.mark.parametrize(("b_cells", "call"), [(1.0, PRESENT), (0.0, CD40_ABSENT)])
def test_without_monocytes_b_cells_decide_and_the_report_says_so(b_cells: float, call: str) -> None:
    for measures in (cd40(b_cells, None), cd40(b_cells, 0.5)):
        few = replace(
            measures,
            cells=tuple(replace(c, events=c.events if c.population == "B cells" else 20) for c in measures.cells),
        )
        found = call_cd40(few)
        assert (found.call, found.reasons) == (call, ("MONOCYTES_NOT_TESTED",))


@pytest.mark.parametrize(
    ("b_cells", "monocytes", "call"),
    [
        # A little CD40 on both: one B cell in fourteen passes a tenth of the control's, and that is not absent.
        ((0.035, 0.048, 0.062, 7.1), (0.029, 0.044, 0.060, 0.7), CD40_LOW),
        # Of dim monocytes it is not known; B cells have none.
        ((0.0, -0.007, 0.006, 0.1), (0.0, 0.036, 0.153, 0.2), CD40_ABSENT),
        ((0.0, 0.003, 0.006, 0.1), (0.006, 0.07, 0.153, 0.2), CD40_ABSENT),
        ((0.0, 0.003, 0.006, 0.1), (0.0061, 0.07, 0.153, 0.2), DISCORDANT),
        ((0.12, 0.2, 0.25, 90.0), (0.0, 0.02, 0.05, 0.2), DISCORDANT),
    ],
)
def test_kinds_of_cells_that_one_level_fits_do_not_contradict_each_other(
    b_cells: tuple[float, ...], monocytes: tuple[float, ...], call: str
) -> None:
    cells = tuple(
        replace(cd40_cells(name, ratio), ratio_low=low, ratio_high=high, positive=Share(percent, percent, percent, 10))
        for name, (low, ratio, high, percent) in (("B cells", b_cells), ("monocytes", monocytes))
    )
    found = call_cd40(replace(cd40(), cells=cells))
    assert (found.call, found.reasons) == (call, ())


def test_absence_needs_that_hardly_a_cell_is_positive() -> None:
    some = tuple(cd40_cells(name, 0.0, 9.0, 0.02) for name in ("B cells", "monocytes"))
    assert call_cd40(replace(cd40(0.0), cells=some)).call == CD40_LOW


T_CELLS = Cd40TCells(3000, 3000, 100.0, 40.0, shift=0.0, shift_high=0.05)
WITH_ISOTYPE: dict[str, Any] = {"t_cells": T_CELLS, "isotype_b_events": 1500}
FIRED: dict[str, dict[str, Any]] = {
    **{
        code: {"refusals": (Refusal("c.fcs", code, "Refused."),)}
        for code in ("FILE_INTEGRITY", "ANALYSIS_FAILED", "CHANNEL_MAP", "NO_COMP", "REPLICATE_DISCORDANT")
    },
    "TUBE_MISSING": {"sample": replace(SAMPLE, tubes=())},
    "CONTROL_ABSENT": {"control": None},
    "CONTROL_FAILED": {"control": replace(CONTROL, failures=("Too dim.",))},
    "TOO_FEW_B": {"b_events": 199},
    "SAMPLE_AGE": {"sample": replace(SAMPLE, collected_h=73.0)},
    "ANTI_CD40": {"sample": replace(SAMPLE, anti_cd40="yes")},
    "TWO_POPULATIONS": {"mosaic": True},
    "MONOCYTES_NOT_TESTED": {"monocytes": None},
    "HSCT": {"sample": replace(SAMPLE, transplant="yes")},
    "TRANSFUSION": {"sample": replace(SAMPLE, transfusion="yes")},
    "ACQ_QC": {"checks": replace(CHECKS, margin_percent=2.0)},
    "ID_CONFLICT": {"sample": replace(SAMPLE, sex="unknown")},
    "TUBE_SWAP": {"cells": {"level": -900.0, "level_high": -800.0, "background_sd": 100.0}, "measures": WITH_ISOTYPE},
    "MARKER_SWAP": {"measures": WITH_ISOTYPE | {"isotype_b_events": 300}},
    "GAIN_MISMATCH": {"measures": {"volts": (560.0,)}, "controls": [cd40(volts=(480.0,))]},
    "STAIN_FAILED": {"measures": WITH_ISOTYPE | {"t_cells": replace(T_CELLS, shift=-0.6, shift_high=-0.5)}},
    "HIGH_BACKGROUND": {"cells": {"background_excess": 0.21}},
    "CONTROL_DOUBTFUL": {"cells": {"ratio": 2.51}},
}


def test_every_guard_of_the_table_is_tried() -> None:
    assert set(FIRED) == {row.code for row in GUARDS}


@pytest.mark.parametrize("code", FIRED)
@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_a_guard_that_fires_takes_its_calls_away_and_leaves_the_others(code: str, ratio: float) -> None:
    row, change = next(row for row in GUARDS if row.code == code), FIRED[code]
    measures = cd40(ratio, change.get("monocytes", ratio))
    if "b_events" in change:
        measures = replace(measures, b_events=change["b_events"])
    if "mosaic" in change:
        mixed = {"negative_fraction": 0.4, "negative_fraction_low": 0.36, "negative_fraction_high": 0.44}
        measures = replace(measures, cells=tuple(replace(cells, **mixed) for cells in measures.cells))
    measures = replace(measures, **change.get("measures", {}))
    measures = replace(measures, cells=tuple(replace(one, **change.get("cells", {})) for one in measures.cells))
    outside = {key: change[key] for key in ("refusals", "sample", "control", "checks", "controls") if key in change}
    found = call_cd40(measures, **outside)
    assert [guard for guard in found.guards if guard.code == code and guard.fired]
    if found.pattern in row.blocks:
        assert found.call == "INDETERMINATE" and code in found.reasons
    else:
        assert found.call == found.pattern != "INDETERMINATE"
    assert not row.warns or code in found.reasons
    assert found.qc == ("fail" if row.blocks == CD40_CALLS else "warn")


def test_a_part_of_the_cells_with_less_cd40_is_not_present() -> None:
    """A quarter of the cells at a quarter of the level leaves the median as it is; a patient's low call stays."""
    for tail, ratio, call in ((0.59, 0.9, "INDETERMINATE"), (0.6, 0.9, PRESENT), (0.45, 0.2, CD40_LOW)):
        measures = cd40(ratio, ratio)
        cells = tuple(replace(one, low_tail_ratio=tail) for one in measures.cells)
        found = call_cd40(replace(measures, cells=cells))
        assert found.call == call and ("TWO_POPULATIONS" in found.reasons) is (call == "INDETERMINATE")


def test_a_single_control_is_judged_by_its_own_guards() -> None:
    control = replace(SAMPLE, role="control")
    alone = replace(cd40(), cells=tuple(cd40_cells(name, None) for name in ("B cells", "monocytes")))
    assert call_cd40(alone, control, None).call == PRESENT
    dim = replace(alone, cells=(cd40_cells("B cells", None, 60.0),))
    found = call_cd40(dim, control, None)
    assert (found.call, found.reasons[0]) == ("INDETERMINATE", "CONTROL_FAILED")


@settings(deadline=None)
@given(st.floats(0, 2), st.floats(0.01, 0.5), st.integers(0, 199))
def test_few_b_cells_and_unknown_ratios_have_no_call(ratio: float, error: float, events: int) -> None:
    cells = tuple(cd40_cells(name, ratio, 50.0, error) for name in ("B cells", "monocytes"))
    assert call_cd40(replace(cd40(), cells=cells, b_events=events)).call == "INDETERMINATE"
    blank = tuple(replace(one, ratio=None, ratio_low=None, ratio_high=None) for one in cells)
    assert call_cd40(replace(cd40(), cells=blank)).call == "INDETERMINATE"
    assert call_cd40(None).call == "INDETERMINATE"


@settings(deadline=None)
@given(st.floats(0, 1.5), st.floats(0.01, 0.3), st.floats(0, 1))
def test_more_cd40_is_never_a_lower_call(ratio: float, error: float, more: float) -> None:
    rank = {CD40_ABSENT: 0, CD40_LOW: 1, "INDETERMINATE": 2, PRESENT: 3}

    def called(value: float) -> int:
        cells = tuple(cd40_cells(name, value, 0.1, error) for name in ("B cells", "monocytes"))
        return rank[call_cd40(replace(cd40(), cells=cells)).pattern]

    # Between absent and low nothing is open: what is not surely absent is low.
    assert called(ratio) <= called(ratio + more)


def test_antibody_that_sticks_otherwise_than_the_isotype_is_no_cd40(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third of his B cells lie above the isotype's 99th percentile, at a hundredth of the control's CD40."""
    monkeypatch.chdir(tmp_path)
    patient = BScenario("cd40-absent", "cd40-absent").sample(3, "S015", instrument="diva")
    write_b_cells(Path(), 3001, (day_control("C01", assay="cd40", instrument="diva"), patient))
    plan = load_plan("config/config.yaml")
    control = analyse_sample(plan.job("C01"), {})[0]
    found = analyse_sample(plan.job("S015"), {"C01": control})[0]

    assert found.call == CD40_ABSENT
    assert found.cd40 is not None
    assert all(cells.positive.high is not None and cells.positive.high < 5 for cells in found.cd40.cells)

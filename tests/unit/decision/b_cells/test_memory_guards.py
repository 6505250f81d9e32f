"""Guards of class-switched memory B cells: which calls each takes away, and at which edge."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from cd40l_flow.assay.effects import MEMORY_CALLS, SWITCHED_ABSENT, SWITCHED_LOW, SWITCHED_NORMAL
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.memory_b.guards import GUARDS
from cd40l_flow.decision.b_cells.age_curve import AgeCurve
from cd40l_flow.decision.b_cells.measures import Dependence, MemoryControl, StainChecks
from cd40l_flow.decision.b_cells.switched import memory_numbers
from cd40l_flow.decision.case import Difference, Refusal
from cd40l_flow.decision.independence import Dependence as Gathering
from helpers.by_hand.b_cells import CHECKS, CONTROL, SAMPLE, call_memory, memory, share

CURVE = AgeCurve()
# Switched share (percent of 2,000 B cells at 7 years, where the limit is 11 and absence 1.1) -> call.
CALLED = {0.0: SWITCHED_ABSENT, 0.4: SWITCHED_ABSENT, 3.0: SWITCHED_LOW, 9.0: SWITCHED_LOW, 18.0: SWITCHED_NORMAL}
# Each guard, fired: what of the measures, sample, control or checks is changed.
NO_COMP = Refusal("m.fcs", "NO_COMP", "No spillover.")
FIRED: dict[str, dict[str, Any]] = {
    "FILE_INTEGRITY": {"refusals": (Refusal("m.fcs", "FILE_INTEGRITY", "Cut short."),)},
    "ANALYSIS_FAILED": {"refusals": (Refusal("m.fcs", "ANALYSIS_FAILED", "Killed."),)},
    "CHANNEL_MAP": {"refusals": (Refusal("m.fcs", "CHANNEL_MAP", "No CD27."),)},
    "NO_COMP": {"refusals": (NO_COMP,)},
    "TUBE_MISSING": {"sample": replace(SAMPLE, tubes=())},
    "REPLICATE_DISCORDANT": {"refusals": (Refusal("m.fcs", "REPLICATE_DISCORDANT", "Two differ."),)},
    "CONTROL_FAILED": {"control": replace(CONTROL, failures=("Too dim.",))},
    "CONTROL_ABSENT": {"control": None},
    "TOO_FEW_B": {"events": 199},
    "B_ABSENT": {"b_cells": share(0.9, 20000)},
    "SERUM_IG": {"double_negative": share(40.0, 2000), "naive": share(30.0, 2000)},
    "LOW_SEPARATION": {"unresolved": "CD27 shows one population."},
    "FIT_UNSTABLE": {"cd27_converged": False},
    "STAIN_FAILED": {"stain": StainChecks(cd27_of_t=1.9)},
    "ANTI_CD20": {"sample": replace(SAMPLE, b_depletion="yes")},
    "SAMPLE_AGE": {"sample": replace(SAMPLE, collected_h=49.0)},
    "AGE_UNKNOWN": {"sample": replace(SAMPLE, age_years=None)},
    "AGE_TOO_YOUNG": {"sample": replace(SAMPLE, age_years=0.5)},
    "DOUBLETS": {"cd3_percent": 3.1},
    "IGM_ONLY": {"igm": None},
    "PLASMABLASTS": {"switched": 45.0},
    "HSCT": {"sample": replace(SAMPLE, transplant="yes")},
    "TRANSFUSION": {"sample": replace(SAMPLE, transfusion="yes")},
    "STEROID": {"sample": replace(SAMPLE, steroid="yes")},
    "ACQ_QC": {"checks": replace(CHECKS, removed_percent=30.0)},
    "ID_CONFLICT": {"sample": replace(SAMPLE, sex="unknown")},
}


def changed(percent: float, change: dict[str, Any]) -> Any:
    """Return the decision on a clean sample of this share with one thing changed."""
    outside = {key: change[key] for key in ("refusals", "sample", "control", "checks") if key in change}
    inside = {key: value for key, value in change.items() if key not in {*outside, "events", "switched", "igm"}}
    measures = memory(change.get("switched", percent), change.get("events", 2000))
    if "igm" in change:
        inside["switched"] = None
    return call_memory(replace(measures, **inside), **outside)


def test_every_guard_of_the_table_is_tried() -> None:
    assert set(FIRED) == {row.code for row in GUARDS}


@pytest.mark.parametrize("code", FIRED)
def test_a_guard_that_fires_takes_its_calls_away_and_leaves_the_others(code: str) -> None:
    row = next(row for row in GUARDS if row.code == code)
    for percent, call in CALLED.items():
        found = changed(percent, FIRED[code])
        fired = [guard for guard in found.guards if guard.code == code and guard.fired]
        assert fired, percent
        if call in row.blocks and found.pattern == call:
            assert found.call == "INDETERMINATE" and code in found.reasons
        elif code in ("CONTROL_ABSENT", "DOUBLETS", "HSCT", "TRANSFUSION", "STEROID", "ACQ_QC", "ID_CONFLICT"):
            assert found.call == call
        if row.warns:
            assert code in found.reasons
        assert found.qc == ("fail" if row.blocks == MEMORY_CALLS else "warn")


def test_the_other_edges_of_guards() -> None:
    """At their limits guards do not fire; a second limit does more or less."""
    for change in (
        {"events": 200}, {"b_cells": share(1.0)}, {"cd3_percent": 3.0},
        {"cd27_separation": 1.2}, {"cd27_separation": None}, {"sample": replace(SAMPLE, collected_h=48.0)},
        {"sample": replace(SAMPLE, b_depletion="unknown")}, {"sample": replace(SAMPLE, collected_h=None)},
    ):  # fmt: skip
        assert changed(30.0, change).call == SWITCHED_NORMAL, change
    assert changed(8.0, {"sample": replace(SAMPLE, age_years=0.75)}).call == SWITCHED_NORMAL
    assert changed(3.0, {"events": 999}).reasons == ("TOO_FEW_B",)
    assert changed(3.0, {"events": 1000}).reasons == ()
    assert changed(3.0, {"cd3_percent": None}).reasons == ("DOUBLETS",)
    assert changed(18.0, {"cd3_percent": None}).call == "INDETERMINATE"
    assert changed(18.0, {"cd27_separation": 1.1}).reasons == ("LOW_SEPARATION",)
    assert changed(18.0, {"cd27_negative_median": 400.0}).reasons == ("CONTROL_FAILED",)
    two_donors = replace(CHECKS, differences=(Difference("CD19+", ("a", "b"), 9.0, 5.0, "%"),))
    assert changed(18.0, {"checks": two_donors}).reasons == ("ID_CONFLICT",)
    assert changed(18.0, {"checks": replace(CHECKS, removed_percent=60.0)}).reasons == ("ACQ_QC",)


def test_plasma_that_ate_the_stain() -> None:
    """IgD and IgM both below 0.45 of the control's; one alone may be the person's."""
    eaten = {"igd_median": 1000.0, "igm_median": 200.0}
    assert changed(18.0, eaten).reasons == ("SERUM_IG",)
    assert changed(18.0, {"igd_median": 1000.0}).call == SWITCHED_NORMAL
    assert changed(18.0, {"igm_median": 200.0}).call == SWITCHED_NORMAL
    # One that is hardly less and one that is nearly gone: together they are eaten.
    assert changed(18.0, {"igd_median": 2900.0, "igm_median": 150.0}).reasons == ("SERUM_IG",)
    assert changed(18.0, {"igd_median": 2900.0, "igm_median": 200.0}).call == SWITCHED_NORMAL
    # Without IgM, IgD alone tells; without a control two peaks of IgD do; without those nothing does.
    assert changed(30.0, {"igd_median": 1000.0, "igm_median": None}).reasons == ("SERUM_IG",)
    assert changed(18.0, {"control": None}).reasons == ("CONTROL_ABSENT",)
    for apart in (None, 1.9):
        found = changed(18.0, {"control": None, "igd_separation": apart})
        assert (found.call, found.reasons) == ("INDETERMINATE", ("SERUM_IG", "CONTROL_ABSENT"))
    # Without a fit the gates tell, or nothing does.
    unknown = {"double_negative": share(None, 0)}
    for percent, reasons in ((31.0, ("SERUM_IG",)), (30.0, ()), (None, ("SERUM_IG",))):
        assert changed(30.0, unknown | {"igd_negative_percent": percent}).reasons == reasons


def test_reagents_that_stick_to_switched_cells_make_nobody_low() -> None:
    """Switched cells look IgD+ then, and a healthy person's share is 0; they have less IgM than any other B cell."""
    for dim, error, few in ((2.1, 0.6, False), (2.0, 0.6, True), (2.1, 0.8, True), (None, 0.0, True)):
        sticking = {"stain": StainChecks(cd27_of_t=30.0, sticking=dim, sticking_error=error)}
        assert (changed(0.0, sticking).call == SWITCHED_ABSENT) is few
        assert (changed(3.0, sticking).call == SWITCHED_LOW) is few
        assert changed(18.0, sticking).call == SWITCHED_NORMAL


def test_people_with_few_naive_cells_have_not_lost_igd() -> None:
    """Of IgD- cells below the threshold of CD27 most may be dim CD27+ ones, and 5 % beside 9 % naive is no third."""
    assert changed(30.0, {"igd_negative_percent": 60.0}).reasons == ()
    few = {"double_negative": share(5.0, 500), "naive": share(9.0, 500), "igd_negative_percent": 40.0}
    assert changed(30.0, few).reasons == ()


def test_b_cells_that_come_back_after_depletion() -> None:
    returning = {"transitional_percent": 60.0}
    unknown = replace(SAMPLE, b_depletion="unknown")
    assert changed(0.1, {**returning, "sample": unknown}).reasons == ("ANTI_CD20",)
    assert changed(0.1, returning).call == SWITCHED_ABSENT
    assert changed(18.0, {**returning, "sample": unknown}).call == SWITCHED_NORMAL


def test_b_cells_that_come_back_are_also_known_by_cd38_alone() -> None:
    """Transitional cells bear several times the CD38 of naive ones; CD24, which would count them, is often missing."""
    control, unknown = replace(CONTROL, cd38_median=2000.0), replace(SAMPLE, b_depletion="unknown")
    for median, call in ((10_000.0, "INDETERMINATE"), (5000.0, SWITCHED_ABSENT), (None, SWITCHED_ABSENT)):
        found = changed(0.1, {"cd38_median": median, "control": control, "sample": unknown})
        assert found.call == call and ("ANTI_CD20" in found.reasons) is (call == "INDETERMINATE")
    bright = {"cd38_median": 10_000.0, "sample": unknown}
    assert changed(0.1, bright).call == SWITCHED_ABSENT  # the control's is not known
    assert changed(18.0, bright | {"control": control}).call == SWITCHED_NORMAL
    assert changed(0.1, {"cd38_median": 10_000.0, "control": control}).call == SWITCHED_ABSENT  # the sheet says: none


@pytest.mark.parametrize(
    ("percent", "call"), [(34.0, SWITCHED_NORMAL), (50.0, "INDETERMINATE"), (80.0, "INDETERMINATE")]
)
def test_more_switched_cells_than_any_healthy_person_has_are_not_normal(percent: float, call: str) -> None:
    """A clone of switched cells hides that others are few: at 7 years 3 SD above the mean are 37 %."""
    found = changed(percent, {})
    assert (found.call, found.pattern, found.reasons) == (call, SWITCHED_NORMAL, ("PLASMABLASTS",))
    # An unknown age has no far end; the warning stays.
    ageless = changed(percent, {"sample": replace(SAMPLE, age_years=None)})
    assert ageless.call == SWITCHED_NORMAL and "AGE_UNKNOWN" in ageless.reasons


def test_igm_that_is_dim_in_the_sample_alone_leaves_no_normal() -> None:
    """Its IgM-only cells cannot be told from switched ones, although the panel was made for it."""
    blind = {"igm": None, "igm_median": 200.0}
    assert (found := changed(30.0, blind)).call == "INDETERMINATE" and found.reasons == ("IGM_ONLY",)
    assert changed(30.0, blind | {"igm_median": 900.0}).call == SWITCHED_NORMAL
    assert changed(30.0, blind | {"igm_median": None}).call == SWITCHED_NORMAL  # not in the panel
    assert changed(0.0, blind).call == SWITCHED_ABSENT


@pytest.mark.parametrize(("name", "code"), [("over_time", "ACQ_QC"), ("replicates", "REPLICATE_DISCORDANT")])
def test_cells_that_gather_in_time_or_in_one_replicate_leave_no_call(name: str, code: str) -> None:
    for log_ratio, error, fired in ((2.0, 0.3, True), (-2.0, 0.3, True), (2.0, 0.5, False), (0.5, 0.05, False)):
        checks = replace(CHECKS, **{name: Gathering(log_ratio, error)})  # type: ignore[arg-type]
        found = changed(18.0, {"checks": checks})
        assert (found.call == "INDETERMINATE") is fired and (code in found.reasons) is fired


def test_a_dim_cd27_of_cells_without_igd_leaves_no_normal() -> None:
    """Large CD27- cells with more background pass for switched ones; a patient who has none stays low."""
    for level, normal in ((0.39, False), (0.4, True), (None, True)):
        stain = {"stain": StainChecks(cd27_of_t=30.0, cd27_of_igd_negative=level)}
        assert (changed(18.0, stain).call == SWITCHED_NORMAL) is normal
        assert changed(3.0, stain).call == SWITCHED_LOW


def test_guards_are_read_from_the_table_alone() -> None:
    """Whichever assay is at work, a guard has the effect of its own table."""
    found = call_memory(memory(18.0), control=MemoryControl(failures=("x",)))
    assert {guard.blocks for guard in found.guards if guard.code == "CONTROL_FAILED"} == {MEMORY_CALLS}
    assert all(guard.effect == "hard" for guard in found.guards if guard.blocks == MEMORY_CALLS)
    assert not math.isnan(memory_numbers(SAMPLE, memory(1.0), CURVE, Limits()).limit_low)


@pytest.mark.parametrize(
    ("stain", "reasons"),
    [
        (StainChecks(cd27_of_t=2.1, fmo_cd27_of_t=0.4), ()),
        (StainChecks(cd27_of_t=None, fmo_cd27_of_t=None), ()),
        (StainChecks(cd27_of_t=0.4, fmo_cd27_of_t=0.4), ("STAIN_FAILED",)),
        (StainChecks(cd27_of_t=30.0, dependence=Dependence("IgM", 0.9)), ()),
        (StainChecks(cd27_of_t=30.0, dependence=Dependence("IgM", -1.1)), ("NO_COMP",)),
        (StainChecks(cd27_of_t=30.0, dependence=Dependence("IgD", 1.1)), ("NO_COMP",)),
    ],
)
def test_cd27_must_be_on_t_cells_and_may_not_follow_immunoglobulin(
    stain: StainChecks, reasons: tuple[str, ...]
) -> None:
    found = call_memory(memory(0.0, stain=stain))
    assert found.reasons == reasons
    assert found.call == ("INDETERMINATE" if reasons else "SWITCHED_ABSENT")


def test_an_exchanged_tube_is_named() -> None:
    found = call_memory(memory(0.0, stain=StainChecks(cd27_of_t=0.4, fmo_cd27_of_t=40.0)))
    (guard,) = [one for one in found.guards if one.code == "STAIN_FAILED"]
    assert "exchanged" in guard.message

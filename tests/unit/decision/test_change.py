"""What would change a call: each change told does what it says, and none nearer does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cd40l_flow.assay.cd40l.reagents import CD40_IG, CD154
from cd40l_flow.decision.calls import decide_on
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.change import Change, would_change
from cd40l_flow.decision.guards import apply_guards
from cd40l_flow.decision.odds import ReagentOdds, Weighed
from cd40l_flow.decision.rule_measures import SAMPLE, every_measure
from helpers.by_hand.cases import ACTIVE, control_alone, joint, judge, limits, make_case, with_measures


def changes_of(case: Case) -> tuple[Change, ...]:
    return would_change(case, judge(case), limits(), require_function=True)


def both(pattern: str) -> Case:
    return make_case({CD154: pattern, CD40_IG: pattern})


def decided(case: Case, change: Change) -> Any:
    """Return the decision when the measures lie where the change says."""
    measures = every_measure(case, limits())
    place = change.reagent or SAMPLE
    measures[place] = {**measures[place], **{step.measure: step.needed for step in change.steps}}
    return decide_on(
        measures, case.planned, apply_guards(case, limits()), limits().calls, alone=False, require_function=True
    )


CASES = [
    *(both(pattern) for pattern in ("NORMAL", "ABSENT", "REDUCED", "MOSAIC")),
    make_case({CD154: "NORMAL", CD40_IG: "ABSENT"}),
    make_case({CD154: "NORMAL"}),
    with_measures(make_case(), CD154, beside={"shape_distance": 5.0}),
]


@pytest.mark.parametrize("case", CASES)
def test_every_change_does_what_it_says(case: Case) -> None:
    told, before = changes_of(case), judge(case)
    assert told
    for change in told:
        after = decided(case, change)
        if not change.reagent:
            assert (change.before, change.after) == (before.call, after.call)
            assert change.before != change.after
            continue
        assert change.before == before.subcalls[change.reagent].call
        assert change.after == after.subcalls[change.reagent].call
        assert (change.after, after.call) != (change.before, before.call)
        assert change.text.startswith(f"{change.reagent}: ")
        assert change.after in change.text


def test_the_nearest_limit_comes_first() -> None:
    near = with_measures(make_case(), CD154, beside={"mfi_all_ratio": 0.52})
    first = changes_of(near)[0]
    assert (first.reagent, [step.measure for step in first.steps]) == (CD154, ["level"])
    assert "below 0.5 (measured 0.52)" in first.text
    assert first.after == "INDETERMINATE"


def test_a_grey_zone_names_the_odds_that_are_missing() -> None:
    patterns = dict.fromkeys((CD154, CD40_IG), "NORMAL")
    close = {"normal_odds": 2.0, "mosaic_odds": -2.0, "reduced_odds": -9.0, "absent_odds": -20.0}
    grey = with_measures(make_case(), CD154, beside=close)
    grey = replace(with_measures(grey, CD40_IG, beside=close), joint=joint(patterns, 2.0))
    texts = " ".join(change.text for change in changes_of(grey))
    assert "ln odds of cells like the control's at least 4.61 (measured 2) would make its sub-call NORMAL" in texts


def open_for_want_of_controls(ln: float) -> Case:
    """Return a healthy sample whose odds are too small with one control, and ``ln`` with two and with three."""
    patterns = dict.fromkeys((CD154, CD40_IG), "NORMAL")
    close = {"normal_odds": 4.0, "mosaic_odds": -9.0, "reduced_odds": -4.0, "absent_odds": -20.0}
    near = with_measures(with_measures(make_case(), CD154, beside=close), CD40_IG, beside=close)
    odds = ReagentOdds(ln, -9.0, -ln, -20.0, None, 0.5)
    richer = Weighed(dict.fromkeys(patterns, odds), joint(patterns, ln))
    same = Weighed(dict.fromkeys(patterns, replace(odds, normal_odds=4.0, reduced_odds=-4.0)), joint(patterns, 4.0))
    return replace(near, joint=joint(patterns, 4.0), more_controls={1: same, 2: richer, 3: richer})


def test_the_fewest_controls_that_would_settle_a_call_are_stated_first() -> None:
    first = changes_of(open_for_want_of_controls(5.0))[0]
    assert (first.before, first.after, first.controls, first.steps) == ("INDETERMINATE", "NORMAL", 3, ())
    assert "A run with 3 healthy controls (this one: 1)" in first.text
    assert "148 to 1 and the call NORMAL" in first.text
    called = replace(make_case(), more_controls=open_for_want_of_controls(5.0).more_controls)
    unsettled = open_for_want_of_controls(4.5)
    assert all(change.controls is None for case in (called, unsettled) for change in changes_of(case))


def test_no_number_of_controls_settles_what_a_check_leaves_open() -> None:
    weak = replace(open_for_want_of_controls(5.0), activation={CD154: replace(ACTIVE, percent=30.0), CD40_IG: ACTIVE})
    assert all(change.controls is None for change in changes_of(weak))


def test_checks_that_stand_in_the_way_are_told_instead_of_measures() -> None:
    weak = make_case(activation={CD154: replace(ACTIVE, percent=30.0), CD40_IG: ACTIVE})
    (change,) = changes_of(weak)
    assert (change.reagent, change.steps, change.before, change.after) == ("", (), "INDETERMINATE", "NORMAL")
    assert "ACTIVATION_FAILED" in change.text and "repeat" in change.text


def test_a_single_control_rests_on_its_checks() -> None:
    case = control_alone()
    assert changes_of(case) == ()
    failed = replace(case, reagents={**case.reagents, CD154: replace(case.reagents[CD154], converged=False)})
    (change,) = changes_of(failed)
    assert change.after == "NORMAL"


def test_what_is_not_known_cannot_be_moved() -> None:
    blind = with_measures(make_case(), CD154, beside={"mfi_all_ratio": None})
    assert all(
        step.measure != "level" for change in changes_of(blind) for step in change.steps if change.reagent == CD154
    )

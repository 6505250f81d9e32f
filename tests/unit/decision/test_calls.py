"""The call of a sample: precedence, the table, the control's own call, and what may never be stated."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import pytest

from cd40l_flow.assay.cd40l.reagents import CD40_IG, CD154, CLONE_2
from cd40l_flow.assay.cd40l.rules import CALLS, ODDS
from cd40l_flow.assay.effects import ABSENT, FUNCTIONAL_DEFECT, INDETERMINATE, MOSAIC, NORMAL, REDUCED
from cd40l_flow.decision.binding import Binding
from cd40l_flow.decision.case import Activation, ControlCase, Refusal
from cd40l_flow.decision.rule_measures import measures_of
from helpers.by_hand.cases import (
    ACTIVE,
    CHECKS,
    CONTROL_SAMPLE,
    LENT,
    SAMPLE,
    control_alone,
    joint,
    judge,
    limits,
    make_case,
    odds,
    pair,
    with_measures,
)

LIMITED = {
    "DRUG_CNI": {"calcineurin_inhibitor": "yes"},
    "STEROID": {"steroid": "yes"},
    "ANTI_CD154": {"anti_cd154": "yes"},
}
EXPECTED = {
    (NORMAL, NORMAL): (NORMAL, ()),
    (ABSENT, ABSENT): (ABSENT, ()),
    (REDUCED, REDUCED): (REDUCED, ()),
    (MOSAIC, MOSAIC): (MOSAIC, ()),
    (NORMAL, ABSENT): (FUNCTIONAL_DEFECT, ()),
    (REDUCED, ABSENT): (FUNCTIONAL_DEFECT, ()),
}


@pytest.mark.parametrize(("cd154", "binding"), [*product((NORMAL, ABSENT, REDUCED, MOSAIC), repeat=2)])
def test_the_table(cd154: str, binding: str) -> None:
    decision = judge(pair(cd154, binding))
    assert decision.subcalls[CD154].call == cd154
    assert decision.subcalls[CD40_IG].call == binding
    expected = EXPECTED.get((cd154, binding), (INDETERMINATE, ("READOUT_DISCORDANT",)))
    assert (decision.call, decision.reasons) == expected


def test_no_default_to_normal() -> None:
    assert [key for key, (call, _) in CALLS.items() if call == NORMAL] == [(NORMAL, NORMAL)]


@pytest.mark.parametrize("pattern", [NORMAL, ABSENT, REDUCED, MOSAIC])
@pytest.mark.parametrize("strict", [True, False])
def test_without_cd40_ig(pattern: str, strict: bool) -> None:
    decision = judge(make_case({CD154: pattern}), require_function=strict)
    assert decision.call == (INDETERMINATE if pattern == NORMAL and strict else pattern)
    assert decision.reasons == ("FUNCTION_NOT_TESTED",)


@pytest.mark.parametrize("strict", [True, False])
def test_an_invalid_cd40_ig_result_is_none(strict: bool) -> None:
    case = make_case(activation={CD154: ACTIVE, CD40_IG: replace(ACTIVE, percent=30.0)})
    decision = judge(case, require_function=strict)
    assert decision.call == (INDETERMINATE if strict else NORMAL)
    assert decision.reasons == ("FUNCTION_NOT_TESTED", "ACTIVATION_FAILED")
    absent = replace(pair(ABSENT, ABSENT), activation=case.activation)
    assert judge(absent).call == ABSENT


def test_a_refused_cd40_ig_tube_stops_every_call() -> None:
    case = pair(NORMAL, NORMAL)
    case = replace(
        case,
        reagents={CD154: case.reagents[CD154]},
        refusals=(Refusal("cd40ig.fcs", "FILE_INTEGRITY", "Cut."),),
        activation={CD154: ACTIVE, CD40_IG: Activation(None, 2.0, None)},
    )
    decision = judge(case, require_function=False)
    assert (decision.call, decision.reasons) == (INDETERMINATE, ("FILE_INTEGRITY",))
    assert decision.qc == "fail"


def close(best: str, second: str) -> dict[str, float]:
    """Return odds of a reagent that two calls nearly share."""
    return odds(best, 2.0) | {ODDS[second]: -2.0} | {ODDS[call]: -20.0 for call in ODDS if call not in (best, second)}


@pytest.mark.parametrize(
    ("best", "second", "reason"),
    [
        ("NORMAL", "MOSAIC", "MOSAIC_GREY_ZONE"),
        ("MOSAIC", "NORMAL", "MOSAIC_GREY_ZONE"),
        ("MOSAIC", "REDUCED", "REDUCED_VS_MOSAIC"),
        ("NORMAL", "REDUCED", "BETWEEN_LIMITS"),
        ("ABSENT", "MOSAIC", "BETWEEN_LIMITS"),
    ],
)
def test_two_explanations_that_are_close_are_no_call(best: str, second: str, reason: str) -> None:
    case = with_measures(pair(best, best), CD154, beside=close(best, second))
    open_case = replace(case, joint=joint({CD154: best, CD40_IG: best}, 2.0))
    decision = judge(open_case)
    assert (decision.call, decision.reasons) == (INDETERMINATE, (reason,))
    # What one reagent leaves open all together may settle.
    assert judge(case).call == best


def test_a_guard_that_takes_no_call_away_does_not_keep_the_reagents_from_settling_one() -> None:
    """A background made of stimulated cells has moved with them, so that it lies above resting ones says nothing."""
    moved = with_measures(pair(NORMAL, NORMAL), CD154, beside=close("NORMAL", "MOSAIC"), background_shift=0.8)
    assert judge(moved).call == NORMAL
    left_open = judge(replace(moved, joint=joint({CD154: NORMAL, CD40_IG: NORMAL}, 2.0)))
    assert (left_open.call, left_open.reasons) == (INDETERMINATE, ("MOSAIC_GREY_ZONE",))
    borrowed = replace(moved.reagents[CD154].anchor, exact=False)
    decision = judge(with_measures(moved, CD154, anchor=borrowed))
    assert (decision.call, decision.reasons[0]) == (INDETERMINATE, "HIGH_BACKGROUND")


def test_all_reagents_together_settle_nothing_that_one_of_them_contradicts() -> None:
    case = pair(NORMAL, NORMAL)
    undecided = with_measures(case, CD40_IG, beside=close("NORMAL", "MOSAIC"))
    assert judge(undecided).call == NORMAL
    for wider in ({"shape_distance": 4.1}, {"mfi_all_ratio": 0.49}):
        assert judge(with_measures(undecided, CD40_IG, beside=wider)).call == INDETERMINATE
    other = with_measures(undecided, CD154, beside={**odds("MOSAIC"), "mutant_fraction": 0.3})
    assert judge(replace(other, joint=case.joint)).call == INDETERMINATE


def test_a_call_that_all_together_do_not_support_is_none() -> None:
    case = replace(pair(NORMAL, NORMAL), joint=joint({CD154: NORMAL, CD40_IG: MOSAIC}))
    assert (judge(case).call, judge(case).reasons) == (INDETERMINATE, ("READOUT_DISCORDANT",))


def test_odds_without_the_cells_name_what_is_missing() -> None:
    few = with_measures(pair(MOSAIC, MOSAIC), CD154, negative_fraction=0.99)
    assert judge(few).subcalls[CD154].reasons == ("TOO_FEW_EVENTS",)
    wide = with_measures(pair(NORMAL, NORMAL), CD154, beside={"shape_distance": 5.0})
    assert (judge(wide).call, judge(wide).reasons) == (INDETERMINATE, ("MODEL_MISFIT",))


@pytest.mark.parametrize(("fraction", "call"), [(0.076, MOSAIC), (0.074, INDETERMINATE), (0.0, INDETERMINATE)])
def test_a_mosaic_exceeds_the_limit_of_blank_that_is_printed(fraction: float, call: str) -> None:
    """A child's 8 % below a limit of 13 % was called by its cells' odds, where donors differ by more."""
    case = pair(MOSAIC, MOSAIC)
    for reagent in (CD154, CD40_IG):
        case = with_measures(case, reagent, beside={"mutant_fraction": fraction})
    found = judge(case)
    assert found.call == call
    assert call == MOSAIC or found.reasons == ("MOSAIC_GREY_ZONE",)
    # Mutant cells that express are no negative ones; without odds of a mosaic nothing speaks against it.
    least = [
        measures_of(with_measures(case, CD154, beside=beside), CD154, limits())["mutant_fraction_min"]
        for beside in ({"residual_kept": 0.3}, {"mosaic_odds": None})
    ]
    assert least == [-math.inf, None]


def test_a_sample_as_bright_as_the_control_is_never_reduced() -> None:
    """A positive fraction just below 70 % is no pattern: REDUCED needs a lower level."""
    low = {"negative_fraction": 0.303, "negative_fraction_low": 0.29, "negative_fraction_high": 0.32}
    bright = with_measures(pair(REDUCED, REDUCED), CD154, beside={"mfi_all_ratio": 0.95}, **low)
    assert judge(bright).call == INDETERMINATE
    assert judge(with_measures(pair(NORMAL, NORMAL), CD154, **low)).call == NORMAL


@pytest.mark.parametrize(("code", "history"), list(LIMITED.items()))
def test_drugs_take_low_calls_away_and_leave_the_others(code: str, history: dict[str, str]) -> None:
    sample = replace(SAMPLE, **history)  # type: ignore[arg-type]
    for pattern in (ABSENT, REDUCED):
        decision = judge(replace(pair(pattern, pattern), sample=sample))
        assert (decision.call, decision.reasons, decision.pattern) == (INDETERMINATE, (code,), pattern)
    assert judge(replace(pair(NORMAL, NORMAL), sample=sample)).call == NORMAL
    # A calcineurin inhibitor may stop a part of a healthy person's cells.
    decision = judge(replace(pair(MOSAIC, MOSAIC), sample=sample))
    expected = (INDETERMINATE, (code,)) if code == "DRUG_CNI" else (MOSAIC, ())
    assert (decision.call, decision.reasons) == expected


def test_unknown_drug_status_takes_low_calls_away_and_other_unknowns_do_not() -> None:
    unknown = dict.fromkeys(("steroid", "anti_cd154", "transfusion", "transplant", "sex"), "unknown")
    sample = replace(SAMPLE, anticoagulant="", collected_h=None, **unknown)  # type: ignore[arg-type]
    assert judge(replace(pair(ABSENT, ABSENT), sample=sample)).call == ABSENT
    sample = replace(sample, calcineurin_inhibitor="unknown")
    decision = judge(replace(pair(ABSENT, ABSENT), sample=sample))
    assert (decision.call, decision.reasons) == (INDETERMINATE, ("DRUG_STATUS_UNKNOWN",))
    assert judge(replace(pair(NORMAL, NORMAL), sample=sample)).call == NORMAL


def test_hidden_binding_is_no_functional_defect() -> None:
    """A background that hides CD40-Ig or a therapeutic antibody over its site is no defect of the patient."""
    case = pair(NORMAL, ABSENT)
    assert judge(case).call == FUNCTIONAL_DEFECT
    hidden = with_measures(case, CD40_IG, unstimulated_percent_positive=6.0)
    assert (judge(hidden).call, judge(hidden).reasons) == (INDETERMINATE, ("HIGH_BACKGROUND",))
    covered = replace(case, sample=replace(SAMPLE, anti_cd154="yes"))
    assert (judge(covered).call, judge(covered).reasons) == (INDETERMINATE, ("ANTI_CD154",))


@pytest.mark.parametrize(
    ("binding", "pattern", "call", "reasons"),
    [
        (Binding(0.02, 0.0, 0.2), ABSENT, FUNCTIONAL_DEFECT, ()),
        (Binding(0.15, 0.1, 0.21), ABSENT, INDETERMINATE, ("READOUT_DISCORDANT",)),
        (Binding(0.43, 0.40, 0.47), NORMAL, INDETERMINATE, ("READOUT_DISCORDANT",)),
        (Binding(0.5, 0.45, 0.55), NORMAL, NORMAL, ()),
        (None, NORMAL, INDETERMINATE, ("READOUT_DISCORDANT",)),
    ],
)
def test_function_is_a_ratio_of_levels(
    binding: Binding | None, pattern: str, call: str, reasons: tuple[str, ...]
) -> None:
    decision = judge(replace(pair(NORMAL, pattern), binding=binding))
    assert (decision.call, decision.reasons) == (call, reasons)


def test_dim_mutant_cells_need_the_square_of_the_odds() -> None:
    """One person's law of unusual shape looks like that of two kinds of expressing cells."""
    for reagent in (CD154, CD40_IG):
        residual = with_measures(pair(MOSAIC, MOSAIC), reagent, beside={"residual_kept": 0.3} | odds("MOSAIC", 9.0))
        assert judge(residual).subcalls[reagent].reasons == ("MOSAIC_GREY_ZONE",)
        for ln, call in ((18.3, INDETERMINATE), (18.5, MOSAIC)):
            assert judge(replace(residual, joint=joint(dict.fromkeys((CD154, CD40_IG), MOSAIC), ln))).call == call


def test_dim_mutant_cells_need_them_of_every_reagent_against_one_kind_alone() -> None:
    """That readouts disagree is no unusual person."""
    residual = pair(MOSAIC, MOSAIC)
    for reagent in (CD154, CD40_IG):
        residual = with_measures(residual, reagent, beside={"residual_kept": 0.3} | odds("MOSAIC", 9.5))

    def judged(normal: float, reduced: float, discordant: float) -> tuple[str, tuple[str, ...]]:
        known = {NORMAL: -normal, REDUCED: -reduced, "DISCORDANT": -discordant, ABSENT: -50.0, FUNCTIONAL_DEFECT: -50.0}
        decision = judge(replace(residual, joint={MOSAIC: min(normal, reduced, discordant), **known}))
        return decision.call, decision.reasons

    assert judged(18.5, 18.5, 9.3) == (MOSAIC, ())
    assert judged(18.3, 30.0, 30.0) == judged(30.0, 18.3, 9.3) == (INDETERMINATE, ("MOSAIC_GREY_ZONE",))
    assert judged(30.0, 30.0, 9.1) == (INDETERMINATE, ("READOUT_DISCORDANT",))
    # Mutant cells that do not express need the odds of a call.
    residual = pair(MOSAIC, MOSAIC)
    assert judged(4.7, 4.7, 4.7) == (MOSAIC, ())
    assert judged(4.5, 9.0, 9.0)[0] == INDETERMINATE


def test_a_defect_needs_a_cd154_that_is_there() -> None:
    """At whatever level: whether CD154 is normal or reduced may stay open, whether it is there may not."""
    case = with_measures(pair(NORMAL, ABSENT), CD154, beside=close("NORMAL", "REDUCED"))
    assert judge(case).call == FUNCTIONAL_DEFECT
    absent = {**case.joint, FUNCTIONAL_DEFECT: 4.5}
    assert judge(replace(case, joint=absent)).call == INDETERMINATE


def test_a_control_that_failed_in_one_reagent_leaves_the_other() -> None:
    for pattern, call in ((NORMAL, INDETERMINATE), (ABSENT, ABSENT)):
        case = pair(pattern, pattern)
        assert case.control is not None
        failed = replace(case.control, reagent_failures={CD40_IG: ("Control C01: dim.",)})
        decision = judge(replace(case, control=failed))
        assert (decision.call, decision.reasons) == (call, ("FUNCTION_NOT_TESTED", "CONTROL_FAILED"))


def test_two_clones_must_agree() -> None:
    clones = make_case({CD154: ABSENT, CLONE_2: NORMAL, CD40_IG: NORMAL})
    assert (judge(clones).call, judge(clones).reasons) == (INDETERMINATE, ("CLONE_DISCORDANT",))
    both = make_case({CD154: NORMAL, CLONE_2: NORMAL, CD40_IG: ABSENT})
    assert judge(both).call == FUNCTIONAL_DEFECT
    second_only = make_case({CLONE_2: NORMAL, CD40_IG: ABSENT})
    assert judge(second_only).call == FUNCTIONAL_DEFECT
    absent = make_case({CD154: ABSENT, CLONE_2: ABSENT, CD40_IG: ABSENT})
    assert judge(absent).call == ABSENT


def test_a_clone_the_control_lacks_cannot_be_judged() -> None:
    case = make_case({CD154: NORMAL, CLONE_2: NORMAL, CD40_IG: NORMAL})
    lent = {CD154: LENT, CD40_IG: LENT}
    without = replace(
        case,
        control=ControlCase(("C01",), lent, {}, ()),
        comparisons={reagent: case.comparisons[reagent] for reagent in lent},
    )
    assert (judge(without).call, judge(without).reasons) == (INDETERMINATE, ("CONTROL_ABSENT",))


def test_warnings_stand_beside_the_call() -> None:
    assert judge(make_case(checks=replace(CHECKS, untimed=("stim.fcs",)))).reasons == ("ACQ_QC",)
    old = judge(make_case(sample=replace(SAMPLE, collected_h=30.0, anticoagulant="EDTA")))
    assert (old.call, old.reasons, old.qc) == (NORMAL, ("SAMPLE_AGE", "ANTICOAGULANT"), "warn")
    assert judge(make_case()).qc == "pass"


def test_what_fired_hides_what_could_only_not_be_computed() -> None:
    case = make_case(control=None, comparisons={})
    assert judge(case).reasons == ("CONTROL_ABSENT",)
    nothing = Activation(None, None, None)
    blind = make_case(activation={CD154: nothing, CD40_IG: nothing}, unstimulated_missing=True)
    assert judge(blind).reasons == ("TUBE_MISSING",)


def test_a_fit_that_did_not_converge_takes_every_call() -> None:
    for pattern in (NORMAL, MOSAIC, REDUCED, ABSENT):
        decision = judge(with_measures(pair(pattern, pattern), CD154, converged=False))
        assert decision.call == INDETERMINATE
        assert "FIT_UNSTABLE" in decision.reasons


def test_a_single_control() -> None:
    decision = judge(control_alone())
    assert (decision.call, decision.reasons) == (NORMAL, ())
    assert {subcall.call for subcall in decision.subcalls.values()} == {NORMAL}
    case = control_alone()
    weak = replace(case.reagents[CD154], negative_fraction=0.3, negative_fraction_low=0.29, negative_fraction_high=0.31)
    failed = judge(replace(case, reagents={**case.reagents, CD154: weak}))
    assert (failed.call, failed.reasons) == (INDETERMINATE, ("CONTROL_FAILED",))
    assert failed.subcalls[CD154].reasons == ("CONTROL_FAILED",)
    assert failed.subcalls[CD40_IG].call == NORMAL
    unsteady = replace(case.reagents[CD154], converged=False)
    assert judge(replace(case, reagents={**case.reagents, CD154: unsteady})).reasons == ("FIT_UNSTABLE",)


def test_a_control_beside_another() -> None:
    """It is judged like a sample, drugs aside, by the run's other control."""
    case = make_case(sample=replace(CONTROL_SAMPLE, calcineurin_inhibitor="unknown"))
    assert judge(case).call == NORMAL
    reduced = replace(pair(REDUCED, REDUCED), sample=CONTROL_SAMPLE)
    assert judge(reduced).call == REDUCED

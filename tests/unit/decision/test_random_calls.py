"""Whatever is measured: what is not known or worse never makes a call, and lower expression none nearer to normal."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd40l_flow.assay.cd40l.reagents import CD40_IG, CD154
from cd40l_flow.assay.cd40l.rules import ODDS
from cd40l_flow.assay.effects import ABSENT, FUNCTIONAL_DEFECT, INDETERMINATE, MOSAIC, NORMAL, REDUCED
from cd40l_flow.decision.calls import UNDECIDED
from cd40l_flow.decision.case import Activation, Case, ControlCase, Disagreement, Refusal
from cd40l_flow.mixture.model import Comparison, Expression
from helpers.by_hand.cases import (
    ACTIVE,
    CHECKS,
    LENT,
    SAMPLE,
    judge,
    pair,
    together,
    with_measures,
)

UNKNOWN = st.sampled_from((None, math.nan))
NUMBER = st.one_of(st.none(), st.just(math.nan), st.floats(0, 1), st.floats(0, 100))
MEASURED = [f.name for f in fields(Expression) if f.type in ("float | None", "bool | None")]
COMPARED = [f.name for f in fields(Comparison)]
SOME = st.sampled_from((NORMAL, ABSENT, REDUCED, MOSAIC))


def known(odds: float | None) -> float:
    """Return odds, and even ones where there are none."""
    return 0.0 if odds is None or math.isnan(odds) else odds


def possible(comparison: Comparison) -> dict[str, float]:
    """Return odds of which one is above even at most, as of explanations of the same cells: the others are turned."""
    found = {name: odds for name in ODDS.values() if (odds := getattr(comparison, name)) is not None and odds > 0}
    best = max(found, key=lambda name: found[name], default="")
    return {name: -odds for name, odds in found.items() if name != best}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a case: two patterns, some measures of each replaced by anything, and any history."""
    case = pair(draw(SOME), draw(SOME))
    for reagent in (CD154, CD40_IG):
        measured = draw(st.dictionaries(st.sampled_from(MEASURED), NUMBER, max_size=4))
        beside = draw(st.dictionaries(st.sampled_from(COMPARED), NUMBER, max_size=4))
        case = with_measures(case, reagent, beside=beside, **measured)
        case = with_measures(case, reagent, beside=possible(case.comparisons[reagent]))
    likeliest = {
        reagent: max(ODDS, key=lambda call, one=one: known(getattr(one, ODDS[call])))  # type: ignore[misc]
        for reagent, one in case.comparisons.items()
    }
    case = replace(case, **together(likeliest))
    answer = st.sampled_from(("yes", "no", "unknown"))
    history = {name: draw(answer) for name in ("calcineurin_inhibitor", "steroid", "anti_cd154", "transplant")}
    return replace(case, sample=replace(SAMPLE, **history))  # type: ignore[arg-type]


# What each call rests on: without any one of them it must not be made.
RESTS_ON = {
    NORMAL: (("converged",), ("normal_odds", "mfi_all_ratio", "shape_distance")),
    ABSENT: (("percent_positive_high", "converged"), ("absent_odds",)),
}


@pytest.mark.parametrize("pattern", list(RESTS_ON))
@pytest.mark.parametrize("reagent", [CD154, CD40_IG])
@pytest.mark.parametrize("unknown", [None, math.nan])
def test_without_a_measure_it_rests_on_no_call(pattern: str, reagent: str, unknown: float | None) -> None:
    measured, compared = RESTS_ON[pattern]
    case = pair(pattern, pattern)
    assert judge(case).call == pattern
    for name in measured:
        if name == "converged" and unknown is not None:
            continue
        assert judge(with_measures(case, reagent, **{name: unknown})).call == INDETERMINATE, name
    for name in compared:
        assert judge(with_measures(case, reagent, beside={name: unknown})).call == INDETERMINATE, name


@settings(max_examples=120, deadline=None)
@given(cases(), st.sampled_from((CD154, CD40_IG)))
def test_without_comparison_nothing_is_normal_or_absent(case: Case, reagent: str) -> None:
    blank = dict.fromkeys(COMPARED)
    assert judge(with_measures(case, reagent, beside=blank)).call not in (NORMAL, ABSENT)


@settings(max_examples=120, deadline=None)
@given(cases())
def test_a_worse_assay_never_makes_a_call(case: Case) -> None:
    nothing = Activation(None, None, None)
    weak = Activation(30.0, 2.0, 40.0)
    for worse in (
        replace(case, activation={CD154: weak, CD40_IG: weak}),
        replace(case, activation={CD154: nothing, CD40_IG: nothing}),
        replace(case, reagents={name: replace(found, events=150) for name, found in case.reagents.items()}),
        replace(case, control=ControlCase(("C01",), {CD154: LENT, CD40_IG: LENT}, {}, ("It failed.",))),
        replace(case, control=None, comparisons={}),
        replace(case, refusals=(Refusal("a.fcs", "FILE_INTEGRITY", "Cut."),)),
        replace(case, checks=replace(CHECKS, swapped=True)),
        replace(case, checks=replace(CHECKS, residue=5.0)),
    ):
        decision = judge(worse)
        assert decision.call == INDETERMINATE
        assert decision.reasons


@settings(max_examples=250, deadline=None)
@given(cases(), st.sampled_from((CD154, CD40_IG)), st.sampled_from(MEASURED + COMPARED), UNKNOWN)
def test_what_is_not_known_never_makes_normal_or_absent(
    case: Case, reagent: str, name: str, unknown: float | None
) -> None:
    """Whatever one measure is, losing it never leads to NORMAL or ABSENT where that was not the call before."""
    if name == "converged":
        unknown = None
    blind = (
        with_measures(case, reagent, **{name: unknown})
        if name in MEASURED
        else with_measures(case, reagent, beside={name: unknown})
    )
    before, after = judge(case), judge(blind)
    if after.call in (NORMAL, ABSENT):
        assert before.call == after.call
    for each in (CD154, CD40_IG):
        if after.subcalls[each].call in (NORMAL, ABSENT):
            assert before.subcalls[each].call == after.subcalls[each].call


@settings(max_examples=120, deadline=None)
@given(cases(), st.floats(0.05, 1.0))
def test_fewer_events_never_make_a_call(case: Case, share: float) -> None:
    """The same fractions of fewer cells: what was open stays open."""
    fewer = case
    for reagent, found in case.reagents.items():
        bright, events = case.comparisons[reagent].bright_events, max(int(found.events * share), 1)
        fewer = with_measures(
            fewer,
            reagent,
            events=events,
            beside={"bright_events": None if bright is None else bright * events / found.events},
        )
    if judge(case).call == INDETERMINATE:
        assert judge(fewer).call == INDETERMINATE


@settings(max_examples=120, deadline=None)
@given(cases(), st.floats(0.0, 1.0), st.sampled_from(("percent", "median_ratio")), st.sampled_from((CD154, CD40_IG)))
def test_less_activation_never_makes_a_call(case: Case, share: float, name: str, reagent: str) -> None:
    """In one reagent's tube or in both."""
    less = replace(ACTIVE, **{name: getattr(ACTIVE, name) * share})
    for activation in (dict.fromkeys(case.planned, less), {**case.activation, reagent: less}):
        assert judge(replace(case, activation=activation)).call in (judge(case).call, INDETERMINATE)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_an_empty_cd40_ig_gate_never_makes_a_call(case: Case) -> None:
    empty = replace(case, reagents={CD154: case.reagents[CD154]}, comparisons={CD154: case.comparisons[CD154]})
    empty = replace(empty, activation={CD154: ACTIVE, CD40_IG: Activation(None, 2.0, None, 0)})
    assert judge(empty).call == INDETERMINATE
    assert judge(empty, require_function=False).call == INDETERMINATE


def test_what_else_is_wrong_with_an_invalid_cd40_ig_result_still_counts() -> None:
    """A background too high for ABSENT takes the call; a control that is dim on top of that does not give it back."""
    case = pair(ABSENT, ABSENT)
    assert case.control is not None
    high = with_measures(case, CD40_IG, unstimulated_percent_positive=6.0)
    dim = replace(case.control, reagents={**case.control.reagents, CD40_IG: replace(LENT, separation=0.0)})

    assert judge(replace(case, control=dim), require_function=False).call == ABSENT
    for control in (case.control, dim):
        decision = judge(replace(high, control=control), require_function=False)
        assert (decision.call, decision.reasons[0]) == (INDETERMINATE, "HIGH_BACKGROUND")


def test_an_invalid_cd40_ig_result_speaks_against_a_call_but_not_for_one() -> None:
    weak = {CD154: ACTIVE, CD40_IG: replace(ACTIVE, percent=30.0)}
    for cd154, binding in ((ABSENT, NORMAL), (NORMAL, ABSENT), (MOSAIC, REDUCED)):
        case = replace(pair(cd154, binding), activation=weak)
        decision = judge(case, require_function=False)
        assert (decision.call, decision.reasons[0]) == (INDETERMINATE, "READOUT_DISCORDANT")


@settings(max_examples=120, deadline=None)
@given(cases(), st.sampled_from((CD154, CD40_IG)), st.floats(0.0, 1.0))
def test_a_worse_control_never_makes_a_call(case: Case, reagent: str, share: float) -> None:
    """Its separation, and its agreement with another control."""
    assert case.control is not None
    dim = {**case.control.reagents, reagent: replace(LENT, separation=6 * share)}
    apart = {reagent: Disagreement(share, 1 / max(share, 0.01))}
    for control in (replace(case.control, reagents=dim), replace(case.control, disagreement=apart)):
        worse = judge(replace(case, control=control))
        if judge(case).call == INDETERMINATE:
            assert worse.call == INDETERMINATE
        assert worse.call != NORMAL or judge(case).call == NORMAL


@settings(max_examples=120, deadline=None)
@given(cases(), st.sampled_from((CD154, CD40_IG)), st.floats(0.0, 1.0))
def test_lower_expression_never_moves_towards_normal(case: Case, reagent: str, factor: float) -> None:
    def lower(value: float | None) -> float | None:
        return None if value is None else value * factor

    measured, beside = case.reagents[reagent], case.comparisons[reagent]
    negative = measured.negative_fraction
    less = with_measures(
        case,
        reagent,
        percent_positive=lower(measured.percent_positive),
        negative_fraction=None if negative is None else 1 - (1 - negative) * factor,
        beside={
            "relative_positive": lower(beside.relative_positive),
            "mfi_all_ratio": lower(beside.mfi_all_ratio),
            "mutant_fraction": None if beside.mutant_fraction is None else 1 - (1 - beside.mutant_fraction) * factor,
        },
    )
    if judge(case).call != NORMAL:
        assert judge(less).call != NORMAL


@settings(max_examples=80, deadline=None)
@given(cases())
def test_the_call_does_not_depend_on_the_order_of_reagents(case: Case) -> None:
    turned = replace(
        case,
        planned=case.planned[::-1],
        reagents=dict(reversed(case.reagents.items())),
        comparisons=dict(reversed(case.comparisons.items())),
        activation=dict(reversed(case.activation.items())),
    )
    assert judge(turned).call == judge(case).call
    assert set(judge(turned).reasons) == set(judge(case).reasons)


@settings(max_examples=120, deadline=None)
@given(cases())
def test_an_open_call_has_its_reasons(case: Case) -> None:
    decision = judge(case)
    if decision.call == INDETERMINATE:
        assert decision.reasons
    elif decision.call != FUNCTIONAL_DEFECT and decision.subcalls[CD154].call != decision.call:
        # All reagents together may settle what the odds of one leave open, and nothing else.
        assert decision.subcalls[CD154].call == INDETERMINATE
        assert set(decision.subcalls[CD154].reasons) <= set(UNDECIDED)
        assert case.joint[decision.call] > 0

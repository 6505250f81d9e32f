"""A rule that may or may not be met stops the search: a call further down the list would be a guess."""

from __future__ import annotations

import pytest

from cd40l_flow.assay.cd40l.reagents import CD40_IG, CD154
from cd40l_flow.assay.cd40l.rules import RULES
from cd40l_flow.assay.effects import ABSENT, INDETERMINATE, MOSAIC, NORMAL, REDUCED
from cd40l_flow.decision.calls import first
from cd40l_flow.decision.rule_logic import Outcome
from helpers.by_hand.cases import judge, make_case, with_measures

IN_ORDER = sorted(RULES, key=lambda rule: rule.place)


def outcomes(**met: bool | None) -> list[Outcome]:
    """Return every rule evaluated: those named are met, not met or open, the others not met."""
    return [Outcome(rule, met.get(rule.call, False), ()) for rule in RULES]


def test_the_search_goes_from_the_most_to_the_least_serious_call() -> None:
    assert [rule.call for rule in IN_ORDER] == [ABSENT, MOSAIC, REDUCED, NORMAL]


@pytest.mark.parametrize("call", [ABSENT, MOSAIC, REDUCED])
def test_an_open_rule_is_never_followed_by_normal(call: str) -> None:
    """Without the measure that ABSENT needs, a sample that looks NORMAL otherwise might still be ABSENT."""
    assert first(outcomes(**{call: None, NORMAL: True}), {})[0] == INDETERMINATE
    assert first(outcomes(**{call: False, NORMAL: True}), {})[0] == NORMAL


@pytest.mark.parametrize("place", range(len(IN_ORDER)))
def test_a_rule_that_is_met_goes_before_what_is_open_below_it(place: int) -> None:
    met = {rule.call: True if at == place else None if at > place else False for at, rule in enumerate(IN_ORDER)}
    assert first(outcomes(**met), {}) == (IN_ORDER[place].call, "")


def test_a_sample_whose_odds_of_a_mosaic_are_unknown_is_not_normal() -> None:
    case = make_case({CD154: NORMAL, CD40_IG: NORMAL})
    for reagent in (CD154, CD40_IG):
        case = with_measures(case, reagent, beside={"mosaic_odds": None})
    decision = judge(case)
    assert decision.call == INDETERMINATE
    assert {subcall.pattern for subcall in decision.subcalls.values()} == {INDETERMINATE}

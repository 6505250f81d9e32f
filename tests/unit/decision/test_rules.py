"""Every condition of every rule from both sides, and three-valued logic."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd40l_flow.assay.cd40l.rules import MEASURE_WORDS, ODDS, RULES
from cd40l_flow.assay.tables import Condition, Rule
from cd40l_flow.decision.calls import first
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.odds import reagent_odds
from cd40l_flow.decision.rule_logic import Outcome, check, evaluate, every, some
from cd40l_flow.decision.rule_measures import measures_of
from cd40l_flow.mixture.evidence import Evidence
from cd40l_flow.mixture.hypotheses import NAMES
from helpers.by_hand.cases import limits, make_case, with_measures

Measures = dict[str, float | None]
CALLS = {rule.call: rule for rule in RULES}
ANYTHING = st.one_of(st.none(), st.just(math.nan), st.floats(0, 1), st.floats(0, 100))
RANDOM = st.dictionaries(st.sampled_from(sorted(MEASURE_WORDS)), ANYTHING)


def measures(pattern: str) -> Measures:
    return measures_of(make_case({"CD154": pattern}), "CD154", limits())


def outcome(call: str, known: Measures) -> Outcome:
    return evaluate(CALLS[call], known, limits().calls)


def test_each_pattern_meets_its_own_rule_alone() -> None:
    for pattern in CALLS:
        met = [call for call in CALLS if outcome(call, measures(pattern)).met]
        assert met == [pattern]


NEEDED = [(rule.call, index) for rule in RULES for index in range(len(rule.needs))]


@pytest.mark.parametrize(("call", "index"), NEEDED)
def test_every_needed_condition_decides_its_rule_from_both_sides(call: str, index: int) -> None:
    condition = CALLS[call].needs[index]
    known = measures(call)
    limit = check(condition, known, limits().calls).limit
    assert limit is not None
    step = 1e-6 if condition.op in ("<", "<=") else -1e-6
    assert outcome(call, known | {condition.measure: limit + step}).met is False
    at_limit = outcome(call, known | {condition.measure: limit}).met
    assert at_limit is ("=" in condition.op)
    assert outcome(call, known | {condition.measure: limit - step}).met is True


@pytest.mark.parametrize(("call", "index"), NEEDED)
@pytest.mark.parametrize("unknown", [None, math.nan])
def test_an_unknown_measure_leaves_its_rule_open(call: str, index: int, unknown: float | None) -> None:
    known = measures(call)
    assert outcome(call, known | {CALLS[call].needs[index].measure: unknown}).met is None


PAIR = Rule("NORMAL", 1, (Condition("level", ">=", 0.5),), ((Condition("a", ">=", 1.0), Condition("b", "<", 2.0)),))


@pytest.mark.parametrize(
    ("a", "b", "met"),
    [
        (1.0, 2.0, True),
        (0.9, 1.9, True),
        (0.9, 2.0, False),
        (None, 2.0, None),
        (None, 1.9, True),
        (0.9, math.nan, None),
    ],
)
def test_one_of_a_group_is_enough_and_none_is_not(a: float | None, b: float | None, met: bool | None) -> None:
    assert evaluate(PAIR, {"level": 0.5, "a": a, "b": b}, {}).met is met


def test_every_measure_of_the_rules_is_computed_and_has_words() -> None:
    known = measures("NORMAL")
    for rule in RULES:
        for condition in (c for group in (rule.needs, *rule.either) for c in group):
            assert condition.measure in known and condition.measure in MEASURE_WORDS
            assert condition.limit in limits().calls.__struct_fields__ or condition.limit in known


def test_places_are_a_strict_order() -> None:
    assert len({rule.place for rule in RULES}) == len(RULES)


@settings(max_examples=300, deadline=None)
@given(st.permutations(RULES), RANDOM, st.sampled_from(RULES))
def test_the_order_of_evaluation_does_not_matter(
    rules: list[Rule], random: dict[str, float | None], start: Rule
) -> None:
    known = measures(start.call) | random
    evaluated = [evaluate(rule, known, limits().calls) for rule in RULES]
    permuted = [evaluate(rule, known, limits().calls) for rule in rules]
    assert first(permuted, known) == first(evaluated, known)


@settings(max_examples=300, deadline=None)
@given(RANDOM, st.sampled_from(RULES), st.lists(st.floats(-500, 0), min_size=5, max_size=5))
def test_normal_excludes_every_other_rule(random: Measures, start: Rule, evidences: list[float]) -> None:
    """NORMAL needs no place: of the odds of one reagent no two reach 100 to 1, whatever the other measures."""
    found = {name: Evidence(log, -log, 0.0, 1.0, 0.0, 1.0) for name, log in zip(NAMES, evidences, strict=True)}
    odds = {ODDS[call]: value for call, value in reagent_odds(found).items()}
    known = measures(start.call) | random | odds | {"odds_min": math.log(100), "mosaic_odds_min": math.log(100)}
    met = {rule.call for rule in RULES if evaluate(rule, known, limits().calls).met}
    assert "NORMAL" not in met or met == {"NORMAL"}


def test_distance_to_a_limit_is_positive_inside() -> None:
    limit = limits().calls.normal_level_min
    inside = check(Condition("level", ">=", "normal_level_min"), {"level": limit + 0.2}, limits().calls)
    beyond = check(Condition("level", "<", "normal_level_min"), {"level": limit + 0.2}, limits().calls)
    assert (inside.distance, beyond.distance) == (pytest.approx(0.2), pytest.approx(-0.2))
    assert check(Condition("level", "<", "normal_level_min"), {"level": None}, limits().calls).distance is None


def test_kleene() -> None:
    assert [every([True, None]), every([False, None]), every([True, True]), every([])] == [None, False, True, True]
    assert [some([True, None]), some([False, None]), some([False, False]), some([])] == [True, None, False, False]


def test_a_limit_that_is_not_known_leaves_a_condition_open() -> None:
    condition = Condition("mutant_fraction", "<=", "lob")
    assert check(condition, {"mutant_fraction": 0.0, "lob": math.nan}, {}).met is None
    assert check(condition, {"mutant_fraction": 0.0, "lob": None}, {}).met is None
    assert check(Condition("events", ">", 3), {"events": 4.0}, {}).met is True


def changed(case: Case, **changes: Any) -> Measures:
    return measures_of(with_measures(case, "CD154", **changes), "CD154", limits())


def test_the_positive_fraction_comes_from_a_usable_fit_else_from_counting() -> None:
    case = make_case()
    assert measures("NORMAL")["positive_fraction"] == pytest.approx(0.9)
    dim = {"percent_positive": 67.0, "negative_fraction": 0.1}
    assert changed(case, **dim)["positive_fraction"] == pytest.approx(0.9)
    for unusable in ({"separation": 1.1}, {"converged": False}, {"negative_fraction_high": 0.5}):
        assert changed(case, **dim, **unusable)["positive_fraction"] == pytest.approx(0.67)
    assert changed(case, separation=1.1, percent_positive=None)["positive_fraction"] is None
    for unknown in (None, math.nan):
        assert changed(case, separation=unknown)["positive_fraction"] is None


def test_a_minor_population_needs_its_share_and_its_number() -> None:
    few = replace(make_case().reagents["CD154"], events=600)
    assert measures_of(make_case(reagents={"CD154": few}), "CD154", limits())["expressing_events_min"] == 50
    assert measures("NORMAL")["expressing_events_min"] == pytest.approx(60)  # 2 % of 3,000

"""Every condition of every rule from both sides, and three-valued logic."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from cd40l_flow.expression.calls import measures_of
from cd40l_flow.expression.case import Case
from cd40l_flow.expression.rules import RULES, Condition, Outcome, check, evaluate, every, some
from helpers.cases import limits, make_case, with_measures

Measures = dict[str, float | None]
CALLS = {rule.call: rule for rule in RULES}


def measures(pattern: str) -> Measures:
    return measures_of(make_case({"CD154": pattern}), "CD154", limits())


def outcome(call: str, known: Measures) -> Outcome:
    return evaluate(CALLS[call], known, limits()["calls"])


def test_each_pattern_meets_its_own_rule_alone() -> None:
    for pattern in CALLS:
        met = [call for call in CALLS if outcome(call, measures(pattern)).met]
        assert met == [pattern]


NEEDED = [(rule.call, index) for rule in RULES for index in range(len(rule.needs))]


@pytest.mark.parametrize(("call", "index"), NEEDED)
def test_every_needed_condition_decides_its_rule_from_both_sides(call: str, index: int) -> None:
    condition = CALLS[call].needs[index]
    known = measures(call)
    limit = check(condition, known, limits()["calls"]).limit
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


@pytest.mark.parametrize(
    ("call", "alone"),
    [
        ("MOSAIC", {"valley_depth": 0.2, "dip_p": 1.0, "likelihood_ratio_p": 1.0}),
        ("MOSAIC", {"valley_depth": 0.0, "dip_p": 0.049, "likelihood_ratio_p": 1.0}),
        ("MOSAIC", {"valley_depth": 0.0, "dip_p": 1.0, "likelihood_ratio_p": 0.0009}),
        ("REDUCED", {"level": 0.49, "positive_fraction": 0.9}),
        ("REDUCED", {"level": 1.0, "positive_fraction": 0.69}),
    ],
)
def test_one_of_a_group_is_enough(call: str, alone: Measures) -> None:
    assert outcome(call, measures(call) | alone).met is True


@pytest.mark.parametrize(
    ("call", "none"),
    [
        ("MOSAIC", {"valley_depth": 0.19, "dip_p": 0.05, "likelihood_ratio_p": 0.001}),
        ("REDUCED", {"level": 0.5, "positive_fraction": 0.7}),
    ],
)
def test_none_of_a_group_is_not(call: str, none: Measures) -> None:
    assert outcome(call, measures(call) | none).met is False
    first = next(iter(none))
    assert outcome(call, measures(call) | none | {first: None}).met is None


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
    for unusable in ({"separation": 1.9}, {"converged": False}, {"negative_fraction_high": 0.5}, {"separation": None}):
        assert changed(case, **dim, **unusable)["positive_fraction"] == pytest.approx(0.67)
    assert changed(case, separation=None, percent_positive=None)["positive_fraction"] is None


def test_a_minor_population_needs_its_share_and_its_number() -> None:
    few = replace(make_case().reagents["CD154"], events=600)
    assert measures_of(make_case(reagents={"CD154": few}), "CD154", limits())["bright_events_limit"] == 50
    assert measures("NORMAL")["bright_events_limit"] == pytest.approx(60)  # 2 % of 3,000

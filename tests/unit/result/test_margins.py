"""How near calls lie to their limits, and controls that moved: what the index is sorted and marked by."""

from __future__ import annotations

from typing import Any

import pytest

from cd40l_flow.result.control_levels import moved_controls
from cd40l_flow.result.margins import nearest_margin
from cd40l_flow.result.types.result import Result
from helpers.results.controls import control_result, whole_result


def condition(measure: str, value: float | None, op: str, limit: float, met: bool | None = True) -> dict[str, Any]:
    told = {"measure": measure, "value": value, "op": op, "limit": limit, "met": met}
    return {**told, "either": None, "distance": None}


def guard(
    code: str, value: float, limit: float, unit: str, fired: bool = False, effect: str = "hard"
) -> dict[str, Any]:
    told = {"code": code, "value": value, "limit": limit, "unit": unit, "fired": fired, "effect": effect}
    return {**told, "reagent": "CD154", "message": "m"}


def result(call: str, rules: list[dict[str, Any]], guards: list[dict[str, Any]], **changes: Any) -> Result:
    """Return a result whose one reagent has these rules and checks."""
    subcalls = {"CD154": {"call": call, "reasons": []}}
    told = {"sample": "P01", "call": call, "rules": rules, "guards": guards, "subcalls": subcalls, "reasons": []}
    return whole_result({**told, **changes})


def rule(call: str, *conditions: dict[str, Any], met: bool | None = True) -> dict[str, Any]:
    return {"reagent": "CD154", "call": call, "met": met, "conditions": list(conditions)}


def percent(one: Result) -> float:
    margin = nearest_margin(one)
    assert margin is not None
    return margin.percent


def test_a_half_level_sample_lies_nearer_its_limit_than_its_neighbours() -> None:
    """0.55 of the control is a tenth of the way from the limit of 0.5 to the control; 1.0 is all of it."""

    def at(level: float) -> Result:
        return result("NORMAL", [rule("NORMAL", condition("level", level, ">=", 0.5))], [])

    assert percent(at(0.55)) == pytest.approx(10)
    assert percent(at(1.0)) == percent(at(1.7)) == 100
    assert "0.55" in str(nearest_margin(at(0.55)))


def test_percents_are_measured_to_their_end_and_the_nearest_counts() -> None:
    """CD69 of 95 % against 75 % is four fifths of the way; a background of 4 % against 5 % a fifth."""
    passed = guard("ACTIVATION_FAILED", 95.0, 75.0, "%")
    near = guard("HIGH_BACKGROUND", 4.0, 5.0, "%")

    assert percent(result("NORMAL", [], [passed])) == pytest.approx(80)
    assert percent(result("NORMAL", [], [passed, near])) == pytest.approx(20)


def test_soft_checks_and_settings_are_no_margin() -> None:
    guards = [guard("SECOND_OPINION", 0.049, 0.05, "fraction", effect="soft"), guard("GAIN_MISMATCH", 1.0, 0.99, "x")]

    assert nearest_margin(result("NORMAL", [], guards)) is None


def test_only_the_rules_that_make_the_call_count() -> None:
    """Another rule that happens to be met near its limit says nothing about the call."""
    rules = [
        rule("NORMAL", condition("level", 1.0, ">=", 0.5)),
        rule("REDUCED", condition("level", 0.49, "<", 0.5)),
        rule("ABSENT", condition("positive_high", 0.9, "<=", 0.1, met=False), met=False),
    ]
    assert percent(result("NORMAL", rules, [])) == 100


def test_an_alternative_that_does_not_hold_is_no_margin() -> None:
    """One of two alternatives carries the rule; the other lies beyond its limit and says nothing of the call."""
    either = [
        condition("two_marker_low", 2.0, "<", 8.0) | {"either": 1},
        condition("igm_ratio", 0.0, ">=", 0.5, met=False) | {"either": 1},
    ]
    met = rule("NORMAL", condition("level", 0.9, ">=", 0.5), *either)
    margin = nearest_margin(result("NORMAL", [met], []))
    assert margin is not None and margin.percent >= 0 and "igm" not in margin.name.lower()


def test_without_a_call_the_margin_is_negative() -> None:
    fired = guard("ACTIVATION_FAILED", 70.0, 75.0, "%", fired=True)
    stopped = result("INDETERMINATE", [], [fired], reasons=["ACTIVATION_FAILED"])
    assert percent(stopped) == pytest.approx(-20)

    missed = [
        rule("NORMAL", condition("normal_odds", 2.3, ">=", 4.6, met=False), met=False),
        rule("ABSENT", condition("positive_high", 0.9, "<=", 0.1, met=False), met=False),
    ]
    assert percent(result("INDETERMINATE", missed, [])) == pytest.approx(-50)


def controls(*levels: float, **changes: Any) -> list[Result]:
    """Return controls of one instrument by the brightness of their positives."""
    made = [control_result(f"C{number:02d}", mfi=8000.0 * level, **changes) for number, level in enumerate(levels)]
    return [whole_result(one) for one in made]


def test_controls_like_one_another_have_not_moved() -> None:
    assert moved_controls(controls(1.0, 1.2, 0.85, 1.1)) == []
    assert moved_controls(controls(1.0)) == moved_controls([]) == []


def test_the_control_that_moved_is_named_and_not_its_neighbours() -> None:
    found = moved_controls(controls(1.0, 1.1, 0.45, 0.06))

    assert {one.control for one in found} == {"C02", "C03"}
    assert found[0].control == "C03" and found[0].ratio == pytest.approx(0.06, rel=0.1)
    assert {one.reagent for one in found} == {"CD154", "CD40-Ig"}


def test_of_two_controls_that_differ_both_are_named() -> None:
    assert {one.control for one in moved_controls(controls(1.0, 0.3))} == {"C00", "C01"}


def test_instruments_are_not_compared() -> None:
    other = controls(0.05, 0.05, cytometer="Aria")

    assert moved_controls([*controls(1.0, 1.1), *other]) == []


def test_a_patient_never_counts_as_a_control() -> None:
    odd = whole_result({**control_result("P01", mfi=100.0), "role": "test", "lent": None})

    assert moved_controls([*controls(1.0, 1.0, 1.1), odd]) == []

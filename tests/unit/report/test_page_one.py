"""Page one in words: the sentence, results with their flags, what decided, what is nearest its limit, the headline."""

from __future__ import annotations

from typing import Any

import pytest

from cd40l_flow.assay.texts import reason_texts
from cd40l_flow.cohort.reviewers import People, Person
from cd40l_flow.report.headline import headline, limiting, quality, slots
from cd40l_flow.report.pages import running_header
from cd40l_flow.report.quantity import quantity, results_table
from cd40l_flow.result.margins import decided_by, nearest_limit, nearest_margin
from cd40l_flow.result.reviews.files import Review, Reviews
from cd40l_flow.result.reviews.signable import signable
from cd40l_flow.result.reviews.state import ReviewState, review_state
from cd40l_flow.result.types.result import Result
from helpers.results import report_samples as made
from helpers.results.records import as_result

DIGEST = "a" * 64
PEOPLE = People((Person("A. Smith", "analyst", False), Person("B. Kern", "director", True)))


def result_of(scenario: made.Scenario, **changes: Any) -> Result:
    return as_result(made.make_result(scenario) | changes)


CONTROL = result_of(made.CONTROL)


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def guard(code: str, value: float | None, limit: float | None, **changes: Any) -> dict[str, Any]:
    told = {"code": code, "reagent": None, "fired": False, "effect": "hard", "unit": "%", "message": f"{code}."}
    return told | {"value": value, "limit": limit} | changes


def condition(measure: str, value: float | None, op: str, limit: float, met: bool | None = True) -> dict[str, Any]:
    return {"measure": measure, "value": value, "op": op, "limit": limit, "met": met, "either": None, "distance": 0.0}


def rule(call: str, *conditions: dict[str, Any], met: bool = True, reagent: str | None = "CD154") -> dict[str, Any]:
    return {"reagent": reagent, "call": call, "met": met, "conditions": list(conditions)}


def signed(decision: str, call: str | None, name: str = "A. Smith", hour: int = 10, **changes: Any) -> Review:
    told: dict[str, Any] = {"file": f"{name}{hour}.json", "sample": "P01", "result_digest": DIGEST}
    told |= {"digest": f"{name}{hour}"}
    told |= {"automatic_call": "ABSENT", "decision": decision, "call": call, "reason_code": None, "comment": "Seen."}
    return Review(**{**told, "reviewer": name, "signed_at": f"2026-01-05T{hour}:00:00Z", **changes})


def state_of(result: Result, *reviews: Review) -> ReviewState:
    return review_state(signable(result, DIGEST), Reviews(reviews, people=PEOPLE))


def test_the_sentence_has_value_interval_control_and_activation() -> None:
    assert plain(quantity(result_of(made.SCENARIOS["ABSENT"]), [CONTROL])) == (
        "CD154 was expressed by 0.01 % (95 % CI 0.0 to 1.3 %) of activated CD4+ T cells, same-day control 92.0 %; "
        "CD40-Ig was bound by 0.01 % (95 % CI 0.0 to 1.3 %), same-day control 90.0 %; activation adequate, CD69 95.0 %."
    )


def test_the_sentence_says_what_a_mosaic_and_a_reduced_pattern_are() -> None:
    mosaic, reduced = (plain(quantity(result_of(made.SCENARIOS[name]), [])) for name in ("MOSAIC", "REDUCED"))
    assert "corrected for the control, 45.7 % (95 % CI 42.7 to 48.7 %) do not express it" in mosaic
    assert "its level was 0.94 (95 % CI 0.91 to 0.97) of the control's (MFI ratio)" in reduced
    assert "same-day control" not in mosaic


def test_the_sentence_says_why_a_readout_is_not_there_and_that_activation_failed() -> None:
    failed = guard("ACTIVATION_FAILED", 30.0, 70.0, fired=True)
    told = plain(quantity(result_of(made.SCENARIOS["INDETERMINATE"], guards=[failed], cd69_percent=30.0), []))
    assert "CD40-Ig was not measured (fcs/P01_2.fcs: DATA ends 4,096 bytes early; export the tube again)" in told
    assert told.endswith("activation inadequate, CD69 30.0 %.")
    assert "activation was not measured" in quantity(result_of(made.NOTHING, cd69_percent=None), [])


def test_results_have_a_flag_and_a_reference() -> None:
    rows = {row["name"]: row for row in results_table(result_of(made.SCENARIOS["ABSENT"]), [CONTROL])}
    expression, cells = rows["CD154 expression"], rows["Cells counted"]
    assert (expression["word"], expression["flag_word"], expression["reference"]) == ("Absent", "ABNORMAL", "Present")
    assert (cells["value"], cells["control"], cells["flag"], cells["reference"]) == (
        "2,800",
        "2,800",
        "normal",
        "≥ 500",
    )
    few = results_table(result_of(made.SCENARIOS["INDETERMINATE"]), [CONTROL])
    assert [row["flag_word"] for row in few] == ["not assessed", "not assessed", "normal", "normal", "LOW"]


def test_a_reagent_without_likely_explanation_is_undecided_and_not_unassessable() -> None:
    words = {}
    for reason in ("BETWEEN_LIMITS", "FIT_UNSTABLE"):
        subcalls = {"CD154": {"call": "INDETERMINATE", "reasons": [reason]}}
        row = results_table(result_of(made.SCENARIOS["INDETERMINATE"], subcalls=subcalls), [CONTROL])[0]
        words[reason] = (row["word"], row["flag_word"], row["flag"])
    assert words["BETWEEN_LIMITS"] == ("Undecided", "undecided", "open")
    assert words["FIT_UNSTABLE"] == ("Not assessable", "not assessed", "open")


def test_a_call_of_all_reagents_together_is_shown_as_theirs() -> None:
    """Each may leave it open: then the joint odds decided, and no reagent contradicts the headline."""
    close = {reagent: {"call": "INDETERMINATE", "reasons": ["BETWEEN_LIMITS"]} for reagent in ("CD154", "CD40-Ig")}
    missed = [rule("NORMAL", condition("normal_odds", 4.3, ">=", 4.605, met=False), met=False)]
    odds = {"joint": {"NORMAL": 5.1, "REDUCED": -5.1}, "binding_ratio": None}
    result = result_of(made.SCENARIOS["NORMAL"], subcalls=close, rules=missed, odds=odds, guards=[])
    assert [(row["word"], row["flag"]) for row in results_table(result, [CONTROL])[:2]] == [("Present", "normal")] * 2
    for found in (decided_by(result), nearest_margin(result)):
        assert found is not None
        assert found.text == "All reagents together: odds of expression like the control's 164 to 1 (limit ≥ 100 to 1)"


def test_a_mosaic_is_never_reported_as_present_alone() -> None:
    rows = results_table(result_of(made.SCENARIOS["MOSAIC"]), [CONTROL])
    assert rows[0]["word"] == "Two populations"
    assert rows[0]["flag"] == "abnormal"
    assert any(row["name"] == "CD154 negative, corrected" and row["flag"] == "abnormal" for row in rows)


def test_a_control_is_judged_by_its_own_checks() -> None:
    rows = results_table(CONTROL, [])
    assert [row["word"] for row in rows[:2]] == ["Present", "Present"]
    failed = guard("CONTROL_FAILED", 40.0, 75.0, reagent="CD154", fired=True)
    rows = results_table(result_of(made.CONTROL, guards=[failed]), [])
    assert [row["word"] for row in rows[:2]] == ["Not assessable", "Present"]


def test_odds_are_worded_as_readers_say_them_and_the_most_informative_measure_first() -> None:
    odds = condition("absent_odds", 64.5, ">=", 4.605170186)
    found = decided_by(result_of(made.SCENARIOS["ABSENT"], rules=[rule("ABSENT", odds)]))
    assert found is not None
    assert found.text == "CD154: odds of absent expression more than 1,000,000 to 1 (limit ≥ 100 to 1)"
    hopeless = condition("normal_odds", -999.0, ">=", 4.605, met=False)
    lost = result_of(
        made.SCENARIOS["INDETERMINATE"], guards=[], reasons=[], rules=[rule("NORMAL", hopeless, met=False)]
    )
    found = decided_by(lost)
    assert found is not None and found.value == "1 to 1,000,000"
    high = condition("positive_high", 0.0141, "<=", 0.1)
    found = decided_by(result_of(made.SCENARIOS["ABSENT"], rules=[rule("ABSENT", odds, high)]))
    assert found is not None
    assert plain(found.text) == "CD154: Percent positive, upper end 1.4 % (limit ≤ 10 %)"


def test_the_nearest_limit_is_so_in_parts_of_the_way_to_the_best() -> None:
    guards = [guard("ACTIVATION_FAILED", 94.0, 75.0), guard("TOO_FEW_EVENTS", 215.0, 200.0, unit="events")]
    rules = [rule("NORMAL", condition("normal_odds", 5.02, ">=", 4.605), condition("level", 0.9, ">=", 0.5))]
    found = nearest_limit(result_of(made.SCENARIOS["NORMAL"], guards=guards, rules=rules))
    assert found is not None
    assert plain(found.text) == "TOO_FEW_EVENTS 215 (limit ≥ 200)"
    assert found.percent == pytest.approx(7.5)


def test_what_decided_is_not_counted_twice_and_settings_have_no_margin() -> None:
    guards = [guard("GAIN_MISMATCH", 1.0, 0.99, unit="x"), guard("HIGH_BACKGROUND", 0.49, 0.5, effect="soft")]
    rules = [rule("NORMAL", condition("normal_odds", 4.61, ">=", 4.605), condition("level", 0.9, ">=", 0.5))]
    result = result_of(made.SCENARIOS["NORMAL"], guards=guards, rules=rules)
    decided, nearest = decided_by(result), nearest_limit(result)
    assert decided is not None and nearest is not None
    assert decided.name.endswith("expression like the control's")
    assert nearest.name == "CD154: MFI of all over control"


def test_what_stopped_a_call_decided_it() -> None:
    guards = [guard("TOO_FEW_EVENTS", 125.0, 200.0, fired=True, unit="events")]
    found = decided_by(result_of(made.SCENARIOS["INDETERMINATE"], guards=guards))
    assert found is not None
    assert (found.text, found.percent) == ("TOO_FEW_EVENTS 125 (limit ≥ 200)", pytest.approx(-37.5))


def test_a_check_without_a_value_that_stopped_a_call_is_named() -> None:
    """No rule that was missed by the way decided then."""
    failed = guard("CONTROL_FAILED", None, None, fired=True, effect="hard")
    missed = rule("NORMAL", condition("normal_odds", -10.0, ">=", 4.605, met=False), met=False)
    result = result_of(made.SCENARIOS["INDETERMINATE"], guards=[failed], reasons=["CONTROL_FAILED"], rules=[missed])
    found = decided_by(result)
    assert found is not None
    assert found.text == "The run's control failed"


def test_between_the_limits_the_rule_missed_most_narrowly_decided() -> None:
    rules = [
        rule("NORMAL", condition("normal_odds", 3.9, ">=", 4.605, met=False), met=False),
        rule("MOSAIC", condition("mosaic_odds", -3.9, ">=", 4.605, met=False), met=False),
    ]
    found = decided_by(result_of(made.SCENARIOS["INDETERMINATE"], guards=[], reasons=["BETWEEN_LIMITS"], rules=rules))
    assert found is not None
    assert found.text == "CD154: odds of expression like the control's 49 to 1 (limit ≥ 100 to 1)"


def test_the_headline_is_the_reviewed_call_with_its_own_words() -> None:
    result = result_of(made.SCENARIOS["ABSENT"])
    first, second = signed("override", "MOSAIC"), signed("override", "MOSAIC", "B. Kern", 11)
    assert headline(result, state_of(result))["word"] == "Absent"
    waiting = headline(result, state_of(result, first))
    assert (waiting["word"], waiting["call"]) == ("No call yet: Mosaic proposed", "INDETERMINATE")
    view = headline(result, state_of(result, first, second))
    assert (view["word"], view["call"], view["beneath"][:22]) == ("Mosaic", "MOSAIC", "Automatic call: Absent")
    assert view["sentences"][0].startswith("In the reviewers' judgement")
    assert "In a male consider somatic mosaicism" in " ".join(view["sentences"])
    assert not any("carrier" in text for text in view["sentences"]), "he is a boy"
    assert not set(view["sentences"]) & set(result.statement)


def test_a_repeat_reports_no_call() -> None:
    result = result_of(made.SCENARIOS["ABSENT"])
    view = headline(result, state_of(result, signed("repeat", None)))
    assert (view["word"], view["call"]) == ("Repeat requested", "INDETERMINATE")
    assert "It is not reported" in view["beneath"]


def test_a_changed_decision_is_marked_as_amended() -> None:
    result = result_of(made.SCENARIOS["NORMAL"])
    told = {"automatic_call": "NORMAL"}
    first, again = signed("accept", "NORMAL", **told), signed("accept", "NORMAL", hour=12, **told)
    stale = signed("accept", "NORMAL", hour=9, result_digest="b" * 64, **told)
    assert headline(result, state_of(result, first))["amended"] == ""
    assert headline(result, state_of(result, first, again))["amended"] == "", "the same decision, signed twice"
    assert headline(result, state_of(result, stale, first))["amended"].startswith(
        "AMENDED. An earlier review (accepted"
    )
    repeat = signed("repeat", None, hour=13, **told)
    assert "A. Smith, 2026-01-05" in headline(result, state_of(result, first, repeat))["amended"]


def test_identity_stands_in_the_order_of_the_configuration() -> None:
    content = made.make_result(made.SCENARIOS["NORMAL"])
    content["metadata"]["show"] = {"Accession": "26-17", "Laboratory": "West", "Received": ""}
    content["configuration"]["show_columns"] = ["Laboratory", "Accession", "Received"]
    labels = slots(as_result(content))
    assert labels[:4] == [("Sample", "P01"), ("Laboratory", "West"), ("Accession", "26-17"), ("Received", "–")]


def test_quality_is_one_line_and_reasons_are_few() -> None:
    guards = [
        guard("ACTIVATION_FAILED", 94.0, 75.0),
        guard("STEROID", 1, 0, fired=True),
        guard("ACQ_QC", 1, 0, fired=None),
    ]
    line = quality(result_of(made.SCENARIOS["NORMAL"], guards=guards))
    assert (line["text"], line["fired"]) == ("1 of 3 checks passed, 1 not assessable", ["Steroid treatment"])
    codes = ["FILE_INTEGRITY", "CONTROL_ABSENT", "NO_COMP", "HIGH_BACKGROUND", "TUBE_SWAP"]
    view = limiting(result_of(made.SCENARIOS["INDETERMINATE"], reasons=codes))
    names = [reason_texts(code)["name"] for code in codes[:3]]
    assert ([row["name"] for row in view["rows"]], view["more"]) == (names, "2 more in the annex.")


def test_no_text_of_a_sheet_ends_the_running_header() -> None:
    rule_text = running_header('R1"; } body { display: none } </style>')
    assert "</style>" not in rule_text
    assert 'R1"' not in rule_text
    assert "counter(pages)" in rule_text

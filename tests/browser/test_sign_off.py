"""Signing a report in the browser: what is typed is what is saved, and what is saved is what the next report tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from playwright.sync_api import Page

from cd40l_flow.base.resources import workflow_file
from cd40l_flow.result.reviews.state import digest_of
from helpers.pages.opened import Open, Reported
from helpers.results import report_samples as made
from helpers.results.records import write_record

Make = Callable[[made.Scenario], Reported]


def save(page: Page, folder: Path) -> Path:
    """Sign, and put the file that the browser saves into the folder of reviews."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Sign and save the file").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def read(path: Path) -> dict[str, Any]:
    """Return a saved review, which must fit the schema."""
    review: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    schema = json.loads(workflow_file("schemas/review.schema.json").read_text(encoding="utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(review)) == []
    return review


def state(page: Page) -> str:
    """Return what the top of the report says of its review."""
    return page.locator("header .tag:not(.sign-mark)").last.inner_text()


def judge_all(page: Page) -> None:
    """Accept every gate."""
    page.get_by_role("button", name="Accept every gate not yet judged").click()


def test_the_whole_round_trip_of_an_abnormal_call(make_report: Make, opened: Open, tmp_path: Path) -> None:
    """Two persons sign one after the other; then the result changes, and what they signed no longer holds."""
    report, reviews = make_report(made.SCENARIOS["ABSENT"]), tmp_path / "reviews"
    first = opened(report.write())
    assert state(first.page) == "Provisional – unsigned"
    first.page.get_by_label("Accept the automatic call: Absent").check()
    first.page.fill("#sign-name", "Anna Smith")
    first.page.get_by_role("button", name="Sign and save the file").click()
    assert "gates are not judged" in first.page.locator("#sign-problems").inner_text()
    judge_all(first.page)
    first.page.fill("#sign-comment", "typed last")  # no field is left before the click
    one = save(first.page, reviews)
    assert "A second person must sign" in first.page.locator("#sign-status").inner_text()

    review = read(one)
    assert (review["comment"], review["reviewer"], review["decision"]) == ("typed last", "Anna Smith", "accept")
    assert review["result_digest"] == digest_of(report.result)
    assert (review["schema_version"], review["previous"], list(review["controls"])) == ("1.1", [], ["C01"])

    second = opened(report.write(one))
    assert state(second.page) == "Provisional – second signature missing"
    assert "accepted by Anna Smith" in second.page.locator("#call").inner_text()
    second.page.get_by_label("Accept the automatic call: Absent").check()
    second.page.fill("#sign-name", "anna smith")
    assert "must be another person's" in second.page.locator("#sign-status").inner_text()
    second.page.fill("#sign-name", "Berta Kern")
    judge_all(second.page)
    two = save(second.page, reviews)
    assert "A second person" not in second.page.locator("#sign-status").inner_text()

    signed = opened(report.write(one, two))
    assert state(signed.page) == "Accepted"
    told = signed.page.locator("#call").inner_text()
    assert (
        "Anna Smith (immunologist)" in told and "Berta Kern (pathologist)" in told and review["signed_at"][:10] in told
    )
    assert signed.page.locator("#call h1").inner_text() == "Absent"

    write_record(json.loads(report.result.read_text(encoding="utf-8")) | {"run": "R2"}, report.result)
    stale = opened(report.write(one, two))
    assert state(stale.page) == "Provisional – review out of date"
    assert stale.page.locator("#review tbody tr").count() == 2
    assert "Changed: the row of the samples or tubes sheet." in stale.page.locator("#call .doubt").inner_text()
    assert read(two)["previous"] == [digest_of(one)]
    assert [heard for page in (first, second, signed, stale) for heard in page.heard] == []


def test_an_override_keeps_the_automatic_call_in_sight(make_report: Make, opened: Open, tmp_path: Path) -> None:
    report, reviews, files = make_report(made.SCENARIOS["NORMAL"]), tmp_path / "reviews", []
    for name in ("A. Smith", "B. Kern"):
        one = opened(report.write(*files))
        one.page.get_by_label("Override it").check()
        one.page.select_option("#sign-call", "MOSAIC")
        one.page.select_option("#sign-reason", "OTHER_RESULT")
        one.page.fill("#sign-comment", "The sister's result.")
        one.page.fill("#sign-name", name)
        files.append(save(one.page, reviews / name[0]))
    page = opened(report.write(*files)).page

    assert state(page) == "Overridden"
    assert page.locator("#call h1").inner_text() == "Mosaic"
    assert "Automatic call: Normal pattern" in page.locator("#call").inner_text()
    assert "Another result of this subject" in page.locator("#call").inner_text()


def test_two_signatures_in_one_second_are_two_files(make_report: Make, opened: Open, tmp_path: Path) -> None:
    """Files that share a name replace each other: one of two signatures would be lost."""
    report, files = make_report(made.SCENARIOS["ABSENT"]), []
    page = opened(report.write()).page
    page.clock.install()
    page.clock.pause_at("2100-01-05T10:15:00Z")
    for name in ("B. Kern", "A. Smith"):
        page.get_by_label("Accept the automatic call").check()
        judge_all(page)
        page.fill("#sign-name", name)
        files.append(save(page, tmp_path / "reviews"))
        page.clock.run_for(7)

    assert {read(file)["signed_at"] for file in files} == {"2100-01-05T10:15:00Z"}
    assert [file.name.split("_")[1] for file in files] == ["21000105T101500000Z", "21000105T101500007Z"]
    assert state(opened(report.write(*files)).page) == "Accepted"


def test_a_repeat_needs_one_signature(make_report: Make, opened: Open, tmp_path: Path) -> None:
    report = make_report(made.SCENARIOS["ABSENT"])
    one = opened(report.write())
    one.page.get_by_label("Ask for a repeat").check()
    one.page.fill("#sign-name", "A. Smith")
    one.page.fill("#sign-comment", "Blood of three days.")

    assert state(opened(report.write(save(one.page, tmp_path / "reviews"))).page) == "Repeat requested"


def test_a_draft_outlives_a_reload_but_not_the_saving(make_report: Make, opened: Open, tmp_path: Path) -> None:
    report = make_report(made.SCENARIOS["NORMAL"])
    page = opened(report.write()).page
    page.locator(".gate-verdict select").nth(9).select_option("adjust")
    page.locator(".gate-verdict textarea").nth(9).fill("cuts the cloud")
    page.get_by_label("Accept the automatic call").check()
    page.fill("#sign-name", "A. Smith")
    page.fill("#sign-comment", "accepted all the same")
    page.reload()

    assert page.locator("#sign-status").inner_text() == "The draft kept in this browser was restored."
    assert page.locator("#sign-comment").input_value() == "accepted all the same"
    assert "1 of 27 gates judged, 1 to adjust" in page.locator("#sign-gates").inner_text()
    path = save(page, tmp_path / "reviews")
    gate = read(path)["gates"][0]
    assert (gate["verdict"], gate["comment"], gate["tube"]) == ("adjust", "cuts the cloud", "P01_1.fcs")
    page.reload()
    assert page.locator("#sign-comment").input_value() == ""
    signed = opened(report.write(path)).page
    assert "A. Smith: to adjust cuts the cloud" in signed.locator("#gating").inner_text().replace("\n", " ")


def test_a_draft_of_an_earlier_result_is_not_taken_over(make_report: Make, opened: Open) -> None:
    report = make_report(made.SCENARIOS["NORMAL"])
    one = opened(report.write())
    one.page.fill("#sign-comment", "on the first result")
    write_record(json.loads(report.result.read_text(encoding="utf-8")) | {"run": "R2"}, report.result)
    page = opened(report.write()).page

    assert page.locator("#sign-comment").input_value() == ""
    assert "an earlier result" in page.locator("#sign-status").inner_text()


def test_what_is_missing_is_reported_and_nothing_is_saved(make_report: Make, opened: Open) -> None:
    page = opened(make_report(made.SCENARIOS["NORMAL"]).write()).page
    saved: list[object] = []
    page.on("download", lambda download: saved.append(download))
    button = page.get_by_role("button", name="Sign and save the file")

    def told() -> str:
        button.click()
        return page.locator("#sign-problems").inner_text()

    assert "Choose a decision." in told() and "Write your name" in told()
    page.get_by_label("Override it").check()
    page.fill("#sign-name", "A. Smith")
    assert {"Choose the call instead.", "Choose a reason."} <= set(told().splitlines())
    page.get_by_label("Accept the automatic call").check()
    page.locator(".gate-verdict select").first.select_option("exclude")
    lines = told()
    assert "Write what is wrong with the gate of steady acquisition" in lines
    assert "state in the comment why the call is accepted" in lines
    page.get_by_role("button", name="Discard the draft").click()
    assert page.locator("#sign-problems").inner_text() == ""
    assert saved == []


def test_the_accept_button_leaves_judged_gates_alone(make_report: Make, opened: Open) -> None:
    page = opened(make_report(made.SCENARIOS["NORMAL"]).write()).page
    page.locator(".gate-verdict select").first.select_option("exclude")
    page.get_by_role("button", name="Accept every gate not yet judged").click()

    assert "27 of 27 gates judged, 1 to adjust or exclude" in page.locator("#sign-gates").inner_text()
    assert page.locator(".gate-verdict select").first.input_value() == "exclude"


def test_an_unknown_sex_blocks_what_depends_on_it(make_report: Make, opened: Open) -> None:
    page = opened(make_report(replace(made.SCENARIOS["MOSAIC"], sex="unknown")).write()).page

    assert page.get_by_label("Accept the automatic call: Mosaic").is_disabled()
    assert page.get_by_label("Ask for a repeat").is_enabled()
    disabled = page.eval_on_selector_all("#sign-call option:disabled", "all => all.map(one => one.value)")
    assert set(disabled) == {"NORMAL", "ABSENT", "FUNCTIONAL_DEFECT"}
    assert "The sex is not known" in page.locator("#review").inner_text()


def test_a_file_that_is_no_review_is_reported_on_the_report(make_report: Make, opened: Open) -> None:
    report = make_report(made.SCENARIOS["NORMAL"])
    bad = report.folder / "bad.json"
    bad.write_text(json.dumps({"sample": "P01", "decision": "<b>sign</b>"}), encoding="utf-8")
    one = opened(report.write(bad))

    text = one.page.locator("#review").inner_text()
    assert "Review files that were not counted" in text and "<b>sign</b>" in text and "bad.json" in text
    assert state(one.page) == "Provisional – unsigned"


@pytest.mark.parametrize("evil", ["<script>window.hit = 1</script>", "\"'><img src=x onerror=window.hit=1>"])
def test_hostile_text_stays_text(evil: str, make_report: Make, opened: Open, tmp_path: Path) -> None:
    report = make_report(made.SCENARIOS["NORMAL"])
    result = json.loads(report.result.read_text(encoding="utf-8"))
    result |= {"run": evil, "statement": [evil]}
    write_record(result, report.result)
    one = opened(report.write())
    one.page.get_by_label("Ask for a repeat").check()
    one.page.fill("#sign-comment", evil + "\u202e\u0007\nsecond line")
    one.page.fill("#sign-name", evil)
    one.page.get_by_role("button", name="Sign and save the file").click()
    assert "not among the reviewers" in one.page.locator("#sign-problems").inner_text()
    one.page.fill("#sign-name", "A. Smith")
    path = save(one.page, tmp_path / "reviews")
    page = opened(report.write(path)).page

    assert read(path)["comment"].startswith(evil)
    assert page.evaluate("window.hit") is None and one.page.evaluate("window.hit") is None
    assert evil in page.locator("#review tbody").inner_text()
    assert one.heard == []

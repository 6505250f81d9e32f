"""Reviews: which files are taken, what they amount to, and that nothing is silently left out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cd40l_flow.assay.texts import load_texts
from cd40l_flow.base.resources import workflow_file
from cd40l_flow.result.reviews.check import folder_problems
from cd40l_flow.result.reviews.files import blocked, files_by_sample, read_reviews, review_files
from cd40l_flow.result.reviews.signable import signable
from cd40l_flow.result.reviews.state import ReviewState, review_state
from cd40l_flow.result.reviews.taken import taken_reviews
from cd40l_flow.result.types.result import Result
from helpers.results.controls import whole_result
from helpers.results.review_files import DIGEST, PEOPLE, make_review, override, repeat, verdict, write_review

NOW = 1.9e9
BY_B = {"reviewer": "Berta Kern", "signed_at": "2026-01-06T09:00:00Z"}
BY_C = {"reviewer": "C. Ruiz", "signed_at": "2026-01-07T09:00:00Z"}


@dataclass(frozen=True)
class Row:
    """What of a sample of the sheet is looked at."""

    role: str = "test"
    sex: str = "M"


def result(**changes: Any) -> Result:
    tubes = [{"fcs": "P01_1.fcs", "stimulation": "stimulated", "reagent": "CD154"}]
    return whole_result({"sample": "P01", "call": "ABSENT", "role": "test", "sex": "M", "tubes": tubes} | changes)


def state_of(folder: Path, *reviews: dict[str, Any], **changes: Any) -> ReviewState:
    """Return what reviews amount to for a result; ``changes`` are made to the result."""
    paths = [write_review(folder, f"{number}.json", review) for number, review in enumerate(reviews)]
    digest = changes.pop("digest", DIGEST)
    return review_state(signable(result(**changes), digest), taken_reviews(paths, None, PEOPLE))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(workflow_file("schemas/review.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(loaded)
    return loaded


@pytest.mark.parametrize(
    "review", [make_review(), override(), repeat(), make_review(gates=[verdict()], comment="Accepted all the same.")]
)
def test_the_schema_takes_what_the_form_saves(review: dict[str, Any], schema: dict[str, Any]) -> None:
    assert list(Draft202012Validator(schema).iter_errors(review)) == []


FAULTY: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": (make_review(note="x"), "note"),
    "other version": (make_review(schema_version="2.0"), "schema_version"),
    "digest": (make_review(result_digest="A" * 64), "result_digest"),
    "path as sample": (make_review(sample="../P01"), "sample"),
    "line feed in the sample": (make_review(sample="P01\n"), "sample"),
    "call": (make_review(automatic_call="FINE"), "automatic_call"),
    "decision": (make_review(decision="sign"), "decision"),
    "accept with another call": (make_review(reviewed_call="NORMAL"), "reviewed_call"),
    "override without a call": (override(reviewed_call=None), "reviewed_call"),
    "override without a reason": (override(reason_code=None), "reason_code"),
    "override without words": (override(comment="  "), "comment"),
    "override by the same call": (override("ABSENT"), "reviewed_call"),
    "repeat without words": (repeat(comment=""), "comment"),
    "accepted with a doubted gate": (make_review(gates=[verdict()]), "comment"),
    "doubted gate without words": (make_review(gates=[verdict(comment="")], comment="all the same"), "gates.0.comment"),
    "one gate twice": (make_review(gates=[verdict(), verdict("accept")], comment="all the same"), "gates"),
    "no name": (make_review(reviewer=" . "), "reviewer"),
    "name on two lines": (make_review(reviewer="A\nB"), "reviewer"),
    "line feed after the name": (make_review(reviewer="A. Smith\n"), "reviewer"),
    "name that turns the line": (make_review(reviewer="A\u202eB C"), "reviewer"),
    "control sign": (make_review(comment="a\x1b[31mb"), "comment"),
    "no such day": (make_review(signed_at="2026-02-30T10:00:00Z"), "signed_at"),
    "local time": (make_review(signed_at="2026-01-05 10:00"), "signed_at"),
    "missing key": ({key: value for key, value in make_review().items() if key != "reviewer"}, "reviewer"),
    "long comment": (make_review(comment="x" * 5000), "comment"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_review_is_reported_and_not_used(name: str, tmp_path: Path) -> None:
    review, key = FAULTY[name]
    path = write_review(tmp_path, "r.json", review)

    found = read_reviews([path])

    assert found.reviews == ()
    assert key in [problem.column for problem in found.problems]
    assert all(problem.code == "REVIEW" and problem.remedy and problem.file == str(path) for problem in found.problems)


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"",
            b"[1,",
            b"[" * 90_000,
            b"\xff\xfe",
            b'{"a": NaN}',
            b'{"a": 1, "a": 2}',
            b'"\\ud800"',
            b"null",
            b"9" * 6000,
        ),
        b" " * 300_000,
    ],
    ids=["empty", "cut", "deep", "bytes", "nan", "twice", "half letter", "null", "long number", "large"],
)
def test_a_file_that_is_no_review_is_reported_without_a_traceback(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)

    found = read_reviews([path])

    assert (len(found.reviews), len(found.problems)) == (0, 1)
    str(found.problems[0]).encode()


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*make_review(), "x"]), inner),
        max_leaves=8,
    )
)
def test_any_json_is_read_or_reported(value: Any) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "r.json"
        path.write_text(json.dumps(value), encoding="utf-8")
        found = read_reviews([path])
    assert not found.reviews and found.problems


def test_every_problem_of_the_folder_is_reported_at_once(tmp_path: Path) -> None:
    write_review(tmp_path, "a.json", make_review())
    write_review(tmp_path, "b.json", make_review(sample="P77"))
    write_review(tmp_path, "c.json", make_review(reviewer="", decision="sign"))
    write_review(tmp_path, "d.json", make_review(sample="P02"))
    (tmp_path / "e.json.txt").write_text("{}")
    (tmp_path / "f.json").symlink_to(tmp_path / "nothing")
    (tmp_path / "sub.json").mkdir()
    (tmp_path / ".hidden").write_text("")
    (tmp_path / "README.md").write_text("")

    problems = folder_problems(str(tmp_path), {"P01": Row(), "P02": Row(sex="unknown")}, NOW)

    told = sorted((Path(problem.file).name, problem.column) for problem in problems)
    assert told == [
        *(("b.json", "sample"), ("c.json", "decision"), ("c.json", "reviewer"), ("d.json", "decision")),
        *(("e.json.txt", None), ("f.json", None), ("sub.json", None)),
    ]
    assert {problem.severity for problem in problems} == {"warning"}


def test_a_folder_that_is_not_there_holds_no_reviews(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert review_files(None) == review_files(str(tmp_path / "none")) == ([], [])
    assert "is not a folder" in review_files(str(tmp_path / "file"))[1][0].message


def test_files_go_to_the_sample_they_name_good_or_not(tmp_path: Path) -> None:
    good = write_review(tmp_path, "a.json", make_review())
    bad = write_review(tmp_path, "b.json", {"sample": "P01"})
    lost = write_review(tmp_path, "c.json", [])

    assert files_by_sample(str(tmp_path)) == {"P01": [good, bad], "": [lost]}


def test_without_reviews_a_sample_is_unsigned(tmp_path: Path) -> None:
    state = state_of(tmp_path)

    assert (state.state, state.reviewed_call, state.history) == ("unsigned", "", ())


@pytest.mark.parametrize("call", ["NORMAL", "REDUCED", "MOSAIC", "INDETERMINATE"])
def test_one_signature_accepts_a_call_that_needs_no_second(call: str, tmp_path: Path) -> None:
    state = state_of(tmp_path, make_review(automatic_call=call), call=call)

    assert (state.state, state.reviewed_call) == ("accepted", call)


@pytest.mark.parametrize("call", ["ABSENT", "FUNCTIONAL_DEFECT"])
def test_an_abnormal_call_waits_for_another_person(call: str, tmp_path: Path) -> None:
    first = make_review(automatic_call=call)
    again = {**first, "reviewer": "a smith", "signed_at": "2026-01-05T11:00:00Z"}

    assert state_of(tmp_path / "1", first, call=call).state == "pending"
    pending = state_of(tmp_path / "2", first, again, call=call)
    assert (pending.state, pending.reviewed_call, pending.second) == ("pending", "", "abnormal")
    signed = state_of(tmp_path / "3", first, again, {**first, **BY_B}, call=call)
    assert (signed.state, signed.reviewed_call) == ("accepted", call)
    assert [review.reviewer for review in signed.signatures] == ["a smith", "Berta Kern"]
    assert [standing for _, standing in signed.history] == ["replaced", "stands", "stands"]


def test_an_override_waits_for_another_person_with_the_same_call(tmp_path: Path) -> None:
    assert state_of(tmp_path / "1", override()).state == "pending"
    other = state_of(tmp_path / "2", override(), override("MOSAIC", **BY_B))
    assert (other.state, other.reviewed_call) == ("pending", "")
    signed = state_of(tmp_path / "3", override(), override("MOSAIC", **BY_B), override("MOSAIC", **BY_C))
    assert (signed.state, signed.reviewed_call) == ("overridden", "MOSAIC")


def test_who_disagrees_makes_a_second_signature_needed_for_any_call(tmp_path: Path) -> None:
    first = override("MOSAIC", automatic_call="NORMAL")
    accepted = make_review(automatic_call="NORMAL", **BY_B)

    pending = state_of(tmp_path / "1", first, accepted, call="NORMAL")
    assert (pending.state, pending.second) == ("pending", "disagreement")
    agreed = state_of(tmp_path / "2", first, accepted, make_review(automatic_call="NORMAL", **BY_C), call="NORMAL")
    assert (agreed.state, agreed.reviewed_call) == ("accepted", "NORMAL")
    assert len(agreed.history) == 3


def test_a_repeat_takes_effect_at_once_and_a_later_review_does_not_delete_it(tmp_path: Path) -> None:
    asked = state_of(
        tmp_path / "1", make_review(automatic_call="NORMAL"), repeat(automatic_call="NORMAL", **BY_B), call="NORMAL"
    )
    assert (asked.state, asked.reviewed_call) == ("repeat", "")
    later = state_of(
        tmp_path / "2", repeat(automatic_call="NORMAL"), make_review(automatic_call="NORMAL", **BY_B), call="NORMAL"
    )
    assert (later.state, later.second) == ("pending", "disagreement")
    assert [standing for _, standing in later.history] == ["stands", "stands"]


def test_a_changed_result_makes_reviews_stale_until_it_is_signed_again(tmp_path: Path) -> None:
    old = make_review(automatic_call="NORMAL")
    new = make_review(automatic_call="NORMAL", result_digest="b" * 64, **BY_B)

    stale = state_of(tmp_path / "1", old, call="NORMAL", digest="b" * 64)
    assert (stale.state, stale.reviewed_call, len(stale.history)) == ("stale", "", 1)
    signed = state_of(tmp_path / "2", old, new, call="NORMAL", digest="b" * 64)
    assert (signed.state, [standing for _, standing in signed.history]) == ("accepted", ["stale", "stands"])


@pytest.mark.parametrize(
    ("review", "changes", "key"),
    [
        (make_review(automatic_call="NORMAL"), {}, "automatic_call"),
        (make_review(), {"sex": "unknown"}, "decision"),
        (override("MOSAIC", automatic_call="REDUCED"), {"sex": "unknown", "call": "REDUCED"}, "decision"),
        (make_review(gates=[verdict("accept", tube="other.fcs")]), {}, "gates"),
    ],
    ids=["other call", "sex", "override to a call worded by sex", "other tube"],
)
def test_a_review_that_cannot_be_of_this_result_is_refused_aloud(
    review: dict[str, Any], changes: dict[str, Any], key: str, tmp_path: Path
) -> None:
    state = state_of(tmp_path, review, **changes)

    assert state.state == "unsigned"
    assert [standing for _, standing in state.history] == ["refused"]
    assert [problem.column for problem in state.problems] == [key]


def test_an_unknown_sex_blocks_only_what_is_worded_by_it() -> None:
    calls = load_texts()["calls"]

    assert [call for call in calls if blocked("test", "unknown", call)] == [
        "NORMAL",
        "ABSENT",
        "MOSAIC",
        "FUNCTIONAL_DEFECT",
    ]
    assert not any(blocked("control", "unknown", call) or blocked("test", "F", call) for call in calls)
    assert not blocked("test", "unknown", None)


def test_the_order_of_the_files_says_nothing(tmp_path: Path) -> None:
    reviews = [make_review(), make_review(**BY_B), repeat(**BY_C)]
    one = state_of(tmp_path / "1", *reviews)
    two = state_of(tmp_path / "2", *reversed(reviews))

    assert one.state == two.state == "repeat"
    assert [review.reviewer for review, _ in one.history] == [review.reviewer for review, _ in two.history]


def test_a_file_saved_twice_is_one_signature(tmp_path: Path) -> None:
    state = state_of(tmp_path, make_review(), make_review())

    assert (state.state, len(state.history)) == ("pending", 1)


def test_every_code_of_the_schema_has_its_words(schema: dict[str, Any]) -> None:
    words = load_texts()["sections"]["review"]
    reasons = [code for code in schema["properties"]["reason_code"]["enum"] if code]

    assert list(words["reason_codes"]) == reasons
    assert [call for call in schema["properties"]["reviewed_call"]["enum"] if call] == list(load_texts()["calls"])

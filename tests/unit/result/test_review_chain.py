"""Reviews that depend on each other: their order without clocks, forks, people, controls, and what may be signed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.cohort.config import parse_config
from cd40l_flow.cohort.reviewers import People, person_key, same_people
from cd40l_flow.report.review import doubt_words
from cd40l_flow.result.reviews.files import fingerprints
from cd40l_flow.result.reviews.signable import Signable, parts_of, signable
from cd40l_flow.result.reviews.state import ReviewState, states_of
from cd40l_flow.result.reviews.taken import taken_reviews
from cd40l_flow.result.types.result import Result
from helpers.results import report_samples as made
from helpers.results.controls import whole_result
from helpers.results.records import as_result
from helpers.results.review_files import DIGEST, PEOPLE, chained, verdict, write_review

ANNA, BERTA, TECHNICIAN = {"reviewer": "Anna Smith"}, {"reviewer": "Berta Kern"}, {"reviewer": "T. Lehr"}
NORMAL = {"automatic_call": "NORMAL"}
REPEAT = {"decision": "repeat", "comment": "Too old a blood."}
CONTROL = {"sample": "C01", "automatic_call": "NORMAL"}
GATES: tuple[tuple[None, None, None, str], ...] = ((None, None, None, "CD3+"), (None, None, None, "viable"))


def to_mosaic(**changes: Any) -> dict[str, Any]:
    """Return what a review holds that overrides a call to MOSAIC."""
    return {"decision": "override", "reviewed_call": "MOSAIC", "reason_code": "GATING", "comment": "cuts", **changes}


def patient(call: str = "NORMAL", **changes: Any) -> Signable:
    """Return a sample whose control is C01."""
    told = {"controls": ("C01",), "shared": frozenset({"CD3+", "viable"}), **changes}
    return Signable("P01", told.pop("digest", DIGEST), call, "test", "M", **told)


def state(*files: Path, one: Signable | None = None, people: People = PEOPLE) -> ReviewState:
    """Return what reviews of P01 and its control amount to for P01."""
    results = {"P01": one or patient(), "C01": Signable("C01", DIGEST, "NORMAL", "control", "F")}
    return states_of(results, taken_reviews(files, None, people))["P01"]


class Folder:
    """A folder of reviews that are signed one after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0

    def sign(self, *before: Path, **changes: Any) -> Path:
        """Sign in sight of some reviews and return the file."""
        self.count += 1
        return write_review(self.path, f"{self.count}.json", chained(*before, **{**NORMAL, **changes}))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_wrong_clock_does_not_change_who_signed_last(folder: Folder) -> None:
    """The second review was signed on a computer whose clock is ten years behind."""
    first = folder.sign(**ANNA, signed_at="2026-01-05T10:00:00Z")
    second = folder.sign(first, **BERTA, **REPEAT, signed_at="2016-01-05T10:00:00Z")

    assert state(first, second).state == "repeat"
    assert [review.reviewer for review, _ in state(second, first).history] == ["Anna Smith", "Berta Kern"]


def test_two_reviews_signed_side_by_side_are_both_kept_and_need_a_third(folder: Folder) -> None:
    """Neither knew of the other: an override is not lost because somebody accepted a minute later."""
    one = folder.sign(**ANNA, **to_mosaic(), signed_at="2026-01-05T10:00:00Z")
    two = folder.sign(**BERTA, signed_at="2026-01-05T10:01:00Z")

    fork = state(one, two)
    assert (fork.state, fork.second, len(fork.signatures)) == ("pending", "fork", 2)
    assert fork.heads == tuple(sorted(fingerprints([one, two])))
    blind = folder.sign(two, reviewer="C. Ruiz")
    assert state(one, two, blind).second == "fork"
    settled = folder.sign(one, two, reviewer="C. Ruiz")
    assert (state(one, two, settled).state, state(one, two, settled).reviewed_call) == ("accepted", "NORMAL")


def test_a_repeat_signed_side_by_side_with_an_acceptance_wins(folder: Folder) -> None:
    asked = folder.sign(**ANNA, **REPEAT, signed_at="2026-01-05T10:00:00Z")
    accepted = folder.sign(**BERTA, signed_at="2026-01-05T12:00:00Z")

    assert state(asked, accepted).state == "repeat"


def test_a_review_whose_predecessor_is_not_there_waits_for_it(folder: Folder) -> None:
    first = folder.sign(**ANNA, **to_mosaic())
    second = folder.sign(first, **BERTA)

    alone = state(second)
    assert (alone.state, [standing for _, standing in alone.history]) == ("unsigned", ["waiting"])
    assert [problem.column for problem in alone.problems] == ["previous"]
    assert state(first, second).second == "disagreement"


@pytest.mark.parametrize(
    "other",
    ["anna smith", "Dr. Anna Smith", "Prof. Dr. med. Anna  SMITH, PhD", "Аnna Smіth", "Ａnna Śmith", "AnnaSmith"],
)
def test_another_spelling_is_no_second_person(other: str, folder: Folder) -> None:
    """Titles, case, accents, full-width and Cyrillic letters: one entry of the configuration is one person."""
    first = folder.sign(**ANNA, **to_mosaic())
    again = folder.sign(first, reviewer=other, **to_mosaic())

    assert person_key(other) == person_key("Anna Smith")
    assert (state(first, again).state, state(first, again).second) == ("pending", "override")


def test_who_is_not_listed_does_not_sign(folder: Folder) -> None:
    found = state(folder.sign(reviewer="A. N. Other"))

    assert (found.state, found.problems[0].column) == ("unsigned", "reviewer")


def test_without_a_list_nobody_is_a_second_person(folder: Folder) -> None:
    first = folder.sign(**ANNA, **to_mosaic())
    second = folder.sign(first, **BERTA, **to_mosaic())

    assert state(folder.sign(**ANNA), people=People()).state == "accepted"
    assert (state(first, second, people=People()).state, state(first, second, people=People()).second) == (
        "pending",
        "unlisted",
    )


def test_only_who_may_sign_second_does(folder: Folder) -> None:
    by_technician = folder.sign(**TECHNICIAN, **to_mosaic())
    then = folder.sign(by_technician, **ANNA, **to_mosaic())
    assert state(by_technician, then).reviewed_call == "MOSAIC"

    by_anna = folder.sign(**ANNA, **to_mosaic())
    after = folder.sign(by_anna, **TECHNICIAN, **to_mosaic())
    assert (state(by_anna, after).state, state(by_anna, after).second) == ("pending", "may_not")


def test_names_that_differ_are_distinguished_and_spellings_are_not() -> None:
    different = ["Anna Smith", "Anna Smythe", "A. Smith", "Мария Иванова", "Марина Иванова", "Ärzt", "Dr. Med"]
    assert same_people(different) == []
    assert same_people(["M. Müller", "Dr. m muller", "X"]) == [("M. Müller", "Dr. m muller")]


def test_the_configuration_refuses_two_spellings_of_one_reviewer(tmp_path: Path) -> None:
    people = [{"name": name, "role": "pathologist", "may_sign_second": True} for name in ("A. Smith", "Dr. А. Smith")]
    config = {"samples": "s", "tubes": "t", "fcs_dir": str(tmp_path), "reviewers": people}

    _, problems = parse_config(config)
    assert [(problem.severity, problem.column) for problem in problems] == [("fatal", "reviewers")]
    assert "two spellings of one name" in problems[0].message
    missing = parse_config({**config, "reviewers": [{"name": "A. Smith"}]})[1]
    assert {problem.column for problem in missing} == {"reviewers.0.role", "reviewers.0.may_sign_second"}


CONTROL_REVIEWS = {
    "repeat": ([{**CONTROL, **ANNA, **REPEAT}], "control_repeat"),
    "overridden": (
        [{**CONTROL, **who, **to_mosaic(reviewed_call="INDETERMINATE")} for who in (ANNA, BERTA)],
        "control_overridden",
    ),
    "disputed": ([{**CONTROL, **ANNA, **to_mosaic(reviewed_call="REDUCED")}], "control_disputed"),
    "stale": ([{**CONTROL, **ANNA, "result_digest": "b" * 64}], "control_stale"),
}


@pytest.mark.parametrize("kind", CONTROL_REVIEWS)
def test_no_signature_stands_on_a_control_that_was_rejected(kind: str, folder: Folder) -> None:
    """The patient was signed first; then somebody looked at the control."""
    signed = folder.sign(**BERTA)
    assert state(signed).state == "accepted"
    files: list[Path] = []
    for review in CONTROL_REVIEWS[kind][0]:
        files.append(folder.sign(*files, **review))

    found = state(signed, *files)
    assert (found.state, found.reviewed_call, found.signatures) == ("stale", "", ())
    assert [standing for _, standing in found.history] == ["suspended"]
    assert [doubt.code for doubt in found.doubts] == [CONTROL_REVIEWS[kind][1]]
    assert "C01" in doubt_words(found)[0]
    # Signing the patient again does not help: it is the control that has to be settled.
    assert state(signed, *files, folder.sign(signed, **BERTA)).state == "stale"


def test_a_control_overridden_to_normal_carries_who_signed_in_sight_of_it(folder: Folder) -> None:
    control = {**CONTROL, "automatic_call": "REDUCED"}
    one = folder.sign(**{**control, **ANNA, **to_mosaic(reviewed_call="NORMAL")})
    two = folder.sign(one, **{**control, **BERTA, **to_mosaic(reviewed_call="NORMAL")})
    unseen = folder.sign(**BERTA, controls={"C01": fingerprints([one])})
    results = {"P01": patient(), "C01": Signable("C01", DIGEST, "REDUCED", "control", "F")}

    def found(*files: Path) -> ReviewState:
        return states_of(results, taken_reviews(files, None, PEOPLE))["P01"]

    assert [doubt.code for doubt in found(one, two, unseen).doubts] == ["control_unseen"]
    seen = folder.sign(unseen, **BERTA, controls={"C01": fingerprints([two])})
    assert found(one, two, unseen, seen).state == "accepted"


def test_a_control_that_is_accepted_or_unsigned_changes_nothing(folder: Folder) -> None:
    signed, control = folder.sign(**BERTA), folder.sign(**CONTROL, **ANNA)

    assert state(signed, control).state == "accepted"
    assert state(control).state == "unsigned"


def test_absent_is_signed_only_with_every_gate_judged(folder: Folder) -> None:
    one = patient("ABSENT", gates=GATES)
    verdicts = [verdict("accept", "", tube=None, stimulation=None, reagent=None, population=gate[3]) for gate in GATES]
    absent = {**ANNA, "automatic_call": "ABSENT"}

    unjudged = state(folder.sign(**absent, gates=verdicts[:1]), one=one)
    assert (unjudged.state, unjudged.problems[0].column) == ("unsigned", "gates")
    assert "1 of 2 gates not judged" in unjudged.problems[0].message
    assert state(folder.sign(**absent, gates=verdicts), one=one).state == "pending"
    assert state(folder.sign(**absent, **REPEAT), one=one).state == "repeat"
    # A file of an earlier report is held to what it could tell.
    old = write_review(folder.path, "old.json", {**chained(**absent), "schema_version": "1.0"})
    assert state(old, one=one).state == "pending"


def test_a_verdict_on_a_gate_that_tubes_do_not_share_is_refused(folder: Folder) -> None:
    gate = verdict("accept", "", tube=None, stimulation=None, reagent=None, population="singlets")

    assert state(folder.sign(**ANNA, gates=[gate])).problems[0].column == "gates"


def test_every_gate_of_a_result_is_one_place_to_judge() -> None:
    result = as_result(made.make_result(made.SCENARIOS["ABSENT"]))
    one = signable(result, DIGEST)

    assert {"lymphocytes", "CD3+"} <= one.shared
    places = {(place[0], place[3]) for place in one.gates}
    assert {place for place in places if place[0] is None} == {(None, name) for name in one.shared}
    assert all(tube is None or name not in one.shared for tube, name in places)
    assert not any(name.startswith("CD154") for _, name in places)


def test_stale_says_what_has_changed(folder: Folder) -> None:
    result = whole_result({"sample": "P01", "call": "MOSAIC", "role": "test", "sex": "M"})
    parts = {**parts_of(result), "limits": "0" * 16, "call": "1" * 16}
    signed = folder.sign(**ANNA, result_digest="b" * 64, parts=parts)

    def told(*files: Path, one: Result = result) -> str:
        return " ".join(doubt_words(state(*files, one=signable(one, DIGEST)), one))

    words = told(signed)
    assert "was Normal pattern and is Mosaic now" in words
    assert "Changed: the limits of the configuration, the call or its reasons." in words
    old = write_review(folder.path, "old.json", {**chained(**NORMAL, result_digest="b" * 64), "schema_version": "1.0"})
    assert "did not record" in told(old)


def test_files_of_earlier_reports_follow_one_another_by_time(folder: Folder) -> None:
    def old(name: str, **changes: Any) -> Path:
        return write_review(folder.path, name, {**chained(**{**NORMAL, **changes}), "schema_version": "1.0"})

    one = old("z.json", **ANNA, **to_mosaic(), signed_at="2026-01-05T10:00:00Z")
    two = old("a.json", **BERTA, signed_at="2026-01-06T10:00:00Z")
    assert state(one, two).second == "disagreement"
    newer = folder.sign(two, reviewer="C. Ruiz")
    assert (state(one, two, newer).state, len(state(one, two, newer).heads)) == ("accepted", 1)

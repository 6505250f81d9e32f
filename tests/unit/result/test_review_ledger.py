"""The ledger: a review that is edited, taken away, doubled or dated ahead of the clock is found."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.result.reviews.check import folder_problems
from cd40l_flow.result.reviews.files import LEDGER, review_files
from cd40l_flow.result.reviews.ledger import read_ledger, take_up
from cd40l_flow.result.reviews.signable import Signable
from cd40l_flow.result.reviews.state import ReviewState, states_of
from cd40l_flow.result.reviews.taken import taken_reviews
from helpers.results.review_files import DIGEST, PEOPLE, chained, write_review

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()
SAMPLES = ("P01", "P02")


@dataclass(frozen=True)
class Row:
    """What of a sample of the sheet is looked at."""

    role: str = "test"
    sex: str = "M"


def sign(folder: Path, name: str, *before: Path, **changes: Any) -> Path:
    """Sign P01, NORMAL, in sight of other files."""
    return write_review(folder, name, chained(*before, **{"automatic_call": "NORMAL", **changes}))


def state(folder: Path) -> ReviewState:
    """Return what the folder amounts to for P01."""
    one = Signable("P01", DIGEST, "NORMAL", "test", "M")
    reviews = taken_reviews(review_files(str(folder))[0], folder / LEDGER, PEOPLE)
    return states_of({"P01": one}, reviews)["P01"]


def lines(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / LEDGER).read_text(encoding="utf-8").splitlines()]


def test_a_review_counts_once_it_was_taken_up(tmp_path: Path) -> None:
    sign(tmp_path, "one.json")

    before = state(tmp_path)
    assert (before.state, before.problems[0].column) == ("unsigned", "signed_at")
    assert "not taken up" in before.problems[0].message
    assert take_up(str(tmp_path), SAMPLES, NOW) == []
    assert (state(tmp_path).state, state(tmp_path).problems) == ("accepted", ())


def test_the_ledger_only_grows_and_is_the_same_for_the_same_reviews(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = tmp_path / name
        first = sign(folder, "one.json")
        take_up(str(folder), SAMPLES, NOW)
        sign(folder, "two.json", first, reviewer="Berta Kern")
        sign(folder, "three.json", sample="P02")
        sign(folder, "foreign.json", sample="P99")
        take_up(str(folder), SAMPLES, NOW + 1000)
        take_up(str(folder), SAMPLES, NOW + 2000)
    one, two = ((tmp_path / name / LEDGER).read_bytes() for name in ("a", "b"))
    assert one == two
    assert [line["file"] for line in lines(tmp_path / "a")] == ["one.json", "three.json", "two.json"]
    assert read_ledger(tmp_path / "a" / LEDGER).problems == ()


def test_two_processes_add_each_review_once(tmp_path: Path) -> None:
    for number in range(20):
        sign(tmp_path, f"{number}.json", comment=str(number))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: take_up(str(tmp_path), SAMPLES, NOW), range(16)))

    assert len(lines(tmp_path)) == 20
    assert read_ledger(tmp_path / LEDGER).problems == ()


def test_a_review_of_2036_is_refused_in_words(tmp_path: Path) -> None:
    sign(tmp_path, "late.json", signed_at="2036-01-05T10:00:00Z")
    sign(tmp_path, "soon.json", sample="P02", signed_at="2026-11-29T12:05:00Z")  # clocks differ a little

    (problem,) = take_up(str(tmp_path), SAMPLES, NOW)
    assert "ahead of this computer's clock" in problem.message and "2036-01-05" in problem.message
    assert [line["file"] for line in lines(tmp_path)] == ["soon.json"]
    assert state(tmp_path).state == "unsigned"
    told = [one.message for one in folder_problems(str(tmp_path), {"P01": Row(), "P02": Row()}, NOW)]
    assert len(told) == 1 and "2036-01-05" in told[0]


@pytest.mark.parametrize("how", ["changed", "gone", "spoilt"])
def test_an_edited_or_deleted_review_is_found_and_makes_the_sample_stale(how: str, tmp_path: Path) -> None:
    path = sign(tmp_path, "one.json", comment="as signed")
    take_up(str(tmp_path), SAMPLES, NOW)
    as_signed = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(as_signed.replace(b"as signed", b"as edited") if how == "changed" else b"{}")
    take_up(str(tmp_path), SAMPLES, NOW)

    found = state(tmp_path)
    assert (found.state, found.reviewed_call) == ("stale", "")
    assert [doubt.code for doubt in found.doubts] == [f"review_{'gone' if how == 'gone' else 'changed'}"]
    assert len(lines(tmp_path)) == 1
    assert any("taken up" in one.message for one in folder_problems(str(tmp_path), {"P01": Row()}, NOW))
    path.write_bytes(as_signed)
    assert state(tmp_path).state == "accepted"


def test_deleting_a_disagreement_does_not_settle_it(tmp_path: Path) -> None:
    override = {"decision": "override", "reviewed_call": "MOSAIC", "reason_code": "GATING", "comment": "cuts"}
    one = sign(tmp_path, "one.json", reviewer="Anna Smith", **override)
    two = sign(tmp_path, "two.json", one, reviewer="Berta Kern")
    take_up(str(tmp_path), SAMPLES, NOW)
    assert state(tmp_path).second == "disagreement"
    one.unlink()
    assert state(tmp_path).state == "stale"

    # Who signs the report that states the loss has seen it.
    told = state(tmp_path)
    sign(tmp_path, "three.json", two, reviewer="Berta Kern", missing=list(told.missing))
    take_up(str(tmp_path), SAMPLES, NOW)
    after = state(tmp_path)
    assert after.state == "accepted"
    assert any("not there any more" in problem.message for problem in after.problems)


def test_a_doubled_or_renamed_file_is_one_signature(tmp_path: Path) -> None:
    path = sign(tmp_path, "one.json")
    take_up(str(tmp_path), SAMPLES, NOW)
    (tmp_path / "copy.json").write_bytes(path.read_bytes())
    take_up(str(tmp_path), SAMPLES, NOW)
    assert (state(tmp_path).state, len(state(tmp_path).history), len(lines(tmp_path))) == ("accepted", 1, 1)
    path.unlink()
    assert (state(tmp_path).state, state(tmp_path).problems) == ("accepted", ())


@pytest.mark.parametrize("edit", ["line away", "value", "no line"])
def test_an_edited_ledger_is_reported(edit: str, tmp_path: Path) -> None:
    sign(tmp_path, "one.json")
    take_up(str(tmp_path), SAMPLES, NOW)
    sign(tmp_path, "two.json", sample="P02")
    take_up(str(tmp_path), SAMPLES, NOW)
    text = (tmp_path / LEDGER).read_text(encoding="utf-8")
    first, rest = text.split("\n", 1)
    edited = {"line away": rest, "value": text.replace("A. Smith", "B. Kern", 1), "no line": f"{first}\nx\n{rest}"}
    (tmp_path / LEDGER).write_text(edited[edit], encoding="utf-8")

    told = [one.message for one in folder_problems(str(tmp_path), {"P01": Row(), "P02": Row()}, NOW)]
    assert any("the ledger was edited" in message for message in told)


def test_a_line_that_was_cut_is_written_again(tmp_path: Path) -> None:
    sign(tmp_path, "one.json")
    take_up(str(tmp_path), SAMPLES, NOW)
    whole = (tmp_path / LEDGER).read_bytes()
    (tmp_path / LEDGER).write_bytes(whole[:-20])
    take_up(str(tmp_path), SAMPLES, NOW)

    assert (tmp_path / LEDGER).read_bytes() == whole


def test_a_ledger_that_cannot_be_written_is_reported_and_stops_nothing(tmp_path: Path) -> None:
    sign(tmp_path, "one.json")
    (tmp_path / LEDGER).mkdir()

    (problem,) = take_up(str(tmp_path), SAMPLES, NOW)
    assert "is no file" in problem.message
    assert folder_problems(str(tmp_path), {"P01": Row()}, NOW)
    assert state(tmp_path).state == "unsigned"


def test_without_a_folder_there_is_no_ledger(tmp_path: Path) -> None:
    assert take_up(str(tmp_path / "none"), SAMPLES, NOW) == take_up(None, SAMPLES, NOW) == []
    (tmp_path / "empty").mkdir()
    assert take_up(str(tmp_path / "empty"), SAMPLES, NOW) == []
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_new_review_under_the_name_of_a_renamed_one_is_taken_up(tmp_path: Path) -> None:
    path = sign(tmp_path, "one.json")
    take_up(str(tmp_path), SAMPLES, NOW)
    path.rename(tmp_path / "kept.json")
    sign(tmp_path, "one.json", tmp_path / "kept.json", reviewer="Berta Kern")
    take_up(str(tmp_path), SAMPLES, NOW)

    assert (state(tmp_path).state, len(state(tmp_path).history), state(tmp_path).problems) == ("accepted", 2, ())


def test_a_file_system_without_locks_has_a_ledger_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    sign(tmp_path, "one.json")

    assert take_up(str(tmp_path), SAMPLES, NOW) == []
    assert state(tmp_path).state == "accepted"

"""summary.tsv: the columns other programs rely on, and how numbers are written in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.result.reviews.state import ReviewState, digest_of
from cd40l_flow.result.reviews.taken import taken_reviews
from cd40l_flow.result.summary import format_cell, summary_columns, summary_row, write_summary
from helpers.results import report_samples as made
from helpers.results.controls import whole_result
from helpers.results.records import write_record
from helpers.results.review_files import PEOPLE, make_review, override, write_review

FIRST = "sample run role sex call cd154_call cd40ig_call reasons qc review reviewed_call activated_events cd69_percent"
MEASURES = (
    *("percent_positive", "percent_positive_low", "percent_positive_high"),
    *("mfi_positive", "mfi_ratio", "relative_positive"),
    *("negative_fraction", "negative_fraction_low", "negative_fraction_high"),
    *("mutant_fraction", "mutant_fraction_low", "mutant_fraction_high"),
    "separation",
)


UNSIGNED = ReviewState("unsigned", "", (), (), "", ())


def make_result(sample: str = "P01", **changes: Any) -> dict[str, Any]:
    """Return the part of a result that the summary reads."""
    result = {
        "sample": sample,
        "run": "R1",
        "role": "test",
        "sex": "F",
        "call": "MOSAIC",
        "reasons": ["FUNCTION_NOT_TESTED", "SAMPLE_AGE"],
        "qc": "warn",
        "tubes": [],
        "subcalls": {"CD154": {"call": "MOSAIC", "reasons": []}},
        "activated_events": 2810,
        "cd69_percent": 95.0,
        "reagents": {"CD154": {"percent_positive": 100 / 3, "negative_fraction": 0.0, "mfi_ratio": None}},
    }
    return result | changes


def test_columns_keep_their_names_and_order() -> None:
    expected = [*FIRST.split(), *(f"{reagent}_{name}" for reagent in ("cd154", "cd40ig") for name in MEASURES)]
    second = ("gmm_negative_fraction", "gmm_components")
    expected += [f"{reagent}_{name}" for reagent in ("cd154", "cd40ig") for name in second]
    expected += [f"cd154_2_{name}" for name in ("call", *MEASURES)]
    expected += ["memory_call", "switched_percent", "switched_low", "switched_high", "switched_age_z", "b_events"]
    expected += ["cd40_call", "cd40_ratio"]

    assert list(summary_columns()) == expected


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (2810, "2810"),
        (1234567, "1234567"),
        (95.0, "95.0"),
        (100 / 3, "33.3333"),
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (1234567.0, "1234570.0"),
        (0.00001234567, "1.23457e-05"),
        ("P01", "P01"),
    ],
)
def test_a_cell_is_a_count_in_full_or_six_digits_or_nothing(value: float | str | None, cell: str) -> None:
    assert format_cell(value) == cell


def test_a_row_keeps_units_and_leaves_what_is_missing_empty() -> None:
    row = summary_row(whole_result(make_result()), UNSIGNED)

    assert row["cd154_percent_positive"] == "33.3333"
    assert row["cd154_negative_fraction"] == "0.0"
    assert row["cd154_mfi_ratio"] == row["cd40ig_percent_positive"] == row["cd40ig_call"] == ""
    assert row["reasons"] == "FUNCTION_NOT_TESTED;SAMPLE_AGE"
    assert (row["review"], row["reviewed_call"]) == ("unsigned", "")


def test_the_file_is_in_the_order_of_the_ids_whatever_the_order_given(tmp_path: Path) -> None:
    found = [(whole_result(make_result(name)), "") for name in ("P10", "C01", "P02")]
    write_summary(found, tmp_path / "one.tsv")
    write_summary(found[::-1], tmp_path / "two.tsv")

    text = (tmp_path / "one.tsv").read_bytes()
    assert text == (tmp_path / "two.tsv").read_bytes()
    lines = text.decode().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["sample", "C01", "P02", "P10"]
    assert {line.count("\t") for line in lines} == {len(summary_columns()) - 1}
    assert b"\r" not in text


def test_reviews_enter_the_summary_and_leave_the_automatic_call(tmp_path: Path) -> None:
    path = tmp_path / "P01.json"
    write_record(made.make_result(made.SCENARIOS["MOSAIC"]), path)
    told = {"result_digest": digest_of(path), "automatic_call": "MOSAIC"}
    first = write_review(tmp_path / "reviews", "1.json", override("REDUCED", **told))
    second = write_review(tmp_path / "reviews", "2.json", override("REDUCED", reviewer="B. Kern", **told))
    other = write_review(tmp_path / "reviews", "3.json", make_review(sample="P02"))

    def row(*files: Path) -> tuple[str, ...]:
        write_summary(
            [(whole_result(make_result()), digest_of(path))],
            tmp_path / "summary.tsv",
            taken_reviews(files, None, PEOPLE),
        )
        header, line = (text.split("\t") for text in (tmp_path / "summary.tsv").read_text().splitlines())
        cells = dict(zip(header, line, strict=True))
        return cells["call"], cells["review"], cells["reviewed_call"]

    assert row() == ("MOSAIC", "unsigned", "")
    assert row(first, other) == ("MOSAIC", "pending", "")
    assert row(first, second, other) == ("MOSAIC", "overridden", "REDUCED")

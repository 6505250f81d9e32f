"""Cells of sheets and tables: numbers are finite or refused, and nothing is a formula."""

from __future__ import annotations

import csv
from contextlib import chdir
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd40l_flow.cohort.cells import as_text, safe, tab_separated
from cd40l_flow.cohort.draft import draft
from cd40l_flow.interop.multiqc import write_multiqc
from cd40l_flow.interop.override_lines import append_overrides
from cd40l_flow.result.measures_table import write_measures
from cd40l_flow.result.reviews.files import Reviews
from cd40l_flow.result.reviews.signable import signable
from cd40l_flow.result.reviews.state import review_state
from cd40l_flow.result.summary import summary_row
from helpers.results.records import as_result
from helpers.results.report_samples import SCENARIOS, make_result
from helpers.runs.cohorts import read_sheet, write_sheet
from helpers.runs.hostile import problems

# Numbers of sheets


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "1_000", "0x10", "١", "1,5", "NaN", "--5", "", "1e"])
def test_a_gate_is_a_finite_number_or_refused(value: str, cohort: Path) -> None:
    """A boundary of NaN lets all cells through or none: it is reported at its line."""
    path = cohort / "config/overrides.tsv"
    path.write_text(f"sample\ttube\tgate\tvalue\tby\treason\nP01\t\tcd69_low\t{value}\tAB\twhy\n", encoding="utf-8")

    found = problems(cohort)

    assert len(found) == 1
    assert "overrides.tsv, line 2, value" in found[0]


@pytest.mark.parametrize("column", ["age_years", "collected_h", "stimulation_h"])
@pytest.mark.parametrize("value", ["nan", "inf", "1e400", "1_0", "-1"])
def test_a_number_of_the_sheet_is_finite_or_refused(column: str, value: str, cohort: Path) -> None:
    path = cohort / "config/samples.tsv"
    rows = read_sheet(path)
    write_sheet(path, [rows[0], {**rows[1], column: value}])

    found = problems(cohort)

    assert len(found) == 1
    assert f"samples.tsv, line 3, {column}" in found[0]


# Spreadsheets


@given(st.text(max_size=40))
def test_a_safe_cell_starts_no_formula_and_loses_nothing(text: str) -> None:
    """Whatever the text: no spreadsheet runs its cell, and it is read as it was."""
    cell = safe(text)

    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) or float(cell) is not None
    if cell != text or not text.startswith("'"):
        assert as_text(cell) == text


def test_numbers_stay_numbers() -> None:
    assert [safe(text) for text in ("-5", "+1.5e-3", "-.5", "-5-3", "1-2", "-", "+A1")] == [
        "-5",
        "+1.5e-3",
        "-.5",
        "'-5-3",
        "1-2",
        "'-",
        "'+A1",
    ]
    assert tab_separated([(-5, -0.5, None, "=1\t2", 'a"b')]) == '-5\t-0.5\t\t"\'=1\t2"\t"a""b"\n'


FORMULA = '=HYPERLINK("http://x","y")'


def dangerous(path: Path) -> list[str]:
    """Return the cells of a table that a spreadsheet would run."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    cells = [cell for row in csv.reader(lines, delimiter="\t") for cell in row]
    return [
        cell
        for cell in cells
        if cell[:1] in tuple("=+-@") and not cell[1:].replace(".", "").replace("e-", "").isdigit()
    ]


def test_no_table_holds_a_formula(tmp_path: Path) -> None:
    """Run, tube and reason are free text: in every table that is written they are cells of text."""
    result = make_result(SCENARIOS["NORMAL"]) | {"run": FORMULA}
    result["tubes"][0]["fcs"] = "@cmd.fcs"
    record = as_result(result)
    row = summary_row(record, review_state(signable(record, "0" * 64), Reviews()))
    (tmp_path / "summary.tsv").write_text(tab_separated([list(row), list(row.values())]), encoding="utf-8")
    write_measures(as_result(result), tmp_path / "measures.tsv")
    write_multiqc([record], tmp_path / "multiqc/cd40l_flow_mqc.json")
    line = {"sample": "P01", "tube": "-a.fcs", "gate": "cd69_low", "value": "-5.5", "by": "+me", "reason": FORMULA}
    append_overrides([line], tmp_path / "overrides.tsv")

    assert row["run"] == f"'{FORMULA}"
    for path in tmp_path.rglob("*.tsv"):
        assert dangerous(path) == [], path
    (written,) = read_sheet(tmp_path / "overrides.tsv")
    assert written == {**line, "tube": "'-a.fcs", "by": "'+me", "reason": f"'{FORMULA}"}
    assert append_overrides([line], tmp_path / "overrides.tsv") == 0


def test_a_draft_holds_no_formula_and_is_read_back(cohort: Path) -> None:
    """Files called like formulas, with quotes and tabs, are drafted so that the sheet names them as they are."""
    names = ["=1+1 stim cd154.fcs", '@a "b" unstim.fcs', "-x\ty stim isotype.fcs"]
    for old, new in zip(sorted(path.name for path in (cohort / "fcs").glob("P01*")), names, strict=False):
        (cohort / "fcs" / old).rename(cohort / "fcs" / new)

    with chdir(cohort):
        files = draft(Path("fcs"), "fcs").files
    (cohort / "tubes.tsv").write_text(files["config/tubes.tsv"], encoding="utf-8", newline="")

    assert dangerous(cohort / "tubes.tsv") == []
    # A name with a tab cannot stand in a sheet: it is shown with its code, and asked for.
    named = {*names[:2], "-x<09>y stim isotype.fcs"}
    assert named <= {as_text(row["fcs"]) for row in read_sheet(cohort / "tubes.tsv")}

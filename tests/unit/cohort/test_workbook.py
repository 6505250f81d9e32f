"""The workbook of the drafted sheets: it is read as the sheets are, and a person finds lists and notes in it."""

from __future__ import annotations

from pathlib import Path

import openpyxl

from cd40l_flow.cohort.sheets import SAMPLES, TUBES, read_sheet
from cd40l_flow.cohort.workbook import write_workbook

SAMPLE_ROWS = [
    ["sample", "run", "role", "sex", "family"],
    ["001", "2-1", "test", "F", "=1+1"],
    ["C1", "2-1", "control", "M", ""],
]
TUBE_ROWS = [["sample", "fcs", "stimulation", "reagent"], ["001", "a b.fcs", "stimulated", "CD154"]]


def test_a_workbook_holds_what_was_written(tmp_path: Path) -> None:
    """Names that a spreadsheet would take for numbers, dates or formulas come back as they were."""
    path = tmp_path / "sheets.xlsx"
    write_workbook({"samples": (SAMPLES, SAMPLE_ROWS), "tubes": (TUBES, TUBE_ROWS)}, path)

    for schema, rows in ((SAMPLES, SAMPLE_ROWS), (TUBES, TUBE_ROWS)):
        sheet, problems = read_sheet(str(path), schema)
        assert problems == []
        assert [[row.text[name] for name in rows[0]] for row in sheet.rows] == rows[1:]


def test_a_workbook_offers_the_words_of_a_column_and_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "sheets.xlsx"
    write_workbook({"samples": (SAMPLES, SAMPLE_ROWS)}, path)

    sheet = openpyxl.load_workbook(path)["samples"]

    lists = {str(each.sqref): each.formula1 for each in sheet.data_validations.dataValidation}
    assert lists["C2:C503"] == '"test,control"'
    assert "sex" not in [cell.value for cell in sheet[1] if cell.comment is None]
    assert "Sex of" in sheet["D1"].comment.text

"""Reading a sheet: what is understood, and what is reported when it is not."""

from __future__ import annotations

import csv
import datetime
import io
import string
import tempfile
import unicodedata
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd40l_flow.base.errors import Problem
from cd40l_flow.cohort.sheets import OVERRIDES, SAMPLES, TUBES, Sheet, read_sheet

HEADER = "sample\trun\trole\tsex\tage_years\n"


def parse(data: str | bytes, schema: str = SAMPLES, shown: tuple[str, ...] = ()) -> tuple[Sheet, list[Problem]]:
    """Read a sheet from its bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sheet.tsv"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return read_sheet(str(path), schema, shown)


def told(data: str | bytes, schema: str = SAMPLES) -> list[str]:
    """Return the problems of a sheet as ``severity line column: message remedy``."""
    return [f"{p.severity} {p.line} {p.column}: {p.message} {p.remedy}" for p in parse(data, schema)[1]]


@pytest.mark.parametrize(
    "data",
    [
        HEADER + "P01\tR1\ttest\tM\t1.5\n",
        "\ufeff" + HEADER + "P01\tR1\ttest\tM\t1.5",
        (HEADER + "\n  \t \nP01 \tR1\t test\tM\t1.5\t\t\n\n").replace("\n", "\r\n"),
        (HEADER + "P01\tR1\ttest\tM\t1.5\n").replace("\n", "\r"),
        '"sample"\t"run"\trole\tsex\tage_years\t\nP01\t"R1"\ttest\tM\t"1.5"\n',
        "age_years\tsex\tsample\trole\trun\n1.5\tM\tP01\ttest\tR1\n",
        (HEADER + "P01\tR1\ttest\tM\t1.5\n").replace("\t", ";"),
        (HEADER + "P01\tR1\ttest\tM\t1.5\n").replace("\t", ","),
        "sep=;\r\n" + (HEADER + "P01\tR1\ttest\tM\t1.5\n").replace("\t", ";"),
        (HEADER + "P01\tR1\ttest\tM\t1.5\n").encode("utf-16"),
        "\ufeff".encode("utf-16-be") + (HEADER + "P01\tR1\ttest\tM\t1.5\n").encode("utf-16-be"),
        HEADER + "\u00a0P01\u00a0\tR1\ttest\u202f\tM\t1.5\u200b\n",
        (HEADER + "P01\tR1\ttest\tM\t1.5\n").replace("\n", "\t\t\t\n"),
    ],
    ids=[
        *("plain", "byte order mark", "Windows, blanks", "old Mac", "quotes", "other order", "semicolons", "commas"),
        *("semicolons, said", "UTF-16", "UTF-16 big endian", "odd spaces", "trailing columns"),
    ],
)
def test_what_spreadsheets_write_is_read(data: str | bytes) -> None:
    """Encodings, separators, line ends, quotes, blanks and the order of columns make no difference."""
    sheet, problems = parse(data)

    assert problems == []
    (row,) = sheet.rows
    assert row.good
    assert [row.cells[key] for key in ("sample", "run", "role", "sex", "age_years")] == ["P01", "R1", "test", "M", 1.5]
    assert row.cells["calcineurin_inhibitor"] == "unknown"
    assert row.cells["collected_h"] is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("", "fatal 1 None: the sheet is empty."),
        ("sample run role sex\nP01 R1 test M\n", "fatal 1 None: columns are separated by spaces, expected tabs."),
        (
            HEADER + "P01\tR1\ttest\tM\t1,250\n",
            'fatal 2 age_years: found "1,250", expected a number of years from 0 to 130, or nothing. '
            "Write 1.25 if the comma is a decimal one, 1250 if it separates thousands.",
        ),
        (
            HEADER + "P01\tR1\ttest\tM\t0,250\n",
            'fatal 2 age_years: found "0,250", expected a number of years from 0 to 130, or nothing. Write 0.250, with',
        ),
        ("sample\trun\trole\nP01\tR1\ttest\n", "fatal 1 sex: this column is required and missing. Add it: Sex of"),
        ("Sample\trun\trole\tsex\n", "fatal 1 sample: this column is required and missing. Rename column 'Sample' to"),
        ("sample\trun\trole\tsex\tsex\n", "fatal 1 sex: two columns have this name."),
        (HEADER + "P 01\tR1\ttest\tM\n", 'fatal 2 sample: found "P 01", expected a name of at most 100 letters'),
        (HEADER + "P01\tR1\tTest\tM\n", "fatal 2 role: found \"Test\", expected test or control. Did you mean 'test'?"),
        (HEADER + "P01\tR1\ttest\tmale\n", 'fatal 2 sex: found "male", expected F, M or unknown. '),
        (HEADER + "P01\t\ttest\tM\n", "fatal 2 run: is empty, expected the name of a run"),
        (
            HEADER + "P01\tR1\ttest\tM\t1,5\n",
            'fatal 2 age_years: found "1,5", expected a number of years from 0 to 130',
        ),
        (HEADER + "P01\tR1\ttest\tM\t200\n", 'fatal 2 age_years: found "200", expected a number of years'),
        (HEADER + "P01\tR1\ttest\tM\tnan\n", 'fatal 2 age_years: found "nan", expected a number of years'),
        (HEADER + "P01\tR1\ttest\tM\t1_0\n", 'fatal 2 age_years: found "1_0", expected a number of years'),
        (HEADER + "P01\tR1\ttest\tM\t1e999\n", 'fatal 2 age_years: found "1e999", expected a number of years'),
        (HEADER + "P01\tR1\ttest\tM\t1\tx\n", 'fatal 2 None: found "x" in a column without a name; the header names 5'),
        (HEADER + 'P01\t"R1\ttest\tM\n', "fatal 2 None: cannot be split into cells"),
        (HEADER + "P01\tR\x07\ttest\tM\n", 'fatal 2 run: "R\\u0007" holds characters that cannot be printed (U+0007).'),
        ((HEADER + "P01\tR1\ttest\tM\n").encode("utf-16")[:-3], "fatal None None: is damaged UTF-16 text."),
        (HEADER.encode() + b"P01\tR\x81\ttest\tM\n", "fatal 2 None: holds a character that is neither UTF-8 nor"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "fatal None None: is a workbook of the old format"),
        (b"PK\x03\x04" + bytes(600), "fatal None None: is no workbook that can be read"),
        ("sample\trun\trole\tsex\tmood\n", "warning 1 mood: this column is not known and is ignored. If reports"),
        (
            "sample\trun\trole\tsex\tsteroids\n",
            "warning 1 steroids: this column is not known and is ignored. Did you mean",
        ),
    ],
)
def test_a_problem_is_reported_where_it_is(data: str | bytes, expected: str) -> None:
    """Each problem comes once, with its line and column, what was found, what was expected and a remedy."""
    (problem,) = told(data)

    assert problem.startswith(expected)


@pytest.mark.parametrize("fcs", ["/data/a.fcs", "../a.fcs", "x/../../a.fcs", "C:\\a.fcs", "x\\a.fcs", "x/", ".."])
def test_a_tube_lies_inside_the_folder(fcs: str) -> None:
    """A path that leaves fcs_dir, or is written for one system only, is refused."""
    (problem,) = told(f"sample\tfcs\tstimulation\treagent\nP01\t{fcs}\tstimulated\tCD154\n", TUBES)

    assert problem.startswith("fatal 2 fcs: found ")


@pytest.mark.parametrize("fcs", ["a.fcs", "plate 1/a b.fcs", "x/y/..a.fcs", "A+B (2).LMD"])
def test_folders_and_blanks_are_allowed(fcs: str) -> None:
    """Files may lie in folders and have blanks in their names."""
    assert told(f"sample\tfcs\tstimulation\treagent\nP01\t{fcs}\tstimulated\tCD154\n", TUBES) == []


def test_every_problem_of_a_sheet_is_reported() -> None:
    """One bad cell does not hide the next, and each row remains to be compared with other sheets."""
    header = "sample\ttube\tgate\tvalue\tby\treason\n"
    sheet, problems = parse(header + "P01\t\tcd3\tx\t\t\nP 2\t\tcd3_low\t1\tAB\tdim\n", OVERRIDES)

    assert [(p.line, p.column) for p in problems] == [
        (2, "gate"),
        (2, "value"),
        (2, "by"),
        (2, "reason"),
        (3, "sample"),
    ]
    assert [row.good for row in sheet.rows] == [False, False]
    assert sheet.rows[0].cells["sample"] == "P01"
    assert sheet.rows[1].cells["sample"] is None


def test_a_shown_column_is_kept_without_a_warning() -> None:
    """What show_columns names is part of the row as text."""
    sheet, problems = parse("sample\trun\trole\tsex\tward\nP01\tR1\ttest\tM\t7 b\n", shown=("ward",))

    assert problems == []
    assert sheet.rows[0].text["ward"] == "7 b"


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), max_size=30)
NAMES = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=30).filter(
    lambda t: t[0] not in "._-"
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "sample": NAMES,
                "run": WORDS.filter(bool),
                "role": st.sampled_from(["test", "control"]),
                "sex": st.sampled_from(["F", "M", "unknown"]),
                "age_years": st.none() | st.floats(0, 130),
                "family": WORDS,
            }
        ),
        max_size=5,
    )
)
def test_what_is_written_is_read(rows: list[dict[str, object]]) -> None:
    """A sheet written by any CSV writer with tabs gives the same cells back, its text composed (Unicode NFC)."""
    text = io.StringIO(newline="")
    columns = ["sample", "run", "role", "sex", "age_years", "family"]
    writer = csv.DictWriter(text, columns, delimiter="\t")
    writer.writeheader()
    writer.writerows(rows)
    sheet, problems = parse(text.getvalue())

    assert problems == []
    composed = [
        {key: unicodedata.normalize("NFC", value) if isinstance(value, str) else value for key, value in row.items()}
        for row in rows
    ]
    assert [{key: row.cells[key] for key in columns} for row in sheet.rows] == composed


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200) | st.text(max_size=200),
    st.sampled_from([b"", HEADER.encode(), b"sample\tfcs\tstimulation\treagent\n", b"\xef\xbb\xbf"]),
    st.sampled_from([SAMPLES, TUBES, OVERRIDES]),
)
def test_no_sheet_crashes_the_parser(data: bytes | str, start: bytes, schema: str) -> None:
    """Whatever a file holds, there are rows and problems, and each problem says what to do."""
    body = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    sheet, problems = parse(start + body, schema)

    assert all(problem.message and problem.remedy for problem in problems)
    assert all(row.good for row in sheet.rows) or any(problem.severity == "fatal" for problem in problems)


def test_a_sheet_in_the_windows_code_page_is_read_with_a_word_of_it() -> None:
    content = (HEADER[:-1] + "\tfamily\nP01\tR1\ttest\tM\t1.5\tMüller-Groß\n").encode("cp1252")

    sheet, problems = parse(content)

    assert [(one.severity, one.line) for one in problems] == [("warning", 2)]
    assert "'Müller-Groß'" in problems[0].message
    assert sheet.rows[0].text["family"] == "Müller-Groß"


def workbook(path: Path, rows: list[list[object]], title: str = "samples", further: tuple[str, ...] = ()) -> Path:
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    for name in further:
        book.create_sheet(name)
    book.save(path)
    return path


COLUMNS: list[object] = ["sample", "run", "role", "sex", "age_years", None, None]


def test_a_workbook_is_read_like_its_text(tmp_path: Path) -> None:
    rows = [
        COLUMNS,
        ["P01", 7, "test", "M", 1.5],
        [],
        ["P02", "R1", "control", "F", 3],
        ["P03", "R1", "test", "M", None],
    ]

    sheet, problems = read_sheet(str(workbook(tmp_path / "s.xlsx", rows, further=("tubes",))), SAMPLES)

    assert problems == []
    found = [(row.line, row.cells["sample"], row.cells["run"], row.cells["age_years"]) for row in sheet.rows]
    assert found == [(2, "P01", "7", 1.5), (4, "P02", "R1", 3.0), (5, "P03", "R1", None)]


def test_a_number_that_a_workbook_shows_with_zeros_keeps_them(tmp_path: Path) -> None:
    """A sample called 001 is no sample 1."""
    path = workbook(tmp_path / "s.xlsx", [COLUMNS, [1, "R1", "test", "M"]])
    book = openpyxl.load_workbook(path)
    book.active["A2"].number_format = "000"
    book.save(path)

    assert read_sheet(str(path), SAMPLES)[0].rows[0].cells["sample"] == "001"


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        (datetime.datetime(2026, 2, 1), "a date"),
        (datetime.time(1, 30), "a date or time"),
        ("=A1&B1", "a formula whose result was never computed"),
        ("#N/A", "the error #N/A"),
    ],
)
def test_what_a_workbook_holds_in_the_place_of_a_name_is_refused_with_its_cell(
    tmp_path: Path, cell: object, word: str
) -> None:
    path = workbook(tmp_path / "s.xlsx", [COLUMNS, ["P01", cell, "test", "M"]])

    _, problems = read_sheet(str(path), SAMPLES)

    assert any(
        one.severity == "fatal" and one.line == 2 and word in one.message and "B2" in one.message for one in problems
    )


def test_of_several_worksheets_the_one_of_its_name_is_read(tmp_path: Path) -> None:
    path = workbook(tmp_path / "s.xlsx", [COLUMNS, ["P01", "R1", "test", "M"]], "Blatt1", ("Blatt2",))
    assert "Call the worksheet samples" in read_sheet(str(path), SAMPLES)[1][0].remedy
    only = workbook(tmp_path / "t.xlsx", [COLUMNS, ["P01", "R1", "test", "M"]], "Blatt1")
    assert read_sheet(str(only), SAMPLES)[1] == []

"""The cells of a sheet, however a spreadsheet program has saved it: .xlsx, or text in its usual encodings."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from cd40l_flow.base.disk import read_small
from cd40l_flow.base.errors import Problem
from cd40l_flow.cohort.cells import as_text

Line = tuple[int, list[str]]

_WORKBOOK = b"PK\x03\x04"
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS = "\t;,"
_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
# Spaces that spreadsheets and web pages put in the place of the plain one, and what is not seen at all.
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u202f", " ") | dict.fromkeys("\u200b\ufeff"))
_ZEROS = re.compile(r"0+")
# Far beyond any cohort; a sheet of a spreadsheet may claim a million empty rows.
_MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class Table:
    """The lines of a sheet that are not blank, (number from 1, cells without outer spaces), and its problems."""

    lines: tuple[Line, ...]
    problems: tuple[Problem, ...] = ()


def read_table(path: str, known: Collection[str], worksheet: str) -> Table:
    """Return the cells of a sheet.

    ``known`` are the names of its columns, which show the separator of a text; ``worksheet`` is the name of the sheet
    within a workbook of several.
    """
    try:
        data = read_small(path, _MOST_BYTES)
    except OSError as error:
        remedy = "Correct the path in the configuration; it starts at the working directory."
        return Table((), (_fatal(path, None, f"cannot be read: {error.strerror or error}.", remedy),))
    if data.startswith(_WORKBOOK):
        return _read_workbook(path, data, worksheet)
    if data.startswith(_OLD_WORKBOOK):
        found = "is a workbook of the old format (.xls)."
        return Table((), (_fatal(path, None, found, "Save it as .xlsx, or as tab-separated text."),))
    return _read_text(path, data, known)


def _fatal(file: str, line: int | None, message: str, remedy: str) -> Problem:
    return Problem("SHEET", "fatal", message, file, line, None, None, remedy)


def _read_text(path: str, data: bytes, known: Collection[str]) -> Table:
    text, problems = _decode(path, data)
    if text is None:
        return Table((), tuple(problems))
    first, _, rest = text.partition("\n")
    stated = _SEPARATOR_LINE.fullmatch(first.strip('\r" '))
    begin = 2 if stated else 1
    separator = stated[1] if stated else _separator(text, known)
    lines: list[Line] = []
    reader = csv.reader(io.StringIO(rest if stated else text, newline=""), delimiter=separator, strict=True)
    start = begin
    try:
        for cells in reader:
            plain = [_plain(cell) for cell in cells]
            if any(plain):
                lines.append((start, plain))
            start = reader.line_num + begin
    except csv.Error as error:
        remedy = "Look for a quotation mark at the beginning of a cell and remove it."
        problems.append(_fatal(path, start, f"cannot be split into cells: {error}.", remedy))
    return Table(tuple(lines), tuple(problems))


def _decode(path: str, data: bytes) -> tuple[str | None, list[Problem]]:
    """Return the text of a file: UTF-8, UTF-16 with its mark, or the Windows code page, with a note that says so."""
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    try:
        return data.decode(encoding), []
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
    if encoding == "utf-16":
        return None, [_fatal(path, None, "is damaged UTF-16 text.", "Save the sheet again as UTF-8.")]
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        found = "holds a character that is neither UTF-8 nor of the Windows code page."
        return None, [_fatal(path, line, found, "Save the sheet as UTF-8.")]
    word = next(word for word in re.split(r"[\t;,\r\n]", text) if not word.isascii())
    found = f"is not UTF-8; it was read in the Windows code page (ANSI), as {word.strip()!r}."
    remedy = "See that such letters are right, or save the sheet as UTF-8."
    return text, [Problem("SHEET", "warning", found, path, line, None, None, remedy)]


def _separator(text: str, known: Collection[str]) -> str:
    """Return what separates columns: of tab, semicolon and comma that which leaves most names of columns."""
    header = next((line for line in text.splitlines() if line.strip()), "")

    def names(separator: str) -> int:
        return len(set(known) & {_plain(cell).strip("\"'") for cell in header.split(separator)})

    return max(_SEPARATORS, key=names)


def _plain(cell: str) -> str:
    """Return a cell without what is not seen, its letters composed, and without the apostrophe that makes it text."""
    return as_text(unicodedata.normalize("NFC", cell.translate(_SPACES).strip()))


def _read_workbook(path: str, data: bytes, worksheet: str) -> Table:
    import warnings
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings():
            # Of what it leaves out, as pictures and drop-down lists, nothing matters here.
            warnings.simplefilter("ignore")
            formulas, values = (load_workbook(io.BytesIO(data), data_only=plain) for plain in (False, True))
    except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError, EOFError, SyntaxError):
        found = "is no workbook that can be read, or is protected by a password."
        return Table((), (_fatal(path, None, found, "Save it as .xlsx without a password, or as text."),))
    names = [sheet.title for sheet in formulas.worksheets]
    chosen = [name for name in names if name.strip().casefold() == worksheet]
    if not chosen and len(names) == 1:
        chosen = names
    if len(chosen) != 1:
        found = f"has the worksheets {', '.join(names)}, none of them called {worksheet}."
        return Table((), (_fatal(path, None, found, f"Call the worksheet {worksheet}."),))
    lines: list[Line] = []
    problems: list[Problem] = []
    pairs = zip(formulas[chosen[0]].iter_rows(), values[chosen[0]].iter_rows(), strict=True)
    for number, (row, shown) in enumerate(pairs, 1):
        cells = []
        for cell, value in zip(row, shown, strict=True):
            text, wrong, remedy = _cell(cell, value.value)
            cells.append(text)
            if wrong:
                problems.append(_fatal(path, number, f"cell {cell.coordinate} {wrong}", remedy))
        if any(cells):
            lines.append((number, cells))
    return Table(tuple(lines), tuple(problems))


def _cell(cell: Any, value: Any) -> tuple[str, str, str]:
    """Return the text of a cell, what is wrong with it, and what to do; ``value`` is its stored result."""
    if cell.data_type == "f" and value is None:
        return "", "holds a formula whose result was never computed.", "Open the workbook, save it, and try again."
    if cell.data_type == "e" or (isinstance(value, str) and cell.data_type == "f" and value.startswith("#")):
        return "", f"holds the error {value}.", "Correct its formula, or type the value."
    if value is None:
        return "", "", ""
    if isinstance(value, bool):
        return str(value).upper(), "", ""
    if isinstance(value, datetime | date | time | timedelta):
        found = f"holds a date or time ({value}), which the spreadsheet has perhaps made of another text."
        return "", found, "Format the column as text and type the cell again."
    if isinstance(value, int | float):
        # A number shown with leading zeros was typed with them.
        zeros = _ZEROS.fullmatch(str(cell.number_format))
        if zeros and float(value).is_integer():
            return f"{int(value):0{len(zeros[0])}d}", "", ""
        return f"{value:.15g}", "", ""
    return _plain(str(value)), "", ""

"""Reading a sheet: tab-separated text to checked rows, with every problem told at its line and column."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cd40l_flow.errors import Problem
from cd40l_flow.schema import expected, listed, load_schema, nearest, shown

SAMPLES, TUBES, OVERRIDES = "samples.schema.yaml", "tubes.schema.yaml", "overrides.schema.yaml"

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+", re.ASCII)
_SEPARATORS = {",": "commas", ";": "semicolons", " ": "spaces"}


@dataclass(frozen=True)
class Row:
    """One row: ``cells`` has every column of the schema with its defaults, ``text`` the cells of the sheet as written.

    ``good`` is False when a cell has a problem, which was told; that cell is None.
    """

    line: int
    good: bool
    cells: Mapping[str, Any]
    text: Mapping[str, str]


@dataclass(frozen=True)
class Sheet:
    """The rows of a sheet and the columns of its header; no columns when the rows cannot be told."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_sheet(path: str, schema_name: str, shown_columns: tuple[str, ...] = ()) -> tuple[Sheet, list[Problem]]:
    """Read a sheet and check every cell against its schema.

    A column the schema lacks is a warning unless it is one of ``shown_columns``.
    """
    text, problems = _read_text(path)
    if text is None:
        return Sheet(path, (), ()), problems
    schema = load_schema(schema_name)
    lines = _split(path, text, problems)
    if not lines:
        if not problems:
            names = ", ".join(schema["properties"])
            problems.append(_fatal(path, 1, None, "the sheet is empty.", f"Its first line names the columns: {names}."))
        return Sheet(path, (), ()), problems
    header_line, header = lines[0]
    columns = _check_header(path, header_line, header, schema, shown_columns, problems)
    if columns is None:
        return Sheet(path, (), ()), problems
    rows = _check_rows(path, lines[1:], columns, schema, problems)
    return Sheet(path, tuple(name for name in header if name), rows), problems


def _fatal(file: str, line: int | None, column: str | None, message: str, remedy: str) -> Problem:
    return Problem("SHEET", "fatal", message, file, line, column, None, remedy)


def _read_text(path: str) -> tuple[str | None, list[Problem]]:
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "Correct the path in the configuration; it starts at the working directory."
        return None, [_fatal(path, None, None, f"cannot be read: {reason}.", remedy)]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None, [_fatal(path, None, None, "is UTF-16 text.", "Save it as UTF-8 (not as 'Unicode text').")]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return None, [_fatal(path, line, None, "holds a character that is not UTF-8.", "Save the sheet as UTF-8.")]


def _split(path: str, text: str, problems: list[Problem]) -> list[tuple[int, list[str]]]:
    """Return (line, cells) of every line that is not blank; cells without spaces at their ends."""
    lines = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    start = 1
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                lines.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        remedy = "Look for a quotation mark at the beginning of a cell and remove it."
        problems.append(_fatal(path, start, None, f"cannot be split into cells: {error}.", remedy))
    return lines


def _check_header(
    path: str,
    line: int,
    header: list[str],
    schema: Mapping[str, Any],
    shown_columns: tuple[str, ...],
    problems: list[Problem],
) -> dict[int, str] | None:
    """Return position -> name of the columns to read, or None when rows cannot be told."""
    known, required = list(schema["properties"]), schema["required"]
    if len([name for name in header if name]) == 1:
        for separator, word in _SEPARATORS.items():
            if len(set(known) & {name.strip(" \"'") for name in header[0].split(separator)}) > 1:
                message = f"columns are separated by {word}, expected tabs."
                problems.append(_fatal(path, line, None, message, "Save the sheet as tab-separated text."))
                return None
    columns: dict[int, str] = {}
    unknown, twice = [], False
    for index, name in enumerate(header):
        if name and name in columns.values():
            twice = True
            problems.append(_fatal(path, line, name, "two columns have this name.", "Keep one of the two."))
        elif name:
            columns[index] = name
            if name not in known and name not in shown_columns:
                unknown.append(name)
    missing = [name for name in required if name not in columns.values()]
    for name in missing:
        close = nearest(name, unknown)
        if close:
            unknown.remove(close)
        about = schema["properties"][name]["description"]
        remedy = f"Rename column '{close}' to '{name}'." if close else f"Add it: {about}"
        problems.append(_fatal(path, line, name, "this column is required and missing.", remedy))
    for name in unknown:
        close = nearest(name, [other for other in known if other not in columns.values()])
        remedy = f"Did you mean '{close}'?" if close else "If reports may show it, list it in show_columns."
        problems.append(
            Problem("SHEET", "warning", "this column is not known and is ignored.", path, line, name, None, remedy)
        )
    return None if missing or twice else columns


def _check_rows(
    path: str,
    lines: list[tuple[int, list[str]]],
    columns: Mapping[int, str],
    schema: Mapping[str, Any],
    problems: list[Problem],
) -> tuple[Row, ...]:
    readers = {name: _cell_reader(name, schema) for name in schema["properties"]}
    seen: dict[tuple[str, str], tuple[Any, str, str]] = {}
    defaults = {name: part.get("default") for name, part in schema["properties"].items()}
    width = max(columns, default=-1) + 1
    rows = []
    for line, cells in lines:
        text = {name: cells[index] if index < len(cells) else "" for index, name in columns.items()}
        extra = [cell for index, cell in enumerate(cells) if index not in columns and cell]
        good = not extra
        if extra:
            message = f"found {shown(extra[0])} in a column without a name; the header names {width} columns."
            problems.append(_fatal(path, line, None, message, "Look for a tab too many."))
        values = dict(defaults)
        for name, read in readers.items():
            cell = text.get(name, "")
            if (name, cell) not in seen:
                seen[name, cell] = read(cell)
            values[name], message, remedy = seen[name, cell]
            if message:
                good = False
                problems.append(_fatal(path, line, name, message, remedy))
        for name, cell in text.items():
            if name not in readers and not cell.isprintable():
                good = False
                problems.append(_fatal(path, line, name, *_unprintable(cell)))
        rows.append(Row(line, good, values, text))
    return tuple(rows)


def _cell_reader(name: str, schema: Mapping[str, Any]) -> Callable[[str], tuple[Any, str, str]]:
    """Return what turns a cell of this column into (value, problem, remedy), its schema compiled once."""
    from jsonschema import Draft202012Validator

    part = schema["properties"][name]
    check = Draft202012Validator(part).is_valid
    return partial(_read_cell, part=part, required=name in schema["required"], check=check)


def _read_cell(
    cell: str, part: Mapping[str, Any], required: bool, check: Callable[[Any], bool]
) -> tuple[Any, str, str]:
    if not cell:
        if required:
            return None, f"is empty, expected {expected(part)}.", "Fill it in."
        return part["default"], "", ""
    if not cell.isprintable():
        return None, *_unprintable(cell)
    value: Any = cell
    if "number" in part["type"]:
        if not _NUMBER.fullmatch(cell) or not math.isfinite(float(cell)):
            remedy = "Write a plain number." if required else "Write a plain number, or nothing if it is unknown."
            if _DECIMAL_COMMA.fullmatch(cell):
                remedy = f"Write {cell.replace(',', '.')}, with a decimal point."
            return None, f"found {shown(cell)}, expected {expected(part)}.", remedy
        value = float(cell)
    if check(value):
        return value, "", ""
    close = nearest(cell, part.get("enum", []))
    remedy = f"Did you mean '{close}'?" if close else "Write it as expected."
    if part.get("maxLength") == 0:
        remedy = "Settle in this row what it asks, then empty the cell."
    return None, f"found {shown(cell)}, expected {expected(part)}.", remedy


def _unprintable(cell: str) -> tuple[str, str]:
    names = listed([f"U+{ord(char):04X}" for char in sorted(set(cell)) if not char.isprintable()][:3], "and")
    message = f"{shown(cell)} holds characters that cannot be printed ({names})."
    return message, "Type the cell anew; close its quotation mark."

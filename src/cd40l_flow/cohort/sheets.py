"""Reading a sheet: its cells to checked rows, with every problem at its line and column."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cd40l_flow.assay.lookup import every_boundary, every_reagent
from cd40l_flow.base.errors import Problem
from cd40l_flow.base.schema import expected, listed, load_schema, nearest, shown
from cd40l_flow.cohort.tables import Line, read_table

SAMPLES, TUBES, OVERRIDES = "samples.schema.yaml", "tubes.schema.yaml", "overrides.schema.yaml"

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)


@dataclass(frozen=True)
class Row:
    """One row: ``cells`` has every column of the schema with its defaults, ``text`` the cells of the sheet as written.

    ``good`` is False when a cell has a problem, which was reported; that cell is None.
    """

    line: int
    good: bool
    cells: Mapping[str, Any]
    text: Mapping[str, str]


@dataclass(frozen=True)
class Sheet:
    """The rows of a sheet and the columns of its header; no columns when the rows cannot be read."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_sheet(path: str, schema_name: str, shown_columns: tuple[str, ...] = ()) -> tuple[Sheet, list[Problem]]:
    """Read a sheet and check every cell against its schema.

    A column the schema lacks is a warning unless it is one of ``shown_columns``.
    """
    schema = sheet_schema(schema_name)
    table = read_table(path, schema["properties"], schema_name.split(".")[0])
    lines, problems = table.lines, list(table.problems)
    if not lines:
        if not any(problem.severity == "fatal" for problem in problems):
            names = ", ".join(schema["properties"])
            problems.append(_fatal(path, 1, None, "the sheet is empty.", f"Its first line names the columns: {names}."))
        return Sheet(path, (), ()), problems
    header_line, header = lines[0]
    columns = _check_header(path, header_line, header, schema, shown_columns, problems)
    if columns is None:
        return Sheet(path, (), ()), problems
    rows = _check_rows(path, lines[1:], columns, schema, problems)
    return Sheet(path, tuple(name for name in header if name), rows), problems


def sheet_schema(name: str) -> Mapping[str, Any]:
    """Return the schema of a sheet's rows with the words that the assays' tables give: reagents, names of gates."""
    words = {"tubes.reagent": every_reagent(), "overrides.gate": every_boundary()}
    schema, sheet = load_schema(name), name.split(".")[0]
    properties = {
        column: {**part, "enum": list(words[f"{sheet}.{column}"])} if f"{sheet}.{column}" in words else part
        for column, part in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def _fatal(file: str, line: int | None, column: str | None, message: str, remedy: str) -> Problem:
    return Problem("SHEET", "fatal", message, file, line, column, None, remedy)


def _check_header(
    path: str,
    line: int,
    header: list[str],
    schema: Mapping[str, Any],
    shown_columns: tuple[str, ...],
    problems: list[Problem],
) -> dict[int, str] | None:
    """Return position -> name of the columns to read, or None when rows cannot be read."""
    known, required = list(schema["properties"]), schema["required"]
    if [name for name in header if name] == header[:1] and len(set(known) & set(header[0].split())) > 1:
        message = "columns are separated by spaces, expected tabs."
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
    path: str, lines: Sequence[Line], columns: Mapping[int, str], schema: Mapping[str, Any], problems: list[Problem]
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
            if _THOUSANDS.fullmatch(cell):
                one, other = cell.replace(",", ".").rstrip("0").rstrip("."), cell.replace(",", "")
                remedy = f"Write {one} if the comma is a decimal one, {other} if it separates thousands."
            elif _DECIMAL_COMMA.fullmatch(cell):
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

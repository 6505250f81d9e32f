"""The table of calls as read in a terminal: ``python -P -m cd40l_flow.result.table results/summary.tsv``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

_COLUMNS = {
    "sample": "sample",
    "run": "run",
    "role": "role",
    "sex": "sex",
    "call": "call",
    "qc": "QC",
    "activated_events": "activated",
    "cd154_percent_positive": "CD154+ %",
    "cd154_negative_fraction": "CD154 negative",
    "cd40ig_percent_positive": "CD40-Ig+ %",
    "reasons": "reasons",
}
_DECIMALS = {"cd154_percent_positive": 1, "cd40ig_percent_positive": 1, "cd154_negative_fraction": 3}


def calls_table(rows: Iterable[Mapping[str, str]]) -> str:
    """Return the rows of ``summary.tsv`` as aligned text: the calls, what they rest on, and the reasons."""
    lines = [list(_COLUMNS.values()), *([_cell(column, row[column]) for column in _COLUMNS] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(_COLUMNS))]
    numeric = [column == "activated_events" or column in _DECIMALS for column in _COLUMNS]
    aligned = (
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        )
        for line in lines
    )
    return "".join(line.rstrip() + "\n" for line in aligned)


def _cell(column: str, text: str) -> str:
    if not text:
        return "-"
    return f"{float(text):.{_DECIMALS[column]}f}" if column in _DECIMALS else text.replace(";", ", ")


if __name__ == "__main__":
    with Path(sys.argv[1]).open(encoding="utf-8", newline="") as sheet:
        sys.stdout.write(calls_table(csv.DictReader(sheet, delimiter="\t")))

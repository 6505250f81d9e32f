"""Which results a reference may be made of: those of the samples that the sheet of their run had, and no others.

The outputs of a run identify its own samples: ``summary.tsv`` has a row for each sample of the sheet. A folder of
another cohort that was put among the results, or one that was left behind, has none.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from cd40l_flow.base.disk import read_small
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cohort.cells import as_text
from cd40l_flow.result.cohort import SUPERSEDED
from cd40l_flow.result.types.result import Result

SUMMARY = "summary.tsv"
MOST_BYTES = 1_000_000_000
# What a row and a result both state about a sample.
_SAME = ("run", "role")


def find_results(places: Sequence[str | Path]) -> list[Path]:
    """Return the ``result.json`` of result folders (or files), sorted, without those that were superseded.

    Raises Cd40lFlowError for a place with none.
    """
    found: list[Path] = []
    for place in map(Path, places):
        there = [place] if place.is_file() else sorted(place.rglob("result.json"))
        here = [path for path in there if SUPERSEDED not in path.resolve().parts[-3:-1]]
        if not here:
            why = "only results that were superseded" if there else "no result.json"
            raise Cd40lFlowError(
                f"{place}: there is {why}. Name a results folder, as results, or a sample's folder in it."
            )
        found += here
    return found


def foreign(path: Path, result: Result) -> str:
    """Return why a result is not of the sheet of the run in whose results it lies; empty where it is.

    Where no ``summary.tsv`` lies beside the samples nothing is known, and no fault is reported. Raises OSError.
    """
    rows = _rows(path.resolve().parent.parent.parent / SUMMARY)
    if rows is None:
        return ""
    row = rows.get(str(result.sample))
    if row is None:
        return "is not of a sample that the sheet of its run has: summary.tsv has no row of it."
    other = [name for name in _SAME if row[name] != getattr(result, name)]
    if other:
        differences = ", ".join(f"{name} {getattr(result, name)}, not {row[name]}" for name in other)
        return f"is not the sample of that name in the sheet of its run ({differences})."
    return ""


def _rows(summary: Path) -> dict[str, dict[str, str]] | None:
    """Return the rows of a summary by sample; None where there is none."""
    if not summary.is_file():
        return None
    lines = read_small(summary, MOST_BYTES).decode("utf-8", errors="replace").splitlines()
    rows = list(csv.DictReader(lines, delimiter="\t", restval=""))
    return {str(row.get("sample")): {name: as_text(row.get(name, "")) for name in _SAME} for row in rows}

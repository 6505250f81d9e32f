"""Results folders into the rows of a history; what is in it and unchanged by content is not read again."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cd40l_flow.base.disk import read_small
from cd40l_flow.base.errors import Cd40lFlowError, RecordError
from cd40l_flow.cohort.cells import as_text
from cd40l_flow.laboratory.rows import Row, Seen, row_of_result, row_of_summary
from cd40l_flow.result.cohort import SUPERSEDED
from cd40l_flow.result.record import FILE, read_parts, written_digest

SUMMARY = "summary.tsv"
MOST_BYTES = 1_000_000_000


@dataclass
class Taken:
    """What a call of ``history`` did: folders read, unchanged and kept from before, and what was left out and why."""

    read: int = 0
    unchanged: int = 0
    remembered: int = 0
    left_out: list[str] = field(default_factory=list)


def results_folders(places: Sequence[Path]) -> list[Path]:
    """Return the results folders that are named or lie somewhere in what is named, sorted, each once.

    A results folder has a ``summary.tsv`` or a folder ``samples``. Raises Cd40lFlowError for a place with none.
    """
    found: dict[Path, None] = {}
    for place in places:
        if not place.is_dir():
            raise Cd40lFlowError(f"{place}: there is no such folder. Name results folders, or folders of such.")
        here = [place] if _is_results(place) else [path for path in _below(place) if _is_results(path)]
        if not here:
            raise Cd40lFlowError(
                f"{place}: no results folder is in it (one with summary.tsv or samples). Name results folders."
            )
        found |= dict.fromkeys(here)
    return sorted(found)


def _is_results(folder: Path) -> bool:
    return (folder / SUMMARY).is_file() or any((folder / "samples").glob(f"*/{FILE}"))


def _below(place: Path) -> Iterable[Path]:
    """Yield the folders below a place, not those inside of a results folder, which hold thousands."""
    for path in sorted(place.iterdir()):
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            yield path
            if not _is_results(path):
                yield from _below(path)


def collect(folders: Sequence[Path], before: Sequence[Row], out: Path) -> tuple[list[Row], Taken]:
    """Return the rows of the history with those of ``folders``, and what was done.

    ``before`` are its rows until now, ``out`` its folder: folders are kept by their place relative to it. Rows are in
    the order of month, run and sample. A folder that was moved is recognised by its results and not counted twice.
    """
    taken = Taken()
    earlier: dict[str, list[Row]] = {}
    for row in before:
        earlier.setdefault(row["folder"], []).append(row)
    now: dict[str, list[Row]] = {}
    for folder in folders:
        name = Path(os.path.relpath(folder.resolve(), out.resolve())).as_posix()
        state = state_of(folder)
        rows = earlier.get(name, [])
        if rows and rows[0]["state"] == state:
            taken.unchanged += 1
        else:
            rows = [{**row, "folder": name, "state": state} for row in _read(folder, taken)]
            taken.read += 1
        now[name] = rows
    present = {(row["run"], row["sample"], row.get("digest")) for rows in now.values() for row in rows}
    remembered = [
        row
        for name, rows in earlier.items()
        if name not in now
        for row in rows
        if (row["run"], row["sample"], row.get("digest")) not in present
    ]
    taken.remembered = len({row["folder"] for row in remembered})
    together = [*remembered, *(row for rows in now.values() for row in rows)]
    return sorted(together, key=order), taken


def order(row: Row) -> tuple[str, str, str, str]:
    """Return the sorting key of a row: no date is in a result, but the month that its files state."""
    return row.get("month") or "", row["run"], row["sample"], row["folder"]


def state_of(folder: Path) -> str:
    """Return a digest of a results folder: of its summary and of the digest that every result in it carries."""
    seen = hashlib.sha256()
    if (folder / SUMMARY).is_file():
        seen.update(read_small(folder / SUMMARY, MOST_BYTES))
    for path in _results(folder):
        seen.update(f"\n{path.parent.name} {written_digest(path)}".encode())
    return seen.hexdigest()


def _results(folder: Path) -> list[Path]:
    samples = folder / "samples"
    if not samples.is_dir():
        return []
    names = sorted(entry.name for entry in os.scandir(samples) if entry.name != SUPERSEDED)
    return [path for name in names if (path := samples / name / FILE).is_file()]


def _read(folder: Path, taken: Taken) -> list[Row]:
    """Return the rows of a folder: a row for each line of its summary, with its result where there is one."""
    lines = _lines(folder)
    rows = []
    left = dict(lines or {})
    for path in _results(folder):
        line = left.pop(path.parent.name, None)
        if lines is not None and line is None:
            taken.left_out.append(f"{path}: summary.tsv has no row of it, so it was not in the sheet of its run.")
            continue
        try:
            row = row_of_result(_seen(path))
        except RecordError as error:
            taken.left_out.append(str(error))
            continue
        if line is not None and (line.get("run"), line.get("role")) != (row["run"], row["role"]):
            taken.left_out.append(f"{path}: it is not the sample of that name in summary.tsv (run or role differs).")
            continue
        review = {name: as_text((line or {}).get(name) or "") for name in ("review", "reviewed_call")}
        rows.append({**row, **review})
    for line in left.values():
        try:
            rows.append(row_of_summary(line))
        except ValueError as error:
            taken.left_out.append(f"{folder / SUMMARY}: {error}")
    return rows


def _seen(path: Path) -> Seen:
    seen = read_parts(path, Seen)
    if seen.sample != path.parent.name:
        raise RecordError(path, f"is a result of sample {seen.sample}.", "Every sample has a folder of its own.")
    return seen


def _lines(folder: Path) -> Mapping[str, Mapping[str, str]] | None:
    """Return the lines of a summary by sample; None where there is none. Raises Cd40lFlowError for what is none."""
    path = folder / SUMMARY
    if not path.is_file():
        return None
    text = read_small(path, MOST_BYTES).decode("utf-8", errors="replace").splitlines()
    reader = csv.DictReader(text, delimiter="\t", restval="")
    missing = {"sample", "run", "role", "call"} - set(reader.fieldnames or ())
    if missing:
        raise Cd40lFlowError(f"{path}: it has no column {', '.join(sorted(missing))}: it is no summary of cd40l-flow.")
    return {as_text(line["sample"]): line for line in reader}

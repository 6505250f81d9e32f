"""What of a results folder may be deleted once nobody needs it, and what deleting it costs: ``cd40l-flow prune``.

Never offered: ``result.json``, ``report.html`` and its FHIR bundle, ``summary.tsv``, ``index.html``, gates for other
programs, reviews and their ledger. Snakemake does not make an output again because it is missing, only when what is
made from it is made again; the binned data are read by reports and the index, the others by nothing.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cd40l_flow.base.disk import read_small
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.result.cohort import SUPERSEDED
from cd40l_flow.result.record import FILE
from cd40l_flow.result.reviews.state import digest_of

SUMMARY = "summary.tsv"
MOST_BYTES = 1_000_000_000
# Kind -> what it is, and what becomes of it.
KINDS = {
    "superseded": "results that are no longer those of the present inputs; nothing reads them",
    "logs": "logs of steps; nothing reads them after a run",
    "measures": "tables made from result.json; `cd40l-flow export --measures` makes one again",
    "densities": "binned data that reports and the index are drawn from; only the FCS files give them again",
}
AFTERWARDS = (
    "Nothing runs again by itself because these files are missing. But where a report or the index is made anew (a "
    "review, a change of sheets or configuration), the workflow first analyses every sample whose densities.npz is "
    "gone, and its controls: keep the FCS files where they are, or do not run it there again. `snakemake --dry-run` "
    "shows it."
)
# A signature that is still to come makes report and index anew.
_OPEN = ("unsigned", "pending", "stale")


@dataclass(frozen=True)
class Leftover:
    """A file or folder that may be deleted: of which sample (empty: of none), its kind and its size in bytes."""

    kind: str
    sample: str
    path: Path
    size: int


@dataclass(frozen=True)
class Kept:
    """What is not offered though it is of a kind that may be deleted, and why."""

    kind: str
    why: str


def leftovers(results: Path, *, unsigned: bool = False) -> tuple[list[Leftover], list[Kept]]:
    """Return what may be deleted of a results folder, by kind and sample, and what is kept and why.

    ``unsigned``: no further review will come. Raises Cd40lFlowError for what is no results folder.
    """
    samples = results / "samples"
    if not samples.is_dir():
        raise Cd40lFlowError(f"{results}: it has no folder samples. Name the folder results of a working directory.")
    folders = sorted(path for path in samples.iterdir() if (path / FILE).is_file())
    found = [_leftover("superseded", path.name, path) for path in _inside(results / SUPERSEDED)]
    found += [_leftover("logs", _sample_of(path), path) for path in _logs(results.parent / "logs")]
    found += [
        _leftover("measures", folder.name, path) for folder in folders for path in _inside(folder, "measures.tsv")
    ]
    binned = [(folder.name, path) for folder in folders for path in _inside(folder, "densities.npz")]
    why = _needed(results, folders, unsigned=unsigned) if binned else ""
    if why:
        return found, [Kept("densities", why)]
    return found + [_leftover("densities", sample, path) for sample, path in binned], []


def delete(found: Sequence[Leftover]) -> int:
    """Delete what was found; return the bytes that are free now. Raises OSError."""
    for one in found:
        if one.path.is_dir() and not one.path.is_symlink():
            shutil.rmtree(one.path)
        else:
            one.path.unlink()
    return sum(one.size for one in found)


def _inside(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(folder.glob(pattern)) if folder.is_dir() else []


def _logs(folder: Path) -> Iterator[Path]:
    """Yield the logs of the workflow's own steps, and no other file."""
    for step in ("analyse", "report", "export"):
        yield from _inside(folder / step, "*.log")
    for step in ("check", "summarize", "index", "multiqc"):
        yield from _inside(folder, f"{step}.log")


def _sample_of(log: Path) -> str:
    return log.stem if log.parent.name != "logs" else ""


def _leftover(kind: str, sample: str, path: Path) -> Leftover:
    inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return Leftover(kind, sample, path, sum(one.lstat().st_size for one in inside if not one.is_dir()))


def _needed(results: Path, folders: Sequence[Path], *, unsigned: bool) -> str:
    """Return why the binned data of a folder are still needed; empty where they are not.

    The index reads those of all samples, a report those of its controls, so they go together or not at all.
    """
    missing = [folder.name for folder in folders if not _reported(folder)]
    if missing:
        return f"{_some(missing)} without a report of the present result: run the workflow first."
    if not (results / SUMMARY).is_file() or not (results / "index.html").is_file():
        return "there is no summary.tsv or index.html: run the workflow first."
    lines = read_small(results / SUMMARY, MOST_BYTES).decode("utf-8", errors="replace").splitlines()
    waiting = [row["sample"] for row in csv.DictReader(lines, delimiter="\t", restval="") if row.get("review") in _OPEN]
    if waiting and not unsigned:
        return (
            f"{_some(waiting)} not signed to the end: every signature makes report and index anew, from these files. "
            "If nobody will sign, use --unsigned."
        )
    return ""


def _reported(folder: Path) -> bool:
    try:
        return digest_of(folder / FILE).encode() in (folder / "report.html").read_bytes()
    except OSError:
        return False


def _some(names: Sequence[str]) -> str:
    first = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{len(names)} sample{'s' if len(names) > 1 else ''} ({first}) {'are' if len(names) > 1 else 'is'}"

"""The files of a folder that a draft is made of, and those that are left out, with the reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cd40l_flow.base.errors import Cd40lFlowError, TubeError
from cd40l_flow.base.model import Header
from cd40l_flow.cohort.drafts.identities import identity
from cd40l_flow.cohort.drafts.names import read_path
from cd40l_flow.cohort.drafts.people import File
from cd40l_flow.fcs.reader import open_recording

SUFFIXES = (".fcs", ".lmd")
_NUMBERED = re.compile(r"\.\d{3}")
_MAGIC = b"FCS"
_SYSTEM = ("__MACOSX", "$RECYCLE.BIN", "System Volume Information")
_LONGEST_PATH = 250


def find_files(folder: Path, shown: str) -> tuple[list[str], list[str]]:
    """Return the paths inside a folder, with ``/``, of its FCS files, and of what systems left beside them.

    What CellQuest numbers (``.001``) counts where it begins as an FCS file. Raises Cd40lFlowError when there is none.
    """
    found, hidden = [], []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        suffix = path.suffix.casefold()
        if not (suffix in SUFFIXES or suffix == ".fcs3" or _NUMBERED.fullmatch(suffix)) or not path.is_file():
            continue
        if any(part.startswith(".") or part in _SYSTEM for part in inside.parts):
            hidden.append(inside.as_posix())
        elif suffix in SUFFIXES or _begins_as_fcs(path):
            found.append(inside.as_posix())
    if not found:
        raise Cd40lFlowError(f"{shown}: no file ends in {' or '.join(SUFFIXES)}. Name the folder of the FCS files.")
    return found, hidden


def _begins_as_fcs(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def read_file(folder: Path, path: str) -> tuple[File, Header | None, str]:
    """Return a file with what its name and header say, the header, and what is wrong with it (empty: nothing)."""
    levels = read_path(path)
    outer = path.split("/")[:-1]
    folders = tuple("/".join(outer[:depth]) for depth in range(len(outer), 0, -1))
    try:
        recording = open_recording(folder / path, path)
    except TubeError as error:
        return File(path, levels, folders, {}, {}), None, f"cannot be read ({error.rule})"
    header = recording.header
    labels = {each.name: each.label or each.name for each in header.detectors}
    return File(path, levels, folders, labels, identity(recording)), header, ""


def calibration(file: File) -> bool | None:
    """Return whether a file is no tube of the assay: a compensation control, beads. None where that must be asked."""
    parts = [part for level in file.levels for part in level.of("calibration")]
    if not parts:
        return False
    stained = file.levels[0].of("stimulation")
    return True if any(part.sure for part in parts) and not stained else None


def cell(path: str) -> str:
    """Return a path as a cell of the sheet can hold it: what cannot be printed stands as its number, as ``<09>``."""
    return "".join(
        char if char.isprintable() else f"<{ord(char) & 0xFF if _byte(char) else ord(char):02x}>" for char in path
    )


def _byte(char: str) -> bool:
    return "\udc80" <= char <= "\udcff"


def unfit(path: str) -> str:
    """Return why a sheet cannot name a file, with the remedy; empty where it can."""
    remedy = "rename it, also here"
    if any(_byte(char) for char in path):
        return f"the file's name is not UTF-8: {remedy}"
    if not path.isprintable():
        return f"the file's name holds a character that cannot be printed (a tab, a new line): {remedy}"
    if path != path.strip() or "\\" in path or len(path) > _LONGEST_PATH or path.split("/")[0].endswith(":"):
        return f"the file's name begins or ends with a blank, holds a backslash or is too long: {remedy}"
    return ""


def common_folders(files: Sequence[File]) -> frozenset[str]:
    """Return the folders that hold every file."""
    return frozenset(set.intersection(*(set(file.folders) for file in files))) if files else frozenset()

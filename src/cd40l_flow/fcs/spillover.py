"""The spillover matrix of a tube: from its own keywords or from a CSV file, never a silent fallback.

A wrong or missing matrix lets bright CD69 leak into CD154 and can make an affected sample look normal. Anything
uncertain is refused, with the remedy.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Detector, Floats, Singles, Spillover
from cd40l_flow.fcs.text import SPILLOVER_KEYWORDS, Note

FROM_FILE = "file"
COMPENSATED = "none"
_DIAGONAL_TOLERANCE = 1e-4
_SAME = 1e-6
_INVERTIBLE = 1e6
_MOST_DETECTORS = 512
# Values of a digital instrument fill its range; those of logicle, arcsinh or log scales end near 1, 5 or 15.
_TRANSFORMED = 1e-3
# arcsinh(x / 5) of a value of -50,000 is -10.6: noise never reaches it on any such scale.
_LOWEST_TRANSFORMED = -10.0
_ENOUGH_EVENTS = 100
_REMEDY = (
    "Set `spillover` in the configuration, or for this panel, to the path of a CSV file with the matrix, "
    "or to none if the values are already compensated."
)


class SpilloverFault(Exception):
    """A fault of a matrix, without its source."""


def choose_spillover(
    setting: str,
    keywords: Mapping[str, str],
    detectors: Sequence[Detector],
    needed: Sequence[str],
    name: str,
) -> Spillover | None:
    """Return the matrix to apply to a tube, or None where ``setting`` is ``none`` (already compensated).

    ``needed`` are the fluorescence detectors of the markers: the matrix must cover them all. ``keywords`` are those of
    ``Text``; ``name`` is the tube's name in messages. Raises TubeError (NO_COMP).
    """
    if setting == COMPENSATED:
        return None
    source = f"the matrix of {setting}" if setting != FROM_FILE else "its spillover keyword"
    try:
        _refuse_compensated(keywords, detectors)
        spillover = keyword_spillover(keywords, detectors) if setting == FROM_FILE else read_csv(setting)
        if spillover is None:
            if len(needed) < 2:
                return None
            source = "spillover"
            raise SpilloverFault(f"the file carries no matrix, and {len(needed)} fluorescence detectors are needed")
        source = f"the matrix of {spillover.source}"
        _check(spillover, [detector.name for detector in detectors], needed)
    except SpilloverFault as fault:
        raise TubeError("NO_COMP", name, f"{source}: {fault}.", _REMEDY) from None
    return spillover


def keyword_spillover(keywords: Mapping[str, str], detectors: Sequence[Detector]) -> Spillover | None:
    """Return the matrix of the file's own keyword (``$SPILLOVER`` before ``SPILL``), or None where there is none.

    Channel numbers in place of names are resolved. Raises SpilloverFault when it cannot be read or two keywords
    disagree.
    """
    found = [_parse(keyword, keywords[keyword], detectors) for keyword in SPILLOVER_KEYWORDS if keywords.get(keyword)]
    if not found:
        if keywords.get("$COMP"):
            # FCS 3.0's $COMP names no detectors, and writers disagree about its direction.
            raise SpilloverFault("the file carries only $COMP, which does not say which detectors it is for")
        return None
    chosen = found[0]
    for other in found[1:]:
        if not _agree(chosen, other):
            raise SpilloverFault(f"keywords {chosen.source} and {other.source} disagree")
    return chosen


def read_csv(path: str) -> Spillover:
    """Return the matrix of a CSV file: first row and first column name the detectors, row i is the dye of detector i.

    The first column may be left out; names may carry a label after `` :: ``. Raises SpilloverFault.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise SpilloverFault("the file is missing or is not text") from None
    lines = [line for line in lines if line.strip(" ,;\t")]
    if not lines:
        raise SpilloverFault("the file is empty")
    delimiter = next((mark for mark in "\t;" if mark in lines[0]), ",")
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    named = len(rows) > 1 and _number(rows[1][0]) is None
    columns = [cell.split(" :: ")[0].strip() for cell in rows[0]]
    if named:
        columns = columns[1:] if len(columns) == len(rows[1]) else columns
    names = [row[0].split(" :: ")[0].strip() for row in rows[1:]] if named else columns
    matrix = _matrix([cell for row in rows[1:] for cell in row[1 if named else 0 :]], len(columns))
    if sorted(names) != sorted(columns):
        raise SpilloverFault("first row and first column do not name the same detectors")
    order = [names.index(column) for column in columns]
    return Spillover(tuple(columns), matrix[order], path)


def refuse_transformed(detectors: Sequence[Detector], columns: Sequence[Floats | Singles], name: str) -> None:
    """Raise TubeError (NO_COMP) if the values of the matrix's detectors are all far inside their range: transformed.

    ``columns`` are the values of each of ``detectors``, (events,), which are those of the matrix.
    """
    events = len(columns[0]) if columns else 0
    ends = [(float(column.min()), float(column.max())) for column in columns]
    if looks_transformed(detectors, ends, events) and not all((column == np.floor(column)).all() for column in columns):
        fault = f"the largest value of any of its detectors is {_largest(ends):.4g}, far inside $PnR"
        raise TubeError("NO_COMP", name, f"{fault}: the values were already transformed.", _REMEDY)


def looks_transformed(detectors: Sequence[Detector], ends: Sequence[tuple[float, float]], events: int) -> bool:
    """Return whether all values lie within a thousandth of ``$PnR`` and none far below 0; ``ends`` are their extremes.

    Values on a logicle or arcsinh scale do. Raw values of dim cells may be as small, but have noise far below 0 or are
    whole numbers.
    """
    known = [(end, each.range) for each, end in zip(detectors, ends, strict=True) if each.range is not None]
    if not known or events < _ENOUGH_EVENTS or min(low for low, _ in ends) < _LOWEST_TRANSFORMED:
        return False
    return all(max(abs(low), abs(high)) < _TRANSFORMED * limit for (low, high), limit in known)


def _largest(ends: Sequence[tuple[float, float]]) -> float:
    return max(max(abs(low), abs(high)) for low, high in ends)


def spillover_notes(keywords: Mapping[str, str], detectors: Sequence[Detector]) -> list[Note]:
    """Return the fault of the file's own matrix, or that it was already applied."""
    notes = []
    try:
        spillover = keyword_spillover(keywords, detectors)
        if spillover is not None:
            _check(spillover, [detector.name for detector in detectors], ())
    except SpilloverFault as fault:
        notes.append(Note("SPILLOVER", f"spillover: {fault}."))
        spillover = None
    try:
        _refuse_compensated(keywords, detectors)
    except SpilloverFault as fault:
        carried = any(keywords.get(keyword) for keyword in SPILLOVER_KEYWORDS)
        remedy = " although the file carries a matrix; set `spillover: none`" if carried else ""
        notes.append(Note("ALREADY_COMPENSATED", f"{fault}{remedy}."))
    return notes


def condition_number(spillover: Spillover) -> float:
    """Return the condition number of a matrix: the most that compensation can amplify noise, 1 for none."""
    return float(np.linalg.cond(spillover.matrix))


def _parse(keyword: str, value: str, detectors: Sequence[Detector]) -> Spillover:
    cells = [cell.strip() for cell in value.split(",", _MOST_DETECTORS * (_MOST_DETECTORS + 1) + 1)]
    if not cells[0].isascii() or not cells[0].isdigit() or len(cells[0]) > 4:
        raise SpilloverFault(f"{keyword} does not begin with the number of detectors")
    count = int(cells[0])
    if count > _MOST_DETECTORS:
        raise SpilloverFault(f"{keyword} is {count} x {count}; more than {_MOST_DETECTORS} detectors are not read")
    names = cells[1 : count + 1]
    known = {detector.name for detector in detectors}
    if names and not known.intersection(names) and all(cell.isascii() and cell.isdigit() for cell in names):
        numbers = [int(cell[:6]) for cell in names]
        if min(numbers) < 1 or max(numbers) > len(detectors):
            raise SpilloverFault(f"{keyword} names a channel number the file does not have")
        names = [detectors[number - 1].name for number in numbers]
    return Spillover(tuple(names), _matrix(cells[count + 1 :], count), keyword)


def _matrix(cells: Sequence[str], size: int) -> Floats:
    numbers = [_number(cell) for cell in cells]
    good = [number for number in numbers if number is not None]
    if size == 0 or len(good) != len(numbers) or len(numbers) != size * size:
        raise SpilloverFault(f"expected {size} x {size} numbers, found {len(good)} numbers in {len(numbers)} cells")
    return np.array(good, dtype=np.float64).reshape(size, size)


def _number(cell: str) -> float | None:
    # Python takes 1_000 for a number.
    if "_" in cell:
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _agree(one: Spillover, other: Spillover) -> bool:
    if sorted(one.detectors) != sorted(other.detectors) or len(set(one.detectors)) != len(one.detectors):
        return False
    order = [other.detectors.index(name) for name in one.detectors]
    return bool(np.allclose(one.matrix, other.matrix[np.ix_(order, order)], rtol=0, atol=_SAME))


def _check(spillover: Spillover, known: Sequence[str], needed: Sequence[str]) -> None:
    """Raise SpilloverFault unless the matrix is a spillover matrix of this file that covers the needed detectors."""
    matrix = spillover.matrix
    if len(set(spillover.detectors)) != len(spillover.detectors):
        raise SpilloverFault("it names a detector twice")
    unknown = [at for at, name in enumerate(spillover.detectors, start=1) if name not in known]
    if unknown and spillover.source in SPILLOVER_KEYWORDS:
        # A keyword may hold anything, so only its own file's detectors are named.
        places = f"number {_listed(list(map(str, unknown)))} of its {len(spillover.detectors)} detectors"
        raise SpilloverFault(f"{places} is not in the file, which has {_listed(known)}")
    if unknown:
        names = _listed([spillover.detectors[at - 1] for at in unknown])
        raise SpilloverFault(f"it names {names}, which the file does not have; it has {_listed(known)}")
    if not np.isfinite(matrix).all():
        raise SpilloverFault("it holds values that are not finite")
    diagonal = np.diag(matrix)
    if np.abs(diagonal - 1).max() > _DIAGONAL_TOLERANCE:
        worst = diagonal[int(np.abs(diagonal - 1).argmax())]
        raise SpilloverFault(f"its diagonal must be 1 (fractions, not percent), found {worst:g}")
    if not condition_number(spillover) < _INVERTIBLE:
        raise SpilloverFault("it cannot be inverted")
    uncovered = [name for name in needed if name not in spillover.detectors]
    if uncovered:
        raise SpilloverFault(f"it does not cover {_listed(uncovered)}")


def _refuse_compensated(keywords: Mapping[str, str], detectors: Sequence[Detector]) -> None:
    """Raise SpilloverFault for values that are marked as compensated or transformed: never compensate twice."""
    marked = [detector.name for detector in detectors if detector.name.lower().startswith(("comp-", "fjcomp-"))]
    if marked:
        raise SpilloverFault(f"the values are already compensated: detectors are called {_listed(marked[:3])}")
    # flowCore writes "applied" for values it only made linear, anything else for a scale such as logicle.
    if keywords.get("TRANSFORMATION", "applied").lower() != "applied":
        raise SpilloverFault("keyword TRANSFORMATION says that the values were transformed")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)

"""What ``cd40l-flow inspect`` prints: one line of JSON for each file, or a table that a person reads."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cd40l_flow.assay.lookup import assay_named, using
from cd40l_flow.base.model import Header
from cd40l_flow.cohort.drafts.b_cell_tubes import B_CELL_ASSAYS, assay_of
from cd40l_flow.fcs.inspect import Inspection
from cd40l_flow.fcs.panel import find_roles

_TYPES = {"I": "integers", "F": "single precision", "D": "double precision"}
_COLUMNS = ("detector", "marker", "range", "mean", "role")
_RIGHT = ("range", "mean")


def as_json(inspection: Inspection) -> str:
    """Return one line of JSON, in ASCII."""
    return json.dumps(inspection.as_dict(), allow_nan=False)


def as_text(inspection: Inspection) -> str:
    """Return a table of the detectors with the roles a panel without entries would give them, and every problem.

    The roles are those of the assay that the labels show.
    """
    if inspection.header is None:
        error = inspection.error
        refusal = f"refused, {error.code}: {error.message}" if error else "refused"
        return _printable(f"{inspection.file}: {refusal}") + "\n"
    header = inspection.header
    assay, _ = assay_of(inspection.file, header)
    with using(assay_named(assay)):
        roles, missing = find_roles(header)
    lines = [_summary(inspection, header, assay), *_table(inspection, header, roles)]
    lines += [f"  panel: {problem}" for problem in missing]
    lines += [f"  {note.code}: {note.message}" for note in inspection.notes]
    return "".join(_printable(line) + "\n" for line in lines)


def _summary(inspection: Inspection, header: Header, assay: str) -> str:
    matrix = inspection.spillover
    parts = [
        header.version,
        _TYPES.get(inspection.datatype or "", ""),
        f"byte order {inspection.byteord}",
        _count(header.events, "event"),
        _count(len(header.detectors), "detector"),
        "no spillover matrix" if matrix is None else f"spillover of {_count(len(matrix), 'detector')}",
    ]
    if inspection.datasets and inspection.datasets > 1:
        parts.append(f"{inspection.datasets} data sets")
    if assay in B_CELL_ASSAYS:
        parts.append(f"labels of the assay {assay}")
    return f"{inspection.file}: {', '.join(parts)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _table(inspection: Inspection, header: Header, roles: dict[str, list[str]]) -> list[str]:
    rows: list[Sequence[str]] = [_COLUMNS]
    for detector, mean in zip(header.detectors, inspection.means, strict=True):
        role = ", ".join(roles.get(detector.name, []))
        limit = "unknown" if detector.range is None else f"{detector.range:.10g}"
        rows.append((detector.name, detector.label, limit, f"{mean:.6g}", role))
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if title in _RIGHT else cell.ljust(width)
            for cell, width, title in zip(row, widths, _COLUMNS, strict=True)
        ).rstrip()
        for row in rows
    ]


def _printable(line: str) -> str:
    """Return a line without characters that a terminal would obey."""
    return "".join(sign if sign.isprintable() else "?" for sign in line)

"""The content of one FCS file, for ``cd40l-flow inspect``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Detector, Header
from cd40l_flow.fcs.reader import Recording, open_recording, settle_amplifiers, tag_notes
from cd40l_flow.fcs.spillover import looks_transformed, refuse_transformed, spillover_notes
from cd40l_flow.fcs.text import Note
from cd40l_flow.fcs.values import Columns

_MOST_NAMED = 5


@dataclass(frozen=True)
class Inspection:
    """One file: its content (``header``, ``means`` of the stored values, ``notes``), or why it is refused.

    ``byteord`` is the byte order, ``spillover`` the detectors of the matrix, ``datasets`` the number of data sets.
    """

    file: str
    error: Note | None = None
    header: Header | None = None
    datatype: str | None = None
    byteord: str | None = None
    means: tuple[float, ...] = ()
    spillover: tuple[str, ...] | None = None
    datasets: int | None = None
    notes: tuple[Note, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the object that ``inspect --json`` writes."""
        header = self.header
        detectors = [
            {"detector": each.name, "marker": each.label, "range": each.range, "mean": mean}
            for each, mean in zip(header.detectors if header else (), self.means, strict=True)
        ]
        described: dict[str, Any] = {
            "file": self.file,
            "status": "refused" if self.error else "ok",
            "version": header.version if header else None,
            "datatype": self.datatype,
            "byteord": self.byteord,
            "events": header.events if header else None,
            "detectors": detectors,
            "spillover": None if self.spillover is None else list(self.spillover),
            "datasets": self.datasets,
            "problems": [{"code": note.code, "message": note.message} for note in self.notes],
        }
        if self.error:
            described["error"] = {"code": self.error.code, "message": self.error.message}
        return described


def inspect_file(path: str | Path) -> Inspection:
    """Return the content of a file, named by its path, or why it is refused."""
    try:
        return inspect_recording(open_recording(path))
    except TubeError as error:
        return refused(str(path), error)


def refused(name: str, error: TubeError) -> Inspection:
    """Return the description of a refused file."""
    return Inspection(name, Note(error.rule, f"{error.found} {error.remedy}"))


def inspect_recording(recording: Recording) -> Inspection:
    """Return the content of an open file; raise TubeError (FILE_INTEGRITY) for impossible values."""
    header, text, layout = recording.header, recording.text, recording.layout
    columns = recording.columns()
    every = range(len(header.detectors))
    tags = tag_notes(recording, every)
    log = {column: recording.stored([column])[:, 0] for column in recording.log_floats(every)}
    _, amplifiers = settle_amplifiers(recording, log)
    spillover = header.spillover
    known = {detector.name for detector in header.detectors}
    named = None if spillover is None else tuple(name for name in spillover.detectors if name in known)
    notes = [
        *(note for note in recording.notes if note.code != "AMPLIFIER_FLOAT"),
        *tags,
        *amplifiers,
        *_range_notes(header.detectors, columns),
        *spillover_notes(text.keywords, header.detectors),
        *_scale_notes(recording, named or (), columns),
    ]
    return Inspection(
        file=recording.name,
        header=header,
        datatype=text.keywords["$DATATYPE"].upper(),
        byteord=_order(text.keywords.get("$BYTEORD", ""), layout.big_endian),
        means=columns.means,
        spillover=named,
        datasets=len(recording.chain.starts),
        notes=tuple(notes),
    )


def _order(described: str, big_endian: bool) -> str:
    """Return ``$BYTEORD`` as digits and commas; any other text, allowed with one-byte values, is dropped."""
    digits = described.replace(" ", "")
    if digits and len(digits) <= 15 and all(sign in "12345678," for sign in digits):
        return digits
    return "4,3,2,1" if big_endian else "1,2,3,4"


def _range_notes(detectors: Sequence[Detector], columns: Columns) -> list[Note]:
    found = [
        f"{each.name} ({high:.10g} > {each.range:.10g})"
        for each, high in zip(detectors, columns.highest, strict=True)
        if each.range is not None and high > each.range
    ]
    if not found:
        return []
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return [Note("ABOVE_RANGE", f"values above $PnR: {', '.join(found[:_MOST_NAMED])}{more}.")]


def _scale_notes(recording: Recording, matrix: Sequence[str], columns: Columns) -> list[Note]:
    detectors = [detector for detector in recording.header.detectors if detector.name in matrix]
    places = [detector.index for detector in detectors]
    ends = [(columns.lowest[at], columns.highest[at]) for at in places]
    try:
        if looks_transformed(detectors, ends, recording.header.events):
            refuse_transformed(detectors, [recording.stored([at])[:, 0] for at in places], recording.name)
    except TubeError as error:
        message = f"{error.found} The file carries a matrix all the same; set `spillover: none`."
        return [Note("ALREADY_TRANSFORMED", message)]
    return []

"""FCS files: verified offsets, FlowIO for the keywords, numpy for the DATA segment."""

from __future__ import annotations

import errno
import hashlib
import io
import mmap
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cd40l_flow.base.model import Detector, Events, Floats, Header, Singles, Tube
from cd40l_flow.fcs.clock import seconds_of
from cd40l_flow.fcs.data import Layout, find_layouts
from cd40l_flow.fcs.datasets import Chain, check_crc, follow_chain
from cd40l_flow.fcs.header import positive, range_of, read_keywords, unknown_range, with_range
from cd40l_flow.fcs.panel import find_markers, panel_ranges
from cd40l_flow.fcs.plausible import choose_layout
from cd40l_flow.fcs.scatter import find_scatter
from cd40l_flow.fcs.spillover import choose_spillover, refuse_transformed
from cd40l_flow.fcs.text import Note, Text, read_text, refuse
from cd40l_flow.fcs.trailing import trailing_notes
from cd40l_flow.fcs.values import (
    Columns,
    check_finite,
    describe_columns,
    high_bits,
    refuse_not_finite,
    stored_values,
)

# Distinct bits above the range that may tag values.
_MOST_TAGS = 8
# Notes that the report must show.
DOUBTS = ("BYTEORD", "OFFSETS_DISAGREE")

# Errors of the operating system when memory or file handles run out.
_WANTING = (errno.ENOMEM, errno.EMFILE, errno.ENFILE)


@dataclass(frozen=True)
class Recording:
    """One open FCS file, its first data set verified but not decoded.

    ``amplifiers`` holds ``$PnE`` of every detector as (decades, value at zero), decades 0 for a linear one. ``segment``
    is the mapped DATA segment, ``content`` the whole file, ``name`` what messages call it. ``notes`` are remarks on a
    file that can be read.
    """

    name: str
    text: Text
    header: Header
    layout: Layout
    amplifiers: tuple[tuple[float, float], ...]
    content: memoryview
    chain: Chain
    notes: tuple[Note, ...]

    @property
    def segment(self) -> memoryview:
        """The bytes of DATA."""
        return self.content[self.layout.start : self.layout.start + self.layout.size]

    def columns(self) -> Columns:
        """Return mean and extremes of every detector's stored values, as ``stored`` gives them.

        Holds few values at a time, whatever the number of events. Raises TubeError (FILE_INTEGRITY) for NaN and
        infinity and for a checksum that does not fit.
        """
        self.check_crc()
        columns = describe_columns(self.segment, self.layout)
        refuse_not_finite(columns.not_finite, [detector.name for detector in self.header.detectors], self.name)
        return columns

    def check_crc(self) -> None:
        """Raise TubeError (FILE_INTEGRITY) where the file carries a checksum that does not fit its bytes."""
        check_crc(self.content, self.text, self.layout, self.chain, self.name)

    def stored(self, columns: Sequence[int]) -> Floats | Singles:
        """Return stored values, (events, columns), bit-masked, before gain or log; columns count from 0.

        They are single precision if all are stored so. Raises TubeError (FILE_INTEGRITY) for NaN and infinity.
        """
        values = stored_values(self.segment, self.layout, columns)
        check_finite(values, [self.header.detectors[column].name for column in columns], self.name)
        return values

    def linear(self, columns: Sequence[int], stored: Floats | Singles | None = None) -> Floats | Singles:
        """Return values on the linear scale, (events, columns): log amplifiers and gain undone, as FlowIO does.

        ``stored`` are already read values of the columns, which may be overwritten. Raises TubeError (FILE_INTEGRITY)
        for NaN and infinity, stored or made by an absurd amplifier or gain.
        """
        values = self.stored(columns) if stored is None else stored
        settings = [(self.header.detectors[column], *self.amplifiers[column]) for column in columns]
        for detector, decades, _ in settings:
            if decades > 0 and detector.range is None:
                raise unknown_range(self.name, {detector.name: detector.name})
        amplified = [
            at for at, (detector, decades, _) in enumerate(settings) if decades > 0 or detector.gain not in (0.0, 1.0)
        ]
        if not amplified:
            return values
        values = values.astype(np.float64, order="F", copy=False)
        # Overflow is found by the check below.
        with np.errstate(over="ignore", invalid="ignore"):
            for at in amplified:
                detector, decades, zero = settings[at]
                if decades > 0 and detector.range is not None:
                    values[:, at] = 10 ** (decades * values[:, at] / detector.range) * zero
                if detector.gain not in (0.0, 1.0):
                    values[:, at] /= detector.gain
        check_finite(values[:, amplified], [settings[at][0].name for at in amplified], self.name)
        return values

    def log_floats(self, columns: Iterable[int]) -> list[int]:
        """Return the columns of floating-point values with a log amplifier."""
        return [column for column in columns if self.amplifiers[column][0] > 0 and self.layout.types[column] != "I"]

    def with_linear(self, columns: Iterable[int]) -> Recording:
        """Return the recording with some log amplifiers treated as linear."""
        amplifiers, detectors = list(self.amplifiers), list(self.header.detectors)
        for column in columns:
            amplifiers[column] = (0.0, 0.0)
            detectors[column] = with_range(detectors[column], detectors[column].range, 0.0, 0.0)
        header = replace(self.header, detectors=tuple(detectors))
        return replace(self, amplifiers=tuple(amplifiers), header=header)

    def with_ranges(self, ranges: Mapping[str, float]) -> Recording:
        """Return the recording with the given ranges of some detectors, by name."""
        detectors = tuple(
            with_range(each, ranges[each.name], *amplifier) if each.name in ranges else each
            for each, amplifier in zip(self.header.detectors, self.amplifiers, strict=True)
        )
        return replace(self, header=replace(self.header, detectors=detectors))

    def digest(self) -> str:
        """Return the SHA-256 of the DATA segment, hexadecimal."""
        return hashlib.sha256(self.segment).hexdigest()


def open_recording(path: str | Path, name: str | None = None) -> Recording:
    """Open an FCS file and verify its structure; raise TubeError (FILE_INTEGRITY) if it cannot be read with certainty.

    ``name`` is the name in messages, by default the path.
    """
    name = str(path) if name is None else name
    return parse_recording(_mapped(path, name), name)


def data_segment(path: str | Path, name: str) -> tuple[int, int]:
    """Return start and size of DATA, bytes, of a file whose keywords were verified before.

    Raises TubeError as `open_recording` does.
    """
    content = _mapped(path, name)
    layout = _layout(content, read_text(content, name), name)
    return layout.start, layout.size


def _layout(content: memoryview, text: Text, name: str) -> Layout:
    layouts = find_layouts(text, len(content), name)
    ranges = [range_of(text.keywords, n) for n in range(1, len(layouts[0].widths) + 1)]
    return choose_layout(content, layouts, ranges, name)


def _mapped(path: str | Path, name: str) -> memoryview:
    """Return a memory map of a file; raises TubeError (FILE_INTEGRITY) if it is no file or cannot be opened."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise refuse(name, "NOT_A_FILE", "not a file (a folder, or a device).", "Correct `fcs` in the sheet.")
        with Path(path).open("rb") as handle:
            size = handle.seek(0, io.SEEK_END)
            # An empty file cannot be mapped.
            mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except FileNotFoundError:
        raise refuse(
            name, "NO_FILE", "there is no such file.", "Put it there, or correct `fcs` in the sheet."
        ) from None
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in _WANTING:
            raise  # a fault of the machine, not of the file
        reason = type(error).__name__
        found = f"the file cannot be opened ({reason})."
        raise refuse(name, "NO_ACCESS", found, "Check its path and permissions.") from None
    return memoryview(mapped)


def parse_recording(content: memoryview, name: str) -> Recording:
    """Return the recording of a file's bytes; as ``open_recording``."""
    text = read_text(content, name)
    layout = _layout(content, text, name)
    header, amplifiers, notes = read_keywords(text, layout, name)
    chain = follow_chain(content, text)
    after = trailing_notes(content, text, layout, chain, name)
    every = (*text.notes, *layout.notes, *notes, *chain.notes, *after)
    return Recording(name, text, header, layout, amplifiers, content, chain, every)


def read_header(path: str | Path, name: str | None = None) -> Header:
    """Return the header; DATA's location and size are verified, its values not read; ``name`` as in ``open_recording``.

    An unreadable spillover keyword is ignored here; ``read_events`` and ``check_files`` report it.
    """
    return open_recording(path, name).header


def read_events(
    tube: Tube, panel: Mapping[str, object], spillover: str, borrowed: Mapping[str, str] | None = None
) -> Events:
    """Return the events of one tube: scatter, the markers' detectors, the matrix's other detectors, time.

    ``panel`` is the tube's panel of the configuration, whose own ``spillover`` replaces the general setting
    ``spillover`` (``file``, ``none`` or the path of a CSV file). ``borrowed`` maps marker -> the detector it has in the
    tube whose background this one is. Raises TubeError: FILE_INTEGRITY, CHANNEL_MAP or NO_COMP.
    """
    recording = open_recording(tube.path, tube.fcs)
    events = map_detectors(recording, tube, panel, spillover, borrowed)
    recording.check_crc()
    recording = recording.with_ranges(panel_ranges(panel))
    index = {detector.name: detector.index for detector in recording.header.detectors}
    columns = [index[name] for name in events.names]
    clock, step, problem = _clock(recording, events.scatter.time)
    time, note = None, ""
    # Read all needed values in one pass.
    stored = recording.stored([*columns, clock.index] if clock else columns)
    if clock:
        time, problem, note = seconds_of(stored[:, -1].astype(np.float64), step, clock.range or 0.0)
    stored = stored[:, : len(columns)]
    notes = tag_notes(recording, columns)
    recording, stated = settle_amplifiers(recording, dict(zip(columns, stored.T, strict=True)), panel.get("amplifier"))
    values = recording.linear(columns, stored)
    if events.spillover is not None:
        used = [recording.header.detectors[index[name]] for name in events.spillover.detectors]
        theirs = [values[:, at] for at in map(events.names.index, events.spillover.detectors)]
        refuse_transformed(used, theirs, tube.fcs)
    return replace(
        events,
        header=recording.header,
        values=values,
        time=time,
        time_problem=problem,
        time_note=note,
        digest=recording.digest(),
        notes=tuple(note.message for note in recording.notes if note.code in DOUBTS)
        + tuple(note.message for note in (*notes, *stated)),
    )


def map_detectors(
    recording: Recording,
    tube: Tube,
    panel: Mapping[str, object],
    spillover: str,
    borrowed: Mapping[str, str] | None = None,
) -> Events:
    """Return the tube without values: its markers, scatter and matrix; as ``read_events``."""
    recording = recording.with_ranges(panel_ranges(panel))
    header = recording.header
    markers = find_markers(header, panel, tube.reagent, tube.fcs, borrowed)
    scatter = find_scatter(header, panel, tube.fcs)
    setting = str(panel.get("spillover") or spillover)
    matrix = choose_spillover(
        setting, recording.text.keywords, header.detectors, list(dict.fromkeys(markers.values())), tube.fcs
    )
    scatters = [scatter.fsc, scatter.ssc, scatter.fsc_height, scatter.fsc_width]
    # Columns that stay go first, so that compensation can work in place.
    wanted = [name for name in scatters if name] + list(markers.values()) + list(matrix.detectors if matrix else ())
    names = tuple(dict.fromkeys(wanted))
    roles = markers | {role: name for role, name in (("FSC", scatter.fsc), ("SSC", scatter.ssc)) if name is not None}
    found = {detector.name: detector.range for detector in header.detectors}
    if missing := {role: name for role, name in roles.items() if found[name] is None}:
        raise unknown_range(tube.fcs, missing)
    empty = np.empty((0, len(names)))
    return Events(tube, header, names, empty, None, "", scatter, markers, matrix, "")


def tag_notes(recording: Recording, columns: Iterable[int]) -> list[Note]:
    """Return notes on integers with tag bits above the range of their detectors.

    Raises TubeError (FILE_INTEGRITY) if the values themselves exceed the range: masking would corrupt them.
    """
    names = [detector.name for detector in recording.header.detectors]
    tagged: list[str] = []
    beyond: list[str] = []
    for column in columns:
        used = high_bits(recording.segment, recording.layout, column)
        if used.any():
            # There are few tags and every value has one; values above the range use the next bits, and also none.
            (tagged if used[0] > 0 and used.size <= _MOST_TAGS else beyond).append(names[column])
    if beyond:
        found = f"integers above the range that $PnR gives: {', '.join(beyond)}."
        raise refuse(recording.name, "ABOVE_RANGE", found, "Export it as FCS 3.1, list mode, floating point.")
    if not tagged:
        return []
    return [Note("TAG_BITS", f"bits above $PnR that mark every value are left out: {', '.join(tagged)}.")]


def settle_amplifiers(
    recording: Recording, stored: Mapping[int, Floats | Singles], stated: object = None
) -> tuple[Recording, list[Note]]:
    """Return the recording with its log amplifiers resolved for floating-point values, and notes.

    ``stored`` are values by the positions of their detectors, (events,) each. Floating-point values with a log
    amplifier are linear if any is negative, above its range or not whole, which channel numbers never are. ``stated``,
    ``linear`` or ``log`` from the panel, takes precedence.
    """
    log = recording.log_floats(stored)
    if not log:
        return recording, []
    detectors = [recording.header.detectors[column] for column in log]
    numbers = all(_channel_numbers(stored[each.index], each.range) for each in detectors)
    linear = stated == "linear" or (stated is None and not numbers)
    if linear:
        recording = recording.with_linear(recording.log_floats(range(len(recording.amplifiers))))
    word = "as linear" if linear else "as channel numbers of a log amplifier"
    where = ", ".join(detector.name for detector in detectors)
    return recording, [Note("AMPLIFIER_FLOAT", f"floating-point values with a log $PnE are read {word}: {where}.")]


def _channel_numbers(values: Floats | Singles, limit: float | None) -> bool:
    """Return whether all values of a detector, (events,), are whole numbers from 0 to its range."""
    top = np.inf if limit is None else limit
    return bool(((values >= 0) & (values <= top) & (values == np.floor(values))).all())


def _clock(recording: Recording, name: str | None) -> tuple[Detector | None, float, str]:
    """Return the Time detector and its tick in seconds, or None and the reason."""
    if name is None:
        return None, 0.0, "the file has no Time detector"
    step = positive(recording.text.keywords.get("$TIMESTEP", ""))
    if not step:
        return None, 0.0, "no $TIMESTEP: the unit of Time is not known"
    found = next(each for each in recording.header.detectors if each.name == name)
    if recording.amplifiers[found.index][0] > 0:
        return None, 0.0, "Time is stored on a log scale"
    return found, step, ""

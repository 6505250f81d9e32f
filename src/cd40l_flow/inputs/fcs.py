"""FCS files: a guard that trusts no offset, FlowIO for the keywords, numpy for the verified DATA segment."""

from __future__ import annotations

import hashlib
import io
import mmap
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import flowio
import numpy as np

from cd40l_flow.inputs.data import Layout, check_finite, find_layout, stored_values
from cd40l_flow.inputs.model import Detector, Events, Floats, Header, Tube
from cd40l_flow.inputs.panel import find_markers, find_scatter
from cd40l_flow.inputs.spillover import SpilloverFault, choose_spillover, keyword_spillover
from cd40l_flow.inputs.text import EXPORT_AGAIN, Text, read_text, refuse

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_S = 86400.0
_MOST_DECADES = 30


@dataclass(frozen=True)
class Recording:
    """One open FCS file, its first data set verified but not decoded.

    ``amplifiers`` holds ``$PnE`` of every detector as (decades, value at zero), decades 0 for a linear one.
    ``segment`` is the mapped DATA segment, ``name`` what messages call the file.
    """

    name: str
    text: Text
    header: Header
    layout: Layout
    amplifiers: tuple[tuple[float, float], ...]
    segment: memoryview

    def stored(self, columns: Sequence[int]) -> Floats:
        """Return stored values, (events, columns), bit-masked, before gain or log; columns count from 0.

        Raises TubeError (FILE_INTEGRITY) for NaN and infinity.
        """
        values = stored_values(self.segment, self.layout, columns)
        check_finite(values, [self.header.detectors[column].name for column in columns], self.name)
        return values

    def linear(self, columns: Sequence[int]) -> Floats:
        """Return values on the linear scale, (events, columns): log amplifiers and gain undone, as FlowIO does.

        Raises TubeError (FILE_INTEGRITY) for NaN and infinity, stored or made by an absurd amplifier or gain.
        """
        values = self.stored(columns)
        amplified = []
        # What overflows is found by the check below.
        with np.errstate(over="ignore", invalid="ignore"):
            for at, column in enumerate(columns):
                detector, (decades, zero) = self.header.detectors[column], self.amplifiers[column]
                if decades > 0:
                    values[:, at] = 10 ** (decades * values[:, at] / detector.range) * zero
                if detector.gain not in (0.0, 1.0):
                    values[:, at] /= detector.gain
                if decades > 0 or detector.gain not in (0.0, 1.0):
                    amplified.append(at)
        names = [self.header.detectors[columns[at]].name for at in amplified]
        check_finite(values[:, amplified], names, self.name)
        return values

    def digest(self) -> str:
        """Return the SHA-256 of the DATA segment, hexadecimal."""
        return hashlib.sha256(self.segment).hexdigest()


def open_recording(path: str | Path, name: str | None = None) -> Recording:
    """Open an FCS file and verify its structure; raise TubeError (FILE_INTEGRITY) unless it can be read for certain.

    ``name`` is what messages call the file; the path, when left out.
    """
    name = str(path) if name is None else name
    try:
        with Path(path).open("rb") as handle:
            size = handle.seek(0, io.SEEK_END)
            # An empty file cannot be mapped.
            mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except FileNotFoundError:
        raise refuse(name, "there is no such file.", "Put it there, or correct `fcs` in the sheet.") from None
    except (OSError, ValueError) as error:
        reason = type(error).__name__
        raise refuse(name, f"the file cannot be opened ({reason}).", "Check its path and permissions.") from None
    return parse_recording(memoryview(mapped), name)


def parse_recording(content: memoryview, name: str) -> Recording:
    """Return the recording of a file's bytes; as ``open_recording``."""
    text = read_text(content, name)
    layout = find_layout(text, len(content), name)
    header, amplifiers = _header(text, layout, name)
    segment = content[layout.start : layout.start + layout.size]
    return Recording(name, text, header, layout, amplifiers, segment)


def read_header(path: str | Path, name: str | None = None) -> Header:
    """Return what TEXT says, DATA's place and size verified but its values not read; ``name`` as in ``open_recording``.

    A spillover keyword that cannot be read is left out here; ``read_events`` and ``check_files`` tell of it.
    """
    return open_recording(path, name).header


def read_events(tube: Tube, panel: Mapping[str, object], spillover: str, target_detector: str | None = None) -> Events:
    """Return the events of one tube: scatter, the matrix's detectors, the markers' detectors and time.

    ``panel`` is the tube's panel of the configuration, whose own ``spillover`` replaces the general setting
    ``spillover`` (``file``, ``none`` or the path of a CSV file). ``target_detector`` is the detector of the stimulated
    tube whose background this one is. Raises TubeError: FILE_INTEGRITY, CHANNEL_MAP or NO_COMP.
    """
    recording = open_recording(tube.path, tube.fcs)
    events = map_detectors(recording, tube, panel, spillover, target_detector)
    index = {detector.name: detector.index for detector in recording.header.detectors}
    values = recording.linear([index[name] for name in events.names])
    time, time_problem = _time(recording, events.scatter.time)
    return replace(events, values=values, time=time, time_problem=time_problem, digest=recording.digest())


def map_detectors(
    recording: Recording, tube: Tube, panel: Mapping[str, object], spillover: str, target_detector: str | None = None
) -> Events:
    """Return the tube with everything but its values: which detectors are what, and the matrix; as ``read_events``."""
    header = recording.header
    markers = find_markers(header, panel, tube.reagent, tube.fcs, target_detector)
    scatter = find_scatter(header, tube.fcs)
    setting = str(panel.get("spillover") or spillover)
    matrix = choose_spillover(
        setting, recording.text.keywords, header.detectors, list(dict.fromkeys(markers.values())), tube.fcs
    )
    scatters = [scatter.fsc, scatter.ssc, scatter.fsc_height, scatter.fsc_width]
    wanted = [name for name in scatters if name] + list(matrix.detectors if matrix else ()) + list(markers.values())
    names = tuple(dict.fromkeys(wanted))
    empty = np.empty((0, len(names)))
    return Events(tube, header, names, empty, None, "", scatter, markers, matrix, "")


def _header(text: Text, layout: Layout, name: str) -> tuple[Header, tuple[tuple[float, float], ...]]:
    count = len(layout.widths)
    for n in range(1, count + 1):
        for keyword in (f"$P{n}N", f"$P{n}R"):
            if not text.keywords.get(keyword):
                raise refuse(name, f"TEXT has no {keyword}; $PAR says {count} detectors.", EXPORT_AGAIN)
    detectors, amplifiers = [], []
    for n, channel in enumerate(_channels(text, count, name), start=1):
        (decades, zero), gain, limit = channel["pne"], channel["png"], channel["pnr"]
        if not np.isfinite([decades, zero, gain, limit]).all() or decades > _MOST_DECADES or gain < 0:
            raise refuse(name, f"$P{n}E, $P{n}G or $P{n}R is out of any possible range.", EXPORT_AGAIN)
        if decades > 0 and not (zero > 0 and limit > 0):
            raise refuse(name, f"$P{n}E says a log amplifier, with no value at zero or no range above 0.", EXPORT_AGAIN)
        maximum = (10**decades * zero if decades > 0 else limit) / (gain or 1.0)
        label = text.keywords.get(f"$P{n}S", "")
        voltage = _positive(text.keywords.get(f"$P{n}V", ""))
        detectors.append(Detector(text.keywords[f"$P{n}N"], label, n - 1, limit, maximum, voltage, gain))
        amplifiers.append((decades, zero))
    try:
        spillover = keyword_spillover(text.keywords, detectors)
    except SpilloverFault:
        spillover = None
    header = Header(
        version=text.version,
        events=layout.events,
        detectors=tuple(detectors),
        spillover=spillover,
        cytometer=text.keywords.get("$CYT", ""),
        month=_month(text.keywords.get("$DATE", "")),
        duration_s=_duration(text.keywords.get("$BTIM", ""), text.keywords.get("$ETIM", "")),
    )
    return header, tuple(amplifiers)


def _channels(text: Text, count: int, name: str) -> list[Mapping[str, Any]]:
    """Return what FlowIO makes of each detector's ``$PnE``, ``$PnG`` and ``$PnR``.

    FlowIO is handed a TEXT of the allowed keywords alone, rebuilt so that none of its own offsets matter; its
    conventions (``4,0`` means ``4,1``; no gain on time) are thereby ours.
    """
    keywords = {"$BEGINDATA": "0", "$ENDDATA": "0", "$TOT": "0", "$DATATYPE": "F", "$MODE": "L", "$PAR": str(count)}
    for n in range(1, count + 1):
        named = {f"$P{n}{letter}": text.keywords.get(f"$P{n}{letter}", "") for letter in "NEGR"}
        keywords.update({keyword: value.replace("|", "/") for keyword, value in named.items() if value})
    body = "".join(f"|{keyword}|{value}" for keyword, value in keywords.items()).encode() + b"|"
    offsets = (58, 57 + len(body), 0, 0, 0, 0)
    stream = io.BytesIO(b"FCS3.1    " + b"".join(f"{offset:>8}".encode() for offset in offsets) + body)
    try:
        parsed = flowio.FlowData(stream, only_text=True)
        return [parsed.channels[n] for n in range(1, count + 1)]
    except (ValueError, KeyError, IndexError, flowio.exceptions.FlowIOException):
        found = "a keyword $PnE, $PnG or $PnR is not a number (two numbers for $PnE)."
        raise refuse(name, found, EXPORT_AGAIN) from None


def _time(recording: Recording, detector: str | None) -> tuple[Floats | None, str]:
    """Return the events' time in seconds, (events,), or None and why it cannot be used."""
    if detector is None:
        return None, "the file has no Time detector"
    step = _positive(recording.text.keywords.get("$TIMESTEP", ""))
    if not step:
        return None, "no $TIMESTEP: the unit of Time is not known"
    index = next(each.index for each in recording.header.detectors if each.name == detector)
    if recording.amplifiers[index][0] > 0:
        return None, "Time is stored on a log scale"
    seconds = recording.stored([index])[:, 0] * step
    backwards = int(np.count_nonzero(np.diff(seconds) < 0))
    if backwards:
        return None, f"Time runs backwards {backwards} times: wrapped, or events not in the order of acquisition"
    if seconds[0] == seconds[-1]:
        return None, "Time is constant"
    return seconds, ""


def _positive(text: str) -> float | None:
    if not re.fullmatch(r"[0-9]{0,12}\.?[0-9]{0,20}([eE][-+]?[0-9]{1,2})?", text) or not re.match(r"\.?[0-9]", text):
        return None
    return float(text) or None


def _month(date: str) -> str:
    """Return the month of ``$DATE`` (``dd-mmm-yyyy`` by the standard, or an ISO date) as ``YYYY-MM``, or nothing."""
    match = re.fullmatch(r"\d{1,2}[-/. ]([A-Za-z]{3})[A-Za-z]*[-/. ](\d{4})", date)
    if match and match[1].lower() in _MONTHS:
        return f"{match[2]}-{_MONTHS.index(match[1].lower()) + 1:02}"
    match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])-\d{2}.*", date)
    return f"{match[1]}-{match[2]}" if match else ""


def _duration(begin: str, end: str) -> float | None:
    """Return the seconds from ``$BTIM`` to ``$ETIM``, past midnight too, or None."""
    times = []
    for text in (begin, end):
        match = re.fullmatch(r"(\d{1,2}):(\d{2}):(\d{2})(?:([:.])(\d{1,3}))?", text)
        if match is None:
            return None
        # hh:mm:ss:tt counts sixtieths (FCS 3.0), hh:mm:ss.cc decimals (FCS 3.1).
        part = 0.0 if match[4] is None else int(match[5]) / (60 if match[4] == ":" else 10 ** len(match[5]))
        times.append(int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3]) + part)
    return round((times[1] - times[0]) % _DAY_S, 2)

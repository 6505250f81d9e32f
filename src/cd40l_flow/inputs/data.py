"""The DATA segment of an FCS file: where it truly lies, and its stored values.

HEADER and TEXT both say where DATA lies and either may be wrong, so neither is trusted: the pair of offsets is taken
whose byte count equals ``$TOT`` times the bytes of one event.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.errors import TubeError
from cd40l_flow.inputs.model import Floats
from cd40l_flow.inputs.text import EXPORT_AGAIN, Text, refuse

_LITTLE = ("1,2,3,4", "1,2", "1,2,3,4,5,6,7,8", "1")
_BIG = ("4,3,2,1", "2,1", "8,7,6,5,4,3,2,1")
_FLOAT_BITS = {"F": 32, "D": 64}
# Events decoded at a time: their bytes stay in the processor's cache while the columns are picked out.
_BLOCK = 8192
_LIST_MODE_ONLY = "Export it as FCS 3.1, list mode, floating point."


@dataclass(frozen=True)
class Layout:
    """Where DATA lies and how its values are stored.

    ``start`` is the first byte; ``widths`` are the bytes of one value of each detector, ``masks`` the bits that count
    in it (0 for all), for integers only.
    """

    start: int
    events: int
    datatype: str
    big_endian: bool
    widths: tuple[int, ...]
    masks: tuple[int, ...]

    @property
    def event_bytes(self) -> int:
        """Bytes of one event."""
        return sum(self.widths)

    @property
    def size(self) -> int:
        """Bytes of the whole segment."""
        return self.events * self.event_bytes


def find_layout(text: Text, file_size: int, name: str) -> Layout:
    """Return the verified layout of DATA; raise TubeError (FILE_INTEGRITY) for what cannot be read for certain."""
    events, detectors = text.number("$TOT"), text.number("$PAR")
    if events is None or not detectors:
        missing = "$TOT" if events is None else "$PAR"
        raise refuse(name, f"TEXT has no keyword {missing} with a whole number.", EXPORT_AGAIN)
    mode = text.keywords.get("$MODE", "L" if text.version == "FCS3.2" else "").upper()
    if mode != "L":
        raise refuse(name, "$MODE is not L (list mode): the file holds histograms or does not say.", _LIST_MODE_ONLY)
    datatype = text.keywords.get("$DATATYPE", "").upper()
    if datatype not in ("I", "F", "D"):
        raise refuse(name, "$DATATYPE is not I, F or D.", _LIST_MODE_ONLY)
    if any(re.fullmatch(r"\$P\d+DATATYPE", key) for key in text.keywords):
        raise refuse(name, "FCS 3.2 with $PnDATATYPE (detectors stored in different types).", _LIST_MODE_ONLY)
    widths, masks = _widths(text, detectors, datatype, name)
    order = text.keywords.get("$BYTEORD", "").replace(" ", "")
    if order not in _LITTLE + _BIG and max(widths) > 1:
        raise refuse(name, "$BYTEORD is neither little endian (1,2,3,4) nor big endian (4,3,2,1).", _LIST_MODE_ONLY)
    if events == 0:
        raise refuse(
            name, "the file holds no events ($TOT is 0).", "Acquire the tube again or leave it out of the sheet."
        )
    start = _find_start(text, events, sum(widths), file_size, name)
    return Layout(start, events, datatype, order in _BIG, widths, masks)


def _widths(text: Text, detectors: int, datatype: str, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return bytes and bit mask of every detector's values."""
    widths, masks = [], []
    for n in range(1, detectors + 1):
        bits = text.number(f"$P{n}B")
        if bits is None:
            raise refuse(name, f"TEXT has no whole number of bits in $P{n}B; $PAR says {detectors}.", EXPORT_AGAIN)
        mask = 0
        if datatype == "I":
            if bits == 0 or bits % 8 or bits > 64:
                raise refuse(name, f"$P{n}B is {bits}; expected 8 to 64 bits in whole bytes.", _LIST_MODE_ONLY)
            limit = text.number(f"$P{n}R")
            if not limit:
                raise refuse(name, f"$P{n}R is not a whole number above 0, as integers need.", EXPORT_AGAIN)
            # Stored integers may carry other bits above their range: the next power of two bounds the value (FCS 3.1,
            # $PnR).
            if (limit - 1).bit_length() < bits:
                mask = (1 << (limit - 1).bit_length()) - 1
                if not mask:
                    raise refuse(name, f"$P{n}R is 1: no value but 0 fits.", EXPORT_AGAIN)
        elif bits != _FLOAT_BITS[datatype]:
            expected = _FLOAT_BITS[datatype]
            raise refuse(name, f"$P{n}B is {bits} where $DATATYPE {datatype} takes {expected}.", EXPORT_AGAIN)
        widths.append(bits // 8)
        masks.append(mask)
    return tuple(widths), tuple(masks)


def _find_start(text: Text, events: int, event_bytes: int, file_size: int, name: str) -> int:
    """Return the first byte of DATA by the offset pair that holds exactly the events, or one byte more at its end.

    Many writers give the byte after the last one as the end, hence the one byte; the start is never moved.
    """
    size = events * event_bytes
    pairs = {"HEADER": text.header_data, "TEXT": text.text_data}
    told = " and ".join(f"{a} to {b} ({b - a + 1} bytes, {where})" for where, (a, b) in pairs.items() if b > a)
    expected = f"$TOT {events} x {event_bytes} bytes an event = {size} bytes"
    for excess in (0, 1):
        starts = {first for first, last in pairs.values() if first >= 58 and last - first + 1 == size + excess}
        if len(starts) > 1:
            raise refuse(
                name, f"HEADER and TEXT place DATA differently, with the same size: bytes {told}.", EXPORT_AGAIN
            )
        if starts:
            start = starts.pop()
            if start + size > file_size:
                held = max(0, file_size - start) // event_bytes
                found = f"truncated: DATA should end at byte {start + size - 1}, the file has {file_size} bytes"
                raise refuse(name, f"{found}, room for {held} of {events} events.", EXPORT_AGAIN)
            return start
    raise refuse(
        name, f"DATA at bytes {told or 'that neither HEADER nor TEXT gives'}; expected {expected}.", EXPORT_AGAIN
    )


def stored_values(segment: memoryview, layout: Layout, columns: Sequence[int]) -> Floats:
    """Return the stored values of some detectors, (events, columns), after bit masking, before gain or log amplifier.

    ``segment`` is exactly the bytes of DATA.
    """
    values: Floats = np.empty((layout.events, len(columns)), dtype=np.float64, order="F")
    rows: NDArray[np.uint8] = np.frombuffer(segment, dtype=np.uint8).reshape(layout.events, layout.event_bytes)
    places = [(at, column, sum(layout.widths[:column])) for at, column in enumerate(columns)]
    # A signalling NaN raises a warning when it is cast; check_finite finds it.
    with np.errstate(invalid="ignore"):
        for begin in range(0, layout.events, _BLOCK):
            block = slice(begin, begin + _BLOCK)
            for at, column, first in places:
                cells = rows[block, first : first + layout.widths[column]]
                values[block, at] = _numbers(cells, layout, column)
    return values


def _numbers(cells: NDArray[np.uint8], layout: Layout, column: int) -> NDArray[np.number]:
    """Return the numbers of one detector, (events,), from their bytes, (events, width)."""
    if layout.datatype == "I":
        return _integers(cells, layout.big_endian, layout.masks[column])
    numbers: NDArray[np.floating] = cells.view(f"{'>' if layout.big_endian else '<'}f{cells.shape[1]}")[:, 0]
    return numbers


def _integers(cells: NDArray[np.uint8], big_endian: bool, mask: int) -> NDArray[np.unsignedinteger]:
    """Return unsigned integers of 1 to 8 bytes, (events,), from their bytes, (events, width)."""
    width = cells.shape[1]
    size = next(size for size in (1, 2, 4, 8) if size >= width)
    if size != width:
        padded = np.zeros((len(cells), size), dtype=np.uint8)
        padded[:, size - width if big_endian else 0 :][:, :width] = cells
        cells = padded
    numbers: NDArray[np.unsignedinteger] = cells.view(f"{'>' if big_endian else '<'}u{size}")[:, 0]
    return numbers & numbers.dtype.type(mask) if mask else numbers


def check_finite(values: Floats, names: Sequence[str], name: str) -> None:
    """Raise TubeError (FILE_INTEGRITY) when any of ``values``, (events, names), is NaN or infinite."""
    bad = {column: int(np.count_nonzero(~np.isfinite(values[:, at]))) for at, column in enumerate(names)}
    told = ", ".join(f"{count} in {column}" for column, count in bad.items() if count)
    if told:
        raise TubeError("FILE_INTEGRITY", f"{name}: values that are not finite numbers: {told}. {EXPORT_AGAIN}")

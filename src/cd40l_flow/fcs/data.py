"""The DATA segment of an FCS file: its verified location, and how its values are stored.

HEADER and TEXT both give the offsets of DATA and either may be wrong. The pair is used whose byte count equals ``$TOT``
times the bytes of one event. If both do, or ``$BYTEORD`` is not standard, the values decide, provided that only one
reading of them is plausible.
"""

from __future__ import annotations

from dataclasses import dataclass

from cd40l_flow.fcs.text import EXPORT_AGAIN, HEADER_BYTES, Note, Text, refuse

# Byte orders of the standard for values of any width, and those for one width with its number of bytes.
_STANDARD = {"1,2,3,4": False, "4,3,2,1": True}
_OF_A_WIDTH = {
    "1": (1, False),
    "1,2": (2, False),
    "2,1": (2, True),
    "1,2,3,4,5,6,7,8": (8, False),
    "8,7,6,5,4,3,2,1": (8, True),
}
_FLOAT_BITS = {"F": 32, "D": 64}
_WIDEST = 64
_LIST_MODE_ONLY = "Export it as FCS 3.1, list mode, floating point."
_ACQUIRE_AGAIN = "Acquire the tube again or leave it out of the sheet."


@dataclass(frozen=True)
class Layout:
    """The location of DATA and how its values are stored.

    ``start`` is the first byte; ``types`` are I, F or D for each detector, ``widths`` the bytes of one value, ``masks``
    the bits that count in it (0 for all), for integers only.
    """

    start: int
    events: int
    types: tuple[str, ...]
    big_endian: bool
    widths: tuple[int, ...]
    masks: tuple[int, ...]
    notes: tuple[Note, ...] = ()

    @property
    def event_bytes(self) -> int:
        """Bytes of one event."""
        return sum(self.widths)

    @property
    def size(self) -> int:
        """Bytes of the whole segment."""
        return self.events * self.event_bytes


def find_layouts(text: Text, file_size: int, name: str) -> tuple[Layout, ...]:
    """Return the verified layout of DATA, or all that HEADER, TEXT and ``$BYTEORD`` allow.

    Raises TubeError (FILE_INTEGRITY) for a file that cannot be read with certainty.
    """
    detectors = text.number("$PAR")
    if not detectors:
        raise refuse(name, "KEYWORD_MISSING", "TEXT has no keyword $PAR with a whole number above 0.", EXPORT_AGAIN)
    mode = text.keywords.get("$MODE", "L" if text.version == "FCS3.2" else "").upper()
    if mode != "L":
        rule = "HISTOGRAM" if mode in ("C", "U") else "MODE"
        found = "$MODE is not L (list mode): the file holds histograms or does not state it."
        raise refuse(name, rule, found, _LIST_MODE_ONLY)
    types = _types(text, detectors, name)
    widths, masks = _widths(text, types, name)
    orders = _orders(text, max(widths), name)
    notes: list[Note] = []
    events = _events(text, sum(widths), name, notes)
    if events == 0:
        raise refuse(name, "NO_EVENTS", "the file holds no events ($TOT is 0).", _ACQUIRE_AGAIN)
    starts = _find_starts(text, events, sum(widths), file_size, name)
    return tuple(
        Layout(start, events, types, big_endian, widths, masks, (*notes, *stated))
        for start, stated in starts
        for big_endian in orders
    )


def _orders(text: Text, widest: int, name: str) -> tuple[bool, ...]:
    """Return whether values are big endian: one answer if ``$BYTEORD`` is standard, else both."""
    order = text.keywords.get("$BYTEORD", "").replace(" ", "")
    if order in _STANDARD:
        return (_STANDARD[order],)
    width, big_endian = _OF_A_WIDTH.get(order, (0, False))
    if widest <= max(width, 1):
        return (big_endian,)
    if not width:
        found = "$BYTEORD is neither little endian (1,2,3,4) nor big endian (4,3,2,1)."
        raise refuse(name, "BYTEORD", found, _LIST_MODE_ONLY)
    return (big_endian, not big_endian)


def _types(text: Text, detectors: int, name: str) -> tuple[str, ...]:
    """Return I, F or D for each detector: ``$DATATYPE``, or ``$PnDATATYPE`` in FCS 3.2."""
    datatype = text.keywords.get("$DATATYPE", "").upper()
    if datatype == "A":
        found = "$DATATYPE is A: the values are written as text (ASCII), which is not read."
        raise refuse(name, "ASCII_DATA", found, _LIST_MODE_ONLY)
    own = {
        key: value.upper() for key, value in text.keywords.items() if key.endswith("DATATYPE") and key != "$DATATYPE"
    }
    if datatype not in ("I", "F", "D") or not set(own.values()) <= {"I", "F", "D"}:
        raise refuse(name, "DATATYPE", "$DATATYPE or $PnDATATYPE is not I, F or D.", _LIST_MODE_ONLY)
    if text.version != "FCS3.2" and set(own.values()) - {datatype}:
        found = f"$PnDATATYPE (detectors stored in different types) in a file that states version {text.version}."
        raise refuse(name, "MIXED_DATATYPES", found, _LIST_MODE_ONLY)
    if detectors > 99_999 or not text.keywords.get(f"$P{detectors}B"):
        found = f"$PAR says {detectors} detectors, TEXT has no $P{detectors}B."
        raise refuse(name, "KEYWORD_MISSING", found, EXPORT_AGAIN)
    return tuple(own.get(f"$P{n}DATATYPE", datatype) for n in range(1, detectors + 1))


def _widths(text: Text, types: tuple[str, ...], name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return bytes and bit mask of every detector's values."""
    widths, masks = [], []
    for n, datatype in enumerate(types, start=1):
        bits = text.number(f"$P{n}B")
        if bits is None:
            found = f"TEXT has no whole number of bits in $P{n}B; $PAR says {len(types)}."
            raise refuse(name, "KEYWORD_MISSING", found, EXPORT_AGAIN)
        mask = 0
        if datatype == "I":
            mask = _mask(text, n, bits, name)
        elif bits != _FLOAT_BITS[datatype]:
            found = f"$P{n}B is {bits} where data of type {datatype} take {_FLOAT_BITS[datatype]}."
            raise refuse(name, "BIT_WIDTH", found, EXPORT_AGAIN)
        widths.append(bits // 8)
        masks.append(mask)
    return tuple(widths), tuple(masks)


def _mask(text: Text, n: int, bits: int, name: str) -> int:
    """Return the bits that count in an integer: below the next power of two of its range (FCS 3.1, $PnR); 0 for all."""
    if bits == 0 or bits > _WIDEST:
        found = f"$P{n}B is {bits}; expected 8 to {_WIDEST} bits in whole bytes."
        raise refuse(name, "BIT_WIDTH", found, _LIST_MODE_ONLY)
    if bits % 8:
        found = f"$P{n}B is {bits}: integers packed across bytes are not read; expected whole bytes."
        raise refuse(name, "PACKED_BITS", found, _LIST_MODE_ONLY)
    limit = text.number(f"$P{n}R")
    if not limit:  # Unknown range: no bit can be masked.
        return 0
    if limit == 1:
        raise refuse(name, "KEYWORD_VALUE", f"$P{n}R is 1: no value but 0 fits.", EXPORT_AGAIN)
    used = (limit - 1).bit_length()
    return (1 << used) - 1 if used < bits else 0


def _events(text: Text, event_bytes: int, name: str, notes: list[Note]) -> int:
    """Return ``$TOT``; where it is missing (allowed in FCS 2.0), the number of events follows from the size of DATA."""
    events = text.number("$TOT")
    if events is not None:
        return events
    pairs = {pair for pair in (text.header_data, text.text_data) if HEADER_BYTES <= pair[0] < pair[1]}
    sizes = {last - first + 1 for first, last in pairs}
    if text.version != "FCS2.0" or "$TOT" in text.keywords or len(sizes) != 1 or min(sizes) % event_bytes:
        raise refuse(name, "KEYWORD_MISSING", "TEXT has no keyword $TOT with a whole number.", EXPORT_AGAIN)
    notes.append(Note("TOT_MISSING", "TEXT has no $TOT; the events are counted by the size of DATA."))
    return sizes.pop() // event_bytes


def _find_starts(
    text: Text, events: int, event_bytes: int, file_size: int, name: str
) -> list[tuple[int, tuple[Note, ...]]]:
    """Return the first byte of DATA by the offset pairs that fit the events exactly, or with one byte more at the end.

    Many writers give the byte after the last one as the end; the start is never moved. Each start comes with notes on
    the offsets. Two are returned if HEADER and TEXT differ and both are possible.
    """
    size = events * event_bytes
    pairs = {"HEADER": text.header_data, "TEXT": text.text_data}
    stated = " and ".join(f"{a} to {b} ({b - a + 1} bytes, {where})" for where, (a, b) in pairs.items() if b > a)
    for excess in (0, 1):
        starts = {
            first for first, last in pairs.values() if first >= HEADER_BYTES and last - first + 1 == size + excess
        }
        if not starts:
            continue
        held = {start for start in starts if start + size <= file_size}
        if not held:
            start = min(starts)
            found = f"truncated: DATA should end at byte {start + size - 1}, the file has {file_size} bytes"
            room = max(0, file_size - start) // event_bytes
            raise refuse(name, "TRUNCATED", f"{found}, room for {room} of {events} events.", EXPORT_AGAIN)
        # The end of TEXT may be one byte too far, as that of DATA.
        apart = {start for start in held if start >= text.segment[1] or start + size <= text.segment[0]}
        if not apart:
            found = f"DATA (from byte {min(held)}) overlaps TEXT (bytes {text.segment[0]} to {text.segment[1]})."
            raise refuse(name, "SEGMENTS_OVERLAP", found, EXPORT_AGAIN)
        return [(start, tuple(_offset_notes(text, start, size, excess))) for start in sorted(apart)]
    expected = f"$TOT {events} x {event_bytes} bytes an event = {size} bytes"
    found = f"DATA at bytes {stated or 'that neither HEADER nor TEXT gives'}; expected {expected}."
    raise refuse(name, "DATA_SIZE", found, EXPORT_AGAIN)


def _offset_notes(text: Text, start: int, size: int, excess: int) -> list[Note]:
    notes = []
    right = (start, start + size - 1 + excess)
    if excess:
        notes.append(Note("DATA_END", "the end of DATA is given one byte too far."))
    # Zeros in HEADER are valid for offsets of more than 8 digits (FCS 3.0, 3.1).
    wrong = "HEADER" if text.header_data not in (right, (0, 0)) else ""
    if text.text_data != right and text.text_data != (0, 0):
        wrong = "TEXT"
    if wrong:
        message = f"HEADER and TEXT disagree about DATA; {wrong} does not fit $TOT and was not followed."
        notes.append(Note("OFFSETS_DISAGREE", message))
    return notes

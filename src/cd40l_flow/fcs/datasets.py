"""The checksum of an FCS file, and further data sets chained to the first."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cd40l_flow.base.errors import TubeError
from cd40l_flow.fcs.data import Layout
from cd40l_flow.fcs.text import EXPORT_AGAIN, HEADER_BYTES, Note, Text, read_text, refuse

_MOST_DATASETS = 100
_CRC_BYTES = 8
_CHUNK = 1 << 20
_CRC_STARTS = (0x1D0F, 0xFFFF, 0)
PADDING = b" \x00\r\n\t"
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Chain:
    """The data sets of a file: the first byte of each, starting with 0, and notes."""

    starts: tuple[int, ...]
    notes: tuple[Note, ...]


def follow_chain(content: memoryview, text: Text) -> Chain:
    """Return the data sets chained by ``$NEXTDATA``, which counts from the first byte of its own data set."""
    starts, messages, notes = [0], [], []
    current = text
    while step := current.number("$NEXTDATA"):
        start = starts[-1] + step
        if len(starts) == _MOST_DATASETS:
            notes.append(Note("NEXTDATA", f"more than {_MOST_DATASETS} data sets are chained."))
            break
        # Some writers give the end of the file instead.
        if start >= len(content):
            if start > len(content):
                notes.append(Note("NEXTDATA", f"$NEXTDATA points to byte {start}, the file has {len(content)} bytes."))
            break
        if step < HEADER_BYTES or bytes(content[start : start + 3]) != b"FCS":
            notes.append(Note("NEXTDATA", f"$NEXTDATA points to byte {start}, where no data set begins."))
            break
        starts.append(start)
        try:
            current = read_text(content[start:], "")
        except TubeError:
            messages.append(f"number {len(starts)} at byte {start} (unreadable)")
            break
        messages.append(f"number {len(starts)} at byte {start} ({current.number('$TOT') or 0} events)")
    if messages:
        message = f"the file holds {len(starts)} data sets; the first is read, not {', '.join(messages)}."
        notes.insert(0, Note("DATASETS", message))
    return Chain(tuple(starts), tuple(notes))


def last_byte(text: Text, layout: Layout) -> int:
    """Return the last byte of the last segment of the first data set."""
    return max(text.segment[1], layout.start + layout.size - 1, text.analysis_end)


def check_crc(content: memoryview, text: Text, layout: Layout, chain: Chain, name: str) -> None:
    """Raise TubeError (FILE_INTEGRITY) if the data set's checksum does not match its bytes.

    The 8 characters after the last segment are zeros or blanks without a checksum. The standard (FCS 3.0, 3.1: CCITT,
    16 bits) does not define the initial value, the bit order or the number base, so all conventions in use are
    accepted; BD FACSuite and Beckman Coulter CytExpert start at 0x1D0F and write decimal digits.
    """
    found = _crc_word(content, text, layout, chain)
    if found is None:
        return
    last, word = found
    messages = _crc_values(word)
    data_end = layout.start + layout.size - 1
    if 0 in messages or any(messages & values for end in {last, data_end} for values in _checksums(content[: end + 1])):
        return
    raise refuse(name, "CRC", f"its checksum (CRC, at byte {last + 1}) does not fit its bytes.", EXPORT_AGAIN)


def _crc_word(content: memoryview, text: Text, layout: Layout, chain: Chain) -> tuple[int, bytes] | None:
    """Return the last byte before the checksum and its digits, or None where there is none."""
    if text.version == "FCS2.0":
        return None
    limit = chain.starts[1] if len(chain.starts) > 1 else len(content)
    end = last_byte(text, layout)
    for last in (end, end + 1):
        word = bytes(content[last + 1 : last + 1 + _CRC_BYTES]).strip(b" \x00")
        rest = bytes(content[last + 1 + _CRC_BYTES : min(limit, last + 1 + 4096)])
        if last + 1 + _CRC_BYTES <= limit and not rest.strip(PADDING) and re.fullmatch(rb"[0-9A-Fa-f]{4,8}", word):
            return last, word
    return None


def _crc_values(word: bytes) -> set[int]:
    return {int(word, 16)} | ({int(word)} if word.isdigit() else set())


def _checksums(content: memoryview) -> Iterator[set[int]]:
    """Yield the checksums of some bytes by each convention, the common ones first."""
    for start in _CRC_STARTS:
        value = start
        for begin in range(0, len(content), _CHUNK):
            value = binascii.crc_hqx(content[begin : begin + _CHUNK], value)
        yield {value, value ^ 0xFFFF}
    for start in _CRC_STARTS:
        value = start
        for begin in range(0, len(content), _CHUNK):
            value = binascii.crc_hqx(bytes(content[begin : begin + _CHUNK]).translate(_REVERSED), value)
        value = int(f"{value:016b}"[::-1], 2)
        yield {value, value ^ 0xFFFF}

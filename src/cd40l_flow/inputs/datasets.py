"""What follows the first data set of an FCS file: its checksum, and the data sets chained to it."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from cd40l_flow.errors import TubeError
from cd40l_flow.inputs.data import Layout
from cd40l_flow.inputs.text import EXPORT_AGAIN, HEADER_BYTES, Note, Text, read_text, refuse

_MOST_DATASETS = 100
_CRC_BYTES = 8
_CHUNK = 1 << 20
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Chain:
    """The data sets of a file: the first byte of each, the first being 0, and what to tell."""

    starts: tuple[int, ...]
    notes: tuple[Note, ...]


def follow_chain(content: memoryview, text: Text) -> Chain:
    """Return the data sets that ``$NEXTDATA`` chains; it counts from the first byte of its own data set."""
    starts, told, notes = [0], [], []
    current = text
    while step := current.number("$NEXTDATA"):
        start = starts[-1] + step
        if len(starts) == _MOST_DATASETS:
            notes.append(Note("NEXTDATA", f"more than {_MOST_DATASETS} data sets are chained."))
            break
        # Some writers give the end of the file, which is no data set.
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
            told.append(f"number {len(starts)} at byte {start} (unreadable)")
            break
        told.append(f"number {len(starts)} at byte {start} ({current.number('$TOT') or 0} events)")
    if told:
        message = f"the file holds {len(starts)} data sets; the first is read, not {', '.join(told)}."
        notes.insert(0, Note("DATASETS", message))
    return Chain(tuple(starts), tuple(notes))


def check_crc(content: memoryview, text: Text, layout: Layout, chain: Chain, name: str) -> None:
    """Raise TubeError (FILE_INTEGRITY) where the data set carries a checksum that its bytes do not have.

    The 8 characters after the last segment are zeros or blanks where the writer made none. The standard (FCS 3.0,
    3.1: CCITT, 16 bits) leaves open the starting value and the order of bits, so any of the four is accepted.
    """
    if text.version == "FCS2.0":
        return
    limit = chain.starts[1] if len(chain.starts) > 1 else len(content)
    end = max(text.segment[1], layout.start + layout.size - 1, text.analysis_end)
    for last in (end, end + 1):
        word = bytes(content[last + 1 : last + 1 + _CRC_BYTES]).strip(b" \x00")
        rest = bytes(content[last + 1 + _CRC_BYTES : min(limit, last + 1 + 4096)])
        if (
            last + 1 + _CRC_BYTES <= limit
            and not rest.strip(b" \x00\r\n\t")
            and re.fullmatch(rb"[0-9A-Fa-f]{4,8}", word)
        ):
            break
    else:
        return
    told = {int(word, 16)} | ({int(word)} if word.isdigit() else set())
    if 0 not in told and not told & _checksums(content[: last + 1]):
        found = f"its checksum (CRC, at byte {last + 1}) does not fit its bytes."
        raise refuse(name, "CRC", found, EXPORT_AGAIN)


def _checksums(content: memoryview) -> set[int]:
    plain, mirrored = [0, 0xFFFF], [0, 0xFFFF]
    for begin in range(0, len(content), _CHUNK):
        chunk = bytes(content[begin : begin + _CHUNK])
        plain = [binascii.crc_hqx(chunk, value) for value in plain]
        chunk = chunk.translate(_REVERSED)
        mirrored = [binascii.crc_hqx(chunk, value) for value in mirrored]
    values = {*plain, *(int(f"{value:016b}"[::-1], 2) for value in mirrored)}
    return values | {value ^ 0xFFFF for value in values}

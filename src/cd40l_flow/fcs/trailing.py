"""Bytes after the last segment of an FCS file: padding, a checksum, or unexplained bytes."""

from __future__ import annotations

from cd40l_flow.fcs.data import Layout
from cd40l_flow.fcs.datasets import PADDING, Chain, last_byte
from cd40l_flow.fcs.text import Note, Text, refuse

_CRC_BYTES = 8
# Number of line feeds that must all follow a carriage return; by chance, once in 256 to this power.
_FEWEST_LINE_FEEDS = 4
_COPY_AS_BINARY = "Copy the file again in binary mode: a program took it for a text and changed its line ends."


def trailing_notes(content: memoryview, text: Text, layout: Layout, chain: Chain, name: str) -> list[Note]:
    """Return notes on bytes after the last segment.

    Raises TubeError (FILE_INTEGRITY) if they result from line feeds in DATA converted to CR LF, which shifts every
    later value.
    """
    end = last_byte(text, layout) + 1
    limit = chain.starts[1] if len(chain.starts) > 1 else len(content)
    rest = bytes(content[end : min(limit, end + 4096)])
    if not rest[_CRC_BYTES:].strip(PADDING):
        return []
    data = bytes(content[layout.start : layout.start + layout.size])
    feeds = data.count(b"\n")
    if feeds >= _FEWEST_LINE_FEEDS and feeds == data.count(b"\r\n"):
        found = f"{limit - end} bytes too many, and each of the {feeds} line feeds in DATA follows a carriage return."
        raise refuse(name, "LINE_ENDS", found, _COPY_AS_BINARY)
    return [Note("TRAILING_BYTES", f"{limit - end} bytes after the last segment belong to none and were not read.")]

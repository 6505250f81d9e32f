"""The HEADER and TEXT segments of an FCS file, read through an allow-list.

FlowIO interprets the keywords later; this module stands in front of it because a file may hold what FlowIO takes
amiss: it drops every ``$`` (``$SPILLOVER`` and ``SPILLOVER`` become one), loses the keyword after an empty value, and
follows any offset a damaged file gives. It is also where personal data stop: no keyword outside the list gets past
``read_text``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cd40l_flow.errors import TubeError

VERSIONS = ("FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2")
SPILLOVER_KEYWORDS = ("$SPILLOVER", "SPILLOVER", "$SPILL", "SPILL")
_HEADER_BYTES = 58
_ALLOWED = re.compile(
    r"\$(CYT|DATE|TOT|PAR|MODE|DATATYPE|BYTEORD|TIMESTEP|BTIM|ETIM|BEGINDATA|ENDDATA|BEGINSTEXT|ENDSTEXT|COMP"
    r"|P[1-9]\d{0,4}([BENRSGV]|DATATYPE))"
    r"|\$?SPILL(OVER)?|TRANSFORMATION"
)


@dataclass(frozen=True)
class Text:
    """What HEADER and TEXT of the first data set say.

    ``header_data`` and ``text_data`` are the first and last byte of DATA as HEADER and as TEXT give them, ``(0, 0)``
    where they do not; ``keywords`` maps the allowed keywords, in capitals and with their ``$``, to values without
    outer spaces.
    """

    version: str
    header_data: tuple[int, int]
    text_data: tuple[int, int]
    keywords: Mapping[str, str]

    def number(self, keyword: str) -> int | None:
        """Return a keyword that must be a whole number of 0 or more, or None when it is missing or is not one."""
        return whole_number(self.keywords.get(keyword, ""))


def whole_number(text: str) -> int | None:
    """Return ``text`` as a whole number of at most 20 digits (2^64 has as many), or None; ``1024.0`` counts as one."""
    found = re.fullmatch(r"([0-9]{1,20})(\.0*)?", text)
    return int(found[1]) if found else None


def refuse(name: str, found: str, remedy: str) -> TubeError:
    """Return the error of a file that breaks the standard: its name, what was found and expected, what to do."""
    return TubeError("FILE_INTEGRITY", f"{name}: {found} {remedy}")


EXPORT_AGAIN = "Copy or export the file again from the cytometer."


def read_text(content: memoryview, name: str) -> Text:
    """Return HEADER and TEXT of the first data set in ``content``, the bytes of the whole file.

    Raises TubeError (FILE_INTEGRITY) when they cannot be read without guessing; ``name`` is what the message calls the
    file.
    """
    header = bytes(content[:_HEADER_BYTES])
    if not header:
        raise refuse(name, "the file is empty (0 bytes).", EXPORT_AGAIN)
    if header[:3] != b"FCS":
        raise refuse(
            name, "not an FCS file: it does not begin with the letters FCS.", "Name the FCS file in the sheet."
        )
    version = header[:6].decode("ascii", "replace")
    if version not in VERSIONS:
        known = ", ".join(VERSIONS)
        raise refuse(name, f"the FCS version in its HEADER is not one of {known}.", "Export it as FCS 3.1.")
    if len(header) < _HEADER_BYTES:
        raise refuse(name, f"truncated: {len(header)} bytes, where the HEADER alone takes 58.", EXPORT_AGAIN)
    start, stop, data_start, data_stop = (_offset(header[at : at + 8]) for at in (10, 18, 26, 34))
    if not _HEADER_BYTES <= start < stop:
        raise refuse(name, f"its HEADER places TEXT at bytes {start} to {stop}, which is no segment.", EXPORT_AGAIN)
    if stop > len(content):
        raise refuse(name, f"truncated: TEXT ends at byte {stop}, the file has {len(content)} bytes.", EXPORT_AGAIN)
    if start < data_start < stop:
        # A HEADER that contradicts itself cannot vouch for where TEXT lies either.
        found = f"its HEADER places DATA (from byte {data_start}) inside TEXT (bytes {start} to {stop})."
        raise refuse(name, found, EXPORT_AGAIN)
    keywords = _keywords(bytes(content[start : stop + 1]), name)
    keywords = {**_supplement(content, keywords, start), **keywords}
    data = (whole_number(keywords.get("$BEGINDATA", "")) or 0, whole_number(keywords.get("$ENDDATA", "")) or 0)
    return Text(version, (data_start, data_stop), data, keywords)


def _supplement(content: memoryview, keywords: Mapping[str, str], text_start: int) -> dict[str, str]:
    """Return the keywords of the supplemental TEXT, none where it is missing or unreadable.

    It holds optional keywords only, and some writers point it at blank bytes or at TEXT itself.
    """
    begin, end = (whole_number(keywords.get(key, "")) or 0 for key in ("$BEGINSTEXT", "$ENDSTEXT"))
    if not _HEADER_BYTES <= begin < end < len(content) or begin == text_start:
        return {}
    try:
        return _keywords(bytes(content[begin : end + 1]), "")
    except TubeError:
        return {}


def _offset(field: bytes) -> int:
    return whole_number(field.decode("latin-1").strip()) or 0


def _keywords(segment: bytes, name: str) -> dict[str, str]:
    """Return the allowed keywords of one TEXT segment; refuse one that stands twice with different values."""
    found: dict[str, str] = {}
    delimiter = segment[:1]
    if delimiter.isalnum() or delimiter in (b" ", b"$", b"\x00"):
        raise refuse(name, "TEXT does not begin with a delimiter.", EXPORT_AGAIN)
    for raw_key, raw_value in _pairs(segment[1:], delimiter):
        key = raw_key.decode("latin-1").strip().upper()
        if not _ALLOWED.fullmatch(key):
            continue
        if delimiter + b"$" in raw_value:
            # Either an escaped delimiter or the next keyword after one delimiter too many: not for a program to decide.
            raise refuse(name, f"the value of {key} is followed by a doubled delimiter and a keyword.", EXPORT_AGAIN)
        value = _decoded(raw_value)
        if found.setdefault(key, value) != value:
            raise refuse(name, f"keyword {key} stands twice in TEXT with different values.", EXPORT_AGAIN)
    return found


def _pairs(body: bytes, delimiter: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keywords and values: a doubled delimiter inside a value is one literal, at its beginning an empty value.

    No keyword and no value may begin with the delimiter (FCS 3.1, 3.2.9), so the two cannot be confused. What follows
    the last delimiter is no complete pair and is left out.
    """
    pieces = body.split(delimiter)
    at, last = 0, len(pieces) - 1
    while at + 1 <= last:
        key, value = pieces[at], pieces[at + 1]
        at += 2
        while value and at < last and not pieces[at]:
            value += delimiter + pieces[at + 1]
            at += 2
        yield key, value


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.strip(" \t\r\n\x00")

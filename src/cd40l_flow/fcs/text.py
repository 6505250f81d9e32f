"""The HEADER and TEXT segments of an FCS file, read through an allow-list.

FlowIO is not used for this, because it drops every ``$`` (``$SPILLOVER`` and ``SPILLOVER`` become one), loses the
keyword after an empty value, and follows any offset a damaged file gives. It is also where personal data stop: no
keyword outside the list gets past ``read_text``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cd40l_flow.base.errors import TubeError

VERSIONS = ("FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2")
SPILLOVER_KEYWORDS = ("$SPILLOVER", "SPILLOVER", "$SPILL", "SPILL")
HEADER_BYTES = 58
# Far above what instruments write, and small enough to be parsed quickly.
_MOST_TEXT = 16 << 20
_MOST_VALUE = 2 << 20
_MOST_KEYWORDS = 100_000
_ALLOWED = re.compile(
    r"\$(CYT|DATE|TOT|PAR|MODE|DATATYPE|BYTEORD|TIMESTEP|BTIM|ETIM|BEGINDATA|ENDDATA|BEGINSTEXT|ENDSTEXT|ENDANALYSIS"
    r"|NEXTDATA|COMP|P[1-9]\d{0,4}([BENRSGV]|DATATYPE))"
    r"|\$?SPILL(OVER)?|TRANSFORMATION"
)
# Other content found in place of FCS files, by its first bytes in lower case: description and remedy.
_UNPACK = "Unpack it and name the FCS file inside."
_DOWNLOAD = "Download the file itself and put it in its place."
_OTHER_FILES = (
    (b"\x1f\x8b", "it is compressed (gzip).", _UNPACK),
    (b"pk\x03\x04", "it is a ZIP archive or a workbook.", _UNPACK),
    (b"bzh", "it is compressed (bzip2).", _UNPACK),
    (b"\xfd7zxz", "it is compressed (xz).", _UNPACK),
    (b"7z\xbc\xaf", "it is a 7-Zip archive.", _UNPACK),
    (b"rar!", "it is a RAR archive.", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "it is compressed (zstd).", _UNPACK),
    (b"\xef\xbb\xbf", "it begins with the byte order mark of a text.", "Copy the file again in binary mode."),
    (b"\xff\xfe", "it begins with the byte order mark of a text.", "Copy the file again in binary mode."),
    (b"\xfe\xff", "it begins with the byte order mark of a text.", "Copy the file again in binary mode."),
    (b"\x00\x05\x16\x07", "it is macOS's companion of a file (AppleDouble).", "Name the file without ._ in front."),
    (b"<!doctype html", "it is a web page, perhaps one that asks to sign in.", _DOWNLOAD),
    (b"<html", "it is a web page, perhaps one that asks to sign in.", _DOWNLOAD),
    (b"<?xml", "it is XML, perhaps a workspace or an error message of a server.", "Name the FCS file in the sheet."),
    (b"version https://git-lfs", "it is a pointer of Git LFS in place of the file.", "Fetch it with: git lfs pull."),
    (b"/annex/objects/", "it is a pointer of git-annex in place of the file.", "Fetch it with: git annex get."),
    (b"%pdf", "it is a PDF.", "Name the FCS file in the sheet."),
    (b"\xd0\xcf\x11\xe0", "it is a document of Microsoft Office.", "Name the FCS file in the sheet."),
    (b"\x89hdf", "it is an HDF5 file.", "Name the FCS file in the sheet."),
)
_WHOLE_NUMBER = re.compile(r"([0-9]{1,20})(\.0*)?")
_LONGEST_KEYWORD = 40
_PADDING = b" \t\r\n\x00"


@dataclass(frozen=True)
class Note:
    """A remark on a file that can be read: a code and a sentence."""

    code: str
    message: str


@dataclass(frozen=True)
class Text:
    """HEADER and TEXT of the first data set.

    ``segment`` is the first and last byte of TEXT; ``header_data`` and ``text_data`` are those of DATA as HEADER and as
    TEXT give them, ``(0, 0)`` where they do not; ``analysis_end`` is the last byte of ANALYSIS or 0. ``keywords`` maps
    the allowed keywords, in capitals and with their ``$``, to values without outer spaces.
    """

    version: str
    segment: tuple[int, int]
    header_data: tuple[int, int]
    text_data: tuple[int, int]
    analysis_end: int
    keywords: Mapping[str, str]
    notes: tuple[Note, ...]

    def number(self, keyword: str) -> int | None:
        """Return a keyword that must be a whole number of 0 or more, or None when it is missing or is not one."""
        return whole_number(self.keywords.get(keyword, ""))


def whole_number(text: str) -> int | None:
    """Return ``text`` as a whole number of at most 20 digits (2^64 has as many), or None; ``1024.0`` counts as one."""
    found = _WHOLE_NUMBER.fullmatch(text) if len(text) < 50 else None
    return int(found[1]) if found else None


def refuse(name: str, rule: str, found: str, remedy: str) -> TubeError:
    """Return the error of a file that cannot be read with certainty: its name, the rule, what was found, and the
    remedy.
    """
    return TubeError("FILE_INTEGRITY", name, found, remedy, rule)


EXPORT_AGAIN = "Copy or export the file again from the cytometer."


def read_text(content: memoryview, name: str) -> Text:
    """Return HEADER and TEXT of the first data set in ``content``, the bytes of the whole file.

    Raises TubeError (FILE_INTEGRITY) when they cannot be read without guessing; ``name`` is the file's name in
    messages.
    """
    header = bytes(content[:HEADER_BYTES])
    version = _version(header, name)
    start, stop, data_start, data_stop, _, analysis_end = (_offset(header[at : at + 8]) for at in range(10, 58, 8))
    if not HEADER_BYTES <= start < stop:
        found = f"its HEADER places TEXT at bytes {start} to {stop}, which is no segment."
        raise refuse(name, "TEXT_OFFSETS", found, EXPORT_AGAIN)
    if stop > len(content):
        found = f"truncated: TEXT ends at byte {stop}, the file has {len(content)} bytes."
        raise refuse(name, "TRUNCATED", found, EXPORT_AGAIN)
    if stop - start >= _MOST_TEXT:
        found = f"its HEADER gives TEXT {stop - start + 1} bytes; more than {_MOST_TEXT} are not read."
        raise refuse(name, "TEXT_OFFSETS", found, EXPORT_AGAIN)
    if start < data_start < stop:
        # If HEADER contradicts itself, its location of TEXT is not reliable either.
        found = f"its HEADER places DATA (from byte {data_start}) inside TEXT (bytes {start} to {stop})."
        raise refuse(name, "SEGMENTS_OVERLAP", found, EXPORT_AGAIN)
    notes: list[Note] = []
    closed = bytes(content[stop + 1 : stop + 2])
    keywords = _keywords(bytes(content[start : stop + 1]), closed, name, notes)
    keywords = {**_supplement(content, keywords, start), **keywords}
    data = (whole_number(keywords.get("$BEGINDATA", "")) or 0, whole_number(keywords.get("$ENDDATA", "")) or 0)
    ends = (whole_number(keywords.get(key, "")) or 0 for key in ("$ENDANALYSIS", "$ENDSTEXT"))
    return Text(version, (start, stop), (data_start, data_stop), data, max(analysis_end, *ends), keywords, tuple(notes))


def _version(header: bytes, name: str) -> str:
    if not header:
        raise refuse(name, "EMPTY_FILE", "the file is empty (0 bytes).", EXPORT_AGAIN)
    if header[:3] != b"FCS":
        found, remedy = next(
            ((found, remedy) for start, found, remedy in _OTHER_FILES if header.lower().startswith(start)),
            ("it does not begin with the letters FCS.", "Name the FCS file in the sheet."),
        )
        raise refuse(name, "NOT_FCS", f"not an FCS file: {found}", remedy)
    version = header[:6].decode("ascii", "replace")
    if version not in VERSIONS:
        known = ", ".join(VERSIONS)
        found = f"the FCS version in its HEADER is not one of {known}."
        raise refuse(name, "VERSION", found, "Export it as FCS 3.1.")
    if len(header) < HEADER_BYTES:
        found = f"truncated: {len(header)} bytes, where the HEADER alone takes {HEADER_BYTES}."
        raise refuse(name, "TRUNCATED", found, EXPORT_AGAIN)
    return version


def _supplement(content: memoryview, keywords: Mapping[str, str], text_start: int) -> dict[str, str]:
    """Return the keywords of the supplemental TEXT, none where it is missing or unreadable.

    It holds optional keywords only, and some writers point it at blank bytes or at TEXT itself.
    """
    begin, end = (whole_number(keywords.get(key, "")) or 0 for key in ("$BEGINSTEXT", "$ENDSTEXT"))
    if not HEADER_BYTES <= begin < end < len(content) or begin == text_start or end - begin >= _MOST_TEXT:
        return {}
    try:
        return _keywords(bytes(content[begin : end + 1]), bytes(content[end + 1 : end + 2]), "", [])
    except TubeError:
        return {}


def _offset(field: bytes) -> int:
    return whole_number(field.decode("latin-1").strip(" \x00")) or 0


def _keywords(segment: bytes, closed: bytes, name: str, notes: list[Note]) -> dict[str, str]:
    """Return the allowed keywords of one TEXT segment; refuse one given twice with different values.

    ``closed`` is the byte after the segment: some writers leave the last delimiter outside.
    """
    found: dict[str, str] = {}
    delimiter = segment[:1]
    if delimiter.isalnum() or delimiter in (b" ", b"$", b"\x00"):
        raise refuse(name, "DELIMITER", "TEXT does not begin with a delimiter.", EXPORT_AGAIN)
    mark = re.escape(delimiter)
    swallowed = re.compile(mark * 2 + rb" *(?:\$[A-Za-z0-9]{2,14}|SPILL(?:OVER)?) *" + mark)
    doubled = delimiter * 2 in segment
    for count, (first, stop, begin, end) in enumerate(_pairs(segment, delimiter)):
        if count == _MOST_KEYWORDS:
            found_text = f"TEXT holds more than {_MOST_KEYWORDS} keywords."
            raise refuse(name, "TEXT_OFFSETS", found_text, EXPORT_AGAIN)
        stripped = segment[first:stop].strip(_PADDING)
        key = stripped.decode("latin-1").upper() if len(stripped) <= _LONGEST_KEYWORD else ""
        allowed = _ALLOWED.fullmatch(key) is not None
        if doubled and swallowed.search(segment, begin, end + 1):
            # An escaped delimiter, or an extra delimiter before the next keyword: this is ambiguous.
            what = f"the value of {key}" if allowed else "a value"
            found_text = f"{what} is followed by a doubled delimiter and a keyword."
            raise refuse(name, "DELIMITER", found_text, EXPORT_AGAIN)
        if not allowed:
            continue
        if end - begin > _MOST_VALUE:
            raise refuse(name, "KEYWORD_VALUE", f"the value of {key} has {end - begin} bytes.", EXPORT_AGAIN)
        if len(stripped) < stop - first:
            notes.append(Note("KEYWORD_PADDED", f"keyword {key} is written with spaces around it."))
        if end == len(segment) and closed != delimiter:
            notes.append(Note("TEXT_END", f"TEXT ends inside the value of {key}: no delimiter closes it."))
        value = _decoded(segment[begin:end].replace(delimiter * 2, delimiter))
        if key in found:
            if found[key] != value:
                found_text = f"keyword {key} is given twice in TEXT with different values."
                raise refuse(name, "KEYWORD_REPEATED", found_text, EXPORT_AGAIN)
            notes.append(Note("KEYWORD_REPEATED", f"keyword {key} is given twice in TEXT, with the same value."))
        found[key] = value
    return found


def _pairs(segment: bytes, delimiter: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield where each keyword and each value begins and ends in a TEXT segment, its first delimiter included.

    A doubled delimiter inside a value is one literal, at its beginning an empty value: no keyword and no value may
    begin with the delimiter (FCS 3.1, 3.2.9), so the two cannot be confused. Delimiters too many at the end of TEXT are
    padding.
    """
    at = 1
    while (stop := segment.find(delimiter, at)) >= 0:
        begin = stop + 1
        end = segment.find(delimiter, begin)
        single = end
        while end > begin and segment[end + 1 : end + 2] == delimiter:
            end = segment.find(delimiter, end + 2)
        if end < 0:
            end = len(segment)
            if single >= begin and not segment[single:].strip(delimiter + _PADDING):
                end = single
        if end > begin or end < len(segment):
            yield at, stop, begin, end
        at = end + 1


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.strip(" \t\r\n\x00")

"""A file's path as parts: what each piece of its name and of its folders is, by words, dates, numbers and wells."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.cohort.drafts.words import Word, cut, folded, look_up

_ATOM = re.compile(r"[^\W_]+")
_LONGEST_PHRASE = 5
# The months' first letters in the languages of the table.
_MONTH = (
    r"(?:jan|feb|mar|apr|mai|may|jun|jul|aug|sep|oct|okt|nov|dec|dez|ene|abr|ago|dic|fev|avr|aou|gen|mag|giu|lug|set|ott)"
    r"[a-z]{0,7}"
)
_YEAR, _M, _D = r"(?:20[0-4]\d|19[5-9]\d)", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_MM, _DD, _YY = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])", r"[0-4]\d"
_DATE = re.compile(
    rf"{_YEAR} {_M} {_D}|{_D} {_M} {_YEAR}|{_DD} {_MM} {_YY}|{_M} {_D} {_YEAR}|{_YEAR}{_MM}{_DD}"
    rf"|{_DD}{_MM}{_YEAR}|{_YY}{_MM}{_DD}"
    rf"|{_DD}{_MM}{_YY}|{_D} ?{_MONTH} ?(?:{_YEAR}|{_YY})|{_YEAR} ?{_MONTH} ?{_D}|{_MONTH} ?{_D} {_YEAR}"
    rf"|{_YEAR}{_MM}{_DD} ?[012]\d[0-5]\d(?:[0-5]\d)?"
)
_WELL = re.compile(r"([a-p])(0?[1-9]|1\d|2[0-4])")
# CellQuest numbers its files where others have `.fcs`.
_NUMBER_SUFFIX = re.compile(r"\.(\d{3})$")
_SUFFIX = re.compile(r"\.(fcs\d?|lmd)$", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A piece of a name: ``role`` in it (a role of the table of words, or date, number, well, rest), what it means.

    ``text`` is as written, ``start`` and ``end`` its place in the name; ``before`` and ``after`` a sign that belongs to
    it, ``+`` or ``-``, as in ``PMA-``; ``joined`` the sign that joins it to what stands before.
    """

    role: str
    text: str
    start: int
    end: int
    meaning: str = ""
    sure: bool = True
    before: str = ""
    after: str = ""
    joined: str = ""

    @property
    def key(self) -> str:
        """What the part is compared by: case and the way an accent is stored do not count, accents do."""
        return unicodedata.normalize("NFC", self.text).lower()

    @property
    def phrase(self) -> str:
        """The part as the table of words has it."""
        return " ".join(folded(atom) for atom in _ATOM.findall(self.text))


@dataclass(frozen=True)
class Level:
    """The name of a file or of a folder: its text and its parts."""

    text: str
    parts: tuple[Part, ...]

    def of(self, *roles: str) -> list[Part]:
        """Return the parts with one of these roles."""
        return [part for part in self.parts if part.role in roles]


def read_path(path: str) -> tuple[Level, ...]:
    """Return the levels of a path with ``/``: the file first, without its ending, then its folders from the inside."""
    *folders, name = path.split("/")
    stem = _SUFFIX.sub("", name)
    stem = _NUMBER_SUFFIX.sub(r" \1", stem) if stem == name else stem
    return tuple(read_name(text) for text in (stem, *reversed(folders)))


def readable(text: str) -> str:
    """Return a name in composed letters; bytes that are no UTF-8 are read as Latin-1, as old Windows wrote them."""
    if any("\udc80" <= char <= "\udcff" for char in text):
        text = "".join(chr(ord(char) - 0xDC00) if "\udc80" <= char <= "\udcff" else char for char in text)
    return unicodedata.normalize("NFC", text)


def read_name(text: str) -> Level:
    """Return the parts of one name: the longest phrases that the table knows, dates, and what is left of it."""
    text = readable(text)
    spans = [
        (found.start() + start, found.start() + end)
        for found in _ATOM.finditer(text)
        for start, end in _pieces(found[0])
    ]
    parts: list[Part] = []
    at = 0
    while at < len(spans):
        size, part = _longest(text, spans[at:])
        parts.append(_signed(text, part, parts[-1].end if parts else 0))
        at += size
    return Level(text, tuple(_gates(text, _doubled_wells(parts))))


def _pieces(atom: str) -> list[tuple[int, int]]:
    places = [0, *cut(atom), len(atom)]
    return list(zip(places[:-1], places[1:], strict=True))


def _longest(text: str, spans: Sequence[tuple[int, int]]) -> tuple[int, Part]:
    """Return how many pieces the next part takes, and the part."""
    start = spans[0][0]
    for size in range(min(_LONGEST_PHRASE, len(spans)), 0, -1):
        end = spans[size - 1][1]
        phrase = " ".join(folded(text[first:last]) for first, last in spans[:size])
        if _DATE.fullmatch(phrase):
            return size, Part("date", text[start:end], start, end)
        if size == 1 and _WELL.fullmatch(phrase):
            break
        # Two letters with an accent are initials: no word of the table has them.
        if (word := look_up(phrase)) and (len(phrase) > 2 or text[start:end].isascii()):
            return size, _part(word, text, start, end)
    end = spans[0][1]
    atom = folded(text[start:end])
    role = "number" if atom.isdigit() else "well" if _WELL.fullmatch(atom) else "rest"
    return 1, Part(role, text[start:end], start, end)


def _part(word: Word, text: str, start: int, end: int) -> Part:
    return Part(word.role, text[start:end], start, end, word.meaning, word.sure)


def _signed(text: str, part: Part, last: int) -> Part:
    """Add the signs next to a part: a sign belongs to it only where nothing else is at the sign's other side."""
    around = f" {text} "
    before, beyond = around[part.start], around[part.start - 1] if part.start else " "
    after, behind = around[part.end + 1], around[part.end + 2] if part.end < len(text) else " "
    own_before = before if before in "+-" and not beyond.isalnum() else ""
    own_after = after if after in "+-" and not behind.isalnum() else ""
    between = text[last : part.start]
    return replace(part, before=own_before, after=own_after, joined=between if between in ("+", "-") else "")


def _doubled_wells(parts: Sequence[Part]) -> list[Part]:
    """Join the two names that BD gives one well, as in ``A1_A01``: nothing else writes it twice."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last and part.role == last.role == "well" and well(part.text) == well(last.text):
            joined[-1] = replace(last, text=part.text, end=part.end, meaning="doubled")
        else:
            joined.append(part)
    return joined


def _gates(text: str, parts: Sequence[Part]) -> list[Part]:
    """Take a population's name (``CD4+``, ``Lymphocytes``) in the name of an exported file for what it is.

    A marker with a sign names a gate and no reagent: the tube of the isotype has a gate CD154+ too.
    """
    exported = bool(parts) and parts[0].phrase.startswith("export")
    found = []
    for part in parts:
        signed = part.after and part.role in ("reagent", "marker")
        if exported and signed and part.meaning in (*current_assay().targets, "other"):
            part = replace(part, role="gate")
        found.append(part)
    return found


def well(text: str) -> tuple[str, int] | None:
    """Return row and column of a well's name, as ``B07``, or None."""
    found = _WELL.fullmatch(folded(text))
    return (found[1], int(found[2])) if found else None

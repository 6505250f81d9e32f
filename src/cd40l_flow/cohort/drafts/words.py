"""The words of file names, from a table that holds those of several languages."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from cd40l_flow.assay.lookup import assay_named, current_assay

_TABLE, _OF_B_CELLS = (Path(__file__).with_name(name) for name in ("words.tsv", "b_cell_words.tsv"))
# What glues to its neighbour without a sign between: shorter words are too often part of something else.
_LEAST_GLUED = 3


@dataclass(frozen=True)
class Word:
    """What a word of the table is: its ``role`` in a name, what it means, and whether it says so for certain."""

    role: str
    meaning: str
    sure: bool


def folded(text: str) -> str:
    """Return a text in small letters without accents, as the table has its words."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


@cache
def table(assay: str = "cd40l") -> tuple[tuple[Word, re.Pattern[str]], ...]:
    """Return the rows of the table, each with its pattern; the first that fits a whole phrase is its meaning.

    Words of the tubes of a B-cell assay come before all others.
    """
    rows = _rows(_TABLE)
    if assay == "cd40l":
        return tuple(rows)
    return (*(row for row in _rows(_OF_B_CELLS) if row[0].meaning in assay_named(assay).reagent_names), *rows)


def _rows(path: Path) -> list[tuple[Word, re.Pattern[str]]]:
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "role\t")):
            role, meaning, sure, _, pattern = line.split("\t")
            rows.append((Word(role, meaning, sure == "yes"), re.compile(pattern)))
    return rows


def look_up(phrase: str) -> Word | None:
    """Return what a phrase means, in folded letters with single blanks between its words, or None.

    The words are those of the current assay.
    """
    return _look_up(phrase, current_assay().name)


@lru_cache(maxsize=1 << 16)
def _look_up(phrase: str, assay: str) -> Word | None:
    return next((word for word, pattern in table(assay) if pattern.fullmatch(phrase)), None)


def cut(atom: str) -> tuple[int, ...]:
    """Return where words of the table are glued to something else in a run of letters and digits, as in P01stim.

    Cuts lie where a small letter meets a capital or a letter a digit; elsewhere only between two words of the table.
    """
    return _cut(atom, current_assay().name)


@lru_cache(maxsize=1 << 16)
def _cut(atom: str, assay: str) -> tuple[int, ...]:
    """Return the cuts with the words of the current assay."""
    if look_up(folded(atom)):
        return ()
    turns = [0, *(at for at in range(1, len(atom)) if _turns(atom[at - 1], atom[at])), len(atom)]
    for size in range(len(turns) - 1, 0, -1):
        for first, last in zip(turns, turns[size:], strict=False):
            if _is_long(folded(atom[first:last])):
                return _around(atom, first, last)
    for first, last in zip(turns, turns[1:], strict=False):
        for at in range(first + 1, last):
            if _is_long(folded(atom[first:at])) and _is_long(folded(atom[at:last])):
                return tuple(sorted({at, *_around(atom, first, last)}))
    return ()


def _turns(left: str, right: str) -> bool:
    return (left.islower() and right.isupper()) or left.isdigit() != right.isdigit()


def _around(atom: str, first: int, last: int) -> tuple[int, ...]:
    """Return the cuts at both ends of a word within an atom, and those of what stands before and behind it."""
    ends = {first, last} - {0, len(atom)}
    return tuple(sorted({*ends, *cut(atom[:first]), *(last + at for at in cut(atom[last:]))}))


def _is_long(phrase: str) -> bool:
    word = look_up(phrase)
    return word is not None and word.sure and len(phrase) >= _LEAST_GLUED and word.role in ("stimulation", "reagent")

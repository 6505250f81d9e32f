"""Names of samples in the letters that sheets allow, two of them never the same for two different texts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from cd40l_flow.cohort.drafts.names import Part

LONGEST = 90
# As these letters are written where they lack; every other accent is dropped.
_LETTERS = str.maketrans(
    {"Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ẞ": "SS", "Æ": "Ae", "æ": "ae"}
    | {"Ø": "Oe", "ø": "oe", "Å": "Aa", "å": "aa", "Œ": "Oe", "œ": "oe", "Ł": "L", "ł": "l", "Đ": "D", "đ": "d"}
    | {"Þ": "Th", "þ": "th", "Ð": "D", "ð": "d", "ı": "i"}
)


def ascii_id(text: str) -> str:
    """Return a text as the name of a sample: ASCII letters, digits, ``.``, ``_`` and ``-``; empty where none is left.

    A letter without a Latin form becomes its code point, as ``u5f20``.
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text).translate(_LETTERS))
    letters = []
    for char in plain:
        if char.isascii():
            letters.append(char if char.isalnum() or char in "._-" else "-")
        elif not unicodedata.combining(char):
            letters.append(f"u{ord(char):x}" if char.isalnum() else "-")
    return re.sub(r"-{2,}", "-", "".join(letters)).strip("._-")[:LONGEST].rstrip("._-")


def joined(text: str, parts: Sequence[Part]) -> str:
    """Return parts of a name as one text: signs between neighbours stay, ``-`` replaces whatever was left out."""
    pieces: list[str] = []
    last: Part | None = None
    for part in parts:
        if last is not None:
            between = text[last.end : part.start]
            pieces.append(between if len(between) < 2 and between in "._-" else "-")
        pieces.append(part.text)
        last = part
    return "".join(pieces)


def unused(name: str, taken: set[str]) -> Iterator[str]:
    """Yield names made of one by a number, those not taken (case aside), endlessly."""
    number = 2
    while True:
        if f"{name}-{number}".casefold() not in taken:
            yield f"{name}-{number}"
        number += 1

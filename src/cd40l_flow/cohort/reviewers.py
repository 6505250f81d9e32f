"""Who signs: names as people write them, and the reviewers that the configuration lists."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Words of a name that state what somebody is, not who.
_TITLES = """
dr doctor doktor prof professor priv doz pd med phil rer nat hc habil dipl ing mag mr mrs ms miss mx sir dame herr frau
phd dphil md mbbs mbchb bsc msc scd frcpath mrcpath frcp mrcp facp
"""
# Academic titles that are written with dots inside.
_DOTTED = re.compile(r"\bph\. ?d\b|\b[mbd]\. ?sc\b|, ?m\. ?d\b")
# Letters of other scripts, and digits, with the Latin letter that they look like: names are only compared by them.
_PAIRS = """
аa вb сc ԁd еe ғf ɡg һh нh іi ӏl јj кk ӄk мm ոn пn оo рp ԛq гr ѕs тt цu ѵv ԝw шw хx уy үy зz
αa βb ϲc εe ηn ιi κk μm νv οo ρp σo τt υu χx ωw γy ζz
ıi łl øo đd ßss æae œoe þth ðd 0o 1l 3e 5s
"""
_LOOK_ALIKES = {ord(pair[0]): pair[1:] for pair in _PAIRS.split()}


@dataclass(frozen=True)
class Person:
    """One reviewer of the configuration."""

    name: str
    role: str
    may_sign_second: bool


@dataclass(frozen=True)
class People:
    """The reviewers of the configuration; where it lists none, any name may sign, and nobody can sign second."""

    listed: tuple[Person, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> People:
        """Return them from the rows of the configuration: ``name``, ``role`` and ``may_sign_second``."""
        return cls(tuple(Person(str(row["name"]), str(row["role"]), bool(row["may_sign_second"])) for row in rows))

    def find(self, name: str) -> Person | None:
        """Return the reviewer whose name this is, however it is written; None for nobody on the list."""
        key = person_key(name)
        return next((person for person in self.listed if person_key(person.name) == key), None)


def person_key(name: str) -> str:
    """Return who a name is of: without case, accents, dots, spaces and titles, letters of other scripts by their looks.

    ``Dr. A. Smith``, ``a smith`` and ``А. Smith`` with a Cyrillic A are one.
    """
    plain = _DOTTED.sub(" ", unicodedata.normalize("NFKD", name.casefold()))
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign)).translate(_LOOK_ALIKES)
    words = "".join(sign if sign.isalnum() else " " for sign in letters).split()
    kept = [word for word in words if word not in _TITLES.split()] or words
    return "".join(kept)


def same_people(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return every pair of names that are spellings of one, in their order."""
    seen: dict[str, str] = {}
    pairs = []
    for name in names:
        key = person_key(name)
        if key in seen:
            pairs.append((seen[key], name))
        seen.setdefault(key, name)
    return pairs

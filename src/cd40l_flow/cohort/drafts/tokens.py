"""What of a file's path may identify a person or a blood sample, and what of it only names or numbers the tube."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cd40l_flow.cohort.drafts.kinds import Scene
from cd40l_flow.cohort.drafts.names import Level, Part

# Roles that identify a person, and those that say when, in which run or specimen a sample was measured.
PERSON = ("rest", "relative", "control", "person", "number", "well", "header")
CONTEXT = ("date", "run", "specimen")
# What is never part of a sample's name, but must not differ within one sample without a reason.
SILENT = ("filler", "dye", "marker", "gate", "duration", "copy")
_IN_STEM = 0
_AMBIGUOUS_NEGATIONS = frozenset(
    ("no", "non", "un", "con", "com", "met", "pas", "w", "w o", "wo", "plus", "avec", "mit", "with")
)
_ENDS_AFTER = ("gate", "filler", "copy", "dye", "marker")


@dataclass(frozen=True)
class Token:
    """A part at its place: 0 is the file's name, -1 the outermost folder, -2 the next; ``key`` is compared."""

    place: int
    part: Part

    @property
    def key(self) -> str:
        """What the token is compared by."""
        return self.part.key

    @property
    def slot(self) -> tuple[int, str]:
        """Place and key: what is the same in two files."""
        return self.place, self.part.key


@dataclass(frozen=True)
class Tokens:
    """The tokens of one file, by what they may be.

    ``kept`` may identify the sample; ``trailing`` are the numbers at the end of the file's name, after what names the
    tube; ``silent`` are the words that do neither.
    """

    kept: tuple[Token, ...]
    trailing: tuple[Token, ...]
    silent: tuple[Token, ...]


def tokens_of(levels: Sequence[Level], scene: Scene, *, all_words: bool) -> Tokens:
    """Return the tokens of a file. ``all_words``: every word of stimulation names the tube, also one that is not plain.

    Otherwise a word that is not plain stays where a plain one beside it names the tube already: it may be initials.
    """
    kept: list[Token] = []
    silent: list[Token] = []
    trailing: list[Token] = []
    for depth, level in enumerate(levels):
        place = _IN_STEM if depth == 0 else depth - len(levels)
        ends = _trailing(level.parts) if place == _IN_STEM else set()
        plain = any(part.role == "stimulation" and part.sure for part in level.parts)
        for at, part in enumerate(level.parts):
            token = Token(place, part)
            if at in ends:
                trailing.append(token)
            elif part.role in PERSON or part.role in CONTEXT:
                if not (part.role == "well" and part.meaning == "doubled"):
                    kept.append(token)
            elif part.role in SILENT:
                silent.append(token)
            elif part.role in ("negation", "with", "after"):
                if part.phrase in _AMBIGUOUS_NEGATIONS and not _turns(level.parts, at):
                    kept.append(token)
            elif (
                part.role == "stimulation" and plain and not (part.sure or all_words or part.phrase in scene.confirmed)
            ):
                kept.append(token)
    return Tokens(tuple(kept), tuple(trailing), tuple(silent))


def _turns(parts: Sequence[Part], at: int) -> bool:
    return any(part.role == "stimulation" for part in parts[at + 1 : at + 3])


def _trailing(parts: Sequence[Part]) -> set[int]:
    """Return the positions of the numbers at the end of a name, where something before them names the tube."""
    found = set()
    for at in range(len(parts) - 1, -1, -1):
        if parts[at].role == "number" and not parts[at].before:
            found.add(at)
        elif parts[at].role not in _ENDS_AFTER and not (parts[at].role == "well" and found == set()):
            break
    names_tube = ("stimulation", "reagent", "unclear", "filler", "specimen", "well")
    return {at for at in found if any(part.role in names_tube for part in parts[:at])} if found else found


def common(tokens: Iterable[Sequence[Token]]) -> Counter[tuple[int, str]]:
    """Return the tokens, with how often, that every file has at the same place."""
    counts = [Counter(token.slot for token in each) for each in tokens]
    if not counts:
        return Counter()
    least = counts[0].copy()
    for each in counts[1:]:
        least &= each
    return least


def without(tokens: Sequence[Token], left_out: Mapping[tuple[int, str], int]) -> tuple[Token, ...]:
    """Return tokens without those given, each left out as often as it is given."""
    still = Counter(left_out)
    kept = []
    for token in tokens:
        if still[token.slot] > 0:
            still[token.slot] -= 1
        else:
            kept.append(token)
    return tuple(kept)


def key_of(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return what files of one sample share: the keys of the tokens in their order, the file's first."""
    return tuple(token.key for token in sorted(tokens, key=lambda token: (token.place != _IN_STEM, token.place)))


def core_of(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return the key of what identifies the person alone, without date, run and specimen."""
    return key_of([token for token in tokens if token.part.role not in CONTEXT])


def spoken(key: Sequence[str]) -> str:
    """Return a key without what people write now so, now so: signs between its words and zeros before numbers."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", "".join(key))

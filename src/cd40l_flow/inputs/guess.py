"""What a file's name, its folders and its labels suggest of a tube: guesses for a draft, never for an analysis."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


def _word(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])", re.IGNORECASE)


# What is not stimulated comes first: its words hold those of what is.
STIMULATIONS = {
    "unstimulated": _word(r"(?:un|non?|not)[ _-]?stim(?:ulated|ulation)?|us|rest(?:ing)?|nil|medium|media"),
    "stimulated": _word(
        r"stim(?:ulated|ulation)?|pma(?:[ _+&-]*(?:iono?(?:mycin)?|i))?|iono(?:mycin)?|p[+&]i|activated"
    ),
}
# The second clone and the background reagents come first: their words may stand beside that of their target.
REAGENTS = {
    "CD154-2": _word(r"(?:cd154|cd40l)[ _-]?(?:(?:clone[ _-]?)?(?:2|b)\d?)|clone[ _-]?2|(?:second|2nd)[ _-]?clone"),
    "secondary": _word(r"sec(?:ond(?:ary)?)?(?:[ _-]?only)?|2nd(?:ary)?(?:[ _-]?only)?|gam|anti[ _-]?mouse"),
    "isotype": _word(r"iso(?:type)?|mou?igg\d?[abk]?|igg[1-4][abk]?|mopc"),
    "FMO": _word(r"fmo(?:[ _-]?[a-z0-9]+)?|minus[ _-]?one"),
    "CD40-Ig": _word(r"cd40[ _-]?(?:mu|hu|m|h)?[ _-]?(?:igg?|fc)\d?|cd40fc"),
    "CD154": _word(r"cd154|cd40[ _-]?l(?:g|igand)?"),
}
CONTROL = _word(r"(?:day|travel|healthy|normal)?[ _-]?(?:control|ctrl|ctl|donor)s?|healthy|hc|nc|hd")
# Words that number or place a tube and tell nothing of the sample.
_WELL = re.compile(r"[a-p](?:0?[1-9]|1\d|2[0-4])", re.IGNORECASE)
_EMPTY = _word(
    r"tubes?|wells?|plates?[ _-]?\d*|fcs|lmd|data|export(?:ed)?|compensated|unmixed|group|experiment|panel|pe|specimen"
)
_SPLIT = re.compile(r"[ _+&,;()\[\]#.]+")


@dataclass(frozen=True)
class Guess:
    """What one file suggests: empty texts are not known; ``doubts`` say what somebody must look at."""

    sample: str
    stimulation: str
    reagent: str
    control: bool
    doubts: tuple[str, ...]


def guess_tube(folders: Sequence[str], stem: str, labels: Sequence[str]) -> Guess:
    """Return what a file suggests, from the names of its folders, its own name, and its ``$PnS``.

    The file's own name counts more than its folders, and both more than the labels; where two of them disagree, or
    nothing is told, a doubt says so.
    """
    doubts: list[str] = []
    places = [stem, *reversed(folders)]
    stimulation = _first(STIMULATIONS, places)
    if not stimulation:
        doubts.append("stimulated or unstimulated? The name does not say")
    named, labelled = _first(REAGENTS, places), _label(labels)
    reagent = named or labelled
    if not reagent:
        doubts.append("which reagent? Neither name nor labels say")
    elif labelled and named not in ("", labelled) and not _compatible(named, labelled):
        doubts.append(f"the name says {named}, a label {labelled}")
    elif not named:
        doubts.append(f"{reagent} by its label only")
    sample, sure = _sample(folders, stem)
    if not sure:
        doubts.append("which sample? The name only numbers the tube")
    control = any(CONTROL.search(text) for text in (stem, *folders))
    return Guess(sample, stimulation, reagent, control, tuple(doubts))


def _first(words: dict[str, re.Pattern[str]], places: Sequence[str]) -> str:
    """Return what the nearest of the places says; underscores part words as blanks do."""
    for place in places:
        for meaning, pattern in words.items():
            if pattern.search(place.replace("_", " ")):
                return meaning
    return ""


def _label(labels: Sequence[str]) -> str:
    """Return the reagent that the labels name, empty where they name none or several."""
    found = {meaning for label in labels if (meaning := _first(REAGENTS, [label]))}
    return found.pop() if len(found) == 1 else ""


def _compatible(named: str, labelled: str) -> bool:
    """Tell whether a template's label may stand on this tube: one panel serves a target, its clones and background."""
    families = ({"CD154", "CD154-2", "isotype", "FMO"}, {"CD40-Ig", "secondary", "FMO"})
    return any({named, labelled} <= family for family in families)


def _sample(folders: Sequence[str], stem: str) -> tuple[str, bool]:
    """Return the name of a sample from what is left of a file's name, else of its folder, and whether it tells one."""
    unsure = ""
    for text in (stem, *reversed(folders)):
        words = _telling(text, counted=text is stem)
        name = re.sub(r"[^A-Za-z0-9._-]", "", "-".join(words)).strip("._-")
        if not name:
            continue
        # P01 is a sample where the rest of the name tells its tube, and a well where nothing else is told.
        told = any(_first(meanings, [text]) for meanings in (STIMULATIONS, REAGENTS))
        number = name.isdigit() and len(name) <= 3
        if not number and (told or not _WELL.fullmatch(name)):
            return name, True
        unsure = unsure or name
    return unsure or "sample", False


def _telling(text: str, *, counted: bool) -> list[str]:
    """Return the words of a name that may tell the sample; ``counted``: instruments add numbers at its end."""
    left = text.replace("_", " ")
    for pattern in (*STIMULATIONS.values(), *REAGENTS.values(), _EMPTY):
        left = pattern.sub(" | ", left)
    words = [word for word in _SPLIT.split(left) if word.strip("-")]
    if text.casefold().startswith("specimen"):
        # Specimen_001 is the same for a whole plate; what follows it is what somebody typed.
        words = [word for position, word in enumerate(words) if position != 1 or not word.isdigit()]
    named = [word for word in words if word != "|"]
    if counted and len(named) > 1:
        while len(named) > 1 and named[-1].isdigit() and words[-1] == named[-1]:
            words.pop()
            named.pop()
            if named[-1:] != words[-1:]:
                break
        others = [word for word in named if not _WELL.fullmatch(word)]
        named = others or named
        if named[0].isdigit():
            named = named[:1]
    return named

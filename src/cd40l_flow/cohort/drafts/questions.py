"""What must be asked of the samples of a draft: where two people may be one sample, or one of them two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cd40l_flow.cohort.drafts import slots
from cd40l_flow.cohort.drafts.identities import differing
from cd40l_flow.cohort.drafts.kinds import Kind
from cd40l_flow.cohort.drafts.people import File, Grouping, Sample, silent_words
from cd40l_flow.cohort.drafts.tokens import CONTEXT, spoken
from cd40l_flow.cohort.drafts.words import folded

_MOST_NAMED = 3


def ask(
    files: Mapping[str, File], grouping: Grouping, samples: Sequence[Sample], kinds: Mapping[str, Kind]
) -> dict[str, list[str]]:
    """Return path -> questions about the sample of each file, each naming what it may be otherwise."""
    found: dict[str, list[str]] = {path: [] for path in files}
    pairs = {path: (kind.stimulation, kind.reagent) for path, kind in kinds.items()}
    for sample in samples:
        _ask_one(sample, files, grouping, pairs, len({each.core for each in samples}), len(samples), found)
    _ask_silent(files, grouping, samples, pairs, found)
    parts = differing(
        [sample.files for sample in samples], {path: each.identity for path, each in files.items()}, pairs
    )
    for number, groups in parts.items():
        _ask(found, samples[number].files, f"one sample? The headers distinguish {_parted(groups)}")
    _ask_between(samples, pairs, found)
    for path, token in grouping.counted.items():
        _ask(found, [path], f"does '{token.part.text}' only count the files, or is it a person with this one tube?")
    for path, tokens in grouping.doubtful.items():
        texts = " ".join(token.part.text for token in tokens)
        found[path].append(f"is '{texts}' at the end of the name another person, or a replicate?")
    return found


def _ask(found: dict[str, list[str]], paths: Iterable[str], question: str) -> None:
    for path in paths:
        if question not in found[path]:
            found[path].append(question)


def _named(paths: Sequence[str]) -> str:
    shown = [repr(path) for path in paths[:_MOST_NAMED]]
    return ", ".join(shown) + (f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else "")


def _parted(groups: Sequence[Sequence[str]]) -> str:
    parts = [repr(group[0]) + (f" and {len(group) - 1} more" if len(group) > 1 else "") for group in groups[:2]]
    return " from ".join(parts)


def _ask_one(
    sample: Sample,
    files: Mapping[str, File],
    grouping: Grouping,
    pairs: Mapping[str, tuple[str, str]],
    people: int,
    contexts: int,
    found: dict[str, list[str]],
) -> None:
    """Ask of one sample: where no name identifies it, where a kind of tube is there twice, where its names differ."""
    header = any(token.part.role == "header" for token in grouping.tokens[sample.files[0]])
    specimen = any(token.part.role == "specimen" for token in grouping.tokens[sample.files[0]])
    if not sample.core and not (specimen and contexts > 1):
        _ask(found, sample.files, f"which sample? No part of the names shows it; {sample.read_from}")
    if header:
        _ask(found, sample.files, "which sample? The names do not show it; headers put these files together")
    common = [path for path in sample.files if path in grouping.common and not header]
    # A number, a well or a day that differs may be all that distinguishes two people whose names are one word.
    places = {_numbered(files[path]) for path in common}
    if common and (people > 1 or len(places) > 1):
        _ask(found, common, f"which sample? {sample.read_from} is in the names of all files")
    alone = [path for path in sample.files if _only_a_place(grouping, path)]
    _ask(found, alone, f"is {sample.read_from} the sample, or the well it was measured from?")
    spelled = {_spelling(grouping, path) for path in sample.files}
    if len(spelled) > 1:
        _ask(found, sample.files, f"one sample? Written {' and '.join(repr(text) for text in sorted(spelled)[:4])}")
    twice: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in sample.files:
        if all(pairs[path]):
            twice[pairs[path]].append(path)
    for (stimulation, reagent), paths in twice.items():
        marks = [tuple(part.phrase for part in files[path].levels[0].of("replicate")) for path in paths]
        if len(paths) > 1 and (() in marks or len(set(marks)) < len(marks)):
            words = (
                f"{len(paths)} tubes are {stimulation} {reagent}: replicates, repeats, or another person or reagent?"
            )
            _ask(found, paths, f"{words} {_named(paths)}")


def _numbered(file: File) -> tuple[str, ...]:
    """Return what of a file's names numbers it: numbers, wells, days."""
    return tuple(part.key for level in file.levels for part in level.of("number", "well", "date", "run"))


def _only_a_place(grouping: Grouping, path: str) -> bool:
    """Return whether a name has nothing but what may be a well, of a row and column that small plates have."""
    tokens = [token for token in grouping.tokens[path] if token.part.role not in CONTEXT]
    return len(tokens) == 1 and tokens[0].part.role == "well" and path in grouping.places


def _spelling(grouping: Grouping, path: str) -> str:
    return " ".join(token.part.text for token in grouping.tokens[path] if token.part.role not in CONTEXT)


def _ask_silent(
    files: Mapping[str, File],
    grouping: Grouping,
    samples: Sequence[Sample],
    pairs: Mapping[str, tuple[str, str]],
    found: dict[str, list[str]],
) -> None:
    """Ask where files of one sample differ in a word that was left out, unless it goes with the kind of tube."""
    words = {path: silent_words(grouping, path) for path in files}
    stains = {
        token.slot
        for tokens in grouping.silent.values()
        for token in tokens
        if token.part.role in ("dye", "marker", "duration")
    }
    settled: dict[tuple[int, str], bool] = {}
    for sample in samples:
        every = set().union(*(words[path] for path in sample.files))
        for word in sorted(word for word in every if any(word not in words[path] for path in sample.files)):
            if word not in settled:
                having = [path for path in files if word in words[path]]
                # Each kind seen once shows no rule; but dyes and markers differ from tube to tube of one person.
                settled[word] = slots.follows_kind(having, pairs) and (
                    len(having) > len({pairs[path] for path in having}) or word in stains
                )
            if not settled[word]:
                having = [path for path in sample.files if word in words[path]]
                others = [path for path in sample.files if word not in words[path]]
                _ask(
                    found,
                    sample.files,
                    f"one sample? '{word[1]}' is in {_parted([having])}, not in {_named(others)}",
                )


def _ask_between(samples: Sequence[Sample], pairs: Mapping[str, tuple[str, str]], found: dict[str, list[str]]) -> None:
    """Ask where two samples may be one: written nearly alike, or parts of a set that no two people would share."""
    near: dict[str, list[Sample]] = defaultdict(list)
    same: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.core:
            near[folded(spoken(sample.core))].append(sample)
            same[sample.core].append(sample)
    for group in near.values():
        exact = len({spoken(sample.core) for sample in group}) == 1
        for sample in group:
            # Names without their accents are often the same (Müller, Möller); so it counts as well what the sets hold.
            others = [
                other for other in group if other.core != sample.core and (exact or _complete(sample, other, pairs))
            ]
            if others:
                _ask(
                    found,
                    sample.files,
                    f"is {sample.name} one sample with {others[0].name}? The names are nearly the same",
                )
    for group in same.values():
        for sample in group:
            rest = [other for other in group if other is not sample and _complete(sample, other, pairs)]
            if rest:
                _ask(
                    found,
                    sample.files,
                    f"is {sample.name} one sample with {rest[0].name}? Together they have one set of tubes",
                )
    by_word: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        for word in {word for word in sample.core if len(word) > 1}:
            by_word[word].append(sample)
    for group in by_word.values():
        for sample in group:
            for other in group:
                if other.core != sample.core and sample.context == other.context and _complete(sample, other, pairs):
                    _ask(
                        found,
                        sample.files,
                        f"is {sample.name} one sample with {other.name}? Together they have one set of tubes",
                    )


def _complete(one: Sample, other: Sample, pairs: Mapping[str, tuple[str, str]]) -> bool:
    """Return whether two samples have no kind of tube in common, so that they might be one."""
    return not {pairs[path] for path in one.files} & {pairs[path] for path in other.files}

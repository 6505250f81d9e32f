"""Which files belong to one blood sample: those whose names agree in all that does not identify or number the tube."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cd40l_flow.cohort.drafts import slots
from cd40l_flow.cohort.drafts.ids import ascii_id, joined, unused
from cd40l_flow.cohort.drafts.kinds import Kind, Scene, kind_of
from cd40l_flow.cohort.drafts.names import Level, Part
from cd40l_flow.cohort.drafts.tokens import CONTEXT, SILENT, Token, common, core_of, key_of, tokens_of, without

# Roles of parts that may turn out to be words or numbers of tubes.
_VARYING = ("rest", "number", "stimulation", "negation", "with", "run")
# Of the people with a word of stimulation that is not plain, how many must have a plain one of the other kind too.
_ALTERNATING = 0.6


@dataclass(frozen=True)
class File:
    """A file to be drafted: its path in the folder, the levels of the path, the paths of its folders from the inside.

    ``labels`` is ``$PnN`` -> label, ``identity`` keyword -> digest of a value of the header that may identify a person.
    """

    path: str
    levels: tuple[Level, ...]
    folders: tuple[str, ...]
    labels: Mapping[str, str]
    identity: Mapping[str, str]


@dataclass(frozen=True)
class Grouping:
    """What every file's sample rests on: its tokens, words that identify the tube, and numbers that are not certain.

    ``counted`` are numbers and wells left out as counts of the files that may be people all the same.
    ``common`` are the files whose sample is named by what all files share, ``places`` those whose name, found once in
    its folder, may be the well they were measured from.
    """

    tokens: Mapping[str, tuple[Token, ...]]
    silent: Mapping[str, tuple[Token, ...]]
    doubtful: Mapping[str, tuple[Token, ...]]
    counted: Mapping[str, Token]
    common: frozenset[str]
    places: frozenset[str]

    def key(self, path: str) -> tuple[str, ...]:
        """Return what all files of the sample of this one share, and no other file."""
        return key_of(self.tokens[path])


@dataclass(frozen=True)
class Sample:
    """A sample of the draft: its name, its files, what identifies it (``core``), when (``context``), and from where."""

    name: str
    files: tuple[str, ...]
    core: tuple[str, ...]
    context: tuple[str, ...]
    read_from: str


def find_samples(files: Mapping[str, File], scene: Scene) -> tuple[Grouping, Scene]:
    """Return how files go together, and the scene with the words that the grouping confirms."""
    first = _group(files, _kinds(files, scene), scene, all_words=True)
    scene = replace(scene, confirmed=_confirmed(files, first, scene))
    return _group(files, _kinds(files, scene), scene, all_words=False), scene


def _kinds(files: Mapping[str, File], scene: Scene) -> dict[str, Kind]:
    return {path: kind_of(file.levels, file.folders, file.labels, scene, alone=True) for path, file in files.items()}


def _group(files: Mapping[str, File], kinds: Mapping[str, Kind], scene: Scene, *, all_words: bool) -> Grouping:
    read = {path: tokens_of(file.levels, scene, all_words=all_words) for path, file in files.items()}
    pairs = {path: (kind.stimulation, kind.reagent) for path, kind in kinds.items()}
    shared = common([each.kept for each in read.values()]) if len(files) > 1 else common([])
    kept = {path: without(each.kept, shared) for path, each in read.items()}
    if _keys(kept.values()) < _keys([each.kept for each in read.values()]):
        # What is in all names distinguishes people by its place: 1-2 and 2-1.
        shared = common([])
        kept = {path: each.kept for path, each in read.items()}
    trailing = {path: each.trailing for path, each in read.items()}
    # Wells and numbers may each hide that the other only counts: wells are looked for before and after.
    kept = _less(kept, slots.plate_wells(kept, _folder))
    numbers, doubtful = slots.numbers_kept(kept, trailing)
    kept = {path: (*kept[path], *numbers[path]) for path in files}
    whole = {path: (*tokens, *trailing[path]) for path, tokens in kept.items()}
    kept = _less(kept, slots.plate_wells(kept, _folder))
    kept, words = _without_words_of_tubes(kept, pairs)
    kept = _less(kept, slots.leading_counters(kept, pairs))
    counted = slots.perhaps_people(_counters(whole, kept), kept, pairs)
    bare = {path for path in files if not core_of(kept[path])}
    if bare and shared:
        # What all files share distinguishes nobody, but names those of whom nothing else is known.
        back = {path: [each for each in read[path].kept if shared[each.slot] and _identifies(each)] for path in files}
        kept = {path: _in_order((*back[path], *kept[path])) for path in files}
    kept = _by_header(files, kept)
    silent = {path: (*read[path].silent, *words[path]) for path in files}
    common_names = frozenset(path for path in bare if core_of(kept[path]))
    return Grouping(kept, silent, doubtful, counted, common_names, slots.possible_wells(kept, _folder))


def _counters(whole: Mapping[str, Sequence[Token]], kept: Mapping[str, Sequence[Token]]) -> dict[str, Token]:
    """Return file -> the first number or well of its name that is not among the tokens kept."""
    found = {}
    for path, tokens in whole.items():
        left = [token for token in tokens if token not in kept[path] and token.part.role in ("number", "well")]
        if left:
            found[path] = left[0]
    return found


def _less(kept: Mapping[str, tuple[Token, ...]], dropped: Mapping[str, Token]) -> dict[str, tuple[Token, ...]]:
    return {path: tuple(token for token in tokens if token is not dropped.get(path)) for path, tokens in kept.items()}


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _keys(tokens: Iterable[Sequence[Token]]) -> int:
    return len({key_of(each) for each in tokens})


def _identifies(token: Token) -> bool:
    return token.part.role not in CONTEXT


def _in_order(tokens: Sequence[Token]) -> tuple[Token, ...]:
    return tuple(sorted(dict.fromkeys(tokens), key=lambda token: (token.place != 0, token.place, token.part.start)))


def _without_words_of_tubes(
    kept: Mapping[str, tuple[Token, ...]], kinds: Mapping[str, tuple[str, str]]
) -> tuple[dict[str, tuple[Token, ...]], dict[str, tuple[Token, ...]]]:
    """Leave out words that no table knows but that vary with the kind of tube, in the tubes of several people."""
    files: dict[tuple[int, str], set[str]] = defaultdict(set)
    for path, tokens in kept.items():
        for token in tokens:
            if token.part.role in _VARYING:
                files[token.slot].add(path)
    followers = {slot for slot, having in files.items() if slots.follows_kind(having, kinds)}
    rests = {path: key_of([each for each in tokens if each.slot not in followers]) for path, tokens in kept.items()}
    if () in rests.values():
        return dict(kept), dict.fromkeys(kept, ())
    words = {slot for slot in followers if slots.crosses(files[slot], rests)}
    left = {path: tuple(each for each in tokens if each.slot not in words) for path, tokens in kept.items()}
    return left, {path: tuple(each for each in tokens if each.slot in words) for path, tokens in kept.items()}


def _by_header(files: Mapping[str, File], kept: Mapping[str, tuple[Token, ...]]) -> dict[str, tuple[Token, ...]]:
    """Keep files apart whose names identify no one but whose headers differ in a keyword that groups them."""
    result = dict(kept)
    bare = [
        path
        for path, tokens in kept.items()
        if not tokens or all(token.part.role in ("date", "run") for token in tokens)
    ]
    keywords = sorted({keyword for path in bare for keyword in files[path].identity})
    for keyword in keywords:
        values = [files[path].identity.get(keyword, "") for path in bare]
        if len(set(values)) < 2 or len(set(values)) > len(values) // 2:
            continue
        order = {value: number for number, value in enumerate(dict.fromkeys(values), 1)}
        for path, value in zip(bare, values, strict=True):
            part = Part("header", f"unnamed{order[value]}", 0, 0)
            result[path] = (*result[path], Token(0, part))
        break
    return result


def _confirmed(files: Mapping[str, File], grouping: Grouping, scene: Scene) -> frozenset[str]:
    """Return the words of stimulation, not plain by themselves, that alternate with plain ones in several people."""
    plain: dict[str, set[str]] = {}
    words: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, file in files.items():
        kind = kind_of(file.levels, file.folders, file.labels, scene, alone=True)
        asked = any("stimulated" in doubt for doubt in kind.doubts)
        plain[path] = {kind.stimulation} if kind.stimulation and not asked else set()
        own = file.levels[0].of("stimulation")
        if len(own) == 1 and not own[0].sure:
            words[own[0].phrase, own[0].meaning].append(path)
    opposite: dict[str, dict[tuple[str, ...], bool]] = {
        value: {grouping.key(path): True for path in files if plain[path] == {other}}
        for value, other in (("stimulated", "unstimulated"), ("unstimulated", "stimulated"))
    }
    found = set()
    for (phrase, value), paths in words.items():
        people = {grouping.key(path) for path in paths}
        both = people & set(opposite[value])
        if len(both) >= 2 and () not in people and len(both) >= _ALTERNATING * len(people):
            found.add(phrase)
    return frozenset(found)


def name_samples(files: Mapping[str, File], grouping: Grouping) -> list[Sample]:
    """Return the samples in the order of their names, each name in the letters of the sheet and used once."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in files:
        groups[grouping.key(path)].append(path)
    taken: set[str] = set()
    samples = []
    wishes = {
        key: [ascii_id(wish) for wish in _wishes(files[paths[0]], grouping.tokens[paths[0]])]
        for key, paths in groups.items()
    }
    counts: dict[str, int] = defaultdict(int)
    for wish in wishes.values():
        for each in {text.casefold() for text in wish}:
            counts[each] += 1
    for key, paths in sorted(groups.items()):
        # The first wish that no other sample has; the last one is the longest.
        own = [wish for wish in wishes[key] if wish] or ["sample"]
        name = next((wish for wish in own if counts[wish.casefold()] == 1 and wish.casefold() not in taken), own[-1])
        if name.casefold() in taken:
            name = next(unused(name, taken))
        taken.add(name.casefold())
        tokens = grouping.tokens[paths[0]]
        context = key_of([token for token in tokens if token.part.role in CONTEXT])
        samples.append(Sample(name, tuple(paths), core_of(tokens), context, _origin(files[paths[0]], tokens)))
    return sorted(samples, key=lambda sample: sample.name.casefold())


def _wishes(file: File, tokens: Sequence[Token]) -> list[str]:
    """Return texts that may name a sample, from the shortest that identifies it to the longest."""
    levels = _named_levels(file, [token for token in tokens if _identifies(token)])
    context = _named_levels(file, [token for token in tokens if not _identifies(token)])
    if not levels:
        return ["-".join(text for _, text in context)]
    texts = [text for _, text in levels]
    every = [*texts, *(text for _, text in context)]
    return ["-".join(every[:size]) for size in range(1, len(every) + 1)]


def _named_levels(file: File, tokens: Sequence[Token]) -> list[tuple[int, str]]:
    """Return place and text of what tokens say, the file's name first, then folders from the inside.

    A folder that only repeats this is left out.
    """
    found: list[tuple[int, str]] = []
    seen: set[str] = set()
    for depth, level in enumerate(file.levels):
        place = 0 if depth == 0 else depth - len(file.levels)
        parts = sorted((token.part for token in tokens if token.place == place), key=lambda part: part.start)
        new = [part for part in parts if part.key not in seen or part.role == "number" and place == 0]
        if new:
            found.append((place, joined(level.text, new)))
        seen |= {part.key for part in parts}
    return found


def _origin(file: File, tokens: Sequence[Token]) -> str:
    """Return where a sample's name was read, in words: the text and its place."""
    if any(token.part.role == "header" for token in tokens):
        return "the headers alone"
    levels = _named_levels(file, [token for token in tokens if _identifies(token)]) or _named_levels(file, tokens)
    words = [f"'{text}' in {'the file name' if place == 0 else 'a folder'}" for place, text in levels[:2]]
    return ", ".join(words) or "no name shows it"


def silent_words(grouping: Grouping, path: str) -> set[tuple[int, str]]:
    """Return what part of a file's names identifies neither sample nor tube."""
    return {token.slot for token in grouping.silent[path] if token.part.role in SILENT}

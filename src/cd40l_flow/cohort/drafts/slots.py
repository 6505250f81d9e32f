"""Which parts of the names only number or place the tube: seen by how they vary over the whole folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

from cd40l_flow.cohort.drafts.names import well
from cd40l_flow.cohort.drafts.tokens import CONTEXT, Token, key_of

# A folder looks like a plate where so many of the places between its first and last row and column are taken.
_LEAST_FILLED = 0.5
_LEAST_WELLS = 6
_MOST_REPLICATES = 3
_WHOLE_SET = 3  # kinds of tube: what several people with one tube each would hardly make together, each in turn
_SMALL, _LARGE = (8, 12), (16, 24)

COUNTER, SAME, CROSSING = "counter", "same", "crossing"


def course(values: Mapping[str, Hashable], rests: Mapping[str, Hashable]) -> str:
    """Return how a value varies among the files (keys) whose rest is equal.

    ``counter``: it is never twice the same; ``same``: it never differs, or no rest is shared; ``crossing``: both are
    seen, so that it splits the files of a rest into groups.
    """
    groups: dict[Hashable, list[Hashable]] = defaultdict(list)
    for file, rest in rests.items():
        groups[rest].append(values[file])
    several = [each for each in groups.values() if len(each) > 1]
    distinct = sum(len(set(each)) == len(each) for each in several)
    same = sum(len(set(each)) == 1 for each in several)
    if several and distinct == len(several):
        return COUNTER
    return SAME if same == len(several) else CROSSING


def numbers_kept(
    files: Mapping[str, Sequence[Token]], trailing: Mapping[str, Sequence[Token]]
) -> tuple[dict[str, list[Token]], dict[str, tuple[Token, ...]]]:
    """Return which of the numbers at the ends of names distinguish samples, and those of which that is not certain.

    ``files`` are the other tokens. A number that differs in every file of a rest only counts them. One that returns
    counts people, or replicates: where the rest identifies no one, or counts higher than replicates do, it is people.
    """
    kept: dict[str, list[Token]] = {file: [] for file in files}
    doubtful: dict[str, tuple[Token, ...]] = {}
    for slot in range(max((len(each) for each in trailing.values()), default=0)):
        values = {file: trailing[file][slot].key if len(trailing[file]) > slot else "" for file in files}
        rests = {file: (key_of(files[file]), key_of(kept[file])) for file in files}
        found = course(values, rests)
        if found == COUNTER:
            continue
        for file in files:
            if len(trailing[file]) > slot:
                kept[file].append(trailing[file][slot])
                if found == CROSSING:
                    doubtful[file] = (*doubtful.get(file, ()), trailing[file][slot])
    samples = len({key_of(tokens) for tokens in files.values()})
    counts = len({key_of(tokens) for tokens in kept.values()})
    return kept, {} if samples == 1 and counts > _MOST_REPLICATES else doubtful


def leading_counters(files: Mapping[str, Sequence[Token]], kinds: Mapping[str, tuple[str, str]]) -> dict[str, Token]:
    """Return file -> the first number of its name, where that counts the files: it differs in all and identifies none.

    It identifies nothing where the rest of the names makes samples that have no kind of tube twice.
    """
    found = {}
    for file, tokens in files.items():
        numbers = [token for token in tokens if token.place == 0 and token.part.role == "number"]
        if numbers and numbers[0] is next(token for token in tokens if token.place == 0 and token.part.role != "date"):
            found[file] = numbers[0]
    if len(found) < len(files) or len({token.key for token in found.values()}) < len(found):
        return {}
    rests = {file: key_of([each for each in files[file] if each is not token]) for file, token in found.items()}
    tubes = [(rest, kinds[file]) for file, rest in rests.items()]
    if len(set(rests.values())) < 2 or () in rests.values() or len(set(tubes)) < len(tubes):
        return {}
    return found if course({file: token.key for file, token in found.items()}, rests) == COUNTER else {}


def perhaps_people(
    counters: Mapping[str, Token], files: Mapping[str, Sequence[Token]], kinds: Mapping[str, tuple[str, str]]
) -> dict[str, Token]:
    """Return those numbers and wells that were left out as counts of the files and may be people all the same.

    ``files`` are the tokens that are left. Letters alone may be the initials of an operator, under whom each number is
    a person with one tube; where the tubes under each make a whole set, chance hardly explains that.
    """
    if len({token.key for token in counters.values()}) < len(files):
        return {}
    tubes: dict[tuple[str, ...], set[tuple[str, str]]] = defaultdict(set)
    for file, tokens in files.items():
        tubes[key_of(tokens)].add(kinds[file])
    if min(map(len, tubes.values())) >= _WHOLE_SET:
        return {}
    return {file: token for file, token in counters.items() if _initials(files[file])}


def _initials(tokens: Sequence[Token]) -> bool:
    names = [token for token in tokens if token.part.role not in CONTEXT]
    return bool(names) and all(token.part.role == "rest" and token.key.isalpha() for token in names)


def plate_wells(files: Mapping[str, Sequence[Token]], folder: Callable[[str], str]) -> dict[str, Token]:
    """Return file -> the token that is a well of a plate; empty unless the whole folder looks like plates.

    That is: the last such name in each file, or the first, is found once in its folder, fills a grid, and the rest of
    the names identifies more than one sample, among whose files it never returns.
    """
    return _wells_at(-1, files, folder) or _wells_at(0, files, folder)


def _wells_at(at: int, files: Mapping[str, Sequence[Token]], folder: Callable[[str], str]) -> dict[str, Token]:
    found = {
        file: wells[at]
        for file, tokens in files.items()
        if (wells := [token for token in tokens if token.place == 0 and token.part.role == "well"])
    }
    places = [(folder(file), token.key) for file, token in found.items()]
    if len(found) < _LEAST_WELLS or len(set(places)) < len(places) or not _grid([key for _, key in places]):
        return {}
    rests = {file: key_of([each for each in files[file] if each is not token]) for file, token in found.items()}
    values = {file: (folder(file), token.key) for file, token in found.items()}
    if len(set(rests.values())) < 2 or () in rests.values() or course(values, rests) != COUNTER:
        return {}
    return found


def possible_wells(files: Mapping[str, Sequence[Token]], folder: Callable[[str], str]) -> frozenset[str]:
    """Return the files whose name has something that may be a well of a plate, found in no other file of its folder.

    Such names also number people (C01, D1): it only may be one.
    """
    seen: dict[tuple[str, str], list[str]] = defaultdict(list)
    for file, tokens in files.items():
        for token in tokens:
            if token.place == 0 and token.part.role == "well" and _grid_row(token.key):
                seen[folder(file), token.key].append(file)
    return frozenset(each[0] for each in seen.values() if len(each) == 1)


def _grid_row(text: str) -> bool:
    place = well(text)
    return place is not None and ord(place[0]) - ord("a") < _SMALL[0] and place[1] <= _SMALL[1]


def _grid(texts: Sequence[str]) -> bool:
    """Return whether names fill a good part of the rows and columns of a plate between the first and the last."""
    wells = {place for text in texts if (place := well(text))}
    rows, columns = {ord(row) - ord("a") for row, _ in wells}, {column for _, column in wells}
    most_rows, most_columns = _SMALL if len(wells) <= _SMALL[0] * _SMALL[1] else _LARGE
    if not wells or max(rows) >= most_rows or max(columns) > most_columns:
        return False
    box = (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1)
    return len(wells) >= _LEAST_WELLS and len(wells) >= _LEAST_FILLED * box


def follows_kind(having: Collection[str], kinds: Mapping[str, tuple[str, str]]) -> bool:
    """Return whether something is there in all files of some kinds of tube and in none of the others.

    ``having`` are the files with it, ``kinds`` file -> (stimulation, reagent).
    """
    theirs = {kinds[file] for file in having}
    return len(theirs) < len(set(kinds.values())) and sum(kind in theirs for kind in kinds.values()) == len(having)


def crosses(having: Collection[str], rests: Mapping[str, Hashable]) -> bool:
    """Return whether at least two rests have files with and files without it: it varies within people."""
    seen: dict[Hashable, set[bool]] = defaultdict(set)
    for file, rest in rests.items():
        seen[rest].add(file in having)
    return sum(len(each) == 2 for each in seen.values()) >= 2

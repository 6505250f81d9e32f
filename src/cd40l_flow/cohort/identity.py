"""The same data under two names: the sheet is wrong for one of the two tubes."""

from __future__ import annotations

import hashlib
import stat
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from cd40l_flow.base.errors import Problem, TubeError
from cd40l_flow.base.model import Sample, Tube

MOST_REPEATS = 5  # of the same data that a message names
_PROBE = 1 << 16
_BLOCK = 1 << 12
_REMEDY = "Put the right file in the place of the wrong one."


def copies(paths: Iterable[str]) -> list[list[str]]:
    """Return groups of files that are byte for byte the same, each sorted; every file is looked at, few are read.

    Only files of one size whose middle and end agree are read as a whole, so that a plan of many thousand files stays
    fast. A copy that was written anew with another header is found by ``repeated_data``. What cannot be read is no copy
    of anything; that is reported where it is opened.
    """
    sizes: dict[int, list[str]] = defaultdict(list)
    for path in sorted(set(paths)):
        if size := _size(path):
            sizes[size].append(path)
    alike: dict[bytes, list[str]] = defaultdict(list)
    for size, group in sizes.items():
        for path in group if len(group) > 1 else ():
            with suppress(OSError), Path(path).open("rb") as file:
                blocks = []
                for start in (size // 2, max(size - _BLOCK, 0)):
                    file.seek(start)
                    blocks.append(file.read(_BLOCK))
                alike[b"".join((size.to_bytes(8, "big"), *blocks))].append(path)
    same: dict[bytes, list[str]] = defaultdict(list)
    for group in alike.values():
        for path in group if len(group) > 1 else ():
            with suppress(OSError), Path(path).open("rb") as file:
                same[hashlib.file_digest(file, "sha256").digest()].append(path)
    return [group for group in same.values() if len(group) > 1]


def _size(path: str) -> int:
    """Return the size of a file, bytes; 0 when it is not known, or is no file."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def repeated_data(
    samples: Mapping[str, Sample], controls: Mapping[str, Collection[str]], refused: Collection[tuple[str, str]] = ()
) -> list[Problem]:
    """Return a problem for every tube whose DATA segment another file of the sheets has too, in the order of samples.

    ``controls`` are the samples each one is measured with, whose tubes must not be its own; of any other sample's tube
    only a warning is given, for results do not depend on it. One path named twice, and plain copies, are found in the
    sheet: their tubes, (sample, fcs), are ``refused`` already. Only files that look alike are read as a whole; files
    that cannot be read are left out.
    """
    from cd40l_flow.fcs.reader import open_recording

    alike: dict[tuple[int, bytes], list[tuple[str, Tube]]] = defaultdict(list)
    for name, sample in samples.items():
        for tube in sample.tubes:
            if (name, tube.fcs) in refused:
                continue
            try:
                segment = open_recording(tube.path, tube.fcs).segment
            except TubeError:
                continue
            probe = hashlib.sha256(bytes(segment[:_PROBE]) + bytes(segment[-_PROBE:])).digest()
            alike[len(segment), probe].append((name, tube))
    same: dict[str, list[tuple[str, Tube]]] = defaultdict(list)
    for group in alike.values():
        if len({tube.path for _, tube in group}) > 1:
            for name, tube in group:
                same[open_recording(tube.path, tube.fcs).digest()].append((name, tube))
    found = {}
    for group in same.values():
        paths: dict[str, set[str]] = defaultdict(set)
        for name, tube in group:
            paths[name].add(tube.path)
        for name, tube in group:
            others = ((owner, other) for owner, other in group if other.path != tube.path)
            words = [f"{other.fcs} of {owner}" for owner, other in islice(others, MOST_REPEATS + 1)]
            if words:
                # A few of them: of a thousand tubes of the same data, each would name all the others.
                shown = [*words[:MOST_REPEATS], *(["others"] if len(words) > MOST_REPEATS else [])]
                message = f"holds the same data as {', '.join(shown)}."
                costs = any(paths.get(owner, set()) - {tube.path} for owner in {name, *controls.get(name, ())})
                severity = "sample" if costs else "warning"
                problem = Problem("FILE_INTEGRITY", severity, message, file=tube.fcs, sample=name, remedy=_REMEDY)
                found[name, tube] = problem
    return [found[name, tube] for name, sample in samples.items() for tube in sample.tubes if (name, tube) in found]

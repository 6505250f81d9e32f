"""The same data under two names: one of the two tubes is not what the sheet says (P7 of the assay brief)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping

from cd40l_flow.errors import Problem, TubeError
from cd40l_flow.inputs.fcs import open_recording
from cd40l_flow.inputs.model import Sample, Tube

_PROBE = 1 << 16
_REMEDY = "Put the right file in the place of the wrong one."


def repeated_data(samples: Mapping[str, Sample], controls: Mapping[str, Collection[str]]) -> list[Problem]:
    """Return a problem for every tube whose DATA segment another file of the sheets has too, in the order of samples.

    ``controls`` are the samples each one is measured with, whose tubes cost it its own; of any other sample's tube only
    a warning is given, for results do not depend on it. One path named twice is the sheet's matter, not this one's.
    Only files that look alike are read as a whole; files that cannot be read are left out.
    """
    alike: dict[tuple[int, bytes], list[tuple[str, Tube]]] = defaultdict(list)
    for name, sample in samples.items():
        for tube in sample.tubes:
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
        for name, tube in group:
            others = [(owner, other) for owner, other in group if other.path != tube.path]
            if others:
                message = f"holds the same data as {', '.join(f'{other.fcs} of {owner}' for owner, other in others)}."
                owners = {owner for owner, _ in others}
                severity = "sample" if owners & {name, *controls.get(name, ())} else "warning"
                problem = Problem("FILE_INTEGRITY", severity, message, file=tube.fcs, sample=name, remedy=_REMEDY)
                found[name, tube] = problem
    return [found[name, tube] for name, sample in samples.items() for tube in sample.tubes if (name, tube) in found]

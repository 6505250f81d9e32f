"""Whether results are of the very files that lie there now, by every byte of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cd40l_flow.errors import Problem, RecordError, TubeError
from cd40l_flow.inputs.fcs import open_recording
from cd40l_flow.inputs.model import Sample, Tube
from cd40l_flow.inputs.probe import content_digest
from cd40l_flow.outputs.record import read_record

CODE = "CONTENT"


def tube_digest(tube: Tube) -> str | None:
    """Return the digest over every byte of a tube's file as ``inputs.files`` of a result has it; None without one."""
    try:
        recording = open_recording(tube.path, tube.fcs)
    except TubeError:
        return content_digest(tube.path)
    layout = recording.layout
    return content_digest(tube.path, (layout.start, layout.size, recording.digest()))


def changed_contents(samples: Mapping[str, Sample], folder: Path) -> list[Problem]:
    """Return a problem for every file of which a result in the folder of samples is not made any more.

    Also a change that keeps size and probe is seen. Samples without a result that can be read have nothing to compare.
    """
    problems = []
    for name, sample in samples.items():
        path = folder / name / "result.json"
        try:
            held = (read_record(path).get("inputs") or {}).get("files") or {}
        except (RecordError, OSError):
            continue
        for tube in sample.tubes:
            if tube.fcs not in held or held[tube.fcs] == tube_digest(tube):
                continue
            message = f"is not the file that {path} was made of."
            remedy = f"See which one is right, remove {path.parent} and run the workflow again."
            problems.append(Problem(CODE, "sample", message, file=tube.fcs, sample=name, remedy=remedy))
    return problems

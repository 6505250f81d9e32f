"""What a result was made of, by content, and whether the files are still the same, by every byte of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cd40l_flow.base.errors import Problem, RecordError, TubeError
from cd40l_flow.base.model import Sample, Tube
from cd40l_flow.cohort.job import PlannedJob
from cd40l_flow.fcs.probe import content_digest
from cd40l_flow.fcs.reader import data_segment, open_recording
from cd40l_flow.result.making.failed import is_failed
from cd40l_flow.result.record import read_record
from cd40l_flow.result.types.result import Inputs, Result

CODE = "CONTENT"
# The state recorded for a control whose analysis failed: its inputs may be the same the next time, and its result
# another.
FAILED = "failed"


def made_from(planned: PlannedJob, result: Result, controls: Iterable[Result] = ()) -> Inputs:
    """Return the ``inputs`` of a result: digests of its job, of every byte of its own files, and of its controls' jobs.

    A control's result depends on nothing but its job, so the job's digest represents it. What was read is not read
    again.
    """
    digests = {row.fcs: row.digest for row in result.tubes}
    files = {}
    for tube in planned.job.sample.tubes:
        segment = None
        if digest := digests[tube.fcs]:
            segment = *data_segment(tube.path, tube.fcs), digest
        files[tube.fcs] = content_digest(tube.path, segment)
    theirs = {one.sample: state_of(one) for one in controls}
    return Inputs(job=planned.digest, files=files, controls=theirs)


def state_of(result: Result) -> str:
    """Return the state recorded for a control's result in results that rest on it."""
    return FAILED if is_failed(result) else result.inputs.job


def tube_digest(tube: Tube) -> str | None:
    """Return the digest over every byte of a tube's file as ``inputs.files`` of a result has it; None without one."""
    try:
        recording = open_recording(tube.path, tube.fcs)
    except TubeError:
        return content_digest(tube.path)
    layout = recording.layout
    return content_digest(tube.path, (layout.start, layout.size, recording.digest()))


def changed_contents(samples: Mapping[str, Sample], folder: Path) -> list[Problem]:
    """Return a problem for every file that has changed since a result in the folder of samples was made from it.

    Also a change that keeps size and probe is seen. Samples without a result that can be read have nothing to compare.
    """
    problems = []
    for name, sample in samples.items():
        path = folder / name / "result.json"
        try:
            held = read_record(path).inputs.files
        except (RecordError, OSError):
            continue
        for tube in sample.tubes:
            if tube.fcs not in held or held[tube.fcs] == tube_digest(tube):
                continue
            message = f"is not the file that {path} was made from."
            remedy = f"See which one is right, remove {path.parent} and run the workflow again."
            problems.append(Problem(CODE, "sample", message, file=tube.fcs, sample=name, remedy=remedy))
    return problems

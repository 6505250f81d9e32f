"""A step of the workflow on one sample; on failure it leaves a failed result for this sample alone."""

from __future__ import annotations

import re
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from cd40l_flow.assay.lookup import assay_named, using
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.model import Arrays
from cd40l_flow.cohort.job import PlannedJob
from cd40l_flow.cohort.settings import Job
from cd40l_flow.fcs.probe import identity, probe
from cd40l_flow.result.made_from import made_from
from cd40l_flow.result.making.failed import failed_result, no_densities, note_failure
from cd40l_flow.result.record import read_record
from cd40l_flow.result.types.result import Result

LONGEST = 300  # characters of an exception's words
KILLED = 128  # offset of a shell's exit code for a process ended by a signal


class ChangedFileError(Cd40lFlowError):
    """A file is not the one that the run was planned with, or changed while it was read."""


class NoControlError(Cd40lFlowError):
    """The result of a control cannot be used."""


@dataclass(frozen=True)
class Outputs:
    """Where the outputs of an analysis go; gates (Gating-ML, workspace) and measures may be left out."""

    result: Path
    densities: Path
    gates: tuple[Path, Path] | None = None
    measures: Path | None = None

    @classmethod
    def of(cls, folder: Path) -> Outputs:
        """Return the usual places in the folder of a sample."""
        gates = folder / "gates.gatingml.xml", folder / "gates.wsp"
        return cls(folder / "result.json", folder / "densities.npz", gates, folder / "measures.tsv")


def analyse_step(planned: PlannedJob, controls: Sequence[Path], outputs: Outputs) -> Result:
    """Analyse one sample, write its outputs and return its result.

    ``controls`` are the results of its controls. Raises ChangedFileError where a file is not the one that was planned
    with, before or after it was read, and NoControlError where the result of a control cannot be used.
    """
    before = _looked_at(planned)
    theirs = {}
    for path in controls:
        try:
            result = read_record(path)
        except (Cd40lFlowError, OSError) as error:
            raise NoControlError(f"the result of a control cannot be used: {error}") from error
        theirs[str(result.sample)] = result
    if missing := sorted(set(planned.job.controls) - set(theirs)) if planned.job.sample.role == "test" else []:
        raise NoControlError(f"the results of its controls are not there: {', '.join(missing)}.")
    result, arrays = analyse_sample(planned.job, theirs)
    result = replace(result, inputs=made_from(planned, result, theirs.values()))
    if _looked_at(planned) != before:
        raise ChangedFileError("a file was written to or replaced while it was read.")
    _write(result, arrays, planned, outputs)
    return result


def analyse_sample(job: Job, controls: Mapping[str, Result]) -> tuple[Result, Arrays]:
    """Return the result of one sample of any assay and the arrays of its figures; ``controls`` as in `analyse`."""
    with using(assay_named(job.sample.assay)):
        if job.sample.assay == "cd40l":
            from cd40l_flow.analyse import analyse

            return analyse(job, controls)
        from cd40l_flow.analyse_b_cells import analyse_b_cells

        return analyse_b_cells(job, controls)


def fail_analysis(planned: PlannedJob, outputs: Outputs, why: str) -> Result:
    """Write the outputs of a sample whose analysis failed, note the failure, and return the result."""
    result = failed_result(planned, why)
    # First of all, so that the next run tries again whatever becomes of the rest.
    note_failure(outputs.result.parent, "analyse", why)
    _write(result, no_densities(), planned, outputs)
    return result


def words_of(error: BaseException, job: PlannedJob | None) -> str:
    """Return an exception's class and words, without what may have come out of a file.

    The words of our own errors are made for it. Of others, text in quotes and every value of a keyword in the
    sample's files, is left out: an exception may quote whatever it choked on.
    """
    kind = type(error).__name__
    if isinstance(error, Cd40lFlowError):
        words = str(error)
    elif isinstance(error, OSError):
        words = error.strerror or ""
    else:
        words = masked(str(error), job)
    words = " ".join(words.split())
    words = f"{words[:LONGEST]}…" if len(words) > LONGEST else words
    return f"{kind}: {words}" if words else kind


def masked(text: str, job: PlannedJob | None) -> str:
    """Return text without what is in quotes and without the values of keywords in the files of a job."""
    for value in _keyword_values(job) if job is not None else ():
        text = text.replace(value, "…")
    return re.sub(r"(\"|')(?:\\.|(?!\1).)*(\1|$)", "'…'", text, flags=re.DOTALL)


def print_traceback(error: BaseException, job: PlannedJob | None) -> None:
    """Print where an exception came from, for the log, with its words as `words_of` gives them."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    print(f"Traceback (most recent call last):\n{frames}{words_of(error, job)}", file=sys.stderr)


def ended(code: int, log: str) -> str:
    """Return why a step that ended with this exit code, as a shell has it, left nothing."""
    if code > KILLED:
        try:
            name = signal.Signals(code - KILLED).name
        except ValueError:
            name = str(code - KILLED)
        memory = ", perhaps for want of memory" if name == "SIGKILL" else ""
        return f"the step was killed ({name}{memory}); see {log}."
    return f"the step ended with exit code {code}; see {log}."


def _looked_at(planned: PlannedJob) -> dict[str, tuple[int, ...] | None]:
    """Return what shows whether a file was touched; raises ChangedFileError where one is not as it was planned."""
    names = {tube.path: tube.fcs for sample in (planned.job.sample, *planned.job.run_controls) for tube in sample.tubes}
    seen = {path: identity(path) for path in planned.probes}
    changed = [names.get(path, Path(path).name) for path, was in planned.probes.items() if probe(path) != was]
    if changed:
        raise ChangedFileError(f"files changed since the run was planned: {', '.join(sorted(changed))}.")
    return seen


def _write(result: Result, arrays: Arrays, planned: PlannedJob, outputs: Outputs) -> None:
    from cd40l_flow.figures.densities import write_densities
    from cd40l_flow.result.record import write_record

    result = replace(result, densities=write_densities(arrays, outputs.densities))
    if outputs.gates is not None:
        from cd40l_flow.interop.gate_files import write_gates

        with using(assay_named(result.assay)):
            write_gates(result, planned.job, *outputs.gates)
    if outputs.measures is not None:
        from cd40l_flow.result.measures_table import write_measures

        write_measures(result, outputs.measures)
    # The result comes last: where it lies, everything else does.
    write_record(result, outputs.result)


def _keyword_values(job: PlannedJob) -> list[str]:
    """Return the values of all keywords in a job's files, the longest first; of what cannot be read nothing."""
    from cd40l_flow.fcs.reader import open_recording

    values: set[str] = set()
    for path in job.probes:
        try:
            values |= set(open_recording(path).text.keywords.values())
        except Exception:  # noqa: BLE001  whatever is wrong with a file, a failure must be reported
            continue
    return sorted((value for value in values if len(value) > 2 and not value.isdigit()), key=len, reverse=True)

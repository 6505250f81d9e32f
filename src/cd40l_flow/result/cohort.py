"""The state of every sample of a sheet: its result where that belongs to the present inputs, else one that states why
not.

A result that is truncated, of another sample or of other inputs gives a row without a call.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cd40l_flow.base.errors import Cd40lFlowError, RecordError
from cd40l_flow.cohort.job import PlannedJob, job_path, read_job
from cd40l_flow.result.made_from import state_of
from cd40l_flow.result.making.failed import failed_result
from cd40l_flow.result.record import read_record
from cd40l_flow.result.reviews.state import digest_of
from cd40l_flow.result.types.result import Result

SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Entry:
    """One sample: its result, where it lies and its digest; both None where ``result`` is only a substitute.

    ``fault`` says what is wrong with what lies there, empty where nothing is.
    """

    sample: str
    result: Result
    path: Path | None
    digest: str
    fault: str = ""

    def report(self, folder: Path) -> str | None:
        """Return the report, relative to a folder, where there is one of exactly this result."""
        if self.path is None:
            return None
        page = self.path.with_name("report.html")
        try:
            shown = self.digest.encode() in page.read_bytes()
        except OSError:
            return None
        return Path(os.path.relpath(page, folder)).as_posix() if shown else None


class Cohort:
    """The samples of a sheet and what there is of each, read one at a time."""

    def __init__(self, samples: Iterable[str], results: Path, jobs: Path | None) -> None:
        self.samples = sorted(samples)
        self.results = results
        self._jobs = jobs
        self._states: dict[str, str] = {}

    def path(self, sample: str) -> Path:
        """Return where the result of a sample lies."""
        return self.results / "samples" / sample / "result.json"

    def entries(self) -> Iterator[Entry]:
        """Yield every sample, in the order of their names."""
        for sample in self.samples:
            yield self.entry(sample)

    def entry(self, sample: str) -> Entry:
        """Return one sample; raises Cd40lFlowError where there is no job to identify it."""
        planned = self.planned(sample)
        path = self.path(sample)
        result, fault = self._found(sample, planned)
        if result is not None:
            return Entry(sample, result, path, digest_of(path))
        if planned is None:
            raise Cd40lFlowError(f"{path}: {sample}: {fault} Run the workflow again.")
        return Entry(sample, failed_result(planned, fault), None, "", fault)

    def fault(self, sample: str, planned: PlannedJob | None) -> str:
        """Return why what lies there is not the present result of a sample; empty where it is.

        ``planned`` is its job, None where that is not known.
        """
        return self._found(sample, planned)[1]

    def _found(self, sample: str, planned: PlannedJob | None) -> tuple[Result | None, str]:
        """Return the present result of a sample, or None and why what lies there is not."""
        if not self.path(sample).exists():
            fault = "it has no result: its analysis was not begun, or its result was taken away; the next run does it."
            return None, fault
        try:
            result = read_record(self.path(sample), sample=sample)
        except RecordError as error:
            return None, f"it has no result that can be used: {error.found}"
        if planned is None:
            return result, ""
        if result.inputs.job != planned.digest:
            return None, (
                "its result was made from other files, rows of the sheets, settings or version than the present ones."
            )
        changed = [name for name, was in result.inputs.controls.items() if self._state(name) != was]
        if changed:
            names = ", ".join(sorted(changed))
            return None, f"its result rests on results of controls that are no longer there ({names})."
        return result, ""

    def planned(self, sample: str) -> PlannedJob | None:
        """Return the job of a sample, None where jobs are not known."""
        return None if self._jobs is None else read_job(job_path(sample, self._jobs))

    def supersede(self, faulty: Iterable[str] = ()) -> list[Path]:
        """Move away what belongs to no sample of the sheet, or to ``faulty`` samples; return where it went."""
        folder = self.results / "samples"
        there = sorted(folder.iterdir()) if folder.is_dir() else []
        stale = [path for path in there if path.is_dir() and path.name not in set(self.samples)]
        stale += [self.path(sample).parent for sample in faulty if self.path(sample).parent.is_dir()]
        return [self.move(path) for path in stale]

    def move(self, path: Path) -> Path:
        """Move the folder of a sample to the superseded ones; return where it went."""
        target = self.results / SUPERSEDED / path.name
        number = 2
        while target.exists():
            target = target.with_name(f"{path.name}.{number}")
            number += 1
        target.parent.mkdir(parents=True, exist_ok=True)
        return path.rename(target)

    def _state(self, sample: str) -> str:
        if sample not in self._states:
            try:
                self._states[sample] = state_of(read_record(self.path(sample), sample=sample))
            except RecordError:
                self._states[sample] = ""
        return self._states[sample]


def named_entries(paths: Sequence[Path]) -> list[Entry]:
    """Return the entries of results that are named one by one; raises Cd40lFlowError for one that cannot be used."""
    return [Entry(path.parent.name, read_record(path), path, digest_of(path)) for path in paths]

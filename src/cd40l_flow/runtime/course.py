"""The course of a run: what was planned, when it began, what it has done, and what is recorded at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cd40l_flow.cohort.job import JOBS
from cd40l_flow.cohort.plan import Plan
from cd40l_flow.result.cohort import Cohort
from cd40l_flow.result.runs.record import RUN_FILE, Course, configuration_digests, made_run, write_run
from cd40l_flow.result.runs.tally import MARK, Tally, last_lines
from cd40l_flow.runtime.notify import notify
from cd40l_flow.runtime.progress import Progress, stage_of
from cd40l_flow.steps import words_of

RESULTS = Path("results")
INDEX = RESULTS / "index.html"
NO_INDEX = "none is of this run: the outputs of the cohort were not asked for, or could not be made"


@dataclass
class _Noted:
    """The run of this process: its plan, and digests of sheets and configuration as they were read."""

    plan: Plan | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.monotonic)
    progress: Progress | None = None


_noted = _Noted()


def note_plan(plan: Plan) -> None:
    """Keep the plan of the run that this process may begin, and the digests of what it was made from."""
    global _noted
    _noted = _Noted(plan, configuration_digests(plan.config))


def begin(workflow: Any, logger: Any) -> None:
    """Report every step that ends from now on; the record of the former run goes, if this one will write its own."""
    _noted.started, _noted.clock = time.time(), time.monotonic()
    samples = _noted.plan.samples if _noted.plan else {}

    def run_of(sample: str) -> str:
        return samples[sample].run if sample in samples else ""

    _noted.progress = Progress(logger, workflow.dag.needrun_jobs(), run_of)
    logger.addHandler(_noted.progress)
    if _is_whole(list(workflow.dag.jobs)):
        (RESULTS / RUN_FILE).unlink(missing_ok=True)


def close(jobs: Sequence[Any], logger: Any, failed: Sequence[str], unbegun: Sequence[str], *, complete: bool) -> None:
    """Print calls by kind, failures and where the index is; write the record of a run of the whole cohort; notify.

    ``failed`` and ``unbegun`` are samples, ``complete`` whether all jobs of Snakemake succeeded. Nothing is reported
    of a run that asked for no sample; what cannot be recorded or sent is only mentioned.
    """
    if _noted.progress is not None:
        logger.removeHandler(_noted.progress)
    samples = [Path(str(job.output[0])).parent.name for job in jobs if stage_of(job) == "analyse"]
    if not samples:
        return
    steps = dict(sorted(_noted.progress.done.items())) if _noted.progress else {}
    course = Course(_noted.started, time.monotonic() - _noted.clock, steps, failed, unbegun, complete)
    results = (entry.result for entry in Cohort(samples, RESULTS, JOBS).entries())
    state, tally, problems = "failure", Tally(len(samples), {}, len(failed), len(unbegun)), []
    try:
        outputs = [Path(str(output)) for job in jobs if stage_of(job) for output in job.output]
        # A rule of the user may be called like one of ours.
        ours = [output for output in outputs if output.is_relative_to(RESULTS)]
        run, tally = made_run(results, ours if _is_whole(jobs) else (), RESULTS, _noted.digests, course)
        state = run.state
        if _is_whole(jobs):
            write_run(run, RESULTS / RUN_FILE)
    except Exception as error:  # noqa: BLE001  what failed must be named all the same
        problems.append(f"{RESULTS / RUN_FILE} could not be written: {words_of(error, None)}")
    index = str(INDEX) if _is_whole(jobs) and INDEX.is_file() else NO_INDEX
    for line in last_lines(tally, index, complete=complete):
        logger.info(line)
    if _noted.plan is not None:
        problems += notify(_noted.plan.config.notify, state, tally, round(course.seconds, 1))
    for problem in problems:
        print(f"{MARK} {problem}", file=sys.stderr)


def _is_whole(jobs: Sequence[Any]) -> bool:
    """Return whether a run makes the outputs of the cohort, not only those of some samples."""
    return any(stage_of(job) == "summarize" for job in jobs)

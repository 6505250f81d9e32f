"""The progress of a run: a line for each step that has ended, which a log can be searched for."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from cd40l_flow.result.runs.tally import progress

# Rules and the stage that their jobs are reported as.
STAGES = {
    "check": "check",
    "analyse": "analyse",
    "report_sample": "report",
    "export": "export",
    "summarize": "summarize",
    "index": "index",
    "subjects": "pages of subjects",
    "multiqc": "multiqc",
}


def stage_of(job: Any) -> str | None:
    """Return the stage of a job of Snakemake; its rule's name has a prefix where the workflow is used as a module."""
    name = str(job.rule.name)
    return next((stage for rule, stage in STAGES.items() if name == rule or name.endswith(f"_{rule}")), None)


class Progress(logging.Handler):
    """Listens to Snakemake's log for jobs that have ended, and adds a line about each with the count of its stage.

    ``run_of`` returns the run of a sample, empty where it is not known. ``done`` counts the jobs that ended, by stage.
    """

    def __init__(self, logger: logging.Logger, jobs: Iterable[Any], run_of: Callable[[str], str]) -> None:
        super().__init__()
        self.done: Counter[str] = Counter()
        self._logger = logger
        self._jobs: dict[int, tuple[str, str]] = {}
        for job in jobs:
            if stage := stage_of(job):
                self._jobs[job.jobid] = stage, run_of(str(dict(job.wildcards_dict).get("sample", "")))
        self._all = Counter(stage for stage, _ in self._jobs.values())

    def emit(self, record: logging.LogRecord) -> None:
        """Report a job that has ended; other records are ignored."""
        if getattr(record, "event", None) != "job_finished":
            return
        # Once each: Snakemake reports the jobs of a submission alone and together.
        stage, run = self._jobs.pop(getattr(record, "job_id", -1), ("", ""))
        if stage:
            self.done[stage] += 1
            self._logger.info(progress(stage, self.done[stage], self._all[stage], run))

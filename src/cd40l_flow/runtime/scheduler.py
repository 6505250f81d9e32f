"""Settings of a run that no option of Snakemake reaches: its public settings objects, before they are used."""

from __future__ import annotations

from typing import Any

# Jobs, seconds: Snakemake's own, which nobody asked for.
DEFAULT_LIMIT = (100, 1)


def lift_rate_limit(workflow: Any) -> None:
    """Lift the limit of 100 jobs started in a second, on one machine; call it while the jobs are planned.

    For this limit Snakemake 9 starts a timer whenever it has looked for jobs, and looks again when the timer ends: time
    is lost with the square of the number of jobs. Its own default is no limit, but its command line sets this one and
    has no value for none. A limit that somebody asked for stays.
    """
    settings = workflow.scheduling_settings
    limit = None if settings is None else settings.max_jobs_per_timespan
    if workflow.local_exec and limit is not None and (limit.max_jobs, limit.timespan) == DEFAULT_LIMIT:
        settings.max_jobs_per_timespan = None


def go_on_within_submissions(workflow: Any) -> None:
    """Let the processes of a submission go on with its other samples when one of them fails.

    ``--keep-going`` does not reach them, and they would leave every sample after the first that fails undone
    (Snakemake's issue 2508).
    """
    settings = workflow.execution_settings
    if settings is not None and not workflow.is_main_process:
        settings.keep_going = True

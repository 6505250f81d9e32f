"""Settings that no option of Snakemake reaches, made on its public settings objects before they are used."""

from __future__ import annotations

from typing import Any

# Jobs, seconds: Snakemake's default on the command line.
DEFAULT_LIMIT = (100, 1)


def lift_rate_limit(workflow: Any) -> None:
    """Lift the limit of 100 jobs started in a second, on one machine; call it while the jobs are planned.

    For this limit Snakemake 9 starts a timer after each search for jobs and searches again when it ends, which costs
    time with the square of the number of jobs. The command line always sets a limit and has no value for none. A limit
    set by the user stays.
    """
    settings = workflow.scheduling_settings
    limit = None if settings is None else settings.max_jobs_per_timespan
    if workflow.local_exec and limit is not None and (limit.max_jobs, limit.timespan) == DEFAULT_LIMIT:
        settings.max_jobs_per_timespan = None


def go_on_within_submissions(workflow: Any) -> None:
    """Let the processes of a submission continue with its other samples when one fails.

    ``--keep-going`` does not reach them; they would skip every sample after the first failure (Snakemake's issue 2508).
    """
    settings = workflow.execution_settings
    if settings is not None and not workflow.is_main_process:
        settings.keep_going = True

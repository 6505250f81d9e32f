"""What Snakemake's scheduler lacks an option for: going on within a submission, and no limit of jobs a second."""

from __future__ import annotations

from typing import Any

# Jobs, seconds: Snakemake's own, which nobody asked for.
DEFAULT_LIMIT = (100, 1)


def lift_rate_limit(workflow: Any) -> None:
    """Lift the limit of 100 jobs started in a second, which no option takes away; to be called as the run starts.

    For this limit Snakemake 9 starts a timer whenever it has looked for jobs, and looks again when the timer ends, one
    second later: every job adds one that goes on to the end of the run, so that time is lost with the square of the
    number of jobs. One machine does not need the limit. Another one, which somebody asked for, stays, and so does
    everything where Snakemake is built otherwise.
    """
    scheduler: Any = getattr(workflow, "scheduler", None)
    limit = getattr(scheduler, "job_rate_limiter", None)
    if (getattr(limit, "max_jobs", None), getattr(limit, "timespan", None)) == DEFAULT_LIMIT:
        scheduler.job_rate_limiter = None


def go_on_within_submissions(workflow: Any) -> None:
    """Let the processes of a submission go on with its other samples when one of them fails.

    ``--keep-going`` does not reach them, and they would leave every sample after the first that fails undone
    (Snakemake's issue 2508).
    """
    settings: Any = getattr(workflow, "execution_settings", None)
    if settings is not None and not workflow.is_main_process:
        settings.keep_going = True

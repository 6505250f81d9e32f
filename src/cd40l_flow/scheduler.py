"""Snakemake's scheduler on one machine, without what costs every job more the more jobs there are."""

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

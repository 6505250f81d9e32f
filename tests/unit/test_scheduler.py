"""Snakemake's own limit of jobs a second is lifted, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace

from snakemake.scheduling.job_scheduler import JobRateLimiter
from snakemake.settings.types import MaxJobsPerTimespan, SchedulingSettings

from cd40l_flow.scheduler import lift_rate_limit


def running(limit: object) -> SimpleNamespace:
    """Return as much of a workflow that runs as is looked at."""
    return SimpleNamespace(scheduler=SimpleNamespace(job_rate_limiter=limit))


def test_the_limit_that_nobody_asked_for_is_lifted() -> None:
    """It is the one that Snakemake has by default, as its command line writes it."""
    from snakemake.cli import get_argument_parser

    default = get_argument_parser().get_default("max_jobs_per_timespan")
    workflow = running(JobRateLimiter(MaxJobsPerTimespan.parse_choice(default)))

    lift_rate_limit(workflow)

    assert workflow.scheduler.job_rate_limiter is None
    assert SchedulingSettings().max_jobs_per_timespan is None  # so that Snakemake knows runs without a limit


def test_a_limit_that_somebody_asked_for_stays() -> None:
    for asked in ("10/1s", "100/1m"):
        limit = JobRateLimiter(MaxJobsPerTimespan.parse_choice(asked))
        workflow = running(limit)

        lift_rate_limit(workflow)

        assert workflow.scheduler.job_rate_limiter is limit


def test_another_snakemake_is_left_as_it_is() -> None:
    """Without the limit, with one of another kind, or without a scheduler in that place."""
    other = SimpleNamespace(per_second=100)
    for workflow in (running(None), running(other), SimpleNamespace(scheduler=None), SimpleNamespace()):
        before = repr(workflow)

        lift_rate_limit(workflow)

        assert repr(workflow) == before

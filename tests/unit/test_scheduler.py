"""What Snakemake lacks an option for is set, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace

from snakemake.scheduling.job_scheduler import JobRateLimiter
from snakemake.settings.types import ExecutionSettings, MaxJobsPerTimespan, SchedulingSettings

from cd40l_flow.runtime.scheduler import go_on_within_submissions, lift_rate_limit


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


def test_only_the_processes_of_a_submission_are_made_to_go_on() -> None:
    """The process that people start does what its options say, and what has no settings yet is left as it is."""
    for main, expected in ((False, True), (True, False)):
        workflow = SimpleNamespace(is_main_process=main, execution_settings=ExecutionSettings())

        go_on_within_submissions(workflow)

        assert workflow.execution_settings.keep_going is expected
    go_on_within_submissions(SimpleNamespace(is_main_process=False, execution_settings=None))

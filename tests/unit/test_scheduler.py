"""What Snakemake lacks an option for is set in its settings, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace

from snakemake.cli import get_argument_parser
from snakemake.settings.types import ExecutionSettings, MaxJobsPerTimespan, SchedulingSettings

from cd40l_flow.runtime.scheduler import go_on_within_submissions, lift_rate_limit


def running(limit: str, *, local: bool = True, main: bool = True) -> SimpleNamespace:
    """Return as much of a workflow as is looked at."""
    return SimpleNamespace(
        scheduling_settings=SchedulingSettings(max_jobs_per_timespan=MaxJobsPerTimespan.parse_choice(limit)),
        execution_settings=ExecutionSettings(),
        is_main_process=main,
        local_exec=local,
    )


def test_the_limit_that_nobody_asked_for_is_lifted_on_one_machine() -> None:
    """It is the one that Snakemake has by default, as its command line writes it."""
    default = get_argument_parser().get_default("max_jobs_per_timespan")
    for local in (True, False):
        workflow = running(default, local=local)

        lift_rate_limit(workflow)

        assert (workflow.scheduling_settings.max_jobs_per_timespan is None) == local
    assert SchedulingSettings().max_jobs_per_timespan is None  # so that Snakemake knows runs without a limit


def test_a_limit_that_somebody_asked_for_stays() -> None:
    for asked in ("10/1s", "100/1m"):
        workflow = running(asked)
        limit = workflow.scheduling_settings.max_jobs_per_timespan

        lift_rate_limit(workflow)

        assert workflow.scheduling_settings.max_jobs_per_timespan is limit


def test_only_the_processes_of_a_submission_are_made_to_go_on() -> None:
    """The process that people start does what its options say."""
    for main, expected in ((False, True), (True, False)):
        workflow = running("100/1s", main=main)

        go_on_within_submissions(workflow)

        assert workflow.execution_settings.keep_going is expected


def test_a_workflow_without_settings_is_left_as_it_is() -> None:
    bare = SimpleNamespace(execution_settings=None, scheduling_settings=None, is_main_process=False, local_exec=True)

    lift_rate_limit(bare)
    go_on_within_submissions(bare)

    assert (bare.execution_settings, bare.scheduling_settings) == (None, None)

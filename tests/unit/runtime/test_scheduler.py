"""What Snakemake lacks an option for is set in its settings, and nothing else."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.cli import get_argument_parser
from snakemake.settings.types import (
    ExecutionSettings,
    GroupSettings,
    MaxJobsPerTimespan,
    RerunTrigger,
    SchedulingSettings,
)

from cd40l_flow.runtime import scheduler
from cd40l_flow.runtime.scheduler import AT_ONCE, CORES, SAFE_PATH, export_cores, group_names, settle


class Running(SimpleNamespace):
    """As much of a workflow as is looked at."""

    def register_resource(self, name: str, value: int) -> None:
        self.resources[name] = value

    def register_envvars(self, *names: str) -> None:
        self.envvars.update(names)


def running(limit: str = "10/1s", *, local: bool = True, main: bool = True, **given: Any) -> Running:
    jobs = [SimpleNamespace(wildcards_dict={"sample": name}) for name in ("C1", "P1", "P2")]
    settings = {
        "scheduling_settings": SchedulingSettings(max_jobs_per_timespan=MaxJobsPerTimespan.parse_choice(limit)),
        "execution_settings": ExecutionSettings(),
        "resource_settings": SimpleNamespace(cores=None),
        "group_settings": GroupSettings(),
        "dag_settings": SimpleNamespace(target_jobs=range(6), rerun_triggers=RerunTrigger.all()),
        "dag": SimpleNamespace(needrun_jobs=lambda: iter([*jobs, SimpleNamespace(wildcards_dict={})])),
    }
    settings["executor_settings"] = None
    state = {"is_main_process": main, "local_exec": local, "nodes": 100, "resources": {}, "envvars": set()}
    return Running(**{**settings, **state, **given})


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows when a worker is started; the environment is as it was in the end."""
    started: list[str] = []
    monkeypatch.setattr(scheduler, "start_worker", lambda: started.append("worker"))
    monkeypatch.setenv(CORES, "3")
    monkeypatch.setenv(SAFE_PATH, "1")
    return started


def test_the_limit_that_nobody_asked_for_is_lifted_on_one_machine() -> None:
    """It is the one that Snakemake has by default, as its command line writes it."""
    default = get_argument_parser().get_default("max_jobs_per_timespan")
    for local in (True, False):
        workflow = running(default, local=local)

        settle(workflow)

        assert (workflow.scheduling_settings.max_jobs_per_timespan is None) == local
    assert SchedulingSettings().max_jobs_per_timespan is None  # so that Snakemake knows runs without a limit


def test_what_somebody_asked_for_stays() -> None:
    for asked in ("10/1s", "100/1m"):
        workflow = running(asked)
        limit = workflow.scheduling_settings.max_jobs_per_timespan
        workflow.scheduling_settings.subsample = 7

        settle(workflow)

        assert workflow.scheduling_settings.max_jobs_per_timespan is limit
        assert workflow.scheduling_settings.subsample == 7


def test_only_the_processes_of_a_submission_are_made_to_go_on() -> None:
    """The process that people start does what its options say."""
    for main, expected in ((False, True), (True, False)):
        workflow = running(main=main)

        settle(workflow)

        assert workflow.execution_settings.keep_going is expected


def test_a_workflow_without_settings_is_left_as_it_is() -> None:
    bare = SimpleNamespace(execution_settings=None, scheduling_settings=None, is_main_process=False, local_exec=True)

    settle(bare)

    assert (bare.execution_settings, bare.scheduling_settings) == (None, None)


def test_a_worker_is_started_where_many_steps_run_in_a_submission(workers: list[str]) -> None:
    """Not by the process that submits, nor by the one in between, nor for a sample that is alone."""
    few = SimpleNamespace(target_jobs=range(2), rerun_triggers=RerunTrigger.all())
    for workflow in (running(), running(local=False), running(local=False, main=False)):
        settle(workflow)
    settle(running(main=False, dag_settings=few))
    assert workers == []

    settle(running(main=False))

    assert workers == ["worker"]


def test_steps_are_limited_within_a_submission_and_not_on_one_machine() -> None:
    for local, main, expected in ((True, True, {}), (False, True, {AT_ONCE: 3}), (True, False, {AT_ONCE: 3})):
        workflow = running(local=local, main=main)

        settle(workflow)

        assert workflow.resources == expected


def test_code_next_to_the_data_does_not_run_in_submissions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would look for modules in the working directory first; a site that has decided otherwise is heard."""
    for said, expected in ((None, "1"), ("", "")):
        monkeypatch.delenv(SAFE_PATH) if said is None else monkeypatch.setenv(SAFE_PATH, said)
        workflow = running(local=False)

        settle(workflow)

        assert (os.environ[SAFE_PATH], workflow.envvars) == (expected, {SAFE_PATH})


def test_the_process_that_people_start_tells_the_others_its_cores() -> None:
    export_cores(running(main=False))
    assert os.environ[CORES] == "3"

    export_cores(running(resource_settings=SimpleNamespace(cores=5)))

    assert os.environ[CORES] == "5"


def controls(sample: str) -> list[str]:
    return [] if sample == "C1" else ["C1"]


def test_each_group_is_one_submission() -> None:
    """Only of samples that have something to be done; the groups that the command line gives stay."""
    workflow = running(group_settings=GroupSettings(group_components={"theirs": 4}))

    names = group_names(workflow, ["C1", "P1", "P2", "P3"], controls)

    assert names == dict.fromkeys(["C1", "P1", "P2"], "runs_1")
    assert workflow.group_settings.group_components == {"theirs": 4, "runs_1": 3}


def test_members_that_somebody_asked_for_are_kept() -> None:
    workflow = running(group_settings=GroupSettings(group_components={"samples": 1}))

    names = group_names(workflow, ["C1", "P1"], controls)

    assert names == {"C1": "controls", "P1": "samples"}
    assert workflow.group_settings.group_components == {"samples": 1}


def test_within_a_submission_all_is_one_group() -> None:
    workflow = running(main=False, local=False)

    assert group_names(workflow, ["C1", "P1"], controls) == {"C1": "submission", "P1": "submission"}
    assert workflow.group_settings.group_components == {"submission": 2}


def test_dates_alone_are_not_enough(capsys: pytest.CaptureFixture[str]) -> None:
    """A profile that looks at nothing else is reported; what Snakemake looks at by itself is left as it is."""
    settings = SimpleNamespace(target_jobs=(), rerun_triggers=frozenset({RerunTrigger.MTIME}))

    settle(running(dag_settings=settings))

    assert settings.rerun_triggers == {RerunTrigger.MTIME, RerunTrigger.PARAMS, RerunTrigger.INPUT}
    assert "rerun-triggers has no input, params:" in capsys.readouterr().err
    settings.rerun_triggers = RerunTrigger.all()
    settle(running(dag_settings=settings))
    assert settings.rerun_triggers == RerunTrigger.all()
    assert capsys.readouterr().err == ""

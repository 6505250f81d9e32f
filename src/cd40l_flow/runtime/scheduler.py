"""Settings that no option of Snakemake reaches, made on its public settings objects before they are used."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from cd40l_flow.runtime.batches import batches, cores_of
from cd40l_flow.runtime.waiting import wait_in_proportion
from cd40l_flow.runtime.worker import start as start_worker

# Jobs, seconds: Snakemake's default on the command line.
DEFAULT_LIMIT = (100, 1)
# Jobs that the scheduler looks at when one has ended, at least, and for each core: more than then begin.
SUBSAMPLE, FOR_EACH_CORE = 10, 2
# The environment variable with the number of steps that run side by side in a submission, for its processes.
CORES = "CD40L_FLOW_CORES"
# The resource of a step that is limited to this number within a submission, and nowhere else. `--cores` of Snakemake
# would limit the rules of other people too, where this workflow is a module.
AT_ONCE = "at_once"
SAFE_PATH = "PYTHONSAFEPATH"
# Groups that the command line may give a number of members: it then makes the batches.
GIVEN = ("controls", "samples")


def export_cores(workflow: Any) -> None:
    """Export how many steps run side by side in a submission; call it when the Snakefile is read."""
    if workflow.is_main_process:
        os.environ[CORES] = str(cores_of(workflow.resource_settings.cores))


def settle(workflow: Any) -> None:
    """Make the settings of this process; call it once, while the jobs are planned.

    By then Snakemake knows whether it runs on one machine, and its scheduler is not made yet.
    """
    if workflow.execution_settings is None:
        return
    if workflow.is_main_process:
        _watch_what_is_needed(workflow.dag_settings)
    if workflow.local_exec:
        _quicken(workflow.scheduling_settings, workflow.resource_settings.cores or 1)
    if workflow.is_main_process and not workflow.local_exec:
        # Python would look for modules in the working directory first, among the data: no code that lies there runs.
        os.environ.setdefault(SAFE_PATH, "1")
        workflow.register_envvars(SAFE_PATH)
        wait_in_proportion(workflow)
    if not (workflow.local_exec and workflow.is_main_process):
        workflow.register_resource(AT_ONCE, int(os.environ[CORES]))
    if not workflow.is_main_process:
        # `--keep-going` does not reach the processes of a submission; they would skip every sample after the first
        # failure (Snakemake's issue 2508).
        workflow.execution_settings.keep_going = True
        # Hooks such as `onstart` do not run in them. Two steps of one sample do not pay for a worker.
        if workflow.local_exec and len(workflow.dag_settings.target_jobs) > 2:
            start_worker()


def group_names(workflow: Any, samples: Iterable[str], controls: Callable[[str], Iterable[str]]) -> dict[str, str]:
    """Return sample -> name of its group, and have Snakemake submit each group as one.

    ``controls`` gives the controls of a sample.
    """
    settings = workflow.group_settings
    if not workflow.is_main_process:
        # Within a submission all is one group: for each further one, Snakemake would be started once more.
        names = dict.fromkeys(samples, "submission")
    elif {*GIVEN} & {*settings.group_components}:
        return {sample: "samples" if controls(sample) else "controls" for sample in samples}
    else:
        jobs = workflow.dag.needrun_jobs()
        due = {*samples} & {str(job.wildcards_dict.get("sample")) for job in jobs}
        known = {sample: [*controls(sample)] for sample in sorted(due)}
        names = batches(known, int(os.environ[CORES]), workflow.nodes)
    sizes = dict.fromkeys(names.values(), len(names))
    settings.group_components = {**settings.group_components, **sizes}
    return names


def _watch_what_is_needed(settings: Any) -> None:
    """Have Snakemake run again whatever depends on a change, even where a profile relies on dates only.

    Files of users and the sheets are in ``params:`` as digests; files between the steps are judged by their dates.
    """
    triggers = import_module("snakemake.settings.types").RerunTrigger
    lacks = {triggers.MTIME, triggers.PARAMS, triggers.INPUT} - {*settings.rerun_triggers}
    if lacks:
        settings.rerun_triggers = frozenset({*settings.rerun_triggers, *lacks})
        names = ", ".join(sorted(one.item_to_choice() for one in lacks))
        print(
            f"warning: rerun-triggers has no {names}: results of other files or settings would be kept. Added for this "
            "run; take the key out of your profile, or the option out of the command.",
            file=sys.stderr,
        )


def _quicken(settings: Any, cores: int) -> None:
    """Save the scheduler of one machine work that grows with the number of jobs; what the user has set stays.

    For the limit of 100 jobs started in a second, Snakemake 9 starts a timer after each search for jobs and searches
    again when it ends, which costs time with the square of the number of jobs. The command line always sets a limit and
    has no value for none. At each search it looks at the files of all jobs that could run; it is enough to look at few.
    """
    if settings is None:
        return
    limit = settings.max_jobs_per_timespan
    if limit is not None and (limit.max_jobs, limit.timespan) == DEFAULT_LIMIT:
        settings.max_jobs_per_timespan = None
    if settings.subsample is None:
        settings.subsample = max(SUBSAMPLE, FOR_EACH_CORE * cores)

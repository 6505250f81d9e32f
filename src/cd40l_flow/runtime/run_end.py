"""The end of a workflow run: failed samples are listed last, and after an error missing outputs are made where
possible.

A step that crashes leaves a result with the reason. A cluster submission that is killed leaves no result for its
current sample and none for those it had not started, and Snakemake then skips everything that depends on them. Here the
killed sample gets its result, the others are analysed, and the outputs of the cohort are made from what exists.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cohort.job import read_job
from cd40l_flow.result.cohort import Cohort, Entry
from cd40l_flow.result.making.failed import failures, is_failed, note_failure, write_failed_report
from cd40l_flow.result.record import read_record
from cd40l_flow.result.reviews.state import digest_of
from cd40l_flow.runtime.course import begin, close
from cd40l_flow.steps import Outputs, fail_analysis, print_traceback, words_of

MOST_NAMED = 50
# The most analyses that are made up for, at two seconds each: those of a few submissions. If more were lost, the
# cluster has failed, and a login node must not do its work.
MOST_MADE = 100
# The environment variable with Snakemake's number of retries, for the processes of a submission.
RETRIES = "CD40L_FLOW_RETRIES"
COHORT = {"summarize": "--summary", "index": "--index", "subjects": "--subjects", "multiqc": "--multiqc"}


def start_of_run(workflow: Any) -> None:
    """Export the number of retries and remove old logs of the analyses: a log then shows that one was started.

    From now on every step that ends is reported.
    """
    os.environ[RETRIES] = str(workflow.execution_settings.retries)
    begin(workflow, _logger())
    for job in _of(workflow.dag.needrun_jobs(), "analyse"):
        _log(job).unlink(missing_ok=True)


def end_of_run(workflow: Any, *, complete: bool) -> None:
    """Make what an error left undone, print and record the outcome of the run, and list every failed sample last.

    Raises SystemExit if there is one.
    ``workflow`` is Snakemake's object, ``complete`` whether all jobs succeeded. Only requested samples are touched.
    """
    jobs = list(workflow.dag.jobs)
    named: dict[str, str] = {}
    untouched: list[str] = []
    if not complete:
        due = set(workflow.dag.needrun_jobs(exclude_finished=True))
        # These messages belong to those of Snakemake.
        with redirect_stdout(sys.stderr):
            made_up, untouched = _make_up(workflow, [job for job in jobs if job in due])
        named |= made_up
    named |= {sample: why for sample, why in _failed(jobs) if sample not in untouched}
    failed = sorted({name.partition(" ")[0] for name in named})
    close(jobs, _logger(), failed, untouched, complete=complete)
    if not named and not untouched:
        return
    lines = [f"  {sample}: {why}" for sample, why in list(named.items())[:MOST_NAMED]]
    if len(named) > MOST_NAMED:
        lines.append(f"  and {len(named) - MOST_NAMED} more: see the reasons in results/summary.tsv")
    if named:
        samples = "1 sample" if len(failed) == 1 else f"{len(failed)} samples"
        lines.insert(0, f"Failed for {samples}; the next run tries again:")
    if untouched:
        few = ", ".join(untouched[:10]) + (", ..." if len(untouched) > 10 else "")
        lines.insert(0, f"Not begun: {len(untouched)} of the analyses ({few}); the next run does them.")
    _logger().error("\n".join(lines))
    # An exception of Snakemake would end with a traceback of its own code, not with the samples.
    raise SystemExit(1)


def _logger() -> Any:
    """Return the logger of Snakemake."""
    return import_module("snakemake.logging").logger


def _make_up(workflow: Any, jobs: list[Any]) -> tuple[dict[str, str], list[str]]:
    """Make the outputs of jobs that did not finish.

    Returns sample or output -> reason, where no other message gives it, and the samples left to the next run.
    """
    # The user has ended the run, or Snakemake stops at the first error: start nothing more.
    stopped = bool(list(workflow.scheduler.running) or list(workflow.scheduler.open_jobs))
    analyses = _of(jobs, "analyse")
    # A submission or a control that dies leaves analyses that were not started.
    waiting = [job for job in analyses if not _log(job).exists() or not _log(job).stat().st_size]
    left = waiting if stopped or len(waiting) > MOST_MADE else []
    failed = set()
    # Controls first: the others need their results.
    for job in sorted(analyses, key=lambda job: read_job(job.params.job).job.sample.role != "control"):
        if job not in left:
            if _make_result(job, begun=job not in waiting):
                failed.add(_folder(job).name)
            _record(workflow, job)
    untouched = {_folder(job).name for job in left}
    named = {}
    for job in _of(jobs, "report_sample"):
        sample = _folder(job).name
        if sample in failed or not (stopped or sample in untouched):
            if _make_report(job):
                named[f"{sample} (report)"] = "its step did not end; the report was made at the end of the run."
            _record(workflow, job)
    for job in _of(jobs, "export"):
        sample = _folder(job).name
        if not (stopped or sample in untouched):
            named[f"{sample} (export)"] = f"its step did not end; see {_log(job)}."
    for rule in COHORT:
        for job in _of(jobs, rule):
            _make_cohort(job, rule)
    return named, sorted(untouched)


def _record(workflow: Any, job: Any) -> None:
    """Record the inputs of a job for Snakemake, so that the next run sees when it is out of date."""
    workflow.async_run(workflow.persistence.finished(job))


def _log(job: Any) -> Path:
    return Path(str(job.log[0]))


def _folder(job: Any) -> Path:
    """Return the folder of the sample of a job."""
    return Path(str(job.output[0])).parent


def _make_result(job: Any, *, begun: bool) -> bool:
    """Write a failed result for a sample whose analysis left none; analyse one that was not started.

    Returns whether the result is a failed one.
    """
    planned = read_job(job.params.job)
    place = Path(str(job.output.result))
    sample = planned.job.sample.sample
    cohort = Cohort([sample], place.parents[2], Path(job.params.job).parent)
    if not begun and cohort.fault(sample, planned):
        _analyse(job)
    if not cohort.fault(sample, planned):
        return False
    if place.exists():
        cohort.move(place.parent)
    why = f"its analysis was killed, or the run ended before it was done; see {_log(job)}."
    fail_analysis(planned, Outputs.of(place.parent), why)
    print(f"analyse {sample}: {why}", file=sys.stderr)
    return True


def _analyse(job: Any) -> None:
    """Run the shell command of an analysis in a subprocess."""
    _log(job).parent.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    command = ["bash", "-c", f"set -euo pipefail; {job.shellcmd}"]
    subprocess.run(command, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL, stdout=2, check=False)


def _make_report(job: Any) -> bool:
    """Make the report of a sample unless one of its current result exists; return whether it was made."""
    from cd40l_flow.cli.arguments import FHIR
    from cd40l_flow.cli.main import main
    from cd40l_flow.interop.fhir import write_failed_fhir

    out, result = Path(str(job.output[0])), Path(str(job.input.result))
    fhir = out.with_name(FHIR)
    command = ["report", "--result", str(result), "--shown-controls", "--out", str(out), "--fhir", str(fhir)]
    command += _options(job, ("reviews", "ledger", "reviewers"))
    try:
        entry = Entry(result.parent.name, read_record(result), result, digest_of(result))
        if fhir.is_file() and entry.report(result.parent):
            return False
        code = main(command)
        why = f"it ended with exit code {code}." if code else ""
    except Exception as error:  # noqa: BLE001  it costs this report and no other
        print_traceback(error, None)
        why = words_of(error, None)
    if why:
        note_failure(result.parent, "report", why)
        write_failed_report(out, result.parent.name, why)
        write_failed_fhir(fhir, result.parent.name, why)
    return not why


def _make_cohort(job: Any, rule: str) -> None:
    from cd40l_flow.cli.main import main

    command = ["summarize", "--samples", str(job.params.sheet), "--jobs", str(job.params.jobs)]
    command += _options(job, ("reviews", "ledger", "reviewers", "reference"))
    try:
        code = main([*command, COHORT[rule], str(job.output[0])])
    except Exception as error:  # noqa: BLE001  the other outputs of the cohort are made all the same
        print_traceback(error, None)
        code = 1
    if code:
        print(f"{rule}: {job.output[0]} could not be made; remove the one that is there.", file=sys.stderr)


def _options(job: Any, names: Iterable[str]) -> list[str]:
    """Return those parameters of a job that have a value as options of a command."""
    found: list[str] = []
    for name in names:
        value = job.params.get(name) or []
        if value:
            found += [f"--{name}", *([value] if isinstance(value, str) else map(str, value))]
    return found


def _failed(jobs: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield every sample without a result, or with a failed step in this run, and the reason."""
    for job in _of(jobs, "analyse"):
        place = Path(str(job.output.result))
        if place.exists() and not failures(place.parent):
            continue
        try:
            result = read_record(place)
            if is_failed(result):
                yield str(result.sample), result.messages[0].text.partition(": ")[2]
        except (OSError, Cd40lFlowError, LookupError):
            yield place.parent.name, "it has no result."
    for step, rule in (("report", "report_sample"), ("export", "export")):
        for job in _of(jobs, rule):
            folder = Path(str(job.output[0])).parent
            lines = [why for name, why in failures(folder) if name == step]
            if len(lines) > int(job.params.failures.rpartition(" ")[2]):
                yield f"{folder.name} ({step})", lines[-1]


def _of(jobs: Iterable[Any], rule: str) -> list[Any]:
    """Return the jobs of a rule; its name has a prefix where the workflow is used as a module."""
    found = [job for job in jobs if job.rule.name == rule or job.rule.name.endswith(f"_{rule}")]
    return sorted(found, key=lambda job: str(job.output[0]))

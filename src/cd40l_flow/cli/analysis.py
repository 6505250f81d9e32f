"""Commands on one sample: run, analyse, report."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cli.arguments import FHIR, SAMPLES
from cd40l_flow.cli.signed import reviews_of

if TYPE_CHECKING:
    from cd40l_flow.cohort.job import PlannedJob
    from cd40l_flow.cohort.settings import Job
    from cd40l_flow.result.reviews.files import Reviews
    from cd40l_flow.result.types.result import Result
    from cd40l_flow.steps import Outputs


def run(options: argparse.Namespace) -> int:
    """Analyse one sample and its controls without Snakemake.

    The record of the cohort's last run stays as it is, and nobody is notified: whoever typed it sees how it ends.
    """
    from cd40l_flow.cohort.plan import load_plan
    from cd40l_flow.cohort.reviewers import People
    from cd40l_flow.result.making.failed import is_failed
    from cd40l_flow.result.reviews.files import files_by_sample
    from cd40l_flow.result.reviews.ledger import ledger_of, take_up
    from cd40l_flow.result.reviews.taken import taken_reviews
    from cd40l_flow.result.runs.tally import Tally, last_lines, progress

    plan = load_plan(options.configfile)
    if options.sample not in plan.samples:
        known = ", ".join(list(plan.samples)[:10]) + (", ..." if len(plan.samples) > 10 else "")
        raise Cd40lFlowError(f"--sample {options.sample}: not in {plan.config.samples}, which has {known}.")
    job = plan.job(options.sample)
    names = sorted(job.controls)
    results = [SAMPLES / name / "result.json" for name in names]
    found = []
    for number, name in enumerate([*names, options.sample], 1):
        # A control is measured together with the others of its run; their results are only shown with it.
        theirs = results if name == options.sample and job.sample.role != "control" else []
        found.append(_analyse_alone(plan.job(name), theirs))
        print(progress("analyse", number, len(names) + 1, plan.samples[name].run), file=sys.stderr)
    for problem in take_up(plan.config.reviews, plan.samples, time.time()):
        print(f"  warning: {problem}", file=sys.stderr)
    files = files_by_sample(plan.config.reviews)
    signed = [path for name in (options.sample, *job.controls) for path in files.get(name, [])]
    reviews = taken_reviews(signed, ledger_of(plan.config.reviews), People.of(plan.config.reviewers))
    result = SAMPLES / options.sample / "result.json"
    report = result.with_name("report.html")
    _write_report(result, results, report, reviews, result.with_name(FHIR))
    print(progress("report", 1, 1, job.sample.run), file=sys.stderr)
    failed = [one for one in found if is_failed(one)]
    tally = Tally.of((one.call for one in found), failed=len(failed))
    lines = last_lines(tally, f"not made by this command, which wrote {report}")
    lines += [f"  {one.sample}: {one.messages[0].text.partition(': ')[2]}" for one in failed]
    print("\n".join(lines), file=sys.stderr)
    return int(bool(failed))


def _analyse_alone(job: Job, control_results: Sequence[Path]) -> Result:
    """Analyse one sample into its place among the results; return its result, which may be a failed one."""
    from cd40l_flow.cohort.job import planned
    from cd40l_flow.steps import Outputs

    return _analyse_job(planned(job), control_results, Outputs.of(SAMPLES / job.sample.sample), "")


def analyse(options: argparse.Namespace) -> int:
    """Analyse one sample, as a rule asks for it."""
    from cd40l_flow.cohort.job import read_job
    from cd40l_flow.steps import Outputs, ended, fail_analysis

    if bool(options.gatingml) != bool(options.wsp):
        raise Cd40lFlowError("analyse: name --gatingml and --wsp together.")
    gates = (Path(options.gatingml), Path(options.wsp)) if options.gatingml else None
    measures = Path(options.measures) if options.measures else None
    outputs = Outputs(Path(options.result), Path(options.densities), gates, measures)
    job = read_job(options.job)
    if options.failed is not None:
        fail_analysis(job, outputs, ended(options.failed, options.log))
        print(f"analyse {job.job.sample.sample}: {ended(options.failed, options.log)}", file=sys.stderr)
        return 0
    folder = outputs.result.parent.parent
    names = () if job.job.sample.role == "control" else sorted(job.job.controls)
    controls = [Path(path) for path in options.controls] or [folder / name / "result.json" for name in names]
    _analyse_job(job, controls, outputs, options.log)
    return 0


def _analyse_job(job: PlannedJob, control_results: Sequence[Path], outputs: Outputs, log: str) -> Result:
    """Analyse one sample and return its result; a failure is written as a failed one."""
    from cd40l_flow.steps import analyse_step, fail_analysis, print_traceback, words_of

    start = clocks()
    failure = ""
    try:
        result = analyse_step(job, control_results, outputs)
    except Exception as error:  # noqa: BLE001  whatever it is, it costs this sample and no other
        print_traceback(error, job)
        failure = words_of(error, job) + (f" (see {log})" if log else "")
    if failure:
        # Outside the handler: what the failed step held is let go of first.
        result = fail_analysis(job, outputs, failure)
    reasons = f" ({', '.join(result.reasons)})" if result.reasons else ""
    b_cells = result.memory or result.cd40
    events = result.activated_events if result.assay == "cd40l" else b_cells.b_events if b_cells is not None else None
    kind = "activated cells" if result.assay == "cd40l" else "B cells"
    cells = f"no {kind} measured" if events is None else f"{events} {kind}"
    print(f"analyse {job.job.sample.sample}: {result.call}{reasons}, {cells}, {used(start)}", file=sys.stderr)
    for message in result.messages:
        if message.severity == "error":
            print(f"  {message.code}: {message.text}", file=sys.stderr)
    return result


def report(options: argparse.Namespace) -> int:
    """Write the report of one sample, as a rule asks for it."""
    from cd40l_flow.interop.fhir import write_failed_fhir
    from cd40l_flow.result.making.failed import note_failure, write_failed_report
    from cd40l_flow.result.record import read_record
    from cd40l_flow.steps import ended

    result = Path(options.result)
    if options.failed is not None:
        why = ended(options.failed, options.log)
        note_failure(result.parent, "report", why)
        write_failed_report(Path(options.out), result.parent.name, why)
        if options.fhir:
            write_failed_fhir(options.fhir, result.parent.name, why)
        print(f"report {result.parent.name}: {why}", file=sys.stderr)
        return 0
    controls = [Path(path) for path in options.controls]
    if options.shown_controls:
        names = sorted(read_record(result).controls)
        controls = [result.parent.parent / name / "result.json" for name in names]
    fhir = Path(options.fhir) if options.fhir else None
    _write_report(result, controls, Path(options.out), reviews_of(options), fhir)
    return 0


def _write_report(result: Path, controls: Sequence[Path], out: Path, reviews: Reviews, fhir: Path | None) -> None:
    from cd40l_flow.interop.fhir import write_fhir
    from cd40l_flow.report.provenance import provenance
    from cd40l_flow.report.sample import write_report

    start = clocks()
    pairs = [(path, path.with_name("densities.npz")) for path in controls]
    for text in write_report(result, result.with_name("densities.npz"), pairs, out, provenance(), reviews):
        print(f"  {text}", file=sys.stderr)
    if fhir is not None:
        write_fhir(fhir, result, controls, reviews)
    print(f"report {result.parent.name}: {out}, {used(start)}", file=sys.stderr)


def clocks() -> tuple[float, float]:
    """Return the seconds of the clock and those of this process's processor time."""
    return time.perf_counter(), time.process_time()


def used(start: tuple[float, float]) -> str:
    """Return the resources of a step: seconds and processor time since ``start``, and the peak of memory."""
    import resource

    # Of Linux in kilobytes, of macOS in bytes.
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    seconds, processor = (now - then for now, then in zip(clocks(), start, strict=True))
    return f"{seconds:.1f} s ({processor:.2f} s of processor time, {memory:.0f} MB)"

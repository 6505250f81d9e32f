"""The command line: what the rules call, and what people call."""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cd40l_flow.base.errors import Cd40lFlowError, InputsError, RecordError
from cd40l_flow.cli.arguments import CONFIG, REVIEWS, SAMPLES, parser

if TYPE_CHECKING:
    from cd40l_flow.base.errors import Problem
    from cd40l_flow.base.model import Job
    from cd40l_flow.cohort.job import PlannedJob
    from cd40l_flow.result.cohort import Entry
    from cd40l_flow.result.types.result import Result
    from cd40l_flow.steps import Outputs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when every sample has a result, 2 for a mistake in the inputs, told without a
    traceback.
    """
    options = parser().parse_args(arguments)
    try:
        if hasattr(options, "configfile"):
            options.configfile = _enter(options.directory, options.configfile)
        code = COMMANDS[options.command](options)
    except InputsError as error:
        print(error, file=sys.stderr)
        return 2
    except Cd40lFlowError as error:
        print(f"cd40l-flow: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None:
            raise
        remedy = "See that it is there, that you may read or write it, and that the disk has room."
        print(f"cd40l-flow: {error.filename}: {error.strerror}. {remedy}", file=sys.stderr)
        return 2
    return code


def _enter(directory: str, configfile: str | None) -> str:
    """Go to the working directory; return the configuration's path there.

    As with Snakemake, a configuration that is named starts at the current directory, the default at the working one.
    """
    named = Path(configfile).parent.resolve() / Path(configfile).name if configfile else None
    try:
        os.chdir(directory)
    except OSError as error:
        raise Cd40lFlowError(f"--directory {directory}: {error.strerror}. Name a folder that exists.") from None
    if named is None:
        return CONFIG
    here = Path.cwd()
    # Told as short as it can be: reports and messages shall not show where a laboratory keeps its data.
    return str(named.relative_to(here) if named.is_relative_to(here) else named)


def _check(options: argparse.Namespace) -> int:
    from cd40l_flow.cohort.check import check_dates, check_files
    from cd40l_flow.cohort.plan import load_plan
    from cd40l_flow.result.problems import write_problems
    from cd40l_flow.result.reviews import folder_problems

    out = Path(options.out)
    try:
        plan = load_plan(options.configfile)
    except InputsError as error:
        write_problems(error.problems, out)
        raise
    problems = [*plan.warnings, *check_files(plan), *folder_problems(plan.config.reviews, plan.samples)]
    problems += check_dates(plan, time.time())
    if options.full:
        from cd40l_flow.result.made_from import changed_contents

        problems += changed_contents(plan.samples, SAMPLES)
    write_problems(problems, out)
    _tell(problems, len(plan.samples), out)
    return 0


def _tell(problems: Sequence[Problem], samples: int, out: Path) -> None:
    affected = {problem.sample for problem in problems if problem.severity == "sample"}
    print(
        f"check: {samples} samples, {len(problems)} problems, {len(affected)} samples affected; see {out}",
        file=sys.stderr,
    )
    for problem in problems:
        print(f"  {problem.severity}: {problem}", file=sys.stderr)


def _init(options: argparse.Namespace) -> int:
    from shlex import quote

    from cd40l_flow.base.disk import write_whole
    from cd40l_flow.base.resources import working_files
    from cd40l_flow.cohort.draft import WORKBOOK, draft
    from cd40l_flow.cohort.workbook import write_workbook

    directory = Path(options.out)
    folder = Path(options.fcs) if options.fcs else directory / "fcs"
    files, todo, table = dict(working_files()), [], ""
    workbook = WORKBOOK if options.xlsx and not options.workflow else None
    if not options.workflow:
        if not folder.is_dir():
            raise Cd40lFlowError(f"{folder}: there is no such folder. Name the folder of the FCS files with --fcs.")
        found = draft(folder, Path(os.path.relpath(folder, directory)).as_posix(), workbook=bool(workbook))
        files, todo, table = {**found.files, **files}, list(found.todo), found.table
    names = [*files, *([workbook] if workbook else [])]
    there = [str(directory / name) for name in names if (directory / name).exists()]
    if there:
        raise Cd40lFlowError(
            f"{', '.join(there)}: there already, nothing was written. Name another folder, or move them."
        )
    for name, text in files.items():
        path = directory / name
        write_whole(path, text)
        print(f"init: {path}")
    if workbook:
        write_workbook(found.sheets, directory / workbook)
        print(f"init: {directory / workbook}")
    (directory / REVIEWS).mkdir(exist_ok=True)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files may hold letters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    if table:
        print(f"\n{table}\n")
    print("Still to do:")
    todo += [
        f"Check: cd40l-flow check --directory {quote(options.out)}",
        f"Run: cd {quote(options.out)} && snakemake --cores 8",
    ]
    for number, text in enumerate(todo, 1):
        print(f"  {number}. {text}")
    return 0


def _inspect(options: argparse.Namespace) -> int:
    from cd40l_flow.fcs.inspect import inspect_file
    from cd40l_flow.result.inspection import as_json, as_text

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A label may hold letters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    refused = False
    for file in options.files:
        found = inspect_file(file)
        refused |= found.error is not None
        try:
            print(as_json(found) if options.json else as_text(found), flush=True)
        except BrokenPipeError:
            # Whoever reads has seen enough; nothing more can be written, at exit neither.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            break
    return int(refused)


def _run(options: argparse.Namespace) -> int:
    from cd40l_flow.cohort.plan import load_plan
    from cd40l_flow.result.reviews import files_by_sample

    plan = load_plan(options.configfile)
    if options.sample not in plan.samples:
        known = ", ".join(list(plan.samples)[:10]) + (", ..." if len(plan.samples) > 10 else "")
        raise Cd40lFlowError(f"--sample {options.sample}: not in {plan.config.samples}, which has {known}.")
    job = plan.job(options.sample)
    failed = [not _analyse_alone(plan.job(name), []) for name in sorted(job.controls)]
    results = [SAMPLES / name / "result.json" for name in sorted(job.controls)]
    # A control is measured together with the others of its run; their results are only shown beside it.
    failed.append(not _analyse_alone(job, [] if job.sample.role == "control" else results))
    reviews = files_by_sample(plan.config.reviews).get(options.sample, [])
    result = SAMPLES / options.sample / "result.json"
    _write_report(result, results, result.with_name("report.html"), reviews)
    return int(any(failed))


def _analyse_alone(job: Job, control_results: Sequence[Path]) -> bool:
    """Analyse one sample into its place among the results; return whether that went well."""
    from cd40l_flow.cohort.job import planned
    from cd40l_flow.steps import Outputs

    return _analyse_job(planned(job), control_results, Outputs.of(SAMPLES / job.sample.sample), "")


def _analyse(options: argparse.Namespace) -> int:
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


def _analyse_job(job: PlannedJob, control_results: Sequence[Path], outputs: Outputs, log: str) -> bool:
    """Analyse one sample; what fails is written as a result that says so. Return whether it went well."""
    from cd40l_flow.steps import analyse_step, fail_analysis, tell_traceback, told

    start = time.perf_counter()
    failure = ""
    try:
        result = analyse_step(job, control_results, outputs)
    except Exception as error:  # noqa: BLE001  whatever it is, it costs this sample and no other
        tell_traceback(error, job)
        failure = told(error, job) + (f" (see {log})" if log else "")
    if failure:
        # Outside the handler: what the failed step held is let go of first.
        result = fail_analysis(job, outputs, failure)
    reasons = f" ({', '.join(result.reasons)})" if result.reasons else ""
    events = result.activated_events
    cells = "no activated cells measured" if events is None else f"{events} activated cells"
    print(f"analyse {job.job.sample.sample}: {result.call}{reasons}, {cells}, {_used(start)}", file=sys.stderr)
    for message in result.messages:
        if message.severity == "error":
            print(f"  {message.code}: {message.text}", file=sys.stderr)
    return not failure


def _report(options: argparse.Namespace) -> int:
    from cd40l_flow.result.failed import note_failure, write_failed_report
    from cd40l_flow.result.record import read_record
    from cd40l_flow.steps import ended

    result = Path(options.result)
    if options.failed is not None:
        why = ended(options.failed, options.log)
        note_failure(result.parent, "report", why)
        write_failed_report(Path(options.out), result.parent.name, why)
        print(f"report {result.parent.name}: {why}", file=sys.stderr)
        return 0
    controls, reviews = ([Path(path) for path in paths] for paths in (options.controls, options.reviews))
    if options.shown_controls:
        names = sorted(read_record(result).controls)
        controls = [result.parent.parent / name / "result.json" for name in names]
    _write_report(result, controls, Path(options.out), reviews)
    return 0


def _write_report(result: Path, controls: Sequence[Path], out: Path, reviews: Sequence[Path]) -> None:
    from cd40l_flow.report.provenance import provenance
    from cd40l_flow.report.sample import write_report

    start = time.perf_counter()
    pairs = [(path, path.with_name("densities.npz")) for path in controls]
    for text in write_report(result, result.with_name("densities.npz"), pairs, out, provenance(), reviews):
        print(f"  {text}", file=sys.stderr)
    print(f"report {result.parent.name}: {out}, {_used(start)}", file=sys.stderr)


def _used(start: float) -> str:
    """Return what this process has taken: seconds since ``start``, processor time since it began, most memory."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    # Of Linux in kilobytes, of macOS in bytes.
    memory = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    seconds = time.perf_counter() - start
    return f"{seconds:.1f} s ({used.ru_utime + used.ru_stime:.2f} s of processor time, {memory:.0f} MB)"


def _figures(options: argparse.Namespace) -> int:
    from cd40l_flow.base.disk import write_whole
    from cd40l_flow.figures.main_figure import encoded
    from cd40l_flow.plot import main as main_figure
    from cd40l_flow.plot import read
    from cd40l_flow.result.record import read_record

    path = Path(options.result)
    record = read_record(path)
    sample, beside = read(path), [path.parent.parent / name / path.name for name in sorted(record.controls)]
    missing = [str(one) for one in beside[:1] if not one.is_file()]
    for one in missing:
        print(f"  {one} is not there: the sample is drawn without its control.", file=sys.stderr)
    control = read(beside[0]) if beside and not missing else None
    reagents = [str(one["reagent"]) for one in sample.densities.index["scatter"]]
    if not reagents:
        raise Cd40lFlowError(f"{path}: nothing was measured, so there is nothing to draw. Its report says why.")
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    for reagent in reagents:
        name = out / f"{record.sample}_{reagent.lower().replace('-', '')}.{options.format}"
        write_whole(name, encoded(main_figure(sample, control, reagent), options.format))
        print(name)
    return 0


def _export(options: argparse.Namespace) -> int:
    from cd40l_flow.cohort.job import read_job
    from cd40l_flow.cohort.plan import load_plan
    from cd40l_flow.result.record import read_record

    start = time.perf_counter()
    if options.failed is not None:
        return _no_export(options)
    gates = (options.gatingml, options.wsp, options.table)
    if any(gates) != all(gates) or not (any(gates) or options.measures or options.h5ad):
        raise Cd40lFlowError("export: name --gatingml, --wsp and --table together, or --measures, or --h5ad.")
    result = read_record(options.result)
    told = []
    if all(gates) or options.h5ad:
        job = read_job(options.job).job if options.job else load_plan(options.configfile).job(result.sample)
    if all(gates):
        from cd40l_flow.interop.export import export_gates

        rows = export_gates(result, job, *(Path(path) for path in gates), written=options.read_back)
        tubes = len({row.tube for row in rows})
        told.append(f"{len(rows)} gates of {tubes} tubes read back with equal counts" if rows else "no tube to gate")
    if options.measures:
        from cd40l_flow.result.measures_table import write_measures

        told.append(f"{write_measures(result, Path(options.measures))} measures")
    if options.h5ad:
        from cd40l_flow.interop.anndata_file import write_h5ad

        told.append(f"{write_h5ad(result, job, Path(options.h5ad), options.population)} events as AnnData")
    print(f"export {result.sample}: {', '.join(told)}, {_used(start)}", file=sys.stderr)
    return 0


def _no_export(options: argparse.Namespace) -> int:
    """Write the table that stands for a comparison that was not made, or found a difference."""
    from cd40l_flow.base.disk import write_whole
    from cd40l_flow.result.failed import note_failure
    from cd40l_flow.steps import ended

    why, folder = ended(options.failed, options.log), Path(options.result).parent
    note_failure(folder, "export", why)
    write_whole(options.table, f"not read back\n{why}\n")
    print(f"export {folder.name}: {why}", file=sys.stderr)
    return 0


def _override(options: argparse.Namespace) -> int:
    from cd40l_flow.interop.override_lines import append_overrides, find_overrides
    from cd40l_flow.result.record import read_record

    by = options.by if options.by is not None else _ask("--by", "Who moved the gates (initials or a role): ")
    reason = options.reason if options.reason is not None else _ask("--reason", "Why: ")
    result = read_record(options.result)
    found = find_overrides(result, Path(options.file), by=by, reason=reason, tube=options.tube)
    for remark in found.told:
        print(f"  {remark}", file=sys.stderr)
    added = append_overrides(found.lines, Path(options.out)) if found.lines else 0
    for line in found.lines:
        print(f"  {line['gate']} = {line['value']} ({line['tube'] or 'all tubes'})", file=sys.stderr)
    wrote = f"{added} lines added to {options.out}" if found.lines else "no boundary was moved"
    if added < len(found.lines):
        wrote += f"; {len(found.lines) - added} were in it already"
    print(f"override {result.sample}: {wrote}", file=sys.stderr)
    return 0


def _ask(option: str, question: str) -> str:
    if not sys.stdin.isatty():
        raise Cd40lFlowError(f"override: {option} is required: an override tells who moved a gate, and why.")
    return input(question)


def _summarize(options: argparse.Namespace) -> int:
    from cd40l_flow.cohort.reference import load_reference
    from cd40l_flow.report.index import write_index
    from cd40l_flow.result.cohort import Cohort, named_entries
    from cd40l_flow.result.reviews import review_files
    from cd40l_flow.result.summary import write_summary

    reviews = [
        file for place in options.reviews for file in ([place] if place.endswith(".json") else review_files(place)[0])
    ]
    if options.results:
        cohort = None
    else:
        cohort = Cohort(_samples_of(options.samples), SAMPLES.parent, Path(options.jobs) if options.jobs else None)

    def entries() -> Iterator[Entry]:
        if cohort is not None:
            return cohort.entries()
        return iter(named_entries(sorted(map(Path, options.results))))

    # A result may be moved away once the summary is written, so it is the last.
    if options.index:
        reference = load_reference(options.reference[0]) if options.reference else None
        write_index(list(entries()), options.index, reviews, reference)
    if options.multiqc:
        from cd40l_flow.interop.multiqc import write_multiqc

        write_multiqc([entry.result for entry in entries()], Path(options.multiqc))
    count, faults = 0, []
    if options.summary:

        def rows() -> Iterator[tuple[Result, str]]:
            nonlocal count
            for entry in entries():
                count += 1
                if entry.fault:
                    faults.append((entry.sample, entry.fault))
                yield entry.result, entry.digest

        write_summary(rows(), options.summary, reviews)
        if cohort is not None and options.jobs:
            for place in cohort.supersede([sample for sample, _ in faults]):
                print(f"  moved away, for it is no present result: {place}", file=sys.stderr)
    written = [out for out in (options.summary, options.index, options.multiqc) if out]
    told = f"{count} samples: " if options.summary else ""
    print(f"summarize: {told}{', '.join(written)}", file=sys.stderr)
    for sample, fault in faults:
        print(f"  {sample}: {fault}", file=sys.stderr)
    return 0


def _reference(options: argparse.Namespace) -> int:
    from cd40l_flow.cohort.config import default_limits
    from cd40l_flow.result.record import read_record
    from cd40l_flow.result.reference import collect, tell, write_reference
    from cd40l_flow.result.reference_places import find_results, foreign

    places = find_results(options.results)
    limits = default_limits()
    results, refused = [], []
    for place in places:
        try:
            result = read_record(place, same_engine=False)
        except RecordError as error:
            refused.append(str(error))
            continue
        # Of other samples nothing is taken but their number.
        if result.role == "control" and (why := foreign(place, result)):
            refused.append(f"{place}: {why}")
        else:
            results.append((str(place), result))
    for text in refused:
        print(f"reference: left out: {text}", file=sys.stderr)
    content = collect(results, limits)
    write_reference(content, Path(options.out))
    print("\n".join(tell(content, int(limits["reference"]["fewest_controls"]))), file=sys.stderr)
    unproven = [result.sample for _, result in results if result.digest is None and result.role == "control"]
    if unproven:
        text = ", ".join(unproven[:10]) + (", ..." if len(unproven) > 10 else "")
        print(
            f"  of schema 1.0, which has no digest to prove them by: {len(unproven)} controls ({text})", file=sys.stderr
        )
    return int(bool(refused))


def _samples_of(sheet: str | None) -> list[str]:
    """Return the samples of a sheet: the paths of thousands do not fit into a command."""
    from cd40l_flow.cohort.sheets import SAMPLES as COLUMNS
    from cd40l_flow.cohort.sheets import read_sheet

    if sheet is None:
        raise Cd40lFlowError(
            "summarize: no results are named. Name them, or the sheet of their samples with --samples."
        )
    rows, problems = read_sheet(sheet, COLUMNS)
    if problems := [problem for problem in problems if problem.severity == "fatal"]:
        raise InputsError(problems)
    return [str(row.cells["sample"]) for row in rows.rows]


def _simulate(options: argparse.Namespace) -> int:
    from cd40l_flow.simulate import named, write_cohort

    cohort, parameters = named(options.scenario) if options.scenario else (None, None)
    written = write_cohort(
        Path(options.out),
        options.seed,
        cohort=cohort,
        per_event=options.per_event,
        events_scale=options.events_scale,
        parameters=parameters,
    )
    print(f"simulate: {len(written)} files in {options.out}", file=sys.stderr)
    return 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "check": _check,
    "init": _init,
    "inspect": _inspect,
    "run": _run,
    "analyse": _analyse,
    "report": _report,
    "figures": _figures,
    "export": _export,
    "override": _override,
    "summarize": _summarize,
    "reference": _reference,
    "simulate": _simulate,
}


if __name__ == "__main__":
    sys.exit(main())

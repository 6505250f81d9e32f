"""The command line: what the rules call, and what people call."""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cd40l_flow import __version__
from cd40l_flow.errors import Cd40lFlowError, InputsError

if TYPE_CHECKING:
    from cd40l_flow.errors import Problem
    from cd40l_flow.inputs.model import Job

CONFIG = "config/config.yaml"
CHECK = Path("results/check.json")
SAMPLES = Path("results/samples")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when every sample has a result, 2 for a mistake in the inputs, told without a
    traceback.
    """
    options = _parser().parse_args(arguments)
    try:
        if hasattr(options, "configfile"):
            options.configfile = _enter(options.directory, options.configfile)
        code: int = options.run(options)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cd40l-flow",
        description="CD154 and CD40-Ig on activated CD4+ T cells, from FCS files to calls and reports. "
        "Research use only.",
    )
    parser.add_argument("--version", action="version", version=f"cd40l-flow {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--directory", metavar="D", default=".", help="working directory (default: the current one)")
    where.add_argument("--configfile", metavar="F", help=f"configuration (default: {CONFIG} in the working directory)")

    check = commands.add_parser("check", parents=[where], help="check sheets, configuration and FCS headers")
    check.add_argument("--out", default=str(CHECK), help="where the problems are written (default: %(default)s)")
    check.set_defaults(run=_check)

    init = commands.add_parser("init", help="draft sheets and configuration from a folder of FCS files")
    init.add_argument("out", metavar="DIR", help="working directory to write to; no file there is ever overwritten")
    init.add_argument(
        "--fcs", metavar="FOLDER", help="folder of the FCS files; its folders are read too (default: DIR/fcs)"
    )
    init.add_argument(
        "--workflow", action="store_true", help="write only what snakemake needs, beside sheets that are there"
    )
    init.set_defaults(run=_init)

    inspect = commands.add_parser("inspect", help="tell what is in FCS files, and what is wrong with them")
    inspect.add_argument("files", nargs="+", metavar="FILE", help="an FCS file")
    inspect.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    inspect.set_defaults(run=_inspect)

    run = commands.add_parser("run", parents=[where], help="analyse one sample and its controls, and write its report")
    run.add_argument("--sample", required=True, metavar="S", help="a sample of the sheet")
    run.set_defaults(run=_run)

    analyse = commands.add_parser("analyse", help="analyse one sample (called by the workflow)")
    analyse.add_argument("--job", required=True, help="what the result depends on, as JSON")
    analyse.add_argument("--controls", nargs="*", default=[], metavar="RESULT", help="results of its controls")
    analyse.add_argument("--result", required=True, help="result.json to write")
    analyse.add_argument("--densities", required=True, help="densities.npz to write")
    analyse.add_argument("--gatingml", metavar="XML", help="its gates as Gating-ML 2.0, to write with the next")
    analyse.add_argument("--wsp", help="its gates as FlowJo workspace, to write")
    analyse.add_argument("--measures", metavar="TSV", help="long table of its measures to write")
    analyse.set_defaults(run=_analyse)

    report = commands.add_parser("report", help="write the report of one sample (called by the workflow)")
    report.add_argument("--result", required=True, help="its result.json; densities.npz lies beside it")
    report.add_argument("--controls", nargs="*", default=[], metavar="RESULT", help="results of its controls")
    report.add_argument("--reviews", nargs="*", default=[], metavar="REVIEW", help="review files of the sample")
    report.add_argument("--out", required=True, help="report.html to write")
    report.set_defaults(run=_report)

    export = commands.add_parser(
        "export", parents=[where], help="write the gates, measures or events of one sample for other programs"
    )
    export.add_argument("--result", required=True, help="its result.json")
    export.add_argument("--job", help="what the result depends on, as JSON (default: as the configuration says)")
    gates = export.add_argument_group("gates, read back by FlowKit before they are left; all three or none")
    gates.add_argument("--gatingml", metavar="XML", help="Gating-ML 2.0 to write")
    gates.add_argument("--wsp", help="FlowJo workspace to write")
    gates.add_argument("--table", metavar="TSV", help="comparison of the counts to write")
    gates.add_argument(
        "--read-back", action="store_true", help="the first two are there: only read them back and compare"
    )
    export.add_argument("--measures", metavar="FILE", help="long table of measures to write: .tsv or .parquet")
    export.add_argument("--h5ad", metavar="FILE", help="AnnData of the gated events to write")
    export.add_argument(
        "--population", metavar="NAME", default="viable", help="whose events --h5ad takes (default: %(default)s)"
    )
    export.set_defaults(run=_export)

    override = commands.add_parser("override", help="turn gates that were moved in another program into overrides")
    override.add_argument(
        "--from", required=True, dest="file", metavar="FILE", help="FlowJo workspace or Gating-ML file"
    )
    override.add_argument("--result", required=True, help="result.json of the sample the gates were moved for")
    override.add_argument(
        "--by", metavar="NAME", help="who moved them, as initials or a role (asked for on a terminal)"
    )
    override.add_argument("--reason", metavar="TEXT", help="why, in words that the report repeats (asked for as well)")
    override.add_argument("--tube", metavar="FCS", help="take the gates of this tube only")
    override.add_argument("--out", default="config/overrides.tsv", help="sheet to add lines to (default: %(default)s)")
    override.set_defaults(run=_override)

    summarize = commands.add_parser("summarize", help="write summary.tsv or index.html from all results")
    summarize.add_argument("results", nargs="*", metavar="RESULT", help="result.json of every sample")
    summarize.add_argument(
        "--samples", metavar="SHEET", help=f"instead: the samples sheet; takes {SAMPLES}/*/result.json of its samples"
    )
    summarize.add_argument("--reviews", nargs="*", default=[], metavar="REVIEW", help="review files of the samples")
    summarize.add_argument("--summary", help="summary.tsv to write")
    summarize.add_argument("--index", help="index.html to write; it links reports beside the results")
    summarize.add_argument(
        "--multiqc", metavar="JSON", help="custom content for MultiQC to write, further sections beside it"
    )
    summarize.add_argument("--reference", nargs="*", default=[], help="the laboratory's limits, for the control charts")
    summarize.set_defaults(run=_summarize)

    reference = commands.add_parser("reference", help="the laboratory's own limits, from its healthy controls")
    reference.add_argument("results", nargs="+", metavar="RESULTS", help="a results folder, or a result.json")
    reference.add_argument("--out", required=True, metavar="FILE", help="file to write, as config/reference.json")
    reference.set_defaults(run=_reference)

    simulate = commands.add_parser("simulate", help="write a cohort with known truth: FCS files, sheets, configuration")
    simulate.add_argument("out", metavar="DIR", help="folder to write to; other files in it stay")
    simulate.add_argument("--seed", type=int, required=True, help="the same seed gives the same bytes")
    simulate.add_argument("--events-scale", type=float, default=1.0, help="events of each tube, times (default: 1)")
    simulate.add_argument("--per-event", action="store_true", help="write the truth of every event too")
    simulate.set_defaults(run=_simulate)
    return parser


def _check(options: argparse.Namespace) -> int:
    from cd40l_flow.inputs.check import check_files
    from cd40l_flow.inputs.plan import load_plan
    from cd40l_flow.outputs.problems import write_problems
    from cd40l_flow.outputs.reviews import folder_problems

    out = Path(options.out)
    try:
        plan = load_plan(options.configfile)
    except InputsError as error:
        write_problems(error.problems, out)
        raise
    problems = [*plan.warnings, *check_files(plan), *folder_problems(plan.config.reviews, plan.samples)]
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

    from cd40l_flow.inputs.draft import draft
    from cd40l_flow.resources import working_files

    directory = Path(options.out)
    folder = Path(options.fcs) if options.fcs else directory / "fcs"
    files, todo = dict(working_files()), []
    if not options.workflow:
        if not folder.is_dir():
            raise Cd40lFlowError(f"{folder}: there is no such folder. Name the folder of the FCS files with --fcs.")
        found = draft(folder, Path(os.path.relpath(folder, directory)).as_posix())
        files, todo = {**found.files, **files}, list(found.todo)
    there = [str(directory / name) for name in files if (directory / name).exists()]
    if there:
        raise Cd40lFlowError(
            f"{', '.join(there)}: there already, nothing was written. Name another folder, or move them."
        )
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        print(f"init: {path}")
    print("Still to do:")
    todo += [
        f"Check: cd40l-flow check --directory {quote(options.out)}",
        f"Run: cd {quote(options.out)} && snakemake --cores 8",
    ]
    for number, text in enumerate(todo, 1):
        print(f"  {number}. {text}")
    return 0


def _inspect(options: argparse.Namespace) -> int:
    from cd40l_flow.inputs.inspect import inspect_file
    from cd40l_flow.outputs.inspection import as_json, as_text

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
    from cd40l_flow.inputs.plan import load_plan
    from cd40l_flow.outputs.reviews import files_by_sample

    plan = load_plan(options.configfile)
    if options.sample not in plan.samples:
        known = ", ".join(list(plan.samples)[:10]) + (", ..." if len(plan.samples) > 10 else "")
        raise Cd40lFlowError(f"--sample {options.sample}: not in {plan.config.samples}, which has {known}.")
    job = plan.job(options.sample)
    results = [_analyse_alone(plan.job(name), []) for name in sorted(job.controls)]
    # A control is measured together with the others of its run; their results are only shown beside it.
    result = _analyse_alone(job, [] if job.sample.role == "control" else results)
    reviews = files_by_sample(plan.config.reviews).get(options.sample, [])
    _write_report(result, results, result.with_name("report.html"), reviews)
    return 0


def _analyse_alone(job: Job, control_results: Sequence[Path]) -> Path:
    """Analyse one sample into its place among the results; return the path of its result."""
    folder = SAMPLES / job.sample.sample
    gates = folder / "gates.gatingml.xml", folder / "gates.wsp"
    result = folder / "result.json"
    _analyse_job(job, control_results, result, folder / "densities.npz", gates, folder / "measures.tsv")
    return result


def _analyse(options: argparse.Namespace) -> int:
    from cd40l_flow.inputs.job import job_from_json

    if bool(options.gatingml) != bool(options.wsp):
        raise Cd40lFlowError("analyse: name --gatingml and --wsp together.")
    gates = (Path(options.gatingml), Path(options.wsp)) if options.gatingml else None
    measures = Path(options.measures) if options.measures else None
    paths = Path(options.result), Path(options.densities)
    _analyse_job(job_from_json(options.job), [Path(path) for path in options.controls], *paths, gates, measures)
    return 0


def _analyse_job(
    job: Job,
    control_results: Sequence[Path],
    result_path: Path,
    densities_path: Path,
    gates: tuple[Path, Path] | None,
    measures: Path | None,
) -> None:
    from cd40l_flow.analyse import analyse
    from cd40l_flow.outputs.densities import write_densities
    from cd40l_flow.outputs.result import write_result
    from cd40l_flow.outputs.summary import read_results

    start = time.perf_counter()
    controls = {str(result["sample"]): result for result in read_results(control_results)}
    result, arrays = analyse(job, controls)
    write_densities(arrays, densities_path)
    write_result(result, result_path)
    if gates is not None:
        from cd40l_flow.outputs.gate_files import write_gates

        write_gates(result, job, *gates)
    if measures is not None:
        from cd40l_flow.outputs.measures_table import write_measures

        write_measures(result, measures)
    reasons = f" ({', '.join(result['reasons'])})" if result["reasons"] else ""
    events = result["activated_events"]
    cells = "no activated cells measured" if events is None else f"{events} activated cells"
    print(f"analyse {job.sample.sample}: {result['call']}{reasons}, {cells}, {_used(start)}", file=sys.stderr)
    for message in result["messages"]:
        if message["severity"] == "error":
            print(f"  {message['code']}: {message['text']}", file=sys.stderr)


def _report(options: argparse.Namespace) -> int:
    controls, reviews = ([Path(path) for path in paths] for paths in (options.controls, options.reviews))
    _write_report(Path(options.result), controls, Path(options.out), reviews)
    return 0


def _write_report(result: Path, controls: Sequence[Path], out: Path, reviews: Sequence[Path]) -> None:
    from cd40l_flow.outputs.provenance import provenance
    from cd40l_flow.outputs.report import write_report

    start = time.perf_counter()
    pairs = [(path, path.with_name("densities.npz")) for path in controls]
    write_report(result, result.with_name("densities.npz"), pairs, out, provenance(), reviews)
    print(f"report {result.parent.name}: {out}, {_used(start)}", file=sys.stderr)


def _used(start: float) -> str:
    """Return what this process has taken: seconds since ``start``, processor time since it began, most memory."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    # Of Linux in kilobytes, of macOS in bytes.
    memory = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    seconds = time.perf_counter() - start
    return f"{seconds:.1f} s ({used.ru_utime + used.ru_stime:.2f} s of processor time, {memory:.0f} MB)"


def _export(options: argparse.Namespace) -> int:
    from cd40l_flow.inputs.job import job_from_json
    from cd40l_flow.inputs.plan import load_plan
    from cd40l_flow.outputs.summary import read_results

    start = time.perf_counter()
    gates = (options.gatingml, options.wsp, options.table)
    if any(gates) != all(gates) or not (any(gates) or options.measures or options.h5ad):
        raise Cd40lFlowError("export: name --gatingml, --wsp and --table together, or --measures, or --h5ad.")
    result = read_results([Path(options.result)])[0]
    told = []
    if all(gates) or options.h5ad:
        job = job_from_json(options.job) if options.job else load_plan(options.configfile).job(result["sample"])
    if all(gates):
        from cd40l_flow.outputs.export import export_gates

        rows = export_gates(result, job, *(Path(path) for path in gates), written=options.read_back)
        tubes = len({row.tube for row in rows})
        told.append(f"{len(rows)} gates of {tubes} tubes read back with equal counts" if rows else "no tube to gate")
    if options.measures:
        from cd40l_flow.outputs.measures_table import write_measures

        told.append(f"{write_measures(result, Path(options.measures))} measures")
    if options.h5ad:
        from cd40l_flow.outputs.anndata_file import write_h5ad

        told.append(f"{write_h5ad(result, job, Path(options.h5ad), options.population)} events as AnnData")
    print(f"export {result['sample']}: {', '.join(told)}, {_used(start)}", file=sys.stderr)
    return 0


def _override(options: argparse.Namespace) -> int:
    from cd40l_flow.outputs.override_lines import append_overrides, find_overrides
    from cd40l_flow.outputs.summary import read_results

    by = options.by if options.by is not None else _ask("--by", "Who moved the gates (initials or a role): ")
    reason = options.reason if options.reason is not None else _ask("--reason", "Why: ")
    result = read_results([Path(options.result)])[0]
    found = find_overrides(result, Path(options.file), by=by, reason=reason, tube=options.tube)
    for remark in found.told:
        print(f"  {remark}", file=sys.stderr)
    if found.lines:
        append_overrides(found.lines, Path(options.out))
    for line in found.lines:
        print(f"  {line['gate']} = {line['value']} ({line['tube'] or 'all tubes'})", file=sys.stderr)
    wrote = f"{len(found.lines)} lines added to {options.out}" if found.lines else "no boundary was moved"
    print(f"override {result['sample']}: {wrote}", file=sys.stderr)
    return 0


def _ask(option: str, question: str) -> str:
    if not sys.stdin.isatty():
        raise Cd40lFlowError(f"override: {option} is required: an override tells who moved a gate, and why.")
    return input(question)


def _summarize(options: argparse.Namespace) -> int:
    from cd40l_flow.outputs.index import write_index
    from cd40l_flow.outputs.summary import read_results, write_summary

    results = sorted(map(Path, options.results) if options.results else _results_of(options.samples))
    if options.summary:
        write_summary(results, options.summary, options.reviews)
    if options.index:
        folder = Path(options.index).parent
        links = [Path(os.path.relpath(path.with_name("report.html"), folder)).as_posix() for path in results]
        references = read_results(options.reference)
        reference = references[0] if references else None
        write_index(results, links, options.index, options.reviews, reference)
    if options.multiqc:
        from cd40l_flow.outputs.multiqc import write_multiqc

        write_multiqc(read_results(results), Path(options.multiqc))
    written = [out for out in (options.summary, options.index, options.multiqc) if out]
    print(f"summarize: {len(results)} samples: {', '.join(written)}", file=sys.stderr)
    return 0


def _reference(options: argparse.Namespace) -> int:
    from cd40l_flow.config import default_limits
    from cd40l_flow.outputs.reference import collect, find_results, tell, write_reference
    from cd40l_flow.outputs.summary import read_results

    places = find_results(options.results)
    limits = default_limits()
    content = collect(
        [(str(place), result) for place, result in zip(places, read_results(places), strict=True)], limits
    )
    write_reference(content, Path(options.out))
    print("\n".join(tell(content, int(limits["reference"]["fewest_controls"]))), file=sys.stderr)
    return 0


def _results_of(sheet: str | None) -> list[Path]:
    """Return the results of the samples of a sheet: the paths of thousands do not fit into a command."""
    from cd40l_flow.inputs.sheets import SAMPLES as COLUMNS
    from cd40l_flow.inputs.sheets import read_sheet

    if sheet is None:
        raise Cd40lFlowError(
            "summarize: no results are named. Name them, or the sheet of their samples with --samples."
        )
    rows, problems = read_sheet(sheet, COLUMNS)
    if problems := [problem for problem in problems if problem.severity == "fatal"]:
        raise InputsError(problems)
    return [SAMPLES / str(row.cells["sample"]) / "result.json" for row in rows.rows]


def _simulate(options: argparse.Namespace) -> int:
    from cd40l_flow.simulate import write_cohort

    written = write_cohort(
        Path(options.out), options.seed, per_event=options.per_event, events_scale=options.events_scale
    )
    print(f"simulate: {len(written)} files in {options.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

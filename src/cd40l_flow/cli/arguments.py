"""What the command line takes: its commands and their options."""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path

from cd40l_flow import __version__

CONFIG = "config/config.yaml"
CHECK = Path("results/check.json")
SAMPLES = Path("results/samples")
REVIEWS = Path("reviews")
FHIR = "report.fhir.json"


@cache
def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; ``command`` of what it parses is the name of the command."""
    top = argparse.ArgumentParser(
        prog="cd40l-flow",
        description="CD154 and CD40-Ig on activated CD4+ T cells, from FCS files to calls and reports. "
        "Research use only.",
    )
    top.add_argument("--version", action="version", version=f"cd40l-flow {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command")

    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--directory", metavar="D", default=".", help="working directory (default: the current one)")
    where.add_argument("--configfile", metavar="F", help=f"configuration (default: {CONFIG} in the working directory)")

    check = commands.add_parser("check", parents=[where], help="check sheets, configuration and FCS headers")
    check.add_argument("--out", default=str(CHECK), help="where the problems are written (default: %(default)s)")

    check.add_argument(
        "--full", action="store_true", help="read every byte of all files, and compare it with what results are made of"
    )

    init = commands.add_parser("init", help="draft sheets and configuration from a folder of FCS files")
    init.add_argument("out", metavar="DIR", help="working directory to write to; no file there is ever overwritten")
    init.add_argument(
        "--fcs", metavar="FOLDER", help="folder of the FCS files; its folders are read too (default: DIR/fcs)"
    )
    init.add_argument(
        "--xlsx",
        action="store_true",
        help="write the sheets as one workbook (config/sheets.xlsx) for Excel or LibreOffice",
    )
    init.add_argument(
        "--workflow", action="store_true", help="write only what snakemake needs, where sheets exist already"
    )

    inspect = commands.add_parser("inspect", help="list what is in FCS files, and what is wrong with them")
    inspect.add_argument("files", nargs="+", metavar="FILE", help="an FCS file")
    inspect.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")

    run = commands.add_parser("run", parents=[where], help="analyse one sample and its controls, and write its report")
    run.add_argument("--sample", required=True, metavar="S", help="a sample of the sheet")

    step = argparse.ArgumentParser(add_help=False)
    step.add_argument("--log", default="the log", help="log of the step, named where it fails")
    step.add_argument(
        "--failed", type=int, metavar="CODE", help="write what replaces the outputs of a step that ended with this code"
    )

    signed = argparse.ArgumentParser(add_help=False)
    signed.add_argument(
        "--reviews", nargs="*", default=[], metavar="REVIEW", help="signed review files, or the folder of them"
    )
    signed.add_argument(
        "--ledger",
        nargs="*",
        default=[],
        metavar="JSONL",
        help="ledger of the reviews (default: the one in a folder given to --reviews)",
    )
    signed.add_argument(
        "--reviewers", metavar="JSON", default="[]", help="the reviewers of the configuration, as a list in JSON"
    )

    analyse = commands.add_parser("analyse", parents=[step], help="analyse one sample (called by the workflow)")
    analyse.add_argument("--job", required=True, metavar="FILE", help="what the result depends on")
    analyse.add_argument(
        "--controls", nargs="*", default=[], metavar="RESULT", help="results of its controls (default: next to its own)"
    )
    analyse.add_argument("--result", required=True, help="result.json to write")
    analyse.add_argument("--densities", required=True, help="densities.npz to write")
    analyse.add_argument("--gatingml", metavar="XML", help="its gates as Gating-ML 2.0, to write with the next")
    analyse.add_argument("--wsp", help="its gates as FlowJo workspace, to write")
    analyse.add_argument("--measures", metavar="TSV", help="long table of its measures to write")

    report = commands.add_parser(
        "report", parents=[step, signed], help="write the report of one sample (called by the workflow)"
    )
    report.add_argument("--result", required=True, help="its result.json; densities.npz is next to it")
    report.add_argument("--controls", nargs="*", default=[], metavar="RESULT", help="results of its controls")
    report.add_argument(
        "--shown-controls", action="store_true", help="instead: those that the result names, next to its own"
    )
    report.add_argument("--out", required=True, help="report.html to write")
    report.add_argument("--fhir", metavar="JSON", help="FHIR R4 bundle to write as well, for laboratory systems")

    export = commands.add_parser(
        "export", parents=[where, step], help="write the gates, measures or events of one sample for other programs"
    )
    export.add_argument("--result", required=True, help="its result.json")
    export.add_argument("--job", metavar="FILE", help="what the result depends on (default: as the configuration says)")
    gates = export.add_argument_group("gates, read back by FlowKit before they are kept; all three or none")
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

    figures = commands.add_parser("figures", help="draw the main figure of each reagent of a sample, for letters")
    figures.add_argument(
        "--result", required=True, metavar="R", help="its result.json; those of its controls are next to it"
    )
    figures.add_argument("--out", required=True, metavar="DIR", help="folder to write to, as P01_cd154.svg")
    figures.add_argument("--format", choices=("svg", "pdf", "png"), default="svg", help="(default: %(default)s)")

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

    summarize = commands.add_parser(
        "summarize", parents=[signed], help="write summary.tsv or index.html from all results"
    )
    summarize.add_argument("results", nargs="*", metavar="RESULT", help="result.json of every sample")
    summarize.add_argument(
        "--samples", metavar="SHEET", help=f"instead: the samples sheet; takes {SAMPLES}/*/result.json of its samples"
    )
    summarize.add_argument(
        "--jobs",
        metavar="FOLDER",
        help="jobs of the workflow, with --samples: what is not a present result gets a row that says so, and is moved "
        "to results/superseded",
    )
    summarize.add_argument("--summary", help="summary.tsv to write")
    summarize.add_argument("--index", help="index.html to write; it links reports next to the results")
    summarize.add_argument(
        "--multiqc", metavar="JSON", help="custom content for MultiQC to write, further sections next to it"
    )
    summarize.add_argument(
        "--subjects", metavar="TSV", help="subjects.tsv to write, the page of each person next to it"
    )
    summarize.add_argument("--reference", nargs="*", default=[], help="the laboratory's limits, for the control charts")

    methods = commands.add_parser("methods", help="print the methods and their references, for a paper")
    methods.add_argument(
        "--result", metavar="R", help="a result.json whose limits are printed (default: those of the program)"
    )

    crate = commands.add_parser("crate", help="describe the results of a run as an RO-Crate (Workflow Run Crate)")
    crate.add_argument("results", metavar="RESULTS", help="a results folder with its run.json")
    crate.add_argument("--license", metavar="L", help="license of the results, a URL or words (default: none is given)")

    reference = commands.add_parser("reference", help="the laboratory's own limits, from its healthy controls")
    reference.add_argument("results", nargs="+", metavar="RESULTS", help="a results folder, or a result.json")
    reference.add_argument("--out", required=True, metavar="FILE", help="file to write, as config/reference.json")

    validate = commands.add_parser("validate", help="the laboratory's validation file, from its results")
    validate.add_argument("results", nargs="+", metavar="DIR", help="a results folder, or a folder of such")
    validate.add_argument(
        "--out", required=True, metavar="FILE", help="page to write (.html); a table (.tsv) next to it"
    )
    validate.add_argument(
        "--method", metavar="TSV", help="values of another method: sample and negative_fraction, or other measures"
    )
    validate.add_argument(
        "--allowed", type=float, default=20.0, metavar="PERCENT", help="change allowed for stability (default: 20)"
    )

    history = commands.add_parser("history", help="control charts and a searchable table of samples over many runs")
    history.add_argument(
        "results", nargs="*", metavar="RESULTS", help="results folders, or folders of such; those of earlier calls stay"
    )
    history.add_argument(
        "--out", required=True, metavar="DIR", help="folder of history.parquet, which grows, and history.html"
    )

    prune = commands.add_parser("prune", help="list what of a results folder may be deleted, with sizes")
    prune.add_argument("results", nargs="+", metavar="RESULTS", help="a results folder")
    prune.add_argument("--unsigned", action="store_true", help="no review will come any more")
    prune.add_argument("--yes", action="store_true", help="delete it")

    simulate = commands.add_parser("simulate", help="write a cohort with known truth: FCS files, sheets, configuration")
    simulate.add_argument("out", metavar="DIR", help="folder to write to; other files in it stay")
    simulate.add_argument("--seed", type=int, required=True, help="the same seed gives the same bytes")
    simulate.add_argument("--events-scale", type=float, default=1.0, help="events of each tube, times (default: 1)")
    simulate.add_argument("--per-event", action="store_true", help="write the truth of every event too")
    what = simulate.add_mutually_exclusive_group()
    what.add_argument(
        "--scenario",
        metavar="NAME",
        help="one sample and its control, as carrier-half or memory-xhim; an unknown name lists them all",
    )
    what.add_argument(
        "--b-cells", action="store_true", help="a run of the assays memory_b and cd40 too, of the same subjects"
    )
    return top

"""Commands on results: summarize, reference, figures, methods, crate."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cd40l_flow.base.errors import Cd40lFlowError, InputsError, RecordError
from cd40l_flow.cli.arguments import SAMPLES
from cd40l_flow.cli.signed import reviews_of

if TYPE_CHECKING:
    from cd40l_flow.figures.main_panels import Person
    from cd40l_flow.result.cohort import Entry
    from cd40l_flow.result.types.result import Result


def figures(options: argparse.Namespace) -> int:
    """Draw the main figure of each reagent of a sample."""
    from cd40l_flow.base.disk import write_atomically
    from cd40l_flow.figures.main_figure import encoded
    from cd40l_flow.plot import main as main_figure
    from cd40l_flow.plot import read
    from cd40l_flow.result.record import read_record

    path = Path(options.result)
    record = read_record(path)
    sample, controls = read(path), [path.parent.parent / name / path.name for name in sorted(record.controls)]
    missing = [str(one) for one in controls[:1] if not one.is_file()]
    for one in missing:
        print(f"  {one} is not there: the sample is drawn without its control.", file=sys.stderr)
    control = read(controls[0]) if controls and not missing else None
    if record.assay != "cd40l":
        return _b_cell_figure(record, sample, control, options)
    reagents = [plot.reagent for plot in sample.densities.index.scatter]
    if not reagents:
        raise Cd40lFlowError(f"{path}: nothing was measured, so there is nothing to draw. Its report says why.")
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    for reagent in reagents:
        name = out / f"{record.sample}_{reagent.lower().replace('-', '')}.{options.format}"
        write_atomically(name, encoded(main_figure(sample, control, reagent), options.format))
        print(name)
    return 0


def _b_cell_figure(record: Result, sample: Person, control: Person | None, options: argparse.Namespace) -> int:
    """Draw the main figure of a sample of a B-cell assay."""
    from cd40l_flow.base.disk import write_atomically
    from cd40l_flow.figures.main_figure import encoded
    from cd40l_flow.plot import main as main_figure

    if record.memory is None and record.cd40 is None:
        raise Cd40lFlowError(
            f"{options.result}: nothing was measured, so there is nothing to draw. Its report says why."
        )
    drawn = main_figure(sample, control)
    name = Path(options.out) / f"{record.sample}_{record.assay}.{options.format}"
    name.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(name, encoded(drawn, options.format))
    print(name)
    return 0


def methods(options: argparse.Namespace) -> int:
    """Print the methods with their references, to be pasted into a paper."""
    from cd40l_flow.assay import citations
    from cd40l_flow.result.record import read_record

    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name may hold letters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    result = read_record(options.result) if options.result else None
    if result is None:
        described = citations.methods()
    else:
        described = citations.methods(result.configuration.limits, result.engine_version, [result.assay])
    print(described.text(), end="")
    return 0


def crate(options: argparse.Namespace) -> int:
    """Describe a results folder as an RO-Crate."""
    from cd40l_flow.interop.crate import METADATA, UNLICENSED, write_crate

    folder = Path(options.results)
    count = write_crate(folder, options.license or UNLICENSED)
    print(f"crate: {folder / METADATA} describes {count} files", file=sys.stderr)
    return 0


def summarize(options: argparse.Namespace) -> int:
    """Write the outputs of a cohort from its results."""
    from cd40l_flow.cohort.reference import load_reference
    from cd40l_flow.report.index import write_index
    from cd40l_flow.result.cohort import Cohort, named_entries
    from cd40l_flow.result.summary import write_summary

    reviews = reviews_of(options)
    ages: dict[str, float | None] = {}
    if options.results:
        cohort = None
    else:
        ages = _ages_of(options.samples)
        cohort = Cohort(ages, SAMPLES.parent, Path(options.jobs) if options.jobs else None)

    def entries() -> Iterator[Entry]:
        if cohort is not None:
            return cohort.entries()
        return iter(named_entries(sorted(map(Path, options.results))))

    # A result may be moved away once the summary is written, so it is the last.
    if options.index:
        reference = load_reference(options.reference[0]) if options.reference else None
        write_index(list(entries()), options.index, reviews, reference, people=cohort is not None)
    if options.subjects:
        from cd40l_flow.report.subjects.page import write_people

        write_people(list(entries()), options.subjects, reviews, ages, all_people=cohort is not None)
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
    written = [out for out in (options.summary, options.index, options.subjects, options.multiqc) if out]
    how_many = f"{count} samples: " if options.summary else ""
    print(f"summarize: {how_many}{', '.join(written)}", file=sys.stderr)
    for sample, fault in faults:
        print(f"  {sample}: {fault}", file=sys.stderr)
    return 0


def reference(options: argparse.Namespace) -> int:
    """Make the laboratory's own limits from its healthy controls."""
    from cd40l_flow.assay.limits import Limits
    from cd40l_flow.result.record import read_record
    from cd40l_flow.result.reference import collect, summary_lines, write_reference
    from cd40l_flow.result.reference_places import find_results, foreign

    places = find_results(options.results)
    limits = Limits()
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
    print("\n".join(summary_lines(content, limits.reference.fewest_controls)), file=sys.stderr)
    unproven = [result.sample for _, result in results if result.digest is None and result.role == "control"]
    if unproven:
        text = ", ".join(unproven[:10]) + (", ..." if len(unproven) > 10 else "")
        print(
            f"  of schema 1.0, which has no digest to prove them by: {len(unproven)} controls ({text})", file=sys.stderr
        )
    return int(bool(refused))


def _ages_of(sheet: str | None) -> dict[str, float | None]:
    """Return the samples of a sheet with their ages in years: the paths of thousands do not fit into a command."""
    from cd40l_flow.cohort.sheets import SAMPLES as COLUMNS
    from cd40l_flow.cohort.sheets import read_sheet

    if sheet is None:
        raise Cd40lFlowError(
            "summarize: no results are named. Name them, or the sheet of their samples with --samples."
        )
    rows, problems = read_sheet(sheet, COLUMNS)
    if problems := [problem for problem in problems if problem.severity == "fatal"]:
        raise InputsError(problems)
    return {str(row.cells["sample"]): row.cells["age_years"] for row in rows.rows}

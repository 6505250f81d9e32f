"""Commands on gates and events for other programs: export, override."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cd40l_flow.assay.lookup import assay_named, using
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cli.analysis import clocks, used

if TYPE_CHECKING:
    from cd40l_flow.result.types.result import Result


def export(options: argparse.Namespace) -> int:
    """Write gates, measures or events of one sample for other programs."""
    from cd40l_flow.result.record import read_record

    if options.failed is not None:
        return _no_export(options)
    gates = (options.gatingml, options.wsp, options.table)
    if any(gates) != all(gates) or not (any(gates) or options.measures or options.h5ad):
        raise Cd40lFlowError("export: name --gatingml, --wsp and --table together, or --measures, or --h5ad.")
    result = read_record(options.result)
    with using(assay_named(result.assay)):
        return _export(options, result)


def _export(options: argparse.Namespace, result: Result) -> int:
    from cd40l_flow.cohort.job import read_job
    from cd40l_flow.cohort.plan import load_plan

    start = clocks()
    gates = (options.gatingml, options.wsp, options.table)
    messages = []
    if all(gates) or options.h5ad:
        job = read_job(options.job).job if options.job else load_plan(options.configfile).job(result.sample)
    if all(gates):
        from cd40l_flow.interop.export import export_gates

        rows = export_gates(result, job, *(Path(path) for path in gates), written=options.read_back)
        tubes = len({row.tube for row in rows})
        messages.append(
            f"{len(rows)} gates of {tubes} tubes read back with equal counts" if rows else "no tube to gate"
        )
    if options.measures:
        from cd40l_flow.result.measures_table import write_measures

        messages.append(f"{write_measures(result, Path(options.measures))} measures")
    if options.h5ad:
        from cd40l_flow.interop.anndata_file import write_h5ad

        messages.append(f"{write_h5ad(result, job, Path(options.h5ad), options.population)} events as AnnData")
    print(f"export {result.sample}: {', '.join(messages)}, {used(start)}", file=sys.stderr)
    return 0


def _no_export(options: argparse.Namespace) -> int:
    """Write the table that replaces a comparison that was not made, or found a difference."""
    from cd40l_flow.base.disk import write_atomically
    from cd40l_flow.result.making.failed import note_failure
    from cd40l_flow.steps import ended

    why, folder = ended(options.failed, options.log), Path(options.result).parent
    note_failure(folder, "export", why)
    write_atomically(options.table, f"not read back\n{why}\n")
    print(f"export {folder.name}: {why}", file=sys.stderr)
    return 0


def override(options: argparse.Namespace) -> int:
    """Take gates that were moved in another program into the sheet of overrides."""
    from cd40l_flow.interop.override_lines import append_overrides, find_overrides
    from cd40l_flow.result.record import read_record

    by = options.by if options.by is not None else _ask("--by", "Who moved the gates (initials or a role): ")
    reason = options.reason if options.reason is not None else _ask("--reason", "Why: ")
    result = read_record(options.result)
    with using(assay_named(result.assay)):
        found = find_overrides(result, Path(options.file), by=by, reason=reason, tube=options.tube)
    for remark in found.messages:
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
        raise Cd40lFlowError(f"override: {option} is required: an override states who moved a gate, and why.")
    return input(question)

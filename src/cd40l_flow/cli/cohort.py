"""Commands on sheets and files: check, init, inspect, simulate."""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cd40l_flow.base.errors import Cd40lFlowError, InputsError
from cd40l_flow.cli.arguments import REVIEWS, SAMPLES

if TYPE_CHECKING:
    from cd40l_flow.base.errors import Problem


def check(options: argparse.Namespace) -> int:
    """Check sheets, configuration and files; write every problem to ``check.json``."""
    from cd40l_flow.cohort.check import check_dates, check_files
    from cd40l_flow.cohort.plan import load_plan
    from cd40l_flow.result.problems import write_problems
    from cd40l_flow.result.reviews.check import folder_problems

    out = Path(options.out)
    try:
        plan = load_plan(options.configfile)
    except InputsError as error:
        write_problems(error.problems, out)
        raise
    problems = [*plan.warnings, *check_files(plan), *check_dates(plan, time.time())]
    problems += folder_problems(plan.config.reviews, plan.samples, time.time())
    if options.full:
        from cd40l_flow.result.made_from import changed_contents

        problems += changed_contents(plan.samples, SAMPLES)
    write_problems(problems, out)
    _print_problems(problems, len(plan.samples), out)
    return 0


def _print_problems(problems: Sequence[Problem], samples: int, out: Path) -> None:
    affected = {problem.sample for problem in problems if problem.severity == "sample"}
    print(
        f"check: {samples} samples, {len(problems)} problems, {len(affected)} samples affected; see {out}",
        file=sys.stderr,
    )
    for problem in problems:
        print(f"  {problem.severity}: {problem}", file=sys.stderr)


def init(options: argparse.Namespace) -> int:
    """Draft sheets and a configuration from a folder of FCS files."""
    from shlex import quote

    from cd40l_flow.base.disk import write_atomically
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
        write_atomically(path, text)
        if text.startswith("#!"):
            # Whoever may read a script may run it.
            path.chmod(path.stat().st_mode | (path.stat().st_mode & 0o444) >> 2)
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


def inspect(options: argparse.Namespace) -> int:
    """Print what is in FCS files."""
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


def simulate(options: argparse.Namespace) -> int:
    """Write a cohort with known truth."""
    from cd40l_flow.simulate import b_cells, default_cohort, named, write_cohort

    out, seed = Path(options.out), options.seed
    size = {"events_scale": options.events_scale, "per_event": options.per_event}
    if samples := b_cells.named_b_cells(options.scenario, seed):
        written = b_cells.write_b_cells(out, seed, samples, **size)
    elif options.scenario:
        cohort, parameters = named(options.scenario, [scenario.name for scenario in b_cells.SCENARIOS])
        written = write_cohort(out, seed, cohort=cohort, parameters=parameters, **size)
    else:
        written = write_cohort(out, seed, **size)
        if options.b_cells:
            written += b_cells.write_b_cells(out, seed, b_cells.demo_samples(), beside=default_cohort(), **size)
    print(f"simulate: {len(set(written))} files in {options.out}", file=sys.stderr)
    return 0

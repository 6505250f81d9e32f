"""Working directories to run the workflow in: the demo cohort or parts of it, and what a run left in them."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "test_data"
Rows = list[dict[str, str]]
RUN_SECONDS = 600
# Samples of the demo cohort made into two runs: R1 with two controls, of which P05 names one; R2 with the control P01.
TWO_RUNS: dict[str, dict[str, str]] = {
    "C01": {},
    "P01": {"role": "control", "run": "R2"},
    "P02": {"role": "control"},
    "P03": {},
    "P04": {"run": "R2"},
    "P05": {"control": "C01"},
}


def read_sheet(path: Path) -> Rows:
    """Return the rows of a tab-separated sheet."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def write_sheet(path: Path, rows: Rows, columns: Sequence[str] = ()) -> None:
    """Write a sheet; ``columns`` are needed when there are no rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns) or list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def run_once(
    name: str, make: Callable[[Path], object], run: Run, factory: pytest.TempPathFactory, *, cores: int = 2
) -> Path:
    """Return a working directory that ``make`` filled and the workflow ran in, to be read or copied only.

    The run is made once, also when several processes share the tests.
    """
    shared = factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    directory, finished = shared / name, shared / f"{name}.finished"
    try:
        (shared / f"{name}.started").mkdir()
    except FileExistsError:
        _wait_for(finished)
    else:
        outcome, failure = shared / f"{name}.outcome", "It was not finished."
        try:
            make(directory)
            process = run(directory, cores=cores)
            failure = process.stderr if process.returncode else ""
        finally:
            outcome.write_text(failure, encoding="utf-8")
            outcome.rename(finished)  # it appears with its text in it
    failure = finished.read_text(encoding="utf-8")
    if failure:
        pytest.fail(f"the workflow could not be run in {name}:\n{failure}")
    return directory


def _wait_for(path: Path) -> None:
    for _ in range(10 * RUN_SECONDS):
        if path.exists():
            return
        time.sleep(0.1)
    pytest.fail("another process began to run this cohort and did not finish")


def copy_of(directory: Path, to: Path) -> Path:
    """Return a copy of a working directory, with the times of its files, so that nothing in it is out of date."""
    return Path(shutil.copytree(directory, to, symlinks=True))


def make_cohort(directory: Path, samples: Mapping[str, Mapping[str, str]] | Collection[str]) -> Path:
    """Make a working directory of some samples of the demo cohort: sheets to change at will, FCS files linked.

    As a mapping, ``samples`` also says which cells of the samples sheet to set: sample -> column -> text. Without a
    sample of another assay the sheet has the columns of CD154 alone.
    """
    changes = samples if isinstance(samples, Mapping) else {}
    config = directory / "config"
    shutil.copytree(DEMO / "config", config)
    rows = [row for row in read_sheet(config / "samples.tsv") if row["sample"] in samples]
    if all(row["assay"] == "cd40l" for row in rows):
        rows = [dict(list(row.items())[: list(row).index("assay")]) for row in rows]
    for row in rows:
        row.update(changes.get(row["sample"], {}))
    write_sheet(config / "samples.tsv", rows)
    tubes = [row for row in read_sheet(config / "tubes.tsv") if row["sample"] in samples]
    write_sheet(config / "tubes.tsv", tubes)
    (directory / "fcs").mkdir()
    for tube in tubes:
        (directory / "fcs" / tube["fcs"]).symlink_to(DEMO / "fcs" / tube["fcs"])
    return directory


def make_plate(directory: Path, runs: int, samples: int) -> list[str]:
    """Make a working directory of simulated runs, each of a control and further samples; return their names."""
    sheets: dict[str, Rows] = {"samples": [], "tubes": []}
    (directory / "fcs").mkdir(parents=True)
    for run in (f"R{number}" for number in range(1, runs + 1)):
        simulated = directory / "simulated"
        process = cd40l_flow("simulate", simulated, "--seed", f"10{run[1:]}")
        assert process.returncode == 0, process.stderr
        names = [row["sample"] for row in read_sheet(simulated / "config" / "samples.tsv")][:samples]
        for kind, rows in sheets.items():
            for row in read_sheet(simulated / "config" / f"{kind}.tsv"):
                if row["sample"] in names:
                    row["sample"] = f"{run}{row['sample']}"
                    if kind == "samples":
                        row["run"] = run
                    else:
                        (simulated / "fcs" / row["fcs"]).rename(directory / "fcs" / f"{run}{row['fcs']}")
                        row["fcs"] = f"{run}{row['fcs']}"
                    rows.append(row)
        shutil.copytree(simulated / "config", directory / "config", dirs_exist_ok=True)
        shutil.rmtree(simulated)
    for kind, rows in sheets.items():
        write_sheet(directory / "config" / f"{kind}.tsv", rows)
    return [row["sample"] for row in sheets["samples"]]


def demo_samples(*assays: str) -> list[str]:
    """Return the samples of the demo cohort of some assays, in the order of the sheet; of all without a name."""
    rows = read_sheet(DEMO / "config" / "samples.tsv")
    return [row["sample"] for row in rows if not assays or row["assay"] in assays]


def reverse_sheets(directory: Path) -> None:
    """Turn the rows of the samples and of the tubes sheet around."""
    for name in ("samples.tsv", "tubes.tsv"):
        path = directory / "config" / name
        write_sheet(path, read_sheet(path)[::-1])


def override(directory: Path, sample: str, gate: str, value: float, tube: str = "") -> None:
    """Add a line to the overrides sheet, signed AB."""
    with (directory / "config" / "overrides.tsv").open("a", encoding="utf-8") as file:
        file.write(f"{sample}\t{tube}\t{gate}\t{value}\tAB\tthe valley was missed\n")


def replace_file(directory: Path, fcs: str, content: bytes) -> None:
    """Put other bytes in the place of a linked FCS file."""
    path = directory / "fcs" / fcs
    path.unlink()
    path.write_bytes(content)


def cd40l_flow(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "cd40l_flow.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def output(directory: Path, sample: str, name: str) -> Path:
    """Return the path of one output of a sample."""
    return directory / "results" / "samples" / sample / name


def result(directory: Path, sample: str) -> dict[str, Any]:
    """Return a sample's ``result.json``."""
    values: dict[str, Any] = json.loads(output(directory, sample, "result.json").read_text(encoding="utf-8"))
    return values


def results(directory: Path) -> dict[str, dict[str, Any]]:
    """Return the results of all samples, by name."""
    names = sorted(path.parent.name for path in directory.glob("results/samples/*/result.json"))
    return {name: result(directory, name) for name in names}


def summary_lines(directory: Path) -> dict[str, str]:
    """Return the lines of ``summary.tsv`` by sample, the header under ``sample``."""
    lines = (directory / "results" / "summary.tsv").read_text(encoding="utf-8").splitlines()
    return {line.split("\t", 1)[0]: line for line in lines}


def differences(directory: Path, other: Path, samples: Collection[str]) -> list[str]:
    """Return which files of these samples, and lines of the summary, are not the same bytes in two directories."""
    names = ("result.json", "densities.npz")
    found = [
        f"{sample}/{name}"
        for sample in samples
        for name in names
        if output(directory, sample, name).read_bytes() != output(other, sample, name).read_bytes()
    ]
    mine, theirs = summary_lines(directory), summary_lines(other)
    return found + [f"summary {name}" for name in ("sample", *samples) if mine[name] != theirs[name]]


def jobs(process: subprocess.CompletedProcess[str]) -> set[tuple[str, str]]:
    """Return the jobs that Snakemake reports, run or planned, as (rule, sample or empty)."""
    told = process.stdout + process.stderr
    # A dry run reports the groups that an executor could submit as one, their jobs indented.
    blocks = re.findall(r"^ *(?:local)?rule (\w+):\n((?: +\w+: .*\n)*)", told, re.MULTILINE)
    found = set()
    for rule, lines in blocks:
        sample = re.search(r"wildcards: sample=(\S+)", lines)
        found.add((rule, sample[1] if sample else ""))
    return found - {("all", "")}


def jobs_of(*samples: str, controls: Collection[str] = ("C01",)) -> set[tuple[str, str]]:
    """Return the jobs that are due when these samples, and no others, are analysed again because a sheet changed."""
    each = {(rule, sample) for sample in samples for rule in ("analyse", "report_sample")}
    # Of controls alone the exported gates are read back.
    each |= {("export", sample) for sample in samples if sample in controls}
    return each | {("check", ""), ("summarize", ""), ("index", ""), ("multiqc", ""), ("subjects", "")}

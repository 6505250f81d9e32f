"""How cost grows with samples, from the plan to the index: ``python -m benchmarks.speed.scale`` writes scale.md.

The plan is measured on sheets that name files of a few bytes, for planning reads no more of any; summary and index on
copies of the results of the demo cohort under other names.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import structs

from benchmarks.common.goals import Goal, table
from benchmarks.common.places import PAGES, ROOT
from benchmarks.common.timing import command
from cd40l_flow.result.record import read_record, write_record

SIZES = (96, 384, 1500, 5000)
PLATE = 96
TUBES = (
    ("unstim_cd154", "unstimulated", "CD154"),
    ("stim_cd154", "stimulated", "CD154"),
    ("stim_isotype", "stimulated", "isotype"),
    ("stim_cd40ig", "stimulated", "CD40-Ig"),
    ("stim_secondary", "stimulated", "secondary"),
)
STEPS = ("plan", "summary", "index")
# The largest memory of a process counts that of the one that started it, so a small one starts it.
LAUNCHER = """
import json, resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([status, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
Row = dict[str, tuple[float, float]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="samples of the cohorts")
    parser.add_argument("--out", type=Path, default=PAGES / "scale.md", help="file to write")
    options = parser.parse_args()
    write(options.sizes, options.out, sys.argv[1:])


def write(sizes: Sequence[int], out: Path, arguments: Sequence[str] = ()) -> None:
    """Measure and write the page."""
    rows: dict[int, Row] = {}
    with TemporaryDirectory() as folder:
        demo = run_demo(Path(folder) / "demo")
        for size in sorted(sizes):
            directory = Path(folder) / str(size)
            write_cohort(directory, size)
            rows[size] = {"plan": snakemake(directory, "--dry-run", "--cores", "2", "--quiet")}
            copy_results(demo, directory, size)
            for name, file in (("summary", "summary.tsv"), ("index", "index.html")):
                rows[size][name] = measure(
                    [sys.executable, "-m", "cd40l_flow.cli.main", "summarize", "--samples", "config/samples.tsv"]
                    + [f"--{name}", f"results/{file}"],
                    directory,
                )
            shutil.rmtree(directory)
    text = page(rows, arguments)
    out.write_text(text, encoding="utf-8")
    print(text)


def names(size: int) -> list[str]:
    """Return the names of the samples of a cohort."""
    return [f"S{number:05d}" for number in range(size)]


def write_cohort(directory: Path, size: int) -> None:
    """Write sheets of plates of 96 samples, the first of each the control, and a file of a few bytes for every tube."""
    (directory / "config").mkdir(parents=True)
    (directory / "fcs").mkdir()
    samples, tubes = ["sample\trun\trole\tsex\tcalcineurin_inhibitor"], ["sample\tfcs\tstimulation\treagent"]
    for number, name in enumerate(names(size)):
        role = "test" if number % PLATE else "control"
        samples.append(f"{name}\tR{number // PLATE:03d}\t{role}\tM\tno")
        for short, stimulation, reagent in TUBES:
            fcs = f"{name}_{short}.fcs"
            tubes.append(f"{name}\t{fcs}\t{stimulation}\t{reagent}")
            (directory / "fcs" / fcs).write_text(fcs, encoding="utf-8")
    (directory / "config" / "samples.tsv").write_text("\n".join([*samples, ""]), encoding="utf-8")
    (directory / "config" / "tubes.tsv").write_text("\n".join([*tubes, ""]), encoding="utf-8")
    keys = ("samples: config/samples.tsv", "tubes: config/tubes.tsv", "fcs_dir: fcs", "")
    (directory / "config" / "config.yaml").write_text("\n".join(keys), encoding="utf-8")


def run_demo(directory: Path) -> list[Path]:
    """Return the folders of the results of the demo cohort, the control first."""
    shutil.copytree(ROOT / "test_data" / "config", directory / "config")
    (directory / "fcs").symlink_to(ROOT / "test_data" / "fcs")
    snakemake(directory, "--cores", "2", "--quiet")
    return sorted((directory / "results" / "samples").iterdir())


def copy_results(demo: Sequence[Path], directory: Path, size: int) -> None:
    """Write a result for every sample of a cohort: one of the demo's under another name, its binned data linked."""
    results = [read_record(one / "result.json") for one in demo]
    for number, name in enumerate(names(size)):
        chosen = 0 if number % PLATE == 0 else 1 + number % (len(demo) - 1)
        folder = directory / "results" / "samples" / name
        folder.mkdir(parents=True)
        copy = structs.replace(results[chosen], sample=name, run=f"R{number // PLATE:03d}")
        write_record(copy, folder / "result.json")
        (folder / "densities.npz").hardlink_to(demo[chosen] / "densities.npz")


def snakemake(directory: Path, *arguments: str) -> tuple[float, float]:
    """Run the workflow and return what it took."""
    return measure(
        [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(directory)]
        + ["--configfile", str(directory / "config" / "config.yaml"), *arguments],
        directory,
    )


def measure(command: list[str], directory: Path) -> tuple[float, float]:
    """Run a command; return its processor time (seconds, children included) and the memory of its process (MB)."""
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    launched = subprocess.run(
        [sys.executable, "-I", "-c", LAUNCHER, *command],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    status, seconds, kilobytes = json.loads(launched.stdout)
    if status:
        raise subprocess.CalledProcessError(status, command)
    return seconds, kilobytes / 1024


def slope(rows: dict[int, Row], step: str) -> float:
    """Return the log-log slope of the time of a step between the two largest cohorts."""
    before, last = sorted(rows)[-2:]
    return math.log(rows[last][step][0] / rows[before][step][0]) / math.log(last / before)


def goals(rows: dict[int, Row]) -> list[Goal]:
    """Return what was measured with its goals."""
    largest = max(rows)
    seconds, memory = rows[largest]["plan"]
    steepest = max(slope(rows, step) for step in STEPS)
    shown = (
        (f"plan of {largest:,} samples", f"{seconds:.0f} s", "60 s", seconds < 60),
        (f"memory of the plan of {largest:,} samples", f"{memory:.0f} MB", "2,000 MB", memory < 2000),
        ("steepest log-log slope of plan, summary, index", f"{steepest:.2f}", "1.1", steepest <= 1.1),
    )
    return [Goal(what, "scale.md", measured, goal, met) for what, measured, goal, met in shown]


def page(rows: dict[int, Row], arguments: Sequence[str]) -> str:
    """Return scale.md."""
    head = "| samples | tubes | " + " | ".join(f"{step}, s | MB" for step in STEPS) + " |"
    lines = [head, "|---:|---:|" + "---:|---:|" * len(STEPS)]
    for size, row in sorted(rows.items()):
        cells = " | ".join(f"{row[step][0]:.1f} | {row[step][1]:.0f}" for step in STEPS)
        lines.append(f"| {size:,} | {size * len(TUBES):,} | {cells} |")
    slopes = ", ".join(f"{step} {slope(rows, step):.2f}" for step in STEPS) if len(rows) > 1 else ""
    return f"""# Cost against the number of samples

Written by `{command("speed.scale", arguments)}`. Processor seconds and largest memory of planning
(`snakemake --dry-run`: sheets, jobs and graph), of `summary.tsv` and of `index.html`, on one core.

{chr(10).join(lines)}

Log-log slope between the two largest cohorts: {slopes}.

{table(goals(rows)) if len(rows) > 1 else ""}
"""


if __name__ == "__main__":
    main()

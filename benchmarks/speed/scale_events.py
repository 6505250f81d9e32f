"""How the cost of one analysis grows with the events of a tube: ``python -m benchmarks.speed.scale_events``.

Writes scale_events.md. One of the three tubes grows, the others keep 20,000 events each.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common.goals import Goal, table
from benchmarks.common.places import PAGES
from benchmarks.common.timing import command
from benchmarks.speed.scale import measure

# The largest memory of a process counts that of the one that started it, so a small one starts it.
LAUNCHER = """
import json, resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime, used.ru_stime, used.ru_maxrss]))
"""
# A virtual machine's host takes back memory that nobody uses; to have it again costs its first user up to 2 s a GB,
# which is not the program's. So more than any size needs is used before each run.
TOUCH = "import numpy; numpy.ones(1_200_000_000, dtype='u1')"
SIZES = (50_000, 160_000, 500_000, 1_600_000, 5_000_000)
OTHERS = 20_000
SEED = 1
# The goals: how much the cost of an event may change over the last decade, the steepest log-log slope, and for tubes of
# so many events the memory in MB.
CONSTANT, STEEPEST, MEMORY = 0.10, 1.1, {500_000: 400, 5_000_000: 1_500}


@dataclass(frozen=True)
class Row:
    """What the analysis of one size took: processor seconds of its own and of the system, and memory in MB."""

    user: float
    system: float
    memory: float

    @property
    def seconds(self) -> float:
        """All processor seconds."""
        return self.user + self.system


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.scale_events", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="events of the growing tube")
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "scale_events.md", help="file to write")
    options = parser.parse_args()
    write(options.sizes, options.rounds, options.out, sys.argv[1:])


def write(sizes: Sequence[int], rounds: int, out: Path, arguments: Sequence[str] = ()) -> None:
    """Measure and write the page."""
    found: dict[int, list[Row]] = {size: [] for size in sorted(sizes)}
    with TemporaryDirectory() as folder:
        commands = {size: prepare(Path(folder) / str(size), size) for size in found}
        for _ in range(rounds):
            for size, command in commands.items():
                found[size].append(watch(command, Path(folder) / str(size)))
    rows = {
        size: Row(
            statistics.median(one.user for one in taken),
            statistics.median(one.system for one in taken),
            max(one.memory for one in taken),
        )
        for size, taken in found.items()
    }
    text = page(rows, arguments)
    out.write_text(text, encoding="utf-8")
    print(text)


def prepare(directory: Path, events: int) -> list[str]:
    """Write a control and a sample, analyse the control, and return the command that analyses the sample."""
    from cd40l_flow.cohort.job import planned, write_job
    from cd40l_flow.cohort.plan import load_plan
    from cd40l_flow.simulate.cohort import Scenario
    from cd40l_flow.simulate.write import write_cohort

    # The second reagent's tube has as many events as the first's: leave it and what belongs to it out.
    control = Scenario(
        "C01",
        role="control",
        sex="F",
        events=OTHERS,
        background_events=OTHERS,
        unstimulated_events=OTHERS,
        stimulated=("CD154", "isotype"),
    )
    sample = replace(control, sample="P01", role="test", negative_fraction=0.5, events=events)
    write_cohort(directory, SEED, cohort=[control, sample])
    config = directory / "config" / "config.yaml"
    plan_of = config.read_text(encoding="utf-8").replace("fcs_dir: fcs", f"fcs_dir: {directory / 'fcs'}")
    for name in ("samples", "tubes", "overrides"):
        plan_of = plan_of.replace(f"config/{name}.tsv", str(directory / "config" / f"{name}.tsv"))
    config.write_text(plan_of, encoding="utf-8")
    plan = load_plan(config)
    results = {name: directory / "results" / "samples" / name / "result.json" for name in ("C01", "P01")}
    commands = {
        name: [
            *(sys.executable, "-m", "cd40l_flow.cli.main", "analyse"),
            *("--job", str(write_job(planned(plan.job(name)), directory / "jobs"))),
            *("--result", str(path), "--densities", str(path.with_name("densities.npz"))),
        ]
        for name, path in results.items()
    }
    measure(commands["C01"], directory)
    return [*commands["P01"], "--controls", str(results["C01"])]


def watch(command: list[str], directory: Path) -> Row:
    """Run a command and return what it took."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-I", "-c", TOUCH], check=True)
    shown = subprocess.run(
        [sys.executable, "-I", "-c", LAUNCHER, *command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    user, system, kilobytes = json.loads(shown)
    return Row(user, system, kilobytes / 1024)


def page(rows: Mapping[int, Row], arguments: Sequence[str]) -> str:
    """Return scale_events.md: the table, the cost of an event in each step and over the last decade, and the goals."""
    sizes = sorted(rows)
    lines = [
        "| events | CPU seconds | of these system | us more for each event more | log-log slope | memory, MB |",
        "|---:|" + "---:|" * 5,
    ]
    for number, size in enumerate(sizes):
        row, more, steep = rows[size], "", ""
        if number:
            before = sizes[number - 1]
            more, steep = f"{cost(rows, before, size):.2f}", f"{slope(rows, before, size):.2f}"
        lines.append(f"| {size:,} | {row.seconds:.2f} | {row.system:.2f} | {more} | {steep} | {row.memory:.0f} |")
    return f"""# Cost against the events of a tube

Written by `{command("speed.scale_events", arguments)}`. Analysis of one sample of three tubes, of which
one has so many events and the others {OTHERS:,} each; start of Python included. Medians of interleaved rounds, each
after another process has used 1.2 GB: where a host takes back memory that its virtual machine does not use, the first
use of it costs up to 2 s a GB.

{chr(10).join(lines)}

{table(goals(rows))}
"""


def cost(rows: Mapping[int, Row], before: int, size: int, *, system: bool = True) -> float:
    """Return what each event more took between two sizes, microseconds."""
    seconds = {one: rows[one].seconds if system else rows[one].user for one in (before, size)}
    return 1e6 * (seconds[size] - seconds[before]) / (size - before)


def goals(rows: Mapping[int, Row]) -> list[Goal]:
    """Return what was measured with its goals."""
    sizes = [size for size in sorted(rows) if size >= max(rows) / 10]
    steps = list(pairwise(sizes))
    shown = []
    for name, system in (("all processor time", True), ("without the system's", False)):
        each = [cost(rows, *step, system=system) for step in steps]
        whole = cost(rows, sizes[0], sizes[-1], system=system) if steps else math.nan
        off = max((abs(one / whole - 1) for one in each), default=math.nan)
        what = f"cost of an event, {sizes[0]:,} to {sizes[-1]:,} a tube ({whole:.2f} us, {name}): largest difference"
        shown.append((what, f"{100 * off:.0f} %", f"{100 * CONSTANT:.0f} %", off <= CONSTANT))
    steepest = max((slope(rows, *step) for step in pairwise(sorted(rows))), default=math.nan)
    shown.append(
        ("steepest log-log slope with the events of a tube", f"{steepest:.2f}", f"{STEEPEST}", steepest <= STEEPEST)
    )
    for size, most in MEMORY.items():
        if size in rows:
            memory = rows[size].memory
            shown.append((f"memory at {size:,} events a tube", f"{memory:.0f} MB", f"{most:,} MB", memory <= most))
    return [Goal(what, "scale_events.md", measured, goal, met) for what, measured, goal, met in shown]


def slope(rows: Mapping[int, Row], before: int, size: int) -> float:
    """Return the log-log slope of the time between two sizes."""
    return math.log(rows[size].seconds / rows[before].seconds) / math.log(size / before)


if __name__ == "__main__":
    main()

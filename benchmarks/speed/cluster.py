"""24 samples on two virtual Slurm nodes against this machine itself: ``python -m benchmarks.speed.cluster``.

Writes cluster.md. Needs root and Slurm's programs (`.ci/run` installs them); the cluster is thrown away in the end.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common.goals import Goal, table
from benchmarks.common.places import PAGES, ROOT
from benchmarks.common.timing import command, machine
from benchmarks.speed.peer import environment, fresh, simulate

sys.path.insert(0, str(ROOT / "tests"))

from cluster.slurm import Cluster, start_cluster
from helpers.runs.cohorts import differences, make_plate, read_sheet

NODES, CPUS, MEMORY = 2, 2, 4000
EVENTS = 100_000
TIMES, SECONDS = 1.5, 15.0
LAYOUTS = {
    "slurm": ("--workflow-profile", str(ROOT / "profiles" / "slurm"), "--jobs", "20"),
    "cluster-generic": ("--profile", str(ROOT / "profiles" / "cluster-generic")),
}


@dataclass(frozen=True)
class Round:
    """The seconds of one plate on one machine and on the cluster by one executor, its submissions, and the load."""

    plate: str
    executor: str
    local: float
    on_nodes: float
    submissions: int
    busy: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.cluster", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--executors", nargs="+", choices=LAYOUTS, default=[*LAYOUTS], help="default: all")
    parser.add_argument("--plates", type=int, nargs="+", choices=(1, 3), default=[3, 1], help="runs of a plate: 3 or 1")
    parser.add_argument("--events", type=int, default=EVENTS, help="events of a tube of one run (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "cluster.md", help="file to write")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        plates = {}
        if 3 in options.plates:
            plates["3 runs of 8"] = folder / "three"
            make_plate(folder / "three", 3, 8)
        if 1 in options.plates:
            plates[f"1 run of 24, {options.events:,} events a tube"] = folder / "one"
            simulate(folder / "one", 24, options.events)
        with start_cluster(folder / "slurm", nodes=NODES, cpus=CPUS, memory=MEMORY) as cluster:
            rounds = [
                measure(plate, path, executor, cluster, folder)
                for _ in range(options.rounds)
                for plate, path in plates.items()
                for executor in options.executors
            ]
    text = page(rounds, sys.argv[1:])
    options.out.write_text(text, encoding="utf-8")
    print(text)


def measure(plate: str, path: Path, executor: str, cluster: Cluster, folder: Path) -> Round:
    """Run a plate on this machine, then on the cluster; the results must be the same bytes."""
    local = fresh(path, folder / "local")
    seconds, _ = run(local, ("--cores", str(NODES * CPUS // 2)), {})
    here = fresh(path, folder / "on_nodes")
    on_nodes, shown = run(here, LAYOUTS[executor], cluster.environment)
    if other := differences(here, local, [row["sample"] for row in read_sheet(path / "config" / "samples.tsv")]):
        raise RuntimeError(f"not the same bytes: {', '.join(other)}")
    count = len(re.findall(r"submitted with SLURM jobid|with external jobid", shown))
    found = Round(plate, executor, seconds, on_nodes, count, os.getloadavg()[1])
    print(found, flush=True)
    return found


def run(directory: Path, options: Sequence[str], more: dict[str, str]) -> tuple[float, str]:
    """Run the workflow; return the seconds that it took and what it printed."""
    line = [
        *(
            sys.executable,
            "-P",
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--directory",
            str(directory),
        ),
        *("--configfile", str(directory / "config" / "config.yaml"), *options),
    ]
    start = time.perf_counter()
    done = subprocess.run(
        line,
        cwd=directory,
        env=environment() | more,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return time.perf_counter() - start, done.stdout


def page(rounds: Sequence[Round], arguments: Sequence[str]) -> str:
    """Return cluster.md."""
    lines = ["| plate | executor | s on one machine | s on two nodes | 1.5 x + 15 s | submissions | load |"]
    lines += ["|---|---|---:|---:|---:|---:|---:|"]
    lines += [
        f"| {one.plate} | {one.executor} | {one.local:.1f} | {one.on_nodes:.1f} | {TIMES * one.local + SECONDS:.1f} | "
        f"{one.submissions} | {one.busy:.1f} |"
        for one in rounds
    ]
    goals = []
    for plate, executor in dict.fromkeys((one.plate, one.executor) for one in rounds):
        mine = [one for one in rounds if (one.plate, one.executor) == (plate, executor)]
        local = statistics.median(one.local for one in mine)
        nodes = statistics.median(one.on_nodes for one in mine)
        met = nodes <= TIMES * local + SECONDS
        goals.append(
            Goal(
                f"24 samples, {plate}, {executor}: medians",
                "cluster.md",
                f"{nodes:.0f} s",
                f"{TIMES * local + SECONDS:.0f} s",
                met,
            )
        )
    return f"""# 24 samples on a cluster of two nodes

Written by `{command("speed.cluster", arguments)}`. The two nodes are virtual: they share the cores of the machine
that runs the plate alone ({CPUS} processes), so that the cluster can at best be as fast. Rounds are interleaved, the
results compared byte for byte, and each begins with no result. The last column is how many processes of the whole
machine wanted a core meanwhile (load of five minutes): above {os.cpu_count()}, others had their share.

{chr(10).join(lines)}

{table(goals)}

{machine()}
"""


if __name__ == "__main__":
    main()

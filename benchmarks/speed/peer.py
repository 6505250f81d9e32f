"""Race the workflow against the peer script and the floor on one plate: ``python -m benchmarks.speed.peer``.

Writes speed.md. Each round runs every contestant once, so that whatever else the machine does falls on all alike. Told
are medians of processor time, user and system, children included: other processes disturb it little. Then one sample of
the plate is run again after a gate was moved, as an analyst would, and the seconds are those of the clock on the wall.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common.goals import Goal, table
from benchmarks.common.places import PAGES, ROOT
from benchmarks.common.timing import command

PACKAGES = ("flowkit", "flowio", "flowutils", "scikit-learn", "matplotlib", "numpy", "scipy", "snakemake")
TUBES, STARTS = 5, 21
SEED = 1
# What a plate of a screening laboratory may hold: mostly healthy, now and then a carrier or an affected boy.
MOSAIC_EVERY, ABSENT_EVERY = 8, 12
BARE = (sys.executable, "-c", "pass")
HELP = (str(Path(sys.executable).parent / "cd40l-flow"), "--help")
# Snakemake in a process that prints what it took itself and what its jobs took.
SNAKEMAKE = """
import atexit, resource, sys
from snakemake.cli import main
def tell():
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        print("USED", used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, flush=True)
atexit.register(tell)
main()
"""


@dataclass(frozen=True)
class Run:
    """One contestant in one round: processor seconds, largest process (MB), share of Snakemake's own process."""

    cpu_seconds: float
    memory: float
    own_share: float = 0.0


@dataclass(frozen=True)
class Found:
    """Everything measured: the plate, the runs of each contestant, files between the stages over the FCS files, seconds
    of one sample's rerun, and of the start of the command line over that of Python.
    """

    samples: int
    events: int
    runs: dict[str, list[Run]]
    between: float
    rerun: float
    help: float

    def seconds(self, name: str) -> float:
        """Return the median processor time of a contestant."""
        return statistics.median(run.cpu_seconds for run in self.runs[name])

    def memory(self, name: str) -> float:
        """Return the median of a contestant's largest process, MB."""
        return statistics.median(run.memory for run in self.runs[name])

    @property
    def own_share(self) -> float:
        """The share of Snakemake's own process in the workflow's time."""
        return statistics.median(run.own_share for run in self.runs["workflow"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.peer", description=__doc__)
    parser.add_argument("--samples", type=int, default=96, help="samples of the plate (default: %(default)s)")
    parser.add_argument("--events", type=int, default=100_000, help="events of a tube (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="cores of Snakemake (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "speed.md", help="file to write")
    options = parser.parse_args()
    write(options.samples, options.events, options.rounds, options.cores, options.out, sys.argv[1:])


def write(samples: int, events: int, rounds: int, cores: int, out: Path, arguments: Sequence[str] = ()) -> None:
    """Race on a plate of so many samples and write the page."""
    with TemporaryDirectory() as folder:
        plate = Path(folder) / "plate"
        simulate(plate, samples, events)
        # The peer and the floor gate where our results put the gates: this run is their input, and warms the caches.
        workflow(plate, cores)
        size = sum(path.stat().st_size for path in (plate / "fcs").iterdir())
        made = sum(path.stat().st_size for path in (plate / "results").rglob("densities.npz"))
        runs: dict[str, list[Run]] = {"workflow": [], "peer": [], "floor": []}
        for _ in range(rounds):
            runs["workflow"].append(workflow(fresh(plate, Path(folder) / "again"), cores))
            runs["peer"].append(script("peer_script", plate, str(Path(folder) / "figures")))
            runs["floor"].append(script("floor", plate))
        again = [rerun(Path(folder) / "again", cores, 1000.0 + turn) for turn in range(rounds)]
    starts = [statistics.median(start(command) for _ in range(STARTS)) for command in (BARE, HELP)]
    found = Found(samples, events, runs, made / size, statistics.median(again), starts[1] - starts[0])
    text = page(found, arguments)
    out.write_text(text, encoding="utf-8")
    print(text)


def simulate(directory: Path, samples: int, events: int) -> None:
    """Write one run of a plate: a control, and samples of which some are mosaic and some lack the protein."""
    from cd40l_flow.simulate.cohort import Scenario
    from cd40l_flow.simulate.write import write_cohort

    boy = Scenario("P000", events=events, background_events=events, unstimulated_events=events)
    cohort = [replace(boy, sample="C01", role="control", sex="F")]
    for number in range(1, samples):
        one = replace(boy, sample=f"P{number:03d}")
        if number % MOSAIC_EVERY == 0:
            one = replace(one, sex="F", negative_fraction=0.5)
        elif number % ABSENT_EVERY == 0:
            one = replace(one, negative_fraction=0.99, expression_level=0.05)
        cohort.append(one)
    write_cohort(directory, SEED, cohort=cohort)


def fresh(plate: Path, directory: Path) -> Path:
    """Return the plate in a working directory without results."""
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(plate / "config", directory / "config")
    (directory / "fcs").symlink_to(plate / "fcs")
    return directory


def environment() -> dict[str, str]:
    """Return the environment of every contestant: one thread a process, compiled bytecode."""
    scripts = Path(sys.executable).parent
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **threads, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}


def workflow(directory: Path, cores: int) -> Run:
    """Run the workflow in a working directory."""
    command = [
        *(sys.executable, "-c", SNAKEMAKE, "--snakefile", str(ROOT / "Snakefile"), "--cores", str(cores)),
        *("--directory", str(directory), "--configfile", str(directory / "config" / "config.yaml"), "--quiet"),
    ]
    shown = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True).stdout
    (own, _), (jobs, memory) = [tuple(map(float, found)) for found in re.findall(r"USED (\S+) (\S+)", shown)]
    return Run(own + jobs, memory, own / (own + jobs))


def rerun(directory: Path, cores: int, boundary: float) -> float:
    """Move a gate of one sample, run the workflow again, and return the seconds until its new report is there."""
    sample = sorted(path.name for path in (directory / "results" / "samples").iterdir())[1]
    row = f"sample\ttube\tgate\tvalue\tby\treason\n{sample}\t\tcd69_low\t{boundary}\tAB\tmoved\n"
    (directory / "config" / "overrides.tsv").write_text(row, encoding="utf-8")
    report = directory / "results" / "samples" / sample / "report.html"
    begin = time.time()
    workflow(directory, cores)
    return report.stat().st_mtime - begin


def start(command: Sequence[str]) -> float:
    """Return the seconds that a command takes, by the clock on the wall."""
    begin = time.perf_counter()
    subprocess.run(command, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def script(module: str, plate: Path, *arguments: str) -> Run:
    """Run the peer script or the floor on the tubes of the plate."""
    program = [sys.executable, "-m", f"benchmarks.speed.{module}"]
    command = [*program, str(plate / "results" / "samples"), str(plate / "fcs")]
    process = subprocess.Popen([*command, *arguments], env=environment(), cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def goals(found: Found) -> list[Goal]:
    """Return what was measured with its goals."""
    faster = found.seconds("peer") / found.seconds("workflow")
    memory = found.memory("workflow") / found.memory("peer")
    plate = f"a plate of {found.samples} samples"
    shown = (
        (f"{plate}: processor time of the peer script over the workflow's", f"{faster:.1f}", "5", faster >= 5),
        ("the largest process over the peer's", f"{100 * memory:.0f} %", "60 %", memory <= 0.6),
        ("Snakemake's own share", f"{100 * found.own_share:.0f} %", "25 %", found.own_share < 0.25),
        ("files between the stages over the FCS files", f"{100 * found.between:.1f} %", "5 %", found.between < 0.05),
        ("one sample again after a gate was moved, to its report", f"{found.rerun:.1f} s", "4 s", found.rerun < 4),
        ("`cd40l-flow --help` over bare Python", f"{found.help:.3f} s", "0.15 s", found.help < 0.15),
    )
    return [Goal(what, "speed.md", measured, goal, met) for what, measured, goal, met in shown]


def page(found: Found, arguments: Sequence[str]) -> str:
    """Return speed.md."""
    names = {
        "workflow": f"the workflow (Snakemake, checks, gates exported, {found.samples} reports, summary, index)",
        "peer": "FlowKit + scikit-learn + matplotlib script, one process",
        "floor": "floor: read, compensate, scale, gate, count; numpy, one process",
    }
    rows = "\n".join(
        f"| {text} | {found.seconds(name):.1f} | {1000 * found.seconds(name) / (found.samples * TUBES):.0f} | "
        f"{found.seconds('peer') / found.seconds(name):.1f} | {found.memory(name):.0f} |"
        for name, text in names.items()
    )
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"""# Speed of a plate against the peers

Written by `{command("speed.peer", arguments)}`: {found.samples} samples, {found.samples * TUBES} tubes of
{found.events:,} events and 9 detectors, simulated; medians of {len(found.runs["peer"])} interleaved rounds of processor
time (user and system, all processes). The peer gates where the workflow put the gates; what it leaves out: checks,
boundaries, intervals, guards, calls, reports. R's flowCore is no contestant: R with its packages is not to be had from
the package registries that the benchmarks use (Debian 12 has no `r-bioc-flowcore`).

| | CPU seconds | ms a tube | times faster than the peer | largest process (MB) |
|---|---:|---:|---:|---:|
{rows}

{table(goals(found))}

The largest process of the workflow is the worker that runs the steps; scikit-learn's import, with pandas and pyarrow,
is more than half of it.

{versions}; Python {platform.python_version()} on {platform.machine()} with {os.cpu_count()} cores.
"""


if __name__ == "__main__":
    main()

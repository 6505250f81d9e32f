"""Race the workflow against the peer script and the floor on one plate: ``python -m benchmarks.peer``; writes speed.md.

Each round runs every contestant once, so that whatever else the machine does falls on all alike. Told are medians of
processor time, user and system, children included: other processes disturb it little.
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
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.timing import ROOT

PACKAGES = ("flowkit", "flowio", "flowutils", "scikit-learn", "matplotlib", "numpy", "scipy", "snakemake")
TUBES = 5
SEED = 1
# What a plate of a screening laboratory may hold: mostly healthy, now and then a carrier or an affected boy.
MOSAIC_EVERY, ABSENT_EVERY = 8, 12
# Snakemake in a process that tells what it took itself and what its jobs took.
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer", description=__doc__)
    parser.add_argument("--samples", type=int, default=96, help="samples of the plate (default: %(default)s)")
    parser.add_argument("--events", type=int, default=100_000, help="events of a tube (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="cores of Snakemake (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "speed.md", help="file to write")
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
    text = page(samples, events, runs, made / size, arguments)
    out.write_text(text, encoding="utf-8")
    print(text)


def simulate(directory: Path, samples: int, events: int) -> None:
    """Write one run of a plate: a control, and samples of which some are mosaic and some lack the protein."""
    from cd40l_flow.simulate.cohort import Scenario
    from cd40l_flow.simulate.write import write_cohort

    sizes = dict.fromkeys(("events", "background_events", "unstimulated_events"), events)
    cohort = [Scenario("C01", role="control", sex="F", **sizes)]
    for number in range(1, samples):
        kind = {}
        if number % MOSAIC_EVERY == 0:
            kind = {"sex": "F", "negative_fraction": 0.5}
        elif number % ABSENT_EVERY == 0:
            kind = {"negative_fraction": 0.99, "expression_level": 0.05}
        cohort.append(Scenario(f"P{number:03d}", **sizes, **kind))
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
    told = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True).stdout
    (own, _), (jobs, memory) = [tuple(map(float, found)) for found in re.findall(r"USED (\S+) (\S+)", told)]
    return Run(own + jobs, memory, own / (own + jobs))


def script(module: str, plate: Path, *arguments: str) -> Run:
    """Run the peer script or the floor on the tubes of the plate."""
    command = [sys.executable, "-m", f"benchmarks.{module}", str(plate / "results" / "samples"), str(plate / "fcs")]
    process = subprocess.Popen([*command, *arguments], env=environment(), cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def page(samples: int, events: int, runs: dict[str, list[Run]], share: float, arguments: Sequence[str]) -> str:
    """Return speed.md."""
    seconds = {name: statistics.median(run.cpu_seconds for run in found) for name, found in runs.items()}
    memory = {name: statistics.median(run.memory for run in found) for name, found in runs.items()}
    own = statistics.median(run.own_share for run in runs["workflow"])
    names = {
        "workflow": f"the workflow (Snakemake, checks, {samples} reports, summary, index)",
        "peer": "FlowKit + scikit-learn + matplotlib script, one process",
        "floor": "floor: read, compensate, scale, gate, count; numpy, one process",
    }
    rows = "\n".join(
        f"| {text} | {seconds[name]:.1f} | {1000 * seconds[name] / (samples * TUBES):.0f} | "
        f"{seconds['peer'] / seconds[name]:.1f} | {memory[name]:.0f} |"
        for name, text in names.items()
    )
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"""# Speed of a plate against the peers

Written by `python -m benchmarks.peer {" ".join(arguments)}`: {samples} samples, {samples * TUBES} tubes of
{events:,} events and 9 detectors, simulated; medians of {len(runs["peer"])} interleaved rounds of processor time (user
and system, all processes). The peer gates where the workflow put the gates; what it leaves out: checks, boundaries,
intervals, guards, calls, reports.

| | CPU seconds | ms a tube | times faster than the peer | largest process (MB) |
|---|---:|---:|---:|---:|
{rows}

Snakemake's own process takes {100 * own:.0f} % of the workflow's time (goal: under 25). The largest job takes
{100 * memory["workflow"] / memory["peer"]:.0f} % of the memory of the peer's process (goal: at most 60). Files between
the stages (`densities.npz`, what figures are drawn from) are {100 * share:.1f} % of the FCS files (goal: under 5).

{versions}; Python {platform.python_version()} on {platform.machine()} with {os.cpu_count()} cores.
"""


if __name__ == "__main__":
    main()

"""Measure gating, acquisition QC and tube checks and write ``benchmarks/gating.md``: ``python -m benchmarks.gating``.

Simulated samples of six instrument families against the truth of every event, and the recordings at
``../shared/fcs`` where they are.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.common.places import PAGES
from benchmarks.gating import acquisition, cost, real, stability, truth, tubes
from cd40l_flow import ENGINE_VERSION, __version__

SAMPLES, CLEAN, MISTAKEN, PILED = 300, 100, 60, 100
STABLE, RESAMPLES = 18, 20
PARTS = ("truth", "piled", "stability", "acquisition", "tubes", "cost", "real")
# A worker of one thread each, or the linear algebra of one takes the core of the other.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gating", description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="varied samples, the rest in part (%(default)s)")
    parser.add_argument("--seed", type=int, default=20260401, help="seed of all samples (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="tables to make (default: all)")
    parser.add_argument("--out", type=Path, default=PAGES / "gating.md", help="file to write")
    options = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        # The libraries read these when they are loaded, which they are by now.
        command = [sys.executable, "-m", "benchmarks.gating", *sys.argv[1:]]
        raise SystemExit(subprocess.run(command, env={**os.environ, **ONE_THREAD}, check=False).returncode)
    start = time.perf_counter()
    part = options.samples / SAMPLES
    sections = [
        make(options.seed, part, options.cores)
        for name, make in (
            ("truth", truth_table),
            ("piled", piled_table),
            ("stability", stability_table),
            ("acquisition", acquisition_table),
            ("tubes", tubes_table),
            ("cost", cost_table),
            ("real", real_table),
        )
        if name in options.parts
    ]
    text = page(sections, options.samples, options.seed, time.perf_counter() - start)
    options.out.write_text(text, encoding="utf-8")
    print(text)


def page(sections: Sequence[str], samples: int, seed: int, seconds: float) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "FlowIO", "FlowUtils", "FlowKit"))
    machine = f"Python {platform.python_version()}, on {platform.machine()} with {os.cpu_count()} cores"
    return f"""# Gating against the truth

Written by `python -m benchmarks.gating --samples {samples} --seed {seed}` in {seconds / 60:.0f} minutes: cd40l-flow
{__version__} (engine {ENGINE_VERSION}), {packages}, {machine}. The cells are simulated by a model that shares no code
with what gates them, but they are no blood; the recordings are real. All numbers but those of the cost are the same on
every machine.

{chr(10).join(sections)}"""


def truth_table(seed: int, part: float, cores: int) -> str:
    count = max(1, round(SAMPLES * part))
    return truth.section(run("truth", [(truth.measure, (seed, at), {}) for at in range(count)], cores))


def piled_table(seed: int, part: float, cores: int) -> str:
    count = max(1, round(PILED * part))
    tasks: list[Task] = [(truth.measure_piled, (seed, at), {}) for at in range(count)]
    return truth.section_piled(run("piled", tasks, cores))


def stability_table(seed: int, part: float, cores: int) -> str:
    count, resamples = max(1, round(STABLE * part)), RESAMPLES if part >= 1 else max(2, round(RESAMPLES * part))
    tasks: list[Task] = [(stability.simulated, (seed, at, resamples), {}) for at in range(count)]
    tasks += [(stability.recorded, (name, resamples), {}) for name in real.names()]
    found = [one for many in run("stability", tasks, cores) for one in (many if isinstance(many, list) else [many])]
    return stability.section(found, resamples)


def acquisition_table(seed: int, part: float, cores: int) -> str:
    count = max(1, round(CLEAN * part))
    tasks: list[Task] = [
        (acquisition.measure, (seed, at), {"clogged": clogged}) for clogged in (True, False) for at in range(count)
    ]
    found = run("acquisition", tasks, cores)
    return acquisition.section(found[:count], found[count:])


def tubes_table(seed: int, part: float, cores: int) -> str:
    mistaken, clean = max(1, round(MISTAKEN * part)), max(1, round(CLEAN * part))
    tasks: list[Task] = [(tubes.measure, (seed, at, "donor"), {}) for at in range(mistaken)]
    others = ("swap", "duplicate", "labels")
    tasks += [(tubes.measure, (seed, at, others[at % len(others)]), {}) for at in range(mistaken)]
    tasks += [(tubes.measure, (seed, mistaken + at, ""), {}) for at in range(clean)]
    return tubes.section(run("tubes", tasks, cores))


def cost_table(seed: int, part: float, cores: int) -> str:
    print("cost", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.gating.cost"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return cost.section(cost.Cost(**json.loads(printed)), f"{platform.machine()}, {os.cpu_count()} cores")


def real_table(seed: int, part: float, cores: int) -> str:
    tasks: list[Task] = [(real.measure, (name,), {}) for name in real.names()]
    return real.section([one for many in run("real", tasks, cores) for one in many])


def run(name: str, tasks: Sequence[Task], cores: int) -> list[Any]:
    """Return what the tasks return, in their order; report progress every tenth of them."""
    done, start = 0, time.perf_counter()
    with ProcessPoolExecutor(cores) as pool:
        futures = [pool.submit(function, *positional, **named) for function, positional, named in tasks]
        for _ in as_completed(futures):
            done += 1
            if done % max(1, len(tasks) // 10) == 0 or done == len(tasks):
                seconds = time.perf_counter() - start
                print(f"{name}: {done} of {len(tasks)}, {seconds:.0f} s", file=sys.stderr, flush=True)
    return [future.result() for future in futures]


if __name__ == "__main__":
    main()

"""How long the demo cohort takes, in all and by stage; what pages state about their command and their machine."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common.places import ROOT
from cd40l_flow import ENGINE_VERSION, __version__

PACKAGES = ("FlowIO", "FlowUtils", "numpy", "scipy", "snakemake")
# What every step prints at its end.
USED = re.compile(r"\((\S+) s of processor time, (\S+) MB\)")


def command(module: str, arguments: Sequence[str]) -> str:
    """Return the command that made a page, without where it was written to."""
    kept = list(arguments)
    if "--out" in kept:
        place = kept.index("--out")
        del kept[place : place + 2]
    return " ".join((f"python -m benchmarks.{module}", *kept))


def machine() -> str:
    """Return what the numbers were measured with."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    where = f"Python {platform.python_version()}, on {platform.machine()} with {os.cpu_count()} cores"
    return f"Measured with cd40l-flow {__version__} (engine {ENGINE_VERSION}), {versions}; {where}."


@dataclass(frozen=True)
class Stage:
    """The jobs of one rule: how many, their processor time together (seconds) and the largest memory of one (MB)."""

    rule: str
    jobs: int
    cpu_seconds: float
    most_memory: float


def run_demo(cores: int) -> tuple[float, list[Stage]]:
    """Run the demo cohort in a folder of its own; return the seconds it took, Snakemake's start too, and the stages."""
    with TemporaryDirectory() as folder:
        directory = Path(folder)
        shutil.copytree(ROOT / "test_data" / "config", directory / "config")
        (directory / "fcs").symlink_to(ROOT / "test_data" / "fcs")
        scripts = Path(sys.executable).parent
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment = {**os.environ, **threads, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
        # Without compiled bytecode every process would start twice as slowly.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", str(cores)),
            *("--directory", folder, "--configfile", str(directory / "config" / "config.yaml"), "--quiet"),
        ]
        start = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return time.perf_counter() - start, _stages(directory / "logs")


def _stages(logs: Path) -> list[Stage]:
    stages = []
    for rule in ("analyse", "report"):
        texts = [path.read_text(encoding="utf-8") for path in sorted(logs.glob(f"{rule}/*.log"))]
        rows = [found for text in texts for found in USED.findall(text)]
        seconds = sum(float(seconds) for seconds, _ in rows)
        stages.append(Stage(rule, len(rows), seconds, max(float(memory) for _, memory in rows)))
    return stages


def stage_table(stages: list[Stage]) -> str:
    """Return the stages as a Markdown table."""
    lines = [
        "| stage | jobs | CPU seconds, all jobs | most memory of a job (MB) |",
        "|---|---:|---:|---:|",
        *(f"| {stage.rule} | {stage.jobs} | {stage.cpu_seconds:.1f} | {stage.most_memory:.0f} |" for stage in stages),
    ]
    return "\n".join(lines)

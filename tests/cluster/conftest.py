"""One Slurm cluster of two virtual nodes for all tests of this folder, and what runs the workflow on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from cluster.slurm import Cluster, missing_programs, start_cluster
from helpers.runs.cohorts import ROOT, RUN_SECONDS

CPUS, MEMORY = 2, 4000
# Our profile alone; what a site decides stands on the command line.
OURS = ("--workflow-profile", str(ROOT / "profiles" / "slurm"), "--jobs", "20", "--retries", "2")


@dataclass(frozen=True)
class Site:
    """A working directory on the cluster: runs the workflow there and plays faults."""

    cluster: Cluster
    cohort: Path
    folder: Path
    layout: Sequence[str] = OURS
    plain: bool = False  # no faults can be asked for, and none is looked for at every step

    def command(self, *arguments: str) -> list[str]:
        """Return the command that an administrator would give; further arguments go to Snakemake."""
        return [
            *(sys.executable, "-P", "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--directory", str(self.cohort), "--configfile", str(self.cohort / "config" / "config.yaml")),
            *(*self.layout, *arguments),
        ]

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of Snakemake and, through it, of the jobs."""
        scripts = Path(sys.executable).parent
        shim = "" if self.plain else f"{self.folder / 'bin'}{os.pathsep}"
        return {
            **os.environ,
            **self.cluster.environment,
            "PATH": f"{shim}{scripts}{os.pathsep}{os.environ['PATH']}",
            "FAULTS_TEST": str(self.folder),
            "FAULTS_TEST_REAL": real_command(),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }

    @property
    def logs(self) -> Path:
        """Return where the plugin writes what submissions print."""
        return self.cohort / ".snakemake" / "slurm_logs"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Snakemake in the working directory and do not wait for it."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.cohort,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the working directory; its output, of both kinds, is ``stdout``."""
        process = self.start(*arguments)
        told, _ = process.communicate(timeout=RUN_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, told, "")

    def ask_for(self, sample: str, fault: str) -> None:
        """Let the analysis of a sample go wrong from now on."""
        (self.folder / "faults" / sample).write_text(fault, encoding="utf-8")

    def mend(self, sample: str) -> None:
        """Let the analysis of a sample go well from now on."""
        (self.folder / "faults" / sample).unlink()

    def begun(self, sample: str) -> str:
        """Return the number of the Slurm job that last began to go wrong at a sample, nothing if none did."""
        path = self.folder / "begun" / sample
        return path.read_text(encoding="utf-8") if path.exists() else ""


def real_command() -> str:
    """Return the path of ``cd40l-flow``."""
    for folder in (str(Path(sys.executable).parent), *os.environ["PATH"].split(os.pathsep)):
        path = Path(folder) / "cd40l-flow"
        if path.is_file():
            return str(path)
    pytest.fail("cd40l-flow is not installed")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start the cluster; where this machine lacks Slurm tests are skipped, or fail with CI=true."""
    lacks = missing_programs()
    if find_spec("snakemake_executor_plugin_slurm") is None:
        lacks.append("snakemake-executor-plugin-slurm")
    if os.geteuid() != 0:
        lacks.append("the rights of root")
    if lacks:
        reason = f"no Slurm cluster can be started: {', '.join(lacks)} missing"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and with CI=true every test must run")
        pytest.skip(reason)
    with start_cluster(tmp_path_factory.mktemp("slurm"), nodes=2, cpus=CPUS, memory=MEMORY) as started:
        yield started


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Return what makes a site of a working directory; nodes and queue are as new in the end."""
    folder = tmp_path / "site"
    for name in ("bin", "faults", "begun"):
        (folder / name).mkdir(parents=True)
    shim = folder / "bin" / "cd40l-flow"
    faulty = ROOT / "tests/helpers/programs/faulty.py"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} {faulty} "$@"\n', "utf-8")
    shim.chmod(0o755)
    yield lambda cohort, *, plain=False: Site(cluster, cohort, folder, plain=plain)
    cluster.cancel_all()
    for node in cluster.nodes:
        if "DOWN" in cluster.tell("scontrol", "show", "node", node):
            cluster.set_node(node, "RESUME")

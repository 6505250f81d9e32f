"""Working directories in which steps go wrong as a test asks for, and small ones to be copied and broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cd40l_flow.simulate import healthy_control, write_cohort
from helpers.results import report_samples as made
from helpers.runs.cohorts import ROOT, RUN_SECONDS
from helpers.runs.hostile import SMALL


@dataclass(frozen=True)
class Bench:
    """A working directory whose steps play faults."""

    cohort: Path
    folder: Path

    def ask_for(self, step: str, fault: str) -> None:
        """Let a step (a sample's name for its analysis, or ``report.SAMPLE``) go wrong from now on."""
        (self.folder / "faults" / step).write_text(fault, encoding="utf-8")

    def mend(self) -> None:
        """Let everything go well from now on."""
        for path in (self.folder / "faults").iterdir():
            path.unlink()

    def start(self, *arguments: str, cores: int = 2) -> subprocess.Popen[str]:
        """Start Snakemake in a process group of its own and do not wait for it."""
        scripts = Path(sys.executable).parent
        environment = {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{scripts}{os.pathsep}{os.environ['PATH']}",
            "FAULTS_TEST": str(self.folder),
            "FAULTS_TEST_REAL": str(scripts / "cd40l-flow"),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
        command += ["--directory", str(self.cohort), "--configfile", str(self.cohort / "config" / "config.yaml")]
        return subprocess.Popen(
            [*command, "--cores", str(cores)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, cores: int = 2) -> subprocess.CompletedProcess[str]:
        """Run Snakemake; its output, of both kinds, is ``stdout``."""
        process = self.start(*arguments, cores=cores)
        told, _ = process.communicate(timeout=RUN_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, told, "")


@pytest.fixture
def bench(tmp_path: Path) -> Callable[[Path], Bench]:
    """Return what makes a bench of a working directory."""
    folder = tmp_path / "bench"
    for name in ("bin", "faults", "begun"):
        (folder / name).mkdir(parents=True)
    shim = folder / "bin" / "cd40l-flow"
    faulty = ROOT / "tests/helpers/programs/faulty.py"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} {faulty} "$@"\n', "utf-8")
    shim.chmod(0o755)
    return lambda cohort: Bench(cohort, folder)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A control and one sample, to be copied."""
    folder = tmp_path_factory.mktemp("small")
    write_cohort(folder, 4, cohort=(replace(healthy_control(), events=3000, background_events=2500), SMALL))
    return folder


@pytest.fixture
def cohort(small: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(small, tmp_path / "cohort"))


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Return a folder of two samples: P01, ABSENT, and its control C01."""
    folder = tmp_path / "results" / "samples"
    made.write_sample(folder / "P01", made.SCENARIOS["ABSENT"])
    made.write_sample(folder / "C01", made.CONTROL)
    return folder

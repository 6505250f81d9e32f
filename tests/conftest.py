"""What several tests share: tools that may be missing, real recordings, and one finished run of the demo cohort."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from helpers.runs.cohorts import DEMO, ROOT, RUN_SECONDS, demo_samples, make_cohort, run_once


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured and reported, whichever process they ran in."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "told":
                terminalreporter.write_line(f"{report.nodeid}: {text}")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def require() -> Callable[[str], str]:
    """Return what gives the path of a program; without it the test is skipped, or fails where CI=true."""

    def find(tool: str) -> str:
        path = shutil.which(tool)
        if path is not None:
            return path
        if os.environ.get("CI") == "true":
            pytest.fail(f"{tool} is not installed, and with CI=true every test must run")
        pytest.skip(f"{tool} is not installed")

    return find


@pytest.fixture(scope="session")
def require_module() -> Callable[[str], Path]:
    """Return what gives the folder of an installed module, without importing it; as `require` does for programs."""

    def find(module: str) -> Path:
        found = find_spec(module)
        if found is not None and found.origin is not None:
            return Path(found.origin).parent
        if os.environ.get("CI") == "true":
            pytest.fail(f"{module} is not installed, and with CI=true every test must run")
        pytest.skip(f"{module} is not installed")

    return find


@pytest.fixture(scope="session")
def require_peer() -> Callable[[str], str]:
    """Return what gives the Python of the peers' environment, where it has a module; as `require` does for programs."""

    def find(module: str) -> str:
        python = ROOT / "build/peers/bin/python"
        command = [str(python), "-c", f"import {module}"]
        if python.is_file() and subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return str(python)
        if os.environ.get("CI") == "true":
            pytest.fail(f"{module} is not installed among the peers, and with CI=true every test must run")
        pytest.skip(f"{module} is not installed among the peers (.ci/peers.txt)")

    return find


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Return the folder of real FCS files, which lies beside the repository; the test is skipped where it does not."""
    folder = ROOT.parent / "shared" / "fcs"
    if not folder.is_dir():
        pytest.skip("no real recordings at ../shared/fcs")
    return folder


@pytest.fixture(scope="session")
def workflow() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs Snakemake in a working directory; further arguments go to Snakemake.

    The working directory holds ``config/config.yaml``. Output is captured, errors are not raised.
    """
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }

    def run(directory: Path, *arguments: str, cores: int = 2) -> subprocess.CompletedProcess[str]:
        command = [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--directory", str(directory), "--configfile", str(directory / "config" / "config.yaml")),
            *("--cores", str(cores), *arguments),
        ]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
        )

    return run


@pytest.fixture
def demo_copy(tmp_path: Path) -> Path:
    """Return a working directory with the demo cohort: sheets to change at will, FCS files linked one by one."""
    return _copy_demo(tmp_path / "cohort")


@pytest.fixture(scope="session")
def demo_results(
    tmp_path_factory: pytest.TempPathFactory, workflow: Callable[..., subprocess.CompletedProcess[str]]
) -> Path:
    """Return the working directory of a finished run of the demo cohort, to be read only.

    The run is made once, also when several processes share the tests.
    """
    return run_once("demo", _copy_demo, workflow, tmp_path_factory)


def _copy_demo(directory: Path) -> Path:
    make_cohort(directory, demo_samples("cd40l"))
    shutil.copy(DEMO / "truth.tsv", directory)
    return directory

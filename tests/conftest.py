"""What several tests share: tools that may be missing, real recordings, and one finished run of the demo cohort."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DEMO_SECONDS = 600


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
            command, env=environment, capture_output=True, text=True, timeout=DEMO_SECONDS, check=False
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
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    directory, finished = shared / "demo", shared / "demo.finished"
    try:
        (shared / "demo.started").mkdir()
    except FileExistsError:
        _wait_for(finished)
    else:
        _copy_demo(directory)
        process = workflow(directory)
        outcome = shared / "demo.outcome"
        outcome.write_text(process.stderr if process.returncode else "", encoding="utf-8")
        outcome.rename(finished)  # it appears with its text in it
    failure = finished.read_text(encoding="utf-8")
    if failure:
        pytest.fail(f"the demo cohort could not be run:\n{failure}")
    return directory


def _copy_demo(directory: Path) -> Path:
    source = ROOT / "test_data"
    shutil.copytree(source / "config", directory / "config")
    shutil.copy(source / "truth.tsv", directory)
    (directory / "fcs").mkdir()
    for path in sorted((source / "fcs").iterdir()):
        (directory / "fcs" / path.name).symlink_to(path)
    return directory


def _wait_for(path: Path) -> None:
    for _ in range(10 * DEMO_SECONDS):
        if path.exists():
            return
        time.sleep(0.1)
    pytest.fail("another process began to run the demo cohort and did not finish")

"""A process that has done a sample's step serves the next client of the same circumstances, and is as good as new."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cd40l_flow.runtime.client import WORKER
from helpers.runs.workers import COMMAND, LIGHT, SERVES, ask, eventually, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a worker on Linux alone")

# A worker whose commands tell their process, and do what their arguments say.
TELLS = """
import os, sys, warnings
import cd40l_flow.cli.main as commands
def main(arguments):
    print(os.getpid(), os.getcwd(), os.environ.get("WHO"))
    kept.append(bytearray(300_000_000) if "--large" in arguments else None)
    if "--large" in arguments:
        kept[-1][::1000] = b"1" * 300_000
    if "--warn" in arguments:
        warn()
    if "--write" in arguments:
        os.environ["WHO"] = "changed"
    if "--raise" in arguments:
        raise ValueError("broken")
    return int("--fail" in arguments)
def warn():
    warnings.warn("shown", RuntimeWarning)
kept = []
commands.main = main
"""
Start = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def name(start: Start) -> str:
    """Return the name of such a worker."""
    return start(LIGHT + TELLS + SERVES)[1]


def number(name: str, *arguments: str, **options: object) -> str:
    """Run a command and return the process that did it."""
    return run(name, *arguments, **options)[1].split()[0]


def test_steps_of_samples_share_a_process(name: str, tmp_path: Path) -> None:
    """One process, and nothing of the step before: directory, environment, outputs, warnings."""
    first, second = (run(name, "analyse", "--warn", "--write", cwd=tmp_path) for _ in range(2))

    assert first == second
    assert "RuntimeWarning: shown" in second[2]
    assert first[1].split()[1:] == [str(tmp_path), "None"]
    assert number(name, "report", cwd=tmp_path) == first[1].split()[0]


@pytest.mark.parametrize("last", [["check"], ["analyse", "--fail"], ["analyse", "--raise"], ["analyse", "--large"]])
def test_after_anything_else_the_process_ends(name: str, last: list[str]) -> None:
    """Commands that are not of one sample, failures, and steps that leave much memory in use."""
    process = number(name, *last)

    assert number(name, "analyse") != process
    eventually(lambda: not Path(f"/proc/{process}").exists())


@pytest.mark.parametrize("other", ["directory", "environment", "umask"])
def test_clients_of_other_circumstances_have_another_process(name: str, tmp_path: Path, other: str) -> None:
    process = number(name, "analyse")
    options: dict[str, object] = {
        "directory": {"cwd": tmp_path},
        "environment": {"env": {**os.environ, WORKER: name, "WHO": "other"}},
        "umask": {"umask": 0o57},
    }[other]
    if other == "environment":
        told = subprocess.check_output([COMMAND, "analyse"], text=True, **options).split()  # type: ignore[call-overload]
        assert told[2] == "other"
    else:
        told = run(name, "analyse", **options)[1].split()

    assert told[0] != process
    # The former is kept for nobody.
    eventually(lambda: not Path(f"/proc/{process}").exists())


def test_a_process_that_was_killed_while_idle_costs_nobody_anything(name: str) -> None:
    """A client that comes before its death is noticed does the work itself."""
    process = number(name, "analyse")

    os.kill(int(process), 9)

    assert ask(name, "analyse") in ("code 0", "code None")
    eventually(lambda: not Path(f"/proc/{process}").exists())
    assert number(name, "analyse") != process


@pytest.mark.parametrize("end", ["communicate", "kill"])
def test_an_idle_process_ends_with_the_worker(start: Start, end: str) -> None:
    worker, name = start(LIGHT + TELLS + SERVES)
    process = number(name, "analyse")

    getattr(worker, end)()

    eventually(lambda: not Path(f"/proc/{process}").exists())


def test_the_log_of_a_step_tells_its_own_resources(start: Start, tmp_path: Path) -> None:
    """Processor time and memory of a step that follows another in its process are not those of both."""
    spends = """
import cd40l_flow.cli.main as commands
from cd40l_flow.cli.analysis import clocks, used
def main(arguments):
    began = clocks()
    if "--spend" in arguments:
        sum(range(30_000_000)); bytearray(200_000_000)[::1000] = b"1" * 200_000
    print(used(began))
    return 0
commands.main = main
"""
    _, name = start(LIGHT + spends + SERVES)

    much, little = (
        [float(text) for text in re.findall(r"[\d.]+", run(name, "analyse", *more)[1])] for more in (["--spend"], [])
    )

    assert much[1] > 0.1 > little[1]
    assert much[2] > little[2] + 100

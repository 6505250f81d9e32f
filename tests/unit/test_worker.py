"""A process that is ready does what a process of its own would do, and lives and dies with those who want it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cd40l_flow.ready import SOCKET
from cd40l_flow.start import READY

from helpers.fcs_files import Fcs

# Does what the workflow does: starts one, then tells and waits until standard input ends.
PARENT = "import os, sys, cd40l_flow.ready as r; r.start(); print(os.environ[r.READY], flush=True); sys.stdin.read()"
COMMAND = [sys.executable, "-m", "cd40l_flow.start"]


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def place(parent: subprocess.Popen[str]) -> Path:
    assert parent.stdout is not None
    found = Path(parent.stdout.readline().strip())
    eventually(found.exists)
    return found


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until a condition holds; fail where it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def workers(place: Path) -> list[int]:
    """Return the processes that serve a socket: the one that is ready, and those it forked."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"cd40l_flow.ready" in words and str(place).encode() in words:
                found.append(int(folder.name))
    return sorted(found)


def run(place: Path | str, *arguments: str, directory: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, READY: str(place)}
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, cwd=directory, capture_output=True, text=True, check=False
    )


def test_commands_end_and_say_what_they_would_alone(place: Path, tmp_path: Path) -> None:
    """Exit code, both outputs and the directory: help, a table, mistakes of several kinds."""
    (tmp_path / "a.fcs").write_bytes(Fcs().bytes())
    codes = set()
    for arguments in (["--help"], ["inspect", "a.fcs", "--json"], ["inspect", "none.fcs"], ["check"], ["nonsense"]):
        alone = run("", *arguments, directory=tmp_path)
        asked = run(place, *arguments, directory=tmp_path)

        assert (asked.returncode, asked.stdout, asked.stderr) == (alone.returncode, alone.stdout, alone.stderr)
        codes.add(asked.returncode)
    assert codes == {0, 1, 2}


def test_a_fault_of_ours_is_a_failure_with_a_traceback(place: Path, tmp_path: Path) -> None:
    told = run(place, "analyse", "--job", "[]", "--result", "r.json", "--densities", "d.npz", directory=tmp_path)

    assert told.returncode == 1
    assert "Traceback" in told.stderr


def test_it_ends_with_its_parent(parent: subprocess.Popen[str], place: Path) -> None:
    assert len(workers(place)) == 1

    parent.send_signal(signal.SIGKILL)

    eventually(lambda: not workers(place))
    assert not place.parent.exists()


def test_work_dies_with_whoever_asked_for_it(place: Path, tmp_path: Path) -> None:
    asker, _ = busy(place, tmp_path)

    asker.send_signal(signal.SIGKILL)

    asker.communicate()
    eventually(lambda: len(workers(place)) == 1)


def test_work_that_is_killed_is_a_failure_of_whoever_asked(place: Path, tmp_path: Path) -> None:
    asker, worker = busy(place, tmp_path)

    os.kill(worker, signal.SIGKILL)

    _, told = asker.communicate(timeout=30)
    assert asker.returncode == 1
    assert "killed" in told
    assert run(place, "--help").returncode == 0


def busy(place: Path, folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Return an asker whose work never ends, for it tells more than a pipe holds that nobody reads, and the worker."""
    before = set(workers(place))
    asker = subprocess.Popen(
        [*COMMAND, "inspect", *(str(folder / f"{number}.fcs") for number in range(2000))],
        env={**os.environ, READY: str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert asker.stdout is not None and asker.stdout.read(1)
    (worker,) = set(workers(place)) - before
    return asker, worker


def test_none_is_started_where_the_environment_names_one(tmp_path: Path) -> None:
    environment = {**os.environ, READY: "off"}

    told = subprocess.run([sys.executable, "-c", PARENT], env=environment, input="", capture_output=True, text=True)

    assert (told.returncode, told.stdout, told.stderr) == (0, "off\n", "")
    assert workers(Path("off")) == []


def test_without_one_the_work_is_done_all_the_same(place: Path, tmp_path: Path) -> None:
    """No such socket, one that nobody serves any more, and a process of another installation."""
    assert run(tmp_path / "none" / SOCKET, "--help").returncode == 0
    other = tmp_path / "cd40l_flow"
    other.symlink_to(Path(sys.modules["cd40l_flow"].__file__ or "").parent)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import cd40l_flow.start as r"]
    script = command[-1] + f"; sys.argv = ['x', '--help']; print(r.ask({str(place)!r}))"

    told = subprocess.run([*command[:-1], script], capture_output=True, text=True, check=True)

    assert told.stdout == "None\n"

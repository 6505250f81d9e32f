"""The worker does what a client would do alone, and is never the reason that a step fails."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cd40l_flow.runtime.client import KILLED, WORKER
from helpers.by_hand.fcs_files import Fcs
from helpers.runs.workers import COMMAND, SERVES, STARTS, ask, connected, eventually, listens, processes, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a worker on Linux alone")


def test_commands_end_and_say_what_they_would_alone(name: str, tmp_path: Path) -> None:
    """Exit code, both outputs and the directory: help, a table, mistakes of several kinds."""
    (tmp_path / "a.fcs").write_bytes(Fcs().bytes())
    codes = set()
    for arguments in (["--help"], ["inspect", "a.fcs", "--json"], ["inspect", "none.fcs"], ["check"], ["nonsense"]):
        alone = run(None, *arguments, cwd=tmp_path)

        assert run(name, *arguments, cwd=tmp_path) == alone
        assert ask(name, *arguments, cwd=tmp_path) == f"code {alone[0]}"
        codes.add(alone[0])
    assert codes == {0, 1, 2}


def test_a_fault_of_ours_is_a_failure_with_a_traceback(name: str, tmp_path: Path) -> None:
    broken = tmp_path / "r.json"
    broken.write_text("[]")
    arguments = ("export", "--job", "[]", "--result", str(broken), "--table", "t.tsv")
    alone = run(None, *arguments, cwd=tmp_path)

    worked = run(name, *arguments, cwd=tmp_path)

    assert worked[0] == alone[0] != 0
    assert worked[2].splitlines()[-1] == alone[2].splitlines()[-1]


def test_a_client_that_comes_while_the_worker_loads_is_served(
    start: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    _, name = start(wait=False)

    assert ask(name) == "code 0"


def test_output_that_cannot_be_written_is_a_failure(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.fcs").write_bytes(Fcs().bytes())
    for given in (None, name):
        with Path("/dev/full").open("w") as full:
            options = {"capture_output": False, "stdout": full, "stderr": subprocess.PIPE, "cwd": tmp_path}
            code, _, told = run(given, "inspect", "a.fcs", **options)

        assert code not in (0, KILLED)
        assert "No space left" in told


@pytest.fixture
def busy(name: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Return a client whose work does not end, for nobody reads what it writes, and the process that does it."""
    out, full = os.pipe()
    os.set_blocking(full, False)
    try:
        while os.write(full, b" "):
            pass
    except BlockingIOError:
        os.set_blocking(full, True)
    environment = {**os.environ, WORKER: name}
    client = subprocess.Popen([COMMAND, "--help"], env=environment, stdout=full, stderr=subprocess.PIPE, text=True)

    def writing() -> list[int]:
        return [number for number in processes(name) if "pipe_write" in Path(f"/proc/{number}/wchan").read_text()]

    eventually(writing)
    (forked,) = writing()
    yield client, forked
    os.close(out)
    os.close(full)
    client.kill()
    client.wait()
    assert client.stderr is not None
    client.stderr.close()


def test_work_dies_with_its_client(name: str, busy: tuple[subprocess.Popen[str], int]) -> None:
    client, forked = busy

    client.send_signal(signal.SIGKILL)

    client.communicate()
    eventually(lambda: forked not in processes(name))


def test_work_that_is_killed_is_reported_by_the_exit_code(name: str, busy: tuple[subprocess.Popen[str], int]) -> None:
    client, forked = busy

    os.kill(forked, signal.SIGKILL)

    _, told = client.communicate(timeout=30)
    assert client.returncode == KILLED == 128 + signal.SIGKILL
    assert "killed, perhaps for want of memory" in told
    assert ask(name) == "code 0"


def test_a_worker_that_is_killed_costs_nobody_anything(name: str, busy: tuple[subprocess.Popen[str], int]) -> None:
    """Work that was begun goes on, and what comes later is done by the client."""
    client, forked = busy
    (worker,) = set(processes(name)) - {forked, client.pid}

    os.kill(worker, signal.SIGKILL)

    eventually(lambda: not listens(name))
    assert ask(name) == "code None"
    assert run(name, "--help") == run(None, "--help")
    assert client.poll() is None
    assert forked in processes(name)


@pytest.mark.parametrize("wait", [True, False], ids=["loaded", "loading"])
def test_nothing_is_left_where_its_parent_is_killed(
    start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path, wait: bool
) -> None:
    process, name = start(wait=wait, env={**os.environ, "TMPDIR": str(tmp_path)}, cwd=tmp_path)

    process.kill()

    eventually(lambda: f"@{name}\n" not in Path("/proc/net/unix").read_text())
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_is_killed_leaves_nothing(
    start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path
) -> None:
    process, name = start(SERVES, env={**os.environ, "TMPDIR": str(tmp_path)}, cwd=tmp_path)

    process.kill()

    eventually(lambda: f"@{name}\n" not in Path("/proc/net/unix").read_text())
    assert list(tmp_path.iterdir()) == []


def test_none_is_started_where_the_environment_names_one() -> None:
    environment = {**os.environ, WORKER: "off"}

    told = subprocess.run([sys.executable, "-c", STARTS], env=environment, input="", capture_output=True, text=True)

    assert (told.returncode, told.stdout, told.stderr) == (0, "off\n", "")
    assert run("off", "--help") == run(None, "--help")


def test_a_long_folder_of_temporary_files_does_not_matter(
    start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path
) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()

    process, name = start(env={**os.environ, "TMPDIR": str(folder)}, stderr=subprocess.PIPE)

    assert ask(name, env={**os.environ, "TMPDIR": str(folder)}) == "code 0"
    assert process.communicate(timeout=60) == ("", "")
    assert list(folder.iterdir()) == []


def test_a_client_that_hangs_up_or_talks_nonsense_costs_nobody_anything(name: str) -> None:
    for content in (b"", b"", b"r", b"\0" * 100_000):
        with connected(name) as connection:
            connection.sendall(content)
            if content:
                connection.shutdown(socket.SHUT_WR)

    assert ask(name) == "code 0"
    assert len(processes(name)) == 1


def test_connections_that_are_held_block_neither_others_nor_the_end(
    start: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    process, name = start()
    held = [connected(name) for _ in range(20)]

    assert ask(name) == "code 0"
    begun = time.monotonic()
    process.communicate(timeout=60)

    assert time.monotonic() - begun < 5
    assert not listens(name)
    for connection in held:
        connection.close()


def test_a_fork_that_fails_costs_nobody_anything(
    start: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    """The client does the work; the name stays taken, so that nobody else can have it."""
    for error in ("EAGAIN", "ENOMEM"):
        fails = f"""
import errno, os
fork, left = os.fork, [1, 1]
def failing():
    if left:
        left.pop()
        raise OSError(errno.{error}, "no fork")
    return fork()
os.fork = failing
"""
        _, name = start(fails + SERVES, wait=False)

        assert ask(name) == "code None"
        assert run(name, "--help") == run(None, "--help")
        assert ask(name) == "code 0"


def test_a_worker_that_is_stopped_is_not_waited_for(
    start: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    process, name = start(SERVES)

    process.send_signal(signal.SIGSTOP)

    assert ask(name, first="client.PATIENCE = 0.2") == "code None"

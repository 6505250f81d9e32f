"""The worker does what a client would do alone, for its own user alone, and is never the reason that a step fails."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cd40l_flow.runtime.client import KILLED, WORKER
from helpers.fcs_files import Fcs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a worker on Linux alone")

NOBODY = 65534
# What the workflow does: start a worker, then run until standard input ends.
STARTS = (
    "import os, sys, cd40l_flow.runtime.worker as w; w.start();"
    "print(os.environ[w.WORKER], flush=True); sys.stdin.read()"
)
# A worker by itself, to be tampered with before.
SERVES = (
    "import os, socket, sys, cd40l_flow.runtime.worker as w;"
    "listener = socket.socket(socket.AF_UNIX); listener.bind('');"
    "print(listener.getsockname()[1:].decode(), flush=True); w.serve(listener.detach())"
)
# A client that tells what it got, None where the worker did not take it.
ASKS = "sys.argv = ['cd40l-flow', *(sys.argv[2:] or ['--version'])]; print('code', client.ask(sys.argv_name))"
COMMAND = Path(sys.executable).with_name("cd40l-flow")


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Return what starts a program that prints the name of a worker, and waits until that one listens."""
    started = []

    def begin(program: str = STARTS, wait: bool = True, **options: object) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(  # type: ignore[call-overload]
            [sys.executable, "-P", "-c", program],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, **options},
        )
        started.append(process)
        name = process.stdout.readline().strip()
        if wait:
            eventually(lambda: listens(name))
        return process, name

    yield begin
    for process in started:
        process.kill()
        with process:  # closes its pipes, also after communicate() gave up
            process.communicate()


@pytest.fixture
def name(start: Callable[..., tuple[subprocess.Popen[str], str]]) -> str:
    """Return the name of a worker."""
    return start()[1]


def eventually(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until a condition holds; fail where it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def connected(name: str) -> socket.socket:
    """Return a connection to a worker, or raise OSError."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(f"\0{name}")
    except OSError:
        connection.close()
        raise
    return connection


def listens(name: str) -> bool:
    """Tell whether somebody listens on a name."""
    try:
        connected(name).close()
    except OSError:
        return False
    return True


def processes(name: str) -> list[int]:
    """Return the processes that hold a socket of a name: the worker, and those it forked that work."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    nodes = {f"socket:[{line.split()[6]}]" for line in lines if line.endswith(f" @{name}")}
    found = []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if nodes & {str(path.readlink()) for path in folder.iterdir()}:
                found.append(int(folder.parent.name))
        except OSError:
            continue
    return sorted(found)


def ask(name: str, *arguments: str, first: str = "", **options: object) -> str:
    """Return what a client prints that tells what the worker answered; ``first`` is done before it asks."""
    program = (
        "import os, sys, cd40l_flow.runtime.client as client; client.leave_out_current_directory()\n"
        f"import marshal, socket; sys.argv_name = sys.argv[1]; {first}\n{ASKS}"
    )
    command = [sys.executable, "-P", "-c", program, name, *arguments]
    options = {"capture_output": True, "text": True, "timeout": 120, "check": False, **options}
    told = subprocess.run(command, **options)  # type: ignore[call-overload]
    assert told.returncode == 0, told.stderr
    return str(told.stdout.splitlines()[-1])


def run(name: str | None, *arguments: str, **options: object) -> tuple[int, str, str]:
    """Run the console script, with a worker or without; return its exit code and its outputs."""
    environment = {key: value for key, value in os.environ.items() if key != WORKER}
    environment |= {WORKER: name} if name is not None else {}
    told = subprocess.run(  # type: ignore[call-overload]
        [str(COMMAND), *arguments],
        **{"env": environment, "capture_output": True, "text": True, "timeout": 120, "check": False, **options},
    )
    return told.returncode, told.stdout, told.stderr


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


def test_work_that_is_killed_is_told_by_the_exit_code(name: str, busy: tuple[subprocess.Popen[str], int]) -> None:
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


@pytest.mark.parametrize("wait", [True, False], ids=["listening", "loading"])
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
        eventually(lambda name=name: listening(name))

        assert ask(name) == "code None"
        assert run(name, "--help") == run(None, "--help")
        assert ask(name) == "code 0"


def listening(name: str) -> bool:
    """Tell whether a socket of a name listens, without a connection to it."""
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines() if line.endswith(f" @{name}")]
    return any(int(line[3], 16) & 0x10000 for line in lines)


def test_a_worker_that_is_stopped_is_not_waited_for(
    start: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    process, name = start(SERVES)

    process.send_signal(signal.SIGSTOP)

    assert ask(name, first="client.PATIENCE = 0.2") == "code None"


@pytest.fixture
def root() -> None:
    if os.geteuid():
        pytest.skip("only root can become another user")


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("other", [f"os.setuid({NOBODY})", f"os.setegid({NOBODY})"], ids=["user", "group"])
def test_another_user_or_group_gets_no_work_done(name: str, other: str) -> None:
    """Neither by our client nor by one that asks all the same."""
    assert ask(name, first=other) == "code None"
    assert ask(name, first=f"{other}; client.PATIENCE = 1; client.same_user = lambda peer: True") == "code None"
    assert ask(name) == "code 0"


@pytest.mark.usefixtures("root")
def test_another_user_who_has_the_name_is_told_nothing(
    start: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    thief = f"""
import os, socket
listener = socket.socket(socket.AF_UNIX)
listener.bind("")
os.setuid({NOBODY})
listener.listen()
print(listener.getsockname()[1:].decode(), flush=True)
while True:
    connection, _ = listener.accept()
    print(connection.recv(1000), flush=True)
"""
    process, name = start(thief, wait=False)

    assert ask(name) == "code None"

    assert process.stdout is not None
    assert process.stdout.readline() == "b''\n"


def test_the_umask_is_the_client_s(name: str, tmp_path: Path) -> None:
    for umask in (0o027, 0o002):
        place = tmp_path / f"{umask:o}"

        assert ask(name, "init", str(place), "--workflow", first=f"os.umask({umask})") == "code 0"

        assert (place / "workflow" / "Snakefile").stat().st_mode & 0o777 == 0o666 & ~umask
        assert (place / "workflow").stat().st_mode & 0o777 == 0o777 & ~umask


@pytest.mark.parametrize(
    "first",
    [
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))",
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))",
        "os.nice(1)",
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})",
        "os.setgroups([65534])",
        "os.environ['PYTHONHASHSEED'] = '1'",
        "os.environ['LC_ALL'] = 'C'",
        "os.pipe()",
    ],
    ids=["file size", "open files", "memory", "priority", "processors", "groups", "Python", "language", "open file"],
)
def test_what_a_forked_process_cannot_take_from_its_client_is_done_by_the_client(name: str, first: str) -> None:
    """Limits hold, and a file that is open in the client alone can be read."""
    if "groups" in first and os.geteuid():
        pytest.skip("only root can change its groups")
    if "nice" in first and os.nice(0) == 19:
        pytest.skip("there is no lower priority")
    if "affinity" in first and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("there is one processor")

    assert ask(name, first=first) == "code None"


def test_under_a_limit_of_memory_there_is_no_worker() -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))"
    program = f"{limit}; import cd40l_flow.runtime.worker as w; w.start(); import os; print(w.WORKER in os.environ)"

    assert subprocess.check_output([sys.executable, "-P", "-c", program], text=True) == "False\n"


def test_a_directory_that_vanished_is_as_it_would_be_alone(
    start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path
) -> None:
    """The client's, and the worker's own."""
    (tmp_path / "workers").mkdir()
    _, name = start(cwd=tmp_path / "workers")
    (tmp_path / "workers").rmdir()
    told = []
    for given in (None, name):
        folder = tmp_path / "clients"
        folder.mkdir()
        told.append(run(given, "inspect", "none.fcs", cwd=folder, preexec_fn=folder.rmdir))

    assert told[0] == told[1]
    assert ask(name) == "code 0"


def test_an_update_while_it_lives_is_done_by_the_client(
    start: Callable[..., tuple[subprocess.Popen[str], str]], tmp_path: Path
) -> None:
    """Another version, another place, and a file of ours that is written anew, also by the same bytes."""
    package = Path(sys.modules["cd40l_flow"].__file__ or "").parent
    copy = tmp_path / "src" / "cd40l_flow"
    shutil.copytree(package, copy)
    (tmp_path / "workflow").symlink_to(package.parents[1] / "workflow")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
    _, name = start(SERVES, env=environment)
    assert ask(name, env=environment) == "code 0"

    assert ask(name) == "code None"
    assert ask(name, env=environment, first="client.BUILD_ID[0] = '0.0.1'") == "code None"
    path = copy / "decision" / "__init__.py"
    path.write_bytes(path.read_bytes())
    assert ask(name, env=environment) == "code None"


MODULES = ("bisect", "json", "marshal", "numpy", "random", "shutil", "socket", "statistics", "subprocess", "yaml")


@pytest.fixture
def hostile(root_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of a working directory in which modules lie that leave a trace when they are imported."""
    for folder in ("config", "fcs"):
        (tmp_path / folder).symlink_to(root_folder / "test_data" / folder)
    for module in MODULES:
        (tmp_path / f"{module}.py").write_text(
            f"open('/dev/stderr', 'w').write('RAN {module}')\nraise SystemExit(99)\n"
        )
    return tmp_path


@pytest.fixture
def root_folder() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", [None, "", ":", "/nonexistent:", ":/nonexistent"])
def test_code_that_lies_with_the_data_does_not_run(
    start: Callable[..., tuple[subprocess.Popen[str], str]], hostile: Path, path: str | None
) -> None:
    """Not in the console script, alone or with a worker, and not in the worker, whatever PYTHONPATH was inherited."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {} if path is None else {"PYTHONPATH": path}
    arguments = ("check", "--out", "check.json")
    # Started where there are only data, for the program that starts it is Python's own affair; then the code arrives.
    _, name = start("import os; os.chdir(sys_argv)\n".replace("sys_argv", repr(str(hostile))) + STARTS, env=environment)

    for given in ({}, {WORKER: name}):
        code, _, told = run(None, *arguments, cwd=hostile, env={**environment, **given})
        assert "RAN" not in told
        assert code == 0, told
    assert ask(name, *arguments, cwd=hostile, env=environment) == "code 0"


def test_what_the_project_runs_as_a_module_is_not_looked_for_beside_the_data(root_folder: Path) -> None:
    """``python -m`` looks into the current directory first, ``python -P -m`` does not."""
    files = [root_folder / "Makefile", *(root_folder / "workflow").rglob("*.smk"), *(root_folder / "src").rglob("*.py")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    called = [line for line in lines if "-m cd40l_flow" in line and "decision_table" not in line]

    assert called
    assert all("-P -m cd40l_flow" in line for line in called)

"""A worker serves its own user alone, in the client's own circumstances, and runs no code that lies with the data."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cd40l_flow.runtime.client import WORKER
from helpers.runs.workers import SERVES, STARTS, ask, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a worker on Linux alone")

NOBODY = 65534


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
def test_another_user_who_has_the_name_learns_nothing(
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
    return Path(__file__).resolve().parents[4]


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


def test_what_the_project_runs_as_a_module_is_not_looked_for_next_to_the_data(root_folder: Path) -> None:
    """``python -m`` looks into the current directory first, ``python -P -m`` does not."""
    files = [root_folder / "Makefile", *(root_folder / "workflow").rglob("*.smk"), *(root_folder / "src").rglob("*.py")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    called = [line for line in lines if "-m cd40l_flow" in line and "decision_table" not in line]

    assert called
    assert all("-P -m cd40l_flow" in line for line in called)

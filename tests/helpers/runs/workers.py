"""A worker seen from outside: programs that start one, and a client that tells what it answered."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cd40l_flow.runtime.client import WORKER

# What the workflow does: start a worker, then run until standard input ends.
STARTS = (
    "import os, sys, cd40l_flow.runtime.worker as w; w.start();"
    "print(os.environ[w.WORKER], flush=True); sys.stdin.read()"
)
# A worker by itself, to be tampered with before.
SERVES = (
    "import os, socket, sys, cd40l_flow.runtime.worker as w;"
    "listener = socket.socket(socket.AF_UNIX); listener.bind(''); listener.listen();"
    "print(listener.getsockname()[1:].decode(), flush=True); w.serve(listener.detach())"
)
# For tests of processes alone: a worker that loads nothing beforehand.
LIGHT = "import cd40l_flow.runtime.worker as w; w._load_analysis = w._load_reports = lambda: None\n"
# A client that tells what it got, None where the worker did not take it.
ASKS = "sys.argv = ['cd40l-flow', *(sys.argv[2:] or ['--version'])]; print('code', client.ask(sys.argv_name))"
COMMAND = Path(sys.executable).with_name("cd40l-flow")


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
    """Return whether somebody listens on a name."""
    try:
        connected(name).close()
    except OSError:
        return False
    return True


def answers(name: str) -> bool:
    """Return whether a worker has loaded everything and greets who connects."""
    try:
        with connected(name) as connection:
            connection.settimeout(60)
            return connection.recv(1) == b"h"
    except OSError:
        return False


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

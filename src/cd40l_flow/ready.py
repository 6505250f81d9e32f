"""A process that is ready: it has everything loaded, and forks a process of its own for every command it is asked for.

A good part of what a sample costs would be the start of Python and of NumPy, twice. The workflow starts one such
process on the machine it runs on; what it forks does what a process of its own would do, to the same bytes, and dies
with whoever asked. Whoever finds none, or one of another installation, does the work itself.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cd40l_flow.start import KIN, READY, REFUSED, SIZE, STANDARD, TAKEN

if TYPE_CHECKING:
    from subprocess import Popen

SOCKET = "ready"
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# Where the C library is GNU's: memory is asked for in large pages and kept, a sixth of the page faults.
KEPT = {"hugetlb": 1, "mmap_threshold": 1 << 26, "trim_threshold": 1 << 28}
MEMORY = {"GLIBC_TUNABLES": ":".join(f"glibc.malloc.{name}={value}" for name, value in KEPT.items())}
STEPS = (
    *("analyse", "cli", "inputs.job", "outputs.gate_files", "outputs.index", "outputs.measures_table"),
    *("outputs.provenance", "outputs.report", "outputs.result", "outputs.summary"),
)
# What other libraries' functions, or ours, import when they are first called.
THEIRS = ("encodings.cp437", "flowio", "resource")


def start() -> None:
    """Start a process that is ready, for this one and what it starts, unless one is named; it ends with this one."""
    if READY in os.environ:
        return
    import atexit
    from subprocess import PIPE, Popen
    from tempfile import mkdtemp

    place = Path(mkdtemp(prefix="cd40l-flow-")) / SOCKET
    command = [sys.executable, "-m", "cd40l_flow.ready", str(place)]
    process = Popen(command, stdin=PIPE, env={**MEMORY, **os.environ, **THREADS})
    os.environ[READY] = str(place)
    atexit.register(_stop, process)


def _stop(process: Popen[bytes]) -> None:
    os.environ.pop(READY, None)
    process.communicate()


def serve(place: Path) -> None:
    """Load everything, then fork a process for every request until standard input ends; remove the socket's folder."""
    import gc
    import select
    import signal

    # Ctrl-C reaches those who asked; what works for them dies with them, and this process with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _load()
    gc.collect()
    gc.freeze()
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(place))
            door.listen(64)
            while True:
                there, _, _ = select.select([door, sys.stdin], [], [], 1.0)
                _reap(os.WNOHANG)
                if sys.stdin in there:
                    break
                if door in there:
                    connection, _ = door.accept()
                    if os.fork() == 0:
                        door.close()
                        os._exit(_work(connection))
                    connection.close()
    finally:
        place.unlink(missing_ok=True)
        place.parent.rmdir()
    _reap(0)


def _load() -> None:
    """Import what the steps of the workflow import where they need it, and read what they read."""
    from importlib import import_module

    for name in STEPS:
        import_module(f"cd40l_flow.{name}")
    for name in THEIRS:
        import_module(name)
    from cd40l_flow.arguments import parser
    from cd40l_flow.outputs.pages import TEMPLATES, template
    from cd40l_flow.outputs.provenance import software
    from cd40l_flow.outputs.record import fits
    from cd40l_flow.outputs.texts import load_texts
    from cd40l_flow.schema import load_schema

    software()
    fits()
    load_texts()
    load_schema("config.schema.yaml")
    for path in TEMPLATES.glob("*.html.j2"):
        template(path.name)
    parser().parse_args(["report", "--result", "", "--out", ""])  # argparse has its own to make at its first use


def _reap(how: int) -> None:
    """Let processes that ended go: without this they stay, and what they used is not counted."""
    try:
        while os.waitpid(-1, how)[0]:
            pass
    except ChildProcessError:
        pass


def _work(connection: socket.socket) -> int:
    """Do what is asked for, in a process of its own, and tell whoever asked the exit code."""
    import signal
    import traceback

    from cd40l_flow.cli import main

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    request = _request(connection)
    if request is None:
        return 0
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    connection.sendall(TAKEN)
    # Should whoever asked be killed, the end of the connection is a signal, and that signal the end of this process.
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(connection, fcntl.F_SETFL, fcntl.fcntl(connection, fcntl.F_GETFL) | os.O_ASYNC)
    try:
        code = main(request["arguments"])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:  # noqa: BLE001  as Python itself does with what nobody caught
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([code & 255]))
    return 0


def _request(connection: socket.socket) -> dict[str, Any] | None:
    """Return what is asked for, its standard files in the place of ours; None for an asker of another installation."""
    length, files, _, _ = socket.recv_fds(connection, SIZE, len(STANDARD))
    content = b""
    while len(content) < int.from_bytes(length, "big"):
        part = connection.recv(1 << 20)
        if not part:
            return None
        content += part
    request: dict[str, Any] = marshal.loads(content)
    if request["kin"] != KIN:
        connection.sendall(REFUSED)
        return None
    for file, standard in zip(files, STANDARD, strict=True):
        os.dup2(file, standard)
        os.close(file)
    return request


if __name__ == "__main__":
    serve(Path(sys.argv[1]))

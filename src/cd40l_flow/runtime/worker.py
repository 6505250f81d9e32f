"""The worker: it has everything loaded, and forks a process for every command that a client has to do.

A good part of what a sample costs would be the start of Python and of NumPy, twice. The workflow starts one worker on
the machine it runs on; what it forks does what the client would do, to the same bytes, and dies with the client.

Only on Linux: its abstract sockets leave no file behind, its kernel tells whose the other end of one is, and system
libraries elsewhere do not stand a fork.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import marshal
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit
from subprocess import PIPE, Popen

from cd40l_flow.runtime.client import STANDARD, WORKER, alike, same_user

THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# Where the C library is GNU's: memory is asked for in large pages and kept, a sixth of the page faults.
MALLOC = ("hugetlb=1", f"mmap_threshold={1 << 26}", f"trim_threshold={1 << 28}")
MEMORY = {"GLIBC_TUNABLES": ":".join(f"glibc.malloc.{setting}" for setting in MALLOC)}
# Where from is settled before anything else is imported.
PROGRAM = (
    "import cd40l_flow.runtime.client as c; c.leave_out_current_directory(); "
    "import cd40l_flow.runtime.worker as w; w.serve"
)
# What the steps import where they need it, and what libraries' functions import when they are first called.
STEPS = (
    *("analyse", "cli.main", "cohort.job", "interop.fhir"),
    *("report.index", "report.sample", "result.measures_table"),
)
THEIRS = ("encodings.cp437", "sklearn.mixture")


def start() -> None:
    """Start a worker for what this process starts, unless the environment names one; it ends with this process."""
    # Under a limit of memory a step alone needs less than one that has everything loaded.
    if WORKER in os.environ or sys.platform != "linux" or getrlimit(RLIMIT_AS)[0] != RLIM_INFINITY:
        return
    # Where there can be no worker, the steps do without.
    with suppress(OSError), socket.socket(socket.AF_UNIX) as listener:
        listener.bind("")  # to an abstract name that is free
        # -u: a forked process ends at once, and nothing that it printed may wait in a buffer.
        command = [sys.executable, "-P", "-u", "-c", f"{PROGRAM}({listener.fileno()})"]
        process = Popen(command, stdin=PIPE, env={**MEMORY, **os.environ, **THREADS}, pass_fds=[listener.fileno()])
        os.environ[WORKER] = listener.getsockname()[1:].decode()
        atexit.register(process.communicate)


def serve(descriptor: int) -> None:
    """Load everything, then fork a process for every client that sends its request, until standard input ends.

    The socket that is given by its descriptor has a name, but nobody listens on it yet.
    """
    # Ctrl-C reaches the clients; what works for them dies with them, and the worker ends with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _load()
    gc.collect()
    gc.freeze()
    loaded = _loaded()
    listener = socket.socket(fileno=descriptor)
    listener.listen(128)
    clients: list[socket.socket] = []
    while True:
        there = select.select([sys.stdin, listener, *clients], [], [])[0]
        with suppress(ChildProcessError):  # processes that ended are let go, and what they used is counted
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if sys.stdin in there:
            return
        # A client that hung up has left; where no process can be forked, the client sees its connection end.
        with suppress(OSError):
            if listener in there:
                client, _ = listener.accept()
                if same_user(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)):
                    client.send(b"h")  # here: only now the client gives its files away
                    clients.append(client)
            for client in {*clients} & {*there}:
                clients.remove(client)
                with client:
                    if os.fork() == 0:
                        _work(client, [listener, *clients], loaded)


def _load() -> None:
    """Import what the steps of the workflow import where they need it, and read what they read."""
    for name in (*(f"cd40l_flow.{name}" for name in STEPS), *THEIRS):
        import_module(name)
    from cd40l_flow.assay.texts import load_texts
    from cd40l_flow.base.schema import load_schema
    from cd40l_flow.cli.arguments import parser
    from cd40l_flow.report.pages import TEMPLATES, template
    from cd40l_flow.report.provenance import software
    from cd40l_flow.result.record import resolve_types

    software()
    resolve_types()
    load_texts()
    load_schema("config.schema.yaml")
    for path in TEMPLATES.glob("*.html.j2"):
        template(path.name)
    parser().parse_args(["report", "--result", "", "--out", ""])  # argparse has its own to make at its first use


def _loaded() -> list[int]:
    """Return when the files of our modules, and the folders of others, last changed: an update makes other times."""
    files = [str(module.__file__) for name, module in sys.modules.items() if name.startswith("cd40l_flow")]
    return [os.stat(path).st_ctime_ns for path in [*files, *filter(os.path.isdir, sys.path)]]


def _work(client: socket.socket, others: list[socket.socket], loaded: list[int]) -> None:
    """Do the work of a client in this process, which ends here whatever happens, and tell the client its exit code."""
    try:
        for other in others:
            other.close()
        _, (content, *files), _, _ = socket.recv_fds(client, 1, 1 + len(STANDARD))
        with open(content, "rb") as file:
            request = marshal.load(file)
        if request["alike"] != alike() or _loaded() != loaded:
            return
        os.chdir(request["directory"])
        os.umask(request["umask"])
        for given, standard in zip(files, STANDARD, strict=True):
            os.dup2(given, standard)
        os.environ.clear()
        os.environ.update(request["environment"])
        # Should the client be killed, the end of the connection is a signal, and that signal the end of this process.
        fcntl.fcntl(client, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(client, fcntl.F_SETFL, fcntl.fcntl(client, fcntl.F_GETFL) | os.O_ASYNC)
        client.sendall(b"t")  # taken
        client.sendall(bytes([_run(request["arguments"]) & 255]))
    finally:
        os._exit(0)


def _run(arguments: list[str]) -> int:
    """Run one command; return the exit code that Python would end with."""
    from cd40l_flow.cli.main import main

    try:
        return main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    except BaseException:  # noqa: BLE001  as Python itself does with what nobody caught
        sys.excepthook(*sys.exc_info())
        return 1

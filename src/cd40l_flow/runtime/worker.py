"""The worker: it imports everything once, and forks a process for every command of a client.

Starting Python and NumPy would be a large part of the cost of a sample. The workflow starts one worker on its machine.
A forked process does what the client would do, byte for byte, and ends with the client.

Linux only: abstract sockets leave no file, the kernel identifies the peer, and system libraries elsewhere do not
survive a fork.
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
# With the GNU C library, memory is requested in large blocks and kept, which saves five of six page faults.
MALLOC = ("hugetlb=1", f"mmap_threshold={1 << 26}", f"trim_threshold={1 << 28}")
MEMORY = {"GLIBC_TUNABLES": ":".join(f"glibc.malloc.{setting}" for setting in MALLOC)}
# The import path is settled before anything else is imported.
PROGRAM = (
    "import cd40l_flow.runtime.client as c; c.leave_out_current_directory(); "
    "import cd40l_flow.runtime.worker as w; w.serve"
)
# Modules that the steps import lazily, and that library functions import at their first call: those of the check and of
# analyses, and those of reports and of what covers all samples.
ANALYSIS = (
    *("analyse", "cli.main", "cohort.check", "cohort.job", "cohort.plan", "result.measures_table"),
    *("result.problems", "result.reviews.check", "result.reviews.taken", "steps"),
)
REPORTS = ("interop.fhir", "interop.multiqc", "report.index", "report.sample", "report.subjects.page", "result.summary")
THEIRS = ("encodings.cp437", "encodings.utf_8_sig", "jsonschema")


def start() -> None:
    """Start a worker for the children of this process, unless the environment names one; it ends with this process."""
    # Under a memory limit, a step of its own needs less than a worker with everything loaded.
    if WORKER in os.environ or sys.platform != "linux" or getrlimit(RLIMIT_AS)[0] != RLIM_INFINITY:
        return
    # Without a worker, the steps run by themselves.
    with suppress(OSError), socket.socket(socket.AF_UNIX) as listener:
        listener.bind("")  # bind to a free abstract name
        # Clients that come while the worker loads wait: to load the same by themselves would take them longer.
        listener.listen(128)
        # -u: a forked process ends at once, so its output must not wait in a buffer.
        command = [sys.executable, "-P", "-u", "-c", f"{PROGRAM}({listener.fileno()})"]
        process = Popen(command, stdin=PIPE, env={**MEMORY, **os.environ, **THREADS}, pass_fds=[listener.fileno()])
        os.environ[WORKER] = listener.getsockname()[1:].decode()
        atexit.register(process.communicate)


def serve(descriptor: int) -> None:
    """Import what analyses need, then fork a process for every client until standard input ends.

    What reports need is imported as soon as no client waits. The socket, given by its descriptor, is listening already.
    """
    # Ctrl-C reaches the clients; their processes end with them, and the worker ends with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _load_analysis()
    files = _files()
    loaded = _changed(files)
    complete = False
    listener = socket.socket(fileno=descriptor)
    clients: list[socket.socket] = []
    while True:
        there = select.select([sys.stdin, listener, *clients], [], [], None if complete or clients else 0)[0]
        if not there:
            _load_reports()
            complete = True
            # After an update meanwhile no client is served.
            if _changed(files) == loaded:
                files = _files()
                loaded = _changed(files)
            continue
        with suppress(ChildProcessError):  # reap ended processes, so that their resource use is counted
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if sys.stdin in there:
            return
        # The client has disconnected, or no process could be forked and the client sees the connection close.
        with suppress(OSError):
            if listener in there:
                client, _ = listener.accept()
                if same_user(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)):
                    client.send(b"h")  # acknowledge: only now the client sends its files
                    clients.append(client)
            for client in {*clients} & {*there}:
                clients.remove(client)
                with client:
                    if os.fork() == 0:
                        _work(client, [listener, *clients], files, loaded)


def _load_analysis() -> None:
    """Import the modules and read the files that the check and the analyses need."""
    import numpy as np

    for name in (*(f"cd40l_flow.{name}" for name in ANALYSIS), *THEIRS):
        import_module(name)
    from cd40l_flow.assay.texts import load_texts
    from cd40l_flow.cli.arguments import parser
    from cd40l_flow.cohort.config import config_schema
    from cd40l_flow.mixture.checks.free_mixture import free_mixture
    from cd40l_flow.result.record import resolve_types

    resolve_types()
    load_texts()
    config_schema()
    free_mixture(np.ones(512), 0.5)  # scikit-learn looks for plugins of data frames at its first fit
    parser().parse_args(["report", "--result", "", "--out", ""])  # argparse builds its own caches at first use
    _keep()


def _load_reports() -> None:
    """Import the modules and read the files that reports need."""
    for name in REPORTS:
        import_module(f"cd40l_flow.{name}")
    from cd40l_flow.assay.citations import methods
    from cd40l_flow.figures.main_figure import make_ready
    from cd40l_flow.report.pages import TEMPLATES, template
    from cd40l_flow.report.provenance import software

    software()
    methods()
    make_ready()
    for path in TEMPLATES.glob("*.html.j2"):
        template(path.name)
    _keep()


def _keep() -> None:
    """Take all objects from the garbage collector, which would copy their pages in every forked process."""
    gc.collect()
    gc.freeze()


def _files() -> list[str]:
    """Return our modules and the library folders; not to be asked for after a fork, for it would copy all modules."""
    files = [str(module.__file__) for name, module in sys.modules.items() if name.startswith("cd40l_flow")]
    return [*files, *filter(os.path.isdir, sys.path)]


def _changed(files: list[str]) -> list[int]:
    """Return when files were changed, as an update changes them."""
    return [os.stat(path).st_ctime_ns for path in files]


def _work(client: socket.socket, others: list[socket.socket], files: list[str], loaded: list[int]) -> None:
    """Run the command of a client in this process, which always ends here, and send the client its exit code."""
    try:
        for other in others:
            other.close()
        _, (content, *given), _, _ = socket.recv_fds(client, 1, 1 + len(STANDARD))
        with open(content, "rb") as file:
            request = marshal.load(file)
        if request["alike"] != alike() or _changed(files) != loaded:
            return
        os.chdir(request["directory"])
        os.umask(request["umask"])
        for descriptor, standard in zip(given, STANDARD, strict=True):
            os.dup2(descriptor, standard)
        os.environ.clear()
        os.environ.update(request["environment"])
        # If the client is killed, the closed connection raises a signal that ends this process.
        fcntl.fcntl(client, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(client, fcntl.F_SETFL, fcntl.fcntl(client, fcntl.F_GETFL) | os.O_ASYNC)
        client.sendall(b"t")  # taken
        client.sendall(bytes([_run(request["arguments"]) & 255]))
    finally:
        os._exit(0)


def _run(arguments: list[str]) -> int:
    """Run one command; return Python's exit code for it."""
    from cd40l_flow.cli.main import main

    try:
        return main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    except BaseException:  # noqa: BLE001  as Python itself does with what nobody caught
        sys.excepthook(*sys.exc_info())
        return 1

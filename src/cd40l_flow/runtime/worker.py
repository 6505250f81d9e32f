"""The worker: it imports everything once, and forks the processes that run the commands of its clients.

Starting Python and NumPy would be a large part of the cost of a sample. The workflow starts one worker on its machine.
A forked process does what the client would do, byte for byte, and ends with the client if this is killed. One that has
done a sample's step serves the next client of the same circumstances: a fork copies every page of memory that is
written, a sixth of the cost of a sample.

Linux only: abstract sockets leave no file, the kernel identifies the peer, and system libraries elsewhere do not
survive a fork.
"""

from __future__ import annotations

import atexit
import gc
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit
from subprocess import PIPE, Popen

from cd40l_flow.runtime.client import WORKER, same_user
from cd40l_flow.runtime.forked import REQUEST, Request, changed, content, serve_clients

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
    """Import what analyses need, then have a forked process serve every client until standard input ends.

    What reports need is imported as soon as no client waits. The socket, given by its descriptor, is listening already.
    """
    # Ctrl-C reaches the clients; their processes end with them, and the worker ends with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _load_analysis()
    _Worker(socket.socket(fileno=descriptor)).serve()


@dataclass(eq=False)
class _Forked:
    """A forked process: the channel to it, the circumstances of its clients, and what was loaded before the fork."""

    number: int
    channel: socket.socket
    circumstances: bytes
    loaded: list[int]
    complete: bool
    idle: bool = False

    def end(self) -> None:
        """Have the process end as soon as it has no client."""
        self.channel.close()


class _Worker:
    """What the worker keeps between clients: those that it greeted, and its processes."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.clients: list[socket.socket] = []
        self.forked: list[_Forked] = []
        self.complete = False
        self.files = _files()
        self.loaded = changed(self.files)

    def serve(self) -> None:
        """Serve until standard input ends."""
        while True:
            channels = {one.channel: one for one in self.forked}
            waits = None if self.complete or self.clients else 0
            there = {*select.select([sys.stdin, self.listener, *self.clients, *channels], [], [], waits)[0]}
            if not there:
                self._complete()
                continue
            for channel in channels.keys() & there:
                self._hear(channels[channel])
            self._reap()
            if sys.stdin in there:
                self._end()
                return
            # The client has disconnected, or no process could be forked and the client sees the connection close.
            with suppress(OSError):
                if self.listener in there:
                    self._greet()
                for client in {*self.clients} & there:
                    self.clients.remove(client)
                    with client:
                        self._hand_over(client)

    def _complete(self) -> None:
        """Load what reports need; after an update meanwhile no client is served."""
        _load_reports()
        self.complete = True
        if changed(self.files) == self.loaded:
            self.files = _files()
            self.loaded = changed(self.files)

    def _hear(self, one: _Forked) -> None:
        """Note that a process has done its client's command, or that it has ended."""
        with suppress(OSError):
            if one.channel.recv(1):
                one.idle = True
                return
        one.end()
        self.forked.remove(one)

    def _reap(self) -> None:
        """Reap ended processes, so that their resource use is counted."""
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def _end(self) -> None:
        """End the processes that have no client, and wait for these."""
        for one in self.forked:
            one.end()
        for one in self.forked:
            if one.idle:
                with suppress(ChildProcessError):
                    os.waitpid(one.number, 0)

    def _greet(self) -> None:
        client, _ = self.listener.accept()
        if same_user(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)):
            client.send(b"h")  # acknowledge: only now the client sends its files
            self.clients.append(client)

    def _hand_over(self, client: socket.socket) -> None:
        """Hand a client to an idle process that served one alike, else to a new one."""
        _, files, _, _ = socket.recv_fds(client, 1, REQUEST)
        try:
            if len(files) == REQUEST:
                circumstances = content(files[0])
                idle = [one for one in self.forked if one.idle]
                alike = [one for one in idle if self._suits(one, circumstances)]
                for one in alike:
                    one.idle = False
                    # A process that was killed while idle takes nothing.
                    with suppress(OSError):
                        socket.send_fds(one.channel, [b"r"], [client.fileno(), *files])
                        return
                # Those that served other clients would be kept for nothing.
                for one in idle:
                    if one not in alike:
                        one.end()
                        self.forked.remove(one)
                self._fork(client, files, circumstances)
        finally:
            for file in files:
                os.close(file)

    def _suits(self, one: _Forked, circumstances: bytes) -> bool:
        """Return whether a process is what a fork would now be for clients of these circumstances."""
        return (one.circumstances, one.loaded, one.complete) == (circumstances, self.loaded, self.complete)

    def _fork(self, client: socket.socket, files: list[int], circumstances: bytes) -> None:
        mine, its = socket.socketpair()
        with its:
            try:
                number = os.fork()
            except OSError:
                mine.close()
                raise
            if number == 0:
                others = [mine, self.listener, *self.clients, *(one.channel for one in self.forked)]
                serve_clients(its, others, Request(client, files), self.files, self.loaded)
        self.forked.append(_Forked(number, mine, circumstances, self.loaded, self.complete))


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

"""A process forked from the worker: it runs the commands of clients that are alike, one after the other.

It goes on after steps that are made for every sample, and only if the step succeeded and left little memory in use;
every other command has a process of its own.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import socket
import sys
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cd40l_flow.runtime.client import STANDARD, alike

REQUEST = 2 + len(STANDARD)  # the files of a request: circumstances, arguments, and the standard ones
EVERY_SAMPLE = ("analyse", "report")  # commands after which the process goes on
GROWTH = 256e6  # bytes that earlier steps may leave in use


@dataclass(frozen=True)
class Request:
    """A client and the descriptors of its files: circumstances, arguments, standard input, output and error."""

    client: socket.socket
    files: list[int]


def serve_clients(
    channel: socket.socket, others: list[socket.socket], request: Request, files: list[str], loaded: list[int]
) -> NoReturn:
    """Run the commands of a client and of those that the worker sends after it, in this process, which ends here.

    ``others`` are the sockets of the worker, which are closed; ``files`` and ``loaded`` are those that it has loaded
    and when they were changed.
    """
    try:
        for other in others:
            other.close()
        before = _memory()
        while _take(request, files, loaded):
            arguments = marshal.loads(content(request.files[1]))
            _close(request.files)
            code = _run(arguments)
            _leave()
            again = code == 0 and arguments[0] in EVERY_SAMPLE and _memory() - before < GROWTH
            if again:
                channel.sendall(b"i")  # idle
            # From now on the client may go.
            fcntl.fcntl(request.client, fcntl.F_SETFL, fcntl.fcntl(request.client, fcntl.F_GETFL) & ~os.O_ASYNC)
            request.client.sendall(bytes([code & 255]))
            request.client.close()
            if not again:
                break
            _, received, _, _ = socket.recv_fds(channel, 1, 1 + REQUEST)
            if not received:  # the worker has ended, or needs this process no longer
                break
            request = Request(socket.socket(fileno=received[0]), received[1:])
    finally:
        os._exit(0)


def content(descriptor: int) -> bytes:
    """Return the content of a file in memory."""
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def changed(files: list[str]) -> list[int]:
    """Return when files were changed, as an update changes them."""
    return [Path(path).stat().st_ctime_ns for path in files]


def _take(request: Request, files: list[str], loaded: list[int]) -> bool:
    """Take the place of a client; return whether this process can."""
    circumstances = marshal.loads(content(request.files[0]))
    if circumstances["alike"] != alike() or changed(files) != loaded:
        return False
    os.chdir(circumstances["directory"])
    os.umask(circumstances["umask"])
    for descriptor, standard in zip(request.files[2:], STANDARD, strict=True):
        os.dup2(descriptor, standard)
    os.environ.clear()
    os.environ.update(circumstances["environment"])
    # If the client is killed, the closed connection raises a signal that ends this process.
    client = request.client
    fcntl.fcntl(client, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(client, fcntl.F_SETFL, fcntl.fcntl(client, fcntl.F_GETFL) | os.O_ASYNC)
    client.sendall(b"t")  # taken
    return True


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


def _leave() -> None:
    """Close the client's standard files, so that who reads them sees their end, and forget what was counted."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in STANDARD:
        os.dup2(nothing, standard)
    os.close(nothing)
    # Python shows a warning once in a process; entering this context has it shown again.
    with warnings.catch_warnings():
        pass
    # The peak of memory in the log is that of one step.
    with suppress(OSError):
        peak = os.open("/proc/self/clear_refs", os.O_WRONLY)
        os.write(peak, b"5")
        os.close(peak)


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)


def _memory() -> int:
    """Return the bytes of memory in use."""
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")

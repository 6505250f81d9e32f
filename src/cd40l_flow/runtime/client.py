"""The console script: a worker runs the command where there is one, else this process.

A client only waits, so as little as possible is imported here (pathlib takes 3 ms). If the worker cannot be used for
any reason, the client runs the command itself: the worker never makes a step fail.
"""

from __future__ import annotations

import os
import sys

from cd40l_flow import ENGINE_VERSION, __version__

# The environment variable with the socket of the worker; the workflow sets it for its own steps.
WORKER = "CD40L_FLOW_WORKER"
BUILD_ID = [__version__, ENGINE_VERSION, sys.version, sys.prefix, os.path.dirname(os.path.dirname(__file__))]
# Variables that Python and libraries read only at start-up.
AT_START = ("LANG", "LC_", "LD_", "NPY_", "OPENBLAS_CORETYPE", "PYTHON", "TZ")
STANDARD = (0, 1, 2)  # standard input, output and error
PATIENCE = 30.0  # s, timeout for a worker that does not answer; while it loads, on a busy machine, for 10 s
KILLED = 137  # exit code of a shell for a process that got SIGKILL


def main() -> int:
    """Run the command of ``sys.argv`` and return its exit code.

    Where a worker runs it, this process ends here with that code, ``KILLED`` if the process of the worker was killed.
    """
    leave_out_current_directory()
    code = ask(os.environ[WORKER]) if WORKER in os.environ else None
    if code is not None:
        # All is written, and to take Python down in order would take a quarter of a client's time.
        os._exit(code)
    from cd40l_flow.cli.main import main as run

    return run()


def leave_out_current_directory() -> None:
    """Remove the current directory from the import path, where an empty entry of PYTHONPATH puts it."""
    if "" in os.environ.get("PYTHONPATH", "none").split(os.pathsep):
        sys.path[:] = [folder for folder in sys.path if folder not in ("", os.getcwd())]


def ask(name: str) -> int | None:
    """Have the worker run the command of ``sys.argv``; return its exit code, None if the worker does not accept it."""
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.settimeout(PATIENCE)
            connection.connect(f"\0{name}")
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            # Any further open file may be an argument, such as /dev/fd/63.
            if not same_user(peer) or len(os.listdir("/proc/self/fd")) > 5 or not connection.recv(1):
                return None
            os.umask(umask := os.umask(0o77))
            here = {"directory": os.getcwd(), "environment": dict(os.environ), "umask": umask}
            files = [_memory_file({"alike": alike(), **here}), _memory_file(sys.argv[1:])]
            socket.send_fds(connection, [b"r"], [*files, *STANDARD])
            if not connection.recv(1):
                return None
            connection.settimeout(None)
        except OSError:
            return None
        code = connection.recv(1)
    if not code:
        print("cd40l-flow: the process that did this was killed, perhaps for want of memory.", file=sys.stderr)
        return KILLED
    return code[0]


def _memory_file(content: dict[str, object] | list[str]) -> int:
    """Return the descriptor of a file in memory with the content, in the form that is the same for equal contents."""
    import marshal

    descriptor = os.memfd_create("request")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(marshal.dumps(content, 2))
    return descriptor


def same_user(peer: bytes) -> bool:
    """Return whether the peer, by SO_PEERCRED, has this user and group; no other may send or run commands."""
    return peer[4:] == b"".join(number.to_bytes(4, sys.byteorder) for number in (os.geteuid(), os.getegid()))


def alike() -> list[object]:
    """Return the state that a forked process inherits from the worker; client and process must agree on it.

    It is the installation, groups, mounts, priority, processors, start-up variables, control group and limits. Raises
    OSError.
    """
    parts = [*BUILD_ID, os.getgroups(), os.readlink("/proc/self/ns/mnt"), os.nice(0), sorted(os.sched_getaffinity(0))]
    parts.append(sorted(item for item in os.environ.items() if item[0].startswith(AT_START)))
    for name in ("cgroup", "limits"):
        with open(f"/proc/self/{name}") as file:
            parts.append(file.read())
    return parts

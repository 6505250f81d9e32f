"""The console script: the worker does a command where there is one, else this process.

A client does nothing but wait, so as little as possible is imported here (pathlib takes 3 ms). Whatever speaks against
the worker, the client does the work itself: the worker is never the reason that a step fails.
"""

from __future__ import annotations

import os
import sys

from cd40l_flow import ENGINE_VERSION, __version__

# The environment variable that names the socket of the worker, set by the workflow for its own steps.
WORKER = "CD40L_FLOW_WORKER"
BUILD_ID = [__version__, ENGINE_VERSION, sys.version, sys.prefix, os.path.dirname(os.path.dirname(__file__))]
# Variables that Python and libraries read as they start, and only then.
AT_START = ("LANG", "LC_", "LD_", "NPY_", "OPENBLAS_CORETYPE", "PYTHON", "TZ")
STANDARD = (0, 1, 2)  # standard input, output and error
PATIENCE = 10.0  # s, for a worker that does not answer
KILLED = 137  # as a shell tells of a process that got SIGKILL


def main() -> int:
    """Run one command of ``sys.argv``; return its exit code, ``KILLED`` where the process that did it was killed."""
    leave_out_current_directory()
    code = ask(os.environ[WORKER]) if WORKER in os.environ else None
    if code is None:
        from cd40l_flow.cli.main import main as run

        code = run()
    return code


def leave_out_current_directory() -> None:
    """Import nothing from where the data lie: to Python an empty entry of PYTHONPATH is the current directory."""
    if "" in os.environ.get("PYTHONPATH", "none").split(os.pathsep):
        sys.path[:] = [folder for folder in sys.path if folder not in ("", os.getcwd())]


def ask(name: str) -> int | None:
    """Have a command of ``sys.argv`` done by a worker; return its exit code, None if the worker does not take it."""
    import marshal
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.settimeout(PATIENCE)
            connection.connect(f"\0{name}")
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            # More open files than the three, the connection and this listing may be arguments, as /dev/fd/63.
            if not same_user(peer) or len(os.listdir("/proc/self/fd")) > 5 or not connection.recv(1):
                return None
            os.umask(umask := os.umask(0o77))
            here = {"directory": os.getcwd(), "environment": dict(os.environ), "umask": umask}
            with open(os.memfd_create("request"), "w+b") as file:
                marshal.dump({"alike": alike(), "arguments": sys.argv[1:], **here}, file)
                file.seek(0)
                socket.send_fds(connection, [b"r"], [file.fileno(), *STANDARD])
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


def same_user(peer: bytes) -> bool:
    """Tell whether the other end, as SO_PEERCRED gives it, is of this user and group: nobody else gets or does work."""
    return peer[4:] == b"".join(number.to_bytes(4, sys.byteorder) for number in (os.geteuid(), os.getegid()))


def alike() -> list[object]:
    """Return what a forked process has of the worker and cannot take from a client: both must have the same.

    The installation, groups, mounts, priority, processors, what was read at the start, control group and limits.
    Raises OSError.
    """
    parts = [*BUILD_ID, os.getgroups(), os.readlink("/proc/self/ns/mnt"), os.nice(0), sorted(os.sched_getaffinity(0))]
    parts.append(sorted(item for item in os.environ.items() if item[0].startswith(AT_START)))
    for name in ("cgroup", "limits"):
        with open(f"/proc/self/{name}") as file:
            parts.append(file.read())
    return parts

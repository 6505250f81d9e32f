"""The door of the command line: a process that is ready does the work where there is one, else this one.

Whoever asks does nothing but wait, so as little as possible is imported here.
"""

from __future__ import annotations

import os
import sys

from cd40l_flow import ENGINE_VERSION, __version__

# The environment variable that names the socket of a process that is ready, set by the workflow for its own jobs.
READY = "CD40L_FLOW_READY"
# Only a process of the same installation does what this one would do.
KIN = [__version__, ENGINE_VERSION, os.path.dirname(__file__), sys.prefix]  # noqa: PTH120  pathlib takes 3 ms to import
STANDARD = (0, 1, 2)  # standard input, output and error
SIZE = 8  # bytes that say how long a request is
TAKEN, REFUSED = b"t", b"r"


def main() -> int:
    """Run one command of ``sys.argv``; return its exit code."""
    if place := os.environ.get(READY):
        code = ask(place)
        if code is not None:
            return code
    from cd40l_flow.cli import main as run

    return run()


def ask(place: str) -> int | None:
    """Have a command of ``sys.argv`` done by the process at a socket; return its exit code, None if it will not."""
    import marshal
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(place)
            here = {"directory": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109  as above
            content = marshal.dumps({"kin": KIN, "arguments": sys.argv[1:], **here})
            socket.send_fds(connection, [len(content).to_bytes(SIZE, "big")], STANDARD)
            connection.sendall(content)
            if connection.recv(1) != TAKEN:
                return None
        except OSError:
            return None
        code = connection.recv(1)
    if not code:
        print("cd40l-flow: the process that did this was killed, perhaps for want of memory.", file=sys.stderr)
        return 1
    return code[0]


if __name__ == "__main__":
    sys.exit(main())

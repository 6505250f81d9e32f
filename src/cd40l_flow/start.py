"""The door of the command line: a process that is ready does the work where there is one, else this one."""

from __future__ import annotations

import os
import sys

from cd40l_flow import READY


def main() -> int:
    """Run one command of ``sys.argv``; return its exit code."""
    if place := os.environ.get(READY):
        from cd40l_flow.ready import ask

        if (code := ask(place)) is not None:
            return code
    from cd40l_flow.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())

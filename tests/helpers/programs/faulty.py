"""Stands in for ``cd40l-flow`` in the jobs of a test: plays a fault if one is asked for, then is the real command.

``$FAULTS_TEST/faults/STEP.SAMPLE`` (or ``SAMPLE``, for its analysis) asks for a fault: ``sleep SECONDS`` waits, ``hold
MB`` takes memory for five seconds, ``exit CODE`` ends, ``kill SIGNAL`` is killed, ``shell SIGNAL`` kills the shell of
the job as well, ``raise WORDS`` raises within the analysis, ``memory MB`` leaves it so much memory, ``swap FROM TO``
puts the one file in the place of the other once both were read. A job that begins one writes its number into
``$FAULTS_TEST/begun/SAMPLE``. A step that only reports a failure is the real one.
"""

import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    folder, real = Path(os.environ["FAULTS_TEST"]), os.environ["FAULTS_TEST_REAL"]
    arguments = sys.argv[1:]
    if arguments[:1] and "--result" in arguments and "--failed" not in arguments:
        sample = Path(arguments[arguments.index("--result") + 1]).parent.name
        names = [f"{arguments[0]}.{sample}", *([sample] if arguments[0] == "analyse" else [])]
        for fault in (folder / "faults" / name for name in names):
            if fault.exists():
                kind, _, what = fault.read_text(encoding="utf-8").partition(" ")
                begun = folder / "begun" / sample
                begun.with_suffix(".part").write_text(os.environ.get("SLURM_JOB_ID", "here"), encoding="utf-8")
                begun.with_suffix(".part").rename(begun)
                play(kind, what, arguments)
    os.execv(real, [real, *arguments])


def play(kind: str, what: str, arguments: list[str]) -> None:
    if kind == "hold":
        held = bytearray(os.urandom(1)) * (int(what) << 20)
        time.sleep(5)
        del held
    elif kind == "sleep":
        time.sleep(float(what))
    elif kind == "exit":
        sys.exit(int(what))
    elif kind == "kill":
        os.kill(os.getpid(), int(what))
    elif kind == "shell":
        for shell in shells(os.getppid()):
            os.kill(shell, int(what))
        os.kill(os.getpid(), int(what))
    else:
        sys.exit(within(kind, what, arguments))


def shells(process: int) -> list[int]:
    """Return the shells that a process is a child of, the innermost first."""
    found = []
    while Path(f"/proc/{process}/comm").read_text().strip() in ("bash", "sh"):
        found.append(process)
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def within(kind: str, what: str, arguments: list[str]) -> int:
    """Run the command in this process, with a fault in it."""
    from cd40l_flow import inputs
    from cd40l_flow.cli.main import main as command

    names = vars(inputs)  # the module calls by these names; a fault takes the place of one
    gate = names["gate"]

    def faulty(*given: Any, **named: Any) -> Any:
        if kind == "raise":
            raise ValueError(what)
        if kind == "swap":
            one, other = map(Path, what.split())
            aside = one.with_name(f"{one.name}.aside")
            one.rename(aside)
            other.rename(one)
            aside.rename(other)
        names["gate"] = gate
        return gate(*given, **named)

    names["gate"] = faulty
    if kind == "memory":
        names["gate"] = gate
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + (int(what) << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return command(arguments)


signal.signal(signal.SIGINT, signal.SIG_DFL)
main()

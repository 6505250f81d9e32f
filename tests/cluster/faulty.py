"""Stands in for ``cd40l-flow`` in the jobs of a test: plays a fault if one is asked for, then is the real command.

``$CLUSTER_TEST/faults/SAMPLE`` asks for a fault of the analysis of that sample: ``sleep SECONDS`` waits, ``hold MB``
takes memory for five seconds. A job that begins one writes its number into ``$CLUSTER_TEST/begun/SAMPLE``.
"""

import os
import sys
import time
from pathlib import Path


def main() -> None:
    folder, real = Path(os.environ["CLUSTER_TEST"]), os.environ["CLUSTER_TEST_REAL"]
    arguments = sys.argv[1:]
    if arguments[:1] == ["analyse"]:
        sample = Path(arguments[arguments.index("--result") + 1]).parent.name
        fault = folder / "faults" / sample
        if fault.exists():
            kind, size = fault.read_text(encoding="utf-8").split()
            begun = folder / "begun" / sample
            begun.with_suffix(".part").write_text(os.environ["SLURM_JOB_ID"], encoding="utf-8")
            begun.with_suffix(".part").rename(begun)
            if kind == "hold":
                held = bytearray(os.urandom(1)) * (int(size) << 20)
                time.sleep(5)
                del held
            else:
                time.sleep(float(size))
    os.execv(real, [real, *arguments])


main()

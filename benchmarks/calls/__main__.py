"""Calls of simulated samples against their truth, compared with two plain methods: ``python -m benchmarks.calls``.

A cohort is made of runs, each with a healthy control and its own staining level, so that Ashman's D of the target goes
from 3 to 8; over all runs every scenario comes up equally often. Healthy donors differ: their negative fraction has
mean 0.10 and SD 0.02. What is expected is a set of calls, for a carrier about the limit of detection may rightly be
called either way. With ``--donors-known`` the laboratory has set the limits that state how its healthy donors differ.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.calls.page import page
from benchmarks.calls.runs import many
from benchmarks.common.places import PAGES
from cd40l_flow.simulate.dialects import DIALECTS, INSTRUMENTS

OUT = PAGES / "calls.md"
SAMPLES = 400


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="cohort (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="samples of the cohort (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument(
        "--instruments", nargs="+", default=INSTRUMENTS, choices=DIALECTS, help="instruments of the runs, in turn"
    )
    parser.add_argument(
        "--donors-known", action="store_true", help="limits of a laboratory that has measured its donors"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    known = options.donors_known
    judged = many(options.seed, options.samples, options.cores, options.instruments, donors_known=known)
    command = " ".join(["python -m benchmarks.calls", *sys.argv[1:]])
    text = page(judged, options.seed, options.instruments, command, donors_known=known)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

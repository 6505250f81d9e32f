"""Calls by mechanism, what laboratories really have: ``python -m benchmarks.families``.

Each family is a mechanism of the simulator, its samples drawn anew: donors differ in level, negative fraction and
shape, runs in how brightly they stain. The mechanism defines what is right, dangerous or open.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.common.places import PAGES
from benchmarks.families.donors import HELD_OUT, LEVEL_SD, NEGATIVE_SD, Donors
from benchmarks.families.runs import many, page

OUT = PAGES / "families.md"
SAMPLES = 30


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.families", description=__doc__)
    parser.add_argument("--seed", type=int, default=HELD_OUT, help="(default: %(default)s)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of each family (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--only", nargs="*", default=[], help="families to run (default: all)")
    parser.add_argument("--level-sd", type=float, default=LEVEL_SD, help="of people's ln level (default: %(default)s)")
    parser.add_argument(
        "--negative-sd", type=float, default=NEGATIVE_SD, help="of people's negative fraction (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    donors = Donors(options.level_sd, options.negative_sd)
    command = " ".join(["python -m benchmarks.families", *sys.argv[1:]])
    text = page(many(options.seed, options.samples, options.cores, options.only, donors), command, donors)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

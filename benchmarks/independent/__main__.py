"""Calls of samples that share nothing with the product's simulator: ``python -m benchmarks.independent``.

Cells, stains and cytometers are those of `cells`, laboratories and their files those of `files`, the families and their
truth those of `families`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.common.places import PAGES
from benchmarks.independent.families import FAMILIES
from benchmarks.independent.page import page
from benchmarks.independent.runs import HELD_OUT, SAMPLES_A_RUN, every, write_run

OUT = PAGES / "independent.md"
SAMPLES = 12


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.independent", description=__doc__)
    parser.add_argument("--seed", type=int, default=HELD_OUT, help="(default: %(default)s)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of each family (default: %(default)s)")
    parser.add_argument("--only", nargs="*", default=[], help="beginnings of the names of families (default: all)")
    parser.add_argument("--keep", type=Path, help="write one run (--only, --run) into this folder instead")
    parser.add_argument("--run", type=int, default=0, help="number of the run to keep (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    if options.keep is not None:
        family = next(one for one in FAMILIES if one.name == options.only[0])
        options.keep.mkdir(parents=True)
        write_run(options.keep, family, options.run, options.seed, SAMPLES_A_RUN)
        return
    command = " ".join(["python -m benchmarks.independent", *sys.argv[1:]])
    text = page(every(options.seed, options.samples, options.only), command)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

"""Real cells mixed at known fractions, measured as samples are: ``python -m benchmarks.real`` writes ``real.md``."""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.common.places import PAGES
from benchmarks.real.titrations import cells, page, titrated


def main() -> None:
    """Mix, measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real", description=__doc__)
    parser.add_argument("--samples", type=int, default=400, help="titrations in each row (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all of them (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=1, help="processes at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "real.md", help="file to write")
    options = parser.parse_args()
    numbers = range(options.samples)
    with ProcessPoolExecutor(options.cores) as pool:
        found = {cell: list(pool.map(partial(titrated, cell, options.seed), numbers, chunksize=10)) for cell in cells()}
    text = page(found, options.samples, options.seed)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

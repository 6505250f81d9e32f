"""How well the negative fraction is known, against the limit and others: ``python -m benchmarks.mixture``."""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.common.places import PAGES
from benchmarks.mixture.page import page
from benchmarks.mixture.trials import SEPARATIONS, differing, fallback, rescaled, trial

SIZES = (500, 2000, 10_000)
MANY = 1000  # samples in a cell of the full table; of fewer, the RMS has an error of its own
UNLIKE = ((0.05, 0.1), (0.1, 0.3))  # how far log spread and skewness of sample and control are apart
ANCHORS = ("own", "control's", "unstimulated")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mixture", description=__doc__)
    parser.add_argument("--samples", type=int, default=MANY, help="samples in each cell (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all of them (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "mixture.md", help="file to write")
    options = parser.parse_args()
    numbers = range(options.samples)
    some = range(max(options.samples // 5, 20))
    with ProcessPoolExecutor(options.cores) as pool:
        cells = {
            (d, n): list(pool.map(partial(trial, d, n, options.seed), numbers, chunksize=10))
            for d in SEPARATIONS
            for n in SIZES
        }
        fallbacks = {a: list(pool.map(partial(fallback, a, options.seed), some, chunksize=5)) for a in ANCHORS}
        unlike = {
            (d, n, apart): list(pool.map(partial(differing, d, n, apart, options.seed), some, chunksize=5))
            for d in SEPARATIONS
            for n in SIZES[1:]
            for apart in UNLIKE
        }
        scales = list(pool.map(partial(rescaled, options.seed), some, chunksize=5))
    text = page(cells, unlike, fallbacks, scales, options.samples, options.seed)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

"""Print the table of ``cd40l_flow.mixture.checks.dip``: quantiles of sqrt(n) x dip of n values from the uniform.

    python -m benchmarks.dip_table

A column for each n, a row for each probability of a greater dip. Simulated with fixed seeds, one for each n: 100,000
samples up to n = 500, 40,000 above, so that the standard error of a probability p is sqrt(p / 100,000) or
sqrt(p / 40,000): 1 to 2 % of p = 0.05, a third to a half of p = 0.0001. Takes six minutes on one core.
"""

from __future__ import annotations

import math

import numpy as np

from cd40l_flow.mixture.checks.dip import dip

SEED = 1985
SIZES = (4, 6, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 20000)
PROBABILITIES = (
    *(0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1),
    *(0.07, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001),
)


def quantiles(n: int) -> list[float]:
    random = np.random.default_rng([SEED, n])
    # Sums of n exponential waiting times are n sorted uniform values but for their scale, which the dip does not see.
    replicates = 100_000 if n <= 500 else 40_000
    dips = np.array([dip(np.cumsum(random.standard_exponential(n))) for _ in range(replicates)])
    return [float(value) for value in math.sqrt(n) * np.quantile(dips, [1 - p for p in PROBABILITIES])]


def main() -> None:
    columns = [quantiles(n) for n in SIZES]
    print(" " * 6, *(f"{n:>5}" for n in SIZES))
    for p, row in zip(PROBABILITIES, zip(*columns, strict=True), strict=True):
        print(f"{p:<6g}", *(f"{value:.4f}".removeprefix("0") for value in row))


if __name__ == "__main__":
    main()

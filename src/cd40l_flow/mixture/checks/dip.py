"""Hartigan's dip test of unimodality: Hartigan & Hartigan 1985, Annals of Statistics 13:70-84,
doi:10.1214/aos/1176346577.

The dip is the minimum over unimodal distribution functions of the maximum distance to the empirical one. A unimodal
function is convex up to a mode, where it may jump, and concave above. Implemented from the definitions and theorems of
the paper.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats

Indices = NDArray[np.intp]

FEWEST_TO_TEST = 4
FEW_POINTS = 100

# Quantiles of sqrt(n) x dip of n values from one uniform distribution, as benchmarks/dip_table.py simulates and prints
# them (100,000 samples a column up to n = 500, 40,000 above): a column for each n, a row for each probability of more.
TABLE = """
           4     6    10    20    50   100   200   500  1000  2000  5000 20000
0.99   .2500 .2041 .1927 .2121 .2219 .2286 .2331 .2382 .2401 .2431 .2445 .2470
0.95   .2500 .2041 .2277 .2360 .2495 .2565 .2616 .2670 .2690 .2717 .2730 .2742
0.9    .2500 .2041 .2469 .2543 .2664 .2739 .2796 .2850 .2868 .2897 .2908 .2929
0.8    .2500 .2268 .2697 .2775 .2900 .2977 .3041 .3100 .3121 .3144 .3162 .3181
0.7    .2500 .2548 .2856 .2954 .3092 .3178 .3242 .3300 .3328 .3349 .3367 .3386
0.6    .2500 .2792 .2985 .3114 .3272 .3361 .3429 .3490 .3523 .3544 .3558 .3581
0.5    .2500 .3014 .3094 .3279 .3456 .3547 .3621 .3678 .3716 .3738 .3757 .3779
0.4    .2500 .3229 .3236 .3470 .3649 .3749 .3824 .3889 .3926 .3945 .3968 .3985
0.3    .2656 .3442 .3480 .3686 .3876 .3981 .4059 .4130 .4168 .4189 .4211 .4229
0.2    .3151 .3662 .3766 .3949 .4161 .4270 .4356 .4429 .4471 .4497 .4527 .4531
0.15   .3429 .3773 .3931 .4122 .4344 .4461 .4549 .4625 .4674 .4695 .4726 .4732
0.1    .3751 .3900 .4130 .4343 .4583 .4710 .4810 .4888 .4941 .4965 .4985 .4990
0.07   .3967 .3980 .4282 .4536 .4785 .4917 .5016 .5102 .5163 .5181 .5214 .5210
0.05   .4141 .4035 .4415 .4704 .4960 .5104 .5203 .5299 .5366 .5375 .5416 .5425
0.03   .4341 .4175 .4609 .4945 .5213 .5363 .5484 .5580 .5654 .5672 .5701 .5714
0.02   .4465 .4398 .4777 .5119 .5410 .5565 .5691 .5785 .5862 .5883 .5917 .5929
0.01   .4629 .4690 .5041 .5399 .5717 .5903 .6026 .6136 .6208 .6235 .6241 .6291
0.005  .4737 .4938 .5285 .5648 .6009 .6222 .6310 .6471 .6575 .6544 .6579 .6610
0.002  .4835 .5206 .5533 .5961 .6392 .6615 .6691 .6842 .6960 .6988 .7078 .7011
0.001  .4893 .5382 .5710 .6254 .6611 .6889 .7013 .7170 .7276 .7405 .7374 .7335
0.0005 .4926 .5514 .5864 .6442 .6885 .7096 .7321 .7453 .7593 .7746 .7624 .7590
0.0002 .4947 .5656 .6075 .6682 .7246 .7372 .7713 .7870 .8002 .8156 .8182 .8045
0.0001 .4961 .5718 .6250 .6816 .7396 .7628 .7947 .8137 .8213 .8257 .8460 .8454
"""
_CELLS = [line.split() for line in TABLE.strip().splitlines()]
SIZES = np.array(_CELLS[0], dtype=np.float64)
PROBABILITIES = np.array([row[0] for row in _CELLS[1:]], dtype=np.float64)
QUANTILES = np.array([row[1:] for row in _CELLS[1:]], dtype=np.float64)


def dip(sorted_values: Floats) -> float:
    """Return the dip, a distance of probabilities (0 to 0.25), of finite values in ascending order, (n,), in any unit.

    It is at least 1 / (2 n) where values differ, and 0 of no value or one value repeated: a jump at the mode fits that.
    """
    n = int(sorted_values.size)
    if n == 0:
        return 0.0
    # For each distinct value: the number of events below it, and at or below it.
    ends = np.append(np.flatnonzero(sorted_values[1:] != sorted_values[:-1]) + 1, n)
    x = sorted_values[ends - 1].astype(np.float64)
    upper = ends.astype(np.float64)
    lower = np.concatenate(([0.0], upper[:-1]))

    # The paper's algorithm, distances in events: narrow the modal interval until the convex and the concave
    # function part by no more than the distance needed outside it.
    first, last, distance = 0, int(x.size) - 1, 0.0
    while first < last:
        inside = slice(first, last + 1)
        minorant = first + _lower_hull(x[inside], lower[inside])
        majorant = first + _lower_hull(x[inside], -upper[inside])
        at_minorant = np.interp(x[minorant], x[majorant], upper[majorant]) - lower[minorant]
        at_majorant = upper[majorant] - np.interp(x[majorant], x[minorant], lower[minorant])
        i, j = int(np.argmax(at_minorant)), int(np.argmax(at_majorant))
        parted = max(float(at_minorant[i]), float(at_majorant[j]))
        if parted <= distance:
            break
        if at_minorant[i] > at_majorant[j]:
            new_first = int(minorant[i])
            new_last = int(majorant[np.searchsorted(majorant, new_first, side="left")])
        else:
            new_last = int(majorant[j])
            new_first = int(minorant[np.searchsorted(minorant, new_last, side="right") - 1])
        left, right = slice(first, new_first), slice(new_last + 1, last + 1)
        below = upper[left] - np.interp(x[left], x[minorant], lower[minorant])
        above = np.interp(x[right], x[majorant], upper[majorant]) - lower[right]
        distance = max(distance, float(np.max(below, initial=0.0)), float(np.max(above, initial=0.0)))
        first, last = new_first, new_last
    return distance / (2 * n)


def dip_p_value(statistic: float, n: int) -> float:
    """Return the p value of a dip of ``n`` unimodal values: 1 to 0.0001, the smallest value returned.

    The null is the uniform, as Hartigan & Hartigan 1985 propose. Between the sizes of the table the quantiles of
    sqrt(n) x dip are linear in 1 / sqrt(n), beyond its largest they are constant; between its probabilities, log p is
    linear in sqrt(n) x dip. Fewer than 4 values cannot show two modes: 1.
    """
    if n < FEWEST_TO_TEST:
        return 1.0
    smallest = 1 / (2 * math.sqrt(n))
    scaled = math.sqrt(n) * statistic
    if scaled <= smallest * (1 + 1e-9):
        return 1.0
    column = int(np.clip(np.searchsorted(SIZES, n, side="right") - 1, 0, SIZES.size - 2))
    ends = 1 / np.sqrt(SIZES[column : column + 2])
    share = float(np.interp(1 / math.sqrt(n), ends[::-1], (1.0, 0.0)))
    quantiles = (1 - share) * QUANTILES[:, column] + share * QUANTILES[:, column + 1]
    levels = np.concatenate(([smallest], np.maximum(quantiles, smallest)))
    return float(np.exp(np.interp(scaled, levels, np.log(np.concatenate(([1.0], PROBABILITIES))))))


def _lower_hull(x: Floats, y: Floats) -> Indices:
    """Return the vertices of the greatest convex minorant of points, (m,), in ascending order of ``x``, as indices."""
    kept = np.arange(x.size)
    # A point not below the line between its neighbours is no vertex: drop all such at once while that drops many.
    while kept.size > FEW_POINTS:
        dx, dy = np.diff(x[kept]), np.diff(y[kept])
        vertex = np.concatenate(([True], dy[:-1] * dx[1:] < dy[1:] * dx[:-1], [True]))
        before, kept = kept.size, kept[vertex]
        if kept.size > 0.9 * before:
            break
    # The monotone chain (Andrew 1979) over the few that remain.
    xs, ys = x[kept].tolist(), y[kept].tolist()
    chain: list[int] = []
    for new in range(len(xs)):
        while len(chain) > 1:
            last, before_last = chain[-1], chain[-2]
            rise, run = ys[last] - ys[before_last], xs[last] - xs[before_last]
            if rise * (xs[new] - xs[last]) < (ys[new] - ys[last]) * run:
                break
            chain.pop()
        chain.append(new)
    return kept[chain]

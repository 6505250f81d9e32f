"""The singlet gate: the band of FSC area over height, or of FSC width, of single cells."""

from __future__ import annotations

import numpy as np

from cd40l_flow.base.model import Floats, Singles
from cd40l_flow.gating.density import Counts, density_of, spread_out
from cd40l_flow.gating.found import Evidence, Found, no_gate
from cd40l_flow.gating.model import Indices, take
from cd40l_flow.signal.prepare import TubeSignal

FEWEST = 50
# Doublets lie above the single cells, only debris below; 0.13 % of a normal band are lost above.
SD_BELOW, SD_ABOVE = 4.0, 3.0
_SHIFT = 12


def find_singlets(ratio: Singles) -> tuple[Found, Found]:
    """Return the lower and upper end of the single-cell band of the area-to-height ratio (or width), (n,).

    The band reaches from 4 robust SD below the middle of its peak to 3 above; the SD comes from the lower side, since
    doublets lie above. The density spans the 0.5 % quantile to three times the distance of the median from it, on a
    grid of its own.
    """
    good = (ratio > 0) & (ratio < np.inf)
    if not good.all():
        ratio = ratio[good]
    if ratio.size < FEWEST:
        none = no_gate("too few lymphocytes for a singlet gate")
        return none, none
    ends, counts = _steps(ratio)
    least, median = np.interp((0.005, 0.5), np.concatenate(([0.0], np.cumsum(counts) / ratio.size)), ends).tolist()
    unit = max(4 * (median - least), 1e-6 * abs(median), 1e-12)
    curve = density_of(spread_out(ends, counts, least, unit))
    mode = curve.middle(0.0, 1.0)
    spread = curve.left_sd(mode)
    band = tuple(least + unit * (mode + far * spread) for far in (-SD_BELOW, SD_ABOVE))
    evidence = Evidence(curve, "inside", (0.0, 1.0), modes=(mode,), origin=least, unit=unit)
    low, high = (Found(end, "peak - 4 SD to peak + 3 SD", "", evidence) for end in band)
    return low, high


def _steps(ratio: Singles) -> tuple[Floats, Counts]:
    """Return the ends, (n + 1,), and counts, (n,), of a histogram of positive values with 2048 bins to each doubling.

    Exponent and first bits of mantissa of a number are its piecewise linear logarithm.
    """
    steps = np.right_shift(np.ascontiguousarray(ratio, dtype=np.float32).view(np.int32), _SHIFT)
    first = int(steps.min())
    counts = np.bincount(steps - first)
    ends = np.arange(first, first + counts.size + 1, dtype=np.int32) << _SHIFT
    return ends.view(np.float32).astype(np.float64), counts


def singlet_ratio(signal: TubeSignal, indices: Indices) -> Singles | None:
    """Return FSC area over height (a ratio, NaN without height), or FSC width (channel values), of some events, (n,);
    None where the file has neither.
    """
    scatter = signal.events.scatter
    if scatter.fsc is not None and scatter.fsc_height is not None:
        height = take(signal.stored(scatter.fsc_height), indices)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: Singles = take(signal.stored(scatter.fsc), indices) / height
        flat = height <= 0
        if flat.any():
            ratio[flat] = np.nan
        return ratio
    if scatter.fsc_width is not None:
        return take(signal.stored(scatter.fsc_width), indices)
    return None

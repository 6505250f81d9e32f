"""The singlet gate: the band of FSC area over height, or of FSC width, that single cells fill."""

from __future__ import annotations

import numpy as np

from cd40l_flow.gating.density import LOW, density
from cd40l_flow.gating.found import Evidence, Found, no_gate
from cd40l_flow.inputs.model import Floats
from cd40l_flow.signal.prepare import TubeSignal

FEWEST = 50
BAND_SD = 4.0


def find_singlets(ratio: Floats) -> tuple[Found, Found]:
    """Return the lower and upper end of the band of the area-to-height ratio (or width), (n,), that single cells fill.

    The band is 4 robust SD around the mode; the SD comes from the side below it, since doublets lie above. The density
    is looked for between the 0.5 % quantile and three times the median's distance from it, on a grid of its own.
    """
    ratio = ratio[np.isfinite(ratio)]
    if ratio.size < FEWEST:
        none = no_gate("too few lymphocytes for a singlet gate")
        return none, none
    least, median = (float(quantile) for quantile in np.quantile(ratio, (0.005, 0.5)))
    unit = max(4 * (median - least), 1e-6 * abs(median), 1e-12)
    curve = density((ratio - least) / unit)
    mode = curve.mode(0.0, 1.0)
    spread = curve.left_sd(mode, low=LOW)
    ends = tuple(least + unit * (mode + side * BAND_SD * spread) for side in (-1, 1))
    evidence = Evidence(curve, "inside", (0.0, 1.0), modes=(mode,), origin=least, unit=unit)
    low, high = (Found(end, "mode \N{PLUS-MINUS SIGN} 4 SD", "", evidence) for end in ends)
    return low, high


def singlet_ratio(signal: TubeSignal) -> Floats | None:
    """Return FSC area over height (a ratio), or FSC width (channel values), of every event, (events,); None without
    either.
    """
    scatter = signal.events.scatter
    if scatter.fsc_height is not None:
        height = signal.detector(scatter.fsc_height)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: Floats = np.where(height > 0, signal.detector(scatter.fsc) / height, np.nan)
        return ratio
    if scatter.fsc_width is not None:
        return signal.detector(scatter.fsc_width)
    return None

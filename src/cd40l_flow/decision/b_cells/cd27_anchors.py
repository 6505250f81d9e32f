"""What fixes CD27- B cells: those of the FMO, and the IgD+ cells of the sample itself, without CD27+ ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import erf

from cd40l_flow.assay.memory_b.reagents import FMO_CD27
from cd40l_flow.base.model import Floats
from cd40l_flow.gating.b_cells import BRIGHTER_SD, end_of_dim_peak
from cd40l_flow.gating.density import density
from cd40l_flow.mixture.histogram import edges, histogram
from cd40l_flow.mixture.signal_law import SignalParameters, signal_law
from cd40l_flow.signal.scale import Scale

FEWEST_ANCHOR, FEWEST_BESIDE = 20, 30  # cells of a background, and of one in addition to the FMO
BRIGHT = "IgD-bright cells"
# Parts of the CD27+ cells: they begin above the first, and a peak above the second is theirs. The peak of the others is
# known where it falls to half up to where they begin: its SD is at most this part of the way.
DIMMEST, DIM, WIDEST_PART = 0.025, 0.16, 0.85
PILED = 0.05  # of the cells, at the end of the detector, from which they show no width


@dataclass(frozen=True)
class Anchor:
    """What fixes the CD27- cells: binned cells without CD27, (bins,), and which they are; ``exact`` if of the FMO."""

    counts: Floats
    source: str
    exact: bool
    floor: float | None = None


def cd27_anchors(
    fmo: Floats, bright: Floats, bins: int, floor: float | None, law: SignalParameters | None, scale: Scale
) -> tuple[Anchor, ...]:
    """Return the anchors from CD27 of the FMO's B cells, (n,), and from IgD+ cells, (m,), without those of few cells;
    logicle values.

    Antibody that sticks to every cell is missing in the FMO: where the peak of IgD+ cells lies above the FMO's by more
    than ``BRIGHTER_SD``, the FMO is left out. ``floor`` is the pile-up at the detector's end, on the scale;
    ``law`` the signal of CD27+ cells, None where it is not known.
    """
    of_fmo = (Anchor(histogram(fmo, bins), FMO_CD27, True, floor),) if fmo.size >= FEWEST_ANCHOR else ()
    if bright.size < (FEWEST_BESIDE if of_fmo else FEWEST_ANCHOR):
        return of_fmo
    lowest = float(bright.min())
    piled = floor is not None and float(np.mean(bright <= floor + 1 / bins)) > PILED
    curve = density(bright)
    # A peak that is piled up at the end of the detector begins there.
    mode = lowest if piled else max(curve.mode(high=end_of_dim_peak(curve)), lowest)
    if of_fmo:
        dark = max(density(fmo).mode(), float(fmo.min()))
        if law is not None and mode > dimmest(law, scale, dark, DIM):
            # Hardly any naive cells are left: the peak of IgD+ cells is that of CD27+ ones.
            return of_fmo
        below = fmo[fmo <= dark]
        spread = math.sqrt(float(np.mean((below - dark) ** 2)))
        if mode - dark > BRIGHTER_SD * spread:
            of_fmo = ()
    clear = None if law is None else dimmest(law, scale, mode, DIMMEST)
    counts = _without_positives(bright, mode, clear, bins, piled=piled)
    return (*of_fmo, Anchor(counts, BRIGHT, False, floor))


def _without_positives(bright: Floats, mode: float, clear: float | None, bins: int, *, piled: bool) -> Floats:
    """Return binned IgD+ cells, (bins,), without the CD27+ ones among them.

    Up to ``clear`` they count as they are; above it the half of a normal distribution goes on that fits those between
    the peak and there. Where that cannot be determined, the lower half of the peak is mirrored.
    """
    lower = bright[bright <= mode]
    if clear is not None and clear > mode:
        upper = bright[(bright > mode) & (bright <= clear)]
        sd = _half_normal_sd(upper - mode, clear - mode)
        if sd is None and piled and upper.size >= FEWEST_ANCHOR:
            sd = WIDEST_PART * (clear - mode)
        if sd is not None:
            grid = edges(bins)
            tail = np.diff(erf(np.maximum(grid - mode, clear - mode) / (sd * math.sqrt(2))))
            inside = math.erf((clear - mode) / (sd * math.sqrt(2)))
            found: Floats = histogram(np.concatenate((lower, upper)), bins) + tail * upper.size / inside
            return found
    return histogram(np.concatenate((lower, 2 * mode - lower)), bins)


def _half_normal_sd(above: Floats, end: float) -> float | None:
    """Return the SD of a half-normal distribution from values, (n,), of which none beyond ``end`` were kept, by their
    mean square (maximum likelihood); None of few values or such as fall too little up to there.
    """
    if above.size < FEWEST_ANCHOR:
        return None
    square = float(np.mean(above**2)) / end**2

    def of(part: float) -> float:
        """The mean square of a half-normal cut at 1 whose SD is ``part``, less that of the values."""
        cut = 1 / part
        density_there = math.sqrt(2 / math.pi) * math.exp(-(cut**2) / 2)
        return part**2 * (1 - cut * density_there / math.erf(cut / math.sqrt(2))) - square

    if of(WIDEST_PART) < 0:
        return None
    return end * float(brentq(of, 1e-3, WIDEST_PART))


def dimmest(law: SignalParameters, scale: Scale, dark: float, part: float) -> float:
    """Return the logicle value below which this ``part`` (0 to 1) of the CD27+ cells of a law lie; ``dark`` is that of
    cells without CD27, to whose light the signal adds.
    """
    log_signals = law.level + np.linspace(-6, 6, 601) * math.exp(law.log_spread)
    below = np.cumsum(signal_law(law, log_signals, np.ones(log_signals.size))[0])
    place = int(np.searchsorted(below, part * below[-1]))
    return scale.to_scaled(scale.to_linear(dark) + math.exp(float(log_signals[place])))

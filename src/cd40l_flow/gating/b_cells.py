"""Boundaries on B cells: CD3 of the dump, CD19, the immunoglobulins of the surface, CD27 and CD38.

CD27 and IgD may show no valley among B cells, so cells that lack the marker set the boundary: those of the FMO, T
cells (which carry no immunoglobulin), or naive cells (which carry no CD27).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cd40l_flow.gating.density import HIGH, LOW, STEP, Density, Valley, find_valleys, most_prominent
from cd40l_flow.gating.found import Evidence, Found, joined, no_gate
from cd40l_flow.gating.thresholds import FEWEST, NARROWEST_SD

# With fewer cells than this, their mode and percentiles are not informative.
A_FEW = 20
DEEP = 0.5
# By how many SD of the FMO IgD+ cells may lie above it, and how much wider they may be; defaults, not validated.
BRIGHTER_SD, WIDER = 0.5, 1.5
PARTED, DIM_PART = 0.3, 0.15  # depth of the valley above a dim peak, and the least share of the cells below it
OWN_PEAK_SD = 2.5
FLANK_SD = 4.0  # end of the CD19- peak, where no valley follows it
NEGATIVE_QUANTILE, NEGATIVE_SD = 0.99, 2.326  # the same place of a normal distribution
MOST_TAIL = 3.0  # distances to the 90th percentile, beyond which a percentile is that of outliers
# Ashman's D below which two kinds of cells are not told apart (Ashman, Bird & Zepf 1994, doi:10.1086/117248).
SEPARATE = 2.0
TO_SD = 1 / math.sqrt(2 * math.log(2))  # from half the width of a peak at half its height


@dataclass(frozen=True)
class Peak:
    """A peak on the logicle scale: its ``mode``, and its SD on the side towards another one."""

    mode: float
    sd: float


def separation(one: Peak, other: Peak) -> float:
    """Return Ashman's D of two peaks."""
    return math.sqrt(2) * abs(other.mode - one.mode) / math.hypot(one.sd, other.sd)


def find_dump(curve: Density) -> Found:
    """Return the boundary above which cells are T cells: the valley of CD3 among lymphocytes, without a fallback."""
    low, high = 0.1, 0.95
    valleys = find_valleys(curve, low, high)
    evidence = Evidence(curve, "below", (low, high), tuple(valleys), (curve.mode(),))
    if curve.total < FEWEST:
        return no_gate(f"only {curve.total} lymphocytes: T cells are not left out", evidence)
    valley = most_prominent(curve, valleys)
    if valley is None:
        return no_gate("one CD3 population only: T cells are not left out", evidence)
    return Found(valley.position, "valley", _shallow(valley), evidence)


def find_cd19(curve: Density) -> Found:
    """Return the boundary above which lymphocytes without CD3 are B cells.

    It lies in the brightest deep valley of CD19. Without one there are hardly any B cells, and it lies at the end of
    the CD19- peak.
    """
    low, high = 0.1, 0.95
    valleys = find_valleys(curve, low, high, min_mass=max(0.002, A_FEW / max(curve.total, 1)))
    mode = curve.mode()
    evidence = Evidence(curve, "above", (low, high), tuple(valleys), (mode,))
    if curve.total < FEWEST:
        return no_gate(f"only {curve.total} lymphocytes: CD19 gate not drawn", evidence)
    deep = [valley for valley in valleys if valley.depth >= DEEP]
    valley = deep[-1] if deep else most_prominent(curve, valleys)
    if valley is not None:
        return Found(valley.position, "valley", _shallow(valley), evidence)
    edge = curve.seen(mode + FLANK_SD * max(curve.left_sd(mode), NARROWEST_SD))
    return Found(edge, "CD19- mode + 4 SD", "no valley: hardly any CD19+ cells", evidence)


def peaks(curve: Density, negatives: Density, memory: Density | None = None) -> tuple[Peak, Peak] | None:
    """Return the peak of cells without a marker, and the next one of B cells above it; None with too few of either.

    The first is that of ``negatives``, or of the memory cells, if theirs lies a little higher: B cells have more
    background than T cells.
    """
    if min(curve.total, negatives.total) < A_FEW:
        return None
    middle = negatives.quantile(0.5)
    dark = Peak(middle, max(negatives.quantile(0.8413) - middle, NARROWEST_SD))
    if memory is not None:
        dark = Peak(_own_peak(memory, dark), dark.sd)
    floor = dark.mode + 2 * dark.sd
    if curve.total * (1 - curve.below(floor)) < A_FEW / 2:
        return None
    mode = curve.mode(low=floor)
    lower = np.flatnonzero((curve.grid < mode) & (curve.height < np.interp(mode, curve.grid, curve.height) / 2))
    half = float(curve.grid[lower[-1]]) if lower.size else LOW
    return dark, Peak(mode, max((mode - half) * TO_SD, NARROWEST_SD))


def _own_peak(memory: Density, dark: Peak) -> float:
    """Return the mode of the memory cells without a marker, next to that of other cells without it; theirs if none."""
    low, high = dark.mode, dark.mode + OWN_PEAK_SD * dark.sd
    cells = memory.total * (memory.below(high) - memory.below(low))
    if cells < A_FEW:
        return dark.mode
    mode = memory.mode(low, high)
    return mode if low + STEP < mode < high - STEP else dark.mode


def find_immunoglobulin(
    curve: Density, negatives: Density, marker: str, whose: str, memory: Density | None = None
) -> Found:
    """Return the boundary above which B cells carry IgD or IgM on their surface.

    ``curve`` is the density of the marker on B cells, ``negatives`` that of cells which do not carry it, ``whose``
    names them; ``memory`` is that of B cells with CD27, many of which do not either. It lies in a deep valley between
    both, else at as many SD of either peak from its mode.
    """
    found = peaks(curve, negatives, memory)
    if found is None:
        evidence = Evidence(curve, "above", (LOW, 1.0), modes=(curve.mode(),), reference=negatives)
        if negatives.total < FEWEST:
            return no_gate(f"only {curve.total} B cells, {negatives.total} {whose}: {marker} gate not drawn", evidence)
        edge = _percentile(negatives)
        flag = f"only {curve.total} B cells, hardly any with {marker}"
        return Found(edge, f"99th percentile of {whose}", flag, evidence)
    dark, bright = found
    low, high = dark.mode, bright.mode
    valleys = [one for one in find_valleys(curve, low, high) if one.depth >= DEEP]
    evidence = Evidence(curve, "above", (low, high), tuple(valleys), (low, high), negatives)
    apart = separation(dark, bright)
    if apart < SEPARATE and curve.total >= FEWEST:
        return no_gate(f"{marker} of B cells is not separated from that of {whose} (D {apart:.1f})", evidence)
    few = f"only {curve.total} B cells" if curve.total < FEWEST else ""
    valley = most_prominent(curve, valleys)
    if valley is not None and not few:
        return Found(valley.position, "valley", "", evidence)
    edge = low + (high - low) * dark.sd / (dark.sd + bright.sd)
    return Found(edge, f"as far from {whose} as from {marker}+ cells, in SD", joined("no deep valley", few), evidence)


def find_cd27(curve: Density, background: Density | None) -> Found:
    """Return the boundary above which B cells are CD27+: the 99th percentile of the FMO's B cells.

    Without an FMO (``background`` None or of few cells), or where IgD+ cells, ``curve``, are all brighter, it is where
    that of the naive cells would lie, by the lower half of their peak.
    """
    if background is not None and background.total >= FEWEST and not _brighter(curve, background):
        evidence = Evidence(curve, "above", (LOW, 1.0), modes=(curve.mode(),), reference=background)
        return Found(_percentile(background), "99th percentile of the FMO", "", evidence)
    evidence = Evidence(curve, "above", (LOW, 1.0), modes=(curve.mode(),), reference=background)
    if curve.total < A_FEW:
        return no_gate(f"only {curve.total} IgD+ B cells and no FMO: CD27 gate not drawn", evidence)
    edge = beyond(curve)
    few = f"only {curve.total} IgD+ B cells" if curve.total < FEWEST else ""
    lack = "no FMO of CD27" if background is None or background.total < FEWEST else ""
    return Found(edge, "IgD+ cells' mode + 2.33 SD", joined(lack, few), evidence)


def _brighter(curve: Density, background: Density) -> bool:
    """Return whether IgD+ cells lie above the FMO, which lacks the antibody that sticks to every cell.

    Where their peak is wider too, dim CD27+ cells are in it, and it is not informative.
    """
    if curve.total < FEWEST:
        return False
    dark, bright = background.middle(), curve.middle(high=end_of_dim_peak(curve))
    sd = max(background.left_sd(dark), NARROWEST_SD)
    if curve.left_sd(bright) > WIDER * sd:
        return False
    return bright - dark > BRIGHTER_SD * sd


def find_cd38(curve: Density, naive: Density) -> Found:
    """Return the boundary above which IgD-CD27+ cells, ``curve``, are plasmablasts.

    They have more CD38 than mature naive cells, of which memory cells have less; transitional cells, which are as
    bright, are IgD+. The boundary lies in the valley above mature naive cells, or without one at the end of their peak.
    Where transitional cells are a peak of their own among naive ones, ``naive``, the mature ones are that below.
    """
    end = end_of_dim_peak(naive)
    mode = naive.mode(LOW, end)
    evidence = Evidence(curve, "above", (LOW, 1.0), modes=(mode,), reference=naive)
    if naive.total < FEWEST:
        return no_gate(f"only {naive.total} naive B cells: plasmablasts are not left out", evidence)
    own = most_prominent(curve, [one for one in find_valleys(curve, mode, HIGH) if one.depth >= DEEP])
    if own is not None and curve.total >= A_FEW:
        return Found(own.position, "valley", "", evidence)
    return Found(beyond(naive), "naive B cells' mode + 2.33 SD", "", evidence)


def end_of_dim_peak(curve: Density) -> float:
    """Return the valley above the dimmest peak that is more than a few cells, or the end of the scale without one."""
    valleys = find_valleys(curve, LOW, HIGH)
    return next(
        (one.position for one in valleys if one.depth >= PARTED and curve.below(one.position) >= DIM_PART), HIGH
    )


def beyond(curve: Density, sd: float = NEGATIVE_SD) -> float:
    """Return where the 99th percentile of the dim peak (or another one, in SD) would lie by its lower half, free of
    brighter cells.
    """
    mode = curve.middle(high=end_of_dim_peak(curve))
    return curve.seen(mode + sd * max(curve.left_sd(mode), NARROWEST_SD))


def _percentile(curve: Density) -> float:
    """Return the 99th percentile of a background, without its outliers."""
    middle, high, plain = (curve.quantile(q) for q in (0.5, 0.9, NEGATIVE_QUANTILE))
    return curve.seen(min(plain, middle + MOST_TAIL * max(high - middle, NARROWEST_SD)))


def _shallow(valley: Valley) -> str:
    return f"shallow valley (depth {valley.depth:.2f})" if valley.depth < DEEP else ""

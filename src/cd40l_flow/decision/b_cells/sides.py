"""On which side of the boundaries of IgD, IgM, CD27 and CD38 the B cells of a sample lie, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cd40l_flow.assay.b_cells import CD3_POSITIVE
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.b_cells.cells import PooledCells, pooled
from cd40l_flow.gating.b_cells import DEEP, beyond, peaks, separation
from cd40l_flow.gating.density import density, find_valleys, most_prominent
from cd40l_flow.signal.acquisition import Mask

# How far a boundary may lie from its true place, of the scale: in a valley, and elsewhere; default, not validated.
IN_VALLEY, ELSEWHERE = 0.005, 0.015
FEWEST = 20
LEAST_NAIVE_IGM = 0.5  # of the naive cells, which all have IgM
BRIGHTER_SD = 1.28


@dataclass(frozen=True)
class Sides:
    """On which side of each boundary the B cells lie, (cells,) each: above where True.

    ``cd27`` and ``igm`` are None where there is no boundary, ``igm`` also where most naive cells lie below it: it was
    not stained. ``plasmablast`` marks IgD-CD27+CD38+++ cells, None where
    CD38 is not informative.
    """

    igd: Mask
    cd27: Mask | None
    igm: Mask | None
    plasmablast: Mask | None

    @property
    def memory(self) -> Mask:
        """CD27+ cells."""
        return np.zeros_like(self.igd) if self.cd27 is None else self.cd27

    @property
    def naive(self) -> Mask:
        """CD27-IgD+ cells."""
        return self.igd & ~self.memory

    @property
    def igd_negative(self) -> Mask:
        """IgD- cells without plasmablasts."""
        dark = ~self.igd
        return dark if self.plasmablast is None else dark & ~self.plasmablast


def sides_of(cells: PooledCells, igd_by: float = 0.0, igm_by: float = 0.0, cd38_by: float = 0.0) -> Sides | None:
    """Return the sides, with boundaries moved on the scale; None without a boundary of IgD."""
    igd = cells.above("IgD", "igd_low", igd_by)
    if igd is None:
        return None
    cd27, cd38 = cells.above("CD27", "cd27_low"), cells.above("CD38", "cd38_low", cd38_by)
    plasmablast = None if cd38 is None or cd27 is None else cd38 & cd27 & ~igd
    igm = cells.above("IgM", "igm_low", igm_by)
    if igm is not None and not _igm_stained(igm, igd if cd27 is None else igd & ~cd27):
        igm = None
    return Sides(igd, cd27, igm, plasmablast)


def _igm_stained(igm: Mask, naive: Mask) -> bool:
    """Return whether IgM was stained in this tube, by the cells above its boundary, which may be that of another tube:
    most naive cells are. Of few naive cells nothing is known.
    """
    return bool(naive.sum() < FEWEST or np.mean(igm[naive]) >= LEAST_NAIVE_IGM)


def igd_separation(cells: PooledCells, sides: Sides | None) -> float | None:
    """Return Ashman's D of IgD between CD27- B cells that have it and cells without it; None where it shows none."""
    found = next((tube.found["igd_low"].evidence for tube in cells.tubes if "igd_low" in tube.found), None)
    if found is None or found.reference is None:
        return None
    values = cells.scaled("IgD")
    if sides is not None and sides.cd27 is not None:
        values = values[~sides.cd27]
    both = peaks(density(values), found.reference)
    return None if both is None else separation(*both)


def gate_errors(cells: PooledCells, cd27_by: float = 0.0) -> dict[str, float]:
    """Return the standard errors of the shares of CD27+ cells that come from the boundaries of IgD, IgM and CD38.

    By group of cells (`GROUPS`), fractions of all B cells: half of what changes where a boundary is moved by the error
    of its place either way. ``cd27_by`` is how far that of CD27 may lie too low, where few cells fix it: half of the
    cells above it up to there are added.
    """
    found = dict.fromkeys(GROUPS, 0.0)
    for marker, gate in (("igd_by", "igd_low"), ("igm_by", "igm_low"), ("cd38_by", "cd38_low")):
        ends = [sides_of(cells, **{marker: side * _error_of(cells, gate)}) for side in (-1, 1)]
        low, high = (groups_of(each) if each is not None else {} for each in ends)
        for name in low.keys() & high.keys():
            below, above = (
                int((mask & each.memory).sum()) for mask, each in ((low[name], ends[0]), (high[name], ends[1])) if each
            )
            found[name] += (0.5 * (above - below) / max(cells.count, 1)) ** 2
    sides, further = sides_of(cells), cells.above("CD27", "cd27_low", cd27_by)
    if cd27_by and sides is not None and further is not None:
        for name, mask in groups_of(sides).items():
            between = int((mask & sides.memory & ~further).sum())
            found[name] += (0.5 * between / max(cells.count, 1)) ** 2
    return {name: float(np.sqrt(square)) for name, square in found.items()}


IGD_POSITIVE, IGD_NEGATIVE, IGM_POSITIVE, IGM_NEGATIVE = "IgD+", "IgD-", "IgD-IgM+", "IgD-IgM-"
GROUPS = (IGD_POSITIVE, IGD_NEGATIVE, IGM_POSITIVE, IGM_NEGATIVE)


def groups_of(sides: Sides) -> dict[str, Mask]:
    """Return the groups in which CD27+ cells are counted, name -> cells; those by IgM only where it is informative."""
    dark = sides.igd_negative
    groups = {IGD_POSITIVE: sides.igd, IGD_NEGATIVE: dark}
    return groups if sides.igm is None else groups | {IGM_POSITIVE: dark & sides.igm, IGM_NEGATIVE: dark & ~sides.igm}


def _error_of(cells: PooledCells, gate: str) -> float:
    boundary = cells.tubes[0].boundary(gate)
    return IN_VALLEY if boundary is not None and boundary.method == "valley" else ELSEWHERE


@dataclass(frozen=True)
class Leak:
    """The shares (0 to 1) of cells that a boundary of IgM puts on the wrong side: ``negative`` ones above it,
    ``positive`` ones below it.
    """

    negative: float = 0.0
    positive: float = 0.0


def igm_leak(cells: PooledCells, sides: Sides) -> Leak:
    """Return what the boundary of IgM misplaces, by T cells, which have none, and naive B cells, which all have it."""
    if sides.igm is None:
        return Leak()
    naive = sides.naive
    t_cells = pooled(cells.tubes, CD3_POSITIVE)
    above = t_cells.above("IgM", "igm_low") if t_cells.tubes else None
    if above is None or above.size < FEWEST or naive.sum() < FEWEST:
        return Leak()
    found = Leak(float(above.mean()), float((~sides.igm[naive]).mean()))
    # Where both misplace many, IgM is not informative, and nothing can be corrected.
    return found if found.negative + found.positive < 0.5 else Leak()


def transitional_percent(cells: PooledCells, sides: Sides | None) -> float | None:
    """Return the percent of IgD+CD27- cells with more CD38 and CD24 than mature naive ones (and IgM) among B cells."""
    if sides is None or not (cells.stained("CD38") and cells.stained("CD24")):
        return None
    young = sides.naive
    if young.sum() < FEWEST:
        return None
    for marker in ("CD38", "CD24"):
        values = cells.scaled(marker)
        young = young & (values > _brighter(values[sides.naive]))
    if sides.igm is not None:
        young = young & sides.igm
    return 100 * float(young.sum()) / cells.count


def _brighter(values: Floats) -> float:
    """Return the deep valley above which cells are bright, or the 90th percentile of the peak of the others: of those
    one in a hundred lies above that of two markers.
    """
    curve = density(values)
    deep = [valley for valley in find_valleys(curve, curve.quantile(0.05), 0.95) if valley.depth >= DEEP]
    valley = most_prominent(curve, deep)
    return beyond(curve, BRIGHTER_SD) if valley is None else valley.position

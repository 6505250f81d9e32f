"""What is measured of the B cells of the tube ``memory``: shares of naive, non-switched and switched cells."""

from __future__ import annotations

import numpy as np

from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.memory_b.reagents import FMO_CD27, MEMORY
from cd40l_flow.decision.b_cells.cd27_anchors import BRIGHT
from cd40l_flow.decision.b_cells.cells import (
    PooledCells,
    b_cells_of,
    counted_share,
    live_lymphocytes,
    t_cells_among,
    tubes_of,
)
from cd40l_flow.decision.b_cells.measures import MemoryControl, MemoryMeasures
from cd40l_flow.decision.b_cells.shares import UNKNOWN, Shares, shares_of
from cd40l_flow.decision.b_cells.sides import Sides, igd_separation, sides_of, transitional_percent
from cd40l_flow.decision.b_cells.stain_checks import stain_checks
from cd40l_flow.gating.b_cells import SEPARATE
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.signal.acquisition import Mask
from cd40l_flow.signal.quantiles import median

FEWEST_FOR_MEDIAN = 10


def memory_measures(gated: GatedSample, control: MemoryControl | None, limits: Limits) -> MemoryMeasures | None:
    """Return what is measured of the B cells of a sample, None without a usable tube ``memory``.

    Replicates are pooled. Where a boundary is missing, the shares that need it are unknown, and ``unresolved`` says
    why. ``control`` is what the run's controls give.
    """
    tubes = tubes_of(gated, MEMORY)
    if not tubes:
        return None
    cells = b_cells_of(tubes)
    lymphocytes = sum(tube.count(live_lymphocytes(tube)) for tube in tubes)
    sides = sides_of(cells) if cells.count else None
    apart = igd_separation(cells, sides) if cells.count else None
    unresolved = _unresolved(gated, cells, sides, apart)
    found = Shares() if unresolved or sides is None else shares_of(gated, cells, sides, control, limits)
    dark = None if sides is None or sides.cd27 is None else ~sides.cd27
    naive = None if sides is None or dark is None else sides.igd & dark
    cd27_median = _median(cells, "CD27", naive)
    if found.background == BRIGHT and (why := _not_naive(cd27_median, control, limits.b_cells.cd27_shift_max)):
        unresolved, found = why, Shares()
    boundary = next((tube.boundary("cd27_low") for tube in cells.tubes), None)
    return MemoryMeasures(
        tubes=tuple(tube.signal.events.tube.fcs for tube in tubes),
        lymphocytes=lymphocytes,
        b_events=cells.count,
        b_cells=counted_share(cells.count, lymphocytes) if cells.tubes else UNKNOWN,
        naive=found.naive,
        non_switched=found.non_switched,
        switched=found.switched,
        switched_two_marker=found.two_marker,
        igm_only=found.igm_only,
        double_negative=found.double_negative,
        plasmablasts=found.plasmablasts,
        transitional_percent=transitional_percent(cells, sides),
        cd27_separation=found.separation,
        cd27_background=found.background,
        cd27_threshold=None if boundary is None else boundary.value,
        cd27_negative_median=cd27_median,
        cd27_converged=found.converged,
        igd_separation=apart,
        igd_negative_percent=_percent(~sides.igd, dark) if sides is not None and dark is not None else None,
        igd_median=_median(cells, "IgD", dark),
        igm_median=_median(cells, "IgM", dark),
        cd3_percent=t_cells_among(tubes),
        unresolved=unresolved,
        notes=_notes(gated, cells, sides),
        cd27_shape=found.shape,
        igm_only_median=_median(cells, "IgM", _igm_only(sides)),
        cd38_median=_median(cells, "CD38", naive),
        stain=stain_checks(gated, cells, sides),
    )


def _not_naive(median_of_anchor: float | None, control: MemoryControl | None, most: float) -> str:
    """Return in words why IgD+ cells fix no CD27- cells: with few naive ones most of them are CD27+; empty if they do.

    An FMO would do so whatever they are.
    """
    theirs = None if control is None else control.cd27_negative_median
    if median_of_anchor is None or theirs is None or not 0 < most * theirs < median_of_anchor:
        return ""
    return (
        f"IgD+ cells have {median_of_anchor / theirs:.1f} times the CD27 of the control's naive cells (at most "
        f"{most:g}), as memory cells or cells stained otherwise have: only memory-FMO27 can show CD27- cells here"
    )


def _igm_only(sides: Sides | None) -> Mask | None:
    """Return which B cells are CD27+IgD-IgM+, plasmablasts left out; None without a boundary of IgM."""
    return None if sides is None or sides.igm is None else sides.memory & sides.igd_negative & sides.igm


def _unresolved(gated: GatedSample, cells: PooledCells, sides: Sides | None, apart: float | None) -> str:
    """Return in words why shares cannot be determined; empty where they can."""
    if not cells.tubes:
        return gated.flags[-1] if gated.flags else "B cells could not be gated"
    if not cells.count:
        return "no B cells"
    if apart is not None and apart < SEPARATE:
        return f"IgD of B cells is not separated from that of cells without it (D {apart:.1f}, at least {SEPARATE:g})"
    without = {"IgD": sides is None, "CD27": sides is not None and sides.cd27 is None}
    for marker, missing in without.items():
        gate = f"{marker.lower()}_low"
        if missing:
            reasons = (tube.found[gate].flag for tube in cells.tubes if gate in tube.found)
            return next(reasons, "") or f"{marker} could not be gated"
    return ""


def _median(cells: PooledCells, marker: str, which: Mask | None) -> float | None:
    """Return the median of a marker of some B cells, channel values; None of few."""
    if which is None or int(which.sum()) < FEWEST_FOR_MEDIAN or not cells.stained(marker):
        return None
    return median(cells.linear(marker)[which])


def _percent(part: Mask, whole: Mask) -> float | None:
    """Return the percent of one set of cells among another."""
    return 100 * float(np.mean(part[whole])) if whole.any() else None


def _notes(gated: GatedSample, cells: PooledCells, sides: Sides | None) -> tuple[str, ...]:
    """Return what the reader must know about missing tubes."""
    notes = []
    if cells.tubes and not cells.stained("CD3"):
        notes.append("CD3 is not stained: T cells are not left out, and a doublet of a T and a B cell looks switched.")
    if cells.tubes and not cells.stained("IgM"):
        notes.append("IgM is not stained: IgM-only memory cells count as switched (two-marker share alone).")
    elif sides is not None and sides.igm is None:
        notes.append("IgM of B cells is not separated from that of cells without it: no three-marker share.")
    if cells.tubes and not cells.stained("CD38"):
        notes.append("CD38 is not stained: plasmablasts are among the switched cells.")
    if not b_cells_of(tubes_of(gated, FMO_CD27)).count:
        notes.append("No B cells of a tube memory-FMO27: naive cells with bright IgD stand in for it.")
    return tuple(notes)

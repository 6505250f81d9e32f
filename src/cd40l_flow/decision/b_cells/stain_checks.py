"""Checks of the stain of the memory tube: T cells have CD27, CD27 does not depend on immunoglobulin, and anti-IgD and
anti-IgM stain only the cells that have these.
"""

from __future__ import annotations

import math

import numpy as np

from cd40l_flow.assay.b_cells import CD3_POSITIVE, CD19_NEGATIVE
from cd40l_flow.assay.memory_b.reagents import FMO_CD27
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.b_cells.cells import PooledCells, b_cells_of, tubes_of
from cd40l_flow.decision.b_cells.measures import Dependence, StainChecks
from cd40l_flow.decision.b_cells.sides import Sides, sides_of
from cd40l_flow.gating.model import GatedSample, GatedTube
from cd40l_flow.signal.acquisition import Mask
from cd40l_flow.signal.quantiles import median, quantiles
from cd40l_flow.signal.scale import robust_sd

FEWEST, ENOUGH = 20, 150
DIM = 0.7  # of the median of naive cells
T_CELL_QUANTILE = 0.75  # a quarter of the T cells have CD27 even in old age and chronic infection
# Cells that carry immunoglobulin differ from those without it in these markers.
IMMUNOGLOBULINS = ("IgM", "IgD")


def stain_checks(gated: GatedSample, cells: PooledCells, sides: Sides | None) -> StainChecks:
    """Return the checks of a sample with these B cells of its memory tubes and their sides."""
    if sides is None:
        return StainChecks()
    fmo = b_cells_of(tubes_of(gated, FMO_CD27))
    of_fmo = sides_of(fmo) if fmo.count else None
    naive = sides.naive
    found = [_dependence(fmo, None if of_fmo is None else of_fmo.igd, marker) for marker in IMMUNOGLOBULINS]
    if not any(found):
        found = [_dependence(cells, naive, marker) for marker in IMMUNOGLOBULINS]
    known = [one for one in found if one is not None]
    sticking = _sticking(cells, sides)
    return StainChecks(
        cd27_of_t=_cd27_of_t(cells, naive if naive.sum() >= FEWEST else sides.igd),
        fmo_cd27_of_t=None if of_fmo is None else _cd27_of_t(fmo, of_fmo.igd),
        dependence=max(known, key=lambda one: abs(one.value), default=None),
        sticking=None if sticking is None else sticking[0],
        sticking_error=0.0 if sticking is None else sticking[1],
        cd27_of_igd_negative=_cd27_of_igd_negative(cells, sides),
    )


def _cd27_of_igd_negative(cells: PooledCells, sides: Sides) -> float | None:
    """Return CD27 of CD27+IgD- over that of CD27+IgD+ cells, medians less that of naive cells; None of few.

    Switched memory has as much CD27 as the other memory. Large CD27- cells without IgD have a little more background.
    """
    naive, others, kept = sides.naive, sides.memory & sides.igd_negative, sides.memory & sides.igd
    if min(naive.sum(), others.sum(), kept.sum()) < FEWEST or not cells.stained("CD27"):
        return None
    cd27 = cells.linear("CD27")
    dark = median(cd27[naive])
    usual = median(cd27[kept]) - dark
    return (median(cd27[others]) - dark) / usual if usual > 0 else None


def _sticking(cells: PooledCells, sides: Sides) -> tuple[float, float] | None:
    """Return how many more CD27+IgD+ cells are dim in both IgD and IgM than naive cells are, percent of B cells, with
    its standard error of counting; None without IgM.

    Memory cells that did not switch have less IgD than naive ones but at least as much IgM; switched ones to which
    the reagents stick have both, dim. Naive cells beyond the boundary of CD27 are dim in both as often as the others.
    """
    naive = sides.naive
    if sides.igm is None or naive.sum() < FEWEST:
        return None
    dim = np.ones(naive.size, dtype=bool)
    for marker in IMMUNOGLOBULINS:
        values = cells.linear(marker)
        dim &= values < DIM * median(values[naive])
    kept = sides.memory & sides.igd
    share, usual = float(np.mean(kept)), float(np.mean(dim[naive]))
    excess = float(np.mean(kept & dim)) - share * usual
    return 100 * excess, 100 * math.sqrt(share * usual * (1 - usual) / naive.size)


def _cd27_of_t(cells: PooledCells, naive: Mask) -> float | None:
    """Return how far CD27 of T cells lies above that of naive B cells; None of few of either, or without CD27."""
    others = [values for tube in cells.tubes if (values := _t_cells(tube)) is not None]
    t_cells = np.concatenate(others) if others else np.empty(0)
    if naive.sum() < FEWEST or t_cells.size < ENOUGH or not cells.stained("CD27"):
        return None
    dark = cells.linear("CD27")[naive]
    spread = robust_sd(dark)
    return (quantiles(t_cells, (T_CELL_QUANTILE,))[0] - median(dark)) / spread if spread > 0 else None


def _t_cells(tube: GatedTube) -> Floats | None:
    """Return CD27 of the tube's T cells, linear, (n,); without CD3 of all lymphocytes that are no B cells."""
    population = CD3_POSITIVE if "CD3" in tube.signal.scaled else CD19_NEGATIVE
    known = population in tube.indices and "CD27" in tube.signal.scaled
    return np.asarray(tube.linear("CD27", population), dtype=np.float64) if known else None


def _dependence(cells: PooledCells, which: Mask | None, marker: str) -> Dependence | None:
    """Return how CD27 depends on a marker in some cells without CD27; None of few.

    The slope is that between the medians of the cells with least and with most of the marker, a third each.
    """
    if which is None or which.sum() < ENOUGH or not (cells.stained(marker) and cells.stained("CD27")):
        return None
    values, cd27 = cells.linear(marker)[which], cells.linear("CD27")[which]
    low, high = quantiles(values, (1 / 3, 2 / 3))
    dim, bright = values <= low, values >= high
    run = median(values[bright]) - median(values[dim])
    spread = robust_sd(cd27[dim])
    if not (run > 0 and spread > 0):
        return None
    return Dependence(marker, (median(cd27[bright]) - median(cd27[dim])) / run * median(values) / spread)

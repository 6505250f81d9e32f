"""Whether the B cells that an assay counts are alike at all times and in all replicates: another sample's are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cd40l_flow.assay.b_cells import B_CELLS
from cd40l_flow.assay.cd40.reagents import CD40
from cd40l_flow.assay.memory_b.gates import MEMORY_IGD_NEGATIVE
from cd40l_flow.assay.memory_b.reagents import MEMORY
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.decision.b_cells.cells import PooledCells, b_cells_of, tubes_of
from cd40l_flow.decision.b_cells.sides import sides_of
from cd40l_flow.decision.case import Difference, Replicate, ReplicateGroup
from cd40l_flow.decision.independence import Dependence, between_tubes, over_time
from cd40l_flow.decision.sample_guards import sure_limit
from cd40l_flow.gating.model import GatedSample, GatedTube
from cd40l_flow.signal.acquisition import Mask
from cd40l_flow.signal.quantiles import median


@dataclass(frozen=True)
class Evenness:
    """How the target cells gather in one part of an acquisition, and in one of several replicates; None if unknown.

    They are the CD27+IgD- of the B cells of the memory tubes or, in a sample without those, the dimmer half of the B
    cells of the CD40 tubes. Each is of the part, or tube, that differs most surely from the rest. ``replicates`` are
    the measures of each tube, where there are several.
    """

    in_time: Dependence | None = None
    in_replicates: Dependence | None = None
    replicates: tuple[ReplicateGroup, ...] = ()


def evenness(gated: GatedSample, most: float) -> Evenness:
    """Return how evenly the target cells of a sample come; unknown of few B cells or where they are not told apart.

    ``most`` is the ln odds ratio by which replicates may differ.
    """
    cells = b_cells_of(tubes_of(gated, MEMORY))
    if cells.count:
        sides = sides_of(cells)
        if sides is None or sides.cd27 is None:
            return Evenness()
        found = sides.memory & sides.igd_negative
    else:
        cells = b_cells_of(tubes_of(gated, CD40))
        if not cells.count:
            return Evenness()
        values = cells.linear(TARGET)
        found = values < median(values)
    target, sizes = found.astype(np.float64), [tube.count(cells.population) for tube in cells.tubes]
    apart = between_tubes(target, sizes)
    return Evenness(over_time(target, sizes), apart, _groups(cells, found, apart, most))


def _groups(cells: PooledCells, found: Mask, apart: Dependence | None, most: float) -> tuple[ReplicateGroup, ...]:
    """Return the tubes of B cells with what is measured of each, and how far the most different lie apart."""
    if len(cells.tubes) < 2:
        return ()
    first = cells.tubes[0].signal.events.tube
    ends = np.cumsum([tube.count(cells.population) for tube in cells.tubes])[:-1]
    parts = np.split(found, ends)
    what = f"{MEMORY_IGD_NEGATIVE if first.reagent == MEMORY else 'dimmer half'} of {B_CELLS}"
    replicates = tuple(_replicate(tube, part) for tube, part in zip(cells.tubes, parts, strict=True))
    return (
        ReplicateGroup(
            stimulation=first.stimulation,
            reagent=first.reagent,
            population=B_CELLS,
            serves=(first.reagent,),
            replicates=replicates,
            differences=() if apart is None else (_difference(what, replicates, parts, apart, most),),
        ),
    )


def _replicate(tube: GatedTube, target: Mask) -> Replicate:
    """Return the B cells of a tube; ``percent_above`` is that of CD27+IgD- cells, of memory tubes alone."""
    sheet, some = tube.signal.events.tube, target.size > 0
    memory = sheet.reagent == MEMORY
    return Replicate(
        fcs=sheet.fcs,
        cells=int(target.size),
        cd69_percent=None,
        cd69_median=None,
        target_median=tube.median(TARGET, B_CELLS) if some and not memory else None,
        percent_above=100 * float(target.mean()) if some and memory else None,
    )


def _difference(
    what: str, replicates: Sequence[Replicate], parts: Sequence[Mask], apart: Dependence, most: float
) -> Difference:
    """Return how far the tube that differs most lies from the others, named with the one at the other end."""
    order = sorted(range(len(parts)), key=lambda place: float(parts[place].mean()))
    pair = replicates[order[0]].fcs, replicates[order[-1]].fcs
    return Difference(what, pair, abs(apart.log_ratio), sure_limit(apart, most), "ln odds ratio")

"""Whether the B cells that an assay counts are alike at all times and in all replicates: another sample's are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cd40l_flow.assay.cd40.reagents import CD40
from cd40l_flow.assay.memory_b.reagents import MEMORY
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.decision.b_cells.cells import b_cells_of, tubes_of
from cd40l_flow.decision.b_cells.sides import sides_of
from cd40l_flow.decision.independence import Dependence, between_tubes, over_time
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.signal.quantiles import median


@dataclass(frozen=True)
class Evenness:
    """How the target cells gather in one part of an acquisition, and in one of several replicates; None if unknown.

    They are the CD27+IgD- of the B cells of the memory tubes or, in a sample without those, the dimmer half of the B
    cells of the CD40 tubes. Each is of the part, or tube, that differs most surely from the rest.
    """

    in_time: Dependence | None = None
    in_replicates: Dependence | None = None


def evenness(gated: GatedSample) -> Evenness:
    """Return how evenly the target cells of a sample come; unknown of few B cells or where they are not told apart."""
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
    return Evenness(over_time(target, sizes), between_tubes(target, sizes))

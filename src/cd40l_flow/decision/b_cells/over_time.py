"""Whether the B cells that an assay counts come evenly in time: another sample's cells come together."""

from __future__ import annotations

from cd40l_flow.assay.cd40.reagents import CD40
from cd40l_flow.assay.memory_b.reagents import MEMORY
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.decision.b_cells.cells import b_cells_of, tubes_of
from cd40l_flow.decision.b_cells.sides import sides_of
from cd40l_flow.decision.independence import Dependence, over_time
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.signal.quantiles import median


def gathered_in_time(gated: GatedSample) -> Dependence | None:
    """Return how the target cells gather in the part of an acquisition that differs most surely from the rest of it.

    They are the CD27+IgD- of the B cells of the memory tubes or, in a sample without those, the dimmer half of the B
    cells of the CD40 tubes. None of few B cells, or where these are not told apart.
    """
    cells = b_cells_of(tubes_of(gated, MEMORY))
    if cells.count:
        sides = sides_of(cells)
        if sides is None or sides.cd27 is None:
            return None
        found = sides.memory & sides.igd_negative
    else:
        cells = b_cells_of(tubes_of(gated, CD40))
        if not cells.count:
            return None
        values = cells.linear(TARGET)
        found = values < median(values)
    return over_time(found.astype(float), [tube.count(cells.population) for tube in cells.tubes])

"""The assay of CD40 on B cells and monocytes as tables."""

from __future__ import annotations

from cd40l_flow.assay import b_cells
from cd40l_flow.assay.cd40.gates import GATES
from cd40l_flow.assay.cd40.guards import GUARDS
from cd40l_flow.assay.cd40.reagents import REAGENTS
from cd40l_flow.assay.cd40.rules import RULES
from cd40l_flow.assay.tables import TARGET, Assay, Marker

MARKERS = (
    b_cells.CD19,
    Marker(TARGET, "CD40", required=True),
    b_cells.CD3,
    b_cells.CD14,
    b_cells.VIABILITY,
    b_cells.CD20,
    b_cells.CD45,
)
CD40 = Assay(REAGENTS, MARKERS, GATES, GUARDS, RULES, name="cd40", stimulated=False)

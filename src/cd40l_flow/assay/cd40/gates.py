"""The gates of the CD40 assay: B cells, and monocytes, which lie outside the scatter gate of the lymphocytes."""

from __future__ import annotations

from cd40l_flow.assay import b_cells
from cd40l_flow.assay.shared_gates import TIME
from cd40l_flow.assay.tables import Gate

ALL_VIABLE, MONOCYTES = "viable-leukocytes", "CD14+"

GATES = (
    *b_cells.GATES,
    # The boundary is that of the single lymphocytes.
    Gate(
        ALL_VIABLE, "viability", ("viability_high",), "viability", keep="below", parent=TIME, stained="any",
        from_control=True, distance="viability_distance_max",
    ),
    Gate(
        MONOCYTES, "positive", ("cd14_low",), "CD14", parent=ALL_VIABLE, stained="own", from_control=True,
        distance="cd14_distance_max",
    ),
)  # fmt: skip

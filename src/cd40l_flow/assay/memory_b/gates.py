"""The gates of the assay of memory B cells: CD27 and IgD, then IgM, on CD3-CD19+ cells.

CD27 has one boundary, on IgD+ and IgD- cells alike.
"""

from __future__ import annotations

from cd40l_flow.assay import b_cells
from cd40l_flow.assay.b_cells import B_CELLS, NAIVE
from cd40l_flow.assay.tables import Gate

IGD_POSITIVE, IGD_NEGATIVE, MEMORY_IGD_NEGATIVE = "IgD+", "IgD-", "IgD-CD27+"
NON_SWITCHED, DOUBLE_NEGATIVE = "non-switched", "double-negative"
PLASMABLASTS, NO_PLASMABLASTS = "plasmablasts", "IgD-CD27+CD38-"
SWITCHED, IGM_ONLY = "switched", "IgM-only"

GATES = (
    *b_cells.GATES,
    Gate(
        IGD_POSITIVE, "immunoglobulin", ("igd_low",), "IgD", parent=B_CELLS, others=IGD_NEGATIVE, from_control=True,
        distance="igd_distance_max", second_axis="CD27",
    ),
    Gate(
        NON_SWITCHED, "cd27", ("cd27_low",), "CD27", parent=IGD_POSITIVE, others=NAIVE, from_control=True,
        distance="cd27_distance_max", second_axis="IgD",
    ),
    Gate(
        MEMORY_IGD_NEGATIVE, "cd27", ("cd27_low",), "CD27", parent=IGD_NEGATIVE, others=DOUBLE_NEGATIVE,
        from_control=True, distance="cd27_distance_max", second_axis="IgD",
    ),
    Gate(
        PLASMABLASTS, "cd38", ("cd38_low",), "CD38", parent=MEMORY_IGD_NEGATIVE, others=NO_PLASMABLASTS,
        stained="own", from_control=True, distance="cd38_distance_max", second_axis="CD27",
    ),
    Gate(
        SWITCHED, "immunoglobulin", ("igm_low",), "IgM", keep="below", parent=NO_PLASMABLASTS, others=IGM_ONLY,
        stained="own", from_control=True, distance="igm_distance_max", second_axis="IgD",
    ),
)  # fmt: skip

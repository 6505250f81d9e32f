"""The markers of the assay of memory B cells."""

from __future__ import annotations

from cd40l_flow.assay import b_cells
from cd40l_flow.assay.tables import Marker

MARKERS = (
    b_cells.CD19,
    Marker("CD27", "memory B cells and plasmablasts", "CD27[a-e]?", required=True),
    Marker("IgD", "B cells that have not switched their class", r"(?:anti[ _-]?)?(?:human[ _-]?)?s?IgD", required=True),
    Marker("IgM", "B cells that have not switched their class", r"(?:anti[ _-]?)?(?:human[ _-]?)?s?IgM"),
    b_cells.CD3,
    b_cells.VIABILITY,
    Marker("CD38", "plasmablasts and transitional B cells, where stained", "CD38[a-e]?"),
    Marker("CD24", "transitional B cells, where stained with CD38", "CD24[a-e]?"),
    Marker("CD21", "mature B cells, shown only", "CD21[a-e]?"),
    b_cells.CD20,
    b_cells.CD45,
)

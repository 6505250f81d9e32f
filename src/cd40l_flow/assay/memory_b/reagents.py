"""The tubes of the assay of memory B cells: the stained one, and those that lack CD27, or IgD and IgM."""

from __future__ import annotations

from cd40l_flow.assay.tables import SUBSETS, Reagent

MEMORY, FMO_CD27, FMO_IG = "memory", "memory-FMO27", "memory-FMOIg"

REAGENTS = (
    Reagent(MEMORY, backgrounds=(FMO_CD27, FMO_IG), readout=SUBSETS, key="memory", title="Memory B cells"),
    Reagent(FMO_CD27, lacks=("CD27",)),
    Reagent(FMO_IG, lacks=("IgD", "IgM")),
)

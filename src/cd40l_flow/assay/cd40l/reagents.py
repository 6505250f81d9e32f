"""The reagents of the CD40 ligand assay: a row for each, with its names, its backgrounds and what it shows."""

from __future__ import annotations

from cd40l_flow.assay.tables import EXPRESSION, FUNCTION, Reagent

CD154, CLONE_2, CD40_IG = "CD154", "CD154-2", "CD40-Ig"
_CD154 = r"CD154[a-e]?|CD40[ _/-]?L(?:G|igand)?"
_CD40_IG = r"CD40[ _/-]?(?:mu|hu|m|h)?[ _-]?(?:IgG?|Fc)\d?[a-c]?"
_OF_CD154 = ("isotype", "FMO")

REAGENTS = (
    Reagent(
        CD154, _CD154, _OF_CD154, EXPRESSION, "cd154", "control_positive_min",
        loinc=("98240-5", "CD154 cells [Presence] in T cells"),
    ),
    Reagent(
        CLONE_2, _CD154, _OF_CD154, EXPRESSION, "cd154_2", "control_positive_min", "CD154 (clone 2)", expected=False
    ),
    Reagent(
        CD40_IG, _CD40_IG, ("secondary",), FUNCTION, "cd40ig", "control_cd40ig_positive_min",
        loinc=("98241-3", "CD154 function (binding to CD40) [Presence] in T cells"),
    ),
    Reagent("isotype"),
    Reagent("FMO"),
    Reagent("secondary"),
)  # fmt: skip

"""What the calls of several assays of one person mean together: the row that applies to each pair of calls.

Source: section "calls" of the science behind the assay of memory B cells: boys with a defect of CD40LG have switched
memory "greatly decreased" (Agematsu 1998, PMC508949); of 16 patients who express CD154 weakly, none had a mutation
(Gilmour 2003); carriers have normal immunoglobulins (Hollenbaugh 1994). A row gives wording only, never a call.
"""

from __future__ import annotations

from dataclasses import dataclass

from cd40l_flow.assay.effects import (
    ABSENT,
    FUNCTIONAL_DEFECT,
    INDETERMINATE,
    MOSAIC,
    NORMAL,
    REDUCED,
    SWITCHED_FEW,
    SWITCHED_NORMAL,
)

AFFECTED = frozenset({ABSENT, FUNCTIONAL_DEFECT})
ENOUGH = frozenset({SWITCHED_NORMAL})
# Which people a row is for.
ANYBODY, WOMAN, TRANSPLANTED, MAN = "anybody", "woman", "transplanted", "man"


@dataclass(frozen=True)
class JointRow:
    """``key`` names the words of ``joint_reading.yaml``; the first row that fits gives them."""

    cd154: frozenset[str]
    switched: frozenset[str]
    who: str
    key: str


ROWS = (
    JointRow(AFFECTED, SWITCHED_FEW, TRANSPLANTED, "transplanted_few"),
    JointRow(AFFECTED, ENOUGH, TRANSPLANTED, "transplanted_enough"),
    JointRow(AFFECTED, SWITCHED_FEW, ANYBODY, "concordant"),
    JointRow(AFFECTED, ENOUGH, ANYBODY, "discordant"),
    JointRow(frozenset({REDUCED}), SWITCHED_FEW, ANYBODY, "reduced_few"),
    JointRow(frozenset({REDUCED}), ENOUGH, ANYBODY, "reduced_enough"),
    JointRow(frozenset({NORMAL}), SWITCHED_FEW, ANYBODY, "other_forms"),
    JointRow(frozenset({NORMAL}), ENOUGH, ANYBODY, "unlikely"),
    JointRow(frozenset({MOSAIC}), SWITCHED_FEW, TRANSPLANTED, "chimera_few"),
    JointRow(frozenset({MOSAIC}), ENOUGH, TRANSPLANTED, "chimera_enough"),
    JointRow(frozenset({MOSAIC}), SWITCHED_FEW, WOMAN, "carrier_few"),
    JointRow(frozenset({MOSAIC}), ENOUGH, WOMAN, "carrier_enough"),
    JointRow(frozenset({MOSAIC}), SWITCHED_FEW, MAN, "mosaic_man_few"),
    JointRow(frozenset({MOSAIC}), ENOUGH, MAN, "mosaic_man_enough"),
    JointRow(frozenset({INDETERMINATE}), SWITCHED_FEW | ENOUGH, ANYBODY, "cd154_open"),
)

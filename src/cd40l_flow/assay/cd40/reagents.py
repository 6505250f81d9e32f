"""The tubes of the CD40 assay: CD40, and an isotype on its detector."""

from __future__ import annotations

from cd40l_flow.assay.tables import EXPRESSION, Reagent

CD40, ISOTYPE = "CD40", "CD40-isotype"
# CD40L, CD40 L and CD40-Ig are other things.
_CD40 = r"CD40[a-e]?(?![ _/-]?(?:L(?:G|igand)?|(?:mu|hu|m|h)?[ _-]?(?:IgG?|Fc)\d?[a-c]?)(?![A-Za-z0-9]))"

REAGENTS = (
    Reagent(CD40, _CD40, (ISOTYPE,), EXPRESSION, "cd40", title="CD40"),
    Reagent(ISOTYPE),
)

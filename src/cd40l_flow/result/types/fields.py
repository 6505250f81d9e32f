"""The words that a result may hold: answers, calls, reagents, reasons."""

from typing import Annotated

from cd40l_flow.assay.cd40.rules import B_CELLS, MONOCYTES
from cd40l_flow.assay.cd40l import CD40L
from cd40l_flow.assay.lookup import ASSAYS
from cd40l_flow.base.records import NAME, name_of, one_of
from cd40l_flow.result.order import CALLS

# Reasons that are no guards; the texts of the report say what each code means.
OF_CALLS = (
    *("FUNCTION_NOT_TESTED", "READOUT_DISCORDANT", "CLONE_DISCORDANT"),
    *("MOSAIC_GREY_ZONE", "REDUCED_VS_MOSAIC", "BETWEEN_LIMITS"),
)
REASONS = (*dict.fromkeys((*CD40L.guard, *OF_CALLS, *(code for assay in ASSAYS.values() for code in assay.guard))),)
CELLS = (B_CELLS, MONOCYTES)
CODE = r"[A-Z][A-Z0-9_]*"

Answer = Annotated[str, one_of("yes", "no", "unknown")]
Stimulation = Annotated[str, one_of("stimulated", "unstimulated")]
TARGETS = tuple(name for assay in ASSAYS.values() for name in assay.targets)
# What a sub-call, a check or a rule is of: a reagent, or of CD40 a kind of cells.
Reagent = Annotated[str, name_of(f"({NAME}|{CELLS[0]})", *TARGETS, *CELLS)]
Call = Annotated[str, one_of(*CALLS)]
Hypothesis = Annotated[str, one_of("NORMAL", "MOSAIC", "REDUCED", "ABSENT", "FUNCTIONAL_DEFECT", "DISCORDANT")]
Reason = Annotated[str, name_of(CODE, *REASONS)]

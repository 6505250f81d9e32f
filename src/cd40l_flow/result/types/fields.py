"""What the types of a result are made of: the base of all records, and values within their ranges."""

from typing import Annotated

from msgspec import Meta, Struct

from cd40l_flow.assay.cd40.rules import B_CELLS, MONOCYTES
from cd40l_flow.assay.cd40l import CD40L
from cd40l_flow.assay.lookup import ASSAYS
from cd40l_flow.result.order import CALLS


def doc(text: str) -> Meta:
    """Return the description of a key, which enters the JSON Schema and messages."""
    return Meta(description=text)


def one_of(*words: str) -> Meta:
    """Return the constraint to one of several words."""
    # $ alone would also take a line feed.
    return Meta(pattern=f"^({'|'.join(words)})$(?!\n)", extra_json_schema={"enum": list(words)})


def name_of(shape: str, *words: str) -> Meta:
    """Return the constraint to names of a shape; which there are is the assay's, and stands in the JSON Schema."""
    return Meta(pattern=f"^{shape}$(?!\n)", extra_json_schema={"enum": list(words)})


# Reasons that are no guards; the texts of the report say what each code means.
OF_CALLS = (
    *("FUNCTION_NOT_TESTED", "READOUT_DISCORDANT", "CLONE_DISCORDANT"),
    *("MOSAIC_GREY_ZONE", "REDUCED_VS_MOSAIC", "BETWEEN_LIMITS"),
)
REASONS = (*dict.fromkeys((*CD40L.guard, *OF_CALLS, *(code for assay in ASSAYS.values() for code in assay.guard))),)
CELLS = (B_CELLS, MONOCYTES)
NAME, CODE = r"[A-Za-z0-9][A-Za-z0-9._-]*", r"[A-Z][A-Z0-9_]*"


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all records: no key is optional unless it says so, none is unknown."""


Answer = Annotated[str, one_of("yes", "no", "unknown")]
Count = Annotated[int, Meta(ge=0)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Fraction = Annotated[float, Meta(ge=0, le=1)]
NotNegative = Annotated[float, Meta(ge=0)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Stimulation = Annotated[str, one_of("stimulated", "unstimulated")]
TARGETS = tuple(name for assay in ASSAYS.values() for name in assay.targets)
# What a sub-call, a check or a rule is of: a reagent, or of CD40 a kind of cells.
Reagent = Annotated[str, name_of(f"({NAME}|{CELLS[0]})", *TARGETS, *CELLS)]
Call = Annotated[str, one_of(*CALLS)]
Hypothesis = Annotated[str, one_of("NORMAL", "MOSAIC", "REDUCED", "ABSENT", "FUNCTIONAL_DEFECT", "DISCORDANT")]
Reason = Annotated[str, name_of(CODE, *REASONS)]

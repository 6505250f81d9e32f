"""What the types of a result are made of: the base of all records, and values within their ranges."""

from typing import Annotated

from msgspec import Meta, Struct

from cd40l_flow.assay.cd40l import CD40L


def doc(text: str) -> Meta:
    """Return the description of a key, which enters the JSON Schema and messages."""
    return Meta(description=text)


def one_of(*words: str) -> Meta:
    """Return the constraint to one of several words."""
    # $ alone would also take a line feed.
    return Meta(pattern=f"^({'|'.join(words)})$(?!\n)", extra_json_schema={"enum": list(words)})


# Every code of a reason; the texts of the report say what each means.
REASONS = (
    *CD40L.guard,
    *("FUNCTION_NOT_TESTED", "READOUT_DISCORDANT", "CLONE_DISCORDANT"),
    *("MOSAIC_GREY_ZONE", "REDUCED_VS_MOSAIC", "BETWEEN_LIMITS"),
)


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all records: no key is optional unless it says so, none is unknown."""


Answer = Annotated[str, one_of("yes", "no", "unknown")]
Count = Annotated[int, Meta(ge=0)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Fraction = Annotated[float, Meta(ge=0, le=1)]
NotNegative = Annotated[float, Meta(ge=0)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Stimulation = Annotated[str, one_of("stimulated", "unstimulated")]
Reagent = Annotated[str, one_of(*CD40L.targets)]
Call = Annotated[str, one_of("NORMAL", "REDUCED", "ABSENT", "MOSAIC", "FUNCTIONAL_DEFECT", "INDETERMINATE")]
Hypothesis = Annotated[str, one_of("NORMAL", "MOSAIC", "REDUCED", "ABSENT", "FUNCTIONAL_DEFECT", "DISCORDANT")]
Reason = Annotated[str, one_of(*REASONS)]

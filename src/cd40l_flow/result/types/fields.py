"""What the types of a result are made of: the base of all records, and values within their ranges."""

from typing import Annotated

from msgspec import Meta, Struct

from cd40l_flow.base.model import TARGET_REAGENTS


def doc(text: str) -> Meta:
    """Return the description of a key, which enters the JSON Schema and messages."""
    return Meta(description=text)


def one_of(*words: str) -> Meta:
    """Return the constraint to one of several words."""
    # $ alone would also take a line feed.
    return Meta(pattern=f"^({'|'.join(words)})$(?!\n)", extra_json_schema={"enum": list(words)})


# Every code of a reason; the texts of the report say what each means.
REASONS = (
    *("FILE_INTEGRITY", "CHANNEL_MAP", "NO_COMP", "TUBE_MISSING", "CONTROL_FAILED", "CONTROL_ABSENT"),
    *("ACTIVATION_FAILED", "TOO_FEW_EVENTS", "HIGH_BACKGROUND", "DRUG_CNI", "DRUG_STATUS_UNKNOWN", "STEROID"),
    *("ANTI_CD154", "SAMPLE_AGE", "ANTICOAGULANT", "ACQ_QC", "FIT_UNSTABLE", "ID_CONFLICT", "LOW_SEPARATION"),
    *("FUNCTION_NOT_TESTED", "TUBE_SWAP", "MARKER_SWAP", "REPLICATE_DISCORDANT", "READOUT_DISCORDANT"),
    *("CLONE_DISCORDANT", "MOSAIC_GREY_ZONE", "REDUCED_VS_MOSAIC", "BETWEEN_LIMITS", "REFERENCE_MISMATCH"),
    *("ANALYSIS_FAILED", "STAIN_FAILED", "GAIN_MISMATCH", "CONTROL_DOUBTFUL", "NEGATIVES_DEPENDENT"),
    *("INFANT", "MODEL_MISFIT"),
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
Reagent = Annotated[str, one_of(*TARGET_REAGENTS)]
Call = Annotated[str, one_of("NORMAL", "REDUCED", "ABSENT", "MOSAIC", "FUNCTIONAL_DEFECT", "INDETERMINATE")]
Hypothesis = Annotated[str, one_of("NORMAL", "MOSAIC", "REDUCED", "ABSENT", "FUNCTIONAL_DEFECT", "DISCORDANT")]
Reason = Annotated[str, one_of(*REASONS)]

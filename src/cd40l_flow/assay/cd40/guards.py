"""The guards of the CD40 assay: a row for each, with the calls that it takes away."""

from __future__ import annotations

from cd40l_flow.assay.effects import CD40_ABSENT, CD40_CALLS, CD40_LOW, DISCORDANT, NO_CALLS
from cd40l_flow.assay.tables import GuardRow

_TAKE_EVERY_CALL = (
    *("FILE_INTEGRITY", "ANALYSIS_FAILED", "CHANNEL_MAP", "NO_COMP", "TUBE_MISSING", "REPLICATE_DISCORDANT"),
    *("CONTROL_ABSENT", "CONTROL_FAILED", "TOO_FEW_B", "SAMPLE_AGE", "TUBE_SWAP", "MARKER_SWAP", "GAIN_MISMATCH"),
)
# The calls that hidden CD40 could make.
LOWERED = frozenset({CD40_LOW, CD40_ABSENT, DISCORDANT})
GUARDS = (
    *(GuardRow(code, CD40_CALLS) for code in _TAKE_EVERY_CALL),
    # The drug sits on the epitope that the stain needs.
    GuardRow(
        "ANTI_CD40", LOWERED, answer="anti_cd40",
        message="Therapeutic anti-CD40: {}.",
    ),
    # The median of two kinds of cells describes neither.
    GuardRow("TWO_POPULATIONS", CD40_CALLS),
    # A background that is too high, or a tube without the stain, hides CD40; what is bright all the same has it.
    GuardRow("STAIN_FAILED", LOWERED, warns=True),
    GuardRow("HIGH_BACKGROUND", LOWERED, warns=True),
    # A dim control makes others look bright: a patient with little CD40 beside it would be PRESENT.
    GuardRow("CONTROL_DOUBTFUL", NO_CALLS, warns=True),
    GuardRow("MONOCYTES_NOT_TESTED", NO_CALLS, warns=True),
    GuardRow("HSCT", NO_CALLS, warns=True, answer="transplant", message="Transplant: {}."),
    GuardRow("TRANSFUSION", NO_CALLS, warns=True, answer="transfusion", message="Transfusion: {}."),
    GuardRow("ACQ_QC", NO_CALLS, warns=True),
    GuardRow("ID_CONFLICT", NO_CALLS),
)  # fmt: skip

"""The guards of the CD40 assay: a row for each, with the calls that it takes away."""

from __future__ import annotations

from cd40l_flow.assay.effects import CD40_ABSENT, CD40_CALLS, CD40_LOW, DISCORDANT, NO_CALLS
from cd40l_flow.assay.tables import GuardRow

_TAKE_EVERY_CALL = (
    *("FILE_INTEGRITY", "ANALYSIS_FAILED", "CHANNEL_MAP", "NO_COMP", "TUBE_MISSING", "REPLICATE_DISCORDANT"),
    *("CONTROL_ABSENT", "CONTROL_FAILED", "TOO_FEW_B", "SAMPLE_AGE"),
)
GUARDS = (
    *(GuardRow(code, CD40_CALLS) for code in _TAKE_EVERY_CALL),
    # The drug sits on the epitope that the stain needs.
    GuardRow(
        "ANTI_CD40", frozenset({CD40_LOW, CD40_ABSENT, DISCORDANT}), answer="anti_cd40",
        message="Therapeutic anti-CD40: {}.",
    ),
    # The median of two kinds of cells describes neither.
    GuardRow("TWO_POPULATIONS", CD40_CALLS),
    GuardRow("MONOCYTES_NOT_TESTED", NO_CALLS, warns=True),
    GuardRow("HSCT", NO_CALLS, warns=True, answer="transplant", message="Transplant: {}."),
    GuardRow("TRANSFUSION", NO_CALLS, warns=True, answer="transfusion", message="Transfusion: {}."),
    GuardRow("ACQ_QC", NO_CALLS, warns=True),
    GuardRow("ID_CONFLICT", NO_CALLS),
)  # fmt: skip

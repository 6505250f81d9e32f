"""The guards of the memory B-cell assay: a row for each, with the calls that it takes away."""

from __future__ import annotations

from cd40l_flow.assay.effects import MEMORY_CALLS, NO_CALLS, SWITCHED_FEW, SWITCHED_NORMAL
from cd40l_flow.assay.tables import GuardRow

_TAKE_EVERY_CALL = (
    *("FILE_INTEGRITY", "ANALYSIS_FAILED", "CHANNEL_MAP", "NO_COMP", "TUBE_MISSING", "REPLICATE_DISCORDANT"),
    *("CONTROL_FAILED", "TOO_FEW_B", "B_ABSENT", "SERUM_IG", "LOW_SEPARATION", "FIT_UNSTABLE"),
    "STAIN_FAILED",
)
GUARDS = (
    *(GuardRow(code, MEMORY_CALLS) for code in _TAKE_EVERY_CALL),
    # After depletion memory comes back last, after months.
    GuardRow("ANTI_CD20", MEMORY_CALLS, answer="b_depletion", message="B-cell depletion within 12 months: {}."),
    # CD27 and IgD fall in stored blood: one hides memory, the other makes naive cells look switched.
    GuardRow("SAMPLE_AGE", MEMORY_CALLS),
    GuardRow("AGE_UNKNOWN", SWITCHED_FEW, warns=True),
    # Below the age of the table no call is possible: see decision.b_cells.guards.
    GuardRow("AGE_TOO_YOUNG", SWITCHED_FEW, warns=True),
    # T cells are CD27-bright and IgD-: a doublet adds a switched cell and hides none.
    GuardRow("DOUBLETS", frozenset({SWITCHED_NORMAL}), warns=True),
    # Age is the comparator; a control of the day only shows that stain, wash and compensation were right.
    GuardRow("CONTROL_ABSENT", NO_CALLS, warns=True),
    GuardRow("IGM_ONLY", NO_CALLS, warns=True),
    GuardRow("PLASMABLASTS", NO_CALLS, warns=True),
    GuardRow("HSCT", NO_CALLS, warns=True, answer="transplant", message="Transplant: {}."),
    GuardRow("TRANSFUSION", NO_CALLS, warns=True, answer="transfusion", message="Transfusion: {}."),
    GuardRow("STEROID", NO_CALLS, warns=True, answer="steroid", message="Steroid: {}."),
    GuardRow("ACQ_QC", NO_CALLS, warns=True),
    GuardRow("ID_CONFLICT", NO_CALLS),
)

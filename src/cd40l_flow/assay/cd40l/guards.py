"""The guards of the CD40 ligand assay: a row for each, with the calls that it takes away."""

from __future__ import annotations

from cd40l_flow.assay.effects import (
    ALL_CALLS,
    FUNCTIONAL_DEFECT,
    INFANT_CALLS,
    LOW_CALLS,
    MOSAIC,
    NO_CALLS,
    NORMAL,
    REDUCED,
)
from cd40l_flow.assay.tables import Check, GuardRow

_TAKE_EVERY_CALL = (
    *("FILE_INTEGRITY", "ANALYSIS_FAILED", "CHANNEL_MAP", "NO_COMP", "TUBE_MISSING", "CONTROL_ABSENT"),
    *("CONTROL_FAILED", "ACTIVATION_FAILED", "TOO_FEW_EVENTS", "FIT_UNSTABLE", "LOW_SEPARATION"),
    *("TUBE_SWAP", "MARKER_SWAP"),
    # Of two tubes that differ it is unknown which is right; pooled, they form an artificial mixture.
    "REPLICATE_DISCORDANT",
    # What the histogram alone cannot show.
    *("STAIN_FAILED", "GAIN_MISMATCH", "CONTROL_DOUBTFUL"),
)
GUARDS = (
    *(GuardRow(code, ALL_CALLS) for code in _TAKE_EVERY_CALL),
    # Cells hidden by a high background look like cells that lack the target or do not bind.
    GuardRow(
        "HIGH_BACKGROUND",
        LOW_CALLS | {FUNCTIONAL_DEFECT},
        check=Check(
            "unstimulated_percent_positive", "unstimulated_cd154_max", "%",
            "Unstimulated CD3+CD8- cells above the threshold.", if_known=True,
        ),
    ),
    # It stops cells one by one, so that healthy cells under a part of the dose look like a mosaic.
    GuardRow(
        "DRUG_CNI", LOW_CALLS | {MOSAIC}, answer="calcineurin_inhibitor", message="Calcineurin inhibitor: {}."
    ),
    GuardRow(
        "DRUG_STATUS_UNKNOWN", LOW_CALLS, answer="calcineurin_inhibitor", if_unknown=True,
        message="Calcineurin inhibitor: {}.",
    ),
    GuardRow("STEROID", LOW_CALLS, answer="steroid", message="Steroid: {}."),
    # A therapeutic antibody can cover one clone's epitope, or the site that CD40 binds.
    GuardRow("ANTI_CD154", LOW_CALLS | {FUNCTIONAL_DEFECT}, answer="anti_cd154", message="Therapeutic anti-CD154: {}."),
    GuardRow("SAMPLE_AGE", NO_CALLS, warns=True),
    # EDTA and citrate bind the calcium that CD154 needs, in some cells more than in others; CD69 rises all the same.
    GuardRow("ANTICOAGULANT", LOW_CALLS | {FUNCTIONAL_DEFECT, MOSAIC}, warns=True),
    GuardRow("ACQ_QC", NO_CALLS, warns=True),
    GuardRow("ID_CONFLICT", NO_CALLS),
    GuardRow("REFERENCE_MISMATCH", NO_CALLS, warns=True),
    # Cells that were stimulated less, or are no CD4 cells, look like cells without the target.
    GuardRow("NEGATIVES_DEPENDENT", frozenset({MOSAIC, REDUCED})),
    # Expression is low at birth and rises for years: lower fractions and levels are normal in an infant.
    GuardRow("INFANT", INFANT_CALLS),
    # The law of one kind does not fit two kinds of expressing cells.
    GuardRow("MODEL_MISFIT", frozenset({NORMAL})),
    # A mixture without a background tube is coarser than the fit that it is compared with.
    GuardRow("SECOND_OPINION", NO_CALLS),
)  # fmt: skip

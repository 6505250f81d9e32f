"""The assay of X-linked hyper-IgM syndrome as tables: CD154, and binding of CD40-Ig, on activated CD4+ T cells.

A new reagent, gate, guard or column is a row here; CONTRIBUTING.md shows one of each.
"""

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
from cd40l_flow.assay.rules import ALIKE, CALLS, FUNCTIONAL, RULES
from cd40l_flow.assay.tables import EXPRESSION, FUNCTION, TARGET, Assay, Check, Gate, GuardRow, Marker, Reagent

CD154, CLONE_2, CD40_IG = "CD154", "CD154-2", "CD40-Ig"
_CD154 = r"CD154[a-e]?|CD40[ _/-]?L(?:G|igand)?"
_CD40_IG = r"CD40[ _/-]?(?:mu|hu|m|h)?[ _-]?(?:IgG?|Fc)\d?[a-c]?"
_OF_CD154 = ("isotype", "FMO")

REAGENTS = (
    Reagent(
        CD154, _CD154, _OF_CD154, EXPRESSION, "cd154", "control_positive_min",
        loinc=("98240-5", "CD154 cells [Presence] in T cells"),
    ),
    Reagent(
        CLONE_2, _CD154, _OF_CD154, EXPRESSION, "cd154_2", "control_positive_min", "CD154 (clone 2)", expected=False
    ),
    Reagent(
        CD40_IG, _CD40_IG, ("secondary",), FUNCTION, "cd40ig", "control_cd40ig_positive_min",
        loinc=("98241-3", "CD154 function (binding to CD40) [Presence] in T cells"),
    ),
    Reagent("isotype"),
    Reagent("FMO"),
    Reagent("secondary"),
)  # fmt: skip

MARKERS = (
    Marker("CD3", "T cells", "CD3[a-e]?", required=True, time_qc=True),
    Marker("CD8", "cytotoxic T cells, which the assay leaves out", "CD8[a-e]?", required=True, time_qc=True),
    Marker("CD69", "activation", "CD69[a-e]?", required=True, time_qc=True),
    Marker(TARGET, "CD154 or the CD40-Ig that cells have bound", required=True),
    Marker("viability", "the dye that dead cells take up", time_qc=True),
    Marker("CD4", "gated on only where the configuration asks for it: PMA takes it off", "CD4[a-e]?", time_qc=True),
    # Nothing is gated on CD45 and it may well be stained twice, so its label is not looked for.
    # "CD45 RA" with a space is the isoform, not the pan-leukocyte marker.
    Marker("CD45", "leukocytes, shown only", r"CD45[a-e]?(?![ _/-]?R(?:[ABCO]|[^A-Za-z0-9]|$))", by_label=False),
)

TIME, LYMPHOCYTES, SINGLETS, VIABLE = "time", "lymphocytes", "singlets", "viable"
CD3_POSITIVE, CD8_NEGATIVE, CD8_POSITIVE, ACTIVATED = "CD3+", "CD3+CD8-", "CD3+CD8+", "CD3+CD8-CD69+"
CD4_POSITIVE = "CD3+CD8-CD4+"

GATES = (
    Gate(TIME, "time", ("time_low", "time_high"), unit="seconds"),
    Gate(LYMPHOCYTES, "scatter", ("lymph_fsc_low", "lymph_fsc_high", "lymph_ssc_low", "lymph_ssc_high")),
    Gate(
        SINGLETS, "singlets", ("singlet_low", "singlet_high"), unit="ratio", warn=(LYMPHOCYTES, "singlets_warn_percent")
    ),
    Gate(
        VIABLE, "viability", ("viability_high",), "viability", keep="below", stained="any", from_control=True,
        distance="viability_distance_max", warn=(SINGLETS, "viable_warn_percent"),
    ),
    Gate(
        CD3_POSITIVE, "cd3", ("cd3_low",), "CD3", from_control=True, distance="cd3_distance_max",
        warn=(LYMPHOCYTES, "cd3_warn_percent"),
    ),
    Gate(
        CD8_NEGATIVE, "cd8", ("cd8_high",), "CD8", keep="below", others=CD8_POSITIVE, from_control=True,
        distance="cd8_distance_max",
    ),
    # For assays that leave CD4 on the surface; it is then the parent of CD69+.
    Gate(
        CD4_POSITIVE, "positive", ("cd4_low",), "CD4", only_if="cd4_gate", from_control=True,
        distance="cd4_distance_max",
    ),
    Gate(ACTIVATED, "cd69", ("cd69_low",), "CD69", from_control=True, distance="cd69_distance_max"),
)  # fmt: skip

_TAKE_EVERY_CALL = (
    *("FILE_INTEGRITY", "ANALYSIS_FAILED", "CHANNEL_MAP", "NO_COMP", "TUBE_MISSING", "CONTROL_ABSENT"),
    *("CONTROL_FAILED", "ACTIVATION_FAILED", "TOO_FEW_EVENTS", "FIT_UNSTABLE", "LOW_SEPARATION"),
    *("TUBE_SWAP", "MARKER_SWAP"),
    # It is not known which of two tubes that differ is right, and together they are a mixture that nobody has.
    "REPLICATE_DISCORDANT",
    # What the histogram alone cannot tell.
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
    GuardRow("DRUG_CNI", LOW_CALLS, answer="calcineurin_inhibitor", message="Calcineurin inhibitor: {}."),
    GuardRow(
        "DRUG_STATUS_UNKNOWN", LOW_CALLS, answer="calcineurin_inhibitor", if_unknown=True,
        message="Calcineurin inhibitor: {}.",
    ),
    GuardRow("STEROID", LOW_CALLS, answer="steroid", message="Steroid: {}."),
    # A therapeutic antibody can cover one clone's epitope, or the site that CD40 binds.
    GuardRow("ANTI_CD154", LOW_CALLS | {FUNCTIONAL_DEFECT}, answer="anti_cd154", message="Therapeutic anti-CD154: {}."),
    GuardRow("SAMPLE_AGE", NO_CALLS, warns=True),
    # EDTA and citrate bind the calcium that CD154 needs while CD69 comes up all the same.
    GuardRow("ANTICOAGULANT", LOW_CALLS | {FUNCTIONAL_DEFECT}, warns=True),
    GuardRow("ACQ_QC", NO_CALLS, warns=True),
    GuardRow("ID_CONFLICT", NO_CALLS),
    GuardRow("REFERENCE_MISMATCH", NO_CALLS, warns=True),
    # Cells that were stimulated less, or are no CD4 cells, look like cells without the target.
    GuardRow("NEGATIVES_DEPENDENT", frozenset({MOSAIC, REDUCED})),
    # Expression is low at birth and rises for years: lower fractions and levels are an infant's own.
    GuardRow("INFANT", INFANT_CALLS),
    # Two kinds of expressing cells are one that the law does not fit.
    GuardRow("MODEL_MISFIT", frozenset({NORMAL})),
    # A mixture without a background tube is coarser than the fit that it is held against.
    GuardRow("SECOND_OPINION", NO_CALLS),
)  # fmt: skip

MEASURES = {
    "share": (
        *("events", "percent_positive", "relative_positive", "negative_fraction", "gmm_negative_fraction"),
        *("gmm_components", "mutant_fraction", "lob", "lod", "limit_counting", "limit_with_healthy_spread"),
        *("bright_events", "unstimulated_percent_positive"),
    ),
    "brightness": (
        *("mfi_positive", "mfi_ratio", "mfi_all", "mfi_all_ratio", "mfi_background", "stain_index", "threshold"),
    ),
    "odds": ("normal_odds", "mosaic_odds", "reduced_odds", "absent_odds"),
    "fit": (
        *("separation", "shift", "valley", "dip_p", "agreement", "residual_kept", "shape_distance", "overdispersion"),
        *("negatives_by_cd69", "negatives_by_cd3", "margin_events", "borrowed", "goodness", "misplaced"),
        *("model_error", "background_shift", "linear_width_ratio"),
    ),
    "secondary": (
        *("ks_background", "ks_control", "overton_background", "overton_control", "recovery", "drawn_detected"),
    ),
}
_SUMMARY = (
    *("percent_positive", "percent_positive_low", "percent_positive_high", "mfi_positive", "mfi_ratio"),
    *("relative_positive", "negative_fraction", "negative_fraction_low", "negative_fraction_high"),
    *("mutant_fraction", "mutant_fraction_low", "mutant_fraction_high", "separation"),
)
_SECOND_OPINION = ("gmm_negative_fraction", "gmm_components")
# New columns stand at the end: what reads the table by position goes on as it did.
SUMMARY = (
    *((CD154, measure) for measure in _SUMMARY),
    *((CD40_IG, measure) for measure in _SUMMARY),
    *((reagent, measure) for reagent in (CD154, CD40_IG) for measure in _SECOND_OPINION),
    *((CLONE_2, measure) for measure in ("call", *_SUMMARY)),
)

CD40L = Assay(REAGENTS, MARKERS, GATES, GUARDS, RULES, FUNCTIONAL, ALIKE, CALLS, MEASURES, SUMMARY)

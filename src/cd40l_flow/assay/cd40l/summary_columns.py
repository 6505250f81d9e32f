"""The measures of the CD40 ligand assay by kind, and the columns that they have in ``summary.tsv``."""

from __future__ import annotations

from cd40l_flow.assay.cd40l.reagents import CD40_IG, CD154, CLONE_2

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
# New columns are added at the end, so that readers by position keep working.
SUMMARY = (
    *((CD154, measure) for measure in _SUMMARY),
    *((CD40_IG, measure) for measure in _SUMMARY),
    *((reagent, measure) for reagent in (CD154, CD40_IG) for measure in _SECOND_OPINION),
    *((CLONE_2, measure) for measure in ("call", *_SUMMARY)),
)

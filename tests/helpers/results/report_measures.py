"""Plausible measures of a reagent for the tests of what is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helpers.results.report_samples import Scenario


def measures_of(scenario: Scenario, reagent: str) -> dict[str, Any]:
    """Return the measures of a reagent as ``result.json`` has them."""
    negative = scenario.negative[reagent]
    positive = 100 * (1 - negative) * (1.0 if scenario.level[reagent] > 0.4 else 0.02)
    control = scenario.role == "control"
    mutant = max(0.0, 1 - (1 - negative) / 0.92)
    number = 1 if reagent == "CD154" else 2
    return {
        "tubes": [f"{scenario.sample}_{number}.fcs"],
        "background": {"source": "isotype" if number == 1 else "secondary", "tubes": [f"{scenario.sample}_3.fcs"]},
        "detector": "PE-A",
        "events": scenario.activated,
        "percent_positive": positive,
        "percent_positive_low": max(positive - 1.3, 0.0),
        "percent_positive_high": min(positive + 1.3, 100.0),
        "threshold": 812.4,
        "threshold_source": "99th percentile of the isotype tube",
        "mfi_all": 8210.0,
        "mfi_all_low": 8050.0,
        "mfi_all_high": 8370.0,
        "mfi_positive_low": 8990.0,
        "mfi_positive_high": 9251.0,
        "mfi_positive": 9120.5,
        "mfi_background": 141.2,
        "mfi_ratio": None if control else 0.97,
        "mfi_all_ratio": None if control else 0.94,
        "relative_positive": None if control else positive / 92,
        "negative_fraction": negative,
        "negative_fraction_low": max(negative - 0.02, 0.0),
        "negative_fraction_high": min(negative + 0.02, 1.0),
        "mutant_fraction": None if control else mutant,
        "mutant_fraction_low": None if control else max(mutant - 0.03, 0.0),
        "mutant_fraction_high": None if control else min(mutant + 0.03, 1.0),
        "separation": 5.61,
        "stain_index": 12.4,
        "lob": 0.07,
        "lod": 0.12,
        "shift": 0.08,
        "valley": None,
        "dip_p": 0.00002,
        "converged": True,
        "borrowed": 0.1,
        "goodness": 0.4,
        "misplaced": 0.004,
        "gmm_negative_fraction": round(negative, 3),
        "gmm_components": 2,
        "model_error": 0.002,
        "at_bound": [],
        "margin_events": 0,
        "unstimulated_percent_positive": 0.4,
        "background_shift": 0.1,
        "linear_width_ratio": 1.9,
        "bright_events": 1200.0,
        "mfi_ratio_low": None if control else 0.94,
        "mfi_ratio_high": None if control else 1.0,
        "mfi_all_ratio_low": None if control else 0.91,
        "mfi_all_ratio_high": None if control else 0.97,
        "relative_positive_low": None if control else max(positive / 92 - 0.02, 0.0),
        "relative_positive_high": None if control else positive / 92 + 0.02,
        "mutant_error": None if control else 0.008,
        "normal_odds": None if control else 7.4,
        "mosaic_odds": None if control else -7.4,
        "reduced_odds": None if control else -9.8,
        "absent_odds": None if control else -30.2,
        "residual_kept": None,
        "shape_distance": None if control else 0.3,
        "overdispersion": None if control else 1.04,
        "negatives_by_cd69": 0.05,
        "negatives_by_cd69_error": 0.08,
        "negatives_by_cd3": -0.06,
        "negatives_by_cd3_error": 0.08,
        "agreement": 0.3,
        "ks_background": 0.9,
        "ks_control": None if control else 0.04,
        "overton_background": 0.9,
        "overton_control": None if control else 0.01,
        "titration": None
        if control
        else {
            "limit_counting": 0.03,
            "limit_with_healthy_spread": 0.125,
            "bias": 0.0002,
            "recovery": 1.01,
            "drawn_detected": 0.94,
            "drawn_error": 1.02,
        },
    }

"""The limits of the guards: what must hold before a call is made."""

from typing import Annotated

from msgspec import Struct

from cd40l_flow.assay.limit import limit

# fmt: off


class GuardLimits(Struct, frozen=True):
    """Conditions a sample, its control and the run must meet before a call is made."""

    activated_min: Annotated[int, limit(
        "Activated events below which no call is made (TOO_FEW_EVENTS).", "CD3+CD8-CD69+ events",
        source="default, not validated; with fewer cells the odds decide", ge=1)] = 200
    activated_mosaic: Annotated[int, limit(
        "Activated events below which a mosaic needs wider limits, as the report states.", "CD3+CD8-CD69+ events",
        ge=1)] = 2000
    minor_quantify: Annotated[int, limit(
        "Events a minor population needs for its share to be stated.", "events",
        source="default, not validated (counting error 14 %)", ge=1)] = 50
    minor_mention: Annotated[int, limit(
        "Events a minor population needs to be mentioned.", "events",
        source="default, not validated (counting error 22 %)", ge=1)] = 20
    cd69_percent_min: Annotated[float, limit(
        "CD69+ cells of the stimulated tube below which activation has failed (ACTIVATION_FAILED).",
        "percent of CD3+CD8- cells", source="default, not validated; no published limit was found", ge=0, le=100)] = 70
    cd69_of_control_min: Annotated[float, limit(
        "The same, relative to the controls of the run (ACTIVATION_FAILED).", "fraction of the controls'", ge=0,
        le=1)] = 0.8
    cd69_level_of_control_min: Annotated[float, limit(
        "CD69 median of stimulated CD3+CD8- cells relative to the controls', below which a mosaic whose negatives "
        "depend on CD69 stays open (NEGATIVES_DEPENDENT).", "fraction of the controls'",
        source="failed stimulation of healthy people 0.07 to 0.3, weakly stimulated carriers 0.4 to 0.6, in two "
        "simulations; default, not validated", ge=0, le=1)] = 0.33
    cd69_control_min: Annotated[float, limit(
        "CD69+ cells of a control's stimulated tube below which the control has failed (CONTROL_FAILED).",
        "percent of CD3+CD8- cells", source="default, not validated; no published limit was found", ge=0, le=100)] = 80
    cd69_unstimulated_max: Annotated[float, limit(
        "CD69+ cells of the unstimulated tube above which the cells were active before stimulation or the tubes were "
        "exchanged.", "percent of CD3+CD8- cells",
        source="default, not validated (resting T cells: below 5 to 10 %, PMC170336)", ge=0, le=100)] = 20
    cd69_median_ratio_min: Annotated[float, limit(
        "Median CD69 fluorescence, stimulated over unstimulated, below which activation has failed "
        "(ACTIVATION_FAILED).", "ratio", ge=1)] = 3
    control_positive_min: Annotated[float, limit(
        "CD154-positive cells of a control below which it has failed (CONTROL_FAILED).", "percent of activated cells",
        source="default, not validated (healthy donors: about 90 %, O'Gorman 1997, PMID 9344700)", ge=0, le=100)] = 75
    control_cd40ig_positive_min: Annotated[float, limit(
        "CD40-Ig-positive cells of a control below which its CD40-Ig readout has failed (CONTROL_FAILED).",
        "percent of activated cells", ge=0, le=100)] = 60
    control_difference_max: Annotated[float, limit(
        "Difference between the positive fractions of a sample's controls above which they contradict each other "
        "(CONTROL_FAILED).", "fraction of activated cells", ge=0, le=1)] = 0.15
    control_ratio_max: Annotated[float, limit(
        "Median fluorescence less background of the brighter of those controls over the dimmer, above which they "
        "contradict each other (CONTROL_FAILED).", "ratio", ge=1,
        source="exp(2.65 x sqrt 2 x 0.24): healthy people, whose ln level has an SD of 0.24 (level_sd), are as seldom "
        "so far apart as they are in the positive fraction by control_difference_max")] = 2.5
    replicate_points_max: Annotated[float, limit(
        "Difference of a gate's percent of its parent, CD69+ among them, between two tubes to be pooled, above which "
        "they contradict each other (REPLICATE_DISCORDANT), beyond counting error.", "percentage points", le=100,
        gt=0)] = 8
    replicate_level_max: Annotated[float, limit(
        "How much brighter CD69, or the target as a whole, may be in one of two tubes to be pooled than in the other "
        "(REPLICATE_DISCORDANT), beyond counting error.", "percent of the dimmer one", gt=0)] = 20
    replicate_distance_max: Annotated[float, limit(
        "Distance of the target's distributions in two tubes to be pooled, corrected for brightness, above which they "
        "hold different mixtures of cells (REPLICATE_DISCORDANT), beyond counting error.",
        "fraction of the cells (Kolmogorov and Smirnov's D)", le=1, gt=0)] = 0.05
    unstimulated_cd154_max: Annotated[float, limit(
        "CD154-positive cells of the unstimulated tube above which the background is too high (HIGH_BACKGROUND).",
        "percent of CD3+CD8- cells", ge=0, le=100)] = 5
    background_shift_max: Annotated[float, limit(
        "Shift of the stimulated background's median against the unstimulated tube above which the background is too "
        "high (HIGH_BACKGROUND).", "robust SD of the background", ge=0)] = 0.5
    cd8_percent_min: Annotated[float, limit(
        "CD8+ cells below which they may not have been stained: then neither MOSAIC nor REDUCED is called "
        "(MARKER_SWAP).", "percent of CD3+ cells",
        source="healthy people have 15 to 45; default, not validated", ge=0, le=100)] = 1
    gain_ratio_max: Annotated[float, limit(
        "Ratio of the detector's voltage to the controls', either way, above which their levels cannot be compared "
        "(GAIN_MISMATCH).", "ratio", source="1 % of the volts is 7 % of the gain; default, not validated", gt=1)] = 1.01
    background_ratio_max: Annotated[float, limit(
        "Ratio of the background's width to the controls', above which it may hide cells (HIGH_BACKGROUND), and "
        "beyond which, either way, another voltage is likely if files state none (GAIN_MISMATCH).",
        "ratio of robust SD", gt=1)] = 1.8
    stain_shift_min: Annotated[float, limit(
        "How far below its background a sample's cells may lie; lower cells were not stained (STAIN_FAILED).",
        "robust SD of the background",
        source="unstained tubes lie 0.7 to 0.9 below, truly absent ones at 0, in simulations; default, not validated",
        le=0)] = -0.45
    dependence_max: Annotated[float, limit(
        "How much likelier cells in the lower than in the upper third of CD69 or CD3 may be negative in a MOSAIC, "
        "either way (NEGATIVES_DEPENDENT).", "natural logarithm of the odds ratio",
        source="weak stimulation 1.3 to 1.7 with CD69, gamma-delta T cells -2.2 to -3.0 with CD3, mosaics about 0, in "
        "simulations; default, not validated", gt=0)] = 0.6
    control_valley_max: Annotated[float, limit(
        "Depth of a valley between two peaks of a control's expressing cells above which it is no healthy control "
        "(MODEL_MISFIT of the control, CONTROL_FAILED of its samples; four standard errors at least).",
        "fraction of the lower peak",
        source="0.25 in a carrier of a residual allele, at most 0.1 in healthy people of two independent simulations; "
        "default, not validated", ge=0, le=1)] = 0.15
    bound_without_cd154_max: Annotated[float, limit(
        "Cells that lack CD154 and yet bind CD40-Ig, above which Fc receptors hold it (HIGH_BACKGROUND, without NORMAL "
        "and REDUCED): the lower end of the interval of one negative fraction less the upper end of the other.",
        "fraction of activated cells",
        source="0.04 to 0.11 where they do; of other simulated samples one weak expresser with a dim CD40-Ig has 0.06, "
        "the others at most 0.01; default, not validated",
        ge=0, le=1)] = 0.03
    misfit_max: Annotated[float, limit(
        "Share of cells that the fit may misplace, beyond chance (MODEL_MISFIT).", "fraction of activated cells",
        source="at most 0.027 in titrations of real cells (benchmarks/real.md) and 0.024 in simulated families; "
        "default, not validated", ge=0, le=1)] = 0.04
    second_opinion_max: Annotated[float, limit(
        "How far the negative fraction of the free Gaussian mixture may lie from the fit's, beyond counting error and "
        "overlap (SECOND_OPINION).", "fraction of activated cells", source="at most 0.019 in 690 simulated reagents "
        "and 0.040 in 144 titrations of real cells; default, not validated", ge=0, le=1)] = 0.05
    separation_min: Annotated[float, limit(
        "Distance between expressing and not expressing cells of the control below which they cannot be separated in "
        "this run (LOW_SEPARATION).", "Ashman's D", source="below it no call reaches its odds, in simulations (8,000 "
        "cells at D 1.5: ln odds 4 to 14); default, not validated for this assay", ge=0)] = 1.2
    residue_max: Annotated[float, limit(
        "Largest change of the target with CD69 in CD69+ negative cells, beyond which the compensation is wrong "
        "(NO_COMP).", "robust SD", gt=0)] = 1.5
    borrowed_separation_min: Annotated[float, limit(
        "Distance between the fitted expressing and not expressing cells of a sample below which no share of them is "
        "reported with a borrowed background, which may be shifted against the negative cells.", "Ashman's D",
        source="dim cells count as expressing up to D 2.2, in simulations (benchmarks/tube_sets.md); default, not "
        "validated", ge=0)] = 3
    borrowed_shift_max: Annotated[float, limit(
        "How far from a borrowed background the negative cells may lie for their share to be reported.",
        "robust SD of the background",
        source="the standard deviation that the fit allows a borrowed background; default, not validated", ge=0)] = 0.6
    borrowed_misplaced_max: Annotated[float, limit(
        "Share of cells that a fit with a borrowed background may misplace for its fraction to be reported.",
        "fraction", ge=0, le=1)] = 0.05
    fit_interval_max: Annotated[float, limit(
        "Width of the 95 % interval of the negative fraction above which percents positive are used in its place.",
        "fraction", le=1, gt=0)] = 0.3
    collected_warn_h: Annotated[float, limit(
        "Time from collection to stimulation above which the sample gets a warning (SAMPLE_AGE).", "hours",
        source="Mayo XHIM and Cincinnati 660973: within 24 h; Oxford: within 8 h", ge=0)] = 24
    collected_max_h: Annotated[float, limit(
        "Time from collection to stimulation above which no call is made (SAMPLE_AGE).", "hours",
        source="Mayo XHIM: refused after 72 h", ge=0)] = 72
    anticoagulants: Annotated[tuple[str, ...], limit(
        "Anticoagulants that CD154 can be expressed in; any other that the sheet names excludes ABSENT, REDUCED and "
        "FUNCTIONAL_DEFECT (ANTICOAGULANT), since EDTA and citrate bind the calcium it needs.", "names, case aside",
        source="Mayo XHIM and Cincinnati 660973 ask for sodium "
        "heparin; Mayo refuses lithium heparin")] = ("heparin", "Na-heparin", "sodium heparin")

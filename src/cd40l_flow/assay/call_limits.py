"""The limits of the calls, of the mixture and its odds, and of the control charts."""

from typing import Annotated

from msgspec import Struct

from cd40l_flow.assay.limit import limit

# fmt: off


class CallLimits(Struct, frozen=True):
    """Conditions of the calls. Positive fractions are of activated cells; relative and level are over the controls of
    the run.
    """

    normal_level_min: Annotated[float, limit(
        "Median fluorescence less background, over the controls', that NORMAL needs.", "fraction of the controls'",
        ge=0)] = 0.5
    absent_positive_max: Annotated[float, limit(
        "Upper end of the 95 % interval of the positive cells that ABSENT allows.", "fraction of activated cells",
        source="default, not validated (affected males: 0.03 to 5 %, PMID 9344700)", ge=0, le=1)] = 0.1
    minor_fraction_min: Annotated[float, limit(
        "Share of expressing cells from which they form a population, as MOSAIC needs.", "fraction of activated cells",
        ge=0, le=1)] = 0.02
    functional_ratio_max: Annotated[float, limit(
        "Upper end of the 95 % interval of CD40-Ig over CD154 (each as MFI of all activated cells over the controls') "
        "that FUNCTIONAL_DEFECT allows.", "ratio", source="at most 0.12 without binding, in simulations; default, not "
        "validated (the pattern itself: Seyama 1998)", ge=0)] = 0.2
    binding_ratio_min: Annotated[float, limit(
        "The same ratio below which the two readouts disagree (READOUT_DISCORDANT).", "ratio",
        source="at least 0.55 where both are reduced alike, in simulations down to D of 1.8; default, not validated",
        ge=0)] = 0.5
    normal_shape_max: Annotated[float, limit(
        "How far the spread of the signal may lie from the control's in NORMAL; two kinds of expressing cells are "
        "wider than one.", "standard deviations between people (shape_spread_sd)",
        source="residual alleles lie at 2 to 12, clean samples within 0.6, in simulations; default, not validated",
        gt=0)] = 4
    reduced_level_max: Annotated[float, limit(
        "Median fluorescence less background over the controls' below which expression is REDUCED.",
        "fraction of the controls'", ge=0)] = 0.5
    infant_age_years: Annotated[float, limit(
        "Age below which, with older controls, neither MOSAIC nor REDUCED is called, and ABSENT carries a note "
        "(INFANT).", "years", source="expression is low at birth and rises for years (Brugnoni 1996, 97 subjects), "
        "reports on newborns contradict each other; default, not validated", ge=0)] = 2


class MixtureLimits(Struct, frozen=True):
    """The mixture of expressing and not expressing cells."""

    bins: Annotated[int, limit(
        "Resolution of the fit.", "bins of the scale", source="numerical setting", ge=64, le=4096)] = 512
    background_quantile: Annotated[float, limit(
        "Quantile of the background above which a cell counts as positive.", "fraction of the background", ge=0.9,
        le=0.9999)] = 0.99
    shift_max: Annotated[float, limit(
        "How far the fit may move the negative component from the background tube.", "robust SD of the background",
        ge=0)] = 1.0
    shape_spread_sd: Annotated[float, limit(
        "How much the spread of the expressing cells' signal differs between a sample and its control, as a standard "
        "deviation.", "natural logarithm of the spread",
        source="intervals hold at differences of 0.1 (benchmarks/mixture.md); default, not validated", ge=0,
        le=1)] = 0.07
    shape_skew_sd: Annotated[float, limit(
        "How much the skewness of the logarithm of that signal differs between a sample and its control, as a "
        "standard deviation.", "skewness",
        source="intervals hold at differences of 0.3 (benchmarks/mixture.md); default, not validated", ge=0,
        le=1)] = 0.15
    healthy_negative_sd: Annotated[float, limit(
        "Standard deviation of the negative fraction among healthy donors, from which the limits of detection follow; "
        "replace it by the laboratory's own.", "fraction of activated cells", source="default, not validated (real "
        "stimulated cells were 77 to 81 % positive; no published value of the spread was found)", ge=0, le=0.5)] = 0.04
    lob_z: Annotated[float, limit(
        "Limit of blank of the mutant fraction: 1 % of healthy donors exceed it.", "standard errors",
        source="normal quantile", ge=0)] = 2.33
    lod_z: Annotated[float, limit(
        "From the limit of blank to the limit of detection: 5 % of mosaics at that fraction are missed.",
        "standard errors", source="normal quantile", ge=0)] = 1.645


class OddsLimits(Struct, frozen=True):
    """Prior knowledge about people, and the odds that a call needs."""

    call_odds: Annotated[float, limit(
        "Odds against all other explanations together that a call needs.", "odds to 1", ge=1)] = 100
    level_sd: Annotated[float, limit(
        "Standard deviation of the level of expression among healthy people; with k controls a sample differs by "
        "sqrt(1 + 1/k) of it.", "natural logarithm", source="no published value was found; default, not validated",
        le=2, gt=0)] = 0.24
    reduced_level: Annotated[float, limit(
        "Level of reduced expression over the controls', expected median.", "fraction of the controls'",
        source="default, not validated (residual alleles keep a fifth to two fifths)", gt=0, lt=1)] = 0.3
    reduced_level_sd: Annotated[float, limit(
        "Standard deviation of that level among patients; that of the controls is added.", "natural logarithm",
        source="default, not validated (a fifth to two fifths)", le=2, gt=0)] = 0.25
    residual_level: Annotated[float, limit(
        "Level of mutant cells of a residual allele, expected median.", "fraction of the other cells'",
        source="default, not validated (a fifth to two fifths)", gt=0, lt=1)] = 0.25
    residual_level_sd: Annotated[float, limit(
        "Standard deviation of that level.", "natural logarithm", le=2, gt=0)] = 0.35
    healthy_negative: Annotated[float, limit(
        "Negative fraction of healthy donors in most laboratories; the controls show that of this run.",
        "fraction of activated cells",
        source="about 90 % CD154+ (O'Gorman 1997, PMID 9344700); the laboratory's own mean replaces it", ge=0,
        le=0.5)] = 0.1
    healthy_negative_mean_sd: Annotated[float, limit(
        "Standard deviation of that fraction between laboratories; the laboratory's own limits replace it.",
        "fraction of activated cells", le=0.5, gt=0)] = 0.05
    smallest_mosaic: Annotated[float, limit(
        "Mutant fraction from which NORMAL must exclude a mosaic, unless the limit of blank is smaller.",
        "fraction of activated cells",
        source="a carrier with 78 % positive cells (O'Gorman 1997, PMID 9344700) over a control of 90 %", ge=0.02,
        le=0.5)] = 0.13
    discordant_odds: Annotated[float, limit(
        "Prior odds that the reagents of one blood show one kind of cells.", "odds to 1", ge=1)] = 3000


class ReferenceLimits(Struct, frozen=True):
    """How the laboratory's own limits (the key reference above) are used."""

    fewest_controls: Annotated[int, limit(
        "Healthy controls below which the laboratory's limits are provisional: control charts only warn, and the "
        "spread of healthy donors is at least `healthy_negative_sd`.", "controls", ge=2)] = 20
    healthy_negative_sd_min: Annotated[float, limit(
        "Lower bound of the standard deviation of the healthy negative fraction, however little the laboratory's "
        "controls differ.", "fraction of activated cells", ge=0, le=0.5)] = 0.01
    level_sd_min: Annotated[float, limit(
        "Lower bound of the standard deviation of the healthy level of expression, however little the controls of a "
        "run differ.", "natural logarithm", ge=0, le=1)] = 0.1
    chart_warn_sd: Annotated[float, limit(
        "Distance of a control from the mean of the laboratory's controls above which it gets a warning.",
        "standard deviations", source="customary in Levey-Jennings charts; default, not validated", gt=0)] = 2
    chart_fail_sd: Annotated[float, limit(
        "Distance of a control from the mean of the laboratory's controls above which it has failed (CONTROL_FAILED).",
        "standard deviations", source="customary in Levey-Jennings charts; default, not validated", gt=0)] = 3

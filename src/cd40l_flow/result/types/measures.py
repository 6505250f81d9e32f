"""What was measured with one reagent."""

from typing import Annotated

from msgspec import Meta

from cd40l_flow.base.records import Count, Fraction, NotNegative, Percent, Record, doc


class Background(Record, frozen=True):
    """What the negative component was fixed by."""

    source: Annotated[str, doc("In words.")]
    tubes: Annotated[list[str], doc("Tubes used.")]


class Detection(Record, frozen=True):
    """Limits of detection of the run at this sample's number of cells."""

    limit_counting: Annotated[
        Fraction | None, doc("Smallest mutant fraction detected with 95 % power by counting and overlap alone.")
    ]
    limit_with_healthy_spread: Annotated[
        Fraction | None, doc("The same with the differences between healthy people, which decide.")
    ]
    bias: Annotated[float | None, doc("Recovered less true fraction at limit_counting.")]
    recovery: Annotated[float | None, doc("Recovered over true fraction at limit_counting.")]
    drawn_detected: Annotated[
        Fraction | None, doc("Share of seeded draws at the limit that were detected; 0.95 when all is as computed.")
    ]
    drawn_error: Annotated[
        NotNegative | None, doc("Standard deviation of the drawn fractions over the computed error.")
    ]


class Measures(Record, frozen=True):
    """Everything measured of one reagent on CD3+CD8-CD69+ cells; any number may be null."""

    tubes: Annotated[list[str], doc("Stimulated tubes pooled.")]
    background: Annotated[
        Background | None, doc("What the negative component was fixed by; null when there was nothing.")
    ]
    detector: Annotated[str | None, doc("Detector of the target.")]
    events: Annotated[Count | None, doc("Activated cells measured.")]
    percent_positive: Annotated[float | None, doc("Above the threshold, background-corrected, 0 to 100.")]
    percent_positive_low: Annotated[float | None, doc("Lower 95 % limit.")]
    percent_positive_high: Annotated[float | None, doc("Upper 95 % limit.")]
    threshold: Annotated[float | None, doc("Compensated linear channel units.")]
    threshold_source: Annotated[str | None, doc("Where the threshold came from.")]
    mfi_all: Annotated[float | None, doc("Median of all activated cells, linear.")]
    mfi_positive: Annotated[float | None, doc("Median of the positives, linear.")]
    mfi_background: Annotated[float | None, doc("Median of the background, linear.")]
    mfi_ratio: Annotated[float | None, doc("Positives less background, over the controls'.")]
    mfi_all_ratio: Annotated[float | None, doc("All less background, over the controls'.")]
    relative_positive: Annotated[
        float | None,
        doc("Positive fraction over the controls': of the fits where they are usable, else of the percents positive."),
    ]
    negative_fraction: Annotated[Fraction | None, doc("Weight of the non-expressing component, 0 to 1.")]
    negative_fraction_low: Annotated[Fraction | None, doc("Lower 95 % limit.")]
    negative_fraction_high: Annotated[Fraction | None, doc("Upper 95 % limit.")]
    gmm_negative_fraction: Annotated[
        Fraction | None,
        doc("The same by a free Gaussian mixture (scikit-learn), rounded to 3 digits: a second opinion."),
    ]
    gmm_components: Annotated[Annotated[int, Meta(ge=1, le=3)] | None, doc("Number of its components, by BIC.")]
    mutant_fraction: Annotated[
        float | None,
        doc("1 - (1 - negative_fraction) / (1 - the controls'); below 0: fewer negatives than its controls."),
    ]
    mutant_fraction_low: Annotated[float | None, doc("Lower 95 % limit.")]
    mutant_fraction_high: Annotated[float | None, doc("Upper 95 % limit.")]
    separation: Annotated[float | None, doc("Ashman's D on the fitted scale.")]
    stain_index: Annotated[float | None, doc("(median positive - median negative) / (2 robust SD negative).")]
    lob: Annotated[float | None, doc("Limit of blank of the mutant fraction, 0 to 1.")]
    lod: Annotated[float | None, doc("Limit of detection of the mutant fraction, 0 to 1.")]
    shift: Annotated[float | None, doc("Shift of the negative component from the background, in robust SD.")]
    valley: Annotated[float | None, doc("Valley ratio; null when there is no valley.")]
    dip_p: Annotated[Fraction | None, doc("p of the dip test.")]
    converged: Annotated[bool | None, doc("Whether the fit converged.")]
    margin_events: Annotated[
        Count | None, doc("Activated cells at the top of the target's range: positive, and left out of the fit.")
    ]
    borrowed: Annotated[Fraction | None, doc("Share of the positive shape borrowed from the control, 0 to 1.")]
    goodness: Annotated[Fraction | None, doc("Goodness of the fit: probability of so large a chi-squared by chance.")]
    misplaced: Annotated[
        Fraction | None, doc("Share of the cells that the fit puts elsewhere than they are, beyond chance, 0 to 1.")
    ]
    model_error: Annotated[
        NotNegative | None,
        doc("Standard error of the negative fraction for what the shape of the law leaves open, 0 to 1."),
    ]
    at_bound: Annotated[list[str], doc("Parameters of the fit that the data press against a bound of the model.")]
    unstimulated_percent_positive: Annotated[
        Percent | None, doc("Above the same threshold among CD3+CD8- cells of the unstimulated tube, 0 to 100.")
    ]
    background_shift: Annotated[
        float | None,
        doc("Median of the background less that of the unstimulated tube, in robust SD of the background."),
    ]
    linear_width_ratio: Annotated[
        NotNegative | None,
        doc("Linear part of the scale over the background's robust SD; below 1 modes near zero are doubtful."),
    ]
    bright_events: Annotated[
        float | None, doc("Cells at the controls' positive level beyond those expected of the background.")
    ]
    mfi_ratio_low: Annotated[
        NotNegative | None,
        doc("Low end of the 95 % interval of the MFI ratio of the positives; errors of sample and controls."),
    ]
    mfi_ratio_high: Annotated[
        NotNegative | None,
        doc("High end of the 95 % interval of the MFI ratio of the positives; errors of sample and controls."),
    ]
    mfi_all_ratio_low: Annotated[
        NotNegative | None,
        doc("Low end of the 95 % interval of the MFI ratio of all activated cells; errors of sample and controls."),
    ]
    mfi_all_ratio_high: Annotated[
        NotNegative | None,
        doc("High end of the 95 % interval of the MFI ratio of all activated cells; errors of sample and controls."),
    ]
    relative_positive_low: Annotated[
        NotNegative | None,
        doc("Low end of the 95 % interval of the positive fraction over the controls'; errors of sample and controls."),
    ]
    relative_positive_high: Annotated[
        NotNegative | None,
        doc(
            "High end of the 95 % interval of the positive fraction over the controls'; errors of sample and controls."
        ),
    ]
    mutant_error: Annotated[
        NotNegative | None, doc("Standard error of the mutant fraction from counting and overlap alone.")
    ]
    agreement: Annotated[
        float | None,
        doc("Mutant fraction less that of the other readout (CD154 and CD40-Ig), in standard errors of counting."),
    ]
    ks_background: Annotated[Fraction | None, doc("Kolmogorov and Smirnov's D against the background.")]
    ks_control: Annotated[Fraction | None, doc("Kolmogorov and Smirnov's D against the controls' activated cells.")]
    overton_background: Annotated[
        Fraction | None, doc("Share of the cells beyond the background by Overton's cumulative subtraction.")
    ]
    overton_control: Annotated[
        Fraction | None, doc("Share of the controls' cells beyond the sample's by Overton's cumulative subtraction.")
    ]
    titration: Annotated[
        Detection | None,
        doc("What could have been detected, by mixtures of the run's own cells; null without titration."),
    ]
    mfi_all_low: Annotated[float | None, doc("Lower end of the 95 % interval of mfi_all, channel values.")]
    mfi_all_high: Annotated[float | None, doc("Upper end of the 95 % interval of mfi_all, channel values.")]
    mfi_positive_low: Annotated[float | None, doc("Lower end of the 95 % interval of mfi_positive, channel values.")]
    mfi_positive_high: Annotated[float | None, doc("Upper end of the 95 % interval of mfi_positive, channel values.")]
    normal_odds: Annotated[
        float | None, doc("Natural-log odds of cells like the controls' against all other explanations together.")
    ]
    mosaic_odds: Annotated[
        float | None, doc("Natural-log odds of two kinds of cells against all other explanations together.")
    ]
    reduced_odds: Annotated[
        float | None,
        doc("Natural-log odds of one kind of cells that expresses less against all other explanations together."),
    ]
    absent_odds: Annotated[
        float | None, doc("Natural-log odds of cells that do not express against all other explanations together.")
    ]
    residual_kept: Annotated[
        Fraction | None,
        doc("What mutant cells keep of the level where a residual allele explains the cells best; null elsewhere."),
    ]
    shape_distance: Annotated[
        NotNegative | None,
        doc("Distance of the signal's spread from the controls', in standard deviations between people."),
    ]
    overdispersion: Annotated[
        Annotated[float, Meta(ge=1)] | None,
        doc("By what factor the cells scatter more about the fit than by chance; 1 or more."),
    ]
    negatives_by_cd69: Annotated[
        float | None, doc("Natural-log odds ratio of not expressing, lower against upper third of CD69.")
    ]
    negatives_by_cd69_error: Annotated[NotNegative | None, doc("Its standard error.")]
    negatives_by_cd3: Annotated[
        float | None, doc("Natural-log odds ratio of not expressing, lower against upper third of CD3.")
    ]
    negatives_by_cd3_error: Annotated[NotNegative | None, doc("Its standard error.")]

    def numbers(self) -> dict[str, float | None]:
        """Return every number by its name."""
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: value for name, value in values if _is_number(value)}


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))

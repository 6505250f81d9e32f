"""What a control gives to the samples of its run."""

from typing import Annotated

from msgspec import Meta

from cd40l_flow.base.records import Count, Fraction, NotNegative, Percent, Record, doc
from cd40l_flow.result.types.fields import Reagent


class Shape(Record, frozen=True):
    """Law of ln(signal of the target in channel values): skew-normal."""

    level: Annotated[float, doc("Its mean.")]
    log_spread: Annotated[float, doc("Natural logarithm of its standard deviation.")]
    skew: Annotated[float, doc("Its skewness.")]
    electron: Annotated[
        float,
        doc(
            "Natural logarithm of a photo-electron, over 1.7e-5 of the top of the scale; above 2^18 channels at most a "
            "tenth of the background's SD, but no less than of 2^18."
        ),
    ]
    bends: Annotated[
        list[float],
        doc("Bends of the law where it is none: logarithms of factors at eight places; empty where straight."),
    ]


class Titration(Record, frozen=True):
    """Mixtures of the control's own cells at known fractions, analysed as samples."""

    fractions: Annotated[list[Fraction], doc("Mutant fractions mixed.")]
    sizes: Annotated[list[Annotated[int, Meta(ge=1)]], doc("Numbers of activated cells.")]
    recovered: Annotated[list[list[float]], doc("Fractions found, a row for each fraction, a column for each size.")]
    errors: Annotated[list[list[float]], doc("Their standard errors, of sample and background tube.")]
    drawn_size: Annotated[Annotated[int, Meta(ge=1)], doc("Cells of each drawn sample.")]
    drawn_fraction: Annotated[
        Fraction | None,
        doc("Limit by counting at that size, where samples were drawn; null where no fraction is detected."),
    ]
    drawn_detected: Annotated[
        Fraction | None, doc("Share of seeded draws at the limit that were detected; 0.95 when all is as computed.")
    ]
    drawn_error: Annotated[
        NotNegative | None, doc("Standard deviation of the drawn fractions over the computed error.")
    ]


class ShapePrior(Record, frozen=True):
    """What the control shows about a sample's positive cells."""

    centre: Annotated[Shape, doc("The likeliest shape.")]
    covariance: Annotated[
        list[list[float]], doc("Of log spread, skew and electron, differences between people included, (3, 3).")
    ]
    level_known: Annotated[bool, doc("Whether the level is informative.")]
    bend_covariance: Annotated[
        list[list[float]] | None,
        doc("Of the bends, differences between people included, (8, 8); null where the law is straight."),
    ]


class ControlTerms(Record, frozen=True):
    """One control's record of one reagent: the terms of ratios, and shapes to borrow."""

    percent_positive: Annotated[float | None, doc("As in `reagents`.")]
    positive_fraction: Annotated[
        Fraction | None,
        doc("Share of expressing cells, 0 to 1: of the fit where it is usable, else of the percent positive."),
    ]
    by_fit: Annotated[bool, doc("Whether `positive_fraction` is of the fit.")]
    mfi_above_background: Annotated[float | None, doc("MFI of the positives less the background's, linear.")]
    mfi_all_above_background: Annotated[float | None, doc("MFI of all activated cells less the background's, linear.")]
    negative_fraction: Annotated[Fraction | None, doc("As in `reagents`.")]
    negative_fraction_sd: Annotated[NotNegative | None, doc("Its standard error.")]
    separation: Annotated[NotNegative | None, doc("As in `reagents`.")]
    positive: Annotated[Shape | None, doc("The fitted positive component; null without a fit.")]
    positive_low_scaled: Annotated[float | None, doc("10th percentile of the positive component, scale units.")]
    background: Annotated[list[Count], doc("Events of the background in equal bins of the logicle scale.")]
    background_source: Annotated[str, doc("What the background is: isotype, FMO, secondary or unstimulated.")]
    counts: Annotated[list[Count], doc("Activated cells in equal bins of the logicle scale.")]
    mfi_error: Annotated[NotNegative | None, doc("Standard error of the logarithm of mfi_above_background.")]
    mfi_all_error: Annotated[NotNegative | None, doc("Standard error of the logarithm of mfi_all_above_background.")]
    positive_fraction_error: Annotated[NotNegative | None, doc("Standard error of positive_fraction.")]
    titration: Annotated[
        Titration | None, doc("What the run recovers of known mixtures of its own cells; null without a fit.")
    ]
    prior: Annotated[
        ShapePrior | None, doc("What the control shows about a sample's positive cells; null without a fit.")
    ]
    count: Annotated[Annotated[int, Meta(ge=1)], doc("How many controls these terms come from.")]
    floor: Annotated[
        float | None, doc("Lowest value that the instrument writes of the target, linear; null where it writes any.")
    ]


class ControlGate(Record, frozen=True, omit_defaults=True):
    """One boundary."""

    detector: Annotated[str | None, doc("Its detector.")] = None
    scaled: Annotated[float | None, doc("Position on the display scale.")] = None
    detectors: Annotated[list[str] | None, doc("The detectors of the polygon, x first.")] = None
    vertices: Annotated[list[tuple[float, float]] | None, doc("Corners of the polygon, linear channel units.")] = None


class Control(Record, frozen=True):
    """What a control gives to the samples of its run."""

    reagents: Annotated[dict[Reagent, ControlTerms], doc("Reagent to terms of ratios and shapes.")]
    activation_percent: Annotated[dict[Reagent, Percent], doc("Reagent to CD69 positive percent of CD3+CD8- cells.")]
    failures: Annotated[list[str], doc("Why the control failed, in words; empty: it did not.")]
    scatter_tops: Annotated[
        tuple[float, float], doc("Tops of the drawn axes of forward and side scatter, linear channel units.")
    ]
    gates: Annotated[
        dict[str, ControlGate],
        doc("Boundaries in use: gate to detector and position, the lymphocyte gate to detectors and corners."),
    ]
    reagent_failures: Annotated[
        dict[Reagent, list[str]],
        doc("Why single reagents of the control failed, in words: reagent to texts, of those in failures."),
    ]
    activation_median: Annotated[
        dict[Reagent, float],
        doc("Reagent to CD69 median of stimulated CD3+CD8- cells, compensated linear."),
    ] = {}

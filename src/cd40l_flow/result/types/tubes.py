"""The tubes of a sample: what was read of each, replicates and what is left of spillover."""

from typing import Annotated

from msgspec import Meta

from cd40l_flow.assay.lookup import ASSAYS
from cd40l_flow.base.records import NAME, Count, Digest, NotNegative, Percent, Record, doc, name_of, one_of
from cd40l_flow.result.types.fields import Reason, Stimulation

_REAGENTS = dict.fromkeys(name for assay in ASSAYS.values() for name in assay.reagent_names)


class TubeError(Record, frozen=True):
    """Why the tube was refused."""

    code: Annotated[Reason, doc("The reason code of the fault.")]
    message: Annotated[str, doc("The fault in words, with the file's name.")]


class SpilloverMatrix(Record, frozen=True):
    """The matrix applied; null when the values were already compensated."""

    source: Annotated[str, doc("Keyword or name of the CSV file.")]
    detectors: Annotated[list[str], doc("Detectors of the matrix, in its order.")]
    condition: Annotated[NotNegative | None, doc("Condition number.")]
    matrix: Annotated[list[list[float]], doc("Row i: the fraction of dye i seen in each detector.")]
    remarks: Annotated[list[str], doc("Fractions below 0 or above 1.")]


class Population(Record, frozen=True):
    """One step of the gating."""

    population: Annotated[str, doc("Name, for instance CD3+CD8-.")]
    parent: Annotated[str, doc("Name of the parent; all for the first step.")]
    count: Annotated[Count, doc("Events inside.")]
    percent_of_parent: Annotated[
        Percent | None, doc("100 x count / count of the parent; null when the parent is empty.")
    ]


class Tube(Record, frozen=True):
    """One FCS file as the sheet names it, and what was found in it."""

    fcs: Annotated[str, doc("The text of the tube sheet; the tube's name everywhere.")]
    stimulation: Annotated[Stimulation, doc("As the sheet says.")]
    reagent: Annotated[Annotated[str, name_of(NAME, *_REAGENTS)], doc("As the sheet says.")]
    panel: Annotated[str, doc("Panel of the configuration.")]
    clone: Annotated[str, doc("Antibody clone, or empty.")]
    lot: Annotated[str, doc("Reagent lot, or empty.")]
    status: Annotated[Annotated[str, one_of("ok", "refused")], doc("refused: the tube was not used; see error.")]
    error: Annotated[TubeError | None, doc("Why the tube was refused; null when it was used.")]
    digest: Annotated[Digest | None, doc("SHA-256 of the DATA segment.")]
    events: Annotated[Count | None, doc("Events in the file.")]
    version: Annotated[str | None, doc("FCS version.")]
    cytometer: Annotated[str | None, doc("$CYT.")]
    month: Annotated[str | None, doc("Month of acquisition, YYYY-MM, or empty.")]
    duration_s: Annotated[NotNegative | None, doc("Seconds of acquisition.")]
    time_problem: Annotated[str | None, doc("Why time could not be assessed, or empty.")]
    removed_percent: Annotated[Percent | None, doc("Events removed by the time check, percent of all.")]
    margin_percent: Annotated[Percent | None, doc("Events on the edge of a detector's range, percent of all.")]
    markers: Annotated[dict[str, str], doc("Marker to detector ($PnN).")]
    spillover: Annotated[SpilloverMatrix | None, doc("The matrix applied; null when none was.")]
    populations: Annotated[list[Population], doc("Counts in gating order; empty for a refused tube.")]
    voltages: Annotated[dict[str, float | None], doc("Detector to volts.")]


class CompensationSlope(Record, frozen=True):
    """How the target follows another marker where it must not."""

    fcs: Annotated[str, doc("As the sheet says.")]
    marker: Annotated[str, doc("CD69 or CD3.")]
    population: Annotated[str, doc("Cells that do not express the target.")]
    slope: Annotated[float, doc("Channels of the target per channel of the marker.")]
    residue: Annotated[float, doc("From the lower to the upper third of the marker, robust SD of the target.")]


class Replicate(Record, frozen=True):
    """One tube."""

    fcs: Annotated[str, doc("As the sheet says.")]
    cells: Annotated[Count, doc("Cells of the population.")]
    cd69_percent: Annotated[Percent | None, doc("CD69 positive percent of CD3+CD8-.")]
    cd69_median: Annotated[float | None, doc("CD69 median of the population, compensated linear.")]
    target_median: Annotated[float | None, doc("Median of the target of the population, compensated linear.")]
    percent_above: Annotated[
        Percent | None,
        doc(
            "Percent above the reagent's threshold, the background not subtracted; of B cells those that are CD27+IgD-."
        ),
    ]


class ReplicateDifference(Record, frozen=True):
    """One comparison; value above limit means they disagree."""

    what: Annotated[str, doc("What was compared.")]
    tubes: Annotated[tuple[str, str], doc("The two tubes.")]
    value: Annotated[float, doc("How far they lie apart.")]
    limit: Annotated[float, doc("How far they may.")]
    unit: Annotated[str, doc("Unit of both.")]


class ReplicateGroup(Record, frozen=True):
    """Tubes of one stimulation and reagent."""

    stimulation: Annotated[Stimulation, doc("As the sheet says.")]
    reagent: Annotated[str, doc("As the sheet says.")]
    population: Annotated[str, doc("The population whose cells are compared.")]
    serves: Annotated[
        list[str], doc("Reagents that are measured with these tubes; empty for resting cells, which serve all.")
    ]
    replicates: Annotated[Annotated[list[Replicate], Meta(min_length=2)], doc("Each tube by itself.")]
    differences: Annotated[
        list[ReplicateDifference], doc("Of each measure the pair that differs most relative to its limit.")
    ]

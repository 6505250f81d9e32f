"""The content of ``reference.json``: the one definition for its writer, its readers and its JSON

Schema. Keys are in alphabetical order, as in the file. Percents are 0 to 100, fractions 0 to 1.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from cd40l_flow.assay.cd40l import CD40L
from cd40l_flow.assay.memory_b.age_table import BANDS
from cd40l_flow.base.records import NAME, Count, Digest, NotNegative, Record, doc, name_of, one_of

# The measures of a control with limits, and whether they are log-normal.
CHARTED: Mapping[str, bool] = {
    "cd69_percent": False,
    "percent_positive": False,
    "negative_fraction": False,
    "mfi_above_background": True,
}
Measure = Annotated[str, one_of(*CHARTED)]
Reagent = Annotated[str, name_of(NAME, *CD40L.targets)]
Band = Annotated[str, one_of(*(band.words for band in BANDS))]
Share = Literal["switched", "switched_two_marker"]
Month = Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}$")]
Positive = Annotated[float, Meta(gt=0)]


class Spread(Record, frozen=True):
    """Mean and SD; of the natural logarithm where log."""

    count: Annotated[Count, doc("Controls.")]
    log: Annotated[bool, doc("Whether of the logarithm.")]
    mean: Annotated[float, doc("Mean.")]
    sd: Annotated[float | None, doc("Standard deviation; null with fewer than two controls.")]

    def limit(self, sds: float) -> float | None:
        """Return the value ``sds`` SD from the mean, in the unit of the measure; None without an SD."""
        if self.sd is None:
            return None
        value = self.mean + sds * self.sd
        return math.exp(value) if self.log else value


class HealthyNegative(Record, frozen=True):
    """How much the negative fraction of healthy donors differs, and what follows for the mutant fraction."""

    count: Annotated[Count, doc("Controls.")]
    lob: Annotated[float, doc("Limit of blank of the mutant fraction at that error.")]
    lod: Annotated[float, doc("Limit of detection of the mutant fraction at that error.")]
    mean: Annotated[float, doc("Mean negative fraction.")]
    median_error: Annotated[NotNegative, doc("Median standard error of one control.")]
    sd_between: Annotated[
        NotNegative, doc("SD between donors and runs, net of measurement error (restricted maximum likelihood).")
    ]
    sd_total: Annotated[NotNegative, doc("SD as measured.")]


class RatioRange(Record, frozen=True):
    """The 95 % range of the MFI ratio of two healthy donors of one run."""

    high: Annotated[float, doc("Upper end.")]
    log_sd: Annotated[float, doc("SD of ln MFI within a run.")]
    low: Annotated[float, doc("Lower end.")]
    runs: Annotated[Count, doc("Runs of several controls.")]


class ControlMeasures(Record, frozen=True):
    """What was measured of one reagent of a control."""

    cd69_percent: Annotated[float | None, doc("CD69+ percent of CD3+CD8- cells.")]
    clone: Annotated[str, doc("As in the sheet.")]
    lot: Annotated[str, doc("As in the sheet.")]
    mfi_above_background: Annotated[float | None, doc("MFI of positives less background.")]
    negative_fraction: Annotated[float | None, doc("Negative fraction.")]
    negative_fraction_error: Annotated[float | None, doc("Its standard error.")]
    percent_positive: Annotated[float | None, doc("Percent positive.")]

    def charted(self, measure: str) -> float | None:
        """Return one of the measures that `CHARTED` names."""
        value: float | None = getattr(self, measure)
        return value


class ControlRow(Record, frozen=True):
    """One control: allow-listed words, and its measures."""

    cytometer: Annotated[str, doc("Instrument ($CYT).")]
    month: Annotated[Annotated[str, Meta(pattern="^([0-9]{4}-[0-9]{2})?$")], doc("Month of acquisition, or empty.")]
    reagents: Annotated[dict[Reagent, ControlMeasures], doc("Reagent to measures.")]
    run: Annotated[str, doc("Run of the sheet.")]
    sample: Annotated[str, doc("Sample id of the sheet.")]


class Excluded(Record, frozen=True):
    """A control that was left out."""

    run: Annotated[str, doc("Run.")]
    sample: Annotated[str, doc("Sample id.")]
    why: Annotated[str, doc("Why it does not count.")]


class Collected(Record, frozen=True):
    """What was collected."""

    controls: Annotated[Count, doc("Of these, controls.")]
    failed: Annotated[Count, doc("Controls left out because they failed.")]
    few: Annotated[bool, doc("Whether the limits are provisional because there are few controls.")]
    results: Annotated[Count, doc("Results examined.")]
    used: Annotated[Count, doc("Controls the limits rest on.")]


class Seen(Record, frozen=True):
    """What the controls were measured with."""

    clones: Annotated[dict[Reagent, list[str]], doc("Reagent to the words of the sheet.")]
    cytometers: Annotated[list[str], doc("Instruments ($CYT).")]
    lots: Annotated[dict[Reagent, list[str]], doc("Reagent to the words of the sheet.")]
    months: Annotated[list[Month], doc("Months of acquisition.")]


class AgeKnot(Record, frozen=True):
    """Mean and SD of the logit of a share among healthy people of one age."""

    age_months: Annotated[Positive, doc("Age in months.")]
    # Above the tolerance limit are 97.5 % of healthy people with a confidence of 95 %, however few donors there were.
    factor: Annotated[Positive, doc("SD below the mean at which the tolerance limit lies.")]
    mu: Annotated[float, doc("Mean of the logit of the share.")]
    sd: Annotated[Positive, doc("SD of the logit among donors, net of counting error.")]


class DonorsByAge(Record, frozen=True):
    """Class-switched B cells of healthy donors by age."""

    bands: Annotated[dict[Band, Count], doc("Donors of each age band of the published table.")]
    donors: Annotated[Annotated[int, Meta(ge=1)], doc("Donors; the age of each is the middle of its band.")]
    knots: Annotated[list[AgeKnot], doc("The curve at single ages, in order of age.")]
    provisional: Annotated[list[Band], doc("Bands in which donors are few, so that the published table must agree.")]
    share: Annotated[Share, doc("The share: CD27+IgD-IgM-, or CD27+IgD- where IgM is not informative.")]


class Reference(Record, frozen=True, kw_only=True):
    """A laboratory's own limits from its healthy controls. Percents are 0 to 100, fractions 0 to 1."""

    by_age: Annotated[DonorsByAge | UnsetType, doc("Class-switched B cells of healthy donors by age.")] = UNSET
    collected: Annotated[Collected, doc("What was collected.")]
    controls: Annotated[list[ControlRow], doc("One row for each control, in order of month.")]
    digest: Annotated[Digest, doc("SHA-256 of everything else in the file, as JSON with sorted keys and no spaces.")]
    engine_versions: Annotated[
        Annotated[list[str], Meta(min_length=1)], doc("Versions of the analysis that measured the controls.")
    ]
    excluded: Annotated[list[Excluded], doc("Controls left out, and why.")]
    healthy_negative: Annotated[
        dict[Reagent, HealthyNegative],
        doc("Reagent to how much the negative fraction of healthy donors differs, and what follows."),
    ]
    limits: Annotated[dict[Reagent, dict[Measure, Spread]], doc("Reagent to measure to its spread among the controls.")]
    mfi_ratio: Annotated[
        dict[Reagent, RatioRange],
        doc("Reagent to the 95 % range of the MFI ratio of two healthy donors of one run."),
    ]
    schema_version: Annotated[Annotated[str, Meta(pattern=r"^1\.[0-9]+$")], doc("Version of this schema.")]
    seen: Annotated[Seen, doc("What the controls were measured with.")]

"""What a result holds of B cells: the subsets of the memory tube with the age's limits, and CD40."""

from typing import Annotated

from cd40l_flow.base.records import Count, Fraction, Percent, Record, doc


class Share(Record, frozen=True):
    """A subset in percent of its parent, 0 to 100."""

    percent: Annotated[Percent | None, doc("Percent; by the mixture where CD27 defines the subset.")]
    low: Annotated[Percent | None, doc("Lower 95 % limit.")]
    high: Annotated[Percent | None, doc("Upper 95 % limit.")]
    events: Annotated[Count, doc("Cells beyond the thresholds.")]
    threshold_percent: Annotated[Percent | None, doc("Plain percent beyond the thresholds.")]


class Memory(Record, frozen=True):
    """The B cells of the memory tube; shares are percents of CD3-CD19+ cells."""

    tubes: Annotated[list[str], doc("Memory tubes pooled.")]
    lymphocytes: Annotated[Count, doc("Live single lymphocytes.")]
    b_events: Annotated[Count, doc("Live single CD3-CD19+ cells.")]
    b_cells: Annotated[Share, doc("B cells in percent of lymphocytes.")]
    naive: Annotated[Share, doc("CD27-IgD+.")]
    non_switched: Annotated[Share, doc("CD27+IgD+.")]
    switched: Annotated[Share | None, doc("CD27+IgD-IgM-; null where IgM is not stained.")]
    switched_two_marker: Annotated[Share, doc("CD27+IgD-, which most published tables use.")]
    igm_only: Annotated[Share | None, doc("CD27+IgM+IgD-.")]
    double_negative: Annotated[Share, doc("CD27-IgD-.")]
    plasmablasts: Annotated[Share | None, doc("CD38 bright CD27 bright; taken out of the switched cells.")]
    transitional_percent: Annotated[Percent | None, doc("CD38 and CD24 bright IgM+ cells.")]
    cd27_separation: Annotated[float | None, doc("Ashman's D of CD27 between its two kinds of cells.")]
    cd27_background: Annotated[str, doc("What fixed the CD27- cells.")]
    cd27_threshold: Annotated[float | None, doc("Threshold of CD27, compensated linear channel units.")]
    cd27_negative_median: Annotated[float | None, doc("Median of CD27 on naive cells, linear.")]
    cd27_converged: Annotated[bool, doc("Whether the fit of CD27 converged.")]
    igd_separation: Annotated[float | None, doc("Ashman's D of IgD on CD27- cells; null where it shows one peak.")]
    igd_negative_percent: Annotated[Percent | None, doc("IgD- among CD27- B cells.")]
    igd_median: Annotated[float | None, doc("Median of IgD on CD27- B cells, linear.")]
    igm_median: Annotated[float | None, doc("Median of IgM on CD27- B cells, linear.")]
    cd3_percent: Annotated[Percent | None, doc("CD3+ among CD19+ cells; null without CD3.")]
    unresolved: Annotated[str, doc("Why the subsets cannot be determined, or empty.")]
    notes: Annotated[list[str], doc("Remarks for the reader.")]
    cd27_shape: Annotated[list[float], doc("What a control gives of the shape of its CD27+ cells; or empty.")]
    age_band: Annotated[str | None, doc("Age in a band fine enough for a child's course, never exact.")]
    age_z: Annotated[float | None, doc("Switched share on the age curve, in standard deviations of its logit.")]
    limit_low: Annotated[Percent | None, doc("Lower limit (2.5 %) of the switched share at this age.")]
    limit_absent: Annotated[Percent | None, doc("Switched share below which the cells count as absent at this age.")]
    age_median: Annotated[Percent | None, doc("Median of healthy people at this age.")]
    table: Annotated[str, doc("Which table of healthy people decided.")]
    igm_only_median: Annotated[float | None, doc("Median of IgM on CD27+IgD-IgM+ cells, linear; null of few.")] = None
    cd38_median: Annotated[float | None, doc("Median of CD38 on CD27-IgD+ cells, linear; null without CD38.")] = None


def deciding(memory: Memory) -> str:
    """Return the name of the switched share that was compared with the limits of the age.

    It is that without IgM-only cells, or that of two markers where IgM is not informative.
    """
    known = memory.switched is not None and memory.switched.low is not None and memory.switched.high is not None
    return "switched" if known else "switched_two_marker"


def deciding_share(memory: Memory) -> Share:
    """Return the share of switched cells that was compared with the limits of the age."""
    share: Share = getattr(memory, deciding(memory))
    return share


class Cd40Cells(Record, frozen=True):
    """CD40 on one kind of cells, less the isotype's, compared with the controls'."""

    population: Annotated[str, doc("B cells or monocytes.")]
    events: Annotated[Count, doc("Cells.")]
    mfi: Annotated[float | None, doc("Median of CD40, linear.")]
    mfi_background: Annotated[float | None, doc("Median of the isotype, linear.")]
    ratio: Annotated[float | None, doc("MFI less background over the controls'.")]
    ratio_low: Annotated[float | None, doc("Lower 95 % limit.")]
    ratio_high: Annotated[float | None, doc("Upper 95 % limit.")]
    positive: Annotated[
        Share, doc("Above the isotype's 99th percentile and a tenth of the controls' CD40, background-corrected.")
    ]
    negative_fraction: Annotated[Fraction | None, doc("Weight of cells that lack CD40.")]
    negative_fraction_low: Annotated[Fraction | None, doc("Lower 95 % limit.")]
    negative_fraction_high: Annotated[Fraction | None, doc("Upper 95 % limit.")]
    level: Annotated[float | None, doc("MFI less background, linear.")]
    level_low: Annotated[float | None, doc("Lower 95 % limit.")]
    level_high: Annotated[float | None, doc("Upper 95 % limit.")]
    background_sd: Annotated[float | None, doc("Robust SD of the background, linear.")] = None
    background_excess: Annotated[
        float | None, doc("How far the isotype's median lies above the controls', over their level.")
    ] = None
    low_tail: Annotated[float | None, doc("10th percentile of CD40 over its median, both less background.")] = None
    low_tail_ratio: Annotated[float | None, doc("The same over the controls'.")] = None


class Cd40TCells(Record, frozen=True):
    """T cells of the CD40 and isotype tubes, which carry no CD40."""

    events: Annotated[Count, doc("T cells of the CD40 tubes.")]
    isotype_events: Annotated[Count, doc("T cells of the isotype tubes.")]
    mfi: Annotated[float, doc("Median of CD40, linear.")]
    sd: Annotated[float | None, doc("Robust SD of CD40, linear.")]
    shift: Annotated[float | None, doc("Median less that of the isotype tubes, in robust SD of these.")]
    shift_high: Annotated[float | None, doc("Upper 95 % limit.")]


class Cd40(Record, frozen=True):
    """CD40 on B cells and monocytes."""

    tubes: Annotated[list[str], doc("CD40 tubes pooled.")]
    lymphocytes: Annotated[Count, doc("Live single lymphocytes.")]
    b_events: Annotated[Count, doc("Live single CD3-CD19+ cells.")]
    b_cells: Annotated[Share, doc("B cells in percent of lymphocytes.")]
    cells: Annotated[list[Cd40Cells], doc("Each kind of cells that was found.")]
    background: Annotated[str, doc("What fixed the background.")]
    cd3_percent: Annotated[Percent | None, doc("CD3+ among CD19+ cells; null without CD3.")]
    notes: Annotated[list[str], doc("Remarks for the reader.")]
    t_cells: Annotated[Cd40TCells | None, doc("T cells, which carry no CD40; null without any.")] = None
    isotype_b_events: Annotated[Count | None, doc("B cells of the isotype tubes; null without such a tube.")] = None
    volts: Annotated[list[float], doc("Voltages of CD40's detector in the tubes.")] = []

"""What is measured of the B cells of one sample: shares of their subsets, and the level of CD40."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Share:
    """A subset as percent (0 to 100) of a parent population, with its 95 % interval.

    ``events`` are the cells beyond the thresholds, ``threshold_percent`` their plain percent, apart from ``percent``,
    which the mixture gives where CD27 is continuous. ``percent`` is None where the markers are not informative.
    """

    percent: float | None
    low: float | None
    high: float | None
    events: int
    threshold_percent: float | None = None


@dataclass(frozen=True)
class Dependence:
    """How far CD27 of B cells without CD27 moves with an immunoglobulin, up to the usual amount of that; robust SD."""

    marker: str
    value: float


@dataclass(frozen=True)
class StainChecks:
    """Checks of one sample's stain.

    ``cd27_of_t`` is how far CD27 of T cells lies above that of naive B cells in the memory tube, ``fmo_cd27_of_t`` the
    same in memory-FMO27, robust SD of the naive cells; None of few cells. ``dependence`` is the stronger one, None
    where neither could be measured. ``sticking`` are the CD27+IgD+ cells that are dim in both IgD and IgM, more than as
    many naive ones would be, percent of B cells with its standard error; None where IgM is not informative.
    ``cd27_of_igd_negative`` is CD27 of CD27+IgD- cells over that of CD27+IgD+ ones, medians less that of naive cells;
    None of few.
    """

    cd27_of_t: float | None = None
    fmo_cd27_of_t: float | None = None
    dependence: Dependence | None = None
    sticking: float | None = None
    sticking_error: float = 0.0
    cd27_of_igd_negative: float | None = None


@dataclass(frozen=True)
class MemoryMeasures:
    """The B cells of the tube ``memory`` of one sample; every share but ``b_cells`` is a percent of CD3-CD19+ cells.

    ``b_cells`` is the percent of lymphocytes, ``b_events`` the count of live single CD3-CD19+ cells, ``lymphocytes``
    that of live single lymphocytes. ``switched`` is CD27+IgD-IgM- (None without IgM), ``switched_two_marker``
    CD27+IgD-; plasmablasts are taken out of both where CD38 is stained. ``cd27_separation`` is Ashman's D of CD27
    between its two kinds of cells on the fitted scale, ``cd27_background`` what fixed its negative cells
    (``memory-FMO27``, ``IgD-bright cells``). ``igd_separation`` is D of IgD on CD27- cells, None where it shows one
    population. ``igd_negative_percent`` is the percent of IgD- among CD27- B cells, ``igd_median`` and ``igm_median``
    medians of CD27- B cells (compensated linear channel values), ``cd27_negative_median`` that of CD27 on naive cells.
    ``cd38_median`` is that of CD38 on CD27-IgD+ cells.
    ``cd3_percent`` is the percent of CD3+ among CD19+ cells, None without CD3 (no dump). ``transitional_percent`` is
    the percent of CD38 and CD24 bright IgM+ cells, where they are stained. ``unresolved`` states why shares cannot be
    determined (empty: they can); ``notes`` are remarks for the reader. ``cd27_shape`` is what a control provides of the
    shape of its CD27+ cells (`cd27.shape_of`). ``igm_only_median`` is the median of IgM on CD27+IgD-IgM+ cells
    (compensated linear channel values), None of few. ``stain`` are the checks of the stain, which the guards report.
    """

    tubes: tuple[str, ...]
    lymphocytes: int
    b_events: int
    b_cells: Share
    naive: Share
    non_switched: Share
    switched: Share | None
    switched_two_marker: Share
    igm_only: Share | None
    double_negative: Share
    plasmablasts: Share | None
    transitional_percent: float | None
    cd27_separation: float | None
    cd27_background: str
    cd27_threshold: float | None
    cd27_negative_median: float | None
    cd27_converged: bool
    igd_separation: float | None
    igd_negative_percent: float | None
    igd_median: float | None
    igm_median: float | None
    cd3_percent: float | None
    unresolved: str = ""
    notes: tuple[str, ...] = ()
    cd27_shape: tuple[float, ...] = ()
    igm_only_median: float | None = None
    cd38_median: float | None = None
    stain: StainChecks = StainChecks()


@dataclass(frozen=True)
class Cd40Cells:
    """CD40 on one kind of cells of the tube ``CD40``, less the isotype's, compared with the controls'.

    ``mfi`` and ``mfi_background`` are medians in compensated linear channel values; ``ratio`` is MFI less background
    over the controls', with its 95 % interval (errors of sample and controls); ``positive`` the percent of the cells
    above the isotype's 99th percentile, background-corrected, that have at least the part of the controls' CD40 that
    CD40_ABSENT lies below. ``negative_fraction`` is the mixture's weight of cells
    that lack CD40 (0 to 1), with its 95 % interval; ``level`` is MFI less background with its own, which the ratios of
    other samples rest on. ``background_sd`` is the robust SD of the background, channel values; ``background_excess``
    how far the isotype's median lies above the controls', over their level: by so much the ratio may be too low.
    ``low_tail`` is the 10th percentile of CD40 over its median, both less the median background, and ``low_tail_ratio``
    that over the controls'.
    """

    population: str
    events: int
    mfi: float | None
    mfi_background: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    positive: Share
    negative_fraction: float | None = None
    negative_fraction_low: float | None = None
    negative_fraction_high: float | None = None
    level: float | None = None
    level_low: float | None = None
    level_high: float | None = None
    background_sd: float | None = None
    background_excess: float | None = None
    low_tail: float | None = None
    low_tail_ratio: float | None = None


@dataclass(frozen=True)
class Cd40TCells:
    """T cells, which carry no CD40: how many in the CD40 and the isotype tubes, median and robust SD of CD40 (channel
    values), and the median of the CD40 tubes less that of the isotype tubes, in robust SD of these, with its upper 95 %
    end; None where it is not known.
    """

    events: int
    isotype_events: int
    mfi: float
    sd: float | None
    shift: float | None = None
    shift_high: float | None = None


@dataclass(frozen=True)
class Cd40Measures:
    """CD40 on B cells and monocytes; ``cells`` are those of each kind that was found (``B cells``, ``monocytes``).

    ``isotype_b_events`` are the B cells of the isotype tubes, None without such a tube; ``volts`` the voltages of
    CD40's detector in all these tubes.
    """

    tubes: tuple[str, ...]
    lymphocytes: int
    b_events: int
    b_cells: Share
    cells: tuple[Cd40Cells, ...]
    background: str
    cd3_percent: float | None
    notes: tuple[str, ...] = ()
    t_cells: Cd40TCells | None = None
    isotype_b_events: int | None = None
    volts: tuple[float, ...] = ()


@dataclass(frozen=True)
class MemoryControl:
    """What the run's controls of the memory tube give: means of their medians, and their own switched share and age.

    ``igd_median``, ``igm_median``, ``cd27_negative_median`` and ``cd38_median`` are in compensated linear channel
    values, None where unknown; ``cd27_shape`` is that of a single control, or empty; ``failures`` say in words why a
    control may not be used (empty: it may).
    """

    names: tuple[str, ...] = ()
    igd_median: float | None = None
    igm_median: float | None = None
    cd27_negative_median: float | None = None
    failures: tuple[str, ...] = field(default=())
    cd27_shape: tuple[float, ...] = ()
    cd38_median: float | None = None

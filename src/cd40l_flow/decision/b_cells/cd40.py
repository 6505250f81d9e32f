"""CD40 on B cells and monocytes: its level less the isotype's, over that of the run's controls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cd40l_flow.assay.b_cells import B_CELLS as B_POPULATION
from cd40l_flow.assay.b_cells import CD3_POSITIVE
from cd40l_flow.assay.cd40.gates import MONOCYTES as MONOCYTE_POPULATION
from cd40l_flow.assay.cd40.reagents import CD40, ISOTYPE
from cd40l_flow.assay.cd40.rules import B_CELLS, MONOCYTES
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.b_cells.cd40_t_cells import isotype_sticks, t_cells_of, width_of
from cd40l_flow.decision.b_cells.cells import (
    PooledCells,
    b_cells_of,
    counted_share,
    live_lymphocytes,
    pooled,
    t_cells_among,
    tubes_of,
)
from cd40l_flow.decision.b_cells.measures import Cd40Cells, Cd40Measures, Share
from cd40l_flow.decision.tube_checks import volts_of
from cd40l_flow.gating.b_cells import SEPARATE
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.measures import TargetCells, fit
from cd40l_flow.mixture.medians import FEWEST, median_difference
from cd40l_flow.mixture.model import Anchor
from cd40l_flow.mixture.proportion import Z95, percent_positive
from cd40l_flow.signal.quantiles import median, quantiles

T_CELLS = "CD3+ cells of the same tube"
POPULATIONS = ((B_CELLS, B_POPULATION), (MONOCYTES, MONOCYTE_POPULATION))


def cd40_measures(gated: GatedSample, controls: Sequence[Cd40Measures], limits: Limits) -> Cd40Measures | None:
    """Return what is measured of CD40 in a sample, None without a usable tube ``CD40``.

    ``controls`` are the same of the run's controls; without one there are no ratios. Replicates are pooled. B cells
    without an isotype tube are compared with T cells, which lack CD40; monocytes are then not measured.
    """
    tubes = tubes_of(gated, CD40)
    if not tubes:
        return None
    isotypes, own = tubes_of(gated, ISOTYPE), b_cells_of(tubes)
    lymphocytes = sum(tube.count(live_lymphocytes(tube)) for tube in tubes)
    found, notes, source = [], [], ISOTYPE
    for name, population in POPULATIONS:
        cells, background = pooled(tubes, population), pooled(isotypes, population)
        if not background.count and name == B_CELLS:
            background, source = pooled(tubes, CD3_POSITIVE), T_CELLS
        if cells.count and background.count:
            theirs = _theirs(name, controls, limits)
            measured = _measured(gated, name, cells, background, source, limits, _mean_level(theirs))
            exact = source == ISOTYPE and all(one.background == ISOTYPE for one in controls)
            measured = _with_tail(_with_excess(measured, theirs) if exact else measured, theirs)
            found.append(_compared(measured, theirs, limits))
    if source == T_CELLS:
        notes.append("No isotype tube with B cells: T cells of the same tube, which lack CD40, stand in for it.")
    if not any(cells.population == MONOCYTES for cells in found):
        notes.append("Monocytes were not measured: CD14 is not stained, or their isotype is missing.")
    if tubes and not own.stained("CD3"):
        notes.append("CD3 is not stained: T cells are not left out of the B cells.")
    return Cd40Measures(
        tubes=tuple(tube.signal.events.tube.fcs for tube in tubes),
        lymphocytes=lymphocytes,
        b_events=own.count,
        b_cells=counted_share(own.count, lymphocytes),
        cells=tuple(found),
        background=source,
        cd3_percent=t_cells_among(tubes),
        notes=tuple(notes),
        t_cells=t_cells_of(tubes, isotypes),
        isotype_b_events=b_cells_of(isotypes).count if isotypes else None,
        volts=tuple(sorted({volt for volts in volts_of([*tubes, *isotypes]).values() for volt in volts})),
    )


def _theirs(name: str, controls: Sequence[Cd40Measures], limits: Limits) -> list[Cd40Cells]:
    """Return the same cells of every control, none where they were not measured in each; no monocytes whose isotype
    sticks.
    """
    if name == MONOCYTES and any(isotype_sticks(control, (), limits) for control in controls):
        return []
    theirs = [one for control in controls for one in control.cells if one.population == name]
    known = [one for one in theirs if one.level is not None and one.level_low is not None and one.level > 0]
    return known if len(known) == len(controls) else []


def _mean_level(cells: Sequence[Cd40Cells]) -> float | None:
    return sum(one.level or 0.0 for one in cells) / len(cells) if cells else None


def _measured(
    gated: GatedSample,
    name: str,
    cells: PooledCells,
    background: PooledCells,
    source: str,
    limits: Limits,
    control_level: float | None,
) -> Cd40Cells:
    """Return CD40 on one kind of cells.

    CD40-positive are cells above the isotype's 99th percentile and, beside a control's median CD40, those with at least
    the part of it that CD40_ABSENT lies below: antibody that sticks otherwise than the isotype is no CD40.
    """
    detector = cells.tubes[0].signal.events.markers[TARGET]
    scale, bins = gated.scales[detector], limits.mixture.bins
    values, dark = cells.linear(TARGET), background.linear(TARGET)
    names = tuple(tube.signal.events.tube.fcs for tube in background.tubes)
    counts = histogram(scale.forward(dark), bins)
    anchor = Anchor(counts, source, names, exact=source == ISOTYPE)
    fitted = fit(TargetCells(values, np.empty(0)), anchor, scale, limits, reagent=CD40, detector=detector)
    level, low, high = median_difference(values, dark)
    threshold = fitted.threshold
    least, percent, most = fitted.percent_positive_low, fitted.percent_positive, fitted.percent_positive_high
    bearing = None if control_level is None else median(dark) + limits.b_cells.cd40_absent_ratio_max * control_level
    if bearing is not None and bearing > threshold:
        threshold = bearing
        least, percent, most = percent_positive(values > threshold, counts, scale.to_scaled(threshold))
    # Where all cells are like the isotype's, a mixture may call some of them dim.
    apart = fitted.separation is not None and fitted.separation >= SEPARATE
    return Cd40Cells(
        population=name,
        events=cells.count,
        mfi=median(values),
        mfi_background=median(dark),
        ratio=None,
        ratio_low=None,
        ratio_high=None,
        positive=Share(percent, least, most, int(np.count_nonzero(values > threshold)), None),
        negative_fraction=fitted.negative_fraction if apart else None,
        negative_fraction_low=fitted.negative_fraction_low if apart else None,
        negative_fraction_high=fitted.negative_fraction_high if apart else None,
        level=level,
        level_low=low,
        level_high=high,
        background_sd=width_of(dark),
        low_tail=_low_tail(values, dark),
    )


def _low_tail(values: Floats, dark: Floats) -> float | None:
    """Return the 10th percentile of CD40 over its median, both less the median background; None of few or dark cells.

    One kind of cells has nearly the same in all people; a part of the cells with less CD40 makes it smaller.
    """
    if values.size < FEWEST or dark.size < FEWEST:
        return None
    base = median(dark)
    tenth, middle = quantiles(values, (0.1, 0.5))
    return (tenth - base) / (middle - base) if middle > base else None


def _with_excess(cells: Cd40Cells, theirs: Sequence[Cd40Cells]) -> Cd40Cells:
    """Return the cells with how far their isotype lies above the controls', over the controls' level."""
    mean = _mean_level(theirs)
    dark = [one.mfi_background for one in theirs if one.mfi_background is not None]
    if mean is None or cells.mfi_background is None or len(dark) != len(theirs):
        return cells
    return replace(cells, background_excess=(cells.mfi_background - sum(dark) / len(dark)) / mean)


def _with_tail(cells: Cd40Cells, theirs: Sequence[Cd40Cells]) -> Cd40Cells:
    """Return the cells with their low tail over the mean of the controls'."""
    tails = [one.low_tail for one in theirs if one.low_tail is not None]
    mean = sum(tails) / len(tails) if tails and len(tails) == len(theirs) else 0.0
    if cells.low_tail is None or mean <= 0:
        return cells
    return replace(cells, low_tail_ratio=cells.low_tail / mean)


def _compared(cells: Cd40Cells, theirs: Sequence[Cd40Cells], limits: Limits) -> Cd40Cells:
    """Return the cells with their level over the mean of the controls', and the interval of it.

    It holds the errors of all medians, and what two tubes of one blood differ by (`cd40_tube_cv`).
    """
    mean = _mean_level(theirs)
    if mean is None or cells.level is None:
        return cells
    errors = [((one.level or 0.0) - (one.level_low or 0.0)) / Z95 for one in theirs]
    ratio, cv = cells.level / mean, limits.b_cells.cd40_tube_cv
    if cells.level_low is None or cells.level_high is None:
        return replace(cells, ratio=ratio)
    of_controls = math.hypot(math.hypot(*errors) / len(theirs) / mean, cv / math.sqrt(len(theirs)))
    common = Z95 * abs(ratio) * math.hypot(of_controls, cv)
    low = ratio - math.hypot((cells.level - cells.level_low) / mean, common)
    high = ratio + math.hypot((cells.level_high - cells.level) / mean, common)
    return replace(cells, ratio=ratio, ratio_low=max(low, 0.0), ratio_high=max(high, 0.0))

"""CD40 on B cells and on monocytes: its level less the isotype's beside the controls', and the cells that lack it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cd40l_flow.assay.b_cells import B_CELLS as GATED_B_CELLS
from cd40l_flow.assay.cd40.gates import MONOCYTES as GATED_MONOCYTES
from cd40l_flow.assay.cd40.reagents import CD40, ISOTYPE
from cd40l_flow.assay.cd40.rules import B_CELLS, MONOCYTES
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.b_cells.cells import PooledCells, counted_share, live_lymphocytes, t_cells_among, tubes_of
from cd40l_flow.decision.b_cells.measures import Cd40Cells, Cd40Measures, Share
from cd40l_flow.gating.model import GatedSample, GatedTube
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.measures import TargetCells, fit
from cd40l_flow.mixture.medians import median_interval
from cd40l_flow.mixture.model import Anchor, Expression
from cd40l_flow.mixture.proportion import Z95
from cd40l_flow.mixture.ratio import ratio_interval
from cd40l_flow.signal.censoring import pile
from cd40l_flow.signal.quantiles import median

# Kind of cells -> the population they are gated as.
KINDS = {B_CELLS: GATED_B_CELLS, MONOCYTES: GATED_MONOCYTES}
FEWEST_CELLS = 10
UNKNOWN = Share(None, None, None, 0)


def cd40_measures(gated: GatedSample, controls: Sequence[Cd40Measures], limits: Limits) -> Cd40Measures | None:
    """Return CD40 on the cells of the tube ``CD40``, None without a usable one; ``controls`` are those of the run.

    Replicates are pooled. Without an isotype there is neither a level nor a ratio.
    """
    tubes, isotypes = tubes_of(gated, CD40), tubes_of(gated, ISOTYPE)
    if not tubes:
        return None
    lymphocytes = sum(tube.count(live_lymphocytes(tube)) for tube in tubes)
    b_events = _pooled(tubes, GATED_B_CELLS).count
    cells = [
        _measured(gated, name, _pooled(tubes, population), _pooled(isotypes, population), controls, limits)
        for name, population in KINDS.items()
        if any(population in tube.indices for tube in tubes)
    ]
    return Cd40Measures(
        tubes=tuple(tube.signal.events.tube.fcs for tube in tubes),
        lymphocytes=lymphocytes,
        b_events=b_events,
        b_cells=counted_share(b_events, lymphocytes),
        cells=tuple(cells),
        background=ISOTYPE if isotypes else "",
        cd3_percent=t_cells_among(tubes),
        notes=_notes(gated, tubes, isotypes),
    )


def _pooled(tubes: Sequence[GatedTube], population: str) -> PooledCells:
    return PooledCells(tuple(tube for tube in tubes if population in tube.indices), population)


def _measured(
    gated: GatedSample,
    name: str,
    cells: PooledCells,
    dark: PooledCells,
    controls: Sequence[Cd40Measures],
    limits: Limits,
) -> Cd40Cells:
    """Return CD40 on one kind of cells, ``dark`` being those of the isotype."""
    values = cells.linear(TARGET)
    background = dark.linear(TARGET) if dark.count >= FEWEST_CELLS else np.empty(0)
    mfi = median(values) if values.size >= FEWEST_CELLS else None
    if mfi is None or not background.size:
        return Cd40Cells(name, cells.count, mfi, None, None, None, None, UNKNOWN)
    found = _expression(gated, cells, values, background, limits)
    level = mfi - median(background)
    error = math.hypot(_error(values), _error(background))
    ratio = _ratio(name, level, error, controls)
    low, share, high = ratio if ratio is not None else (None, None, None)
    above = int(np.count_nonzero(values > found.threshold))
    positive = Share(
        found.percent_positive,
        found.percent_positive_low,
        found.percent_positive_high,
        above,
        100 * above / values.size,
    )
    return Cd40Cells(
        population=name,
        events=cells.count,
        mfi=mfi,
        mfi_background=median(background),
        ratio=share,
        ratio_low=low,
        ratio_high=high,
        positive=positive,
        negative_fraction=found.negative_fraction,
        negative_fraction_low=found.negative_fraction_low,
        negative_fraction_high=found.negative_fraction_high,
        mfi_error=error,
    )


def _expression(
    gated: GatedSample, cells: PooledCells, values: Floats, background: Floats, limits: Limits
) -> Expression:
    """Return percent positive and the mixture of one kind of cells, as of any target."""
    scale = gated.scales[cells.tubes[0].signal.events.markers[TARGET]]
    floors = [found.value for each in (values, background) if (found := pile(each)) is not None]
    counts = histogram(scale.forward(background), limits.mixture.bins)
    anchor = Anchor(counts, ISOTYPE, (), exact=True, floor=max(floors, default=None))
    return fit(TargetCells(values, np.empty(0)), anchor, scale, limits, reagent=CD40)


def _error(values: Floats) -> float:
    """Return the standard error of a median, in the unit of the values."""
    low, high = median_interval(values)
    return math.inf if low is None or high is None else (high - low) / (2 * Z95)


def _ratio(
    name: str, level: float, error: float, controls: Sequence[Cd40Measures]
) -> tuple[float, float, float] | None:
    """Return low end, ratio to the mean level of the controls, and high end; None without controls that have it.

    The error of that mean is the larger of what the controls' own errors and their differences give.
    """
    theirs = [one for control in controls for one in control.cells if one.population == name]
    levels = [one.mfi - one.mfi_background for one in theirs if one.mfi is not None and one.mfi_background is not None]
    if not levels or len(levels) < len(controls):
        return None
    own = math.sqrt(sum((one.mfi_error or 0.0) ** 2 for one in theirs)) / len(levels)
    between = float(np.std(levels, ddof=1)) / math.sqrt(len(levels)) if len(levels) > 1 else 0.0
    return ratio_interval(level, error, sum(levels) / len(levels), max(own, between))


def _notes(gated: GatedSample, tubes: Sequence[GatedTube], isotypes: Sequence[GatedTube]) -> tuple[str, ...]:
    """Return what the reader must know of tubes and markers that were not there."""
    notes = []
    if not isotypes:
        notes.append(f"No tube {ISOTYPE}: CD40 has no background, so that there is no level.")
    if not all("CD3" in tube.signal.scaled for tube in tubes):
        notes.append("CD3 is not stained: T cells are not left out.")
    if not all("CD14" in tube.signal.scaled for tube in tubes):
        notes.append("CD14 is not stained: monocytes are not counted.")
    elif not any(GATED_MONOCYTES in tube.indices for tube in tubes):
        reasons = (tube.found["cd14_low"].flag for tube in tubes if "cd14_low" in tube.found)
        notes.append(f"Monocytes could not be gated: {next(reasons, '') or 'no boundary of CD14'}.")
    if not any(GATED_B_CELLS in tube.indices for tube in tubes):
        notes.append(f"B cells could not be gated: {gated.flags[-1] if gated.flags else 'no boundary of CD19'}.")
    return tuple(notes)

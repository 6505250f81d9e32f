"""T cells of the tubes CD40 and CD40-isotype: they lack CD40 and so show stain, isotype and gain of both."""

from __future__ import annotations

from collections.abc import Sequence

from cd40l_flow.assay.b_cells import CD3_POSITIVE
from cd40l_flow.assay.cd40.rules import MONOCYTES
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.b_cells.cells import pooled
from cd40l_flow.decision.b_cells.measures import Cd40Cells, Cd40Measures, Cd40TCells
from cd40l_flow.gating.model import GatedTube
from cd40l_flow.mixture.medians import FEWEST, median_difference
from cd40l_flow.signal.quantiles import median
from cd40l_flow.signal.scale import robust_sd


def width_of(values: Floats) -> float | None:
    """Return the robust SD of values, (n,); None of few or of no width."""
    sd = robust_sd(values)
    return sd if values.size >= FEWEST and sd > 0 else None


def t_cells_of(tubes: Sequence[GatedTube], isotypes: Sequence[GatedTube]) -> Cd40TCells | None:
    """Return CD40 and isotype of the T cells; None without T cells in the CD40 tube."""
    cells, dark = (pooled(both, CD3_POSITIVE) for both in (tubes, isotypes))
    if not cells.count:
        return None
    values, shift, shift_high = cells.linear(TARGET), None, None
    if dark.count:
        isotype = dark.linear(TARGET)
        sd, (level, _, high) = width_of(isotype), median_difference(values, isotype)
        if sd is not None and high is not None:
            shift, shift_high = level / sd, high / sd
    return Cd40TCells(cells.count, dark.count, median(values), width_of(values), shift, shift_high)


def lies_below(cells: Cd40Cells, limits: Limits) -> bool:
    """Return whether cells surely lie below their own background, as no cell does that was stained like it."""
    sd, high = cells.background_sd, cells.level_high
    return sd is not None and high is not None and high < limits.guards.stain_shift_min * sd


def t_cells_below(measures: Cd40Measures, controls: Sequence[Cd40Measures], limits: Limits) -> bool:
    """Return whether the T cells of the CD40 tube surely lie below those of the isotype tube, as where only one of the
    two was stained, or the isotype sticks; or lie farther below them than the controls' do, with the same reagents.
    """
    mine = measures.t_cells
    if mine is None or mine.shift_high is None:
        return False
    theirs = [one.t_cells.shift for one in controls if one.t_cells is not None and one.t_cells.shift is not None]
    usual = sum(theirs) / len(theirs) if theirs else None
    least = limits.b_cells.cd40_t_cells_shift_min
    beyond_controls = usual is not None and mine.shift_high < 0 and mine.shift_high - usual < least
    return mine.shift_high < limits.guards.stain_shift_min or beyond_controls


def isotype_sticks(measures: Cd40Measures, controls: Sequence[Cd40Measures], limits: Limits) -> bool:
    """Return whether the isotype says nothing of what anti-CD40 binds without CD40, so that monocytes, which carry
    little, are not judged by it.
    """
    monocytes = [one for one in measures.cells if one.population == MONOCYTES]
    most = limits.b_cells.cd40_background_excess_max
    return t_cells_below(measures, controls, limits) or any(
        lies_below(one, limits) or (one.background_excess is not None and one.background_excess > most)
        for one in monocytes
    )

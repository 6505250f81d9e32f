"""Fluorescence boundaries, one function a marker: values on the fixed scale to a position, its method and its flag.

No function makes up a gate: where no valley is found, a declared fallback is named in ``method`` and the flag says so;
where that fails too, the position is None.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cd40l_flow.gating.density import density, find_valley, find_valleys, left_sd
from cd40l_flow.inputs.model import Floats
from cd40l_flow.signal.scale import Scale

FEWEST = 100
# Events of a population beyond this many robust SD of its mode are taken for another population (0.1 % of a normal
# one).
EDGE_SD = 3.0
# A valley this deep is no accident of counting.
CLEAR = 0.5


@dataclass(frozen=True)
class Found:
    """A boundary found: ``position`` on the logicle scale (None: not found), how, and what to doubt."""

    position: float | None
    method: str
    flag: str


def _none(reason: str) -> Found:
    return Found(None, "none", reason)


def find_viability(scaled: Floats) -> Found:
    """Return the boundary above which cells are dead, from the viability dye of single cells, (n,) logicle."""
    if scaled.size < FEWEST:
        return _none(f"only {scaled.size} single cells: viability gate not drawn")
    curve = density(scaled)
    valley = find_valley(curve, 0.1, 0.95, min_mass=0.002)
    if valley is not None:
        return Found(valley.position, "valley", "")
    mode = curve.mode()
    return Found(mode + 4 * left_sd(scaled, mode), "live mode + 4 SD", "no valley: no distinct dead cells")


def find_cd3(scaled: Floats, scale: Scale) -> Found:
    """Return the boundary above which cells are CD3+, from live single lymphocytes of the stimulated tubes, (n,)
    logicle.

    PMA lowers CD3, so the stimulated tubes set it. Where activated cells are a CD3-dim peak of their own the lowest
    valley, next to the CD3- cells, is taken: they stay in.
    """
    if scaled.size < FEWEST:
        return _none(f"only {scaled.size} lymphocytes: CD3 gate not drawn")
    curve = density(scaled)
    zero = scale.to_scaled(0.0)
    valleys = find_valleys(curve, zero, 0.95)
    if valleys:
        valley = valleys[0]
        doubts = [f"shallow valley (depth {valley.depth:.2f})"] if valley.depth < 0.5 else []
        doubts += [f"{len(valleys)} CD3+ populations: the dim ones are kept"] if len(valleys) > 1 else []
        return Found(valley.position, "valley", "; ".join(doubts))
    mode = curve.mode()
    spread = left_sd(scaled, mode)
    if mode - EDGE_SD * spread > zero:
        return Found(mode - EDGE_SD * spread, "CD3+ mode - 3 SD", "no valley: hardly any CD3- lymphocytes")
    return _none("one CD3 population at the background: no CD3+ cells found")


def find_cd8(scaled: Floats) -> Found:
    """Return the boundary below which T cells are CD8-, from CD3+ cells, (n,) logicle.

    It lies in the valley, or nearer to the CD8- peak (its mode + 3 SD, the SD from the side below) where a CD8-dim
    shoulder of NK-like T cells fills the gap.
    """
    if scaled.size < FEWEST:
        return _none(f"only {scaled.size} CD3+ cells: CD8 gate not drawn")
    curve = density(scaled)
    valleys = find_valleys(curve, 0.05, 0.95)
    if not valleys:
        mode = curve.mode()
        edge = mode + EDGE_SD * left_sd(scaled, mode)
        return Found(edge, "CD8- mode + 3 SD", "no valley: one CD8 population only")
    valley = valleys[0]
    negative = scaled[scaled < valley.position]
    edge = valley.left_mode + EDGE_SD * max(left_sd(negative, valley.left_mode), 0.01)
    if edge < valley.position:
        return Found(edge, "CD8- mode + 3 SD", "")
    return Found(valley.position, "valley", "")


def find_cd69(unstimulated: Floats, stimulated: Floats, scale: Scale, max_percent: float) -> Found:
    """Return the boundary above which CD3+CD8- cells are CD69+; both inputs are (n,) logicle, of CD3+CD8- cells.

    The unstimulated tube sets the least: at most ``max_percent`` of its cells lie above, but where resting cells are
    already activated (a tail beyond 5 SD of the resting peak) that quantile would cut the activated cells, and the peak
    + 4 SD is taken instead and flagged. Where the stimulated tubes have a clear valley above, it is the boundary: few
    cells activated means many resting ones, whose tail would fill the gate. CD69 can be a shoulder, then there is none.
    Without an unstimulated tube the valley serves alone, flagged.
    """
    if unstimulated.size >= FEWEST:
        curve = density(unstimulated)
        mode = curve.mode()
        spread = max(left_sd(unstimulated, mode), 0.005)
        least = float(np.quantile(unstimulated, 1 - max_percent / 100))
        method, flag = f"unstimulated, {max_percent:g} % above", ""
        if least > mode + 5 * spread:
            least, method = mode + 4 * spread, "unstimulated peak + 4 SD"
            flag = f"{100 * float(np.mean(unstimulated > least)):.1f} % CD69+ without stimulation"
        if stimulated.size >= FEWEST:
            valleys = find_valleys(density(stimulated), least, 0.95, min_depth=CLEAR)
            if valleys:
                above = 100 * float(np.mean(unstimulated > valleys[0].position))
                method = f"valley of the stimulated tubes, {above:.1f} % of the unstimulated above"
                return Found(valleys[0].position, method, flag)
        return Found(least, method, flag)
    if stimulated.size < FEWEST:
        return _none(f"only {stimulated.size} CD3+CD8- cells: CD69 gate not drawn")
    curve = density(stimulated)
    valley = find_valley(curve, scale.to_scaled(0.0), 0.95)
    if valley is not None:
        return Found(valley.position, "valley of the stimulated tube", "no unstimulated tube")
    mode = curve.mode()
    if scale.to_linear(mode) < 3 * scale.linear_width:
        return Found(
            mode + 4 * max(left_sd(stimulated, mode), 0.005),
            "CD69- peak + 4 SD of the stimulated tube",
            "no unstimulated tube and no valley: hardly any CD69+ cells",
        )
    return _none("no unstimulated tube and one CD69 population only: positive or negative cannot be told")

"""Boundaries on one marker: from a density on the fixed scale to a position, its method, flag and evidence.

No gate is invented: without a valley, a declared fallback is named in ``method`` and flagged; if that fails too, the
position is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cd40l_flow.gating.density import STEP, Density, Valley, find_valleys, most_prominent
from cd40l_flow.gating.found import Evidence, Found, joined, no_gate
from cd40l_flow.signal.scale import Scale

FEWEST = 100
# Events beyond this many robust SD of the mode count as another population (0.1 % of a normal one).
EDGE_SD = 3.0
NARROWEST_SD = 0.01
FOOT = 0.05
SHALLOW = 0.5  # depth below which a valley is flagged
# The live peak ends at this many SD; this share of the scale beyond it, with this many cells per live one, is no tail.
LIVE_SD = 4.0
SMEAR, SMEARED = 0.1, 0.05
FEWEST_LIVE = 0.1  # share of the cells that a peak of live ones has
# Cells with this ratio of unstimulated to stimulated frequency were not induced by activation.
ALSO_RESTING = 0.4


def find_viability(curve: Density, tubes: Sequence[Density] = ()) -> Found:
    """Return the boundary above which cells are dead, from the viability dye of single cells.

    It lies in the valley. If dying cells fill the valley, the next one may separate dead cells from dead cells. Cells
    far beyond the foot of the live peak are not live, so the boundary is that foot. ``tubes`` are the densities of
    single tubes where events are piled up: their live cells may lie apart, and the highest foot is that of all. A few
    piled-up cells are the lower end of the live ones.
    """
    low, high = 0.1, 0.95
    valleys = _between_cells(curve, find_valleys(curve, low, high, min_mass=0.002), tubes)
    if valleys and valleys[0].left_mode <= curve.low + STEP and curve.below(valleys[0].position) < FEWEST_LIVE:
        valleys = valleys[1:]
    evidence = Evidence(curve, "below", (low, high), tuple(valleys), (curve.mode(),))
    if curve.total < FEWEST:
        return no_gate(f"only {curve.total} single cells: viability gate not drawn", evidence)
    valley = most_prominent(curve, valleys)
    if valley is not None:
        found = Found(valley.position, "valley", "", evidence)
        mode = curve.mode(high=valley.position)
    else:
        mode = curve.mode()
        edge = curve.seen(mode + LIVE_SD * max(curve.left_sd(mode), NARROWEST_SD))
        edge = max((edge, *(_live_foot(tube, high) for tube in tubes)))
        found = Found(edge, "live mode + 4 SD", "no valley: no distinct dead cells", evidence)
    return _unless_smeared(curve, mode, found, tubes)


def _live_foot(tube: Density, high: float) -> float:
    """Return where the live peak of a tube ends, at most ``high``."""
    foot = _end_of_flank(tube, tube.mode(high=high), high, 1.5, LIVE_SD)
    return foot if tube.foot is None else max(foot, tube.seen(min(tube.foot, high)))


def _unless_smeared(curve: Density, mode: float, found: Found, tubes: Sequence[Density]) -> Found:
    """Return a boundary of viability, or the foot of the live peak where many cells lie between the two."""
    if found.position is None:
        return found
    foot = _end_of_flank(curve, mode, found.position, 1.5, LIVE_SD)
    foot = max((foot, *(_live_foot(tube, found.position) for tube in tubes)))
    live, both = curve.below(foot), curve.below(found.position)
    if found.position - foot < SMEAR or both - live < SMEARED * live:
        return found
    percent = 100 * (both - live)
    flag = f"live and dead cells are not separated: {percent:.0f} % of the cells lie between them"
    return replace(found, position=foot, method="foot of the live peak", flag=flag)


def find_cd3(curve: Density, scale: Scale, resting: Density | None = None) -> Found:
    """Return the boundary above which cells are CD3+, from live single lymphocytes of the stimulated tubes.

    PMA lowers CD3, so the stimulated tubes set it. If activated cells form a CD3-dim peak, the lowest valley, next to
    the CD3- cells, is used, which includes them. ``resting`` is the density of the unstimulated tubes.
    """
    low, high = scale.to_scaled(0.0), 0.95
    valleys = beyond_pile(curve, find_valleys(curve, low, high), resting)
    mode = curve.mode()
    evidence = Evidence(curve, "above", (low, high), tuple(valleys), (mode,))
    if curve.total < FEWEST:
        return no_gate(f"only {curve.total} lymphocytes: CD3 gate not drawn", evidence)
    if valleys:
        doubts = [f"{len(valleys)} CD3+ populations: the dim ones are kept"] if len(valleys) > 1 else []
        return Found(valleys[0].position, "valley", joined(_shallow(valleys[0].depth), *doubts), evidence)
    edge = curve.seen(mode - EDGE_SD * curve.left_sd(mode))
    if edge > low:
        return Found(edge, "CD3+ mode - 3 SD", "no valley: hardly any CD3- lymphocytes", evidence)
    return no_gate("one CD3 population at the background: no CD3+ cells found", evidence)


def beyond_pile(curve: Density, valleys: list[Valley], resting: Density | None) -> list[Valley]:
    """Return the CD3 valleys without the lowest one if that separates piled-up CD3- cells from other CD3- cells.

    Dead cells and monocytes bind more antibody and form a peak above the pile-up, which is also in the unstimulated
    tubes (``resting``). A peak of cells that lost CD3 on activation is not.
    """
    if resting is None or resting.total < FEWEST or len(valleys) < 2 or valleys[0].left_mode > curve.low + STEP:
        return valleys
    ends = [valley.position for valley in valleys[:2]]
    active, rest = (one.below(ends[1]) - one.below(ends[0]) for one in (curve, resting))
    return valleys[1:] if rest >= ALSO_RESTING * active else valleys


def find_cd8(curve: Density, tubes: Sequence[Density] = ()) -> Found:
    """Return the boundary below which T cells are CD8-, from CD3+ cells.

    It lies in the valley. If a CD8-dim shoulder of NK-like T cells fills the gap, it lies at the foot of the CD8- peak:
    the mode + 3 SD (from the lower side). For a peak that is wider above its mode, such as one cut off by a log
    amplifier, it is where the height has dropped to a twentieth. ``tubes`` as in `find_viability`.
    """
    low, high = 0.05, 0.95
    valleys = _between_cells(curve, find_valleys(curve, low, high), tubes)
    evidence = Evidence(curve, "below", (low, high), tuple(valleys), (curve.mode(),))
    if curve.total < FEWEST:
        return no_gate(f"only {curve.total} CD3+ cells: CD8 gate not drawn", evidence)
    if not valleys:
        edge = max((_foot(curve, curve.mode(), high), *(_foot(tube, tube.mode(), high) for tube in tubes)))
        return Found(edge, "foot of the CD8- peak", "no valley: one CD8 population only", evidence)
    valley = valleys[0]
    edge = _foot(curve, valley.left_mode, valley.position)
    edge = max((edge, *(_foot(tube, tube.mode(high=valley.position), valley.position) for tube in tubes)))
    if edge < valley.position:
        return Found(edge, "foot of the CD8- peak", "", evidence)
    return Found(valley.position, "valley", _shallow(valley.depth), evidence)


def _between_cells(curve: Density, valleys: list[Valley], tubes: Sequence[Density]) -> list[Valley]:
    """Return the valleys without the lowest one if it separates tubes and not cells, and another one follows.

    The negative cells of one tube may be piled up and those of another not, which looks like two populations.
    """
    if len(valleys) < 2 or valleys[0].left_mode > curve.low + STEP:
        return valleys
    lowest, following = valleys[:2]
    apart = any(tube.mode(high=following.position) > lowest.position for tube in tubes)
    return valleys[1:] if apart or lowest.depth < SHALLOW <= following.depth else valleys


def find_positive(curve: Density, marker: str, parent: str) -> Found:
    """Return the boundary above which cells of a population are positive for a marker: the valley, without a fallback.

    ``curve`` is the density of the marker in the population ``parent``.
    """
    low, high = 0.1, 0.95
    valleys = find_valleys(curve, low, high)
    evidence = Evidence(curve, "above", (low, high), tuple(valleys), (curve.mode(),))
    if curve.total < FEWEST:
        return no_gate(f"only {curve.total} {parent} cells: {marker} gate not drawn", evidence)
    valley = most_prominent(curve, valleys)
    if valley is None:
        return no_gate(f"one {marker} population only: positive or negative cannot be determined", evidence)
    return Found(valley.position, "valley", _shallow(valley.depth), evidence)


def _foot(curve: Density, mode: float, high: float) -> float:
    """Return where a peak ends above its mode, at most ``high``."""
    spread = max(curve.left_sd(mode, high=high), NARROWEST_SD)
    if mode - EDGE_SD * spread < curve.low:
        return _end_of_flank(curve, mode, high) if curve.foot is None else curve.seen(min(curve.foot, high))
    edge = mode + EDGE_SD * spread
    low = curve.height <= FOOT * np.interp(mode, curve.grid, curve.height)
    beyond = curve.grid[low & (curve.grid >= edge)]
    return float(min(max(edge, beyond[0] - STEP / 2), high)) if beyond.size else high


def _end_of_flank(curve: Density, mode: float, high: float, last: float = 2.0, end: float = EDGE_SD) -> float:
    """Return where a peak ends by its upper flank, at most ``high``: ``end`` SD above the mode of a normal one.

    Such a flank drops to exp(-1/2) of the peak at 1 SD and to exp(-z^2 / 2) at z = ``last``, which must be above the
    density in the gap. The end is extrapolated from these two points.
    """
    top = float(np.interp(mode, curve.grid, curve.height))
    after = (curve.grid >= mode) & (curve.grid <= high)
    positions = []
    for sd in (1.0, last):
        sunk = curve.grid[after & (curve.height <= top * np.exp(-(sd**2) / 2))]
        positions.append(float(sunk[0]) if sunk.size else high)
    first, second = positions
    spread = max((second - first) / (last - 1), NARROWEST_SD)
    return curve.seen(min(second + (end - last) * spread, high))


def _shallow(depth: float) -> str:
    return f"shallow valley (depth {depth:.2f})" if depth < SHALLOW else ""

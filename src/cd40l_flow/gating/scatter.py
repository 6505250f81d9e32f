"""The scatter gate: lymphocytes including blasts, without dying cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.shared_gates import LYMPHOCYTES
from cd40l_flow.base.model import Floats, Singles
from cd40l_flow.gating.density import Counts, Density, Ends, counted, density_of, find_valleys, spread_out
from cd40l_flow.gating.found import Evidence, Found, joined, no_gate
from cd40l_flow.gating.model import Boundary, EventIndices, ScatterGate
from cd40l_flow.gating.polygon import convex_hull, right_of
from cd40l_flow.gating.scatter_map import SIDE, SQUARES, ScatterMap, Squares
from cd40l_flow.gating.thresholds import beyond_pile
from cd40l_flow.signal.acquisition import Mask

RADIUS = 3.6
VERTICES = 36
TRIM = 2.7
# The core is searched in cells of 4 x 4 squares.
COARSER = 4
CELLS = SIDE // COARSER
FEWEST = 50
NO_LYMPHOCYTES = "no {}+ lymphocytes found in FSC x SSC"
# At sizes where two of three CD3+ cells take up the viability dye, the others are dying too.
DYING = 2.0
FEWEST_DEAD = 100


@dataclass(frozen=True)
class Scattered:
    """The data of one tube for the scatter gate, each array (n,): squares of the map, CD3 and CD69 (logicle).

    ``cd3`` is what lymphocytes are recognised by: CD3, or CD19 where CD3 is not stained. ``cd69`` is None where blasts
    are not asked for. ``dropped`` are the indices of excluded events, ``dead`` those of the others that took up the
    viability dye.
    """

    squares: Squares
    cd3: Singles
    cd69: Singles | None
    dropped: EventIndices
    dead: EventIndices
    stimulated: bool


@dataclass(frozen=True)
class _Cloud:
    """Occupied squares of the map: logarithms of their centres, (squares, 2), and counts, (squares,).

    ``counts``, (cuts + 1, squares), are live events by the number of CD3 cuts passed, ``dead`` the same for dead
    events.
    """

    held: Counts
    points: Floats
    counts: Counts
    dead: Counts

    def positive(self, cuts: int) -> Counts:
        """Return the live events of each square, (squares,), that pass at least this many cuts."""
        events: Counts = self.counts[cuts:].sum(axis=0)
        return events


def find_lymphocytes(
    tubes: Sequence[Scattered], scatter_map: ScatterMap, ends: Ends | None = None, marker: str = "CD3"
) -> Found:
    """Return the FSC x SSC region of the CD3+ cells, widened for blasts: a convex polygon, ``shape``.

    CD3 separates lymphocytes from granulocytes and debris on any instrument ("back-gating"). The region is the ellipse
    of a trimmed covariance of the logarithms (scatter is skewed) of the CD3+ cells, stretched to the same ellipse
    around the CD3+ cells with induced CD69, which are larger. It ends where cells shrink and die: below the size at
    which two of three CD3+ cells are dead. ``ends`` are those of the CD3 detector. ``marker`` is what replaces
    CD3.
    """
    counts = [(tube.stimulated, _live_cd3(tube)) for tube in tubes]
    curve = density_of(np.sum([one for _, one in counts], axis=0), ends=ends)
    low, high = 0.15, 0.9
    valleys = find_valleys(curve, low, high)
    if ends is not None:
        active, resting = (
            density_of(np.sum([one for stimulated, one in counts if stimulated == which], axis=0), ends=ends)
            if any(stimulated == which for stimulated, _ in counts)
            else None
            for which in (True, False)
        )
        valleys = beyond_pile(active or curve, valleys, resting)
    mode = curve.mode()
    evidence = Evidence(curve, "above", (low, high), tuple(valleys), (mode,))
    if curve.total < FEWEST:
        return no_gate(NO_LYMPHOCYTES.format(marker), evidence)
    cuts = [valley.position for valley in valleys]
    method, flag = f"{marker}+ back-gate", ""
    if not cuts:
        cuts = [curve.seen(mode - 3 * curve.left_sd(mode))]
        method, flag = f"{marker} mode", f"no valley in {marker} before the scatter gate"
    kinds = [_kinds(tube, cuts) for tube in tubes]
    cloud = _cloud(tubes, kinds, len(cuts), scatter_map)
    lowest = _lowest_cut(cloud, len(cuts))
    if lowest is None:
        return no_gate(NO_LYMPHOCYTES.format(marker), evidence)
    cut, core = lowest
    centre, covariance = _moments(cloud.points, cloud.positive(cut), core)
    centres = [centre]
    blasts = _blasts(tubes, kinds, cut, len(cuts))
    if blasts.sum() >= FEWEST:
        held = np.flatnonzero(blasts)
        centres.append(_shifted(scatter_map.middles(held), blasts[held], centre, covariance))
    vertices = convex_hull(np.vstack([np.exp(_ellipse(place, covariance)) for place in centres]))
    seen, edge = _dying(cloud, cut, scatter_map, vertices)
    if edge is not None:
        vertices = right_of(vertices, edge)
        method = f"{method}; ends where two of three {marker}+ cells are dead"
    return Found(None, method, joined(flag), seen, vertices)


def _live_cd3(tube: Scattered) -> Counts:
    """Return the CD3 histogram of live included events, (1600,)."""
    live: Counts = counted(tube.cd3) - counted(tube.cd3.take(tube.dropped)) - counted(tube.cd3.take(tube.dead))
    return live


def _kinds(tube: Scattered, cuts: Sequence[float]) -> NDArray[np.uint8]:
    """Return for each event, (n,), the number of CD3 cuts it passes; cuts + 1 is added for dead ones, 2 cuts + 2 means
    excluded.
    """
    kinds = (tube.cd3 > cuts[0]).view(np.uint8)
    for cut in cuts[1:]:
        kinds += tube.cd3 > cut
    kinds[tube.dead] += len(cuts) + 1
    kinds[tube.dropped] = 2 * len(cuts) + 2
    return kinds


def _cloud(
    tubes: Sequence[Scattered], kinds: Sequence[NDArray[np.uint8]], cuts: int, scatter_map: ScatterMap
) -> _Cloud:
    """Return the counts of all tubes' events in the squares of the map."""
    codes = np.empty(sum(kind.size for kind in kinds), dtype=np.intp)
    first = 0
    for tube, kind in zip(tubes, kinds, strict=True):
        part = codes[first : first + kind.size]
        np.multiply(kind, SQUARES, out=part, dtype=np.intp)
        part += tube.squares
        first += kind.size
    shape = (2 * cuts + 3, SQUARES)
    counts = np.bincount(codes, minlength=shape[0] * shape[1]).reshape(shape)
    held = np.flatnonzero(counts[:-1].any(axis=0))
    counts = counts.take(held, axis=1)
    return _Cloud(held, scatter_map.middles(held), counts[: cuts + 1], counts[cuts + 1 : -1])


def _lowest_cut(cloud: _Cloud, cuts: int) -> tuple[int, Mask] | None:
    """Return the lowest CD3 cut whose positive cells have the core of the T cells, and the squares of that core.

    Cuts are numbered from 1. Granulocytes bind more of every antibody and may separate from other CD3- cells. The core
    with the lowest side scatter is that of the T cells; cuts that find it within half a natural logarithm agree.
    """
    cores = []
    for cut in range(1, cuts + 1):
        positive = cloud.positive(cut)
        if positive.sum() >= FEWEST:
            core = _core(cloud, positive)
            cores.append((cut, core, _median(cloud.points[core, 1], positive[core])))
    if not cores:
        return None
    least = min(side for _, _, side in cores)
    return next((cut, core) for cut, core, side in cores if side < least + 0.5)


def _median(values: Floats, weights: Counts) -> float:
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulated, cumulated[-1] / 2)])


def _blasts(tubes: Sequence[Scattered], kinds: Sequence[NDArray[np.uint8]], cut: int, cuts: int) -> Counts:
    """Return the map of live CD3+ cells of stimulated tubes with more CD69 than 98 % of the unstimulated ones."""
    found = np.zeros(SQUARES, dtype=np.intp)
    resting = [
        counted(tube.cd69[np.flatnonzero((kind >= cut) & (kind <= cuts))])
        for tube, kind in zip(tubes, kinds, strict=True)
        if not tube.stimulated and tube.cd69 is not None
    ]
    if np.sum(resting) < FEWEST:
        return found
    limit = density_of(np.sum(resting, axis=0)).quantile(0.98)
    bright = [
        tube.squares[np.flatnonzero((tube.cd69 > limit) & (kind >= cut) & (kind <= cuts))]
        for tube, kind in zip(tubes, kinds, strict=True)
        if tube.stimulated and tube.cd69 is not None
    ]
    return np.bincount(np.concatenate(bright), minlength=SQUARES) if bright else found


def _moments(points: Floats, weights: Counts, start: Mask) -> tuple[Floats, Floats]:
    """Return centre and covariance of the population around ``start``, trimmed until convergence.

    ``points``, (n, 2), are squares, ``weights`` their counts, ``start`` a mask of the initial ones.
    """
    own = weights > 0
    points, counts = points[own], weights[own].astype(np.float64)
    centre, covariance = _spread(points[start[own]], counts[start[own]])
    before = -1.0
    lost = np.exp(-(TRIM**2) / 2)
    for _ in range(30):
        kept = _distance(points, centre, covariance) < TRIM**2
        held = float(counts[kept].sum())
        # Correct for the covariance that trimming at this radius removes from a 2-D normal.
        centre, covariance = _spread(points[kept], counts[kept])
        covariance /= 1 - TRIM**2 / 2 * lost / (1 - lost)
        if abs(held - before) <= 1e-5 * held:
            break
        before = held
    return centre, covariance


def _spread(points: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the weighted mean, (2,), and covariance, (2, 2), of points."""
    total = weights.sum()
    centre: Floats = weights @ points / total
    off = points - centre
    covariance: Floats = (off * weights[:, None]).T @ off / max(total - 1, 1.0)
    return centre, covariance


def _distance(points: Floats, centre: Floats, covariance: Floats) -> Floats:
    """Return squared Mahalanobis distances, (n,)."""
    across, up = (points - centre).T
    (xx, xy), (_, yy) = np.linalg.inv(covariance)
    squared: Floats = xx * across**2 + 2 * xy * across * up + yy * up**2
    return squared


def _shifted(points: Floats, weights: Counts, centre: Floats, covariance: Floats) -> Floats:
    """Return the centre of a population of known covariance, starting from ``centre``; ``weights`` are counts.

    Bright events far away or widely spread are no blasts: only the centre of the ellipse may move.
    """
    for _ in range(30):
        kept = _distance(points, centre, covariance) < TRIM**2
        if weights[kept].sum() < FEWEST:
            break
        moved: Floats = weights[kept] @ points[kept] / weights[kept].sum()
        settled = bool(np.all(np.abs(moved - centre) < 1e-4))
        centre = moved
        if settled:
            break
    return centre


def _ellipse(centre: Floats, covariance: Floats) -> Floats:
    root = np.linalg.cholesky(covariance)
    angle = 2 * np.pi * np.arange(VERTICES) / VERTICES
    circle = np.column_stack((np.cos(angle), np.sin(angle))) * RADIUS / np.cos(np.pi / VERTICES)
    outline: Floats = centre + circle @ root.T
    return outline


def _dying(cloud: _Cloud, cut: int, scatter_map: ScatterMap, vertices: Floats) -> tuple[Evidence, float | None]:
    """Return the sizes of live and dead CD3+ cells, and the size below which two of three are dead, or None.

    Only cells with the side scatter of the gate are used; the search goes down from the live cells' mode.
    """
    unit = 1.25 * float(vertices[:, 0].max())
    in_ssc = (cloud.points[:, 1] >= np.log(vertices[:, 1].min())) & (cloud.points[:, 1] <= np.log(vertices[:, 1].max()))
    rows, ends = cloud.held[in_ssc] // SIDE, scatter_map.ends(0)
    live, dead = (
        density_of(spread_out(ends, np.bincount(rows, counts[cut:, in_ssc].sum(axis=0), SIDE), 0.0, unit))
        for counts in (cloud.counts, cloud.dead)
    )
    mode = live.mode(0.0, 1.0)
    allowed = (float(vertices[:, 0].min()) / unit, mode)
    edge = None
    if dead.total >= FEWEST_DEAD:
        bandwidth = 0.015
        here, there = _counted(live, bandwidth), _counted(dead, bandwidth)
        over = np.flatnonzero((live.grid < mode) & (live.grid > allowed[0]) & (there >= DYING * here))
        edge = float(live.grid[over[-1]]) if over.size else None
    evidence = Evidence(
        live, "above", allowed, modes=(mode,), reference=dead if dead.total else None, quantile=edge, unit=unit
    )
    return evidence, edge * unit if edge is not None else None


def _counted(curve: Density, bandwidth: float) -> Floats:
    """Return smoothed counts on the grid of a density."""
    heights: Floats = curve.smoothed(bandwidth) * curve.total
    return heights


def _core(cloud: _Cloud, positive: Counts) -> Mask:
    """Return which squares lie in the core of the CD3+ cloud in FSC x SSC, (squares,); ``positive`` are its counts.

    The map is the number of CD3+ events times their share in each square, so that a few sticky cells among many others
    do not look like T cells. The core is the connected region above 15 % of the map's peak.
    """
    cells = (cloud.held // SIDE // COARSER) * CELLS + (cloud.held % SIDE) // COARSER
    everything, cd3 = (_smooth(cells, weights) for weights in (cloud.counts.sum(axis=0), positive))
    score = cd3 * cd3 / np.maximum(everything, 1e-9)
    high_enough = score >= 0.15 * score.max()
    region = np.zeros_like(high_enough)
    region[np.unravel_index(int(np.argmax(score)), score.shape)] = True
    for _ in range(2 * CELLS):
        grown = region.copy()
        grown[1:] |= region[:-1]
        grown[:-1] |= region[1:]
        grown[:, 1:] |= region[:, :-1]
        grown[:, :-1] |= region[:, 1:]
        grown &= high_enough
        if np.array_equal(grown, region):
            break
        region = grown
    mask: Mask = region.ravel()[cells]
    return mask


def _smooth(cells: Counts, weights: Counts) -> Floats:
    """Return the weights summed by cell, (CELLS, CELLS), blurred twice by one cell in each direction."""
    counts: Floats = np.bincount(cells, weights, CELLS * CELLS).reshape(CELLS, CELLS).astype(np.float64)
    for _ in range(2):
        padded = np.pad(counts, 1, mode="edge")
        across = padded[:-2] + 2 * padded[1:-1] + padded[2:]
        counts = (across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]) / 16
    return counts


def rectangle(gate: ScatterGate, sides: Mapping[str, Boundary]) -> ScatterGate:
    """Return the scatter gate as a rectangle with the given sides, by their names; other sides from the polygon."""
    low, high = gate.vertices.min(axis=0), gate.vertices.max(axis=0)
    ends = zip(current_assay().boundaries(LYMPHOCYTES), (low[0], high[0], low[1], high[1]), strict=True)
    x0, x1, y0, y1 = (sides[name].value if name in sides else float(end) for name, end in ends)
    vertices = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return ScatterGate(gate.fsc, gate.ssc, vertices, "override", gate.flag, gate.vertices, tuple(sides.values()))

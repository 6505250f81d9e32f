"""The scatter gate: where lymphocytes lie, blasts among them, and where cells of their kind are dying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.gating.density import Density, density, find_valleys
from cd40l_flow.gating.found import Evidence, Found, joined, no_gate
from cd40l_flow.gating.model import Boundary, ScatterGate
from cd40l_flow.inputs.model import Floats
from cd40l_flow.signal.acquisition import Mask

RADIUS = 3.6
VERTICES = 36
TRIM = 2.7
CELLS = 64
SQUARE = 0.01
FEWEST = 50
NO_LYMPHOCYTES = "no CD3+ lymphocytes found in FSC x SSC"
# Where two of three CD3+ cells of a size have taken up the viability dye, the others are dying as well.
DYING = 2.0
FEWEST_DEAD = 100


@dataclass(frozen=True)
class Scattered:
    """Events of all tubes together, each array (n,): scatter in channels, CD3 and CD69 logicle.

    ``dead`` are the events that took up the viability dye, ``stimulated`` those of stimulated tubes.
    """

    fsc: Floats
    ssc: Floats
    cd3: Floats
    cd69: Floats
    dead: Mask
    stimulated: Mask


def find_lymphocytes(events: Scattered) -> Found:
    """Return the region of FSC x SSC where the CD3+ cells lie, widened for blasts: a convex polygon, ``shape``.

    CD3 tells lymphocytes from granulocytes and debris on any instrument ("back-gating"). The region is the ellipse of a
    trimmed covariance of the logarithms (scatter is skewed) of the CD3+ cells, stretched to the same ellipse around the
    CD3+ cells with induced CD69, which are larger. It ends
    where cells shrink and die: below the size at which two of three CD3+ cells are dead.
    """
    alive = ~events.dead
    curve = density(events.cd3[alive])
    low, high = 0.15, 0.9
    valleys = find_valleys(curve, low, high)
    mode = curve.mode()
    evidence = Evidence(curve, "above", (low, high), tuple(valleys), (mode,))
    if np.count_nonzero(alive) < FEWEST:
        return no_gate(NO_LYMPHOCYTES, evidence)
    cuts = [valley.position for valley in valleys]
    method, flag = "CD3+ back-gate", ""
    if not cuts:
        cuts = [mode - 3 * curve.left_sd(mode)]
        method, flag = "CD3 mode", "no valley in CD3 before the scatter gate"
    points = np.column_stack([_logarithm(events.fsc), _logarithm(events.ssc)])
    heart = _lowest_cut(points[alive], events.cd3[alive], cuts)
    if heart is None:
        return no_gate(NO_LYMPHOCYTES, evidence)
    cut, core = heart
    positive = events.cd3 > cut
    found = positive & alive
    centre, covariance = _moments(points[found], core)
    centres = [centre]
    blasts = points[found & _bright(events, found)]
    if blasts.shape[0] >= FEWEST:
        centres.append(_shifted(blasts, centre, covariance))
    vertices = _hull(np.vstack([np.exp(_ellipse(place, covariance)) for place in centres]))
    seen, edge = _dying(events, positive, vertices)
    if edge is not None:
        vertices = _right_of(vertices, edge)
        method = f"{method}; ends where two of three CD3+ cells are dead"
    return Found(None, method, joined(flag), seen, vertices)


def _lowest_cut(points: Floats, cd3: Floats, cuts: Sequence[float]) -> tuple[float, Mask] | None:
    """Return the lowest cut in CD3 whose positive cells have their heart where T cells are, and that heart.

    Granulocytes bind more of every antibody and may part from other CD3- cells; of the hearts that the cuts give that
    with the least side scatter is the T cells', and cuts that find it within half a natural logarithm agree.
    """
    hearts = []
    for cut in cuts:
        positive = cd3 > cut
        if np.count_nonzero(positive) >= FEWEST:
            core = _core(points, positive)
            hearts.append((cut, core, float(np.median(points[positive][core, 1]))))
    if not hearts:
        return None
    least = min(side for _, _, side in hearts)
    return next((cut, core) for cut, core, side in hearts if side < least + 0.5)


def _bright(events: Scattered, found: Mask) -> Mask:
    """Return which events of stimulated tubes have more CD69 than 98 % of the CD3+ cells of the unstimulated ones."""
    resting = density(events.cd69[found & ~events.stimulated])
    if resting.total < FEWEST:
        return np.zeros(found.size, dtype=bool)
    bright: Mask = events.stimulated & (events.cd69 > resting.quantile(0.98))
    return bright


def _logarithm(values: Floats) -> Floats:
    """Return logarithms; what is not positive lies far below everything."""
    least = 1e-3 * max(float(np.median(values)), 1e-6)
    logarithms: Floats = np.log(np.maximum(values, least))
    return logarithms


def _moments(points: Floats, start: Mask) -> tuple[Floats, Floats]:
    """Return centre and covariance of the population around ``start``, trimmed until they stay.

    Events are counted in squares of a hundredth of a natural logarithm, far smaller than any population.
    """
    centre, covariance = points[start].mean(axis=0), np.cov(points[start].T)
    squares, weights = _squares(points)
    before = -1.0
    lost = np.exp(-(TRIM**2) / 2)
    for _ in range(30):
        kept = _distance(squares, centre, covariance) < TRIM**2
        held = float(weights[kept].sum())
        centre = np.average(squares[kept], axis=0, weights=weights[kept])
        # Trimming at this radius shrinks the covariance of a 2-D normal; undo it.
        covariance = np.cov(squares[kept].T, fweights=weights[kept]) / (1 - TRIM**2 / 2 * lost / (1 - lost))
        if abs(held - before) <= 1e-5 * held:
            break
        before = held
    return centre, covariance


def _squares(points: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Return the middles of the squares that hold points, (squares, 2), and how many each holds."""
    least = points.min(axis=0)
    cells = ((points - least) / SQUARE).astype(np.intp)
    rows = int(cells[:, 1].max()) + 1
    counts = np.bincount(cells[:, 0] * rows + cells[:, 1])
    held = np.flatnonzero(counts)
    middles = np.column_stack([held // rows, held % rows]) * SQUARE + SQUARE / 2
    return least + middles, counts[held]


def _distance(points: Floats, centre: Floats, covariance: Floats) -> Floats:
    """Return squared Mahalanobis distances, (n,)."""
    across, up = (points - centre).T
    (xx, xy), (_, yy) = np.linalg.inv(covariance)
    squared: Floats = xx * across**2 + 2 * xy * across * up + yy * up**2
    return squared


def _shifted(points: Floats, centre: Floats, covariance: Floats) -> Floats:
    """Return the centre of a population of known covariance, looked for from ``centre`` on.

    What is bright far away, or spread more widely, is no blast: only the place of the ellipse may move.
    """
    for _ in range(30):
        kept = points[_distance(points, centre, covariance) < TRIM**2]
        if kept.shape[0] < FEWEST:
            break
        moved = kept.mean(axis=0)
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


def _hull(points: Floats) -> Floats:
    """Return the convex hull, counter-clockwise (Andrew's monotone chain)."""
    ordered = sorted(map(tuple, points.tolist()))

    def chain(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        kept: list[tuple[float, float]] = []
        for x, y in places:
            while len(kept) >= 2:
                (x0, y0), (x1, y1) = kept[-2:]
                if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0:
                    break
                kept.pop()
            kept.append((x, y))
        return kept[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def _dying(events: Scattered, positive: Mask, vertices: Floats) -> tuple[Evidence, float | None]:
    """Return the sizes of live and dead CD3+ cells, and the size below which two of three are dead, or None.

    Only cells with the side scatter of the gate are looked at; the search goes down from the live cells' mode.
    """
    bottom, top = vertices[:, 1].min(), vertices[:, 1].max()
    unit = 1.25 * float(vertices[:, 0].max())
    looked = positive & (events.ssc >= bottom) & (events.ssc <= top)
    live = density(events.fsc[looked & ~events.dead] / unit)
    dead = density(events.fsc[looked & events.dead] / unit)
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


def _right_of(vertices: Floats, edge: float) -> Floats:
    """Return a polygon without what lies left of a vertical line (Sutherland and Hodgman)."""
    kept: list[tuple[float, float]] = []
    for (x0, y0), (x1, y1) in zip(vertices.tolist(), np.roll(vertices, -1, axis=0).tolist(), strict=True):
        if x0 >= edge:
            kept.append((x0, y0))
        if (x0 >= edge) != (x1 >= edge):
            kept.append((edge, y0 + (edge - x0) / (x1 - x0) * (y1 - y0)))
    return np.array(kept)


def _core(points: Floats, positive: Mask) -> Mask:
    """Return which CD3+ events lie in the heart of the CD3+ cloud in FSC x SSC, (positives,).

    The map is the number of CD3+ events times their share in each place: where other cells abound, a few sticky ones
    among them must not look like T cells. The heart is the connected region above 15 % of the map's peak.
    """
    low, high = np.quantile(points, (0.002, 0.998), axis=0)
    cells = np.clip(((points - low) / np.maximum(high - low, 1e-9) * CELLS).astype(np.intp), 0, CELLS - 1)
    flat = cells[:, 0] * CELLS + cells[:, 1]
    everything = _smooth(np.bincount(flat, minlength=CELLS * CELLS).reshape(CELLS, CELLS).astype(np.float64))
    cd3 = _smooth(np.bincount(flat[positive], minlength=CELLS * CELLS).reshape(CELLS, CELLS).astype(np.float64))
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
    mask: Mask = region[cells[positive, 0], cells[positive, 1]]
    return mask


def _smooth(counts: Floats) -> Floats:
    """Return a 2-D histogram blurred by one cell in each direction, twice."""
    for _ in range(2):
        for axis in (0, 1):
            padded = np.pad(counts, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
            parts = [np.take(padded, np.arange(shift, shift + CELLS), axis=axis) for shift in (0, 1, 2)]
            counts = 0.25 * parts[0] + 0.5 * parts[1] + 0.25 * parts[2]
    return counts


def rectangle(gate: ScatterGate, sides: dict[str, Boundary]) -> ScatterGate:
    """Return the scatter gate as a rectangle with the given sides (``lymph_fsc_low`` ...); other sides from the
    polygon.
    """
    low, high = gate.vertices.min(axis=0), gate.vertices.max(axis=0)
    x0 = sides["lymph_fsc_low"].value if "lymph_fsc_low" in sides else float(low[0])
    x1 = sides["lymph_fsc_high"].value if "lymph_fsc_high" in sides else float(high[0])
    y0 = sides["lymph_ssc_low"].value if "lymph_ssc_low" in sides else float(low[1])
    y1 = sides["lymph_ssc_high"].value if "lymph_ssc_high" in sides else float(high[1])
    vertices = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return ScatterGate(gate.fsc, gate.ssc, vertices, "override", gate.flag, gate.vertices, tuple(sides.values()))

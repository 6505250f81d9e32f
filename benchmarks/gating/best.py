"""The best F1 that thresholds can reach on one tube when the truth of every event is known.

The gate is of the kind the workflow draws: one threshold each for viability, CD3, CD8 and CD69 on the compensated
scale, a band of the singlet ratio, and a scatter region, which is either the found polygon or the ellipse of the
true cells, blown up or shrunk. Each threshold in turn is put where F1 is highest with the others held, until nothing
improves, from several starts. The optimum of such a search is a lower bound of the true best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.gating.samples import Mask, f1
from cd40l_flow.base.model import Floats
from cd40l_flow.gating.model import GatedTube, ScatterGate
from cd40l_flow.gating.singlets import singlet_ratio

# Steps of a threshold: quantiles of the true cells and of all events.
STEPS = 1024
PASSES = 12
STARTS = (0.0, 0.002, 0.01, 0.03)


@dataclass(frozen=True)
class Side:
    """One threshold: events pass when ``values``, (events,), are at most it; ``found`` is where the workflow put it."""

    gate: str
    values: Floats
    found: float


@dataclass(frozen=True)
class Best:
    """The best F1, the events it gates, and by gate F1 with that one threshold of it in place of the found one."""

    f1: float
    count: int
    alone: dict[str, float]


def best_f1(tube: GatedTube, true: Mask) -> Best:
    """Return the best F1 against ``true``, (events,), of any thresholds on this tube."""
    candidates = [search(sides, true) for sides in _kinds_of_sides(tube, true)]
    return max(candidates, key=lambda best: best.f1)


def _kinds_of_sides(tube: GatedTube, true: Mask) -> list[list[Side]]:
    """Return the thresholds with either scatter region; upper limits, so those from below have their sign changed."""
    signal = tube.signal
    sides = []
    for gate, marker, sign in (
        ("viability_high", "viability", 1),
        ("cd3_low", "CD3", -1),
        ("cd8_high", "CD8", 1),
        ("cd69_low", "CD69", -1),
    ):
        if marker in signal.scaled:
            boundary = tube.boundary(gate)
            found = sign * boundary.scaled if boundary else np.inf
            sides.append(Side(gate, sign * np.asarray(signal.scaled[marker], dtype=np.float64), found))
    ratio = singlet_ratio(signal, np.arange(len(signal.events.values), dtype=np.int32))
    if ratio is not None:
        for gate, sign in (("singlet_low", -1), ("singlet_high", 1)):
            boundary = tube.boundary(gate)
            found = sign * boundary.value if boundary else np.inf
            sides.append(Side(gate, np.nan_to_num(sign * ratio, nan=np.inf), found))
    scatter = signal.events.scatter
    if scatter.fsc is None or scatter.ssc is None:  # mass cytometry
        return [sides]
    points = np.column_stack([signal.detector(scatter.fsc), signal.detector(scatter.ssc)])
    kinds = [[*sides, Side("lymphocytes", _distance(points, points[true]), np.inf)]]
    if tube.scatter_gate is not None:
        kinds.append([*sides, Side("lymphocytes", _blown_up(points, tube.scatter_gate), 1.0)])
    return kinds


def _distance(points: Floats, cells: Floats) -> Floats:
    """Return the Mahalanobis distance of ``points``, (n, 2), from the cloud of ``cells``."""
    if len(cells) < 3:
        return np.zeros(len(points))
    inverse = np.linalg.inv(np.cov(cells.T))
    off = points - cells.mean(axis=0)
    return np.sqrt(np.einsum("ni,ij,nj->n", off, inverse, off))


def _blown_up(points: Floats, gate: ScatterGate) -> Floats:
    """Return by how much the polygon must grow about its centre to hold each of ``points``, (n, 2)."""
    centre = gate.vertices.mean(axis=0)
    starts = gate.vertices - centre
    ends = np.roll(starts, -1, axis=0)
    normals = np.column_stack([ends[:, 1] - starts[:, 1], starts[:, 0] - ends[:, 0]])
    normals = normals / np.einsum("ki,ki->k", normals, starts)[:, None]
    off = points - centre
    factor = np.full(len(points), -np.inf)
    for normal in normals:
        np.maximum(factor, off @ normal, out=factor)
    return factor


def search(sides: list[Side], true: Mask) -> Best:
    """Return the best of several climbs, each until no change of one threshold improves F1 against ``true``."""
    edges = [_edges(side, true) for side in sides]
    # Step k of a threshold is its k-th edge: a code of at most k passes.
    codes = [
        np.searchsorted(edge, side.values, side="left").astype(np.int32)
        for edge, side in zip(edges, sides, strict=True)
    ]
    cells = int(np.count_nonzero(true))
    starts = [[int(np.searchsorted(edge, side.found)) for edge, side in zip(edges, sides, strict=True)]]
    for tail in STARTS:
        tops = [np.quantile(side.values[true], 1 - tail) if cells else np.inf for side in sides]
        starts.append([int(np.searchsorted(edge, top)) for edge, top in zip(edges, tops, strict=True)])
    found = starts[0]
    score, steps = max((_climb(codes, edges, true, start) for start in starts), key=lambda pair: pair[0])
    alone = {}
    for at, side in enumerate(sides):
        mixed = [steps[at] if other == at else found[other] for other in range(len(sides))]
        alone[side.gate] = f1(_passing(codes, mixed), true)
    return Best(score, int(np.count_nonzero(_passing(codes, steps))), alone)


def _edges(side: Side, true: Mask) -> Floats:
    grid = np.linspace(0.0, 1.0, STEPS)
    finite = side.values[np.isfinite(side.values)]
    parts = [np.quantile(values, grid) for values in (finite, side.values[true]) if values.size]
    parts.append(np.array([side.found] if np.isfinite(side.found) else []))
    edges = np.unique(np.concatenate(parts))
    return edges[np.isfinite(edges)]


def _passing(codes: list[NDArray[np.int32]], steps: list[int]) -> Mask:
    mask: Mask = np.ones(codes[0].size, dtype=np.bool_)
    for code, step in zip(codes, steps, strict=True):
        mask &= code <= step
    return mask


def _climb(
    codes: list[NDArray[np.int32]], edges: list[Floats], true: Mask, start: list[int]
) -> tuple[float, list[int]]:
    """Return the F1 and the steps that no change of one threshold improves."""
    cells = int(np.count_nonzero(true))
    steps = list(start)
    failing = np.zeros(codes[0].size, dtype=np.int8)
    for code, step in zip(codes, steps, strict=True):
        failing += code > step
    score = -1.0
    for _ in range(PASSES):
        before = score
        for at, code in enumerate(codes):
            own = code > steps[at]
            within = failing == own  # fails nowhere else
            size = len(edges[at]) + 1
            passed = np.cumsum(np.bincount(code[within], minlength=size))
            hits = np.cumsum(np.bincount(code[within & true], minlength=size))
            scores = 2.0 * hits / np.maximum(passed + cells, 1)
            steps[at] = int(np.argmax(scores))
            score = float(scores[steps[at]])
            failing += (code > steps[at]).astype(np.int8) - own.astype(np.int8)
        if score <= before + 1e-5:
            break
    return score, steps

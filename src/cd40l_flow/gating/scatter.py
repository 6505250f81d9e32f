"""Scatter boundaries: where lymphocytes lie, which events are single cells."""

from __future__ import annotations

import numpy as np

from cd40l_flow.gating.density import density, find_valleys, left_sd
from cd40l_flow.gating.model import Boundary, ScatterGate
from cd40l_flow.inputs.model import Floats
from cd40l_flow.signal.acquisition import Mask
from cd40l_flow.signal.prepare import TubeSignal

RADIUS = 3.8
VERTICES = 36
TRIM = 3.0
CELLS = 64


def find_lymphocytes(fsc: Floats, ssc: Floats, cd3: Floats, names: tuple[str, str]) -> ScatterGate | None:
    """Return the region of FSC x SSC where the CD3+ cells lie, widened for blasts, or None when no CD3+ cells are seen.

    ``fsc``, ``ssc`` are (n,) linear, ``cd3`` (n,) on the logicle scale, of all tubes together. CD3 tells lymphocytes
    from granulocytes and debris on any instrument ("back-gating"); the region is the ellipse of a trimmed covariance
    (Mahalanobis distance 3.8, which holds 99.9 % of a normal population; blasts and the skew of real scatter need the
    margin).
    """
    if fsc.size == 0:
        return None
    curve = density(cd3)
    valleys = find_valleys(curve, 0.15, 0.9)
    if not valleys:
        mode = curve.mode()
        cut, method, flag = mode - 3 * left_sd(cd3, mode), "CD3 mode", "no valley in CD3 before the scatter gate"
    else:
        cut, method, flag = valleys[0].position, "CD3+ back-gate", ""
    points = np.column_stack((fsc, ssc))
    positive = cd3 > cut
    if np.count_nonzero(positive) < 50:
        return None
    core = _core(points, positive)
    points = points[positive]
    centre, covariance = points[core].mean(axis=0), np.cov(points[core].T)
    before = -1
    for _ in range(30):
        across, up = (points - centre).T
        (xx, xy), (_, yy) = np.linalg.inv(covariance)
        inside = xx * across**2 + 2 * xy * across * up + yy * up**2 < TRIM**2
        kept = points[inside]
        centre = kept.mean(axis=0)
        # Trimming at this radius shrinks the covariance of a 2-D normal; undo it.
        lost = np.exp(-(TRIM**2) / 2)
        covariance = np.cov(kept.T) / (1 - TRIM**2 / 2 * lost / (1 - lost))
        if abs(kept.shape[0] - before) <= 1e-5 * kept.shape[0]:
            break
        before = kept.shape[0]
    root = np.linalg.cholesky(covariance)
    angle = 2 * np.pi * np.arange(VERTICES) / VERTICES
    circle = np.column_stack((np.cos(angle), np.sin(angle))) * RADIUS / np.cos(np.pi / VERTICES)
    vertices = centre + circle @ root.T
    return ScatterGate(names[0], names[1], vertices, method, flag)


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


def find_singlets(ratio: Floats) -> tuple[float, float] | None:
    """Return the band of the area-to-height ratio (or width), (n,), that single cells fill, or None below 50 events.

    The band is 4 robust SD around the mode; the SD comes from the side below it, since doublets lie above.
    """
    ratio = ratio[np.isfinite(ratio)]
    if ratio.size < 50:
        return None
    low, high = np.quantile(ratio, (0.005, 0.9))
    counts, edges = np.histogram(ratio, bins=100, range=(low, high))
    smooth = np.convolve(counts, np.hanning(9) / np.hanning(9).sum(), mode="same")
    mode = float((edges[:-1] + edges[1:])[np.argmax(smooth)] / 2)
    spread = left_sd(ratio, mode)
    return mode - 4 * spread, mode + 4 * spread


def singlet_ratio(signal: TubeSignal) -> Floats | None:
    """Return FSC area over height (a ratio), or FSC width (channel values), of every event, (events,); None without
    either.
    """
    scatter = signal.events.scatter
    if scatter.fsc_height is not None:
        height = signal.detector(scatter.fsc_height)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: Floats = np.where(height > 0, signal.detector(scatter.fsc) / height, np.nan)
        return ratio
    if scatter.fsc_width is not None:
        return signal.detector(scatter.fsc_width)
    return None

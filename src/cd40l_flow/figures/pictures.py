"""The pictures of gating panels: where the events of a parent lie, paler outside the gate.

They are drawn once, by the analysis: a control's are in the report of every sample that is compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cd40l_flow.figures.plots import (
    AnyPanel,
    BandGate,
    GateShape,
    Line,
    MissingPanel,
    PolygonGate,
    ThresholdGate,
    TubePlots,
)
from cd40l_flow.figures.png import encode_png, hex_rgb

Cells = NDArray[np.uint32]

# Perceptually even from pale to dark blue: the shade survives a grey printer and every colour blindness.
_SHADES = ("#c9d9eb", "#a3c1de", "#74a3cf", "#4682bb", "#265f9d", "#143f78", "#0a234c")
_LEVELS = 6
_VEIL, _VEILED = "#e9ecef", 0.62


def draw_pictures(tubes: Sequence[TubePlots], arrays: Mapping[str, Cells]) -> tuple[list[TubePlots], NDArray[np.uint8]]:
    """Draw the panels of tubes: return tubes whose panels say where their ``picture`` is, and the PNGs, one by one.

    A panel names its counts in ``arrays``, (bins, bins), [x, y]; one that is missing has no picture.
    """
    pictures = bytearray()

    def drawn(panel: AnyPanel) -> AnyPanel:
        if isinstance(panel, MissingPanel):
            return panel
        begin = len(pictures)
        pictures.extend(_picture(arrays[panel.array], panel.gate))
        return replace(panel, picture=(begin, len(pictures)))

    pictured = [replace(tube, panels=tuple(map(drawn, tube.panels))) for tube in tubes]
    return pictured, np.frombuffer(bytes(pictures), dtype=np.uint8)


def _picture(counts: Cells, gate: GateShape | None) -> bytes:
    """Return the picture of one panel as PNG, a pixel a bin."""
    counts = _readable_bins(counts)
    shades = _levels(counts)
    shades[_inside(gate, len(counts))] += _LEVELS + 1
    return encode_png(shades.T[::-1], _colours())


@cache
def _colours() -> NDArray[np.int32]:
    """Return the colours of the levels outside the gate, then inside, (2 (levels + 1), 3); level 0 is an empty bin."""
    anchors = np.array([hex_rgb(shade) for shade in _SHADES], dtype=float)
    places = np.linspace(0, len(_SHADES) - 1, _LEVELS)
    steps = np.stack([np.interp(places, np.arange(len(_SHADES)), anchors[:, channel]) for channel in range(3)], axis=1)
    inside = np.vstack([[255, 255, 255], steps])
    veil = np.array(hex_rgb(_VEIL), dtype=float)
    outside = inside + (veil - inside) * _VEILED
    outside[0] = veil + (255 - veil) * 0.3
    return np.vstack([outside, inside]).round().astype(np.int32)


def _levels(counts: Cells) -> NDArray[np.uint8]:
    """Return 0 for an empty bin, else 1 to the number of levels on a logarithmic stretch."""
    levels = np.zeros(counts.shape, dtype=np.uint8)
    # Most bins are empty.
    occupied = counts > 0
    found = counts[occupied].astype(np.float64)
    stretched = np.log1p(found) / np.log1p(max(float(found.max(initial=0.0)), 3.0)) * _LEVELS
    levels[occupied] = np.clip(np.ceil(stretched), 1, _LEVELS)
    return levels


def _readable_bins(counts: Cells) -> Cells:
    """Merge bins two by two while a wide cloud of one or two events a bin shows counting noise, not a population."""
    while len(counts) > 32:
        occupied = int(np.count_nonzero(counts))
        if occupied < 1_200 or counts.sum() >= 3 * occupied:
            break
        counts = counts[0::2] + counts[1::2]
        counts = counts[:, 0::2] + counts[:, 1::2]
    return counts


def _inside(gate: GateShape | None, bins: int) -> NDArray[np.bool_]:
    """Return which bins, (x, y), have their middle inside the gate."""
    kept = np.ones((bins, bins), dtype=bool)
    if gate is None:
        return kept
    if isinstance(gate, ThresholdGate):
        if gate.at is None:
            return kept
        middles = (np.arange(bins) + 0.5) / bins
        side = middles >= gate.at if gate.side == "above" else middles < gate.at
        within: NDArray[np.bool_] = kept & (side[:, None] if gate.axis == "x" else side[None, :])
        return within
    if isinstance(gate, BandGate) and gate.cuts is not None:
        # Of time: what is kept need not lie in one piece.
        middles = (np.arange(bins) + 0.5) / bins
        for begin, end in gate.cuts:
            kept[(middles >= begin) & (middles <= end)] = False
        return kept
    outline = _outline(gate)
    if len(outline) < 3:
        return kept
    return _within(bins, outline)


@cache
def _within(bins: int, outline: Line) -> NDArray[np.bool_]:
    """Return which bins, (x, y), have their middle inside a polygon, by the even-odd rule; tubes share polygons."""
    middles = (np.arange(bins) + 0.5) / bins
    x, y = middles[:, None], middles[None, :]
    inside = np.zeros((bins, bins), dtype=bool)
    for (x0, y0), (x1, y1) in zip(outline, (*outline[1:], outline[0]), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def _outline(gate: PolygonGate | BandGate) -> Line:
    if isinstance(gate, PolygonGate):
        return gate.vertices
    first, *others = gate.segments or ((),)
    return (*first, *(point for segment in others for point in reversed(segment)))

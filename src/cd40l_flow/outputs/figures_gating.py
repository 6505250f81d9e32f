"""Gating panels: where the events of a parent lie, and where the gate cuts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.outputs.drawing import Drawing, Label, Style, polyline
from cd40l_flow.outputs.figures import Counts, Densities, readable_ticks
from cd40l_flow.outputs.png import hex_rgb, png_uri

GATE = "#c2410c"
DASHED, DOTTED = (6.0, 3.0), (1.6, 2.4)
# Each line has a dash of its own too, so that colour is never the only sign.
STYLES: dict[str, Style] = {
    "line": (GATE, 1.8, None),
    "hand": (GATE, 1.8, DASHED),
    "automatic": ("#111111", 1.5, DOTTED),
    # What a boundary was looked for in, what it was held against, and the control's boundary.
    "curve": ("#111111", 1.1, None),
    "valley": ("#111111", 1.6, None),
    "reference": ("#6b21a8", 1.1, (3.0, 2.0)),
    "control": ("#0f766e", 1.4, DOTTED),
    # White below a line keeps it apart from the events.
    "halo": ("#ffffff", 3.4, None),
}

_SIDE, _LEFT, _TOP, _RIGHT, _BOTTOM = 128, 31, 20, 6, 31
# Perceptually even from pale to dark blue: the shade survives a grey printer and every colour blindness.
_SHADES = ("#c9d9eb", "#a3c1de", "#74a3cf", "#4682bb", "#265f9d", "#143f78", "#0a234c")
_LEVELS = 6
# The mean width of a letter of an axis's name.
_LETTER = 6.4
# The curve fills this part of the panel's height; ticks at its foot mark valleys.
_CURVE_HEIGHT, _TICK = 0.3, 0.045
_VEIL, _VEILED = "#e9ecef", 0.62


@cache
def _density_colours() -> NDArray[np.int32]:
    """Return the colours of the levels outside the gate, then inside, (2 (levels + 1), 3); level 0 is an empty bin."""
    anchors = np.array([hex_rgb(shade) for shade in _SHADES], dtype=float)
    places = np.linspace(0, len(_SHADES) - 1, _LEVELS)
    steps = np.stack([np.interp(places, np.arange(len(_SHADES)), anchors[:, channel]) for channel in range(3)], axis=1)
    inside = np.vstack([[255, 255, 255], steps])
    veil = np.array(hex_rgb(_VEIL), dtype=float)
    outside = inside + (veil - inside) * _VEILED
    outside[0] = veil + (255 - veil) * 0.3
    return np.vstack([outside, inside]).round().astype(np.int32)


def _levels(counts: Counts) -> NDArray[np.intp]:
    """Return 0 for an empty bin, else 1 to the number of levels on a logarithmic stretch."""
    top = float(counts.max(initial=0.0))
    if top <= 0:
        return np.zeros(counts.shape, dtype=np.intp)
    stretched = np.log1p(counts) / np.log1p(max(top, 3.0)) * _LEVELS
    return np.where(counts > 0, np.clip(np.ceil(stretched), 1, _LEVELS), 0).astype(np.intp)


def _readable_bins(counts: Counts) -> Counts:
    """Merge bins two by two while a wide cloud of one or two events a bin shows counting noise, not a population."""
    while len(counts) > 32:
        occupied = int(np.count_nonzero(counts))
        if occupied < 1_200 or counts.sum() >= 3 * occupied:
            break
        counts = counts[0::2] + counts[1::2]
        counts = counts[:, 0::2] + counts[:, 1::2]
    return counts


def _inside(gate: Mapping[str, Any] | None, bins: int) -> NDArray[np.bool_]:
    """Return which bins, (x, y), have their middle inside the gate."""
    kept = np.ones((bins, bins), dtype=bool)
    if gate is None:
        return kept
    middles = (np.arange(bins) + 0.5) / bins
    if gate["kind"] == "threshold":
        if gate["at"] is None:
            return kept
        side = middles >= gate["at"] if gate["side"] == "above" else middles < gate["at"]
        within: NDArray[np.bool_] = kept & (side[:, None] if gate["axis"] == "x" else side[None, :])
        return within
    outline = _outline(gate)
    if len(outline) < 3:
        return kept
    return _within(bins, tuple((float(x), float(y)) for x, y in outline))


@cache
def _within(bins: int, outline: tuple[tuple[float, float], ...]) -> NDArray[np.bool_]:
    """Return which bins, (x, y), have their middle inside a polygon, by the even-odd rule; tubes share polygons."""
    middles = (np.arange(bins) + 0.5) / bins
    x, y = middles[:, None], middles[None, :]
    inside = np.zeros((bins, bins), dtype=bool)
    for (x0, y0), (x1, y1) in zip(outline, (*outline[1:], outline[0]), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def _outline(gate: Mapping[str, Any]) -> list[list[float]]:
    if gate["kind"] == "polygon":
        return list(gate["vertices"])
    first, *others = gate.get("segments") or [[]]
    return [*first, *(point for segment in others for point in reversed(segment))]


def gate_lines(gate: Mapping[str, Any]) -> list[NDArray[np.float64]]:
    """Return the lines of a gate in axis fractions, each (points, 2)."""
    if gate["kind"] == "polygon":
        corners = gate["vertices"]
        return [np.array([*corners, corners[0]], dtype=float)] if corners else []
    if gate["kind"] == "band":
        return [np.array(segment, dtype=float) for segment in gate.get("segments") or []]
    return [_threshold_line(gate["axis"], gate["at"])] if gate["at"] is not None else []


def _threshold_line(axis: str, at: float) -> NDArray[np.float64]:
    return np.array([(at, 0.0), (at, 1.0)] if axis == "x" else [(0.0, at), (1.0, at)])


def draw_panels(panels: Sequence[Mapping[str, Any]], densities: Densities) -> list[Drawing]:
    """Draw the panels of one tube, none of them marked missing."""
    return [_draw_panel(panel, densities) for panel in panels]


def _draw_panel(panel: Mapping[str, Any], densities: Densities) -> Drawing:
    counts = densities.counts(panel["array"])
    marks = _evidence_marks(panel["evidence"], densities) if panel.get("evidence") else []
    if panel["gate"] is not None:
        marks += _gate_marks(panel["gate"], bool(panel.get("overridden")))
    return Drawing(
        width=_LEFT + _SIDE + _RIGHT,
        height=_TOP + _SIDE + _BOTTOM,
        box=(_LEFT, _TOP, _SIDE, _SIDE),
        marks=tuple(marks),
        labels=tuple(_labels(panel["x"], panel["y"])),
        image=_picture(counts, panel["gate"]) if counts is not None else "",
    )


def _picture(counts: Counts, gate: Mapping[str, Any] | None) -> str:
    """Return the picture of one panel, a pixel a bin, as a data URI."""
    counts = _readable_bins(counts)
    shades = _levels(counts) + np.where(_inside(gate, len(counts)), _LEVELS + 1, 0)
    return png_uri(shades.T[::-1].astype(np.uint8), _density_colours())


def _path(points: NDArray[np.float64]) -> str:
    """Return the SVG path of a line in axis fractions, (points, 2)."""
    return polyline(np.column_stack([points[:, 0], 1 - points[:, 1]]) * _SIDE)


def _evidence_marks(evidence: Mapping[str, Any], densities: Densities) -> list[tuple[str, str]]:
    """Return the curve a boundary was looked for in, what it was held against, the valleys, the control's boundary."""
    marks = []
    for name in ("reference", "curve"):
        heights = densities.counts(evidence[name])
        if heights is not None:
            places = (np.arange(heights.size) + 0.5) / heights.size
            marks.append((f"g-{name}", _path(np.column_stack([places, 0.006 + _CURVE_HEIGHT * heights / 255]))))
    marks += [("g-valley", _path(np.array([(at, 0.0), (at, _TICK)]))) for at in evidence["valleys"]]
    if evidence["control"] is not None:
        marks.append(("g-control", _path(_threshold_line("x", evidence["control"]))))
    return marks


def _gate_marks(gate: Mapping[str, Any], overridden: bool) -> list[tuple[str, str]]:
    """Return the lines of a gate, and of the automatic one where a person moved it."""
    drawn = [("g-hand" if overridden else "g-line", line) for line in gate_lines(gate)]
    if overridden:
        drawn += [("g-automatic", line) for line in _automatic_lines(gate)]
    return [mark for look, line in drawn for mark in (("g-halo", _path(line)), (look, _path(line)))]


def _automatic_lines(gate: Mapping[str, Any]) -> list[NDArray[np.float64]]:
    """Return where the automatic gate was, in axis fractions; nothing where the data do not tell."""
    automatic = gate.get("automatic")
    if automatic is None:
        return []
    if gate["kind"] == "threshold":
        return [_threshold_line(gate["axis"], automatic)]
    key = "vertices" if gate["kind"] == "polygon" else "segments"
    return gate_lines({"kind": gate["kind"], key: automatic})


def _labels(x: Mapping[str, Any], y: Mapping[str, Any]) -> list[Label]:
    floor = _TOP + _SIDE
    across = [Label(_LEFT + place * _SIDE, floor + 12, words) for _, place, words in readable_ticks(x["ticks"], 0.05)]
    upward = [
        Label(_LEFT - 4, floor - place * _SIDE + 3.5, words, anchor="end")
        for _, place, words in readable_ticks(y["ticks"], 0.0, 0.14)
    ]
    return [*across, *upward, _name(x["label"], "middle", floor + 27), _name(y["label"], "start", 11)]


def _name(label: str, anchor: str, y: float) -> Label:
    """Return the name of an axis: in the middle of its axis, or of the panel where it is too long for that."""
    width = _LEFT + _SIDE + _RIGHT
    letters = _LETTER * len(label)
    middle = _LEFT + _SIDE / 2 if letters < _SIDE else width / 2
    room = width - 4.0 if letters > width - 4 else None
    return Label(1 if anchor == "start" else middle, y, label, "axis", anchor, room)

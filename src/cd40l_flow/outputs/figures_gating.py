"""Gating panels: where the events of a parent lie, and where the gate cuts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.outputs.canvas import Box, Canvas, Colour, Drawing, Label, Palette, Pixels, hex_rgb, mix, ramp
from cd40l_flow.outputs.figures import Counts, Densities, readable_ticks

GATE, AUTOMATIC = "#c2410c", "#111111"
DASHED, DOTTED = (6.0, 3.0), (1.6, 2.4)

_SIDE, _LEFT, _TOP, _RIGHT, _BOTTOM = 128, 31, 20, 6, 31
_SCALE = 2
# Perceptually even from pale to dark blue: the shade survives a grey printer and every colour blindness.
_SHADES = ("#c9d9eb", "#a3c1de", "#74a3cf", "#4682bb", "#265f9d", "#143f78", "#0a234c")
_LEVELS = 10
# The mean width of a letter of an axis's name.
_LETTER = 6.4
_VEIL, _VEILED = "#e9ecef", 0.62


@cache
def _density_colours() -> Pixels:
    """Return the colour of each level, (2, levels + 1, 3): outside the gate, then inside; level 0 is an empty bin."""
    anchors = np.array([hex_rgb(shade) for shade in _SHADES], dtype=float)
    places = np.linspace(0, len(_SHADES) - 1, _LEVELS)
    steps = np.stack([np.interp(places, np.arange(len(_SHADES)), anchors[:, channel]) for channel in range(3)], axis=1)
    inside = np.vstack([[255, 255, 255], steps])
    veil = np.array(hex_rgb(_VEIL), dtype=float)
    outside = inside + (veil - inside) * _VEILED
    outside[0] = veil + (255 - veil) * 0.3
    return np.stack([outside, inside]).round().astype(np.uint8)


@cache
def _palette() -> Palette:
    colours: list[Colour] = [(int(r), int(g), int(b)) for r, g, b in _density_colours().reshape(-1, 3)]
    colours += ramp(GATE) + ramp(GATE, _VEIL) + [mix(GATE, shade, 0.5) for shade in _SHADES[::2]] + ramp(AUTOMATIC)
    return Palette(colours)


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
    from matplotlib.path import Path

    x, y = np.meshgrid(middles, middles, indexing="ij")
    points = np.column_stack([x.ravel(), y.ravel()])
    return np.asarray(Path(np.asarray(outline)).contains_points(points)).reshape(bins, bins)


def _outline(gate: Mapping[str, Any]) -> list[list[float]]:
    if gate["kind"] == "polygon":
        return list(gate["vertices"])
    first, *others = gate.get("segments") or [[]]
    return [*first, *(point for segment in others for point in reversed(segment))]


def _gate_lines(gate: Mapping[str, Any]) -> list[NDArray[np.float64]]:
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
    if not panels:
        return []
    canvas = Canvas(_SIDE * len(panels), _SIDE, _SCALE)
    size = _SIDE * _SCALE
    paper = np.full((size, size * len(panels), 3), 255, dtype=np.uint8)
    for place, panel in enumerate(panels):
        counts = densities.counts(panel["array"])
        if counts is not None:
            paper[:, place * size : (place + 1) * size] = _density(counts, panel["gate"])
    canvas.paper(paper)
    for place, panel in enumerate(panels):
        if panel["gate"] is not None:
            box = (place * _SIDE, 0.0, (place + 1) * _SIDE, float(_SIDE))
            _draw_gate(canvas, box, panel["gate"], bool(panel.get("overridden")))
    pixels = canvas.pixels()
    return [
        Drawing(
            width=_LEFT + _SIDE + _RIGHT,
            height=_TOP + _SIDE + _BOTTOM,
            image=_palette().png(pixels[:, size * place : size * (place + 1)]),
            box=(_LEFT, _TOP, _SIDE, _SIDE),
            labels=tuple(_labels(panel["x"], panel["y"])),
        )
        for place, panel in enumerate(panels)
    ]


def _density(counts: Counts, gate: Mapping[str, Any] | None) -> Pixels:
    """Return the picture of one panel, (pixels, pixels, 3), first row on top."""
    counts = _readable_bins(counts)
    kept = _inside(gate, len(counts))
    colours = _density_colours()[kept.astype(np.intp), _levels(counts)]
    places = np.arange(_SIDE * _SCALE) * len(counts) // (_SIDE * _SCALE)
    picture: Pixels = colours[places][:, places].transpose(1, 0, 2)[::-1]
    return picture


def _draw_gate(canvas: Canvas, box: Box, gate: Mapping[str, Any], overridden: bool) -> None:
    origin = np.array(box[:2])
    for line in _gate_lines(gate):
        canvas.line(origin + line * _SIDE, "#ffffff", 3.6, clip=box)
        canvas.line(origin + line * _SIDE, GATE, 1.8, DASHED if overridden else None, clip=box)
    if overridden:
        for line in _automatic_lines(gate):
            canvas.line(origin + line * _SIDE, "#ffffff", 3.2, clip=box)
            canvas.line(origin + line * _SIDE, AUTOMATIC, 1.5, DOTTED, clip=box)


def _automatic_lines(gate: Mapping[str, Any]) -> list[NDArray[np.float64]]:
    """Return where the automatic gate was, in axis fractions; nothing where the data do not tell."""
    automatic = gate.get("automatic")
    if automatic is None:
        return []
    if gate["kind"] == "threshold":
        return [_threshold_line(gate["axis"], automatic)]
    key = "vertices" if gate["kind"] == "polygon" else "segments"
    return _gate_lines({"kind": gate["kind"], key: automatic})


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

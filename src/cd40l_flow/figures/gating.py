"""Gating panels: where the events of a parent lie, and where the gate cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.figures.binned import Densities, readable_ticks
from cd40l_flow.figures.drawing import Drawing, Label, Style, polyline
from cd40l_flow.figures.plots import (
    AnyPanel,
    BandGate,
    GateShape,
    MissingPanel,
    Panel,
    PanelEvidence,
    PlotAxis,
    PolygonGate,
    ThresholdGate,
)
from cd40l_flow.figures.png import data_uri

GATE = "#c2410c"
DASHED, DOTTED = (6.0, 3.0), (1.6, 2.4)
# Each line has a dash of its own too, so that colour is never the only sign.
STYLES: dict[str, Style] = {
    "line": (GATE, 1.8, None),
    "hand": (GATE, 1.8, DASHED),
    "automatic": ("#111111", 1.5, DOTTED),
    # The density a boundary was searched in, the one it was compared with, and the control's boundary.
    "curve": ("#111111", 1.1, None),
    "valley": ("#111111", 1.6, None),
    "reference": ("#6b21a8", 1.1, (3.0, 2.0)),
    "control": ("#0f766e", 1.4, DOTTED),
    "cells": ("#0f766e", 0.8, None),
    "tick": ("#55616e", 1.0, None),
    # White below a line keeps it apart from the events.
    "halo": ("#ffffff", 3.4, None),
}

_SIDE, _LEFT, _TOP, _RIGHT, _BOTTOM = 128, 31, 20, 6, 31
# The mean width of a letter of an axis's name.
_LETTER = 6.4
# The curve fills this part of the panel's height; ticks at its foot mark valleys.
_CURVE_HEIGHT, _TICK = 0.3, 0.045
_TICK_LENGTH = 5  # pixels
# Places of a tick that are one, in fractions of an axis.
_SAME_PLACE = 0.004


def gate_lines(gate: GateShape) -> list[NDArray[np.float64]]:
    """Return the lines of a gate in axis fractions, each (points, 2)."""
    if isinstance(gate, PolygonGate):
        corners = gate.vertices
        return [np.array([*corners, corners[0]], dtype=float)] if corners else []
    if isinstance(gate, BandGate):
        return [np.array(segment, dtype=float) for segment in gate.segments]
    return [_threshold_line(gate.axis, gate.at)] if gate.at is not None else []


def _threshold_line(axis: str, at: float) -> NDArray[np.float64]:
    return np.array([(at, 0.0), (at, 1.0)] if axis == "x" else [(0.0, at), (1.0, at)])


def draw_panels(
    panels: Sequence[Panel],
    densities: Densities,
    theirs: Sequence[AnyPanel] = (),
) -> list[Drawing]:
    """Draw the panels of one tube, those that are there.

    ``theirs`` are the panels of the control's tube: their gates and the outlines of their cells are drawn into the
    panels of the same population, as far as the axes are the same or both linear.
    """
    matching = {panel.population: panel for panel in theirs if not isinstance(panel, MissingPanel)}
    drawn = []
    for panel in panels:
        other = matching.get(panel.population)
        marks = _control_marks(panel, other) if other is not None else []
        drawn.append(_draw_panel(panel, densities, marks))
    return drawn


def _draw_panel(panel: Panel, densities: Densities, theirs: Sequence[tuple[str, str]]) -> Drawing:
    marks = _evidence_marks(panel.evidence, densities, there=not theirs) if panel.evidence is not None else []
    marks += theirs
    marks.append(("g-tick", _ticks(panel.x, panel.y)))
    if panel.gate is not None:
        marks += _gate_marks(panel.gate, panel.overridden)
    return Drawing(
        width=_LEFT + _SIDE + _RIGHT,
        height=_TOP + _SIDE + _BOTTOM,
        box=(_LEFT, _TOP, _SIDE, _SIDE),
        marks=tuple(marks),
        labels=tuple(_labels(panel.x, panel.y)),
        image=data_uri(densities.picture(panel)),
    )


def _path(points: NDArray[np.float64]) -> str:
    """Return the SVG path of a line in axis fractions, (points, 2)."""
    return polyline(np.column_stack([points[:, 0], 1 - points[:, 1]]) * _SIDE)


def _control_marks(panel: Panel, other: Panel) -> list[tuple[str, str]]:
    """Return the control's gate and the outline of its cells on the axes of a panel; nothing where these differ."""
    across, up = _onto(panel.x, other.x), _onto(panel.y, other.y)
    if across is None or up is None:
        return []
    factors, shifts = np.array([across[0], up[0]]), np.array([across[1], up[1]])
    lines = [("g-cells", np.array(line)) for line in other.outline or ()]
    lines += [("g-control", line) for line in (gate_lines(other.gate) if other.gate is not None else [])]
    return [(look, _path(line * factors + shifts)) for look, line in lines]


def _onto(axis: PlotAxis, other: PlotAxis) -> tuple[float, float] | None:
    """Return factor and shift from places on another axis to places on one, from the ticks that both have.

    Axes of one scale have their ticks at the same places; of linear axes two ticks are enough. None for others.
    """
    places = {text: at for at, text in other.ticks}
    both = [(places[text], at) for at, text in axis.ticks if text in places]
    if axis.label != other.label or len(both) < 2:
        return None
    (x0, y0), (x1, y1) = both[0], both[-1]
    if x0 == x1:
        return None
    factor = (y1 - y0) / (x1 - x0)
    fits = all(abs(y0 + factor * (x - x0) - y) < _SAME_PLACE for x, y in both)
    return (factor, y0 - factor * x0) if fits else None


def _evidence_marks(evidence: PanelEvidence, densities: Densities, *, there: bool = True) -> list[tuple[str, str]]:
    """Return the curve a boundary was searched in, the one it was compared with, valleys, the control's boundary.

    The control's is left out unless ``there`` is a place for it: its gate is drawn already.
    """
    marks = []
    for name, array in (("reference", evidence.reference), ("curve", evidence.curve)):
        heights = densities.counts(array)
        if heights is not None:
            marks.append((f"g-{name}", _curve(heights.tobytes())))
    marks += [("g-valley", _path(np.array([(at, 0.0), (at, _TICK)]))) for at in evidence.valleys]
    if evidence.control is not None and there:
        marks.append(("g-control", _path(_threshold_line("x", evidence.control))))
    return marks


@lru_cache(maxsize=256)
def _curve(content: bytes) -> str:
    """Return the SVG path of a curve, from the bytes of its heights: tubes, and sample and control, share curves."""
    heights = np.frombuffer(content)
    places = (np.arange(heights.size) + 0.5) / heights.size
    return _path(np.column_stack([places, 0.006 + _CURVE_HEIGHT * heights / 255]))


def _gate_marks(gate: GateShape, overridden: bool) -> list[tuple[str, str]]:
    """Return the lines of a gate, and of the automatic one where a person moved it."""
    drawn = [("g-hand" if overridden else "g-line", line) for line in gate_lines(gate)]
    if overridden:
        drawn += [("g-automatic", line) for line in _automatic_lines(gate)]
    paths = [(look, _path(line)) for look, line in drawn]
    return [mark for look, path in paths for mark in (("g-halo", path), (look, path))]


def _automatic_lines(gate: GateShape) -> list[NDArray[np.float64]]:
    """Return where the automatic gate was, in axis fractions; nothing where the data do not show it."""
    if gate.automatic is None:
        return []
    if isinstance(gate, ThresholdGate):
        return [_threshold_line(gate.axis, gate.automatic)]
    if isinstance(gate, PolygonGate):
        return gate_lines(PolygonGate(gate.automatic))
    return gate_lines(BandGate(gate.automatic))


def _ticks(x: PlotAxis, y: PlotAxis) -> str:
    """Return the ticks of the axes as a path, inwards from the frame."""
    across = [f"M{at * _SIDE:.1f} {_SIDE}v-{_TICK_LENGTH}" for at, _ in x.ticks]
    upward = [f"M0 {(1 - at) * _SIDE:.1f}h{_TICK_LENGTH}" for at, _ in y.ticks]
    return "".join([*across, *upward])


def _labels(x: PlotAxis, y: PlotAxis) -> list[Label]:
    floor = _TOP + _SIDE
    across = [Label(_LEFT + place * _SIDE, floor + 12, words) for _, place, words in readable_ticks(x.ticks, 0.05)]
    upward = [
        Label(_LEFT - 4, floor - place * _SIDE + 3.5, words, anchor="end")
        for _, place, words in readable_ticks(y.ticks, 0.0, 0.14)
    ]
    return [*across, *upward, _name(x.label, "middle", floor + 27), _name(y.label, "start", 11)]


def _name(label: str, anchor: str, y: float) -> Label:
    """Return the name of an axis: in the middle of its axis, or of the panel where it is too long for that."""
    width = _LEFT + _SIDE + _RIGHT
    letters = _LETTER * len(label)
    middle = _LEFT + _SIDE / 2 if letters < _SIDE else width / 2
    room = width - 4.0 if letters > width - 4 else None
    return Label(1 if anchor == "start" else middle, y, label, "axis", anchor, room)

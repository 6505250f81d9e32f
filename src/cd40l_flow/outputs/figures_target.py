"""Histograms: the target on activated cells with its fit, and CD69 stimulated over unstimulated."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.outputs.canvas import Box, Canvas, Drawing, Label, Palette, ramp
from cd40l_flow.outputs.figures import Counts, Densities, readable_ticks
from cd40l_flow.outputs.texts import load_texts

Curve = NDArray[np.float64]

INK, MUTED, RULE = "#1b2733", "#55616e", "#c3ccd5"
# Okabe and Ito's hues, darkened for thin lines; each line also has its own dash, so that colour is never the only sign.
STYLES: dict[str, tuple[str, float, tuple[float, ...] | None]] = {
    "sample": ("#0b4f8a", 1.8, None),
    "background": ("#55616e", 1.5, (6.0, 3.0)),
    "unstimulated": ("#8a8f98", 1.5, (1.5, 2.5)),
    "control": ("#b35c00", 1.5, None),
    "negative": ("#7a2e8e", 2.2, (9.0, 2.5, 2.0, 2.5)),
    "positive": ("#00725c", 2.2, (4.0, 2.0)),
    "total": ("#111111", 1.1, None),
    "threshold": ("#c2410c", 1.6, (10.0, 4.0)),
}
FILL = "#d3e2f1"

_WIDTH, _LEFT, _RIGHT, _AXIS = 560, 44, 10, 44
_CURVES, _GAP, _RESIDUALS, _PLAIN = 214, 12, 72, 190
_SCALE = 2
_HEADROOM = 1.12
_RESIDUAL_LIMIT, _RESIDUAL_RANGE = 2.0, 6.0


@cache
def _palette() -> Palette:
    colours = [*ramp(INK), *ramp(MUTED), *ramp(RULE, steps=3)]
    for colour, _, _ in STYLES.values():
        colours += ramp(colour) + ramp(colour, FILL)
    return Palette(colours)


def _bins_to_draw(events: float) -> int:
    # Enough cells in each bin that the outline shows the population and not the counting noise.
    return 256 if events >= 40_000 else 128 if events >= 4_000 else 64


def _rebin(counts: Counts, bins: int) -> Counts:
    """Sum neighbouring bins until at most ``bins`` are left."""
    return np.add.reduceat(counts, np.arange(0, len(counts), max(len(counts) // bins, 1)))


def _steps(counts: Counts) -> Curve:
    """Return the outline of a histogram, (points, 2), x 0 to 1."""
    edges = np.repeat(np.linspace(0, 1, len(counts) + 1), 2)
    return np.column_stack([edges, np.concatenate([[0.0], np.repeat(counts, 2), [0.0]])])


def _smooth(counts: Counts) -> Curve:
    """Return expected counts as a line through the middles of their bins, (points, 2)."""
    return np.column_stack([(np.arange(len(counts)) + 0.5) / len(counts), counts])


class _Strip:
    """One strip of a canvas: x 0 to 1 over its width, y ``low`` to ``high`` over its height."""

    def __init__(self, canvas: Canvas, bottom: float, top: float, low: float, high: float) -> None:
        self.canvas, self.low, self.high = canvas, low, high
        self.box: Box = (0.0, bottom, float(canvas.width), top)

    def height(self, value: float) -> float:
        """Return the place of a value, CSS pixels from the canvas's bottom."""
        return self.box[1] + (value - self.low) / (self.high - self.low) * (self.box[3] - self.box[1])

    def level(self, value: float, colour: str, width: float, dash: tuple[float, ...] | None = None) -> None:
        """Draw a horizontal line."""
        at = self.height(value)
        self.canvas.line([(self.box[0], at), (self.box[2], at)], colour, width, dash)

    def curve(self, curve: Curve, style: str, fill: bool = False) -> None:
        """Draw (points, 2) of x 0 to 1 and y in the strip's unit."""
        rise = (self.box[3] - self.box[1]) / (self.high - self.low)
        points = np.column_stack([curve[:, 0] * self.canvas.width, self.box[1] + (curve[:, 1] - self.low) * rise])
        colour, width, dash = STYLES[style]
        if fill:
            self.canvas.area(points, FILL, self.box)
        self.canvas.line(points, colour, width, dash, self.box)

    def threshold(self, at: float | None) -> None:
        """Draw the vertical line of a threshold at an axis fraction."""
        if at is not None:
            colour, width, dash = STYLES["threshold"]
            x = at * self.canvas.width
            self.canvas.line([(x, self.box[1]), (x, self.box[3])], colour, width, dash)


def _draw_residuals(strip: _Strip, observed: Counts, expected: Counts) -> None:
    """Draw (observed - expected) / sqrt(expected) a bin; what lies beyond the strip is a triangle at its edge."""
    for value in (-_RESIDUAL_LIMIT, _RESIDUAL_LIMIT):
        strip.level(value, MUTED, 0.9, (3.0, 3.0))
    width = strip.canvas.width / len(observed)
    # An expected count below one has no normal residual; such bins are left blank.
    for place in np.flatnonzero(expected >= 1):
        value = float((observed[place] - expected[place]) / np.sqrt(expected[place]))
        shown = float(np.clip(value, -_RESIDUAL_RANGE, _RESIDUAL_RANGE))
        x, tip = (float(place) + 0.5) * width, strip.height(shown)
        left, right = x - 0.36 * width, x + 0.36 * width
        zero = strip.height(0)
        strip.canvas.area([(left, zero), (right, zero), (right, tip), (left, tip)], STYLES["sample"][0])
        if shown != value:
            point, base = (tip, tip - 7) if shown > 0 else (tip, tip + 7)
            strip.canvas.area([(x - 5, base), (x + 5, base), (x, point)], INK)
    strip.level(0, INK, 0.9)


def _fitted(target: Mapping[str, Any], densities: Densities) -> dict[str, Counts]:
    """Return the expected counts of the fitted components, those that there are."""
    parts = {name: densities.counts(target.get(f"fit_{name}")) for name in ("negative", "positive")}
    return {name: part for name, part in parts.items() if part is not None}


def _ceiling(sample: Counts, components: Mapping[str, Counts]) -> float:
    """Return the height of the scale, in modes of the sample, under which the sum of the components fits too."""
    bins = _bins_to_draw(float(sample.sum()))
    mode = max(float(_rebin(sample, bins).max(initial=0.0)), 1.0)
    total = np.sum(list(components.values()), axis=0) if components else np.zeros(1)
    return max(_HEADROOM, 1.05 * float(total.max()) * len(sample) / bins / mode)


def _draw_curves(
    strip: _Strip,
    target: Mapping[str, Any],
    densities: Densities,
    control: Densities | None,
    sample: Counts,
    components: Mapping[str, Counts],
) -> tuple[Counts, Counts | None]:
    """Draw the overlaid histograms and the fit; return observed and (where fitted) expected counts a bin."""
    bins = _bins_to_draw(float(sample.sum()))
    observed = _rebin(sample, bins)
    top = max(float(observed.max(initial=0.0)), 1.0)
    strip.curve(_steps(observed / top), "sample", fill=True)
    overlays = {name: densities.counts(target.get(name)) for name in ("unstimulated", "background")}
    other = control.target(target["reagent"]) if control is not None else None
    if control is not None and other is not None:
        overlays["control"] = control.counts(other["sample"])
    for name, counts in overlays.items():
        if counts is not None and counts.sum() > 0:
            scaled = _rebin(counts, _bins_to_draw(float(counts.sum())))
            strip.curve(_steps(scaled / scaled.max()), name)
    if not components:
        return observed, None
    fine = {name: part * (len(part) / bins) for name, part in components.items()}
    strip.curve(_smooth(np.sum(list(fine.values()), axis=0) / top), "total")
    for name, part in fine.items():
        strip.curve(_smooth(part / top), name)
    return observed, np.sum([_rebin(part, bins) for part in components.values()], axis=0)


def _finish(canvas: Canvas, strip: _Strip, axis: Mapping[str, Any], labels: list[Label]) -> Drawing:
    """Close a drawing: the axis at its foot, the scale of heights at its side."""
    canvas.line([(0, 0.5), (canvas.width, 0.5)], MUTED, 1)
    for at, place, words in readable_ticks(axis["ticks"], 0.016):
        canvas.line([(at * canvas.width, 0), (at * canvas.width, 5)], MUTED, 1)
        labels.append(Label(_LEFT + place * canvas.width, canvas.height + 16, words))
    for height in (0.0, 0.5, 1.0):
        labels.append(_beside(canvas, strip, height, f"{height:.0%}"))
    labels.append(Label(_LEFT + canvas.width / 2, canvas.height + 37, axis["label"], "axis"))
    labels.append(Label(_LEFT + 6, 14, load_texts()["key"]["mode"], "tick", "start"))
    width, height = float(canvas.width), float(canvas.height)
    return Drawing(_WIDTH, height + _AXIS, _palette().png(canvas.pixels()), (_LEFT, 0, width, height), tuple(labels))


def _beside(canvas: Canvas, strip: _Strip, value: float, words: str) -> Label:
    return Label(_LEFT - 6, canvas.height - strip.height(value) + 4, words, "tick", "end")


def _scaled_strip(canvas: Canvas, bottom: float, ceiling: float = _HEADROOM) -> _Strip:
    strip = _Strip(canvas, bottom, float(canvas.height), 0.0, ceiling)
    for height in (0.5, 1.0):
        strip.level(height, RULE, 0.8)
    strip.level(0, MUTED, 1)
    return strip


def draw_target(densities: Densities, target: Mapping[str, Any], control: Densities | None = None) -> Drawing:
    """Draw the target histogram of one reagent, with the control's stimulated cells over it where given."""
    canvas = Canvas(_WIDTH - _LEFT - _RIGHT, _CURVES + _GAP + _RESIDUALS, _SCALE)
    sample = densities.counts(target["sample"])
    sample = np.zeros(256) if sample is None else sample
    components = _fitted(target, densities)
    strip = _scaled_strip(canvas, _GAP + _RESIDUALS, _ceiling(sample, components))
    observed, expected = _draw_curves(strip, target, densities, control, sample, components)
    strip.threshold(target.get("threshold"))
    labels = []
    if expected is not None:
        below = _Strip(canvas, 4.0, float(_RESIDUALS), -_RESIDUAL_RANGE, _RESIDUAL_RANGE)
        _draw_residuals(below, observed, expected)
        signed = {-_RESIDUAL_LIMIT: "−2", 0.0: "0", _RESIDUAL_LIMIT: "+2"}
        labels += [_beside(canvas, below, value, words) for value, words in signed.items()]
        labels.append(Label(_LEFT + 6, _CURVES + _GAP + 8, load_texts()["key"]["residuals"], "tick", "start"))
    return _finish(canvas, strip, target["axis"], labels)


def draw_activation(densities: Densities, activation: Mapping[str, Any]) -> Drawing:
    """Draw CD69 of CD3+CD8- cells, stimulated over unstimulated."""
    canvas = Canvas(_WIDTH - _LEFT - _RIGHT, _PLAIN, _SCALE)
    strip = _scaled_strip(canvas, 0.0)
    for name, style in (("stimulated", "sample"), ("unstimulated", "background")):
        counts = densities.counts(activation.get(name))
        if counts is not None and counts.sum() > 0:
            scaled = _rebin(counts, _bins_to_draw(float(counts.sum())))
            strip.curve(_steps(scaled / scaled.max()), style, fill=style == "sample")
    strip.threshold(activation.get("threshold"))
    return _finish(canvas, strip, activation["axis"], [])

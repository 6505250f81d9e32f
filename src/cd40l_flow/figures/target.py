"""Histograms: the target on activated cells with its fit, and CD69 stimulated over unstimulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.texts import load_texts
from cd40l_flow.figures.binned import Counts, Densities, readable_ticks
from cd40l_flow.figures.drawing import Drawing, Label, Places, Style, level, polyline, staircase, upright
from cd40l_flow.figures.plots import ActivationPlot, PlotAxis, TargetPlot

Curve = NDArray[np.float64]

INK, MUTED, RULE = "#1b2733", "#55616e", "#c3ccd5"
# Okabe and Ito's hues, darkened for thin lines; each line also has its own dash, so that colour is never the only sign.
STYLES: dict[str, Style] = {
    "sample": ("#0b4f8a", 1.8, None),
    "background": ("#55616e", 1.5, (6.0, 3.0)),
    "unstimulated": ("#8a8f98", 1.5, (1.5, 2.5)),
    "control": ("#b35c00", 1.5, None),
    "negative": ("#7a2e8e", 2.2, (9.0, 2.5, 2.0, 2.5)),
    "positive": ("#00725c", 2.2, (4.0, 2.0)),
    "total": ("#111111", 1.1, None),
    "threshold": ("#c2410c", 1.6, (10.0, 4.0)),
    "rule": (RULE, 0.8, None),
    "foot": (MUTED, 1.0, None),
    "limit": (MUTED, 0.9, (3.0, 3.0)),
    "zero": (INK, 0.9, None),
}
FILL = "#d3e2f1"

_WIDTH, _LEFT, _RIGHT, _AXIS = 560, 44, 10, 44
_PLOT = _WIDTH - _LEFT - _RIGHT
_CURVES, _GAP, _RESIDUALS, _PLAIN = 214, 12, 72, 190
_HEADROOM = 1.12
_RESIDUAL_LIMIT, _RESIDUAL_RANGE = 2.0, 6.0


def _bins_to_draw(events: float) -> int:
    # Enough cells in each bin that the outline shows the population and not the counting noise.
    return 256 if events >= 40_000 else 128 if events >= 4_000 else 64


def _rebin(counts: Counts, bins: int) -> Counts:
    """Sum neighbouring bins until at most ``bins`` are left."""
    return np.add.reduceat(counts, np.arange(0, len(counts), max(len(counts) // bins, 1)))


def _smooth(counts: Counts) -> Curve:
    """Return expected counts as a line through the middles of their bins, (points, 2)."""
    return np.column_stack([(np.arange(len(counts)) + 0.5) / len(counts), counts])


@dataclass
class _Strip:
    """One strip of a drawing: x 0 to 1 over its width, y ``low`` to ``high`` from ``bottom`` to ``top``, pixels."""

    top: float
    bottom: float
    low: float
    high: float
    marks: list[tuple[str, str]] = field(default_factory=list)

    def height(self, value: Places) -> Places:
        """Return the place of values, pixels from the drawing's top."""
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)

    def level(self, value: float, style: str) -> None:
        """Draw a horizontal line."""
        self.marks.append((f"t-{style}", level(self.height(value), _PLOT)))

    def histogram(self, counts: Counts, style: str, fill: bool = False) -> None:
        """Draw the outline of a histogram, counts in the strip's unit."""
        path = staircase(np.maximum(self.height(counts), self.top), _PLOT, self.height(0.0))
        if fill:
            self.marks.append(("fill", path))
        self.marks.append((f"t-{style}", path))

    def curve(self, curve: Curve, style: str) -> None:
        """Draw (points, 2) of x 0 to 1 and y in the strip's unit."""
        heights = np.maximum(self.height(curve[:, 1]), self.top)
        self.marks.append((f"t-{style}", polyline(np.column_stack([curve[:, 0] * _PLOT, heights]))))

    def threshold(self, at: float | None) -> None:
        """Draw the vertical line of a threshold at an axis fraction."""
        if at is not None:
            self.marks.append(("t-threshold", upright(at * _PLOT, self.top, self.bottom)))


def _draw_residuals(strip: _Strip, observed: Counts, expected: Counts) -> None:
    """Draw (observed - expected) / sqrt(expected) a bin; what lies beyond the strip is a triangle at its edge."""
    for value in (-_RESIDUAL_LIMIT, _RESIDUAL_LIMIT):
        strip.level(value, "limit")
    width = _PLOT / len(observed)
    bars, beyond = [], []
    # An expected count below one has no normal residual; such bins are left blank.
    places = np.flatnonzero(expected >= 1)
    values = (observed[places] - expected[places]) / np.sqrt(expected[places])
    zero = strip.height(0.0)
    for place, value in zip(places.tolist(), values.tolist(), strict=True):
        shown = min(max(value, -_RESIDUAL_RANGE), _RESIDUAL_RANGE)
        x, tip = (place + 0.5) * width, strip.height(shown)
        bars.append(f"M{x - 0.36 * width:.1f} {zero:.1f}h{0.72 * width:.1f}V{tip:.1f}h{-0.72 * width:.1f}z")
        if shown != value:
            beyond.append(f"M{x:.1f} {tip:.1f}l5 {7 if shown > 0 else -7}h-10z")
    strip.marks += [("bar", "".join(bars)), ("beyond", "".join(beyond))]
    strip.level(0, "zero")


def _fitted(target: TargetPlot, densities: Densities) -> dict[str, Counts]:
    """Return the expected counts of the fitted components, those that there are."""
    parts = {"negative": densities.counts(target.fit_negative), "positive": densities.counts(target.fit_positive)}
    return {name: part for name, part in parts.items() if part is not None}


def _ceiling(sample: Counts, components: Mapping[str, Counts]) -> float:
    """Return the height of the scale, in modes of the sample, under which the sum of the components fits too."""
    bins = _bins_to_draw(float(sample.sum()))
    mode = max(float(_rebin(sample, bins).max(initial=0.0)), 1.0)
    total = np.sum(list(components.values()), axis=0) if components else np.zeros(1)
    return max(_HEADROOM, 1.05 * float(total.max()) * len(sample) / bins / mode)


def _draw_curves(
    strip: _Strip,
    target: TargetPlot,
    densities: Densities,
    control: Densities | None,
    sample: Counts,
    components: Mapping[str, Counts],
) -> tuple[Counts, Counts | None]:
    """Draw the overlaid histograms and the fit; return observed and (where fitted) expected counts a bin."""
    bins = _bins_to_draw(float(sample.sum()))
    observed = _rebin(sample, bins)
    top = max(float(observed.max(initial=0.0)), 1.0)
    strip.histogram(observed / top, "sample", fill=True)
    overlays = {
        "unstimulated": densities.counts(target.unstimulated),
        "background": densities.counts(target.background),
    }
    other = control.target(target.reagent) if control is not None else None
    if control is not None and other is not None:
        overlays["control"] = control.counts(other.sample)
    for name, counts in overlays.items():
        if counts is not None and counts.sum() > 0:
            scaled = _rebin(counts, _bins_to_draw(float(counts.sum())))
            strip.histogram(scaled / scaled.max(), name)
    if not components:
        return observed, None
    fine = {name: part * (len(part) / bins) for name, part in components.items()}
    strip.curve(_smooth(np.sum(list(fine.values()), axis=0) / top), "total")
    for name, part in fine.items():
        strip.curve(_smooth(part / top), name)
    return observed, np.sum([_rebin(part, bins) for part in components.values()], axis=0)


def _finish(height: float, strips: list[_Strip], axis: PlotAxis, labels: list[Label]) -> Drawing:
    """Close a drawing, with the heights of its first strip at its side and the axis at its bottom."""
    foot = [level(height - 0.5, _PLOT)]
    for at, place, words in readable_ticks(axis.ticks, 0.016):
        foot.append(upright(at * _PLOT, height - 5, height))
        labels.append(Label(_LEFT + place * _PLOT, height + 16, words))
    labels += [_side_label(strips[0], share, f"{share:.0%}") for share in (0.0, 0.5, 1.0)]
    labels.append(Label(_LEFT + _PLOT / 2, height + 37, axis.label, "axis"))
    labels.append(Label(_LEFT + 6, 14, load_texts()["key"]["mode"], "tick", "start"))
    marks = [*(mark for strip in strips for mark in strip.marks), ("t-foot", "".join(foot))]
    return Drawing(_WIDTH, height + _AXIS, (_LEFT, 0, _PLOT, height), tuple(marks), tuple(labels))


def _side_label(strip: _Strip, value: float, words: str) -> Label:
    return Label(_LEFT - 6, strip.height(value) + 4, words, "tick", "end")


def _scaled_strip(height: float, ceiling: float = _HEADROOM) -> _Strip:
    strip = _Strip(0.0, height, 0.0, ceiling)
    for share in (0.5, 1.0):
        strip.level(share, "rule")
    strip.level(0, "foot")
    return strip


def draw_target(densities: Densities, target: TargetPlot, control: Densities | None = None) -> Drawing:
    """Draw the target histogram of one reagent, with the control's stimulated cells over it where given."""
    sample = densities.counts(target.sample)
    sample = np.zeros(256) if sample is None else sample
    components = _fitted(target, densities)
    strips = [_scaled_strip(_CURVES, _ceiling(sample, components))]
    observed, expected = _draw_curves(strips[0], target, densities, control, sample, components)
    strips[0].threshold(target.threshold)
    labels = []
    height = _CURVES + _GAP + _RESIDUALS
    if expected is not None:
        below = _Strip(_CURVES + _GAP, height - 4, -_RESIDUAL_RANGE, _RESIDUAL_RANGE)
        _draw_residuals(below, observed, expected)
        strips.append(below)
        signed = {-_RESIDUAL_LIMIT: "−2", 0.0: "0", _RESIDUAL_LIMIT: "+2"}
        labels += [_side_label(below, value, words) for value, words in signed.items()]
        labels.append(Label(_LEFT + 6, _CURVES + _GAP + 8, load_texts()["key"]["residuals"], "tick", "start"))
    return _finish(height, strips, target.axis, labels)


def draw_activation(densities: Densities, activation: ActivationPlot) -> Drawing:
    """Draw CD69 of CD3+CD8- cells, stimulated over unstimulated."""
    strip = _scaled_strip(_PLAIN)
    for name, style in ((activation.stimulated, "sample"), (activation.unstimulated, "background")):
        counts = densities.counts(name)
        if counts is not None and counts.sum() > 0:
            scaled = _rebin(counts, _bins_to_draw(float(counts.sum())))
            strip.histogram(scaled / scaled.max(), style, fill=style == "sample")
    strip.threshold(activation.threshold)
    return _finish(_PLAIN, [strip], activation.axis, [])

"""The panels of the main figure: artists that are made once on their axes and shown anew for each sample.

Making axes, ticks and texts takes matplotlib longer than drawing them. What differs between samples is therefore set on
artists that stay: pictures, lines and the words of ticks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.texts import load_texts
from cd40l_flow.figures.binned import Counts, Densities, readable_ticks
from cd40l_flow.figures.clouds import cloud, smoothed
from cd40l_flow.figures.plots import Line, PlotAxis, QuadrantPlot, Tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text
    from matplotlib.typing import LineStyleType

    from cd40l_flow.result.types.result import Result

KINDS = ("unstimulated", "background", "stimulated")
INK, MUTED, LINE = "#1b2733", "#55616e", "#b02a1d"
SMALL, USUAL = 6.5, 7.5  # points
LETTER = 0.045  # width of a letter of the ticks' words, of an axis of 1.2 inches
MOST_WORDS = 170  # letters that fit into a panel
# Okabe and Ito's hues; line style, width, colour and fill of each histogram.
HISTOGRAMS: Mapping[str, tuple[LineStyleType, float, str, str | None]] = {
    "control": ("-", 1.0, "#b35c00", None),
    "unstimulated": ((0, (1.2, 1.4)), 1.0, "#55616e", None),
    "background": ((0, (5, 2)), 1.0, "#222222", None),
    "sample": ("-", 1.5, "#0b4f8a", "#d3e2f1"),
}


@dataclass(frozen=True)
class Person:
    """One row of the figure: who it is, in words, and the binned data.

    ``why`` is shown in their place, ``whys`` in that of a reagent. ``result`` is what was measured, where it is known.
    """

    name: str
    densities: Densities
    why: str = ""
    whys: Mapping[str, str] = field(default_factory=dict)
    result: Result | None = None

    def lack(self, reagent: str, usual: str = "") -> str:
        """Return in words why a reagent is not drawn; ``usual`` where nothing more is known."""
        return self.whys.get(reagent) or self.why or usual or str(load_texts()["main_figure"]["not_measured"])

    def plot(self, reagent: str) -> QuadrantPlot | None:
        """Return CD69 against a reagent's target, None where it was not measured."""
        return self.densities.quadrants(reagent)


_SQUARE: Line = ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))


def _parted(lines: Sequence[Line | Counts]) -> NDArray[np.float64]:
    """Return lines, each (points, 2), as one of (2, points) with gaps between them: one artist in place of many."""
    gap = np.full((1, 2), np.nan)
    points: NDArray[np.float64] = np.concatenate([part for line in lines for part in (np.asarray(line, float), gap)]).T
    return points


class Frame:
    """Axes of 0 to 1 with ticks, words of ticks and names of axes, and a place for what is missing."""

    def __init__(self, axes: Axes, *, across: bool = True, up: bool = True) -> None:
        """Take axes; ``across`` and ``up``: whether there are words below and left of them."""
        self.axes, self._worded = axes, {"x": across, "y": up}
        self._words: dict[str, list[Text]] = {"x": [], "y": []}
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.set_axis_off()
        # Frame and ticks as one line: matplotlib's own, an artist each, take most of the time of a figure.
        self.frame = axes.plot([], [], color=MUTED, lw=0.7, clip_on=False, transform=axes.transAxes, zorder=2.5)[0]
        self.scale(None, None)
        self._names = {
            "x": self._text(0.5, 0, (0, -13), USUAL, ha="center", va="top"),
            "y": self._text(0, 0.5, (-21, 0), USUAL, ha="right", va="center", rotation=90),
        }
        self._title = self._text(0.5, 1, (0, 3), USUAL, ha="center", va="bottom")
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2}
        self._missing = axes.text(
            0.5, 0.5, "", bbox=box, ha="center", va="center", fontsize=SMALL, color=MUTED, zorder=3
        )

    def name(self, title: str, *, x: str = "", y: str = "") -> None:
        """Write the title and the names of the axes where they are worded."""
        self._title.set_text(title)
        self._names["x"].set_text(x if self._worded["x"] else "")
        self._names["y"].set_text(y if self._worded["y"] else "")
        for text in (self._title, *self._names.values()):
            text.set_visible(bool(text.get_text()))

    def lack(self, why: str) -> None:
        """Write why nothing is drawn, or nothing where something is."""
        if len(why) > MOST_WORDS:
            why = why[: MOST_WORDS - 1].rsplit(" ", 1)[0] + " …"
        self._missing.set_text(fill(why, 24))
        self._missing.set_visible(bool(why))

    def scale(self, x: PlotAxis | None, y: PlotAxis | None) -> None:
        """Draw the ticks of the axes; none of an axis that is None."""
        segments: list[Line | Counts] = [_SQUARE]
        for which, axis in (("x", x), ("y", y)):
            ticks, minor = (axis.ticks, axis.minor) if axis is not None else ((), ())
            for places, length in (([at for at, _ in ticks], 0.03), (minor, 0.015)):
                segments += [((at, 0), (at, -length)) if which == "x" else ((0, at), (-length, at)) for at in places]
            self._write(which, ticks if self._worded[which] else ())
        self.frame.set_data(*_parted(segments))

    def _write(self, which: str, ticks: Sequence[Tick]) -> None:
        """Write the words of the ticks of an axis, without those that would touch."""
        across = which == "x"
        wanted = readable_ticks(ticks, LETTER if across else 0.0, 0.0 if across else 0.1)
        texts = self._words[which]
        while len(texts) < len(wanted):
            # Drawn in an order of their own, whichever axis asked for more of them first.
            if across:
                texts.append(self._text(0, 0, (0, -4), SMALL, ha="center", va="top", zorder=3.1))
            else:
                texts.append(self._text(0, 0, (-4, 0), SMALL, ha="right", va="center", zorder=3.2))
        for text, tick in zip(texts, [*wanted, *[None] * (len(texts) - len(wanted))], strict=True):
            text.set_visible(tick is not None)
            if tick:
                text.set_text(tick[2])
                text.set_position((tick[1], 0) if across else (0, tick[1]))

    def _text(self, x: float, y: float, away: tuple[float, float], size: float, **look: Any) -> Text:
        """Return a text at fractions of the axes, ``away`` from there by points; an annotation takes longer to draw."""
        from matplotlib.transforms import ScaledTranslation

        scale = self.axes.get_figure(root=True).dpi_scale_trans  # type: ignore[union-attr]
        shift = ScaledTranslation(away[0] / 72, away[1] / 72, scale)
        return self.axes.text(x, y, "", transform=self.axes.transAxes + shift, color=INK, fontsize=size, **look)


class Quadrants(Frame):
    """CD69 against the target of CD3+CD8- cells of one kind of tube.

    Colour is the density of cells, its root, a dot a place with few; contours are at 5, 20, 50 and 80 % of the densest
    place. The ends of the axes hold what lies beyond them and are never the densest place. Numbers are percent of the
    cells in each quadrant.
    """

    # As the index has them: CD69+ without and with the target, CD69- without and with.
    _CORNERS = (
        (0.03, 0.97, "left", "top"),
        (0.97, 0.97, "right", "top"),
        (0.03, 0.03, "left", "bottom"),
        (0.97, 0.03, "right", "bottom"),
    )

    def __init__(self, axes: Axes, *, across: bool = True, up: bool = True) -> None:
        super().__init__(axes, across=across, up=up)
        self._picture = axes.imshow(
            np.zeros((2, 2, 4), np.uint8), extent=(0, 1, 0, 1), origin="lower", aspect="auto", interpolation="none"
        )
        self._contours = axes.plot([], [], color=INK, lw=0.5, alpha=0.85)[0]
        self.upright = axes.axvline(0.5, color=LINE, lw=0.9, ls=(0, (4, 2)))
        self.level = axes.axhline(0.5, color=LINE, lw=0.9, ls=(0, (4, 2)))
        self.percents = [axes.text(x, y, "", ha=ha, va=va, fontsize=SMALL, color=INK) for x, y, ha, va in self._CORNERS]

    def show(self, person: Person | None, reagent: str, kind: str, *, title: str = "") -> None:
        """Show the cells of one person, or say what is missing."""
        words = load_texts()["main_figure"]
        plot = person.plot(reagent) if person is not None else None
        counts = person.densities.counts(plot.kinds.get(kind)) if person is not None and plot is not None else None
        there = counts is not None and plot is not None
        for artist in (self._picture, self._contours, self.upright, self.level, *self.percents):
            artist.set_visible(there)
        if person is None or plot is None or counts is None:
            # The axes of a row are the same: a panel without cells uses those of the others.
            self.scale(None, plot.y if plot is not None else None)
            lacking = _lacking(person, reagent, kind) if person is not None and plot is not None else ""
            self.lack(words["no_control"] if person is None else lacking or person.lack(reagent))
            up = f"\n{plot.y.label}" if plot is not None else ""
            self.name(title, y=f"{person.name}{up}" if person is not None else "")
            return
        self.lack("")
        self.name(title, x=plot.x.label, y=f"{person.name}\n{plot.y.label}")
        self.scale(plot.x, plot.y)
        picture, contours = cloud(counts)
        self._picture.set_data(picture)
        self._contours.set_data(*(_parted(contours) if contours else ([], [])))
        for line, at, upright in ((self.upright, plot.x_threshold, True), (self.level, plot.y_threshold, False)):
            line.set_visible(at is not None)
            if at is not None:
                line.set_data(([at, at], [0, 1]) if upright else ([0, 1], [at, at]))
        for text, number in zip(self.percents, self._words_of(plot, kind), strict=True):
            text.set_text(number)

    def _words_of(self, plot: QuadrantPlot, kind: str) -> Sequence[str]:
        """Return what is written into the quadrants."""
        return [f"{percent:.1f}" for percent in plot.percents[kind]] if plot.percents else [""] * 4


class Histograms(Frame):
    """The target of activated cells over its background and the control's, each to its own height.

    Unstimulated cells are drawn where there is no background.
    """

    def __init__(self, axes: Axes, *, across: bool = True, legend: bool = True) -> None:
        super().__init__(axes, across=across, up=False)
        axes.set_ylim(0, 1.08)
        self.lines = {}
        for name, (style, width, colour, filled) in HISTOGRAMS.items():
            if filled:
                (self._filled,) = axes.fill([0.0], [0.0], color=filled, lw=0)
            (self.lines[name],) = axes.plot([], [], ls=style, lw=width, color=colour, label=name)
        self.threshold = axes.axvline(0.5, color=LINE, lw=0.9, ls=(0, (4, 2)))
        self._legend = [_Slot(axes, at) for at in _SLOTS] if legend else []

    def show(self, patient: Person, control: Person | None, reagent: str) -> None:
        """Show the histograms of a reagent, or say why it has none."""
        words = load_texts()["main_figure"]
        target = patient.densities.target(reagent)
        theirs = control.densities.target(reagent) if control is not None else None
        curves: dict[str, Counts | None] = dict.fromkeys(HISTOGRAMS)
        if control is not None and theirs is not None:
            curves["control"] = control.densities.counts(theirs.sample)
        if target is not None:
            curves["background"] = patient.densities.counts(target.background)
            curves["sample"] = patient.densities.counts(target.sample)
            if curves["background"] is None:
                curves["unstimulated"] = patient.densities.counts(target.unstimulated)
        self._filled.set_visible(target is not None)
        for name, line in self.lines.items():
            counts = curves[name]
            drawn = counts is not None and counts.sum() > 0
            line.set_visible(drawn)
            if counts is None or not drawn:
                continue
            heights = _heights(counts)
            x = (np.arange(heights.size) + 0.5) / heights.size
            line.set_data(x, heights)
            if name == "sample":
                self._filled.set_xy(np.column_stack([[*x, x[-1], x[0]], [*heights, 0.0, 0.0]]))
        shown = target if target is not None else theirs
        usual = words["missing"]["stimulated"].format(reagent=reagent)
        self.lack("" if target is not None else patient.lack(reagent, usual))
        self.name("", x=shown.axis.label if shown is not None else reagent)
        self.scale(shown.axis if shown is not None else None, None)
        at = target.threshold if target is not None else None
        self.threshold.set_visible(at is not None)
        if at is not None:
            self.threshold.set_xdata([at, at])
        for slot, names in zip(self._legend, _LEGEND, strict=bool(self._legend)):
            name = next((name for name in names if self.lines[name].get_visible()), names[0])
            slot.show(name, words["lines"][name], there=self.lines[name].get_visible())


# The slots of the legend, and where, in fractions of the axis.
_LEGEND = (("sample",), ("background", "unstimulated"), ("control",))
_SLOTS = (0.0, 0.29, 0.71)


class _Slot:
    """A line and its name above a histogram: matplotlib's own legend takes a fifth of the time of a figure."""

    def __init__(self, axes: Axes, at: float) -> None:
        place = axes.transAxes
        (self._line,) = axes.plot([at, at + 0.07], [1.05, 1.05], transform=place, clip_on=False)
        self._text = axes.text(at + 0.085, 1.05, "", transform=place, ha="left", va="center", fontsize=SMALL, color=INK)

    def show(self, name: str, words: str, *, there: bool) -> None:
        """Show the look of a histogram and its name, or nothing of one that is not drawn."""
        style, width, colour, _ = HISTOGRAMS[name]
        self._line.set(color=colour, linewidth=width, linestyle=style, visible=there)
        self._text.set(text=words, visible=there)


def _lacking(person: Person, reagent: str, kind: str) -> str:
    """Return which tube of a person is missing, and what replaces a background."""
    words = load_texts()["main_figure"]["missing"]
    source = background_of(person, reagent) if kind == "background" else ""
    return str(words["stands_in"].format(source=source) if source else words[kind].format(reagent=reagent))


def background_of(person: Person, reagent: str) -> str:
    """Return what the background of a reagent was taken from, in words, or nothing where it was not measured."""
    target = person.densities.target(reagent)
    return target.names.background if target is not None else ""


def _heights(counts: Counts) -> Counts:
    """Return the heights of a smoothed histogram, 1 at its mode; the end bins hold what lies beyond and are no mode."""
    inner = counts.copy()
    inner[0], inner[-1] = inner[1], inner[-2]
    smooth: Counts = smoothed(inner, 2.0)
    top = float(smooth.max())
    if top <= 0:
        return smooth
    smooth[[0, -1]] = counts[[0, -1]]
    heights: Counts = np.minimum(smooth / top, 1.02)
    return heights

"""The figure that laboratories know: CD69 against the target, patient over control, and the target's histograms.

Drawn by matplotlib from the binned data of ``densities.npz``. Columns are unstimulated cells, the background and the
stimulated, stained cells, all CD3+CD8-; beside them the target of activated cells. All samples of a run have the same
axes, for their scales are those of its controls. Lines differ by dashes, colours by lightness: it reads in grey.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cd40l_flow.assay.texts import load_texts
from cd40l_flow.figures.binned import Counts, Densities

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("unstimulated", "background", "stimulated")
FORMATS = ("svg", "pdf", "png")
INK, MUTED, LINE = "#1b2733", "#55616e", "#b02a1d"
SIZE = (9.6, 4.6)  # inches
DPI = 110
SMALL, USUAL = 6.5, 7.5  # points
SMOOTH = 0.8  # of the counts, in cells of the grid
LEVELS = (0.05, 0.2, 0.5, 0.8)  # of contours, of the densest place
# Okabe and Ito's hues; line style, width, colour and fill of each histogram.
HISTOGRAMS: Mapping[str, tuple[Any, float, str, str | None]] = {
    "control": ("-", 1.0, "#b35c00", None),
    "unstimulated": ((0, (1.5, 1.5)), 1.1, "#55616e", None),
    "background": ((0, (5, 2)), 1.1, "#333333", None),
    "sample": ("-", 1.4, "#0b4f8a", "#d3e2f1"),
}


@dataclass(frozen=True)
class Person:
    """One row of the figure: who it is, in words, and the binned data; ``why`` says what stands in their place."""

    name: str
    densities: Densities
    why: str = ""

    def plot(self, reagent: str) -> Mapping[str, Any] | None:
        """Return the index entry of CD69 against a reagent's target, None where it was not measured."""
        found = self.densities.index.get("scatter") or ()
        return next((one for one in found if one["reagent"] == reagent), None)


def main_figure(reagent: str, patient: Person, control: Person | None) -> Figure:
    """Return the figure of one reagent: the patient over the control of the day, None where there is none."""
    figure = _blank()
    rows = figure.axes[:3], figure.axes[3:6]
    for axes_of_row, person in zip(rows, (patient, control), strict=True):
        for axes, kind in zip(axes_of_row, KINDS, strict=True):
            draw_quadrants(axes, person, reagent, kind)
    for axes, kind in zip(rows[0], KINDS, strict=True):
        axes.set_title(load_texts()["main_figure"]["kinds"][kind], fontsize=USUAL, color=INK, pad=3)
        axes.set_xlabel("")
    for axes in (*rows[0][1:], *rows[1][1:]):
        axes.set_ylabel("")
    draw_histograms(figure.axes[6], patient, control, reagent)
    return figure


def _blank() -> Figure:
    """Return the figure with its seven empty axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, facecolor="white")
    places = {"left": 0.065, "right": 0.99, "top": 0.94, "bottom": 0.1, "wspace": 0.1, "hspace": 0.08}
    grid = figure.add_gridspec(2, 4, width_ratios=(1, 1, 1, 1.35), **places)
    for place in (*((row, column) for row in (0, 1) for column in range(3)), (slice(None), 3)):
        axes = figure.add_subplot(grid[place])
        axes.tick_params(labelleft=place in ((0, 0), (1, 0)), labelbottom=place[0] != 0)
    return figure


def draw_quadrants(axes: Axes, person: Person | None, reagent: str, kind: str) -> None:
    """Draw CD69 against the target of CD3+CD8- cells of one kind of tube on given axes.

    Colour is the density of cells, its root; contours are at 5, 20, 50 and 80 % of the densest place. The ends of the
    axes hold what lies beyond them and are never the densest place. Numbers are percent of the cells in each quadrant.
    """
    words = load_texts()["main_figure"]
    plot = person.plot(reagent) if person is not None else None
    counts = person.densities.counts(plot["kinds"].get(kind)) if person is not None and plot is not None else None
    _frame(axes)
    if person is None or plot is None or counts is None:
        why = words["no_control"] if person is None else person.why or words["not_measured"]
        axes.text(0.5, 0.5, _wrapped(why), ha="center", va="center", fontsize=SMALL, color=MUTED)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    _density(axes, counts)
    _ticks(axes, plot["x"], "x")
    _ticks(axes, plot["y"], "y")
    axes.set_ylabel(f"{person.name}\n{plot['y']['label']}", fontsize=USUAL, color=INK)
    axes.set_xlabel(plot["x"]["label"], fontsize=USUAL, color=INK)
    if plot["x_threshold"] is not None:
        axes.axvline(plot["x_threshold"], color=LINE, lw=0.9, ls=(0, (4, 2)))
    if plot["y_threshold"] is not None:
        axes.axhline(plot["y_threshold"], color=LINE, lw=0.9, ls=(0, (4, 2)))
    for (x, y, across, up), percent in zip(_CORNERS, plot["percents"][kind], strict=True):
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
        axes.text(x, y, f"{percent:.1f}", ha=across, va=up, fontsize=SMALL, color=INK, bbox=box)


# The quadrants as the index has them: CD69+ without and with the target, CD69- without and with.
_CORNERS = (
    (0.03, 0.97, "left", "top"),
    (0.97, 0.97, "right", "top"),
    (0.03, 0.03, "left", "bottom"),
    (0.97, 0.03, "right", "bottom"),
)


def draw_histograms(axes: Axes, patient: Person, control: Person | None, reagent: str) -> None:
    """Draw the target of activated cells, of its background, unstimulated cells and the control, each to its height."""
    words = load_texts()["main_figure"]
    _frame(axes)
    axes.set_ylim(0, 1.2)
    target = patient.densities.target(reagent)
    if target is None:
        axes.text(
            0.5,
            0.55,
            _wrapped(patient.why or words["not_measured"]),
            ha="center",
            va="center",
            fontsize=SMALL,
            color=MUTED,
        )
        axes.set_xticks([])
        axes.set_yticks([])
        return
    theirs = control.densities.target(reagent) if control is not None else None
    curves: dict[str, Counts | None] = {
        "control": control.densities.counts(theirs["sample"]) if control is not None and theirs is not None else None,
        **{name: patient.densities.counts(target[name]) for name in ("unstimulated", "background", "sample")},
    }
    for name, counts in curves.items():
        if counts is not None and counts.sum() > 0:
            style, width, color, fill = HISTOGRAMS[name]
            heights = _heights(counts)
            x = (np.arange(heights.size) + 0.5) / heights.size
            if fill:
                axes.fill_between(x, heights, color=fill, lw=0)
            axes.plot(x, heights, ls=style, lw=width, color=color, label=words["lines"][name])
    if target["threshold"] is not None:
        axes.axvline(target["threshold"], color=LINE, lw=0.9, ls=(0, (4, 2)))
    _ticks(axes, target["axis"], "x")
    axes.set_xlabel(target["axis"]["label"], fontsize=USUAL, color=INK)
    axes.set_title(words["histogram"], fontsize=USUAL, color=INK, pad=3)
    axes.set_yticks([])
    axes.legend(fontsize=SMALL, frameon=False, loc="upper center", ncols=2, handlelength=2.4, borderaxespad=0.1)


def encoded(figure: Figure, form: str) -> bytes:
    """Return a figure as a file of a format (``svg``, ``pdf``, ``png``): equal figures are equal bytes."""
    import matplotlib

    buffer = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[form]
    more: dict[str, Any] = {"pil_kwargs": {"compress_level": 4}} if form == "png" else {}
    with matplotlib.rc_context({"svg.hashsalt": "cd40l-flow", "svg.fonttype": "none"}):
        figure.savefig(buffer, format=form, metadata=metadata, dpi=1.4 * DPI, **more)
    return buffer.getvalue()


def _frame(axes: Axes) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    for side in axes.spines.values():
        side.set_color(MUTED)
        side.set_linewidth(0.7)
    axes.tick_params(labelsize=SMALL, colors=INK, width=0.6, length=3)


def _density(axes: Axes, counts: Counts) -> None:
    from scipy.ndimage import gaussian_filter

    inner = np.pad(counts.T[1:-1, 1:-1], 1, mode="edge")
    smooth = gaussian_filter(inner, SMOOTH, mode="nearest")
    top = float(smooth.max())
    if top <= 0:
        return
    axes.imshow(
        np.sqrt(smooth),
        extent=(0, 1, 0, 1),
        origin="lower",
        aspect="auto",
        cmap=_colours(),
        vmin=0.15 * np.sqrt(top),
        vmax=np.sqrt(top),
        interpolation="bilinear",
    )
    middles = (np.arange(counts.shape[0]) + 0.5) / counts.shape[0]
    axes.contour(
        middles, middles, smooth, levels=[level * top for level in LEVELS], colors=INK, linewidths=0.45, alpha=0.8
    )


@cache
def _colours() -> Any:
    """Return a map from white to dark blue that keeps its order in grey."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("cells", ["#ffffff", "#cfe3f5", "#7fb2de", "#2f78b7", "#0b3c6b"])


def _ticks(axes: Axes, axis: Mapping[str, Any], which: str) -> None:
    ticks = axis["ticks"]
    getattr(axes, f"{which}axis").set_ticks([at for at, _ in ticks], [text for _, text in ticks])
    _minor_ticks(axes, axis.get("minor", []), which)


def _minor_ticks(axes: Axes, places: Sequence[float], which: str) -> None:
    """Draw the minor ticks as one artist: matplotlib's own, an artist each, take most of the time of a figure."""
    from matplotlib.collections import LineCollection

    ends = [((at, 0.0), (at, -0.012)) if which == "x" else ((0.0, at), (-0.012, at)) for at in places]
    axes.add_collection(LineCollection(ends, colors=INK, linewidths=0.4, clip_on=False), autolim=False)


def _heights(counts: Counts) -> Counts:
    """Return the heights of a smoothed histogram, 1 at its mode; the end bins hold what lies beyond and are no mode."""
    from scipy.ndimage import gaussian_filter1d

    inner = counts.copy()
    inner[0], inner[-1] = inner[1], inner[-2]
    smooth: Counts = gaussian_filter1d(inner, 1.5, mode="nearest")
    top = float(smooth.max())
    if top <= 0:
        return smooth
    smooth[[0, -1]] = counts[[0, -1]]
    heights: Counts = np.minimum(smooth / top, 1.05)
    return heights


def _wrapped(text: str, width: int = 34) -> str:
    from textwrap import fill

    return fill(text, width)

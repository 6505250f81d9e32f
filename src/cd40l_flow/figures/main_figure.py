"""The figure that laboratories are used to: CD69 against the target, patient over control, and the targets' histograms.

Drawn by matplotlib from the binned data of ``densities.npz``. Columns are unstimulated cells, the background and the
stimulated, stained cells, all CD3+CD8-; next to them the targets of activated cells, with the reagent of the figure
above the other. All samples of a run have the same axes, for their scales are those of its controls. Lines differ by
dashes, colours by lightness: it reads in grey.
"""

from __future__ import annotations

import io
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.figures.binned import Densities
from cd40l_flow.figures.main_panels import KINDS, Histograms, Person, Quadrants, background_of
from cd40l_flow.figures.plots import PlotAxis, PlotIndex, QuadrantPlot, TargetPlot, read_index, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "KINDS", "MainFigure", "Person", "draw_histograms", "draw_quadrants", "encoded", "main_figure"]

FORMATS = ("svg", "pdf", "png")
SIZE = (7.3, 4.1)  # inches: the width of a printed page, so that no letter is smaller there than it is here
DPI = 110
LONGEST_TITLE = 22  # letters
_BEYOND_HUNDREDTHS = re.compile(rb"(?<=\d\.\d\d)\d+")


class MainFigure:
    """The figure with its eight axes, made once, on which sample after sample is shown."""

    def __init__(self) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=SIZE, dpi=DPI, facecolor="white")
        places = {"left": 0.085, "right": 0.995, "top": 0.945, "bottom": 0.1, "hspace": 0.16}
        grid = self.figure.add_gridspec(2, 5, width_ratios=(1, 1, 1, 0.02, 1.25), wspace=0.07, **places)
        self.rows = [
            [
                Quadrants(self.figure.add_subplot(grid[row, column]), across=row == 1, up=column == 0)
                for column in range(3)
            ]
            for row in (0, 1)
        ]
        column = grid[:, 4].subgridspec(2, 1, hspace=0.26)
        self.histograms = [Histograms(self.figure.add_subplot(column[row]), legend=row == 0) for row in (0, 1)]

    def show(self, reagent: str, patient: Person, control: Person | None) -> None:
        """Show a reagent of a patient over the control of the day, None where there is none."""
        for panels, person in zip(self.rows, (patient, control), strict=True):
            for panel, kind in zip(panels, KINDS, strict=True):
                panel.show(person, reagent, kind, title=_title(patient, reagent, kind) if person is patient else "")
        for histograms, shown in zip(self.histograms, (reagent, other_reagent(reagent)), strict=True):
            histograms.show(patient, control, shown)


def other_reagent(reagent: str) -> str:
    """Return the reagent whose histogram is drawn below that of a reagent: that of function below expression."""
    function, expression = current_assay().function, current_assay().expression
    return expression[0] if reagent == function else function


def _title(patient: Person, reagent: str, kind: str) -> str:
    """Return the title of a column; the background's names its tube."""
    words = load_texts()["main_figure"]
    source = background_of(patient, reagent) if kind == "background" else ""
    if kind == "unstimulated":
        plot = patient.plot(reagent)
        shown = plot.unstimulated_reagent if plot is not None else None
        return str(words["kinds"][kind].format(reagent=shown or reagent))
    if not source:
        return str(words["kinds"][kind].format(reagent=reagent))
    title = str(words["background"].format(source=source))
    return title if len(title) <= LONGEST_TITLE else source[:1].upper() + source[1:]


def main_figure(reagent: str, patient: Person, control: Person | None) -> Figure:
    """Return a new figure of one reagent: the patient over the control of the day, None where there is none."""
    drawn = MainFigure()
    drawn.show(reagent, patient, control)
    return drawn.figure


def page_figure(reagent: str, patient: Person, control: Person | None) -> bytes:
    """Return the figure as SVG for a page: drawn on the axes of this process, without what a page does not need."""
    drawn = _drawn_once()
    drawn.show(reagent, patient, control)
    return for_page(drawn.figure)


def for_page(figure: Figure) -> bytes:
    """Return a figure as SVG for a page, without what a page does not need."""
    # A browser draws hundredths of a point at most, and smooths pictures that do not ask it not to.
    svg = encoded(figure, "svg", plain=True)
    return _BEYOND_HUNDREDTHS.sub(b"", svg)


@cache
def _drawn_once() -> MainFigure:
    return MainFigure()


def make_ready() -> None:
    """Make the axes of this process, and what libraries make at their first use, before the first sample is drawn."""
    import numpy as np

    reagent = current_assay().expression[0]
    axis = PlotAxis(reagent, ((0.5, "0"),))
    kinds: dict[str, str | None] = dict.fromkeys(KINDS, "cells")
    percents = dict.fromkeys(KINDS, (25.0, 25.0, 25.0, 25.0))
    plot = QuadrantPlot(reagent, axis, axis, x_threshold=0.5, y_threshold=0.5, kinds=kinds, percents=percents)
    target = TargetPlot(reagent, axis, threshold=0.5, sample="bins", background="bins")
    index = read_index(written(PlotIndex(targets=(target,), scatter=(plot,))))
    arrays = {"cells": np.outer(np.hanning(32), np.hanning(32)) * 100, "bins": np.hanning(256)}
    person = Person(reagent, Densities(index, arrays))
    page_figure(reagent, person, person)


def draw_quadrants(axes: Axes, person: Person | None, reagent: str, kind: str) -> None:
    """Draw CD69 against the target of CD3+CD8- cells of one kind of tube on given axes."""
    Quadrants(axes).show(person, reagent, kind)


def draw_histograms(axes: Axes, patient: Person, control: Person | None, reagent: str) -> None:
    """Draw the target of activated cells, its background and the control's on given axes, each to its height."""
    Histograms(axes).show(patient, control, reagent)


def encoded(figure: Figure, form: str, *, plain: bool = False) -> bytes:
    """Return a figure as a file of a format (``svg``, ``pdf``, ``png``): equal figures are equal bytes.

    ``plain`` leaves out the file's own metadata.
    """
    import matplotlib

    buffer = io.BytesIO()
    metadata: dict[str, None] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[form]
    if plain:
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    more: dict[str, Any] = {"pil_kwargs": {"compress_level": 4}} if form == "png" else {}
    with matplotlib.rc_context({"svg.hashsalt": "cd40l-flow", "svg.fonttype": "none"}):
        figure.savefig(buffer, format=form, metadata=metadata, dpi=1.8 * DPI, **more)
    return buffer.getvalue()

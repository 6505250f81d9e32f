"""The figures of the report on axes of your own: ``import cd40l_flow.plot as plot``, in notebooks.

Each function takes a sample as `read` or `of` give it, draws by matplotlib and returns what it drew on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cd40l_flow.figures.binned import Densities, read_densities
from cd40l_flow.figures.main_figure import KINDS, Person, draw_histograms, draw_quadrants, main_figure
from cd40l_flow.figures.plots import read_index
from cd40l_flow.result.record import read_record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cd40l_flow.base.model import Arrays
    from cd40l_flow.result.types.result import Result

__all__ = ["KINDS", "Person", "histograms", "main", "of", "quadrants", "read"]


def read(result: str | Path) -> Person:
    """Return the binned data of a sample from its ``result.json``, with ``densities.npz`` next to it.

    Raises RecordError for files that were changed.
    """
    path = Path(result)
    record = read_record(path)
    return Person(record.sample, read_densities(path.with_name("densities.npz"), record))


def of(result: Result, arrays: Arrays) -> Person:
    """Return a sample as the analysis gives it: its result and the arrays of its figures."""
    return Person(result.sample, Densities(read_index(str(arrays["index"])), arrays))


def main(sample: Person, control: Person | None = None, reagent: str = "CD154") -> Figure:
    """Return the main figure: CD69 against the target, the sample over its control, and the target's histograms."""
    return main_figure(reagent, sample, control)


def quadrants(axes: Axes, sample: Person, reagent: str = "CD154", kind: str = "stimulated") -> Axes:
    """Draw CD69 against the target of CD3+CD8- cells on given axes; ``kind`` is one of ``KINDS``."""
    draw_quadrants(axes, sample, reagent, kind)
    return axes


def histograms(axes: Axes, sample: Person, control: Person | None = None, reagent: str = "CD154") -> Axes:
    """Draw the target of activated cells, its background, unstimulated cells and the control's on given axes."""
    draw_histograms(axes, sample, control, reagent)
    return axes

"""The figures of the report on axes of your own: ``import cd40l_flow.plot as plot``, in notebooks.

Each function takes a sample as `read` or `of` give it, draws what its assay has by matplotlib and returns what it drew
on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cd40l_flow.assay.lookup import assay_named, current_assay, using
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.figures.b_cell_densities import KINDS as CELLS
from cd40l_flow.figures.b_cell_densities import SUBSETS, cells_key
from cd40l_flow.figures.b_cell_figures import draw_level, draw_subsets
from cd40l_flow.figures.binned import Densities, read_densities
from cd40l_flow.figures.main_figure import KINDS, Person, draw_histograms, draw_quadrants, main_figure
from cd40l_flow.figures.plots import read_index
from cd40l_flow.result.record import read_record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cd40l_flow.assay.tables import Assay
    from cd40l_flow.base.model import Arrays
    from cd40l_flow.result.types.result import Result

__all__ = ["KINDS", "Person", "histograms", "main", "of", "quadrants", "read"]


def read(result: str | Path) -> Person:
    """Return the binned data of a sample from its ``result.json``, with ``densities.npz`` next to it.

    Raises RecordError for files that were changed.
    """
    path = Path(result)
    record = read_record(path)
    return Person(record.sample, read_densities(path.with_name("densities.npz"), record), result=record)


def of(result: Result, arrays: Arrays) -> Person:
    """Return a sample as the analysis gives it: its result and the arrays of its figures."""
    return Person(result.sample, Densities(read_index(str(arrays["index"])), arrays), result=result)


def main(sample: Person, control: Person | None = None, reagent: str = "CD154") -> Figure:
    """Return the main figure: CD69 against the target, the sample over its control, and the target's histograms.

    Of the B-cell assays it is that of their reports, whatever ``reagent`` is; raises Cd40lFlowError where nothing was
    measured for it.
    """
    with using(_assay(sample)):
        if sample.result is None or current_assay().stimulated:
            return main_figure(reagent, sample, control)
        from cd40l_flow.report.first_page import b_cell_figure

        if sample.result.memory is None and sample.result.cd40 is None:
            raise Cd40lFlowError(f"{sample.name}: nothing was measured, so there is nothing to draw.")
        return b_cell_figure(sample.result, sample, control)


def quadrants(axes: Axes, sample: Person, reagent: str = "CD154", kind: str | None = None) -> Axes:
    """Draw CD69 against the target of CD3+CD8- cells on given axes; ``kind`` is one of ``KINDS`` (default: stimulated).

    Of the assay ``memory_b`` CD27 against IgD of B cells: ``kind`` is ``memory`` or ``memory-FMO27``. Raises
    Cd40lFlowError for another kind, and for ``cd40``, which has no quadrants.
    """
    with using(_assay(sample)):
        kinds = {"cd40l": (KINDS[-1], *KINDS), "memory_b": SUBSETS}.get(current_assay().name, ())
        if not kinds:
            raise Cd40lFlowError(
                f"{sample.name}: the assay {current_assay().name} has no quadrants. Draw `histograms`."
            )
        kind = kind or kinds[0]
        if kind not in kinds:
            raise Cd40lFlowError(f"quadrants: found kind {kind!r}, expected {' or '.join(sorted(set(kinds)))}.")
        if current_assay().stimulated:
            draw_quadrants(axes, sample, reagent, kind)
        else:
            draw_subsets(axes, sample, kind)
    return axes


def histograms(axes: Axes, sample: Person, control: Person | None = None, reagent: str | None = None) -> Axes:
    """Draw the target of activated cells, its background, unstimulated cells and the control's on given axes.

    ``reagent`` is CD154 by default. Of the assay ``cd40`` it names the cells, ``CD40 on B cells`` (the default) or
    ``CD40 on monocytes``. Raises Cd40lFlowError for other cells, and for ``memory_b``, which has no target.
    """
    with using(_assay(sample)):
        if current_assay().stimulated:
            draw_histograms(axes, sample, control, reagent or "CD154")
            return axes
        if current_assay().name != "cd40":
            raise Cd40lFlowError(f"{sample.name}: the assay {current_assay().name} has no target. Draw `quadrants`.")
        cells = {cells_key(name): name for name in CELLS.values()}
        reagent = reagent or next(iter(cells))
        if reagent not in cells:
            raise Cd40lFlowError(f"histograms: found {reagent!r}, expected {' or '.join(cells)}.")
        draw_level(axes, sample, control, cells[reagent])
    return axes


def _assay(sample: Person) -> Assay:
    """Return the assay of a sample; the current one of a sample whose result is not known."""
    return current_assay() if sample.result is None else assay_named(sample.result.assay)

"""The parts of a report that differ by assay: its sentence, results, main figures, histograms and measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from cd40l_flow.assay.cd40l.reagents import CD154
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.figures.age_curve import AgePoint
from cd40l_flow.figures.b_cell_densities import KINDS
from cd40l_flow.figures.b_cell_figures import Ratio, cd40_figure, memory_figure
from cd40l_flow.figures.main_figure import for_page
from cd40l_flow.figures.main_panels import Person
from cd40l_flow.report.b_cell_rows import measures_view, results_rows, sentence
from cd40l_flow.report.figures import (
    AbsentFigure,
    ActivationFigure,
    Subject,
    TargetView,
    activation_views,
    target_views,
    why_absent,
)
from cd40l_flow.report.measures import MeasuresTable, measures_table
from cd40l_flow.report.pictures import Picture, main_figures, picture
from cd40l_flow.report.quantity import ResultRow, quantity, results_table
from cd40l_flow.result.types.b_cells import Cd40, deciding_share
from cd40l_flow.result.types.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class OwnParts(TypedDict):
    """The parts of a report that differ by assay; ``targets`` and ``activation`` are empty of assays without targets.

    ``measures`` is None where nothing was measured.
    """

    quantity: str
    results: list[ResultRow]
    pictures: list[Picture]
    targets: list[TargetView]
    activation: list[ActivationFigure | AbsentFigure]
    measures: MeasuresTable | None


def own_parts(subject: Subject, control: Subject | None, controls: Sequence[Result]) -> OwnParts:
    """Return the parts of a report that the current assay fills in its own way, by their names in the template.

    ``control`` is the one that is drawn, ``controls`` are all that the sample was compared with.
    """
    result = subject.result
    if CD154 in current_assay().targets:
        return {
            "quantity": quantity(result, controls),
            "results": results_table(result, controls),
            "pictures": main_figures(subject, control),
            "targets": target_views(subject, control),
            "activation": activation_views(subject, control),
            "measures": measures_table(result, controls),
        }
    return {
        "quantity": sentence(result),
        "results": results_rows(result, controls),
        "pictures": [_figure(subject, control)],
        "targets": [],
        "activation": [],
        "measures": measures_view(result, controls),
    }


def _figure(subject: Subject, control: Subject | None) -> Picture:
    words, result = load_texts()["main_figure"], subject.result
    patient, other = _person(subject, result.sample), None
    if control is not None:
        other = _person(control, words["control"].format(sample=control.result.sample))
    drawn = b_cell_figure(result, patient, other)
    how = words["over_control"] if control is not None else words["alone"]
    alt = words["alt"].format(sample=result.sample, beside=how)
    return picture(for_page(drawn), alt, result.sample, result.assay)


def b_cell_figure(result: Result, patient: Person, other: Person | None) -> Figure:
    """Return the main figure of a sample of a B-cell assay, the current one; ``other`` is its control."""
    return _memory(result, patient, other) if result.assay == "memory_b" else _cd40(result, patient, other)


def _memory(result: Result, patient: Person, other: Person | None) -> Figure:
    memory = result.memory
    share = deciding_share(memory) if memory is not None else None
    ends = (None, None, None) if share is None else (share.percent, share.low, share.high)
    limits = (None, None) if memory is None else (memory.limit_low, memory.age_median)
    band = result.age_band if memory is None or memory.age_band is None else memory.age_band
    return memory_figure(patient, other, AgePoint(band, *ends, *limits))


def _cd40(result: Result, patient: Person, other: Person | None) -> Figure:
    limits = result.configuration.limits.get("b_cells", {})
    found = {"low": limits.get("cd40_low_ratio_max"), "absent": limits.get("cd40_absent_ratio_max")}
    drawn = {name: limit if isinstance(limit, int | float) else None for name, limit in found.items()}
    return cd40_figure(patient, other, [(cells, _ratio(result.cd40, cells)) for cells in KINDS.values()], drawn)


def _ratio(cd40: Cd40 | None, population: str) -> Ratio | None:
    for one in cd40.cells if cd40 is not None else ():
        if one.population == population and None not in (one.ratio, one.ratio_low, one.ratio_high):
            low, high = (one.ratio if end is None else end for end in (one.ratio_low, one.ratio_high))
            return float(one.ratio or 0.0), float(low or 0.0), float(high or 0.0)
    return None


def _person(subject: Subject, name: str) -> Person:
    """Return a row of the figure with the reason why nothing is drawn of it, where nothing is."""
    return Person(
        name, subject.densities, why=subject.problem or ("" if subject.densities.arrays else why_absent(subject.result))
    )

"""The main figures of a report as pictures that are part of the page and can be saved from it."""

from __future__ import annotations

import base64
from typing import TypedDict

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.figures.main_figure import other_reagent, page_figure
from cd40l_flow.figures.main_panels import Person
from cd40l_flow.report.figures import Subject, why_absent


class Picture(TypedDict):
    """A figure as a data URI, with its text for screen readers, and the name of the file that it is saved as."""

    source: str
    alt: str
    file: str
    reagent: str


def main_figures(subject: Subject, control: Subject | None) -> list[Picture]:
    """Return the main figure of each readout as a picture with its words, the one that page one shows first.

    That is the readout that decides: the function's where it is what fails, else the expression.
    """
    assay = current_assay()
    measured = [name for name in assay.expression if name in subject.result.reagents] or [assay.expression[0]]
    order = [measured[0], assay.function]
    if subject.result.call == "FUNCTIONAL_DEFECT":
        order.reverse()
    # Page one states what was not measured; an annex has nothing to add.
    wanted = [name for number, name in enumerate(order) if number == 0 or name in subject.result.reagents]
    return [_figure(subject, control, reagent) for reagent in wanted]


def _figure(subject: Subject, control: Subject | None, reagent: str) -> Picture:
    words, sample = load_texts()["main_figure"], subject.result.sample
    patient, other = _person(subject, sample), None
    if control is not None:
        other = _person(control, words["control"].format(sample=control.result.sample))
    svg = page_figure(reagent, patient, other)
    how = words["over_control"] if control is not None else words["alone"]
    return picture(
        svg,
        words["alt"].format(sample=sample, reagent=reagent, beside=how, other=other_reagent(reagent)),
        sample,
        reagent,
    )


def picture(svg: bytes, alt: str, sample: str, what: str) -> Picture:
    """Return a figure of a sample, SVG, as the template shows it: ``what`` it is of names the file it is saved as."""
    return {
        "source": f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}",
        "alt": alt,
        "file": f"{sample}_{what.lower().replace('-', '')}",
        "reagent": what,
    }


def _person(subject: Subject, name: str) -> Person:
    """Return a row of the figure with the reason of each readout that is not drawn."""
    assay = current_assay()
    drawn = {plot.reagent for plot in subject.densities.index.scatter}
    whys = {reagent: _why(subject, reagent) for reagent in (*assay.expression, assay.function) if reagent not in drawn}
    return Person(name, subject.densities, whys=whys)


def _why(subject: Subject, reagent: str) -> str:
    if subject.problem:
        return subject.problem
    # Results of earlier versions have the numbers but not what this figure is drawn from.
    measured = reagent in subject.result.reagents
    return str(load_texts()["main_figure"]["older"]) if measured else why_absent(subject.result, reagent)

"""The report's sections on acquisition in time and on compensation."""

from __future__ import annotations

from typing import TypedDict

from cd40l_flow.assay.texts import load_texts
from cd40l_flow.figures.acquisition import draw_course
from cd40l_flow.figures.drawing import Drawing
from cd40l_flow.report.figures import Subject
from cd40l_flow.report.gating import paired_tubes
from cd40l_flow.result.numbers import format_measure, format_number
from cd40l_flow.result.types.acquisition import BadInterval
from cd40l_flow.result.types.result import Result
from cd40l_flow.result.types.tubes import SpilloverMatrix, Tube

SHADES = 6  # classes of the heat map, heat-1 to heat-6


class CourseFigure(TypedDict):
    """The course of one tube in time, with what was found in it in words."""

    sample: str
    fcs: str
    drawing: Drawing
    signals: list[str]
    numbers: str
    found: list[str]
    alt: str


class AbsentCourse(TypedDict):
    """Why the course of one tube is not drawn."""

    sample: str
    why: str


class TubeCourse(TypedDict):
    """One tube of the sample, next to it the control's."""

    title: str
    figures: list[CourseFigure | AbsentCourse]


class MatrixCell(TypedDict):
    """A spillover in percent, and the class of its shade, which may be empty."""

    text: str
    shade: str


class MatrixRow(TypedDict):
    """The spillover of one dye into each detector."""

    dye: str
    cells: list[MatrixCell]


class Matrix(TypedDict):
    """A spillover matrix with its condition number and the tubes it was applied to."""

    source: str
    detectors: list[str]
    rows: list[MatrixRow]
    condition: str
    remarks: list[str]
    tubes: list[str]


class SlopeRow(TypedDict):
    """How the target follows a marker: ``slope`` in channels a channel, ``residue`` in robust SD of the target."""

    fcs: str
    marker: str
    population: str
    slope: str
    residue: str


def acquisition_views(subject: Subject, control: Subject | None) -> list[TubeCourse]:
    """Return one view for each tube of the sample, with the control's where there is one."""
    views: list[TubeCourse] = []
    pairs = paired_tubes(subject.result, control.result if control is not None else None)
    for (stimulation, reagent), mine, other in pairs:
        title = f"{load_texts()['tube_names'][stimulation]} · {reagent}"
        sides = [_side(subject, mine, title)]
        if control is not None:
            sides.append(_side(control, other, title))
        views.append({"title": title, "figures": [side for side in sides if side is not None]})
    return views


def _side(subject: Subject, tube: Tube | None, title: str) -> CourseFigure | AbsentCourse | None:
    """Return the figure of one tube with its words; nothing where the tube is not there or was refused."""
    if tube is None or tube.status == "refused":
        return None
    words, result = load_texts()["sections"]["acquisition"], subject.result
    acquired = next((row for row in result.acquisition.tubes if row.fcs == tube.fcs), None)
    course = subject.densities.course(tube.fcs, tube.stimulation, tube.reagent)
    if acquired is None or course is None:
        why = subject.problem.rstrip(".") or (acquired.problem if acquired is not None else "")
        return {"sample": result.sample, "why": words["absent"].format(why=why or load_texts()["unknown"])}
    found = [_stretch(stretch) for stretch in acquired.stretches]
    found += [
        words["drift"].format(name=name, points=format_number("number", abs(change)))
        for name, change in acquired.drifts.items()
    ]
    flow = acquired.flow
    if flow and flow.stops:
        longest = max(end - begin for begin, end in flow.stops)
        found.append(words["stops"].format(count=len(flow.stops), longest=format_number("number", longest)))
    removed = format_number("percent", acquired.removed_percent)
    alt = words["alt"].format(
        tube=title, sample=result.sample, removed=removed, found=" ".join(found) or words["nothing"]
    )
    return {
        "sample": result.sample,
        "fcs": tube.fcs,
        "drawing": draw_course(subject.densities, course),
        "signals": list(course.signals),
        "numbers": words["removed"].format(removed=removed),
        "found": [*found, *([acquired.note] if acquired.note else [])],
        "alt": alt,
    }


def _stretch(stretch: BadInterval) -> str:
    words = load_texts()["sections"]["acquisition"]
    shifts = ", ".join(f"{name} {value:+.0f}".replace("-", "−") for name, value in stretch.shifts.items())
    return str(
        words["stretch"].format(
            start=format_number("number", stretch.start),
            end=format_number("number", stretch.end),
            events=format_number("events", stretch.events),
            why=words["shifted"].format(shifts=shifts) if shifts else words["burst"],
        )
    )


def uncut_words(result: Result) -> str:
    """Return one sentence on the call without what was cut in time."""
    words, uncut = load_texts()["sections"]["acquisition"], result.acquisition.uncut
    if uncut is None:
        return str(words["uncut_none"])
    positives = [
        words["uncut_measure"].format(
            reagent=reagent,
            uncut=format_measure("percent_positive", without.percent_positive),
            cut=format_measure("percent_positive", result.numbers(reagent).get("percent_positive")),
        )
        for reagent, without in uncut.reagents.items()
    ]
    sentence = words["uncut_same" if uncut.same_call else "uncut_other"].format(
        call=load_texts()["calls"][uncut.call]["word"],
        change=format_number("number", uncut.change_points),
    )
    return " ".join([sentence, *positives])


def matrix_views(result: Result) -> list[Matrix]:
    """Return every spillover matrix of the sample's tubes once, with the tubes it was applied to."""
    views: dict[str, Matrix] = {}
    for tube in result.tubes:
        spillover = tube.spillover
        if spillover is None:
            continue
        key = repr((spillover.detectors, spillover.matrix))
        if key not in views:
            views[key] = {
                "source": spillover.source,
                "detectors": spillover.detectors,
                "rows": [_matrix_row(spillover, at) for at in range(len(spillover.detectors))],
                "condition": format_number("number", spillover.condition),
                "remarks": spillover.remarks,
                "tubes": [],
            }
        views[key]["tubes"].append(tube.fcs)
    return list(views.values())


def _matrix_row(spillover: SpilloverMatrix, at: int) -> MatrixRow:
    cells: list[MatrixCell] = [
        {"text": _percent(value), "shade": "own" if at == column else _shade(value)}
        for column, value in enumerate(spillover.matrix[at])
    ]
    return {"dye": spillover.detectors[at], "cells": cells}


def _percent(value: float) -> str:
    return f"{100 * value:.3g}".replace("-", "−")


def _shade(value: float) -> str:
    """Return the class of a cell: each step doubles the spillover, from 0.5 %; odd values have a class of their own."""
    if not 0 <= value <= 1:
        return "heat-odd"
    step = sum(value >= 0.005 * 2**power for power in range(SHADES))
    return f"heat-{step}" if step else ""


def slope_views(result: Result) -> list[SlopeRow]:
    """Return how the target follows CD69 and CD3 in each tube, as the rows of a table."""
    return [
        {
            "fcs": row.fcs,
            "marker": row.marker,
            "population": load_texts()["populations"].get(row.population, row.population),
            "slope": f"{row.slope:.4f}".replace("-", "−"),
            "residue": f"{row.residue:+.2f}".replace("-", "−"),
        }
        for row in result.compensation
    ]

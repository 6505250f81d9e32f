"""The gating of a report: the panels of every tube, patient next to control, or the reason why one is not there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TypedDict

from cd40l_flow.assay.texts import load_texts, population_name
from cd40l_flow.figures.drawing import Drawing
from cd40l_flow.figures.gating import draw_panels
from cd40l_flow.figures.plots import AnyPanel, MissingPanel, Panel
from cd40l_flow.report.figures import Subject
from cd40l_flow.result.numbers import format_number
from cd40l_flow.result.types.result import Result
from cd40l_flow.result.types.tubes import Tube


class GateSide(TypedDict):
    """Whose panels are drawn: the sample, its file where there is one, and why there are no panels, or nothing."""

    sample: str
    fcs: str
    problem: str


class PanelCell(TypedDict):
    """A gating panel with counts and percent of the parent in words; ``control`` is the control's percent, or empty.

    ``gate`` is (tube, stimulation, reagent, population), None of a panel that is the control's alone.
    """

    population: str
    parent: str
    gate: tuple[str, str, str, str] | None
    drawing: Drawing
    alt: str
    percent: str
    count: str
    parent_count: str
    control: str
    overridden: bool
    failed: str
    flag: str


class AbsentPanel(TypedDict):
    """Why a gating panel is not drawn."""

    population: str
    parent: str
    gate: None
    why: str


class TubePair(TypedDict):
    """The gating of one tube of the sample, with the control's."""

    title: str
    sides: list[GateSide]
    columns: list[PanelCell | AbsentPanel]


def gating_views(subject: Subject, control: Subject | None) -> list[TubePair]:
    """Return one view for each tube of the sample or its control: the panels of both, population by population."""
    return [
        _tube_pair(subject, control, mine, other, key)
        for key, mine, other in paired_tubes(subject.result, control.result if control is not None else None)
    ]


def paired_tubes(result: Result, control: Result | None) -> list[tuple[tuple[str, str], Tube | None, Tube | None]]:
    """Pair the tubes of the same stimulation and reagent, replicates in their order; either side may lack one."""

    def grouped(tubes: Sequence[Tube]) -> dict[tuple[str, str], list[Tube]]:
        groups: dict[tuple[str, str], list[Tube]] = {}
        for tube in tubes:
            groups.setdefault((tube.stimulation, tube.reagent), []).append(tube)
        return groups

    mine, others = grouped(result.tubes), grouped(control.tubes if control is not None else [])
    keys = [*mine, *(key for key in others if key not in mine)]
    return [(key, *pair) for key in keys for pair in zip_longest(mine.get(key, []), others.get(key, []))]


def _tube_pair(
    subject: Subject,
    control: Subject | None,
    mine: Tube | None,
    other: Tube | None,
    key: tuple[str, str],
) -> TubePair:
    stimulation, reagent = key
    words = load_texts()["sections"]["gating"]
    title = f"{load_texts()['tube_names'][stimulation]} · {reagent}"
    theirs, why_none = _tube_panels(control, other) if control is not None else ([], words["no_control"])
    panels, problem = _tube_panels(subject, mine)
    drawn = [panel for panel in panels if not isinstance(panel, MissingPanel)]
    pictures = iter(draw_panels(drawn, subject.densities, theirs))
    percents = {panel.population: panel.percent_of_parent for panel in theirs if not isinstance(panel, MissingPanel)}
    columns: list[PanelCell | AbsentPanel] = []
    for panel in panels:
        name = panel.population
        if isinstance(panel, MissingPanel):
            why = words["missing"].format(why=panel.missing)
            columns.append({"parent": "", "population": population_name(name), "gate": None, "why": why})
            continue
        gate = (mine.fcs, stimulation, reagent, name) if mine is not None else None
        columns.append(_panel_cell(subject.result, panel, next(pictures), gate, percents.get(name), title))
    sides: list[GateSide] = [
        {"sample": each.result.sample, "fcs": tube.fcs if tube is not None else "", "problem": why}
        for each, tube, why in ((subject, mine, problem), (control, other, why_none))
        if each is not None
    ]
    return {"title": title, "sides": sides, "columns": columns}


def _tube_panels(subject: Subject, tube: Tube | None) -> tuple[Sequence[AnyPanel], str]:
    """Return the panels of one tube and, where it has none, why, in words."""
    words = load_texts()["sections"]["gating"]
    if tube is None:
        return [], words["no_tube"].format(sample=subject.result.sample)
    if tube.status == "refused":
        error = tube.error
        return [], f"{words['refused'].format(code=error.code if error else '')}: {error.message if error else ''}"
    panels = subject.densities.panels(tube.fcs, tube.stimulation, tube.reagent)
    return panels, "" if panels else f"{words['no_panels']} {subject.problem}".rstrip()


def _panel_cell(
    result: Result,
    panel: Panel,
    drawing: Drawing,
    gate: tuple[str, str, str, str] | None,
    theirs: float | None,
    title: str,
) -> PanelCell:
    """Return one panel with its words; ``theirs`` is the control's percent of the parent, 0 to 100."""
    words, failed = load_texts()["sections"]["gating"], panel.failed
    percent = "" if failed else format_number("percent", panel.percent_of_parent)
    count, parent_count = format_number("events", panel.count), format_number("events", panel.parent_count)
    parent = population_name(panel.parent)
    population = population_name(panel.population)
    alt = words["alt"].format(
        population=population,
        sample=result.sample,
        tube=title,
        x=panel.x.label,
        y=panel.y.label,
        percent=percent,
        parent=parent,
        count=count,
        parent_count=parent_count,
    )
    return {
        "population": population,
        "parent": parent,
        "gate": gate,
        "drawing": drawing,
        "alt": alt,
        "percent": percent,
        "count": count,
        "parent_count": parent_count,
        "control": format_number("percent", theirs) if theirs is not None else "",
        "overridden": panel.overridden,
        "failed": words["failed"].format(why=failed) if failed else "",
        "flag": "" if failed else panel.flag,
    }

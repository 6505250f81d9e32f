"""The index of all samples: worst first, every row a link to its report; one click highlights a sample everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from cd40l_flow.assay.texts import load_texts, person_texts
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.errors import Problem, RecordError
from cd40l_flow.cohort.reference_types import Reference
from cd40l_flow.figures import contact_sheet, index_charts, index_strips
from cd40l_flow.figures.binned import NOTHING, Densities, read_densities
from cd40l_flow.figures.control_chart import ControlChart, control_charts
from cd40l_flow.report.index_rows import B_CELL_COLUMNS, NUMBER_COLUMNS, control_cells, row_view, samples_of
from cd40l_flow.report.measures import MeasureCell
from cd40l_flow.report.pages import read_asset, security_policy, template
from cd40l_flow.result.cohort import Entry
from cd40l_flow.result.families import Family
from cd40l_flow.result.families import families as families_of
from cd40l_flow.result.numbers import format_interval, format_measure
from cd40l_flow.result.order import CALL_ORDER
from cd40l_flow.result.reviews.files import Reviews
from cd40l_flow.result.reviews.signable import signable
from cd40l_flow.result.reviews.state import STATES, UNSIGNED, ReviewState, states_of
from cd40l_flow.result.types.result import Result

_FAMILY_MEASURES = (
    ("CD154", "percent_positive"),
    ("CD154", "mutant_fraction"),
    ("CD154", "mfi_ratio"),
    ("CD40-Ig", "percent_positive"),
    ("CD40-Ig", "mutant_fraction"),
)


class MemberRow(TypedDict):
    """One relative: its place in the table, the link to its report if there is one, its call and its measures."""

    number: int
    href: str | None
    sample: str
    sex: str
    age_band: str | None
    call: str
    word: str
    cells: list[MeasureCell]


class FamilyTable(TypedDict):
    """Relatives side by side, and in sentences what their calls mean together."""

    family: str
    members: list[MemberRow]
    statements: list[str]


def _families(families: Sequence[Family], numbers: Mapping[str, int], links: Sequence[str | None]) -> list[FamilyTable]:
    """Return families side by side: one row a member, its numbers, and what they mean together."""
    texts = load_texts()
    rows: list[FamilyTable] = []
    for family in families:
        members: list[MemberRow] = [
            {
                "sample": member["sample"],
                "age_band": member["age_band"],
                "call": member["call"],
                "number": numbers[member["sample"]],
                "href": links[numbers[member["sample"]]],
                "word": texts["calls"][member["call"]]["word"],
                "sex": texts["context"]["sexes"][member["sex"]],
                "cells": [
                    {
                        "value": format_measure(measure, values[measure]) if values.get(measure) is not None else "–",
                        "interval": format_interval(measure, values),
                    }
                    for reagent, measure in _FAMILY_MEASURES
                    for values in [member["reagents"].get(reagent) or {}]
                ],
            }
            for member in family["members"]
        ]
        rows.append({"family": family["family"], "members": members, "statements": family["statements"]})
    return rows


def render_index(
    results: Sequence[Result],
    hrefs: Sequence[str | None],
    *,
    densities: Sequence[str | Path | None] = (),
    states: Mapping[str, ReviewState] | None = None,
    problems: Sequence[Problem] = (),
    charts: Sequence[ControlChart] = (),
    families: Sequence[Family] = (),
    people: bool = False,
) -> str:
    """Return the index page.

    ``hrefs`` are the reports, relative to it (None: no report of this result), and ``densities`` the files of binned
    data, one for each result (empty: no contact sheet). ``states`` are what the reviews amount to, by sample,
    ``problems`` those of review files; ``charts`` and ``families`` are as `control_charts` and `families` give them.
    ``people`` says whether every person has a page in the folder ``subjects`` next to it.
    """
    from markupsafe import Markup

    samples = samples_of(results, [(states or {}).get(result.sample, UNSIGNED) for result in results])
    order = sorted(range(len(results)), key=lambda place: samples[place].order)
    ordered, links = [results[place] for place in order], [hrefs[place] for place in order]
    controls = control_cells(samples)
    b_cells = any(result.assay != "cd40l" for result in results)
    numbers = {result.sample: number for number, result in enumerate(ordered)}
    # Number of a row -> why its binned data are not drawn, known once the contact sheets have been.
    damaged: dict[int, str] = {}
    pairs = enumerate((densities[place], results[place]) for place in order) if densities else ()
    binned = (_densities(path, result, number, damaged) for number, (path, result) in pairs)
    counts = {call: sum(result.call == call for result in ordered) for call in CALL_ORDER}
    signed = {state: sum(sample.review.state == state for sample in samples) for state in STATES}
    style, script = read_asset("style.css", "index.css"), read_asset("store.js", "index.js")
    context: dict[str, object] = {
        "t": load_texts(),
        "style": Markup(style),
        "script": Markup(script),
        "policy": security_policy(style, script),
        "runs": ", ".join(dict.fromkeys(sorted(result.run for result in ordered))),
        "counts": [(call, count) for call, count in counts.items() if count],
        "signed": [(state, count) for state, count in signed.items() if count],
        "rows": [
            row_view(number, samples[place], hrefs[place], controls, b_cells=b_cells)
            for number, place in enumerate(order)
        ],
        "number_columns": (*NUMBER_COLUMNS[:-2], *(B_CELL_COLUMNS if b_cells else ()), *NUMBER_COLUMNS[-2:]),
        "strips": index_strips.draw_strips(ordered),
        "turn": index_strips.TURN,
        "strip_size": (index_strips.WIDTH, index_strips.HEIGHT),
        # A chart of the present controls alone is not informative: those that moved are marked in the table.
        "charts": index_charts.draw_charts([chart for chart in charts if chart["count"]], numbers),
        "chart_size": (index_charts.WIDTH, index_charts.HEIGHT),
        "sheets": contact_sheet.contact_sheets(binned, len(ordered)),
        "damaged": damaged,
        "columns": contact_sheet.COLUMNS,
        "families": _families(families, numbers, links),
        "family_columns": [
            (reagent, load_texts()["measures"][measure]["short"]) for reagent, measure in _FAMILY_MEASURES
        ],
        "subjects": sorted({result.subject for result in results if result.subject}) if people else [],
        "w": person_texts(),
        "problems": [(Path(problem.file).name, problem.column, problem.message) for problem in problems],
    }
    return template("index.html.j2").render(context).lstrip()


def _densities(path: str | Path | None, result: Result, number: int, damaged: dict[int, str]) -> Densities:
    """Return the binned data of a sample; nothing to draw, and why, where they are not those of its result."""
    try:
        return NOTHING if path is None else read_densities(path, result)
    except RecordError as error:
        damaged[number] = f"{Path(error.path).name} {error.found} {error.remedy}"
        return NOTHING


def write_index(
    entries: Sequence[Entry],
    out_path: str | Path,
    reviews: Reviews | None = None,
    reference: Reference | None = None,
    *,
    people: bool = False,
) -> None:
    """Write ``index.html`` of all samples; a report is linked where it is that of exactly the result shown.

    ``densities.npz`` lies beside each result; ``reference`` is the laboratory's complete file: the history of its
    control charts; ``people`` says whether every person has a page.
    """
    results = [entry.result for entry in entries]
    reviews = reviews or Reviews()
    states = states_of({entry.sample: signable(entry.result, entry.digest) for entry in entries}, reviews)
    problems = [problem for state in states.values() for problem in state.problems]
    problems += [problem for problem in reviews.problems if problem.sample not in states]
    page = render_index(
        results,
        [entry.report(Path(out_path).parent) for entry in entries],
        densities=[entry.path.with_name("densities.npz") if entry.path is not None else None for entry in entries],
        states=states,
        problems=problems,
        charts=control_charts(results, reference),
        families=families_of(results),
        people=people,
    )
    write_atomically(out_path, page)

"""Custom content for MultiQC: every call, general statistics, the negative fractions, how each run went, and by what.

Source of the format: the chapter "Custom content" of MultiQC's documentation; one file is one section. What is keyed by
names goes as tab-separated text with its configuration in comments: of JSON and YAML MultiQC cleans the keys as if they
were file names (``P03.father`` becomes ``P03``, ``.fa`` being an ending it knows), and samples whose names are equal
then overwrite one another. Of tab-separated text it takes the first column as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from cd40l_flow import __version__
from cd40l_flow.assay.cd40.rules import B_CELLS
from cd40l_flow.assay.citations import methods
from cd40l_flow.assay.effects import HEALTHY, calls_of
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.software import distribution_version, python_version
from cd40l_flow.cohort.cells import safe
from cd40l_flow.result.types.b_cells import deciding_share
from cd40l_flow.result.types.result import Result

Content = dict[str, Any]
Rows = dict[str, dict[str, Any]]

PREFIX = "cd40l_flow"
# What was written before the sections were tab-separated: MultiQC would still show it.
_FORMER = (f"{PREFIX}_negative_fraction_mqc.json", f"{PREFIX}_runs_mqc.json")
_PARENT = {
    "parent_id": PREFIX,
    "parent_name": "cd40l-flow",
    "parent_description": "CD154 and CD40-Ig on activated CD4+ T cells. Research use only; every call is provisional.",
}
# MultiQC's own scales are colour-blind safe where they run from one hue to another.
_CALL_COLOURS = [
    {"NORMAL": "#0072b2"},
    {"MOSAIC": "#cc79a7"},
    {"REDUCED": "#e69f00"},
    {"FUNCTIONAL_DEFECT": "#d55e00"},
    {"ABSENT": "#d55e00"},
    {"INDETERMINATE": "#777777"},
]
_B_CELL_COLOURS = [
    {"SWITCHED_NORMAL": "#0072b2"},
    {"SWITCHED_LOW": "#e69f00"},
    {"SWITCHED_ABSENT": "#d55e00"},
    {"PRESENT": "#0072b2"},
    {"CD40_LOW": "#e69f00"},
    {"CD40_ABSENT": "#d55e00"},
    {"DISCORDANT": "#cc79a7"},
]


def multiqc_files(results: Sequence[Result]) -> dict[str, str]:
    """Return file name -> text of every section, samples in the order of their ids."""
    ordered = sorted(results, key=lambda result: str(result.sample))
    return {
        f"{PREFIX}_mqc.json": _calls(ordered),
        f"{PREFIX}_general_mqc.tsv": _general(ordered),
        f"{PREFIX}_negative_fraction_mqc.tsv": _negative_fractions(ordered),
        f"{PREFIX}_runs_mqc.tsv": _runs(ordered),
        f"{PREFIX}_methods_mqc.json": _methods(ordered),
        f"{PREFIX}_mqc_versions.yml": _versions(),
    }


def write_multiqc(results: Sequence[Result], out: Path) -> None:
    """Write the sections: the first to ``out``, the others next to it."""
    for former in _FORMER:
        out.with_name(former).unlink(missing_ok=True)
    for name, text in multiqc_files(results).items():
        write_atomically(out.with_name(name), text)


def _table(configuration: Content, columns: Iterable[str], rows: Rows) -> str:
    """Return one section as tab-separated text; a row is a name and its values by column, what is missing is empty.

    MultiQC reads the comments as YAML, of which JSON is a part. A quoted cell is text to it, whatever it looks like;
    the quotes are taken off. Names appear in its page as they are given, so they come as HTML.
    """
    names = list(columns)
    lines = [
        f"# {key}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}" for key, value in configuration.items()
    ]
    lines.append("\t".join(["name", *names]))
    for name, values in rows.items():
        lines.append("\t".join([_cell(safe(escape(name))), *(_cell(values.get(column)) for column in names)]))
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    return "" if value is None else f'"{value}"' if isinstance(value, str) else repr(value)


def _calls(results: Sequence[Result]) -> str:
    """Return the calls as a table of our own: of many samples MultiQC's tables become plots that name none."""
    names = ("sample", "run", "role", "call")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = "\n".join(
        f"<tr>{''.join(f'<td>{escape(getattr(result, name))}</td>' for name in names)}</tr>" for result in results
    )
    content = {
        "id": f"{PREFIX}_calls",
        **_PARENT,
        "section_name": "Calls",
        "description": "The automatic call of every sample; a reviewer's is in summary.tsv.",
        "plot_type": "html",
        "data": f'<table class="table table-sm"><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>',
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _methods(results: Sequence[Result]) -> str:
    """Return the methods with their references, to be pasted into a paper; limits are those of the first result."""
    assays = {result.assay for result in results} or {"cd40l"}
    described = methods(results[0].configuration.limits if results else None, assays=assays)
    paragraphs = "\n".join(f"<p>{escape(part)}</p>" for part in described.paragraphs)
    items = "\n".join(f"<li>{escape(str(one))}</li>" for one in described.references)
    content = {
        "id": f"{PREFIX}_methods",
        **_PARENT,
        "section_name": "Methods and references",
        "description": "For a paper; the versions are those that made this page.",
        "plot_type": "html",
        "data": f"{paragraphs}\n<ol>\n{items}\n</ol>",
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _versions() -> str:
    """Return what MultiQC lists under "Software Versions", as YAML."""
    names = sorted({one.software for one in methods().references if one.software})
    versions = {"cd40l-flow": __version__, "python": python_version()}
    versions |= {name: distribution_version(name) for name in names}
    return "".join(f"{name}: {json.dumps(version)}\n" for name, version in versions.items())


def _measure(reagent: str, name: str) -> Callable[[Result], float | None]:
    def value(result: Result) -> float | None:
        return result.numbers(reagent).get(name)

    return value


def _percent(title: str, description: str, colours: str) -> Content:
    return {"title": title, "description": description, "min": 0, "max": 100, "suffix": "%", "scale": colours}


def _general(results: Sequence[Result]) -> str:
    """Return the columns of MultiQC's general statistics; those of the B-cell assays where a sample is of one."""
    b_cells = any(result.assay != "cd40l" for result in results)
    colours = [*_CALL_COLOURS, *(_B_CELL_COLOURS if b_cells else ())]
    columns: list[tuple[str, Callable[[Result], Any], Content]] = [
        (
            "call",
            lambda result: result.call,
            {
                "title": "Call",
                "description": "The automatic call; a reviewer's is in summary.tsv",
                "scale": False,
                "cond_formatting_rules": {next(iter(colour)): [{"s_eq": next(iter(colour))}] for colour in colours},
                "cond_formatting_colours": [{next(iter(colour)): next(iter(colour.values()))} for colour in colours],
            },
        ),
        (
            "activated_events",
            lambda result: result.activated_events,
            {
                "title": "Activated",
                "description": "Live single CD3+CD8-CD69+ events",
                "min": 0,
                "format": "{:,.0f}",
                "scale": "Blues",
            },
        ),
        (
            "cd69_percent",
            lambda result: result.cd69_percent,
            _percent("CD69+", "CD69+ of CD3+CD8- cells, stimulated", "RdYlBu"),
        ),
        (
            "cd154_percent_positive",
            _measure("CD154", "percent_positive"),
            _percent("CD154+", "Above the background's threshold, background-corrected", "RdYlBu"),
        ),
        (
            "cd40ig_percent_positive",
            _measure("CD40-Ig", "percent_positive"),
            _percent("CD40-Ig+", "Above the background's threshold, background-corrected", "RdYlBu"),
        ),
    ]
    if b_cells:
        columns += _b_cell_columns()
    configuration = {
        "id": f"{PREFIX}_general",
        "plot_type": "generalstats",
        "headers": [{name: header} for name, _, header in columns],
    }
    rows = {result.sample: {name: read(result) for name, read, _ in columns} for result in results}
    return _table(configuration, [name for name, _, _ in columns], rows)


def _b_cell_columns() -> list[tuple[str, Callable[[Result], Any], Content]]:
    """Return the columns of the B-cell assays: name, what reads it of a result, and its header."""

    def switched(result: Result) -> float | None:
        return deciding_share(result.memory).percent if result.memory is not None else None

    def counted(result: Result) -> int | None:
        measured = result.memory or result.cd40
        return measured.b_events if measured is not None else None

    def level(result: Result) -> float | None:
        cells = result.cd40.cells if result.cd40 is not None else ()
        return next((one.ratio for one in cells if one.population == B_CELLS), None)

    events: Content = {"title": "B cells", "description": "Live single CD3-CD19+ events", "min": 0}
    ratio: Content = {"title": "CD40", "description": "CD40 on B cells over the controls'", "min": 0}
    return [
        ("switched_percent", switched, _percent("Switched", "Class-switched memory, percent of B cells", "RdYlBu")),
        ("b_events", counted, {**events, "format": "{:,.0f}", "scale": "Blues"}),
        ("cd40_ratio", level, {**ratio, "format": "{:.2f}", "scale": "RdYlBu"}),
    ]


def _negative_fractions(results: Sequence[Result]) -> str:
    """Return the negative fractions of both reagents as points of one strip each."""
    names = {one.name: f"{one.key}_negative_fraction" for one in current_assay().targets.values() if one.expected}
    data = {}
    for result in results:
        found = {name: _measure(reagent, "negative_fraction")(result) for reagent, name in names.items()}
        data[result.sample] = {name: value for name, value in found.items() if value is not None}
    configuration = {
        "id": f"{PREFIX}_negative_fraction",
        **_PARENT,
        "section_name": "Negative fraction",
        "description": "The share of activated CD4+ T cells that do not express, by the mixture; healthy is about 0.1.",
        "plot_type": "violin",
        "pconfig": {"id": f"{PREFIX}_negative_fraction_plot", "title": "cd40l-flow: negative fraction"},
        "headers": {
            name: {
                "title": f"{reagent} negative",
                "description": "Fraction, 0 to 1",
                "min": 0,
                "max": 1,
                "format": "{:.3f}",
            }
            for reagent, name in names.items()
        },
    }
    return _table(configuration, names.values(), {sample: values for sample, values in data.items() if values})


def _runs(results: Sequence[Result]) -> str:
    """Return one row a run: whether its controls held, how many samples got which call."""
    there = {"cd40l", *(result.assay for result in results)}
    known = {call for assay in there for call in calls_of(assay)}
    words = {call: text for call, text in load_texts()["calls"].items() if call in known}
    data: Rows = {}
    for run in sorted({str(result.run) for result in results}):
        mine = [result for result in results if result.run == run]
        controls = [result for result in mine if result.role == "control"]
        failed = [result.sample for result in controls if result.call not in HEALTHY]
        status = "no control" if not controls else "control failed" if failed else "control in range"
        tests = [result.call for result in mine if result.role == "test"]
        data[run] = {"status": status, "samples": len(tests)} | {call: tests.count(call) for call in words}
    headers: dict[str, Content] = {
        "status": {
            "title": "Control",
            "cond_formatting_rules": {
                "pass": [{"s_eq": "control in range"}],
                "fail": [{"s_eq": "no control"}, {"s_eq": "control failed"}],
            },
        },
        "samples": {"title": "Samples", "format": "{:,.0f}"},
    }
    headers |= {call: {"title": words[call]["word"], "format": "{:,.0f}", "min": 0} for call in words}
    configuration = {
        "id": f"{PREFIX}_runs",
        **_PARENT,
        "section_name": "Runs",
        "description": "A failed control leaves every call of its run open.",
        "plot_type": "table",
        "pconfig": {"id": f"{PREFIX}_runs_table", "title": "cd40l-flow: runs", "col1_header": "Run"},
        "headers": headers,
    }
    return _table(configuration, headers, data)

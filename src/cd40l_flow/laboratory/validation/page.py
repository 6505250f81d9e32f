"""The validation file: every study with numbers, intervals and plots on one offline page; the numbers as a table."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cd40l_flow import ENGINE_VERSION, __version__
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.cohort.cells import tab_separated
from cd40l_flow.laboratory.pages import page_assets, page_template
from cd40l_flow.laboratory.validation.more_studies import agreement_study, method_study, stability_study
from cd40l_flow.laboratory.validation.observations import Key, Observation
from cd40l_flow.laboratory.validation.plots import drawn
from cd40l_flow.laboratory.validation.studies import (
    detection_study,
    instrument_study,
    label,
    linearity_study,
    precision_study,
)
from cd40l_flow.laboratory.validation.study import Number, Study
from cd40l_flow.report.pages import security_policy
from cd40l_flow.result.numbers import format_number

TABLE = ("study", "guideline", "measure", "group", "quantity", "value", "low_95", "high_95", "values", "groups")


def studies(
    observations: Sequence[Observation], others: Mapping[Key, Mapping[str, float]] | None, allowed: float
) -> list[Study]:
    """Return every study of a validation; ``others`` are the values of another method, ``allowed`` is for stability."""
    return [
        precision_study(observations),
        instrument_study(observations),
        detection_study(observations),
        linearity_study(observations),
        stability_study(observations, allowed),
        agreement_study(observations),
        method_study(observations, others),
    ]


def table_of(found: Sequence[Study]) -> str:
    """Return every number as tab-separated text: fractions 0 to 1, percents 0 to 100, nothing rounded for the eye."""
    rows: list[Sequence[object]] = [TABLE]
    for study in found:
        for number in study.numbers:
            one = number.estimate
            ends = [_cell(value) for value in (one.value, one.low, one.high)]
            name = _measure(number)
            rows.append(
                (study.name, study.guideline, name, number.group, number.quantity, *ends, one.count, one.groups)
            )
    return tab_separated(rows)


def _cell(value: float | None) -> str:
    return "" if value is None else repr(float(f"{value:.6g}") + 0.0)


def _measure(number: Number) -> str:
    return " ".join(part for part in number.key if part)


def render_validation(found: Sequence[Study], observations: Sequence[Observation], left_out: Sequence[str]) -> str:
    """Return the page; ``left_out`` lists the results that were not read and why."""
    from markupsafe import Markup

    style = page_assets("style.css", "validation.css")
    context: dict[str, Any] = {
        "t": load_texts(),
        "style": Markup(style),
        "policy": security_policy(style),
        "version": f"cd40l-flow {__version__}, analysis {ENGINE_VERSION}",
        "samples": len(observations),
        "runs": len({one.run for one in observations}),
        "subjects": len({one.subject for one in observations if one.subject}),
        "instruments": sorted({one.cytometer for one in observations if one.cytometer}),
        "failed": [f"{one.sample} ({one.run})" for one in observations if one.failed],
        "left_out": left_out,
        "studies": [_view(study) for study in found],
    }
    return page_template("validation.html.j2").render(context).lstrip()


def _view(study: Study) -> dict[str, Any]:
    groups: dict[str, list[dict[str, str]]] = {}
    for number in study.numbers:
        one = number.estimate
        name = label(number.key) if number.key[0] else number.key[1]
        ends = [None if end is None else _written(number.kind, end) for end in (one.low, one.high)]
        groups.setdefault(name, []).append(
            {
                "group": number.group,
                "quantity": number.quantity,
                "value": _written(number.kind, one.value),
                "interval": f"{ends[0] or 'open'} to {ends[1] or 'open'}" if any(ends) else "",
                "count": str(one.count),
                "groups": str(one.groups) if one.groups else "",
            }
        )
    plots = [
        {"title": plot.title, "uri": f"data:image/svg+xml;base64,{base64.b64encode(drawn(plot)).decode('ascii')}"}
        for plot in study.plots
    ]
    return {
        "name": study.name,
        "title": study.title,
        "guideline": study.guideline,
        "asks": study.asks,
        "groups": groups,
        "missing": study.missing,
        "remarks": study.remarks,
        "plots": plots,
        "state": _state(study),
    }


def _state(study: Study) -> tuple[str, str]:
    """Return what there is of a study in words, and their tone."""
    if not study.numbers:
        return "no data", "open"
    if study.missing:
        return "in part", "caution"
    return ("few samples", "caution") if study.few else ("done", "normal")


def _written(kind: str, value: float) -> str:
    """Write a number; of those without a unit three digits, for an SD of a ratio is small."""
    return f"{value:.3g}".replace("-", "−") if kind in ("number", "ratio") else format_number(kind, value)


def write_validation(page: Path, found: Sequence[Study], text: str) -> Path:
    """Write the page and next to it the table, which has its name with ``.tsv``; return the place of the table."""
    from cd40l_flow.base.disk import write_atomically

    table = page.with_suffix(".tsv")
    write_atomically(table, table_of(found))
    write_atomically(page, text)
    return table

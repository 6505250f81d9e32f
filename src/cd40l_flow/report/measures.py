"""The table of measures: every number of a sample next to those of its controls, and how the numbers were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from msgspec.structs import asdict

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.result.numbers import format_interval, format_measure
from cd40l_flow.result.types.measures import Measures
from cd40l_flow.result.types.result import Result

_FACTS = ("background", "threshold_source", "detector", "tubes", "converged")


class MeasureCell(TypedDict):
    """A value with its unit, and its 95 % interval, which may be empty."""

    value: str
    interval: str


class MeasureRow(TypedDict):
    """One measure, a cell for each column."""

    label: str
    help: str
    cells: list[MeasureCell]


class MeasureGroup(TypedDict):
    """Measures under one heading; ``name`` is that of the heading in the texts."""

    name: str
    rows: list[MeasureRow]


class FactRow(TypedDict):
    """One fact on how the numbers were made, a cell for each column."""

    label: str
    cells: list[str]


class ReagentHead(TypedDict):
    """The head above the columns of one reagent; ``span`` is their number."""

    name: str
    span: int


class SampleHead(TypedDict):
    """The head of one column; ``own`` is false of a control's."""

    sample: str
    own: bool


class MeasuresTable(TypedDict):
    """All measures, one column for each reagent and sample."""

    reagents: list[ReagentHead]
    subjects: list[SampleHead]
    groups: list[MeasureGroup]
    facts: list[FactRow]


def measures_table(result: Result, controls: Sequence[Result]) -> MeasuresTable | None:
    """Return the measures, one column for each reagent and sample; None when nothing was measured."""
    subjects = [result, *controls]
    reagents = [name for name in current_assay().targets if any(subject.reagents.get(name) for subject in subjects)]
    if not reagents:
        return None
    columns = [(reagent, subject) for reagent in reagents for subject in subjects]
    values = [_numbers(*column) for column in columns]
    return {
        "reagents": [{"name": reagent, "span": len(subjects)} for reagent in reagents],
        "subjects": [{"sample": subject.sample, "own": subject is result} for _, subject in columns],
        "groups": [
            {"name": name, "rows": [_measure_row(measure, values) for measure in measures]}
            for name, measures in current_assay().measures.items()
        ],
        "facts": _measure_facts(columns),
    }


def _numbers(reagent: str, subject: Result) -> dict[str, float | None]:
    """Return every number of a reagent by its name, those of its titration included."""
    values = subject.numbers(reagent)
    if reagent in subject.reagents and (titration := subject.reagents[reagent].titration) is not None:
        values |= asdict(titration)
    return values


def _measure_row(measure: str, columns: Sequence[Mapping[str, float | None]]) -> MeasureRow:
    cells: list[MeasureCell] = []
    for values in columns:
        value = values.get(measure)
        shown = format_measure(measure, value) if value is not None else "–"
        cells.append({"value": shown, "interval": format_interval(measure, values) if value is not None else ""})
    entry = load_texts()["measures"][measure]
    return {"label": entry["label"], "help": entry.get("help", ""), "cells": cells}


def _measure_facts(columns: Sequence[tuple[str, Result]]) -> list[FactRow]:
    """Return the rows on how the numbers were made."""
    words = load_texts()["sections"]["measures"]
    columns_facts = [_facts(subject.reagents.get(reagent)) for reagent, subject in columns]
    return [{"label": words[name], "cells": [facts[name] or "–" for facts in columns_facts]} for name in _FACTS]


def _facts(values: Measures | None) -> dict[str, str]:
    if values is None:
        return dict.fromkeys(_FACTS, "")
    texts, tubes = load_texts(), values.tubes
    pooled = texts["sections"]["measures"]["pooled"].format(count=len(tubes))
    return {
        "background": values.background.source if values.background is not None else "",
        "threshold_source": values.threshold_source or "",
        "detector": values.detector or "",
        "tubes": f"{pooled}: {', '.join(tubes)}" if len(tubes) > 1 else "".join(tubes),
        "converged": texts["answers"].get(str(values.converged).lower(), ""),
    }

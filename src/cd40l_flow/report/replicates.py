"""The report's table of replicates: the measures of each pooled tube by itself, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from cd40l_flow.assay.texts import load_texts, population_name
from cd40l_flow.result.numbers import format_number, format_unit
from cd40l_flow.result.types.result import Result
from cd40l_flow.result.types.tubes import Replicate, ReplicateDifference, ReplicateGroup


class ReplicateRow(TypedDict):
    """One tube: its measures in the order of the columns, each with its unit."""

    fcs: str
    cells: list[str]


class DifferenceRow(TypedDict):
    """How far two tubes lie apart, and how far they may, with their unit."""

    what: str
    tubes: tuple[str, str]
    value: str
    limit: str
    beyond: bool


class ReplicateTable(TypedDict):
    """One set of tubes that were pooled."""

    title: str
    population: str
    columns: list[str]
    rows: list[ReplicateRow]
    differences: list[DifferenceRow]


# The measures of a tube, in their order, and what kind of number each is.
_KINDS = {
    "cells": "events",
    "cd69_percent": "percent",
    "cd69_median": "intensity",
    "target_median": "intensity",
    "percent_above": "percent",
}


def replicate_views(result: Result) -> list[ReplicateTable]:
    """Return one view for each set of tubes that were pooled; none where no tube has a replicate."""
    return [_table(group) for group in result.replicates]


def _table(group: ReplicateGroup) -> ReplicateTable:
    """Return the tubes of a group with the measures that at least one of them has."""
    texts = load_texts()
    names = [name for name in _KINDS if any(getattr(one, name) is not None for one in group.replicates)]
    return {
        "title": f"{texts['tube_names'][group.stimulation]} · {group.reagent}",
        "population": population_name(group.population),
        "columns": [texts["sections"]["replicates"]["columns"][name] for name in names],
        "rows": [_row(replicate, names) for replicate in group.replicates],
        "differences": [_difference(one) for one in group.differences],
    }


def _row(replicate: Replicate, names: Sequence[str]) -> ReplicateRow:
    values = ((_KINDS[name], getattr(replicate, name)) for name in names)
    return {
        "fcs": replicate.fcs,
        "cells": ["–" if value is None else format_number(kind, value) for kind, value in values],
    }


def _difference(one: ReplicateDifference) -> DifferenceRow:
    return {
        "what": one.what,
        "tubes": one.tubes,
        "value": format_unit(one.unit, one.value),
        "limit": format_unit(one.unit, one.limit, limit=True),
        "beyond": one.value > one.limit,
    }

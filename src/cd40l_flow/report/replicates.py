"""The report's table of replicates: the measures of each pooled tube by itself, and how far they lie apart."""

from __future__ import annotations

from typing import Any

from cd40l_flow.assay.texts import load_texts, population_name
from cd40l_flow.result.numbers import format_number, format_unit
from cd40l_flow.result.types.result import Result
from cd40l_flow.result.types.tubes import Replicate, ReplicateDifference

View = dict[str, Any]

_KINDS = {
    "cells": "events",
    "cd69_percent": "percent",
    "cd69_median": "intensity",
    "target_median": "intensity",
    "percent_above": "percent",
}


def replicate_views(result: Result) -> list[View]:
    """Return one view for each set of tubes that were pooled; none where no tube has a replicate."""
    return [
        {
            "title": f"{load_texts()['tube_names'][group.stimulation]} · {group.reagent}",
            "population": population_name(group.population),
            "rows": [_row(replicate) for replicate in group.replicates],
            "differences": [_difference(one) for one in group.differences],
        }
        for group in result.replicates
    ]


def _row(replicate: Replicate) -> View:
    values = ((getattr(replicate, name), kind) for name, kind in _KINDS.items())
    cells = ["–" if value is None else format_number(kind, value) for value, kind in values]
    return {"fcs": replicate.fcs, "cells": cells}


def _difference(one: ReplicateDifference) -> View:
    return {
        "what": one.what,
        "tubes": one.tubes,
        "value": format_unit(one.unit, one.value),
        "limit": format_unit(one.unit, one.limit, limit=True),
        "beyond": one.value > one.limit,
    }

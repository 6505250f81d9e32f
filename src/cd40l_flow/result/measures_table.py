"""A long table of everything that was measured of a sample: one number a row, as TSV or Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.records import Record
from cd40l_flow.cohort.cells import tab_separated
from cd40l_flow.result.types.b_cells import Share
from cd40l_flow.result.types.result import Result

COLUMNS = ("sample", "run", "role", "call", "tube", "reagent", "population", "measure", "value")


def measure_rows(result: Result) -> Iterator[dict[str, Any]]:
    """Yield the numbers of a result: counts and percents of every population of every tube, then every reagent's.

    Names and units are those of ``result.json``; what was not computed is left out, empty cells are None.
    """
    common = {name: getattr(result, name) for name in ("sample", "run", "role", "call")}
    empty = common | dict.fromkeys(("tube", "reagent", "population"))
    for measure in ("activated_events", "cd69_percent"):
        value = getattr(result, measure)
        if value is not None:
            yield empty | {"measure": measure, "value": float(value)}
    for tube in result.tubes:
        here = empty | {"tube": tube.fcs, "reagent": tube.reagent}
        for row in tube.populations:
            for measure in ("count", "percent_of_parent"):
                value = getattr(row, measure)
                if value is not None:
                    yield here | {"population": row.population, "measure": measure, "value": float(value)}
    for reagent, measures in result.reagents.items():
        for measure, value in sorted(measures.numbers().items()):
            if value is not None:
                yield empty | {"reagent": reagent, "measure": measure, "value": float(value)}
    for reagent, population, measure, value in _b_cells(result):
        yield empty | {"reagent": reagent, "population": population, "measure": measure, "value": float(value)}


def _b_cells(result: Result) -> Iterator[tuple[str, str | None, str, float]]:
    """Yield the numbers of the B-cell assays as (reagent, population, measure, value)."""
    if result.memory is not None:
        yield from (("memory", None, *one) for one in _numbers(result.memory))
    if result.cd40 is not None:
        yield from (("CD40", None, *one) for one in _numbers(result.cd40))
        for cells in result.cd40.cells:
            yield from (("CD40", cells.population, *one) for one in _numbers(cells))


def _numbers(record: Record) -> Iterator[tuple[str, float]]:
    """Yield the numbers of a record by name, those of its shares as ``switched_percent``; nothing that is not known."""
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, Share):
            yield from ((f"{name}_{part}", number) for part, number in _numbers(value))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value


def write_measures(result: Result, path: Path) -> int:
    """Write the table, as Parquet where the name ends so and as tab-separated text else; returns its rows.

    Raises Cd40lFlowError where Parquet is asked for and pyarrow is not installed.
    """
    rows = list(measure_rows(result))
    if path.suffix == ".parquet":
        write_atomically(path, _parquet(rows))
        return len(rows)
    numbered = (row | {"value": f"{row['value']:.10g}"} for row in rows)
    write_atomically(path, tab_separated([COLUMNS, *([row[name] for name in COLUMNS] for row in numbered)]))
    return len(rows)


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise Cd40lFlowError(
            "Parquet needs pyarrow, which is not installed: pip install 'cd40l-flow[parquet]', or name a .tsv file."
        ) from None
    kinds = [(name, pyarrow.float64() if name == "value" else pyarrow.string()) for name in COLUMNS]
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=pyarrow.schema(kinds)), buffer)
    return buffer.getvalue()

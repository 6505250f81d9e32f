"""The history on disk: ``history.parquet``, one row a sample, which grows from call to call.

Runs that are in it stay when their folders are archived. It holds no times and no machines: equal folders give equal
rows.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.laboratory.rows import NUMBERS, REAGENT_NUMBERS, Row, columns

FILE = "history.parquet"
VERSION = "1"
_KEY = b"cd40l_flow_history"


def read_history(path: Path) -> list[Row]:
    """Return the rows of a history; none where there is no file.

    Raises Cd40lFlowError for a file that is no history, or one of another version.
    """
    _, parquet = _arrow()
    if not path.is_file():
        return []
    try:
        # A memory map holds a page for a moment only, and the file may be replaced while it is open.
        table = parquet.read_table(path, memory_map=False)
    except (OSError, ValueError) as error:
        raise Cd40lFlowError(f"{path}: it cannot be read as Parquet ({error}). {_ANEW}") from None
    found = (table.schema.metadata or {}).get(_KEY, b"").decode()
    if found != VERSION:
        what = f"is a history of version {found}, expected {VERSION}" if found else "is no history of cd40l-flow"
        raise Cd40lFlowError(f"{path}: it {what}. {_ANEW}")
    known = [name for name in columns() if name in table.column_names]
    by_column = {name: table.column(name).to_pylist() for name in known}
    return [dict(zip(known, values, strict=True)) for values in zip(*by_column.values(), strict=True)]


def write_history(rows: Sequence[Row], path: Path) -> None:
    """Write a history atomically: equal rows are equal bytes."""
    arrow, parquet = _arrow()
    kinds = _kinds(arrow)
    schema = arrow.schema(list(kinds.items()), metadata={_KEY: VERSION.encode()})
    arrays = [arrow.array([row.get(name) for row in rows], type=kind) for name, kind in kinds.items()]
    buffer = io.BytesIO()
    parquet.write_table(arrow.table(arrays, schema=schema), buffer, compression="zstd", row_group_size=20_000)
    write_atomically(path, buffer.getvalue())


def _kinds(arrow: Any) -> Mapping[str, Any]:
    numbers = {*NUMBERS, *(f"{one.key}_{name}" for one in current_assay().targets.values() for name in REAGENT_NUMBERS)}
    kinds = {name: arrow.float64() if name in numbers else arrow.string() for name in columns()}
    return {**kinds, "data": arrow.list_(arrow.string())}


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise Cd40lFlowError(
            "history needs pyarrow, which is not installed: pip install 'cd40l-flow[parquet]'."
        ) from None
    return pyarrow, parquet


_ANEW = "Move it away and name all results folders again."

"""The gates of one sample in other programs' files, read back by FlowKit before they are released."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cohort.cells import tab_separated
from cd40l_flow.cohort.settings import Job
from cd40l_flow.interop.gate_files import exported, write_gates
from cd40l_flow.interop.readback import Row, read_back, read_tube
from cd40l_flow.result.types.result import Result

COLUMNS = ("tube", "gate", "result", "own", "gatingml", "wsp", "differing", "events_read_by")


class ExportError(Cd40lFlowError):
    """The exported gates of a sample do not hold the events they should."""


def export_gates(
    result: Result, job: Job, gates_xml: Path, wsp: Path, table: Path, *, written: bool = False
) -> list[Row]:
    """Write the gates of a sample as Gating-ML and FlowJo workspace, read both back, and write the comparison.

    ``written``: the two files exist already, and are only read back. Raises ExportError where a count
    differs from the result's, ChangedEventsError where a file is no longer the one that was analysed; none of
    the files it writes is left then. Without a readable tube the files state so.
    """
    mine = (table,) if written else (gates_xml, wsp, table)
    for path in mine:
        path.unlink(missing_ok=True)
    try:
        if not written:
            write_gates(result, job, gates_xml, wsp)
        trees, _ = exported(result)
        rows = read_back(gates_xml, wsp, trees, (read_tube(tree, result, job) for tree in trees))
        different = [row for row in rows if not row.agrees]
        if different:
            raise ExportError(_difference(str(result.sample), different, gates_xml, wsp, written=written))
        write_atomically(table, as_table(rows))
    except BaseException:
        for path in mine:
            path.unlink(missing_ok=True)
        raise
    return rows


def _difference(sample: str, rows: Sequence[Row], gates_xml: Path, wsp: Path, *, written: bool) -> str:
    unequal = [
        f"  {row.tube}, {row.gate}: "
        + (f"{row.result} events by the result, " if row.result is not None else "")
        + f"{row.own} by its gates, {row.gatingml} by Gating-ML ({row.differing} differ), {row.wsp} by the workspace"
        for row in rows
    ]
    what = f"do not use {gates_xml} and {wsp}" if written else "no file was left"
    title = f"{sample}: the exported gates, read back by FlowKit, hold other events; {what}. Tell the makers:"
    return "\n".join([title, *unequal])


def as_table(rows: Sequence[Row]) -> str:
    """Return the comparison as tab-separated text; a blank result: it does not count this gate."""
    cells = [
        (row.tube, row.gate, row.result, row.own, row.gatingml, row.wsp, row.differing, row.source) for row in rows
    ]
    return tab_separated([COLUMNS, *cells])

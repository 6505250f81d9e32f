"""The export of one sample: its gates for other programs, each file read back before it is left to anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cd40l_flow.errors import Cd40lFlowError
from cd40l_flow.inputs.fcs import read_header
from cd40l_flow.inputs.model import Job
from cd40l_flow.outputs.flowjo import workspace
from cd40l_flow.outputs.gate_tree import gate_trees
from cd40l_flow.outputs.gatingml import gatingml
from cd40l_flow.outputs.readback import Row, read_back, read_tube
from cd40l_flow.outputs.whole import write_whole

COLUMNS = ("tube", "gate", "result", "own", "gatingml", "wsp", "differing", "events_read_by")


class ExportError(Cd40lFlowError):
    """The exported gates of a sample do not hold the events they should: none of its files is left behind."""


def export_gates(result: Mapping[str, Any], job: Job, gates_xml: Path, wsp: Path, table: Path) -> list[Row]:
    """Write the gates of a sample as Gating-ML and FlowJo workspace, read both back, and write the comparison.

    Raises ExportError where a count differs from the result's, ChangedEventsError where a file is no longer the one
    that was analysed, and leaves none of the three files then. A sample without a readable tube gets files that say so.
    """
    for path in (gates_xml, wsp, table):
        path.unlink(missing_ok=True)
    trees = gate_trees(result)
    paths = {tube.fcs: tube.path for tube in job.sample.tubes}
    try:
        headers = {tree.fcs: read_header(paths[tree.fcs], tree.fcs) for tree in trees}
        write_whole(gates_xml, gatingml(str(result["sample"]), trees))
        write_whole(wsp, workspace(trees, headers))
        rows = read_back(gates_xml, wsp, trees, (read_tube(tree, result, job) for tree in trees))
        different = [row for row in rows if not row.agrees]
        if different:
            raise ExportError(_difference(str(result["sample"]), different))
        write_whole(table, as_table(rows))
    except BaseException:
        for path in (gates_xml, wsp, table):
            path.unlink(missing_ok=True)
        raise
    return rows


def _difference(sample: str, rows: Sequence[Row]) -> str:
    told = [
        f"  {row.tube}, {row.gate}: "
        + (f"{row.result} events by the result, " if row.result is not None else "")
        + f"{row.own} by its gates, {row.gatingml} by Gating-ML ({row.differing} differ), {row.wsp} by the workspace"
        for row in rows
    ]
    title = f"{sample}: the exported gates, read back by FlowKit, hold other events; no file was left. Tell the makers:"
    return "\n".join([title, *told])


def as_table(rows: Sequence[Row]) -> str:
    """Return the comparison as tab-separated text; a blank result: it does not count this gate."""
    lines = ["\t".join(COLUMNS)]
    for row in rows:
        result = "" if row.result is None else row.result
        cells = (row.tube, row.gate, result, row.own, row.gatingml, row.wsp, row.differing, row.source)
        lines.append("\t".join(map(str, cells)))
    return "\n".join(lines) + "\n"

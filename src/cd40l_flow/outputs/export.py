"""The export of one sample: its gates for other programs, each file read back before it is left to anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cd40l_flow.errors import Cd40lFlowError
from cd40l_flow.inputs.model import Job
from cd40l_flow.outputs.flowjo import workspace
from cd40l_flow.outputs.gate_tree import gate_trees
from cd40l_flow.outputs.gatingml import gatingml
from cd40l_flow.outputs.readback import Row, TubeEvents, read_back, read_tube
from cd40l_flow.outputs.whole import write_whole

COLUMNS = ("tube", "gate", "result", "own", "gatingml", "wsp", "differing", "events_read_by")


class ExportError(Cd40lFlowError):
    """The exported gates of a sample do not hold the events they should: none of its files is left behind."""


def export_gates(result: Mapping[str, Any], job: Job, gates_xml: Path, wsp: Path, table: Path) -> list[Row]:
    """Write the gates of a sample as Gating-ML and FlowJo workspace, read both back, and write the comparison.

    Raises ExportError, and leaves none of the three files, where a count differs from the result's, or a file is no
    longer the one that was analysed. A sample without a readable tube gets files that say so.
    """
    for path in (gates_xml, wsp, table):
        path.unlink(missing_ok=True)
    tubes = tubes_of(result, job)
    trees = [tube.tree for tube in tubes]
    try:
        write_whole(gates_xml, gatingml(str(result["sample"]), trees))
        write_whole(wsp, workspace(trees, {tube.tree.fcs: tube.header for tube in tubes}))
        rows = read_back(gates_xml, wsp, tubes)
        different = [row for row in rows if not row.agrees]
        if different:
            raise ExportError(_difference(str(result["sample"]), different))
        write_whole(table, as_table(rows))
    except BaseException:
        for path in (gates_xml, wsp, table):
            path.unlink(missing_ok=True)
        raise
    return rows


def tubes_of(result: Mapping[str, Any], job: Job) -> list[TubeEvents]:
    """Return the events of every file of a sample that could be read, with its gates."""
    tubes = []
    for tree in gate_trees(result):
        row = next(tube for tube in result["tubes"] if tube["fcs"] == tree.fcs and tube["status"] == "ok")
        tube = read_tube(tree, row["markers"], job)
        if tube.digest != row["digest"]:
            raise ExportError(
                f"{tree.fcs}: its events are not those that {result['sample']} was analysed with. Analyse it again."
            )
        tubes.append(tube)
    return tubes


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

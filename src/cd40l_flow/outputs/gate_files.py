"""The gates of a sample for other programs, written with its result: what they must hold, and the two files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cd40l_flow.inputs.fcs import read_header
from cd40l_flow.inputs.model import Events, Job
from cd40l_flow.outputs.flowjo import workspace
from cd40l_flow.outputs.gate_shapes import GateTree, membership
from cd40l_flow.outputs.gate_tree import gate_trees
from cd40l_flow.outputs.gatingml import gatingml
from cd40l_flow.outputs.tube_values import stored_values
from cd40l_flow.outputs.whole import write_whole

DIFFERENT = "EXPORT"
AT_A_TIME = 1 << 17  # events: their memory is asked for once
NO_TUBE = "There are no gates: no tube of this sample could be read."
WITHHELD = "There are no gates: written down, they do not hold the events of the result. Its messages tell which."


def counting_messages(result: Mapping[str, Any], events: Sequence[Events]) -> Iterator[dict[str, Any]]:
    """Yield an error for every tube whose gates, drawn from the result alone, hold other events than it says.

    ``events`` are those of the sample's tubes, compensated. Such gates are not given to other programs.
    """
    for tree in gate_trees(result):
        held = _counted(tree, [one for one in events if one.tube.fcs == tree.fcs])
        told = [
            f"{name} {held.get(name)}, not {count}" for name, count in tree.counts.items() if held.get(name) != count
        ]
        if told:
            text = (
                f"{tree.fcs}: gates drawn from the numbers of the result hold other events ({'; '.join(told)}). "
                "The result stands; its gates are not exported. Tell the makers."
            )
            yield {"code": DIFFERENT, "severity": "error", "tube": tree.fcs, "text": text}


def _counted(tree: GateTree, readings: Sequence[Events]) -> Counter[str]:
    """Return how many events of a file each gate holds, some at a time."""
    held = Counter({gate.name: 0 for gate in tree.gates})
    for begin in range(0, readings[0].values.shape[0], AT_A_TIME):
        part = slice(begin, begin + AT_A_TIME)
        some = [
            replace(one, values=one.values[part], time=None if one.time is None else one.time[part]) for one in readings
        ]
        found = membership(tree, stored_values(some, tree.detectors))
        held.update({name: int(np.count_nonzero(mask)) for name, mask in found.items()})
    return held


def exported(result: Mapping[str, Any]) -> tuple[list[GateTree], str]:
    """Return the gates of a result that are given to other programs, and where there are none, why."""
    if any(message["code"] == DIFFERENT for message in result["messages"]):
        return [], WITHHELD
    trees = gate_trees(result)
    return trees, "" if trees else NO_TUBE


def write_gates(result: Mapping[str, Any], job: Job, gates_xml: Path, wsp: Path) -> None:
    """Write the gates of a sample as Gating-ML and as FlowJo workspace; without gates the files say why."""
    trees, why = exported(result)
    paths = {tube.fcs: tube.path for tube in job.sample.tubes}
    headers = {tree.fcs: read_header(paths[tree.fcs], tree.fcs) for tree in trees}
    write_whole(gates_xml, gatingml(str(result["sample"]), trees, why))
    write_whole(wsp, workspace(trees, headers, why))

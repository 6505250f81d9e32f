"""The gates of a sample for other programs, written with its result: what they must hold, and the two files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cd40l_flow.base.disk import write_atomically
from cd40l_flow.cohort.settings import Job
from cd40l_flow.fcs.reader import read_header
from cd40l_flow.gating.model import GatedTube
from cd40l_flow.interop.flowjo import workspace
from cd40l_flow.interop.gatingml import gatingml
from cd40l_flow.interop.tube_values import part_of, stored_values
from cd40l_flow.result.gates.shapes import GateTree, membership
from cd40l_flow.result.gates.tree import gate_trees
from cd40l_flow.result.types.decision import Message
from cd40l_flow.result.types.result import Result

DIFFERENT = "EXPORT"
ENOUGH = 20_000  # events of a tube, for a gate that is misdrawn to be seen
NO_TUBE = "There are no gates: no tube of this sample could be read."
WITHHELD = "There are no gates: written down, they do not hold the events of the result. Its messages name them."


def export_messages(result: Result, tubes: Sequence[GatedTube]) -> Iterator[Message]:
    """Yield an error for every tube whose gates, drawn from the result alone, do not hold the events that gating found.

    Of large ``tubes`` every k-th event is tested. Such gates are not given to other programs.
    """
    for tree in gate_trees(result):
        readings = [tube for tube in tubes if tube.signal.events.tube.fcs == tree.fcs]
        step = max(1, readings[0].signal.events.values.shape[0] // ENOUGH)
        some = [part_of(tube.signal.events, slice(None, None, step)) for tube in readings]
        found = membership(tree, stored_values(some, tree.detectors))
        differing = []
        for name in tree.counts:
            other = np.count_nonzero(found[name] != readings[0].mask(name)[::step]) if name in found else "all"
            if other:
                differing.append(f"{name} {other}")
        if differing:
            text = (
                f"{tree.fcs}: gates drawn from the numbers of the result hold other events ({', '.join(differing)} of "
                f"{some[0].values.shape[0]}). The result remains valid; its gates are not exported. Please report this."
            )
            yield Message(code=DIFFERENT, severity="error", tube=tree.fcs, text=text)


def exported(result: Result) -> tuple[list[GateTree], str]:
    """Return the gates of a result that are given to other programs, and where there are none, why."""
    if any(message.code == DIFFERENT for message in result.messages):
        return [], WITHHELD
    trees = gate_trees(result)
    return trees, "" if trees else NO_TUBE


def write_gates(result: Result, job: Job, gates_xml: Path, wsp: Path) -> None:
    """Write the gates of a sample as Gating-ML and as FlowJo workspace; without gates the files state why."""
    trees, why = exported(result)
    paths = {tube.fcs: tube.path for tube in job.sample.tubes}
    headers = {tree.fcs: read_header(paths[tree.fcs], tree.fcs) for tree in trees}
    write_atomically(gates_xml, gatingml(str(result.sample), trees, why))
    write_atomically(wsp, workspace(trees, headers, why))

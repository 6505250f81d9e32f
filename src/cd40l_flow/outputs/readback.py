"""The files of an export read again by FlowKit and applied to the same events: what each gate holds in either file."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flowio
import flowkit
import numpy as np

from cd40l_flow.inputs.model import Floats, Job
from cd40l_flow.outputs.flowjo import sample_names
from cd40l_flow.outputs.gate_shapes import GateTree, membership
from cd40l_flow.outputs.tube_values import linear_values, read_again, stored_values
from cd40l_flow.signal.acquisition import Mask

FLOWKIT, DECODED = "FlowKit", "decoded values"
# FlowKit and FlowIO tell of files they cannot read in all of these ways.
UNREADABLE = (
    flowio.exceptions.FlowIOException,
    flowkit.exceptions.FlowKitException,
    ArithmeticError,
    LookupError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class TubeEvents:
    """The events of one tree: ``sample`` as FlowKit has them, ``own`` detector -> linear values as gating has them.

    ``source`` says who decoded the events that FlowKit gates: FlowKit itself, or we where it reads other values.
    """

    tree: GateTree
    sample: Any
    own: Mapping[str, Floats]
    source: str


@dataclass(frozen=True)
class Row:
    """One gate of one tube: events by the result (None: it does not count this gate), by our own reading of the gates,
    by FlowKit from each file; ``differing`` events that Gating-ML and our own reading do not agree on.
    """

    tube: str
    gate: str
    result: int | None
    own: int
    gatingml: int
    wsp: int
    differing: int
    source: str

    @property
    def agrees(self) -> bool:
        """Whether all agree, event for event in Gating-ML."""
        return {self.own, self.gatingml, self.wsp} == {self.own if self.result is None else self.result} and (
            self.differing == 0
        )


def read_tube(tree: GateTree, result: Mapping[str, Any], job: Job) -> TubeEvents:
    """Return the events of a tree's file, decoded by FlowKit where it reads the same values as we do; raises as
    `read_again`.
    """
    events = read_again(tree.fcs, result, job)
    needed = dict.fromkeys((*tree.detectors, *(tree.matrix.detectors if tree.matrix is not None else ())))
    stored = stored_values(events, needed)
    labels, values = list(stored), np.column_stack(list(stored.values()))
    with warnings.catch_warnings():
        # What is odd about a file was told when it was analysed.
        warnings.simplefilter("ignore")
        sample = _by_flowkit(events[0].tube.path, tree.fcs, labels, values)
        source = FLOWKIT
        if sample is None:
            sample, source = _as_sample(tree.fcs, labels, values), DECODED
    return TubeEvents(tree, sample, linear_values(events, tree.detectors), source)


def _by_flowkit(path: str, name: str, labels: Sequence[str], values: Floats) -> Any | None:
    """Return FlowKit's reading of a file; None where it cannot read it, or reads other values than these."""
    try:
        sample = flowkit.Sample(path, sample_id=name, subsample=1)
        read = sample.get_events(source="raw")[:, [sample.pnn_labels.index(label) for label in labels]]
    except UNREADABLE:
        return None
    same = read.shape == values.shape and np.allclose(read, values, rtol=1e-12, atol=0.0)
    return sample if same else None


def _as_sample(name: str, labels: Sequence[str], values: Floats) -> Any:
    """Return values as a FlowKit sample; its constructor would round them to 32 bits, too coarse for time."""
    sample = flowkit.Sample(np.zeros((1, len(labels))), sample_id=name, channel_labels=list(labels), subsample=1)
    sample.event_count = values.shape[0]
    sample._raw_events = values
    return sample


def read_back(gatingml: Path, wsp: Path, trees: Sequence[GateTree], tubes: Iterable[TubeEvents]) -> list[Row]:
    """Return what every gate of every tube holds, by the two files on disk and by our own reading of the gates.

    ``tubes`` are those of the ``trees``, of which one at a time need be in memory.
    """
    if not trees:
        return []
    document = flowkit.parse_gating_xml(str(gatingml))
    names = sample_names(trees)
    workspaces = flowkit.parse_wsp(str(wsp))["samples"]
    rows = []
    for tube in tubes:
        tree = tube.tree
        own = membership(tree, tube.own)
        by_gatingml = _gated(_strategy_of(document, tree.number), tube.sample)
        tube.sample.id = names[tree.fcs]
        by_wsp = _gated(workspaces[names[tree.fcs]]["gating_strategy"], tube.sample)
        for gate in tree.gates:
            theirs = by_gatingml[tree.identifier(gate.name)]
            rows.append(
                Row(
                    tube=tree.fcs,
                    gate=gate.name,
                    result=tree.counts.get(gate.name),
                    own=int(np.count_nonzero(own[gate.name])),
                    gatingml=int(np.count_nonzero(theirs)),
                    wsp=int(np.count_nonzero(by_wsp[gate.name])),
                    differing=int(np.count_nonzero(theirs != own[gate.name])),
                    source=tube.source,
                )
            )
    return rows


def _strategy_of(document: Any, number: int) -> Any:
    """Return the gates of one tube out of a Gating-ML document as FlowKit read it."""
    strategy = flowkit.GatingStrategy()
    for name, matrix in document.comp_matrices.items():
        strategy.add_comp_matrix(name, matrix)
    for name, transform in document.transformations.items():
        strategy.add_transform(name, transform)
    for name, path in document.get_gate_ids():
        if name.startswith(f"t{number}."):
            strategy.add_gate(document.get_gate(name, path), path)
    return strategy


def _gated(strategy: Any, sample: Any) -> dict[str, Mask]:
    """Return gate -> which events, (events,), FlowKit finds in it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        results = strategy.gate_sample(sample)
    return {name: results.get_gate_membership(name, path) for name, path in strategy.get_gate_ids()}

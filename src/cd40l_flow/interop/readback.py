"""The files of an export read again by FlowKit and applied to the same events: what each gate holds in either file."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flowio
import flowkit
import numpy as np

from cd40l_flow.base.model import Events, Floats
from cd40l_flow.cohort.settings import Job
from cd40l_flow.interop.flowjo import sample_names
from cd40l_flow.interop.tube_values import part_of, read_again, stored_values
from cd40l_flow.result.gates.shapes import GateTree, membership
from cd40l_flow.result.types.result import Result
from cd40l_flow.signal.acquisition import Mask
from cd40l_flow.signal.compensation import compensate

AT_A_TIME = 20_000  # events
FLOWKIT, DECODED = "FlowKit", "decoded values"
# FlowKit and FlowIO raise all of these for files that they cannot read.
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
    """The events of one tree: ``sample`` as FlowKit has them, ``own`` gate -> which of them it holds

    ``source`` names who decoded the events that FlowKit gates: FlowKit itself, or we where it reads other values.
    """

    tree: GateTree
    sample: Any
    own: Mapping[str, Mask]
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


def read_tube(tree: GateTree, result: Result, job: Job) -> TubeEvents:
    """Return the events of a tree's file, decoded by FlowKit where it reads the same values as we do; raises as
    `read_again`.
    """
    events = read_again(tree.fcs, result, job)
    # What this copies is let go before FlowKit reads, which takes most memory.
    own = _own(tree, events)
    sample = _by_flowkit(next(tube.path for tube in job.sample.tubes if tube.fcs == tree.fcs), tree.fcs)
    needed = tuple(dict.fromkeys((*tree.detectors, *(tree.matrix.detectors if tree.matrix is not None else ()))))
    if sample is not None and _same(sample, events, needed):
        return TubeEvents(tree, sample, own, FLOWKIT)
    del sample
    return TubeEvents(tree, _as_sample(tree.fcs, stored_values(events, needed)), own, DECODED)


def _own(tree: GateTree, events: Sequence[Events]) -> dict[str, Mask]:
    """Return gate -> which events, (events,), it holds by our own reading of the gates."""
    compensated = [compensate(reading) for reading in events]
    found = []
    for some in _parts(events[0].values.shape[0]):
        values = stored_values([part_of(reading, some) for reading in compensated], tree.detectors)
        found.append(membership(tree, values))
    return _joined(found)


def _parts(events: int) -> Iterator[slice]:
    """Yield which of so many events are tested, some at a time."""
    return (slice(start, start + AT_A_TIME) for start in range(0, events, AT_A_TIME))


def _joined(parts: Sequence[Mapping[str, Mask]]) -> dict[str, Mask]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _by_flowkit(path: str, name: str) -> Any | None:
    """Return FlowKit's reading of a file; None where it cannot read it."""
    with warnings.catch_warnings():
        # What is odd about a file was reported when it was analysed.
        warnings.simplefilter("ignore")
        try:
            return flowkit.Sample(path, sample_id=name, subsample=1)
        except UNREADABLE:
            return None


def _same(sample: Any, events: Sequence[Events], detectors: Iterable[str]) -> bool:
    """Return whether FlowKit has read the values that we have, detector by detector."""
    for label in detectors:
        if label not in sample.pnn_labels:
            return False
        read = sample.get_channel_events(label, source="raw")
        values = stored_values(events, (label,))[label]
        if read.shape != values.shape or not np.allclose(read, values, rtol=1e-12, atol=0.0):
            return False
    return True


def _as_sample(name: str, stored: Mapping[str, Floats]) -> Any:
    """Return values as a FlowKit sample; its constructor would round them to 32 bits, too coarse for time."""
    values = np.column_stack(list(stored.values()))
    sample = flowkit.Sample(np.zeros((1, len(stored))), sample_id=name, channel_labels=list(stored), subsample=1)
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
        name = names[tube.tree.fcs]
        strategies = _strategy_of(document, tube.tree.number), workspaces[name]["gating_strategy"]
        rows.extend(_compared(tube, *strategies, name))
        # The next one is read before the name would be given to it.
        del tube
    return rows


def _compared(tube: TubeEvents, gatingml: Any, wsp: Any, name: str) -> list[Row]:
    """Return what every gate of a tube holds, by FlowKit's reading of either file; the workspace calls it ``name``."""
    tree, own = tube.tree, tube.own
    by_gatingml = _gated(gatingml, tube.sample)
    tube.sample.id = name
    by_wsp = _gated(wsp, tube.sample)
    rows = []
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
    """Return gate -> which events, (events,), FlowKit finds in it.

    It is given some at a time, for it copies them often.
    """
    found = []
    events = sample.get_events(source="raw")
    for some in _parts(events.shape[0]):
        part = copy(sample)
        part._raw_events = events[some]
        part.event_count = part._raw_events.shape[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            results = strategy.gate_sample(part)
        found.append({name: results.get_gate_membership(name, path) for name, path in strategy.get_gate_ids()})
    return _joined(found)

"""Tubes made by hand, as they come to gating: values on the scale of a marker, scatter in channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.gating_limits import GatingLimits
from cd40l_flow.base.model import Detector, Events, Floats, Header, Override, Scatter, Singles, Tube
from cd40l_flow.gating.control_gates import ControlGates
from cd40l_flow.gating.working import Working, WorkingTube
from cd40l_flow.signal.acquisition import Acquisition, TimeQC
from cd40l_flow.signal.prepare import TubeSignal
from cd40l_flow.signal.scale import Scale

SCALE = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="test")
PLACES = ("FSC", "SSC", "FSC-H", "FSC-W", "Time")


def tube_signal(
    columns: Mapping[str, Floats],
    markers: Mapping[str, str],
    scaled: Mapping[str, Singles],
    scatter: Scatter,
    *,
    tube: Tube,
    time: Floats | None = None,
    kept: NDArray[np.bool_] | None = None,
    floors: Mapping[str, float] | None = None,
    tops: Mapping[str, float] | None = None,
    cytometer: str = "",
) -> TubeSignal:
    """Return a tube of detectors -> channel values, (events,), with its markers -> detectors and their scaled values.

    ``kept`` are the events that acquisition QC keeps, all of them unless told; ``floors`` and ``tops`` are in channels
    by detector.
    """
    size = next(iter(columns.values())).size
    everything = np.ones(size, dtype=bool) if kept is None else kept
    detectors = tuple(Detector(name, "", at, 262144, 262144.0, None, 1.0) for at, name in enumerate(columns))
    events = Events(
        tube=tube,
        header=Header("FCS3.1", size, detectors, None, cytometer, "", None),
        names=tuple(columns),
        values=np.column_stack(list(columns.values())).astype(np.float32),
        time=time,
        time_problem="" if time is not None else "no time",
        scatter=scatter,
        markers=dict(markers),
        spillover=None,
        digest=tube.fcs,
        compensated=True,
    )
    acquisition = Acquisition(everything, everything, 0.0, 0.0, "", TimeQC(everything))
    return TubeSignal(events, dict(scaled), acquisition, floors or {}, tops or {})


def signal(
    scaled: Mapping[str, Floats],
    *,
    fcs: str = "a.fcs",
    stimulation: str = "stimulated",
    reagent: str = "CD154",
    scatter: Mapping[str, Floats] | None = None,
    time: Floats | None = None,
    keep: Sequence[int] | None = None,
    floors: Mapping[str, float] | None = None,
    tops: Mapping[str, float] | None = None,
) -> TubeSignal:
    """Return a tube of markers, each (events,); ``scatter`` maps FSC, SSC, FSC-H, FSC-W; ``keep`` are the events kept.

    The detector of a marker is its name and "-A"; ``floors`` and ``tops`` are in channels by detector.
    """
    scatter = scatter or {}
    columns = {**scatter, **{f"{name}-A": SCALE.inverse(values) for name, values in scaled.items()}}
    names = {key: name if name in scatter else None for key, name in zip(Scatter.__annotations__, PLACES, strict=True)}
    names["time"] = None if time is None else "Time"
    return tube_signal(
        columns,
        {name: f"{name}-A" for name in scaled},
        {name: values.astype(np.float32) for name, values in scaled.items()},
        Scatter(**names),
        tube=Tube(fcs, fcs, stimulation, reagent),
        time=time,
        kept=None if keep is None else np.isin(np.arange(next(iter(columns.values())).size), keep),
        floors=floors,
        tops=tops,
    )


def scales(*signals: TubeSignal) -> dict[str, Scale]:
    """Return the same scale for every detector of some tubes."""
    return {name: SCALE for one in signals for name in one.events.markers.values()}


def working(
    *signals: TubeSignal,
    overrides: Sequence[Override] = (),
    limits: GatingLimits | None = None,
    control_gates: ControlGates | None = None,
    parent: str = "",
) -> Working:
    """Return a sample at work; all events are the population ``parent``, where it has a name."""
    tubes = [WorkingTube(one) for one in signals]
    for tube in tubes if parent else ():
        tube.indices[parent] = np.arange(tube.signal.events.values.shape[0], dtype=np.int32)
    return Working(tubes, scales(*signals), overrides, limits or GatingLimits(), control_gates or ControlGates())


def by_hand(gate: str, value: float, tube: str = "") -> Override:
    """Return a boundary set by hand."""
    return Override("S1", tube, gate, value, "AB", "by eye")


def row(gates: Sequence[Any], population: str) -> Any:
    """Return the gate that makes a population."""
    return next(gate for gate in gates if gate.population == population)


def peaks(*parts: tuple[float, float, int], seed: int = 1) -> Floats:
    """Return values of normal populations (middle, SD, events), one after the other."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(middle, sd, count) for middle, sd, count in parts])

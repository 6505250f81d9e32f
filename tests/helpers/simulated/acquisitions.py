"""Acquisitions with known faults: simulated cells, what went wrong in time, and which events it spoilt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats
from cd40l_flow.simulate import Fault, Scenario, SimulationParameters, simulate_tube

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Recorded:
    """One acquisition: seconds, watched signals and target, (events,) each, and which events are bad."""

    time: Floats
    signals: dict[str, Floats]
    target: Floats
    bad: Mask


def record(
    seed: int,
    events: int,
    *,
    stimulation: str = "stimulated",
    clog: tuple[float, float] | None = None,
    rate: float = 1.0,
    spoil: Callable[[Floats, tuple[str, ...]], None] | None = None,
) -> Recorded:
    """Return a simulated tube; in a ``clog`` (start and end, fractions) fluorescence is halved and scatter shifted.

    ``rate`` is what is left of the flow in the clog; ``spoil`` may change the raw values, (events, detectors), in
    place, given their names.
    """
    first, last = (round(end * events) for end in clog or (0, 0))
    parameters = SimulationParameters()
    if clog is not None:
        parameters = replace(parameters, clog_start=clog[0], clog_end=clog[1], clog_signal=1.0, clog_rate=rate)
    faults = (Fault("clog", "CD154", stimulation),) if clog is not None else ()
    scenario = Scenario("S1", events=events, unstimulated_events=events, faults=faults)
    tube = simulate_tube(scenario, stimulation, "CD154", seed, parameters=parameters)
    values = tube.values.astype(np.float64)
    values[first:last, 3:-1] *= 0.5
    values[first:last, :3] *= 0.85
    if spoil is not None:
        spoil(values, tube.names)
    found = replace(tube, values=values.astype(np.float32)).compensated(parameters)
    markers = [detector.marker for detector in parameters.recorded()]
    scaled = {marker: np.arcsinh(found[:, at] / 500) for at, marker in enumerate(markers)}
    signals = {"FSC": values[:, tube.names.index("FSC-A")], "SSC": values[:, tube.names.index("SSC-A")]}
    signals |= {name: scaled[name] for name in ("CD3", "CD8", "CD69", "viability")}
    bad = np.zeros(events, dtype=bool)
    bad[first:last] = True
    return Recorded(values[:, -1] * parameters.timestep, signals, scaled["target"], bad)

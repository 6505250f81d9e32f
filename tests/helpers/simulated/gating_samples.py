"""Simulated samples with per-event truth, gated: what the tests of signal and gating share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.gating_limits import GatingLimits, ScaleLimits
from cd40l_flow.base.model import Events, Override, Sample, Tube
from cd40l_flow.fcs.panel import borrowed_detectors
from cd40l_flow.fcs.reader import read_events
from cd40l_flow.gating.control_gates import ControlGates
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.gating.strategy import NO_GATES, gate
from cd40l_flow.signal.prepare import choose_scales, prepare
from cd40l_flow.simulate import Scenario, SimulationParameters, fcs_name, simulate_tube, write_cohort

SCALE_LIMITS, GATING_LIMITS = ScaleLimits(), GatingLimits()
TUBES = (("unstimulated", "CD154"), ("stimulated", "CD154"), ("stimulated", "isotype"))


@dataclass(frozen=True)
class Simulated:
    """A sample read from simulated files: its events, and per tube which events are the assay's cells."""

    sample: Sample
    events: tuple[Events, ...]
    truth: tuple[NDArray[np.bool_], ...]


def simulate_sample(
    folder: Path, scenario: Scenario, seed: int, parameters: SimulationParameters | None = None
) -> Simulated:
    """Write, read and tell the truth of three tubes of a scenario."""
    scenario = replace(scenario, stimulated=("CD154", "isotype"))
    write_cohort(folder, seed, cohort=(scenario,), parameters=parameters)
    tubes, events, truth = [], [], []
    known: dict[str, Mapping[str, str]] = {}
    for stimulation, reagent in TUBES:
        name = fcs_name(scenario.sample, stimulation, reagent)
        tube = Tube(name, str(folder / "fcs" / name), stimulation, reagent)
        read = read_events(tube, {}, "file", borrowed_detectors(reagent, known))
        known.setdefault(reagent, read.markers)
        tubes.append(tube)
        events.append(read)
        truth.append(simulate_tube(scenario, stimulation, reagent, seed, parameters=parameters).counted())
    sample = Sample(scenario.sample, scenario.run, scenario.role, scenario.sex, tuple(tubes))
    return Simulated(sample, tuple(events), tuple(truth))


def gate_events(
    sample: Sample,
    events: Sequence[Events],
    overrides: Sequence[Override] = (),
    limits: GatingLimits = GATING_LIMITS,
    control_gates_of_run: ControlGates = NO_GATES,
) -> GatedSample:
    """Gate tubes on scales of their own."""
    scales = choose_scales(events, SCALE_LIMITS, "own tubes")
    return gate(sample, [prepare(one, scales) for one in events], scales, overrides, limits, control_gates_of_run)


def resampled(events: Events, seed: int) -> Events:
    """Return a bootstrap resample of the events, in the order of acquisition."""
    size = events.values.shape[0]
    drawn = np.sort(np.random.default_rng(seed).integers(0, size, size))
    return replace(events, values=events.values[drawn], time=None if events.time is None else events.time[drawn])


def shuffled(events: Events, seed: int) -> Events:
    """Return the same events in another order."""
    order = np.random.default_rng(seed).permutation(events.values.shape[0])
    return replace(events, values=events.values[order], time=None if events.time is None else events.time[order])

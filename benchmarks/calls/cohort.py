"""The runs of a cohort of calls: scenarios, donors, instruments and staining levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cd40l_flow.simulate import SCENARIOS, Scenario, SimulationParameters, healthy_control
from cd40l_flow.simulate.dialects import DIALECTS, SIMULATED
from cd40l_flow.simulate.scenarios import TUBES_WITH_SECOND_CLONE

SAMPLES_A_RUN = 10
HEALTHY_MEAN, HEALTHY_SD = 0.10, 0.02
# Limits of a laboratory that has measured how its donors differ.
OF_DONORS = {
    "mixture": {"healthy_negative_sd": HEALTHY_SD},
    "odds": {"healthy_negative_mean_sd": HEALTHY_SD, "level_sd": 0.1},
}
# Bound anti-CD154 of a healthy cell, and what that makes of D: 3 at the one end, 8 at the other.
DIMMEST, BRIGHTEST = 700.0, 15_000.0
CD40IG_LEAST = 1_300.0  # CD40-Ig has the higher background: below this its D would be less than 3
OF_MATRIX = ("no_spillover", "transposed_spillover", "already_compensated")


def cohort(seed: int, samples: int, instruments: Sequence[str]) -> list[tuple[int, Scenario, list[Scenario], float]]:
    """Return the runs of a cohort: seed of the run, control, samples, and the staining level (molecules)."""
    random = np.random.default_rng([154, seed])
    order: list[Scenario] = []
    while len(order) < samples:
        order += [SCENARIOS[index] for index in random.permutation(len(SCENARIOS))]
    levels = random.permutation(np.exp(np.linspace(math.log(DIMMEST), math.log(BRIGHTEST), samples // SAMPLES_A_RUN)))
    order, turn = order[:samples], 0
    runs: list[tuple[int, Scenario, list[Scenario], float]] = []
    while order:
        instrument = instruments[turn % len(instruments)]
        turn += 1
        chosen = [scenario for scenario in order if _possible(scenario, instrument)][:SAMPLES_A_RUN]
        if not chosen:
            continue
        for scenario in chosen:
            order.remove(scenario)
        donors = random.normal(HEALTHY_MEAN, HEALTHY_SD, len(chosen) + 1).clip(0.03, 0.2)
        control = replace(
            healthy_control(),
            stimulated=TUBES_WITH_SECOND_CLONE,
            negative_fraction=float(donors[0]),
            instrument=instrument,
        )
        tests = [
            _on(replace(_of_donor(scenario, float(donor)), sample=f"S{index:02d}-{scenario.sample}"), instrument)
            for index, (scenario, donor) in enumerate(zip(chosen, donors[1:], strict=True))
        ]
        runs.append((seed * 1000 + len(runs), control, tests, float(levels[len(runs) % levels.size])))
    return runs


def _possible(scenario: Scenario, instrument: str) -> bool:
    """Return whether this can happen on an instrument: one that compensates by itself has no matrix to go wrong."""
    return not (DIALECTS[instrument].compensated and any(fault.kind in OF_MATRIX for fault in scenario.faults))


def _on(scenario: Scenario, instrument: str) -> Scenario:
    """Return a scenario on the run's instrument, unless it is about another."""
    return scenario if scenario.instrument != SIMULATED else replace(scenario, instrument=instrument)


def _of_donor(scenario: Scenario, negative: float) -> Scenario:
    """Return a scenario whose healthy part has this donor's negative fraction, clones the same."""
    if scenario.positive_skew < -2:  # a donor of the scenario's own
        return scenario
    expressing = min((1 - scenario.negative_fraction) / (1 - HEALTHY_MEAN), 1.0)
    return replace(scenario, negative_fraction=1 - expressing * (1 - negative))


def stained(level: float) -> SimulationParameters:
    """Return the physics of a run of this staining level."""
    return SimulationParameters(
        cd154_molecules=level, cd40ig_bound=max(SimulationParameters().cd40ig_bound, CD40IG_LEAST / level)
    )

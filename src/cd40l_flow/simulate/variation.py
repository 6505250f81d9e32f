"""Samples that differ in everything a gate must handle: donor, stimulation, stain, instrument and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cd40l_flow.simulate.cells import generator
from cd40l_flow.simulate.cohort import Scenario
from cd40l_flow.simulate.dialects import INSTRUMENTS
from cd40l_flow.simulate.parameters import SimulationParameters

FEWEST_EVENTS, MOST_EVENTS = 5_000, 500_000
GAIN = 0.2  # how far a detector's gain may be from the usual one


def varied(seed: int, index: int, instruments: Sequence[str] = INSTRUMENTS) -> tuple[Scenario, SimulationParameters]:
    """Return sample number ``index`` of an endless series, and the physics it was made by.

    The ``instruments`` take turns. Shares and factors are uniform or log-uniform within what such blood,
    stains and instruments show; CD69 goes down to a twentieth of its usual level, where it is a shoulder of the
    negative cells. The sample does not depend on the others of the series.
    """
    rng = generator(seed, "varied", index)

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def about(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    usual = SimulationParameters()
    events = about(FEWEST_EVENTS, MOST_EVENTS)

    def tube_size() -> int:
        return int(np.clip(events * between(0.6, 1.4), FEWEST_EVENTS, MOST_EVENTS))

    scenario = Scenario(
        f"V{index:03d}",
        activated_fraction=between(0.3, 0.98),
        t_cells=about(0.3, 1.5),
        dead=about(0.3, 5.0),
        instrument=instruments[index % len(instruments)],
        stimulated=("CD154", "isotype"),
        events=round(events),
        background_events=tube_size(),
        unstimulated_events=tube_size(),
    )
    autofluorescence, spill = about(0.5, 3.0), about(0.5, 2.0)
    detectors = tuple(
        replace(
            detector,
            gain=detector.gain * between(1 - GAIN, 1 + GAIN),
            autofluorescence=detector.autofluorescence * autofluorescence,
        )
        for detector in usual.detectors
    )
    spillover = tuple(
        tuple(1.0 if row == column else spill * value for column, value in enumerate(values))
        for row, values in enumerate(usual.spillover)
    )
    forward, side = between(1 - GAIN, 1 + GAIN), between(1 - GAIN, 1 + GAIN)
    parameters = replace(
        usual,
        detectors=detectors,
        spillover=spillover,
        events_per_second=about(200.0, 3000.0),
        debris=about(0.02, 0.25),
        monocytes=about(0.02, 0.15),
        granulocytes=about(0.005, 0.15),
        doublets=about(0.02, 0.08),
        cd8_t=between(0.10, 0.45),
        double_negative_t=between(0.02, 0.12),
        cd8_dim_t=about(0.005, 0.08),
        nk_cd8_dim=between(0.2, 0.6),
        cd69_molecules=usual.cd69_molecules * about(0.05, 1.3),
        cd69_sd=between(0.35, 0.7),
        cd69_resting_fraction=about(0.005, 0.05),
        cd3_kept=between(0.25, 0.7),
        blast_fsc=between(1.05, 1.3),
        **{name: getattr(usual, name) * forward for name in _scatters("fsc")},
        **{name: getattr(usual, name) * side for name in _scatters("ssc")},
    )
    return scenario, parameters


def _scatters(axis: str) -> list[str]:
    return [f"{kind}_{axis}" for kind in ("lymphocyte", "monocyte", "granulocyte", "debris")]

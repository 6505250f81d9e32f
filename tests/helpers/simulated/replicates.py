"""Samples with replicate tubes, honest or not: one tube of a sample acquired again, perhaps from other cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cd40l_flow.base.model import Events, Sample, Tube
from cd40l_flow.fcs.panel import borrowed_detectors
from cd40l_flow.fcs.reader import read_events
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.gating.strategy import gate
from cd40l_flow.signal.compensation import compensate
from cd40l_flow.signal.prepare import choose_scales, prepare
from cd40l_flow.simulate import (
    DIALECTS,
    Scenario,
    SimulationParameters,
    fcs_name,
    healthy_control,
    simulate_tube,
    varied,
    write_cohort,
)
from cd40l_flow.simulate.fcs import encode_fcs
from helpers.by_hand.cases import limits
from helpers.runs.cohorts import read_sheet, write_sheet

LIMITS = limits()
# What of a sample is acquired twice, in turn.
AGAIN = (("stimulated", "CD154"), ("stimulated", "isotype"), ("unstimulated", "CD154"))
USUAL = SimulationParameters()
SEED = 3


def add_replicate(
    folder: Path,
    of: Scenario,
    again: Scenario,
    *,
    stimulation: str = "stimulated",
    reagent: str = "CD154",
    number: int = 2,
    cells: str = "",
) -> str:
    """Acquire one tube of a written cohort again, from the cells of ``again``, name it in the sheet, return its name.

    ``cells`` is the stimulation that its cells had in truth, where that is not what the sheet says.
    """
    name = fcs_name(of.sample, stimulation, reagent, number)
    tube = simulate_tube(replace(again, sample=of.sample), cells or stimulation, reagent, SEED, replicate=number)
    content = encode_fcs(tube, reagent, name, USUAL, DIALECTS[of.instrument])
    (folder / "fcs" / name).write_bytes(content)
    rows = read_sheet(folder / "config" / "tubes.tsv")
    first = next(
        row for row in rows if (row["sample"], row["stimulation"], row["reagent"]) == (of.sample, stimulation, reagent)
    )
    write_sheet(folder / "config" / "tubes.tsv", [*rows, {**first, "fcs": name}])
    return name


def with_control(folder: Path, scenario: Scenario) -> Path:
    """Write a cohort of a healthy control and one sample."""
    write_cohort(folder, SEED, cohort=(healthy_control(), scenario))
    return folder


def honest_pair(folder: Path, number: int) -> GatedSample:
    """Return gated sample number ``number`` of an endless series, one of its tubes acquired twice.

    Donor, stain, instrument and settings differ from sample to sample; between the two tubes the number of events
    differs up to tenfold, the dyes by 4 % and the gains by 2 % (standard deviations), and all cells anew.
    """
    rng = np.random.default_rng(number)
    scenario, physics = varied(5, number)

    def events() -> int:
        return int(np.exp(rng.uniform(np.log(2500), np.log(25_000))))

    negative = float(rng.choice([0.1, 0.1, 0.5, 0.99]))
    scenario = replace(
        scenario,
        sample="S1",
        events=events(),
        background_events=4000,
        unstimulated_events=4000,
        negative_fraction=negative,
        expression_level=0.05 if negative > 0.9 else float(rng.choice([1.0, 1.0, 0.3])),
        activated_fraction=max(scenario.activated_fraction, 0.6),
    )
    drifted = replace(
        physics,
        tube_molecules_sd=0.04,
        detectors=tuple(
            replace(one, gain=one.gain * float(np.exp(0.02 * rng.standard_normal()))) for one in physics.detectors
        ),
    )
    again = replace(scenario, events=events(), background_events=events(), unstimulated_events=events())
    stimulation, reagent = AGAIN[number % len(AGAIN)]
    plan = [(scenario, *tube, 1, physics) for tube in (AGAIN[2], AGAIN[0], AGAIN[1])]
    return _gated(folder, [*plan, (again, stimulation, reagent, 2, drifted)])


def _gated(
    folder: Path, plan: Sequence[tuple[Scenario, str, str, int, SimulationParameters]], seed: int = 7
) -> GatedSample:
    events: list[Events] = []
    known: dict[str, Mapping[str, str]] = {}
    for scenario, stimulation, reagent, replicate, physics in plan:
        dialect = DIALECTS[scenario.instrument]
        path = folder / fcs_name(scenario.sample, stimulation, reagent, replicate)
        tube = simulate_tube(scenario, stimulation, reagent, seed, replicate=replicate, parameters=physics)
        path.write_bytes(encode_fcs(tube, reagent, path.name, physics, dialect))
        spillover = "none" if dialect.compensated else "file"
        sheet = Tube(path.name, str(path), stimulation, reagent)
        panel = {"spillover": "none"} if dialect.compensated else {}
        found = read_events(sheet, panel, spillover, borrowed_detectors(reagent, known))
        known.setdefault(reagent, found.markers)
        events.append(compensate(found))
    scales = choose_scales(events, LIMITS.scale, "test")
    sample = Sample("S1", "R1", "test", "M", tuple(one.tube for one in events))
    return gate(sample, [prepare(one, scales) for one in events], scales, [], LIMITS.gating)

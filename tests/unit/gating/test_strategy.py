"""The whole strategy against per-event truth: the assay's cells, and only they, end in the last gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cd40l_flow.assay.cd40l.gates import ACTIVATED, CD3_POSITIVE, CD8_NEGATIVE, CD8_POSITIVE
from cd40l_flow.assay.gating_limits import GatingLimits
from cd40l_flow.base.model import Override
from cd40l_flow.gating.control_gates import ControlGates, combined, control_gates
from cd40l_flow.simulate import Scenario, SimulationParameters
from helpers.simulated.gating_samples import Simulated, gate_events, resampled, shuffled, simulate_sample

PARAMETERS = SimulationParameters()
CONDITIONS = {
    "healthy": (Scenario("S1"), PARAMETERS),
    "half activated": (Scenario("S1", activated_fraction=0.5), PARAMETERS),
    "CD3 almost lost": (Scenario("S1", activated_fraction=0.7), replace(PARAMETERS, cd3_kept=0.12)),
    "many dead": (Scenario("S1", dead=4.0), PARAMETERS),
    "few T cells": (Scenario("S1", t_cells=0.4), PARAMETERS),
    "monocytes and debris": (Scenario("S1"), replace(PARAMETERS, monocytes=0.2, debris=0.25)),
    "dim CD69": (Scenario("S1"), replace(PARAMETERS, cd69_molecules=12_000.0)),
    "CD154 absent": (Scenario("S1", negative_fraction=1.0), PARAMETERS),
}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return simulate_sample(tmp_path_factory.mktemp("healthy"), Scenario("S1"), 21)


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_gated_cells_are_the_true_ones(name: str, tmp_path: Path) -> None:
    scenario, parameters = CONDITIONS[name]
    simulated = simulate_sample(tmp_path, scenario, 22, parameters)

    gated = gate_events(simulated.sample, simulated.events)

    for tube, truth in list(zip(gated.tubes, simulated.truth, strict=True))[1:]:
        mask = tube.mask(ACTIVATED)
        found = np.count_nonzero(mask & truth)
        assert 2 * found / (mask.sum() + truth.sum()) > 0.95
        assert mask.sum() / truth.sum() == pytest.approx(1, abs=0.05)


def test_populations_are_nested_and_counted(healthy: Simulated) -> None:
    gated = gate_events(healthy.sample, healthy.events)

    for tube in gated.tubes:
        for population in tube.populations:
            inside, parent = tube.mask(population.population), tube.mask(population.parent)
            assert not np.any(inside & ~parent)
            assert population.count == inside.sum()
            assert population.percent_of_parent == pytest.approx(100 * inside.sum() / parent.sum())
        both = tube.mask(CD8_NEGATIVE) ^ tube.mask(CD8_POSITIVE)
        np.testing.assert_array_equal(both, tube.mask(CD3_POSITIVE))


def test_the_order_of_events_does_not_matter(healthy: Simulated) -> None:
    plain = gate_events(healthy.sample, healthy.events)
    mixed = gate_events(healthy.sample, [shuffled(events, 5) for events in healthy.events])

    assert [tube.populations for tube in mixed.tubes] == [tube.populations for tube in plain.tubes]


def test_more_debris_does_not_move_the_gate(healthy: Simulated, tmp_path: Path) -> None:
    events = healthy.events[1]
    debris = events.values[events.column("FSC-A") < np.quantile(events.column("FSC-A"), 0.03)]
    added = np.vstack([events.values, np.repeat(debris, 4, axis=0)])
    more = replace(events, values=added, time=None)

    plain = gate_events(healthy.sample, healthy.events).tubes[1].count(ACTIVATED)
    dirty = gate_events(healthy.sample, [healthy.events[0], more, healthy.events[2]]).tubes[1].count(ACTIVATED)

    assert dirty == pytest.approx(plain, rel=0.01)


def test_an_override_for_one_tube_replaces_one_boundary_and_keeps_the_found_one(healthy: Simulated) -> None:
    name = healthy.sample.tubes[1].fcs
    override = Override(healthy.sample.sample, name, "cd69_low", 5000.0, "AB", "moved by eye")

    plain = gate_events(healthy.sample, healthy.events)
    gated = gate_events(healthy.sample, healthy.events, [override])

    moved, found = gated.tubes[1].boundary("cd69_low"), plain.tubes[1].boundary("cd69_low")
    assert moved is not None
    assert found is not None
    assert (moved.value, moved.automatic, moved.by, moved.reason) == (5000.0, found.value, "AB", "moved by eye")
    expected = gated.tubes[1].mask(CD8_NEGATIVE) & (gated.tubes[1].signal.linear("CD69") > 5000.0)
    np.testing.assert_array_equal(gated.tubes[1].mask(ACTIVATED), expected)
    assert gated.tubes[0].populations == plain.tubes[0].populations


def test_every_gate_can_be_overridden(healthy: Simulated) -> None:
    values = {
        "cd3_low": 900.0,
        "cd8_high": 800.0,
        "cd69_low": 1200.0,
        "viability_high": 3000.0,
        "lymph_fsc_low": 30_000.0,
        "lymph_fsc_high": 150_000.0,
        "lymph_ssc_low": 2000.0,
        "lymph_ssc_high": 60_000.0,
        "singlet_low": 0.9,
        "singlet_high": 1.6,
        "time_low": 1.0,
        "time_high": 12.0,
    }
    overrides = [Override("S1", "", gate, value, "AB", "test") for gate, value in values.items()]

    gated = gate_events(healthy.sample, healthy.events, overrides)

    for tube in gated.tubes:
        assert {boundary.gate: boundary.value for boundary in tube.boundaries if boundary.overridden} == values
        signal = tube.signal
        time, fsc, ssc = signal.events.time, signal.detector("FSC-A"), signal.detector("SSC-A")
        assert time is not None
        ratio = fsc / signal.detector("FSC-H")
        expected = signal.acquisition.keep & (time >= 1) & (time <= 12) & (fsc >= 30_000) & (fsc <= 150_000)
        expected &= (ssc >= 2000) & (ssc <= 60_000) & (ratio >= 0.9) & (ratio <= 1.6)
        expected &= signal.linear("viability") <= 3000
        expected &= (signal.linear("CD3") > 900) & (signal.linear("CD8") <= 800) & (signal.linear("CD69") > 1200)
        np.testing.assert_array_equal(tube.mask(ACTIVATED), expected)


def test_a_sample_without_t_cells_has_no_gate_and_says_so(healthy: Simulated) -> None:
    bare = [replace(events, values=events.values[:40], time=None) for events in healthy.events]

    gated = gate_events(healthy.sample, bare)

    assert all(ACTIVATED not in tube.indices for tube in gated.tubes)
    assert gated.flags


def test_few_singlets_viable_or_cd3_positive_cells_are_warned_of(healthy: Simulated) -> None:
    """Whatever the percents of this sample are, limits above them warn of every tube and limits below of none."""
    keys = ("singlets_warn_percent", "viable_warn_percent", "cd3_warn_percent")

    strict = gate_events(healthy.sample, healthy.events, limits=GatingLimits(**dict.fromkeys(keys, 100.0)))
    usual = gate_events(healthy.sample, healthy.events)

    told = [flag for flag in strict.flags if flag.startswith("fewer ")]
    assert [flag.partition(":")[0] for flag in told] == [
        "fewer singlets than 100 % of lymphocytes",
        "fewer viable than 100 % of singlets",
        "fewer CD3+ than 100 % of lymphocytes",
    ]
    assert all(tube.fcs in flag for tube in healthy.sample.tubes for flag in told)
    assert not [flag for flag in usual.flags if flag.startswith("fewer ")]


def test_a_control_gives_its_boundaries_to_samples_that_have_too_few_cells(healthy: Simulated) -> None:
    control = gate_events(healthy.sample, healthy.events)
    given = combined([control_gates(control)])
    few = [replace(events, values=events.values[:60], time=None) for events in healthy.events]

    gated = gate_events(healthy.sample, few, control_gates_of_run=given)

    for name in ("viability_high", "cd3_low", "cd8_high", "cd69_low"):
        mine, theirs = gated.tubes[1].boundary(name), control.tubes[1].boundary(name)
        assert mine is not None
        assert theirs is not None
        assert mine.method == "the control's boundary", name
        assert mine.scaled == pytest.approx(theirs.scaled), name
        assert "the control's boundary is used" in mine.flag


def test_several_controls_give_the_mean_of_what_they_share(healthy: Simulated) -> None:
    one = control_gates(gate_events(healthy.sample, healthy.events))
    moved = {name: replace(gate, scaled=gate.scaled + 0.1) for name, gate in one.boundaries.items()}
    elsewhere = {name: replace(gate, detector="other") for name, gate in moved.items()}

    together = combined([one, ControlGates(moved)])
    apart = combined([one, ControlGates(elsewhere)])

    for name in ("cd3_low", "cd8_high", "cd69_low"):
        assert together.boundaries[name].scaled == pytest.approx(one.boundaries[name].scaled + 0.05)
        assert apart.boundaries[name] == one.boundaries[name], "a boundary on another detector says nothing of this one"
    assert together.polygon == one.polygon
    assert combined([]) == ControlGates()


@pytest.mark.parametrize("seed", range(4))
def test_events_drawn_again_move_no_boundary_by_more_than_two_percent_of_the_scale(
    healthy: Simulated, seed: int
) -> None:
    drawn = [resampled(events, 10 * seed + at) for at, events in enumerate(healthy.events)]

    plain, again = (gate_events(healthy.sample, events) for events in (healthy.events, drawn))

    for one, other in zip(plain.tubes, again.tubes, strict=True):
        assert [boundary.gate for boundary in one.boundaries] == [boundary.gate for boundary in other.boundaries]
        moves = {
            mine.gate: abs(mine.scaled - theirs.scaled)
            for mine, theirs in zip(one.boundaries, other.boundaries, strict=True)
        }
        assert max(moves.values()) <= 0.02, moves

"""Compensation undoes spillover; acquisition QC cuts what went wrong and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import flowutils
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd40l_flow.base.model import Events, Spillover
from cd40l_flow.signal.acquisition import at_the_top, steady_intervals
from cd40l_flow.signal.compensation import compensate
from cd40l_flow.signal.prepare import choose_scales, prepare, shared_scales
from cd40l_flow.simulate import Fault, Scenario, SimulationParameters
from helpers.simulated.gating_samples import SCALE_LIMITS, Simulated, simulate_sample


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return simulate_sample(tmp_path_factory.mktemp("healthy"), Scenario("S1"), 11)


def with_values(events: Events, values: np.ndarray, matrix: np.ndarray) -> Events:
    spillover = events.spillover
    assert spillover is not None
    return replace(events, values=values, spillover=Spillover(spillover.detectors, matrix, "test"))


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_compensation_undoes_any_spillover(healthy: Simulated, seed: int) -> None:
    random = np.random.default_rng(seed)
    events = healthy.events[0]
    assert events.spillover is not None
    size = len(events.spillover.detectors)
    columns = [events.names.index(name) for name in events.spillover.detectors]
    matrix = np.eye(size) + np.where(np.eye(size) == 1, 0, random.uniform(-0.01, 0.15, (size, size)))
    dyes = random.normal(100, 1000, (200, len(events.names)))
    seen = dyes.copy()
    seen[:, columns] = dyes[:, columns] @ matrix

    found = compensate(with_values(events, seen, matrix))

    for name in found.names:
        np.testing.assert_allclose(found.column(name), dyes[:, events.names.index(name)], rtol=1e-6, atol=1e-3)


def test_flowutils_compensates_the_same(healthy: Simulated) -> None:
    events = healthy.events[1]
    assert events.spillover is not None
    columns = [events.names.index(name) for name in events.spillover.detectors]

    theirs = flowutils.compensate.compensate(events.values, events.spillover.matrix, columns)

    found = compensate(events)
    assert set(events.markers.values()) < set(found.names)
    for name in found.names:
        np.testing.assert_allclose(found.column(name), theirs[:, events.names.index(name)], rtol=1e-6, atol=1e-2)


def test_compensation_in_the_place_of_the_values_is_the_same(healthy: Simulated) -> None:
    events = healthy.events[1]
    theirs = compensate(events)
    mine = compensate(replace(events, values=np.array(events.values, dtype=np.float32, order="F")), reuse=True)

    assert (mine.names, mine.top_percent) == (theirs.names, theirs.top_percent)
    np.testing.assert_array_equal(mine.values, theirs.values)


def test_values_declared_compensated_stay_as_they_are(healthy: Simulated) -> None:
    events = replace(healthy.events[0], spillover=None)

    found = compensate(events)
    for name in found.names:
        np.testing.assert_array_equal(found.column(name), events.column(name))


def test_a_compensated_tube_is_not_compensated_again(healthy: Simulated) -> None:
    once = compensate(healthy.events[1])

    assert compensate(once) is once
    assert prepare(once, choose_scales([once], SCALE_LIMITS, "test")).events is once


def test_a_steady_acquisition_loses_nothing(healthy: Simulated) -> None:
    scales = choose_scales(healthy.events, SCALE_LIMITS, "test")

    assert [prepare(events, scales).acquisition.removed_percent for events in healthy.events] == [0.0, 0.0, 0.0]


def test_a_clog_is_cut_and_little_else(tmp_path: Path) -> None:
    clogged = simulate_sample(tmp_path, Scenario("S1", faults=(Fault("clog"),)), 11)
    scales = choose_scales(clogged.events, SCALE_LIMITS, "test")

    acquisition = prepare(clogged.events[1], scales).acquisition

    parameters = SimulationParameters()
    events = clogged.events[1].values.shape[0]
    bad = np.zeros(events, dtype=bool)
    bad[int(parameters.clog_start * events) : int(parameters.clog_end * events)] = True
    assert np.mean(acquisition.keep[bad]) < 0.05
    assert np.mean(acquisition.keep[~bad]) > 0.95


@pytest.mark.parametrize("seed", range(20))
def test_pure_noise_is_not_cut(seed: int) -> None:
    random = np.random.default_rng(seed)
    signals = {
        "unimodal": random.normal(0.5, 0.1, 20_000),
        "bimodal": np.where(random.random(20_000) < 0.5, 0.2, 0.8),
    }

    assert steady_intervals(np.sort(random.uniform(0, 60, 20_000)), signals).steady.all()


def test_a_shift_of_the_signal_is_cut_wherever_it_lies_and_in_any_order() -> None:
    random = np.random.default_rng(5)
    time = np.sort(random.uniform(0, 60, 20_000))
    bad = (time > 20) & (time < 26)
    signal = random.normal(0.5, 0.1, time.size) - 0.2 * bad

    keep = steady_intervals(time, {"signal": signal}).steady
    order = random.permutation(time.size)

    assert np.mean(keep[bad]) < 0.01
    assert np.mean(keep[~bad]) > 0.99
    np.testing.assert_array_equal(steady_intervals(time[order], {"signal": signal[order]}).steady, keep[order])


def test_the_top_is_the_range_or_where_values_pile_up() -> None:
    values = np.concatenate((np.linspace(1, 900, 5000), np.full(50, 1023.0)))

    assert at_the_top(values, 262144.0).sum() == 50
    assert at_the_top(np.linspace(1, 900, 5000), 262144.0).sum() == 0
    assert at_the_top(np.array([1.0, 262143.0]), 262143.0).sum() == 1


def test_scales_of_several_controls_do_not_depend_on_their_order(healthy: Simulated, tmp_path: Path) -> None:
    other = simulate_sample(tmp_path, Scenario("S2"), 12)
    one, two = (choose_scales(sample.events, SCALE_LIMITS, "test") for sample in (healthy, other))

    assert shared_scales([one, two]) == shared_scales([two, one])
    assert all(shared_scales([one, two])[name].w >= one[name].w for name in one)

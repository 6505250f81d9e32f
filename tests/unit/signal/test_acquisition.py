"""What acquisition QC cuts, and what it leaves: clogs, drift, jumps of gain, stops, bubbles, and clean files."""

from __future__ import annotations

import numpy as np
import pytest

from cd40l_flow.assay.gating_limits import AcquisitionLimits
from cd40l_flow.base.model import Floats
from cd40l_flow.signal.acquisition import Acquisition, steady_intervals
from cd40l_flow.signal.flow_rate import flow_rate
from cd40l_flow.signal.ranks import rank
from helpers.simulated.acquisitions import record

# Seed, events, stimulation, where the clog begins and ends, what is left of the flow.
CLOGS = [
    (1, 4_000, "stimulated", (0.50, 0.53), 0.3),
    (2, 20_000, "unstimulated", (0.10, 0.13), 1.0),
    (3, 3_000, "unstimulated", (0.00, 0.05), 3.0),
    (4, 8_000, "stimulated", (0.96, 1.00), 0.3),
    (5, 15_000, "stimulated", (0.30, 0.70), 0.3),
    (6, 50_000, "unstimulated", (0.60, 1.00), 1.0),
    (7, 30_000, "stimulated", (0.33, 0.45), 0.1),
]


@pytest.mark.parametrize(("seed", "events", "stimulation", "clog", "rate"), CLOGS)
def test_a_clog_is_cut_to_its_edges(
    seed: int, events: int, stimulation: str, clog: tuple[float, float], rate: float
) -> None:
    made = record(seed, events, stimulation=stimulation, clog=clog, rate=rate)

    found = steady_intervals(made.time, made.signals, made.target)

    assert np.mean(~found.steady[made.bad]) >= 0.95
    assert np.mean(~found.steady[~made.bad]) <= 0.01
    (stretch,) = [one for one in found.stretches if one.shifts]
    assert stretch.shifts["FSC"] < -15


@pytest.mark.parametrize("seed", range(8))
def test_a_clean_file_loses_nothing(seed: int) -> None:
    events = (1_200, 3_000, 9_000, 40_000)[seed % 4]
    made = record(100 + seed, events, stimulation=("stimulated", "unstimulated")[seed % 2])

    found = steady_intervals(made.time, made.signals, made.target)

    assert found.steady.all()
    assert (found.stretches, found.drifts) == ((), {})
    assert found.flow is not None
    assert (found.flow.stops, found.flow.bursts) == ((), ())
    assert found.flow.median == pytest.approx(220, rel=0.1)


def test_two_clogs_are_distinguished() -> None:
    def second(values: Floats, names: tuple[str, ...]) -> None:
        values[14_000:15_000, :-1] *= 0.5

    made = record(9, 20_000, clog=(0.2, 0.25), spoil=second)
    made.bad[14_000:15_000] = True

    found = steady_intervals(made.time, made.signals, made.target)

    assert len(found.stretches) == 2
    # Whole ticks of the clock are cut: what is reported in seconds is the cut.
    np.testing.assert_array_equal(found.steady, ~np.isin(made.time, made.time[made.bad]))
    told = [(made.time >= one.start) & (made.time <= one.end) for one in found.stretches]
    np.testing.assert_array_equal(~found.steady, told[0] | told[1])
    assert sum(one.events for one in found.stretches) == np.count_nonzero(~found.steady)


@pytest.mark.parametrize("from_event", [6_000, 14_000])
def test_after_a_jump_of_gain_the_larger_part_is_kept(from_event: int) -> None:
    def jump(values: Floats, names: tuple[str, ...]) -> None:
        values[from_event:, names.index("APC-A")] *= 0.5

    made = record(10, 20_000, spoil=jump)
    smaller = np.arange(20_000) >= from_event if from_event > 10_000 else np.arange(20_000) < from_event

    found = steady_intervals(made.time, made.signals, made.target)

    assert np.mean(found.steady[smaller]) < 0.01
    assert np.mean(found.steady[~smaller]) > 0.99


def test_slow_drift_is_reported_and_cut_only_beyond_the_limit() -> None:
    def drift(by: float) -> dict[str, float]:
        def spoil(values: Floats, names: tuple[str, ...]) -> None:
            values[:, 3:-1] *= (1 - by * np.linspace(0, 1, len(values)))[:, None]

        made = record(5, 20_000, spoil=spoil)
        found = steady_intervals(made.time, made.signals, made.target)
        removed.append(float(np.mean(~found.steady)))
        return dict(found.drifts)

    removed: list[float] = []
    assert drift(0.02) == {}
    assert drift(0.25)["viability"] < -10
    assert drift(0.6)
    assert removed[:2] == [0.0, 0.0]
    assert 0.1 < removed[2] < 0.6


def test_the_target_is_watched_and_decides_nothing() -> None:
    def fade(values: Floats, names: tuple[str, ...]) -> None:
        values[10_000:, names.index("PE-A")] *= 0.3

    made = record(5, 20_000, spoil=fade)

    found = steady_intervals(made.time, made.signals, made.target)

    assert found.steady.all()
    assert abs(found.drifts["target"]) > 20


def test_a_stop_is_reported_and_costs_nothing() -> None:
    def stop(values: Floats, names: tuple[str, ...]) -> None:
        values[8_000:, -1] += 300

    made = record(5, 20_000, spoil=stop)

    found = steady_intervals(made.time, made.signals, made.target)

    assert found.steady.all()
    assert found.flow is not None
    ((begin, end),) = found.flow.stops
    assert end - begin == pytest.approx(3.0, abs=0.1)


def test_a_bubble_is_cut_though_its_cells_look_well() -> None:
    """A burst of two hundred events within a tenth of a second, drawn from the tube's own."""
    made = record(5, 20_000)
    random = np.random.default_rng(1)
    copied = random.integers(0, 20_000, 200)
    time = np.concatenate((made.time, made.time[9_000] + np.linspace(0, 0.1, 200)))
    signals = {name: np.concatenate((values, values[copied])) for name, values in made.signals.items()}

    found = steady_intervals(time, signals)

    assert np.mean(~found.steady[20_000:]) > 0.95
    assert np.mean(~found.steady[:20_000]) < 0.005


def test_another_speed_of_the_instrument_is_no_burst() -> None:
    random = np.random.default_rng(3)
    time = np.cumsum(random.exponential(np.repeat([0.002, 0.005], 10_000)))

    assert flow_rate(time, 3.0, 1.0).bursts == ()


def test_a_coarse_clock_makes_no_rhythm() -> None:
    made = record(5, 20_000)

    found = flow_rate(np.floor(made.time), 3.0, 1.0)

    assert (found.stops, found.bursts, found.slow_percent) == ((), (), 0.0)


def test_too_few_events_are_not_judged() -> None:
    found = steady_intervals(np.arange(200.0), {"FSC": np.repeat([0.0, 1.0], 100)})

    assert found.steady.all()
    assert found.flow is None


def test_percentiles_keep_the_order_and_are_even() -> None:
    values = np.random.default_rng(4).lognormal(8, 1, 50_000)

    found = rank(values)

    assert found is not None
    percentiles = found.points[found.levels]
    assert np.all(np.diff(percentiles[np.argsort(values)]) >= 0)
    assert percentiles.mean() == pytest.approx(50, abs=0.1)
    assert percentiles.std() == pytest.approx(found.spread)
    assert rank(np.full(500, 3.0)) is None


def test_without_the_cut_only_the_margins_are_left_out() -> None:
    made = record(5, 6_000, clog=(0.4, 0.6))
    time_qc = steady_intervals(made.time, made.signals)
    in_range = np.arange(6_000) % 100 != 0
    cut = Acquisition(time_qc.steady & in_range, in_range, 20.0, 0.1, "", time_qc)

    uncut = cut.without_time_qc()

    np.testing.assert_array_equal(uncut.keep, in_range)
    assert (uncut.removed_percent, uncut.margin_percent) == (0.0, 0.1)
    assert uncut.time_qc.stretches == ()


def test_the_limit_decides() -> None:
    made = record(5, 20_000, clog=(0.4, 0.5))

    lax = steady_intervals(made.time, made.signals, None, AcquisitionLimits(shift_points=50.0))

    assert lax.steady.all()

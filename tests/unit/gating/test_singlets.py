"""The band of single cells, in SD of its peak; events without a ratio; too few."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from cd40l_flow.base.model import Floats, Singles
from cd40l_flow.gating.singlets import find_singlets, singlet_ratio
from helpers.by_hand.tubes import signal

EVENTS = 20_000


def normal(middle: float, sd: float, events: int = EVENTS) -> Singles:
    """Return values of a normal population at its quantiles: no chance."""
    values: Floats = middle + sd * ndtri((np.arange(events) + 0.5) / events)
    return values.astype(np.float32)


def band(ratio: Singles) -> tuple[float, float]:
    low, high = find_singlets(ratio)
    assert low.position is not None and high.position is not None
    return low.position, high.position


@pytest.mark.parametrize(("middle", "sd"), [(1.2, 0.03), (60.0, 4.0), (3e5, 1e4)])
def test_the_band_reaches_from_four_sd_below_the_peak_to_three_above(middle: float, sd: float) -> None:
    """Of a ratio or of a width in channels; doublets above do not widen it, debris below hardly."""
    low, high = band(normal(middle, sd))
    assert low == pytest.approx(middle - 4 * sd, abs=0.12 * sd) and high == pytest.approx(middle + 3 * sd, abs=0.1 * sd)
    doublets = np.concatenate((normal(middle, sd), normal(1.6 * middle, sd, 4000)))
    debris = np.concatenate((normal(middle, sd), normal(middle - 12 * sd, sd, 60)))
    for other, wider in ((doublets, 0.1), (debris, 0.15)):
        ends = band(other)
        assert ends[0] == pytest.approx(low, abs=4 * wider * sd) and ends[1] == pytest.approx(high, abs=3 * wider * sd)


def test_what_the_band_was_looked_for_in_spans_three_times_the_lower_half() -> None:
    """From the lowest half percent of the events to the median, and three times as far beyond, as 0 to 1."""
    found = find_singlets(normal(1.2, 0.03))[0].evidence
    assert found is not None and found.allowed == (0.0, 1.0) and found.side == "inside"
    least, median = 1.2 + 0.03 * ndtri(0.005), 1.2
    assert found.origin == pytest.approx(least, abs=1e-3)
    assert found.unit == pytest.approx(4 * (median - least), rel=0.01)
    assert found.origin + found.unit * found.modes[0] == pytest.approx(1.2, abs=2e-3)


def test_a_peak_of_doublets_beyond_that_is_not_the_band() -> None:
    """Here doublets are a narrower, higher peak, a third less than half of the events."""
    low, high = band(np.concatenate((normal(1.0, 0.1, 12_000), normal(2.2, 0.002, 8000))))
    assert 0.5 < low < 0.75 and 1.15 < high < 1.45


@pytest.mark.parametrize(("events", "drawn"), [(50, True), (49, False)])
def test_fifty_lymphocytes_have_a_band(events: int, drawn: bool) -> None:
    """Those without a ratio do not count."""
    ratio = np.concatenate((normal(1.2, 0.03, events), np.float32([np.nan, np.inf, -1.0, 0.0, 0.0])))
    low, high = find_singlets(ratio)
    assert (low.position is not None) is (high.position is not None) is drawn
    assert drawn or low.flag == high.flag == "too few lymphocytes for a singlet gate"


def test_small_positive_ratios_count_and_zero_and_negative_ones_do_not() -> None:
    """Some files write area and height in units of their own."""
    ratio = normal(0.6, 0.02)
    zeros = np.concatenate((ratio, np.zeros(9000, dtype=np.float32), np.full(9000, -0.6, dtype=np.float32)))
    assert band(zeros) == band(ratio)
    assert band(ratio)[0] == pytest.approx(0.52, abs=0.005)


@pytest.mark.parametrize("value", [1.0, 1e-9, 3e5])
def test_ratios_that_are_all_alike_are_all_single_cells(value: float) -> None:
    """The scale has no width then, but a little all the same."""
    low, high = band(np.full(500, value, dtype=np.float32))
    assert low <= float(np.float32(value)) * (1 + 1e-6) and high >= 0.999 * value
    assert high - low < 0.01 * value + 1e-9


def test_events_without_height_have_no_ratio() -> None:
    """A height of half a channel is one; zero and less is none."""
    area, height = np.array([600.0, 600.0, 600.0, 1.0]), np.array([500.0, 0.0, -5.0, 0.5])
    one = signal({"CD3": np.full(4, 0.5)}, scatter={"FSC": area, "FSC-H": height, "FSC-W": area / 10})
    ratio = singlet_ratio(one, np.arange(4))
    assert ratio is not None and ratio[[0, 3]].tolist() == pytest.approx([1.2, 2.0])
    assert np.isnan(ratio[1:3]).all()
    few = singlet_ratio(one, np.array([0, 3]))
    assert few is not None and few.tolist() == pytest.approx([1.2, 2.0])


def test_without_height_the_width_is_taken_and_without_both_nothing() -> None:
    scatter = {"FSC": np.full(3, 600.0), "FSC-W": np.array([60.0, 61.0, 62.0])}
    width = singlet_ratio(signal({"CD3": np.full(3, 0.5)}, scatter=scatter), np.array([0, 2]))
    assert width is not None and width.tolist() == [60.0, 62.0]
    alone = singlet_ratio(
        signal({"CD3": np.full(3, 0.5)}, scatter={"FSC-H": np.full(3, 500.0)} | scatter), np.arange(3)
    )
    assert alone is not None and alone.tolist() == pytest.approx([1.2] * 3)
    height_only = signal({"CD3": np.full(3, 0.5)}, scatter={"FSC-H": np.full(3, 500.0)})
    assert singlet_ratio(height_only, np.arange(3)) is None
    assert singlet_ratio(signal({"CD3": np.full(3, 0.5)}, scatter={"FSC": np.full(3, 6.0)}), np.arange(3)) is None

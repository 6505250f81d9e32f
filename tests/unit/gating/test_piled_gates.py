"""A pile at a detector's end is no peak, no valley, no boundary: gates on clipped values beside those on the whole."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cd40l_flow.base.model import Floats
from cd40l_flow.gating import cd69, thresholds
from cd40l_flow.gating.density import Density, Ends, counted, density, density_of, find_valleys
from cd40l_flow.signal.scale import Scale, robust_sd

SCALE = Scale(t=10_000.0, w=0.5, m=4.5, a=0.0, source="test")
SEEDS = range(100, 106)


def cells(seed: int, *parts: tuple[float, float, int]) -> Floats:
    """Return linear values of log-normal populations (median, log SD, cells) with the noise of the electronics."""
    rng = np.random.default_rng(seed)
    light = np.concatenate([median * np.exp(sd * rng.standard_normal(count)) for median, sd, count in parts])
    return np.asarray(light + 1.5 * rng.standard_normal(light.size), dtype=np.float64)


def clipped(values: Floats, floor: float | None, top: float | None = None) -> Density:
    """Return the density of values written by a detector with these ends, channels."""
    scaled = SCALE.singles(np.clip(values, floor, top).astype(np.float32))
    low, high = (None if end is None else float(SCALE.singles(np.float32([end]))[0]) for end in (floor, top))
    return density_of(counted(scaled), ends=Ends(low, high, SCALE))


def whole(values: Floats) -> Density:
    return density(SCALE.singles(values.astype(np.float32)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("floor", [0.0, 1.0, 3.0])
def test_a_clipped_background_has_one_mode_and_one_valley(seed: int, floor: float) -> None:
    values = cells(seed, (2.0, 0.5, 6000), (300.0, 0.4, 3000))
    found, known = clipped(values, floor), whole(values)
    assert np.mean(values <= floor) > 0.04
    valleys = find_valleys(found, 0.0, 0.95)
    assert len(valleys) == 1
    assert valleys[0].position == pytest.approx(find_valleys(known, 0.0, 0.95)[0].position, abs=0.06)
    # What is seen is counted as it was.
    for place in (0.25, 0.4, 0.6):
        assert found.below(place) == pytest.approx(known.below(place), abs=0.002)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_but_the_pile_below_is_a_population_still(seed: int) -> None:
    """Where all negative cells lie in the pile the valley parts them from the positive ones."""
    values = np.concatenate([np.full(4000, 0.2), cells(seed, (400.0, 0.3, 2000))])
    curve = clipped(values, 1.0)
    found = thresholds.find_cd8(curve)
    assert found.position is not None
    assert SCALE.to_scaled(1.0) < found.position < SCALE.to_scaled(200.0)
    assert curve.below(found.position) == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_viability_keeps_the_pile(seed: int, share: float) -> None:
    """A floor above so many of the live cells leaves them live, and the boundary before the dead ones."""
    values = cells(seed, (12.0, 0.45, 9000), (1500.0, 0.5, 600))
    floor = float(np.quantile(values[:9000], share))
    found = thresholds.find_viability(clipped(values, floor))
    assert found.position is not None
    kept = SCALE.forward(np.maximum(values, floor)) <= found.position
    assert kept[:9000].mean() > 0.98
    assert kept[9000:].mean() < 0.02


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("piled", [0.01, 0.03, 0.06])
@pytest.mark.parametrize("dead", [0, 400])
def test_a_few_piled_up_cells_are_no_live_peak(seed: int, piled: float, dead: int) -> None:
    """On ten bits a deep valley parted 2 % from the live cells, which all counted as dead."""
    values = cells(seed, (20.0, 0.5, 9000), (3000.0, 0.4, dead))
    values[: round(9000 * piled)] = 0.5
    found = thresholds.find_viability(clipped(values, 1.0))
    assert found.position is not None
    kept = SCALE.forward(np.maximum(values, 1.0)) <= found.position
    assert kept[:9000].mean() > 0.98
    assert kept[9000:].sum() < 0.02 * max(dead, 1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("dead", "level"), [(0, 8.0), (300, 20.0), (300, 70.0)])
def test_live_cells_that_one_tube_piles_up_and_another_does_not_are_kept(seed: int, dead: int, level: float) -> None:
    """Without dead cells, cells far above the pile might be dead: there only the tail of the pile is kept."""
    piled = cells(seed, (2.0, 0.6, 9000), (4000.0, 0.3, dead))
    seen = cells(seed + 50, (level, 0.5, 5000), (4000.0, 0.3, dead))
    tubes = [clipped(values, 10.0) for values in (piled, seen)]
    found = thresholds.find_viability(clipped(np.concatenate([piled, seen]), 10.0), tubes)
    assert found.position is not None
    for values, live in ((piled, 9000), (seen, 5000)):
        kept = SCALE.forward(np.maximum(values, 10.0)) <= found.position
        assert kept[:live].mean() > 0.98
        assert kept[live:].sum() < 0.02 * max(dead, 1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_cd8_negative_cells_that_one_tube_piles_up_and_another_does_not_are_kept(seed: int, share: float) -> None:
    """With half of the cells in a pile, the two tubes look like two populations of CD8- cells."""
    piled = cells(seed, (2.0, 0.5, 8000), (4000.0, 0.3, 3000))
    seen = cells(seed + 50, (40.0, 0.5, 8000), (4000.0, 0.3, 3000))
    floor = float(np.quantile(seen[:8000], share))
    tubes = [clipped(values, floor) for values in (piled, seen)]
    found = thresholds.find_cd8(clipped(np.concatenate([piled, seen]), floor), tubes)
    assert found.position is not None
    for values in (piled, seen):
        negative = SCALE.forward(np.maximum(values, floor)) <= found.position
        assert negative[:8000].mean() > 0.96
        assert negative[8000:].mean() < 0.01


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("floor", [1.0, 4.0])
def test_cd8_ends_where_it_ends_unclipped(seed: int, floor: float) -> None:
    """The foot of a peak that is cut off is told from what is left of it, CD8-dim cells beside it or not."""
    values = cells(seed, (2.0, 0.4, 8000), (60.0, 0.5, 400), (2000.0, 0.3, 3000))
    found, known = (thresholds.find_cd8(curve).position for curve in (clipped(values, floor), whole(values)))
    assert found is not None
    assert known is not None
    negative, dim = SCALE.forward(values[:8000]), SCALE.forward(values[8000:8400])
    assert np.mean(negative <= found) > 0.98
    assert np.mean(dim <= found) < 0.25
    assert found == pytest.approx(known, abs=0.09)


@pytest.mark.parametrize("seed", SEEDS)
def test_cd69_that_stimulation_added(seed: int) -> None:
    """The pile of the unstimulated tube may be the larger one: only what is seen is compared."""
    resting = cells(seed, (1.0, 0.5, 4000), (60.0, 0.5, 80))
    active = cells(seed + 50, (3.0, 0.5, 1500), (250.0, 0.5, 4500))
    found = cd69.find_cd69(clipped(resting, 2.0), clipped(active, 2.0), SCALE, 2.0)
    assert found.position is not None
    above = SCALE.forward(active) > found.position
    assert above[1500:].mean() > 0.97
    assert above[:1500].mean() < 0.03


def test_no_boundary_lies_in_or_beyond_the_pile() -> None:
    curve = clipped(cells(3, (1.0, 0.3, 3000)), 2.0)
    low = SCALE.to_scaled(2.0)
    for found in (thresholds.find_viability(curve), thresholds.find_cd8(curve)):
        assert found.position is not None
        assert found.position > low
    assert curve.seen(-0.1) > low


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pile_at_the_top_is_the_end_of_its_population(seed: int) -> None:
    values = cells(seed, (2.0, 0.4, 3000), (800.0, 0.35, 4000))
    top = float(np.quantile(values, 0.8))
    curve = clipped(values, None, top)
    valleys = find_valleys(curve, 0.0, 0.95)
    assert len(valleys) == 1
    assert curve.below(valleys[0].position) == pytest.approx(3 / 7, abs=0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_cd3_negative_cells_that_rise_from_a_pile(seed: int) -> None:
    """Dead cells above the pile are in the unstimulated tube as well; cells that lost CD3 on activation are not."""
    piled, dead, dim, bright = (0.0, 0.1, 3000), (25.0, 0.5, 900), (60.0, 0.3, 3000), (900.0, 0.3, 4000)
    unstimulated = clipped(cells(seed, piled, dead, (900.0, 0.3, 7000)), 1.0)
    found = thresholds.find_cd3(clipped(cells(seed + 50, piled, dead, bright), 1.0), SCALE, unstimulated)
    assert found.position is not None
    assert SCALE.to_scaled(60.0) < found.position < SCALE.to_scaled(500.0)
    lost = thresholds.find_cd3(clipped(cells(seed + 50, piled, dim, bright), 1.0), SCALE, unstimulated)
    assert lost.position is not None
    assert lost.position < SCALE.to_scaled(35.0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.7])
def test_spread_of_what_is_left(share: float) -> None:
    values = np.random.default_rng(11).normal(0.0, 20.0, 400_000)
    floor = float(np.quantile(values, share)) if share else -1e9
    assert robust_sd(np.maximum(values, floor), floor) == pytest.approx(20.0, rel=0.05)
    assert math.isnan(robust_sd(np.maximum(values, 40.0), 40.0))


@pytest.mark.parametrize("seed", SEEDS)
def test_viability_smeared_from_live_to_dead(seed: int) -> None:
    """Cells dying by degrees fill the valley, a few dead ones pile at the top: the live peak's foot is the boundary."""
    rng = np.random.default_rng(seed)
    live = rng.normal(0.25, 0.06, 9000)
    dying = rng.uniform(0.35, 0.72, 2200)
    values = np.concatenate([live, dying, rng.normal(0.9, 0.02, 150)])
    found = thresholds.find_viability(density(values))
    assert found.position is not None
    assert 0.38 < found.position < 0.62
    assert "not separated" in found.flag
    assert np.mean(live <= found.position) > 0.98
    # Parted as usual, the valley holds and nothing is said.
    usual = thresholds.find_viability(density(np.concatenate([live, rng.normal(0.8, 0.05, 1500)])))
    assert (usual.method, usual.flag) == ("valley", "")

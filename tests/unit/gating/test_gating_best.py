"""The best F1 of the gating benchmark is one that thresholds reach, and no thresholds of a fine grid reach more."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from benchmarks.gating.best import Side, best_f1, search
from benchmarks.gating.samples import activated, cohort, f1, gated, tube_of

from cd40l_flow.simulate import varied

SEED = 5


def test_search_finds_what_a_grid_finds() -> None:
    """Of two overlapping populations on three axes no threshold of a grid beats the search by a thousandth."""
    rng = np.random.default_rng(SEED)
    true = np.arange(4000) < 1000
    values = rng.normal(np.where(true, 0.0, 1.8)[:, None], 1.0, (4000, 3))
    sides = [Side(f"axis {at}", values[:, at], 0.0) for at in range(3)]
    grid = np.linspace(-1.0, 4.0, 26)
    on_grid = max(f1((values <= np.array(tops)).all(axis=1), true) for tops in itertools.product(grid, repeat=3))
    best = search(sides, true)

    assert best.f1 >= on_grid - 1e-3
    assert best.f1 < 1.0


@pytest.mark.parametrize("index", [1, 4])
def test_best_is_not_below_the_gates(index: int) -> None:
    """The best F1 of a tube is at least that of its gates, and one boundary at its best place does not exceed it."""
    scenario, parameters = varied(SEED, index)
    with cohort([scenario], SEED, parameters) as samples:
        known = samples[scenario.sample]
    tube = tube_of(gated(known), "stimulated", "CD154")
    assert tube is not None
    true = known.counted[tube.signal.events.tube.fcs]
    reached, best = f1(activated(tube), true), best_f1(tube, true)

    assert reached - 1e-3 <= best.f1 <= 1.0
    assert best.f1 > 0.9
    assert max(best.alone.values()) <= best.f1 + 1e-9

"""What chance does to the CD69 boundary: counting alone must not look like cells that stimulation added."""

from __future__ import annotations

import numpy as np
import pytest

from cd40l_flow.gating.cd69 import find_cd69
from cd40l_flow.gating.density import density
from cd40l_flow.gating.found import Found
from cd40l_flow.signal.scale import Scale

SCALE = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="test")


def found(seed: int, resting: int, stimulated: int, added: int = 0) -> Found:
    """Return the boundary of tubes of one population, and so many added cells at another place."""
    random = np.random.default_rng(seed)
    rest = random.normal(0.25, 0.05, resting)
    both = np.concatenate((random.normal(0.25, 0.05, stimulated - added), random.normal(0.6, 0.05, added)))
    return find_cd69(density(rest), density(both), SCALE, 2.0)


ADDED = "largest F1 of what stimulation added"


@pytest.mark.parametrize(("resting", "stimulated"), [(400, 4000), (2000, 2000), (1000, 10_000)])
def test_chance_seldom_looks_like_added_cells(resting: int, stimulated: int) -> None:
    """Two tubes of the same cells differ by counting alone.

    Of many ratios of two counts the least lies below 1 nearly always; one that is two standard errors below is chance
    in one of five such pairs, for the errors of neighbouring places go together.
    """
    methods = [found(seed, resting, stimulated).method for seed in range(40)]
    assert sum(ADDED in method for method in methods) <= 15


@pytest.mark.parametrize(("resting", "stimulated", "added"), [(400, 4000, 200), (2000, 2000, 100)])
def test_a_twentieth_of_added_cells_is_always_found(resting: int, stimulated: int, added: int) -> None:
    for seed in range(10):
        one = found(seed, resting, stimulated, added)
        assert ADDED in one.method
        assert one.position is not None and 0.34 < one.position < 0.56

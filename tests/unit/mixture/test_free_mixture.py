"""The free mixture finds how many kinds of cells there are and the share below a boundary, always the same."""

from __future__ import annotations

import numpy as np
import pytest

from cd40l_flow.mixture.checks.free_mixture import MOST_CELLS, FreeMixture, free_mixture
from cd40l_flow.mixture.histogram import histogram

BINS, BOUNDARY = 512, 0.4


def binned(*kinds: tuple[int, float, float], seed: int = 5) -> np.ndarray:
    """Return binned cells of several kinds: number, mean and SD on the logicle scale."""
    random = np.random.default_rng(seed)
    return histogram(np.concatenate([random.normal(mean, sd, n) for n, mean, sd in kinds]), BINS)


def found(counts: np.ndarray) -> FreeMixture:
    mixture = free_mixture(counts, BOUNDARY)
    assert mixture is not None
    return mixture


@pytest.mark.parametrize("negative", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("cells", [600, 4000, 40_000])
def test_two_kinds_of_cells_are_found_with_their_share(negative: float, cells: int) -> None:
    dark = round(negative * cells)
    mixture = found(binned((dark, 0.3, 0.06), (cells - dark, 0.65, 0.07)))
    assert mixture.negative_fraction == pytest.approx(negative, abs=0.01 if cells > 600 else 0.04)
    if cells > 600:
        assert mixture.components == 2


def test_three_kinds_are_two_above_the_boundary() -> None:
    mixture = found(binned((2000, 0.25, 0.04), (2000, 0.55, 0.04), (2000, 0.85, 0.04)))
    assert (mixture.components, mixture.negative_fraction) == (3, pytest.approx(1 / 3, abs=0.01))


@pytest.mark.parametrize(("mean", "negative"), [(0.3, 1.0), (0.7, 0.0)])
def test_one_kind_lies_on_one_side(mean: float, negative: float) -> None:
    assert found(binned((5000, mean, 0.06))) == FreeMixture(negative, 1)


def test_the_same_cells_give_the_same_numbers_to_three_digits() -> None:
    counts = binned((1000, 0.3, 0.06), (3000, 0.6, 0.1))
    first = found(counts)
    assert first == found(counts)
    assert first.negative_fraction == round(first.negative_fraction, 3)


def test_many_cells_count_by_their_shares_alone() -> None:
    counts = binned((1000, 0.3, 0.06), (3000, 0.6, 0.1))
    assert counts.sum() > MOST_CELLS
    assert found(100 * counts) == found(counts)


def test_a_pile_in_one_bin_is_one_kind_and_nothing_is_none() -> None:
    pile = np.zeros(BINS)
    pile[100] = 400
    assert found(pile) == FreeMixture(1.0, 1)
    assert free_mixture(np.zeros(BINS), BOUNDARY) is None
    assert free_mixture(pile, np.nan) is None


def test_three_cells_are_one_kind_and_two_are_none() -> None:
    for cells in (2, 3):
        counts = np.zeros(BINS)
        counts[[100, 110, 120][:cells]] = 1
        assert free_mixture(counts, BOUNDARY) == (FreeMixture(1.0, 1) if cells == 3 else None)

"""Negative cells that gather in a part of the acquisition, or among cells with other CD8."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cd40l_flow.decision.independence import Independence, independence
from cd40l_flow.decision.sample_guards import SURE_IN_TIME
from helpers.by_hand.cases import BINS

EXPECTED = np.zeros((2, BINS))
EXPECTED[0, : BINS // 2], EXPECTED[1, BINS // 2 :] = 1.0, 1.0


def of(negative: NDArray[np.bool_], *tubes: int, **others: NDArray[np.float64]) -> Independence:
    """Return the dependence of cells that do not express, in the order of acquisition."""
    random = np.random.default_rng(1)
    cd69, cd3 = random.standard_normal((2, negative.size))
    return independence(
        np.where(negative, 0.2, 0.6), cd69, cd3, EXPECTED, others=others, tubes=tubes or (negative.size,)
    )


def sure(found: Independence) -> bool:
    """Return whether the dependence on time is one."""
    assert found.time is not None
    return abs(found.time.log_ratio) > max(0.6, SURE_IN_TIME * found.time.error)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.98])
@pytest.mark.parametrize("cells", [400, 4000, 40_000])
def test_cells_that_come_at_any_time_depend_on_none(share: float, cells: int) -> None:
    random = np.random.default_rng((2, cells))
    assert not any(sure(of(random.random(cells) < share)) for _ in range(40))


@pytest.mark.parametrize(
    ("own", "other", "begin", "end"),
    [
        (0.97, 0.1, 0.0, 0.05),  # absent, the sample before was carried over
        (0.97, 0.1, 0.97, 1.0),
        (0.97, 0.1, 0.6, 1.0),  # two samples in one file
        (0.1, 0.99, 0.5, 1.0),  # healthy, the laser failed
        (0.1, 0.99, 0.0, 0.9),
        (0.1, 0.99, 0.4, 0.5),
        (0.5, 0.1, 0.8, 1.0),
    ],
)
def test_cells_of_another_sample_and_a_failed_detector_are_found(
    own: float, other: float, begin: float, end: float
) -> None:
    random = np.random.default_rng(3)
    place = np.linspace(0, 1, 5000)
    share = np.where((place >= begin) & (place <= end), other, own)
    found = of(random.random(5000) < share)
    assert sure(found)


def test_tubes_may_differ_from_each_other() -> None:
    """Replicates have a check of their own; each is looked at by itself."""
    random = np.random.default_rng(4)
    both = np.concatenate((random.random(3000) < 0.1, random.random(3000) < 0.4))
    assert not sure(of(both, 3000, 3000))
    assert sure(of(both, 6000))


def test_few_cells_tell_nothing_of_time() -> None:
    assert of(np.zeros(149, dtype=bool)).time is None
    assert of(np.zeros(200, dtype=bool), 100, 100).time is None


def test_negatives_with_more_cd8_are_no_mosaic() -> None:
    """CD8+ cells whose stain failed lie at the upper end of the CD8- cells; inner cells leave most of them out."""
    random = np.random.default_rng(5)
    cd8 = random.standard_normal(6000)
    dim = cd8 > 0.9
    found = of(random.random(6000) < np.where(dim, 0.9, 0.1), CD8=cd8)
    assert found.others["CD8"].log_ratio < -2
    assert found.largest is found.others["CD8"]
    inner = found.inner
    assert inner[: BINS // 2].sum() / inner.sum() == pytest.approx(0.1, abs=0.03)
    mosaic = of(random.random(6000) < 0.5, CD8=cd8)
    assert abs(mosaic.others["CD8"].log_ratio) < 4 * mosaic.others["CD8"].error


def test_negatives_without_cd4_are_double_negative_cells_not_a_mosaic() -> None:
    """A third of CD3+CD8- cells lack CD4 and the target; the third with most CD4 shows a healthy share."""
    random = np.random.default_rng(6)
    lacks = random.random(6000) < 0.33
    cd4 = np.where(lacks, 0.2, 0.6) + 0.05 * random.standard_normal(6000)
    found = of(random.random(6000) < np.where(lacks, 0.9, 0.05), CD4=cd4)
    assert found.others["CD4"].log_ratio > 3 and found.largest is found.others["CD4"]
    assert found.inner[: BINS // 2].sum() / found.inner.sum() == pytest.approx(0.05, abs=0.02)

"""Resting cells moved as stimulation moved CD8+ cells of the same tubes: what was done is found, or nothing is said."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from cd40l_flow.assay.cd40l import CD8_POSITIVE
from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.resting import Stimulated, stimulated
from cd40l_flow.signal.scale import robust_sd

CELLS = 2000
OFFSET, NOISE = 60.0, 90.0
BRIGHT = 3000.0


@dataclass(frozen=True)
class _Boundary:
    value: float = 500.0


@dataclass(frozen=True)
class _Tube:
    """A gated tube as far as it is looked at: CD8+ cells with their target and CD69."""

    target: Floats
    cd69: Floats
    indices: tuple[str, ...] = field(default=(CD8_POSITIVE,))

    def linear(self, marker: str, population: str) -> Floats:
        assert population == CD8_POSITIVE
        return {"target": self.target, "CD69": self.cd69}[marker]

    def boundary(self, gate: str) -> _Boundary:
        assert gate == "cd69_low"
        return _Boundary()


def _resting(random: np.random.Generator, cells: int = CELLS) -> Floats:
    """Return skewed background: light of the cell and what sticks to it, channel values."""
    return np.asarray(60 * np.exp(0.4 * random.standard_normal(cells)) + 40 * random.standard_normal(cells))


def _found(
    random: np.random.Generator,
    *,
    offset: float = OFFSET,
    expressing: float = 0.0,
    cells: int = CELLS,
    floor: float | None = None,
) -> tuple[Stimulated | None, Floats]:
    """Return what is found of tubes of which the truth is known, and the resting cells that are to be moved."""
    own, rest = _resting(random, 5000), _resting(random, cells)
    active = _resting(random, cells) + offset + NOISE * random.standard_normal(cells)
    active[: round(expressing * cells)] += BRIGHT
    # As many again were not activated: they stay where they were and do not count.
    target = np.concatenate((active, _resting(random, cells)))
    cd69 = np.concatenate((np.full(cells, 2000.0), np.full(cells, 50.0)))
    if floor is not None:
        own, rest, target = (np.maximum(values, floor) for values in (own, rest, target))
    before, after = _Tube(rest, np.full(cells, 50.0)), _Tube(target, cd69)
    return stimulated(own, [before], [after]), own  # type: ignore[list-item]


@pytest.mark.parametrize(("expressing", "apart"), [(0.0, 0.2), (0.12, 0.2), (0.3, 0.2), (0.45, 0.25)])
def test_what_stimulation_did_is_found_whatever_some_cells_express(expressing: float, apart: float) -> None:
    """The moved background lies where it should, also where so many CD8+ cells express that quantiles of all of them
    are other quantiles of those that do not.
    """
    change, own = _found(np.random.default_rng(5), expressing=expressing)
    assert change is not None
    assert change.noise == pytest.approx(NOISE, rel=0.3)
    moved = change.of(own)
    truth = _resting(np.random.default_rng(6), 5000) + OFFSET + NOISE * np.random.default_rng(7).standard_normal(5000)
    assert robust_sd(moved) == pytest.approx(robust_sd(truth), rel=0.25)
    assert np.median(moved) == pytest.approx(np.median(truth), abs=apart * robust_sd(truth))
    # As it was it lay further off, and was half as wide.
    assert robust_sd(own) < 0.6 * robust_sd(truth)


def test_the_same_cells_are_moved_alike_in_any_order() -> None:
    """Nothing is drawn: the cells of a file in another order give the same background."""
    random = np.random.default_rng(8)
    change, own = _found(random)
    assert change is not None
    assert np.array_equal(np.sort(change.of(own)), np.sort(change.of(random.permutation(own))))


def test_piled_cells_stay_piled() -> None:
    """What lies below the lowest value that is written is known to be no brighter, moved or not."""
    floor = 20.0
    change, own = _found(np.random.default_rng(9), floor=floor)
    assert change is not None
    assert change.floor == floor
    assert change.offset == pytest.approx(OFFSET, abs=0.4 * robust_sd(own))
    assert change.of(own).min() == floor + change.offset


@pytest.mark.parametrize(
    ("offset", "cells", "expressing"),
    [(OFFSET, 60, 0.0), (OFFSET, CELLS, 0.9), (OFFSET, CELLS, 0.78), (1000.0, CELLS, 0.0)],
    ids=["few cells", "CD8+ cells that express", "most of them do", "too far for stimulation"],
)
def test_nothing_is_said_where_cd8_cells_do_not_tell(offset: float, cells: int, expressing: float) -> None:
    """Few cells, and cells that went as far as expressing ones do, move no background: it would hide those that do."""
    assert _found(np.random.default_rng(10), offset=offset, cells=cells, expressing=expressing)[0] is None


def test_most_of_the_cells_in_a_pile_tell_nothing() -> None:
    assert _found(np.random.default_rng(11), floor=90.0)[0] is None

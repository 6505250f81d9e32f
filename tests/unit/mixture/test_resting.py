"""Resting cells moved as stimulation moved CD8+ cells of the same tubes: what was done is found, or nothing is said."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from cd40l_flow.assay.cd40l.gates import CD8_POSITIVE
from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.resting import Stimulated, noisy, stimulated
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

    def boundary(self, gate: str) -> _Boundary | None:
        assert gate == "cd69_low"
        return _Boundary()


class _Unbounded(_Tube):
    """A tube in which CD69 could not be gated."""

    def boundary(self, gate: str) -> None:
        return None


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
    [(OFFSET, 60, 0.0), (OFFSET, 99, 0.0), (OFFSET, CELLS, 0.9), (OFFSET, CELLS, 0.78), (1000.0, CELLS, 0.0)],
    ids=["few cells", "one cell too few", "CD8+ cells that express", "most of them do", "too far for stimulation"],
)
def test_nothing_is_said_where_cd8_cells_do_not_tell(offset: float, cells: int, expressing: float) -> None:
    """Few cells, and cells that went as far as expressing ones do, move no background: it would hide those that do."""
    assert _found(np.random.default_rng(10), offset=offset, cells=cells, expressing=expressing)[0] is None


def test_most_of_the_cells_in_a_pile_tell_nothing() -> None:
    assert _found(np.random.default_rng(11), floor=90.0)[0] is None


def test_a_hundred_cells_are_enough() -> None:
    assert _found(np.random.default_rng(14), cells=100)[0] is not None


def test_light_and_noise_are_added_and_a_floor_is_moved_with_the_light() -> None:
    """Without noise in closed form; with it no cell lies below the moved floor."""
    resting = np.array([300.0, -50.0, 100.0])
    plain = Stimulated(offset=20.0, noise=0.0, shift=0.2, widening=0.0)
    assert plain.of(resting).tolist() == [-30.0, 120.0, 320.0]
    assert replace(plain, floor=-10.0).of(resting).tolist() == [10.0, 120.0, 320.0]
    piled = replace(plain, noise=40.0, floor=-50.0).of(np.full(1000, -50.0))
    assert piled.min() == -30.0 and piled.max() > 50.0


@pytest.mark.parametrize("sd", [0.5, 40.0])
def test_the_noise_is_normal_and_of_its_sd(sd: float) -> None:
    values = np.zeros(4096)
    assert noisy(values, 0.0) is values
    drawn = noisy(values, sd)
    assert np.std(drawn) == pytest.approx(sd, rel=0.01)
    assert np.mean(np.abs(drawn) < sd) == pytest.approx(0.683, abs=0.005)


def _piled(own: float, rest: float, moved: float) -> Stimulated | None:
    """Return what is found where so many (0 to 1) of the cells are piled up: of the sample's own, of CD8+ ones."""
    random = np.random.default_rng(15)
    values = [_resting(random, 4000), _resting(random), _resting(random) + OFFSET]
    mine, before, after = (
        np.maximum(one, np.quantile(one, share)) for one, share in zip(values, (own, rest, moved), strict=True)
    )
    active = np.full(CELLS, 2000.0)
    return stimulated(mine, [_Tube(before, active)], [_Tube(after, active)])  # type: ignore[list-item]


@pytest.mark.parametrize("place", range(3))
def test_up_to_23_percent_may_be_piled_up(place: int) -> None:
    """The quantiles above a pile-up reach the 45th percentile of all cells, and no further."""
    shares = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    shares[0][place], shares[1][place] = 0.22, 0.24
    assert _piled(*shares[0]) is not None
    assert _piled(*shares[1]) is None


def test_the_floor_is_the_higher_one_of_the_resting_cells() -> None:
    random = np.random.default_rng(16)
    found = []
    for floors in ((0.0, 20.0, -1e3), (20.0, 0.0, -1e3)):
        values = _resting(random, 4000), _resting(random), _resting(random) + OFFSET
        mine, before, after = (np.maximum(one, floor) for one, floor in zip(values, floors, strict=True))
        active = np.full(CELLS, 2000.0)
        change = stimulated(mine, [_Tube(before, active)], [_Tube(after, active)])  # type: ignore[list-item]
        assert change is not None
        found.append(change.floor)
        assert change.shift == pytest.approx(change.offset / robust_sd(mine))
        assert change.widening == pytest.approx(change.noise / robust_sd(mine))
    assert found == [20.0, 20.0]


def test_tubes_without_cd8_cells_or_without_the_boundary_of_cd69_tell_nothing() -> None:
    """They are left out beside others, and alone leave nothing to compare."""
    random = np.random.default_rng(17)
    own, rest, moved = _resting(random, 4000), _resting(random), _resting(random) + OFFSET
    active, nowhere = np.full(CELLS, 2000.0), np.full(CELLS, np.nan)
    before, after = _Tube(rest, np.zeros(CELLS)), _Tube(moved, active)
    ungated, unbounded = _Tube(nowhere, active, ()), _Unbounded(nowhere, active)
    whole = stimulated(own, [before], [after])  # type: ignore[list-item]
    assert whole is not None
    assert stimulated(own, [ungated, before], [ungated, after, unbounded]) == whole  # type: ignore[list-item]
    for lacking in (ungated, unbounded):
        assert stimulated(own, [before], [lacking]) is None  # type: ignore[list-item]
    # Resting cells need no boundary of CD69.
    assert stimulated(own, [_Unbounded(rest, active)], [after]) == whole  # type: ignore[list-item]

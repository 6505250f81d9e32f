"""Whether the B cells that count come evenly in time and in replicates, on tubes made by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from cd40l_flow.assay.b_cells import B_CELLS
from cd40l_flow.assay.shared_gates import TIME
from cd40l_flow.decision.b_cells.evenness import Evenness, evenness
from cd40l_flow.decision.independence import Dependence
from cd40l_flow.gating.model import GatedTube
from helpers.by_hand.gated_tubes import first, gated_sample, gated_tube

BOUNDARIES = {"cd19_low": 500.0, "cd3_high": 500.0, "igd_low": 1000.0, "cd27_low": 1000.0}
RANDOM = np.random.default_rng(13)


def memory(switched: NDArray[np.bool_], name: str = "a") -> GatedTube:
    """Return a memory tube of B cells in the order of acquisition, switched or naive."""
    light = {"CD19": np.full(switched.size, 9000.0), "CD3": np.zeros(switched.size)}
    light |= {"CD27": np.where(switched, 9000.0, 50.0), "IgD": np.where(switched, 50.0, 9000.0)}
    masks = {TIME: first(switched.size, switched.size), B_CELLS: first(switched.size, switched.size)}
    return gated_tube(
        light, masks, fcs=f"{name}.fcs", stimulation="unstimulated", reagent="memory", boundaries=BOUNDARIES
    )


def cd40(level: NDArray[np.float64], name: str = "a") -> GatedTube:
    """Return a CD40 tube of B cells of these levels, each with a scatter of a third of its light."""
    light = {"CD19": np.full(level.size, 9000.0), "target": level * np.exp(0.33 * RANDOM.standard_normal(level.size))}
    masks = {TIME: first(level.size, level.size), B_CELLS: first(level.size, level.size)}
    return gated_tube(light, masks, fcs=f"{name}.fcs", stimulation="unstimulated", reagent="CD40")


def sure(found: Dependence | None) -> bool:
    return found is not None and abs(found.log_ratio) > max(0.6, 5 * found.error)


def drawn(share: float, cells: int = 2000) -> NDArray[np.bool_]:
    return np.asarray(RANDOM.random(cells) < share)


def test_cells_of_one_blood_come_at_any_time() -> None:
    for share in (0.003, 0.03, 0.2):
        found = evenness(gated_sample(memory(drawn(share)), memory(drawn(share), "b")))
        assert not sure(found.in_time) and not sure(found.in_replicates)
    found = evenness(gated_sample(cd40(np.full(2000, 1000.0)), cd40(np.full(2000, 1100.0), "b")))
    assert not sure(found.in_time)
    assert found.in_replicates is not None and abs(found.in_replicates.log_ratio) < 1.5  # a tenth more antibody


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5])
def test_a_healthy_persons_cells_before_a_patients_are_found(part: float) -> None:
    begin = int(part * 2000)
    found = evenness(gated_sample(memory(np.concatenate((drawn(0.2, begin), drawn(0.002, 2000 - begin))))))
    assert sure(found.in_time) and found.in_replicates is None
    level = np.concatenate((np.full(begin, 1000.0), np.full(2000 - begin, 250.0)))
    assert sure(evenness(gated_sample(cd40(level))).in_time)


def switched_or_none(low: bool) -> GatedTube:
    return memory(drawn(0.002 if low else 0.15), str(low))


def dim_or_bright(low: bool) -> GatedTube:
    return cd40(np.full(1000, 250.0 if low else 1000.0), str(low))


@pytest.mark.parametrize("tube", [switched_or_none, dim_or_bright])
def test_a_replicate_of_another_person_is_found(tube: Callable[[bool], GatedTube]) -> None:
    found = evenness(gated_sample(tube(True), tube(False)))
    assert found.in_replicates is not None and abs(found.in_replicates.log_ratio) > 1.5
    assert sure(found.in_replicates) and not sure(found.in_time)


def test_few_cells_show_nothing() -> None:
    assert evenness(gated_sample(memory(drawn(0.1, 100)))).in_time is None
    assert evenness(gated_sample(memory(drawn(0.1, 500)), memory(drawn(0.1, 19), "b"))).in_replicates is None
    assert evenness(gated_sample()) == Evenness()

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
from cd40l_flow.gating.model import GatedSample, GatedTube
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


def evenly(gated: GatedSample) -> Evenness:
    return evenness(gated, 1.5)


def sure(found: Dependence | None) -> bool:
    return found is not None and abs(found.log_ratio) > max(0.6, 5 * found.error)


def drawn(share: float, cells: int = 2000) -> NDArray[np.bool_]:
    return np.asarray(RANDOM.random(cells) < share)


def test_cells_of_one_blood_come_at_any_time() -> None:
    for share in (0.003, 0.03, 0.2):
        found = evenly(gated_sample(memory(drawn(share)), memory(drawn(share), "b")))
        assert not sure(found.in_time) and not sure(found.in_replicates)
    found = evenly(gated_sample(cd40(np.full(2000, 1000.0)), cd40(np.full(2000, 1100.0), "b")))
    assert not sure(found.in_time)
    assert found.in_replicates is not None and abs(found.in_replicates.log_ratio) < 1.5  # a tenth more antibody
    assert found.replicates[0].differences[0].value < found.replicates[0].differences[0].limit


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5])
def test_a_healthy_persons_cells_before_a_patients_are_found(part: float) -> None:
    begin = int(part * 2000)
    found = evenly(gated_sample(memory(np.concatenate((drawn(0.2, begin), drawn(0.002, 2000 - begin))))))
    assert sure(found.in_time) and found.in_replicates is None
    level = np.concatenate((np.full(begin, 1000.0), np.full(2000 - begin, 250.0)))
    assert sure(evenly(gated_sample(cd40(level))).in_time)


def switched_or_none(low: bool) -> GatedTube:
    return memory(drawn(0.002 if low else 0.15), str(low))


def dim_or_bright(low: bool) -> GatedTube:
    return cd40(np.full(1000, 250.0 if low else 1000.0), str(low))


@pytest.mark.parametrize("tube", [switched_or_none, dim_or_bright])
def test_a_replicate_of_another_person_is_found(tube: Callable[[bool], GatedTube]) -> None:
    found = evenly(gated_sample(tube(True), tube(False)))
    assert found.in_replicates is not None and abs(found.in_replicates.log_ratio) > 1.5
    assert sure(found.in_replicates) and not sure(found.in_time)
    (group,) = found.replicates
    (apart,) = group.differences
    assert apart.value > apart.limit and set(apart.tubes) == {one.fcs for one in group.replicates}


def test_what_is_measured_of_each_replicate() -> None:
    (group,) = evenly(gated_sample(memory(np.arange(200) < 50), memory(np.arange(400) < 20, "b"))).replicates
    assert [(one.fcs, one.cells, one.percent_above) for one in group.replicates] == [
        ("a.fcs", 200, 25),
        ("b.fcs", 400, 5),
    ]
    assert [one.target_median for one in group.replicates] == [None, None]
    bright, dim = cd40(np.full(500, 1000.0)), cd40(np.full(500, 800.0), "b")
    (group,) = evenly(gated_sample(bright, dim)).replicates
    assert [one.target_median for one in group.replicates] == [
        float(np.median(tube.linear("target", B_CELLS))) for tube in (bright, dim)
    ]
    assert evenly(gated_sample(bright)).replicates == ()


def test_few_cells_show_nothing() -> None:
    assert evenly(gated_sample(memory(drawn(0.1, 100)))).in_time is None
    assert evenly(gated_sample(memory(drawn(0.1, 500)), memory(drawn(0.1, 19), "b"))).in_replicates is None
    assert evenly(gated_sample()) == Evenness()

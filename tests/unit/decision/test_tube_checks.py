"""One donor or two, tubes and labels in their places, spillover left: found where it is so, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from cd40l_flow.base.model import Sample, Tube
from cd40l_flow.decision.case import Difference, TubeCheck
from cd40l_flow.decision.compensation_check import slopes
from cd40l_flow.decision.fingerprints import differences
from cd40l_flow.decision.tube_checks import check_tubes, largest_change
from cd40l_flow.fcs.panel import borrowed_detectors
from cd40l_flow.fcs.reader import read_events
from cd40l_flow.gating.model import GatedSample, GatedTube
from cd40l_flow.gating.strategy import gate
from cd40l_flow.signal.prepare import choose_scales, prepare, without_time_qc
from cd40l_flow.simulate import Fault, Scenario, SimulationParameters, fcs_name, write_cohort
from helpers.by_hand.cases import limits

USUAL = SimulationParameters()
TUBES = (("unstimulated", "CD154"), ("stimulated", "CD154"), ("stimulated", "isotype"))
LIMITS = limits()
SIZE = Scenario("S1", stimulated=("CD154", "isotype"), events=6_000, background_events=4_000, unstimulated_events=4_000)


def gated(
    folder: Path,
    scenario: Scenario = SIZE,
    others: Mapping[int, SimulationParameters] | None = None,
    spillover: str = "file",
    **panel: str,
) -> GatedSample:
    """Return three gated tubes; ``others`` are tubes (by number) of another donor; ``panel`` marker = detector."""
    write_cohort(folder, 21, cohort=(scenario,))
    chosen = {marker: {"detector": detector} for marker, detector in panel.items()}
    events, known = [], {}
    for number, (stimulation, reagent) in enumerate(TUBES):
        name = fcs_name("S1", stimulation, reagent)
        directory = folder
        if number in (others or {}):
            directory = folder / "other"
            write_cohort(directory, 77, cohort=(scenario,), parameters=(others or {})[number])
        tube = Tube(name, str(directory / "fcs" / name), stimulation, reagent)
        events.append(read_events(tube, chosen, spillover, borrowed_detectors(reagent, known)))
        known.setdefault(reagent, events[-1].markers)
    scales = choose_scales(events, LIMITS.scale, "test")
    sample = Sample("S1", "R1", "test", "M", tuple(one.tube for one in events))
    return gate(sample, [prepare(one, scales) for one in events], scales, [], LIMITS.gating)


def checked(sample: GatedSample) -> TubeCheck:
    return check_tubes(sample, LIMITS.gating)


def conflicts(found: TubeCheck) -> list[Difference]:
    return [one for one in found.differences if one.value > one.limit]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> GatedSample:
    return gated(tmp_path_factory.mktemp("healthy"))


def test_a_healthy_sample_is_one_donor_s_with_everything_in_place(healthy: GatedSample) -> None:
    found = checked(healthy)

    assert conflicts(found) == []
    assert len(found.differences) == 4
    assert (found.swapped, found.markers_swapped, found.cd3_cd8_swapped) == (False, False, False)
    assert found.residue is not None and abs(found.residue) < 0.5
    assert {slope.marker for slope in found.slopes} == {"CD69", "CD3"}


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize(
    "donor",
    [
        replace(USUAL, cd8_t=0.42),
        replace(USUAL, lymphocyte_fsc=USUAL.lymphocyte_fsc * 1.35, monocyte_fsc=USUAL.monocyte_fsc * 1.35),
        replace(USUAL, b=0.30, nk=0.25),
    ],
    ids=["CD8", "scatter", "CD3"],
)
def test_a_stranger_s_tube_is_found_wherever_it_stands(
    number: int, donor: SimulationParameters, tmp_path: Path
) -> None:
    found = conflicts(checked(gated(tmp_path, others={number: donor})))

    assert found
    assert any(TUBES[number][0][:4] in fcs for one in found for fcs in one.tubes)


def test_small_tubes_differ_by_chance_and_the_limit_knows(tmp_path: Path) -> None:
    small = replace(SIZE, events=500, background_events=500, unstimulated_events=500)

    wide, usual = checked(gated(tmp_path / "a", small)), checked(gated(tmp_path / "b"))

    assert conflicts(wide) == []
    limit = {one.what: one.limit for one in usual.differences}
    assert all(one.limit > limit[one.what] for one in wide.differences)


def test_an_exchange_of_states_is_found_and_not_taken_for_two_donors(tmp_path: Path) -> None:
    found = checked(gated(tmp_path, replace(SIZE, faults=(Fault("swap_stimulation"),))))

    assert found.swapped is True
    assert found.differences == ()


def test_exchanged_labels_of_cd69_and_target_are_found(tmp_path: Path) -> None:
    faults = tuple(Fault("swap_labels", reagent, stimulation) for stimulation, reagent in TUBES)

    assert checked(gated(tmp_path, replace(SIZE, faults=faults))).markers_swapped is True


@pytest.mark.parametrize("cd8_t", [0.12, 0.5])
def test_exchanged_labels_of_cd3_and_cd8_are_found(cd8_t: float, tmp_path: Path) -> None:
    everyone = dict.fromkeys(range(3), replace(USUAL, cd8_t=cd8_t))

    right = checked(gated(tmp_path / "right", others=everyone))
    wrong = checked(gated(tmp_path / "wrong", others=everyone, CD3="APC-H7-A", CD8="APC-A"))

    assert (right.cd3_cd8_swapped, wrong.cd3_cd8_swapped) == (False, True)


@pytest.mark.parametrize("t_cells", [0.006, 0.02, 0.045])
@pytest.mark.parametrize("nk_cd8_dim", [0.2, 0.6])
def test_few_t_cells_are_no_exchange_of_labels(t_cells: float, nk_cd8_dim: float, tmp_path: Path) -> None:
    """With 2 to 12 % T cells most CD8+ cells are NK cells, CD8-dim; a true exchange is reported all the same."""
    few = replace(SIZE, t_cells=t_cells, events=12_000, background_events=12_000, unstimulated_events=12_000)
    everyone = dict.fromkeys(range(3), replace(USUAL, nk_cd8_dim=nk_cd8_dim))

    right = gated(tmp_path / "right", few, others=everyone)
    wrong = checked(gated(tmp_path / "wrong", few, others=everyone, CD3="APC-H7-A", CD8="APC-A"))

    assert not checked(right).cd3_cd8_swapped
    # Of 2 % T cells too few are CD8-bright to be told from NK cells.
    assert wrong.cd3_cd8_swapped is True or t_cells < 0.02


@pytest.mark.parametrize("instrument", ["calibur", "floor-zero"])
def test_labels_are_judged_on_piled_values_too(instrument: str, tmp_path: Path) -> None:
    """Where most cells lie at the end of the range, in unstimulated tubes above all, labels look as they are."""
    dark = tuple(replace(one, gain=0.5 * one.gain, baseline=80.0) for one in USUAL.detectors)
    everyone = dict.fromkeys(range(3), replace(USUAL, detectors=dark, baseline_resting=1.5))
    sample = gated(tmp_path, replace(SIZE, instrument=instrument), others=everyone, spillover="none")

    found = checked(sample)

    assert not found.swapped
    assert not found.markers_swapped
    assert not found.cd3_cd8_swapped
    assert sample.tubes[0].signal.floors


@pytest.mark.parametrize(("fault", "sign"), [("transposed_spillover", 1), ("already_compensated", -1)])
def test_a_wrong_matrix_shows_as_a_slope(fault: str, sign: int, tmp_path: Path) -> None:
    faults = tuple(Fault(fault, reagent, stimulation) for stimulation, reagent in TUBES)

    found = checked(gated(tmp_path, replace(SIZE, faults=faults)))

    assert found.residue is not None
    assert sign * found.residue > LIMITS.guards.residue_max
    steepest = max(found.slopes, key=lambda slope: abs(slope.residue))
    assert (steepest.marker, steepest.slope * sign > 0) == ("CD69", True)


def test_a_slope_is_told_in_robust_sd_of_the_target(healthy: GatedSample) -> None:
    """Target = 0.02 CD69 + noise of SD 40: 0.02 for each channel, and the change from third to third over the noise."""
    random = np.random.default_rng(6)
    tube = next(one for one in healthy.tubes if one.signal.events.tube.reagent == "isotype")
    population = "CD3+CD8-"
    cd69 = random.uniform(1000, 4000, tube.indices[population].size)
    values = {"CD69": cd69, "CD3": cd69, "target": 0.02 * cd69 + 40 * random.standard_normal(cd69.size)}
    with patch.object(GatedTube, "linear", lambda _, marker, __: values[marker]):
        found = {slope.marker: slope for slope in slopes([tube])}
    assert found["CD69"].slope == pytest.approx(0.02, rel=0.1)
    # The thirds' medians are 2,000 apart; the third of dim cells spreads by the slope too.
    assert found["CD69"].residue == pytest.approx(0.02 * 2000 / np.hypot(40, 0.02 * 1000 / np.sqrt(12)), rel=0.1)


def test_nothing_is_compared_without_gates(healthy: GatedSample) -> None:
    assert differences(healthy.tubes[:1], LIMITS.gating) == ()
    bare = [replace(tube, indices={}, boundaries=(), populations=()) for tube in healthy.tubes]
    assert differences(bare, LIMITS.gating) == ()


def test_the_largest_change_is_that_of_any_gate_but_the_cut(tmp_path: Path) -> None:
    clogged = gated(tmp_path, replace(SIZE, faults=(Fault("clog"),)))
    signals = [without_time_qc(tube.signal) for tube in clogged.tubes]
    without = gate(clogged.sample, signals, clogged.scales, [], LIMITS.gating)

    assert clogged.tubes[1].signal.acquisition.removed_percent > 20
    assert largest_change(clogged, without) > 5
    assert largest_change(clogged, clogged) == 0

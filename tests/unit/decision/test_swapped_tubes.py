"""Exchanged tubes and labels, by medians that are known: from which cells on and by how much they must differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.assay.cd40l.gates import ACTIVATED, CD3_POSITIVE, CD8_NEGATIVE, CD8_POSITIVE
from cd40l_flow.assay.shared_gates import LYMPHOCYTES
from cd40l_flow.decision.case import TubeCheck
from cd40l_flow.decision.tube_checks import (
    acquisition_checks,
    cd69_median,
    check_tubes,
    floor_of,
    largest_change,
    without_time_gate,
)
from cd40l_flow.gating.model import GatedTube
from helpers.by_hand.cases import limits
from helpers.by_hand.gated_tubes import SCALE, first, gated_sample, gated_tube, normal

SD = 100.0  # of every marker: its robust SD


def tube(
    stimulation: str, cd69: float, target: float = 200.0, *, reagent: str = "CD154", cells: int = 400, active: int = 0
) -> GatedTube:
    """Return a tube of CD3+CD8- cells with these medians, some of them CD69+."""
    values = {"CD69": normal(cells, cd69, SD), "target": normal(cells, target, SD), "CD3": normal(cells, 5000, SD)}
    populations = {CD8_NEGATIVE: first(cells, cells), ACTIVATED: first(cells, active)}
    return gated_tube(values, populations, fcs=f"{reagent}-{stimulation}", stimulation=stimulation, reagent=reagent)


def checked(*tubes: GatedTube) -> TubeCheck:
    return check_tubes(gated_sample(*tubes), limits().gating)


@pytest.mark.parametrize(("cells", "known"), [(50, True), (49, False)])
def test_medians_of_fewer_than_fifty_cells_are_not_compared(cells: int, known: bool) -> None:
    few, many = tube("unstimulated", 300.0, cells=cells), tube("stimulated", 9000.0)
    assert cd69_median(few) == (pytest.approx(300.0) if known else None)
    found = checked(few, many)
    assert found.swapped is (False if known else None)
    assert cd69_median(replace(many, indices={})) is None
    # Where another pair can be compared, that pair is.
    assert checked(few, tube("unstimulated", 300.0), many).swapped is False
    assert checked(few, tube("unstimulated", 9000.0), tube("stimulated", 300.0)).swapped is True


@pytest.mark.parametrize(
    ("resting", "active", "swapped"),
    [
        (3100.0, 1000.0, True),  # three times as much
        (2900.0, 1000.0, False),
        (310.0, 50.0, True),  # and three robust SD, which is 100
        (290.0, 50.0, False),
        (310.0, -80.0, True),
    ],
)
def test_tubes_are_exchanged_where_resting_cells_have_far_more_cd69(
    resting: float, active: float, swapped: bool
) -> None:
    assert checked(tube("unstimulated", resting), tube("stimulated", active)).swapped is swapped


@pytest.mark.parametrize(("rest", "active", "swapped"), [(85, 4, True), (84, 4, False), (80, 0, False), (81, 0, True)])
def test_tubes_are_exchanged_where_far_more_resting_cells_are_cd69_positive(
    rest: int, active: int, swapped: bool
) -> None:
    """20 points more, of 400 cells 80."""
    found = checked(tube("unstimulated", 200.0, active=rest), tube("stimulated", 200.0, active=active))
    assert found.swapped is swapped
    assert (found.differences == ()) is True


@pytest.mark.parametrize(
    ("cd69", "target", "swapped"),
    [
        (200.0, 700.0, True),
        (200.0, 590.0, False),  # less than three times the 200 of resting cells
        (700.0, 700.0, False),  # CD69 rose too
        (590.0, 610.0, True),
        (700.0, 200.0, False),
    ],
)
def test_labels_are_exchanged_where_a_background_tube_gains_target_and_no_cd69(
    cd69: float, target: float, swapped: bool
) -> None:
    rest = tube("unstimulated", 200.0)
    assert checked(rest, tube("stimulated", cd69, target, reagent="isotype")).markers_swapped is swapped
    # A tube with the stain is no background tube, and tells nothing.
    assert checked(rest, tube("stimulated", cd69, target)).markers_swapped is None
    both = checked(rest, tube("stimulated", cd69, target), tube("stimulated", cd69, target, reagent="isotype"))
    assert both.markers_swapped is swapped


@pytest.mark.parametrize("few", ["rest", "background"])
def test_labels_are_not_judged_by_few_cells(few: str) -> None:
    rest = tube("unstimulated", 200.0, cells=49 if few == "rest" else 400)
    background = tube("stimulated", 200.0, 700.0, reagent="isotype", cells=49 if few == "background" else 400)
    assert checked(rest, background).markers_swapped is None
    enough = tube("unstimulated", 200.0) if few == "rest" else tube("stimulated", 200.0, 700.0, reagent="isotype")
    assert checked(rest, background, enough).markers_swapped is True


def test_the_least_denominator_is_the_robust_sd_and_of_a_pile_the_width_of_the_scale() -> None:
    spread, piled = tube("stimulated", 500.0), tube("stimulated", 0.0)
    scales = {"CD69-A": SCALE}
    assert floor_of(spread, "CD69", scales) == pytest.approx(SD, rel=0.02)
    values = {"CD69": np.zeros(400), "target": np.zeros(400), "CD3": np.zeros(400)}
    piled = gated_tube(values, {CD8_NEGATIVE: first(400, 400)}, floors={"CD69-A": 0.0})
    assert floor_of(piled, "CD69", scales) == SCALE.linear_width


def labelled(
    t_of_cd8: float, cd8_of_t: float, *, cells: int = 1000, bright: int = 200, cd8_cells: int | None = None
) -> GatedTube:
    """Return lymphocytes of which so many of the bright CD8+ are CD3+, and so many of the bright CD3+ CD8+."""
    both = round(t_of_cd8 * bright)
    cd3_cells = round(both / cd8_of_t) if cd8_of_t else bright
    random = np.random.default_rng(3)
    cd8, cd3 = random.normal(0, 100, cells), random.normal(0, 100, cells)
    cd8[: bright if cd8_cells is None else cd8_cells] += 20_000
    cd3[bright - both : bright - both + cd3_cells] += 20_000
    values = {"CD3": cd3, "CD8": cd8, "CD69": cd3, "target": cd8}
    return gated_tube(values, {LYMPHOCYTES: first(cells, cells)}, fcs=f"{t_of_cd8}")


def test_the_tube_with_most_cd8_cells_shows_that_they_were_stained() -> None:
    def tube(cd8: int, cells: int = 1000) -> GatedTube:
        indices = {CD3_POSITIVE: first(cells, cells), CD8_POSITIVE: first(cells, cd8)}
        return gated_tube(dict.fromkeys(("CD3", "CD8", "CD69", "target"), np.zeros(cells)), indices, fcs=f"{cd8}")

    assert checked(tube(3), tube(200)).cd8_percent == 20.0
    assert checked(tube(3)).cd8_percent == pytest.approx(0.3)
    assert checked(tube(3, cells=50)).cd8_percent is None


@pytest.mark.parametrize(
    ("t_of_cd8", "cd8_of_t", "swapped"),
    [
        (0.5, 0.95, True),
        (0.74, 0.96, True),
        (0.76, 0.99, False),  # CD8+ cells are T cells
        (0.5, 0.72, True),
        (0.5, 0.68, False),  # hardly more CD8+ ones among the others
        (0.9, 0.3, False),
        (0.15, 0.4, False),  # T lymphopenia: most CD8+ cells are NK cells, as bright as CD8+ T cells
    ],
)
def test_labels_of_cd3_and_cd8_are_exchanged_where_few_cd8_cells_are_t_cells(
    t_of_cd8: float, cd8_of_t: float, swapped: bool
) -> None:
    assert checked(labelled(t_of_cd8, cd8_of_t)).cd3_cd8_swapped is swapped


@pytest.mark.parametrize(
    ("tube", "known"),
    [
        (labelled(0.5, 0.95, cells=300, bright=100), True),
        (labelled(0.5, 0.95, cells=299, bright=100), False),
        (labelled(0.7, 0.95, cells=4000, bright=80), True),
        (labelled(0.5, 0.5, cells=4000, bright=40), False),
        (replace(labelled(0.5, 0.95), indices={}), False),
        (labelled(0.5, 0.95, bright=0), False),
        (labelled(0.0, 1.0), False),
        (labelled(0.0, 0.0, cd8_cells=0), False),
    ],
    ids=[
        "300 cells",
        "299 cells",
        "59 bright",
        "40 bright",
        "no lymphocytes",
        "neither",
        "no CD3+ cells",
        "no CD8+ cells",
    ],
)
def test_few_cells_do_not_tell_cd3_from_cd8(tube: GatedTube, known: bool) -> None:
    """One tube that does not tell leaves it to the others; of those that tell all must say so."""
    assert checked(tube).cd3_cd8_swapped is (True if known else None)
    assert checked(tube, labelled(0.5, 0.95)).cd3_cd8_swapped is True
    assert checked(tube, labelled(0.9, 0.3)).cd3_cd8_swapped is False


def test_the_worst_tube_is_told() -> None:
    tubes = [tube("stimulated", 200.0), tube("unstimulated", 200.0)]
    acquisitions = [
        replace(tubes[0].signal.acquisition, removed_percent=3.0, margin_percent=0.5, problem="no time"),
        replace(
            tubes[1].signal.acquisition, removed_percent=8.0, margin_percent=0.1,
            time_qc=replace(tubes[1].signal.acquisition.time_qc, drifts={"CD3": 9.0}),
        ),
    ]  # fmt: skip
    made = [
        replace(one, signal=replace(one.signal, acquisition=acquisition))
        for one, acquisition in zip(tubes, acquisitions, strict=True)
    ]
    found = acquisition_checks(gated_sample(*made))
    assert (found.removed_percent, found.margin_percent) == (8.0, 0.5)
    assert (found.untimed, found.drifting) == (("CD154-stimulated",), ("CD154-unstimulated",))


def test_a_change_is_of_any_population_but_those_of_all_events() -> None:
    """400 cells: CD69+ falls from 25 to 20 %; the gate in time itself from all to half does not count."""
    values = {"CD69": normal(400, 200, SD), "target": normal(400, 200, SD)}

    def gated(active: int, kept: int) -> GatedTube:
        return gated_tube(
            values,
            {"time": first(400, kept), CD3_POSITIVE: first(400, 200), ACTIVATED: first(400, active)},
            parents={CD3_POSITIVE: CD8_NEGATIVE},
        )

    assert largest_change(gated_sample(gated(50, 400)), gated_sample(gated(40, 200))) == pytest.approx(5.0)
    assert largest_change(gated_sample(gated(40, 400)), gated_sample(gated(50, 200))) == pytest.approx(5.0)


def test_without_a_cut_nothing_is_judged_twice() -> None:
    gated = gated_sample(tube("stimulated", 200.0))
    assert (
        without_time_gate([one.signal for one in gated.tubes], gated, "NORMAL", lambda _: pytest.fail("judged")) is None
    )

"""One donor or two, in closed form: which tubes are compared, by how much they differ, and what is allowed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cd40l_flow.assay.cd40l.gates import CD3_POSITIVE, CD8_NEGATIVE
from cd40l_flow.assay.shared_gates import LYMPHOCYTES, TIME
from cd40l_flow.decision.case import Difference
from cd40l_flow.decision.fingerprints import differences
from cd40l_flow.gating.model import GatedTube
from helpers.by_hand.cases import limits
from helpers.by_hand.gated_tubes import first, gated_tube, normal

EVENTS = 4000
GATING = limits().gating


def tube(
    fcs: str,
    t_cells: int = 2000,
    lymphocytes: int = 3000,
    cd8_negative: int = 1200,
    stimulation: str = "stimulated",
    fsc: tuple[float, float] = (50_000.0, 5000.0),
    ssc: tuple[float, float] = (20_000.0, 3000.0),
    **changes: object,
) -> GatedTube:
    """Return a tube whose first events are T cells; ``fsc`` and ``ssc`` are median and SD of theirs."""
    cd3 = np.where(first(EVENTS, t_cells), 5000.0, 0.0)
    # The other events lie far from the T cells, which alone may count.
    scatter = {
        name: np.concatenate((normal(t_cells, *law), np.full(EVENTS - t_cells, 1000.0)))
        for name, law in (("FSC", fsc), ("SSC", ssc))
    }
    names = {TIME: EVENTS, LYMPHOCYTES: lymphocytes, CD3_POSITIVE: t_cells, CD8_NEGATIVE: cd8_negative}
    made = {
        "fcs": fcs, "stimulation": stimulation, "scatter": ("FSC", "SSC"), "boundaries": {"cd3_low": 1000.0},
    } | changes  # fmt: skip
    gates = made.pop("gates", tuple(names))
    populations = {name: first(EVENTS, cells) for name, cells in names.items() if name in gates}  # type: ignore[operator]
    return gated_tube({"CD3": cd3, **scatter}, populations, **made)  # type: ignore[arg-type]


def found(*tubes: GatedTube) -> dict[str, Difference]:
    return {one.what.split()[0] + one.unit: one for one in differences(tubes, GATING)}


def share_error(cells: int, total: int) -> float:
    """Return the standard error of a percent by Agresti and Coull's added counts."""
    share = (cells + 2) / (total + 4)
    return 100 * math.sqrt(share * (1 - share) / (total + 4))


@pytest.mark.parametrize(("stimulation", "wider"), [("stimulated", (1.0, 1.0)), ("unstimulated", (2.0, 1.25))])
def test_shares_differ_by_their_percents_and_may_by_gating_and_counting(
    stimulation: str, wider: tuple[float, float]
) -> None:
    """Between the two states PMA lowers CD3: twice as much is allowed for it, 1.25 times as much for CD8."""
    made = found(tube("1.fcs", 2000, 3000, 1200), tube("2.fcs", 1500, 2500, 600, stimulation))
    one, other = made["CD3+points"], made["CD8-points"]
    assert one.tubes == other.tubes == ("1.fcs", "2.fcs")
    assert one.value == pytest.approx(100 * (2000 / 3000 - 1500 / 2500))
    assert other.value == pytest.approx(100 * (1200 / 2000 - 600 / 1500))
    points = GATING.tube_delta_points
    for difference, across, pairs in (
        (one, wider[0], ((2000, 3000), (1500, 2500))),
        (other, wider[1], ((1200, 2000), (600, 1500))),
    ):
        errors = math.hypot(*(share_error(*pair) for pair in pairs))
        assert difference.limit == pytest.approx(math.hypot(across * points, 4 * errors))


def test_of_several_tubes_the_two_furthest_apart_are_told() -> None:
    made = found(tube("1.fcs", 2000), tube("2.fcs", 1900), tube("3.fcs", 1700))
    assert made["CD3+points"].tubes == ("1.fcs", "3.fcs")


@pytest.mark.parametrize("stimulation", ["stimulated", "unstimulated"])
def test_scatter_differs_by_the_ratio_of_medians(stimulation: str) -> None:
    """Stimulated cells are 12 % larger; SSC is compared within a state only."""
    made = found(
        tube("1.fcs"), tube("2.fcs", 1600, stimulation=stimulation, fsc=(40_000.0, 2000.0), ssc=(16_000.0, 0.0))
    )
    fsc = made["FSC%"]
    grown = 0.0 if stimulation == "stimulated" else 0.12
    assert fsc.value == pytest.approx(100 * (math.exp(abs(math.log(50 / 40) - grown)) - 1), rel=1e-3)
    # The standard error of the median of a normal law, 1.2533 SD / sqrt(n), as part of the median.
    errors = 125.33 * math.hypot(0.1 / math.sqrt(2000), 0.05 / math.sqrt(1600))
    across = 1.0 if stimulation == "stimulated" else 1.35
    assert fsc.limit == pytest.approx(math.hypot(across * GATING.tube_delta_percent, 4 * errors), rel=1e-3)
    assert ("SSC%" in made) is (stimulation == "stimulated")
    if "SSC%" in made:
        assert made["SSC%"].value == pytest.approx(25.0, rel=1e-3)
        alone = 125.33 * 0.15 / math.sqrt(2000)
        assert made["SSC%"].limit == pytest.approx(math.hypot(GATING.tube_delta_percent, 4 * alone), rel=1e-3)


@pytest.mark.parametrize(
    ("cells", "kinds"), [(100, {"CD3+points", "CD8-points", "FSC%", "SSC%"}), (99, {"CD3+points"})]
)
def test_a_hundred_cells_are_needed(cells: int, kinds: set[str]) -> None:
    assert set(found(tube("1.fcs"), tube("2.fcs", cells, 3000, 50))) == kinds
    assert set(found(tube("1.fcs"), tube("2.fcs", cells, cells, 50))) == kinds - (
        {"CD3+points"} if cells < 100 else set()
    )


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({"boundaries": {}}, {"FSC%", "SSC%"}),
        ({"scatter": ("FSC", None)}, {"SSC%"}),
        ({"scatter": (None, "SSC")}, {"FSC%"}),
        ({"fsc": (0.0, 10.0)}, {"FSC%"}),
        ({"ssc": (-5.0, 10.0)}, {"SSC%"}),
        ({"gates": (TIME, LYMPHOCYTES, CD3_POSITIVE)}, {"CD8-points"}),
        ({"gates": (TIME, LYMPHOCYTES, CD8_NEGATIVE)}, {"CD3+points", "CD8-points"}),
        ({"gates": (TIME, CD3_POSITIVE, CD8_NEGATIVE)}, {"CD3+points"}),
    ],
    ids=["no CD3", "no SSC", "no FSC", "no light", "less than none", "no CD8", "no T cells", "no lymphocytes"],
)
def test_what_a_tube_lacks_is_not_compared(changes: dict[str, object], lacking: set[str]) -> None:
    everything = {"CD3+points", "CD8-points", "FSC%", "SSC%"}
    assert set(found(tube("1.fcs"), tube("2.fcs", **changes))) == everything - lacking  # type: ignore[arg-type]


def test_a_median_of_one_channel_is_one() -> None:
    """The smallest that has a logarithm: e^4 channels are 400 % above it, in logarithms."""
    made = found(tube("1.fcs", ssc=(1.0, 0.0)), tube("2.fcs", ssc=(math.exp(4), 0.0)))
    assert made["SSC%"].value == pytest.approx(100 * (math.exp(4) - 1), rel=1e-5)

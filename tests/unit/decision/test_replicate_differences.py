"""How far replicate tubes differ and may differ, in closed form, and what is said where they cannot be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.assay.cd40l.gates import ACTIVATED, CD4_POSITIVE, CD8_NEGATIVE
from cd40l_flow.assay.effects import ALL_CALLS, NO_CALLS
from cd40l_flow.assay.shared_gates import TIME
from cd40l_flow.decision.case import Difference, Replicate, ReplicateGroup
from cd40l_flow.decision.replicates import level_free_distance, replicate_groups, replicate_guards
from cd40l_flow.gating.model import GatedTube
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.medians import median_interval
from cd40l_flow.mixture.proportion import Z95
from helpers.by_hand.cases import HEALTHY, limits, make_case
from helpers.by_hand.gated_tubes import SCALE, first, gated_sample, gated_tube, normal

LIMITS, GUARDS = limits(), limits().guards
EVENTS = 1000


def tube(
    fcs: str,
    active: int = 500,
    parent: int = 800,
    cd69: tuple[float, float] = (4000.0, 400.0),
    target: tuple[float, float] = (9000.0, 900.0),
    stimulation: str = "stimulated",
    reagent: str = "CD154",
    detectors: Mapping[str, str] | None = None,
    gates: tuple[str, ...] = (TIME, CD8_NEGATIVE, ACTIVATED),
) -> GatedTube:
    """Return a tube whose first events are activated cells, with median and SD of their CD69 and target."""
    cells = {TIME: EVENTS, CD8_NEGATIVE: parent, CD4_POSITIVE: 600, ACTIVATED: active}
    kept = active if stimulation == "stimulated" else parent
    values = {
        name: np.concatenate((normal(kept, *law), np.full(EVENTS - kept, 10.0)))
        for name, law in (("CD69", cd69), ("target", target))
    }
    return gated_tube(
        values, {name: first(EVENTS, cells[name]) for name in gates}, fcs=fcs, stimulation=stimulation,
        reagent=reagent, detectors=detectors,
    )  # fmt: skip


def groups(*tubes: GatedTube) -> tuple[ReplicateGroup, ...]:
    measured = {"CD154": replace(HEALTHY, threshold=9000.0), "CD40-Ig": replace(HEALTHY, reagent="CD40-Ig")}
    return replicate_groups(gated_sample(*tubes), measured, LIMITS)


def found(*tubes: GatedTube) -> dict[str, Difference]:
    (group,) = groups(*tubes)
    return {one.what: one for one in group.differences}


SHARE, CD69 = f"{ACTIVATED} of {CD8_NEGATIVE}", "CD69 median of activated cells"
DISTANCE, DETECTORS = "Distance of the target's distributions", "Detectors of the target"


def test_shares_differ_by_their_percents_and_may_by_pipetting_and_counting() -> None:
    one = found(tube("1.fcs", 500, 800), tube("2.fcs", 300, 600))[SHARE]
    assert (one.tubes, one.unit) == (("1.fcs", "2.fcs"), "points")
    assert one.value == pytest.approx(62.5 - 50.0)
    parts = [(cells + 2) / (total + 4) for cells, total in ((500, 800), (300, 600))]
    variance = sum(part * (1 - part) / (total + 4) for part, total in zip(parts, (800, 600), strict=True))
    assert one.limit == pytest.approx(math.hypot(GUARDS.replicate_points_max, 400 * math.sqrt(variance)))


def test_cd69_differs_by_the_ratio_of_medians() -> None:
    """The error of a logarithm of a median is its interval's over 2 x 1.96; both add in squares."""
    first_tube, second = tube("1.fcs", 500), tube("2.fcs", 400, cd69=(5000.0, 600.0))
    one = found(first_tube, second)[CD69]
    assert one.value == pytest.approx(25.0, rel=1e-4)
    variance = 0.0
    for each in (first_tube, second):
        low, high = median_interval(each.linear("CD69", ACTIVATED))
        assert low is not None and high is not None
        variance += (math.log(high / low) / (2 * Z95)) ** 2
    assert one.limit == pytest.approx(math.hypot(GUARDS.replicate_level_max, 400 * math.sqrt(variance)))


def test_the_target_differs_by_smirnov_s_distance() -> None:
    """A fifth of the cells without the target: 0.2; the limit is that of two samples of 500 and 400 cells."""
    second = tube("2.fcs", 400)
    dark = np.where(np.arange(EVENTS) < 80, 10.0, second.signal.linear("target"))
    values = {"CD69": second.signal.linear("CD69"), "target": dark}
    second = gated_tube(
        values,
        {TIME: first(EVENTS, EVENTS), CD8_NEGATIVE: first(EVENTS, 800), ACTIVATED: first(EVENTS, 400)},
        fcs="2.fcs",
    )
    one = found(tube("1.fcs", 500), second)[DISTANCE]
    assert one.value == pytest.approx(0.2, abs=0.03)
    assert one.limit == pytest.approx(math.hypot(GUARDS.replicate_distance_max, 2.28 * math.sqrt(1 / 500 + 1 / 400)))


@pytest.mark.parametrize(("factor", "apart"), [(1.19, 0.0), (1 / 1.19, 0.0), (1.5, 0.3), (1 / 1.5, 0.3)])
def test_another_brightness_within_a_fifth_is_no_difference(factor: float, apart: float) -> None:
    values = normal(2000, 9000.0, 2000.0)
    counts = [histogram(SCALE.forward(each), 512) for each in (values, factor * values)]
    distance = level_free_distance(counts[0], counts[1], SCALE, 20.0)
    assert distance < 0.06 if not apart else distance > apart


def test_brightness_may_differ_by_so_many_percent_and_numbers_of_cells_by_any() -> None:
    """A narrow peak at 1.2 times the light lies on the other one, at 1.25 times beside it."""
    values = normal(2000, 9000.0, 500.0)
    counts, near, far = (histogram(SCALE.forward(factor * values), 512) for factor in (1.0, 1.2, 1.25))
    assert level_free_distance(counts, near, SCALE, 20.0) < 0.05
    assert level_free_distance(counts, far, SCALE, 20.0) > 0.2
    assert level_free_distance(near, counts, SCALE, 20.0) < 0.05
    assert level_free_distance(counts, 0.01 * counts, SCALE, 20.0) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("cells", "lacking"), [(20, set()), (19, {CD69, DISTANCE})])
def test_twenty_cells_are_needed(cells: int, lacking: set[str]) -> None:
    few = tube("2.fcs", active=cells)
    assert set(found(tube("1.fcs"), few)) == {SHARE, f"{CD8_NEGATIVE} of {TIME}", CD69, DISTANCE} - lacking
    (group,) = groups(tube("1.fcs"), few)
    told = group.replicates[1]
    assert told.cells == cells
    assert (told.cd69_median is None) is (told.target_median is None) is (told.percent_above is None) is bool(lacking)
    parents = found(tube("1.fcs"), tube("2.fcs", active=5, parent=cells))
    assert (SHARE in parents) is not lacking or not lacking


@pytest.mark.parametrize(("parent", "known"), [(20, True), (19, False)])
def test_a_percent_is_of_twenty_cells_or_more(parent: int, known: bool) -> None:
    assert (SHARE in found(tube("1.fcs"), tube("2.fcs", active=5, parent=parent))) is known
    assert (SHARE in found(tube("1.fcs", active=5, parent=parent), tube("2.fcs"))) is known


@pytest.mark.parametrize("gates", [(TIME, CD8_NEGATIVE), (TIME,)])
def test_what_one_tube_lacks_is_not_compared(gates: tuple[str, ...]) -> None:
    for pair in ((tube("1.fcs"), tube("2.fcs", gates=gates)), (tube("1.fcs", gates=gates), tube("2.fcs"))):
        made = found(*pair)
        assert not {SHARE, CD69, DISTANCE} & set(made)


def test_of_three_tubes_the_two_furthest_apart_are_told_and_those_that_cannot_be_compared_do_not_hide_it() -> None:
    made = found(tube("1.fcs", active=10), tube("2.fcs"), tube("3.fcs", cd69=(6000.0, 400.0)))
    assert made[CD69].tubes == ("2.fcs", "3.fcs")
    assert made[SHARE].tubes == ("1.fcs", "2.fcs")


@pytest.mark.parametrize("law", [(0.0, 0.0), (0.0, 400.0), (-300.0, 400.0)])
def test_cd69_of_no_light_has_no_ratio(law: tuple[float, float]) -> None:
    assert CD69 not in found(tube("1.fcs"), tube("2.fcs", cd69=law))
    # Where the lower end of its interval has light, there is one.
    assert CD69 in found(tube("1.fcs"), tube("2.fcs", cd69=(0.3, 0.0)))


def test_other_detectors_are_told_and_their_light_is_not_compared() -> None:
    other = found(tube("1.fcs"), tube("2.fcs", detectors={"CD69": "FITC-A"}))
    assert CD69 not in other and DISTANCE in other
    one = found(tube("1.fcs"), tube("2.fcs", detectors={"target": "APC-A"}))[DETECTORS]
    assert (one.value, one.limit, one.unit) == (2.0, 1.0, "detectors")


def test_a_replicate_is_told_by_its_own_cells() -> None:
    """Half of the cells lie above a threshold at their median; percents are of CD4+ cells where these are gated."""
    (group,) = groups(tube("1.fcs"), tube("2.fcs", gates=(TIME, CD8_NEGATIVE, CD4_POSITIVE, ACTIVATED)))
    assert (group.population, group.serves) == (ACTIVATED, ("CD154",))
    one, other = group.replicates
    assert (one.cells, one.cd69_median, one.target_median, one.percent_above) == (
        500, pytest.approx(4000.0), pytest.approx(9000.0), 50.0,
    )  # fmt: skip
    assert one.cd69_percent == pytest.approx(100 * 500 / 800)
    assert other.cd69_percent == pytest.approx(100 * 500 / 600)
    (empty,) = groups(tube("1.fcs", gates=(TIME,)), tube("2.fcs", active=0, parent=0))
    assert [each.cd69_percent for each in empty.replicates] == [None, None]


def test_resting_cells_serve_all_and_a_background_whom_it_is_the_background_of() -> None:
    (rest,) = groups(*(tube(f"{n}.fcs", stimulation="unstimulated") for n in (1, 2)))
    assert (rest.population, rest.serves) == (CD8_NEGATIVE, ())
    assert CD69 not in {one.what for one in rest.differences}
    (own,) = groups(*(tube(name, reagent="isotype") for name in ("isotype.fcs", "2.fcs")))
    assert own.serves == ("CD154", "CD40-Ig")
    (unused,) = groups(*(tube(name, reagent="isotype") for name in ("1.fcs", "2.fcs")))
    assert unused.serves == ()
    assert groups(tube("1.fcs"), tube("2.fcs", reagent="isotype")) == ()
    # One background on two detectors is two.
    apart = [tube(f"{n}.fcs", reagent="isotype", detectors={"target": f"{n}"}) for n in (1, 2)]
    assert groups(*apart) == ()


APART = Difference("Share", ("1.fcs", "2.fcs"), 9.0, 8.0, "points")
ALIKE = replace(APART, value=2.0, what="Near")
NEARER = replace(APART, value=1.0, what="Nearer")
TWO = tuple(Replicate(name, 10, None, None, None, None) for name in ("1.fcs", "2.fcs"))


def guarded(stimulation: str, serves: tuple[str, ...], *differences: Difference) -> list[tuple[object, ...]]:
    group = ReplicateGroup(stimulation, "isotype", ACTIVATED, serves, TWO, differences)
    return [
        (one.reagent, one.fired, one.blocks, one.value, one.limit)
        for one in replicate_guards(make_case(replicates=(group,)))
    ]


def test_replicates_that_differ_stand_against_whom_they_serve() -> None:
    """Those of a background that nobody uses only warn; resting cells serve all."""
    fired = (True, ALL_CALLS, 9.0, 8.0)
    assert guarded("stimulated", ("CD154", "CD40-Ig"), ALIKE, APART) == [("CD154", *fired), ("CD40-Ig", *fired)]
    assert guarded("unstimulated", (), APART) == [("", *fired)]
    assert guarded("stimulated", (), APART) == [("", True, NO_CALLS, 9.0, 8.0)]
    # At its limit a difference is none, and of those the nearest to it is told.
    assert guarded("stimulated", ("CD154",), NEARER, replace(APART, value=8.0), ALIKE) == [
        ("CD154", False, ALL_CALLS, 8.0, 8.0)
    ]
    narrow = replace(APART, value=1.9, limit=2.0)
    assert guarded("stimulated", ("CD154",), narrow, ALIKE) == [("CD154", False, ALL_CALLS, 1.9, 2.0)]


def test_replicates_too_small_to_compare_only_warn() -> None:
    group = ReplicateGroup("stimulated", "CD154", ACTIVATED, ("CD154",), TWO, ())
    (one,) = replicate_guards(make_case(replicates=(group,)))
    assert (one.reagent, one.fired, one.blocks) == ("CD154", None, NO_CALLS)
    assert "1.fcs and 2.fcs (stimulated CD154)" in one.message

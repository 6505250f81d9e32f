"""Replicates are compared with each other before they are pooled: what disagrees is no result, what agrees is one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from math import erf, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from cd40l_flow.base.schema import load_schema
from cd40l_flow.cohort.plan import Plan, load_plan
from cd40l_flow.decision.assess import assess
from cd40l_flow.decision.case import Difference
from cd40l_flow.decision.replicates import level_free_distance, replicate_groups
from cd40l_flow.figures.densities import write_densities
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.report.sample import write_report
from cd40l_flow.simulate import Scenario
from helpers.by_hand.cases import SCALE
from helpers.results.records import analyse, write_record
from helpers.runs.cohorts import cd40l_flow
from helpers.simulated.replicates import LIMITS, USUAL, add_replicate, honest_pair, with_control

HEALTHY = Scenario("P01")
ABSENT = replace(HEALTHY, negative_fraction=0.99, expression_level=0.05)
REDUCED = replace(HEALTHY, expression_level=0.3)
WEAK = replace(HEALTHY, activated_fraction=0.5)
NO_IONOMYCIN = replace(HEALTHY, ionomycin=False)
CODE = "REPLICATE_DISCORDANT"


def mosaic(negative: float) -> Scenario:
    return replace(HEALTHY, negative_fraction=negative)


_controls: list[dict[str, Any]] = []


def control(plan: Plan) -> dict[str, Any]:
    """Return the result of the healthy control, which is the same in every cohort here."""
    if not _controls:
        _controls.append(analyse(plan.job("C01"), {})[0])
    return _controls[0]


def called(folder: Path) -> dict[str, Any]:
    """Return the result of the sample, as the workflow would make it."""
    with chdir(folder):
        plan = load_plan("config/config.yaml")
        return analyse(plan.job("P01"), {"C01": control(plan)})[0]


def beyond(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        one for group in result["replicates"] for one in group["differences"] if one["value"] > one["limit"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (HEALTHY, REDUCED),
        (HEALTHY, ABSENT),
        (ABSENT, HEALTHY),
        (REDUCED, ABSENT),
        (HEALTHY, mosaic(0.22)),
        (HEALTHY, mosaic(0.35)),
        (HEALTHY, mosaic(0.6)),
        (mosaic(0.9), HEALTHY),
        (HEALTHY, WEAK),
        (HEALTHY, replace(HEALTHY, activated_fraction=0.78)),
        (HEALTHY, NO_IONOMYCIN),
    ],
    ids=[
        "healthy and reduced",
        "healthy and absent",
        "absent and healthy",
        "reduced and absent",
        "healthy and mosaic of 22 %",
        "healthy and mosaic of 35 %",
        "healthy and mosaic of 60 %",
        "mosaic of 90 % and healthy",
        "half activated",
        "a little less activated",
        "without ionomycin",
    ],
)
def test_tubes_that_disagree_are_no_result(first: Scenario, second: Scenario, tmp_path: Path) -> None:
    """Pooled, two tubes of different cells look like a patient who does not exist: neither is called."""
    with_control(tmp_path, first)
    add_replicate(tmp_path, first, second)

    found = called(tmp_path)

    assert found["call"] == "INDETERMINATE"
    assert CODE in found["reasons"]
    assert found["subcalls"]["CD154"]["call"] == "INDETERMINATE"
    assert CODE in found["subcalls"]["CD154"]["reasons"]
    assert found["qc"] == "fail"


@pytest.mark.parametrize("function", [0.0, 0.3])
def test_cd40_ig_tubes_that_disagree_are_no_result(function: float, tmp_path: Path) -> None:
    """Neither a defect of function nor normal function is read from a pool of both."""
    with_control(tmp_path, HEALTHY)
    add_replicate(tmp_path, HEALTHY, replace(HEALTHY, function=function), reagent="CD40-Ig")

    found = called(tmp_path)

    assert (found["call"], found["reasons"]) == ("INDETERMINATE", [CODE])
    assert (found["subcalls"]["CD154"]["call"], found["subcalls"]["CD40-Ig"]["reasons"]) == ("NORMAL", [CODE])


@pytest.mark.parametrize(
    "scenario", [HEALTHY, ABSENT, REDUCED, mosaic(0.5)], ids=["NORMAL", "ABSENT", "REDUCED", "MOSAIC"]
)
def test_tubes_that_agree_are_pooled_and_called(scenario: Scenario, tmp_path: Path) -> None:
    """Honest replicates change no call; their cells are counted together."""
    with_control(tmp_path, scenario)
    alone = called(tmp_path)
    for reagent in ("CD154", "isotype", "CD40-Ig"):
        add_replicate(tmp_path, scenario, replace(scenario, events=4000), reagent=reagent)
    add_replicate(tmp_path, scenario, scenario, stimulation="unstimulated")

    found = called(tmp_path)

    assert beyond(found) == []
    assert (found["call"], found["reasons"], found["qc"]) == (alone["call"], alone["reasons"], alone["qc"])
    assert found["activated_events"] > 1.3 * alone["activated_events"]
    assert {(group["stimulation"], group["reagent"]) for group in found["replicates"]} == {
        ("stimulated", "CD154"),
        ("stimulated", "isotype"),
        ("stimulated", "CD40-Ig"),
        ("unstimulated", "CD154"),
    }


@pytest.mark.slow
def test_honest_replicates_are_hardly_ever_doubted(tmp_path: Path) -> None:
    """Of 102 pairs that differ in event counts, dyes and gains, over all instruments, at most one in a hundred is."""
    doubted: list[tuple[int, list[Difference]]] = []
    compared = 0
    for number in range(102):
        folder = tmp_path / str(number)
        folder.mkdir()
        gated = honest_pair(folder, number)
        groups = assess(gated, (), None, (), LIMITS, alone=False).replicates
        far = [one for group in groups for one in group.differences if one.value > one.limit]
        compared += len(groups)
        if far:
            doubted.append((number, far))

    assert compared == 102
    assert len(doubted) <= 1, doubted


def test_one_bad_tube_among_three_is_found(tmp_path: Path) -> None:
    """The more good tubes there are, the less a bad one shows in the pool: every pair is compared."""
    with_control(tmp_path, HEALTHY)
    bad = add_replicate(tmp_path, HEALTHY, mosaic(0.5))
    add_replicate(tmp_path, HEALTHY, HEALTHY, number=3)

    found = called(tmp_path)

    assert found["reasons"][0] == CODE
    worst = max(beyond(found), key=lambda one: one["value"] / one["limit"])
    assert bad in worst["tubes"]
    assert len(found["replicates"][0]["replicates"]) == 3


def test_backgrounds_that_disagree_take_the_reagents_that_rest_on_them(tmp_path: Path) -> None:
    """A threshold between two backgrounds is right for neither; CD40-Ig, which has its own, is not touched."""
    with_control(tmp_path, HEALTHY)
    add_replicate(tmp_path, HEALTHY, replace(HEALTHY, background_shift=6.0), reagent="isotype")

    found = called(tmp_path)

    assert (found["call"], CODE in found["reasons"]) == ("INDETERMINATE", True)
    assert CODE in found["subcalls"]["CD154"]["reasons"]
    assert CODE not in found["subcalls"]["CD40-Ig"]["reasons"]


def test_resting_tubes_that_disagree_leave_no_call(tmp_path: Path) -> None:
    """Resting cells fix the CD69 boundary of all tubes: one that is stimulated after all takes every call."""
    with_control(tmp_path, HEALTHY)
    add_replicate(tmp_path, HEALTHY, HEALTHY, stimulation="unstimulated", cells="stimulated")

    found = called(tmp_path)

    assert (found["call"], CODE in found["reasons"]) == ("INDETERMINATE", True)


def test_a_control_whose_replicates_disagree_fails(tmp_path: Path) -> None:
    """Nothing may be compared with a control that is two people's: it fails, and the run with it."""
    with_control(tmp_path, HEALTHY)
    add_replicate(tmp_path, replace(HEALTHY, sample="C01"), REDUCED)

    with chdir(tmp_path):
        plan = load_plan("config/config.yaml")
        failed = analyse(plan.job("C01"), {})[0]
        found = analyse(plan.job("P01"), {"C01": failed})[0]

    assert (failed["call"], CODE in failed["reasons"]) == ("INDETERMINATE", True)
    assert (found["call"], found["reasons"][0]) == ("INDETERMINATE", "CONTROL_FAILED")


@pytest.fixture(scope="module")
def disagreeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A healthy sample and a replicate of its CD154 tube from absent cells, with the result and the report."""
    folder = tmp_path_factory.mktemp("disagreeing")
    with_control(folder, HEALTHY)
    add_replicate(folder, HEALTHY, ABSENT)
    with chdir(folder):
        plan = load_plan("config/config.yaml")
        results: dict[str, dict[str, Any]] = {}
        for name in ("C01", "P01"):
            given = {"C01": results["C01"]} if name == "P01" else {}
            results[name], arrays = analyse(plan.job(name), given)
            write_record(results[name], Path(f"{name}.json"))
            write_densities(arrays, Path(f"{name}.npz"))
        write_report("P01.json", "P01.npz", [("C01.json", "C01.npz")], "report.html", {})
    yield folder


def test_both_are_shown(disagreeing: Path) -> None:
    """The result holds what each tube says by itself, and the report shows it with what they disagree in."""
    result = json.loads((disagreeing / "P01.json").read_text(encoding="utf-8"))
    page = (disagreeing / "report.html").read_text(encoding="utf-8")

    Draft202012Validator(load_schema("result.schema.json")).validate(result)
    (group,) = result["replicates"]
    healthy, absent = group["replicates"]
    assert (healthy["fcs"], absent["fcs"]) == ("P01_stim_cd154.fcs", "P01_stim_cd154_2.fcs")
    assert healthy["percent_above"] > 80 and absent["percent_above"] < 5
    assert healthy["target_median"] > 10 * absent["target_median"]
    assert min(healthy["cd69_percent"], absent["cd69_percent"]) > 90
    section = page[page.index('id="replicates"') : page.index('id="tubes"')]
    assert "P01_stim_cd154.fcs" in section and "P01_stim_cd154_2.fcs" in section
    assert section.count("Disagree") == 1
    assert "Replicate tubes disagree" in page


def test_check_names_every_pooled_pair(disagreeing: Path) -> None:
    """Before anything is computed, the check names both files; a tube alone in its place is not told of."""
    process = cd40l_flow("check", "--directory", disagreeing, "--configfile", disagreeing / "config/config.yaml")

    told = json.loads((disagreeing / "results/check.json").read_text(encoding="utf-8"))
    found = [one for one in told["problems"] if one["code"] == "REPLICATES"]
    assert process.returncode == 0
    assert [(one["severity"], one["sample"], one["line"]) for one in found] == [("warning", "P01", 12)]
    for name in ("P01_stim_cd154.fcs", "P01_stim_cd154_2.fcs"):
        assert f'"{name}"' in found[0]["message"]


def test_tubes_on_two_detectors_are_no_replicates(tmp_path: Path) -> None:
    """Channel values of two detectors have nothing in common: they are never pooled into one law."""
    gated = honest_pair(tmp_path, 0)
    number, tube = next(
        (number, one) for number, one in enumerate(gated.tubes) if one.signal.events.tube.fcs.endswith("_cd154_2.fcs")
    )
    events = tube.signal.events
    moved = replace(events, markers={**events.markers, "target": events.markers["CD69"]})
    tubes = list(gated.tubes)
    tubes[number] = replace(tube, signal=replace(tube.signal, events=moved))

    (group,) = replicate_groups(replace(gated, tubes=tuple(tubes)), {}, LIMITS)

    found = next(one for one in group.differences if one.what == "Detectors of the target")
    assert (found.value, found.limit) == (2.0, 1.0)


def law(level: float, negative: float, seed: int, n: int = 20_000) -> Any:
    """Return binned target values: negatives near zero, positives log-normal about 8,000 times a level."""
    random = np.random.default_rng(seed)
    values = random.normal(150, 60, n)
    positive = random.random(n) >= negative
    values[positive] += 8000 * level * np.exp(0.4 * random.standard_normal(int(positive.sum())))
    return histogram(SCALE.forward(values), 512)


@pytest.mark.parametrize("level", [0.85, 1.0, 1.18])
def test_a_brighter_stain_is_no_distance(level: float) -> None:
    """What one factor within the limit explains leaves what counting leaves: D of order 1/sqrt(n)."""
    assert level_free_distance(law(1.0, 0.1, 1), law(level, 0.1, 2), SCALE, 20.0) < 0.02


@pytest.mark.parametrize("share", [0.1, 0.25, 0.6])
def test_other_cells_are_a_distance_of_their_share(share: float) -> None:
    """Cells that moved from one population to another are, wherever the populations do not touch, D itself."""
    found = level_free_distance(law(1.0, 0.1, 1), law(1.1, 0.1 + share, 2), SCALE, 20.0)

    assert found == pytest.approx(share, abs=0.02)


def test_a_factor_beyond_the_limit_is_a_distance() -> None:
    """A normal law of the logarithm, SD s, shifted by d: D = 2 Phi(d / 2s) - 1 of the positive cells."""
    found = level_free_distance(law(1.0, 0.0, 1), law(2.0, 0.0, 2), SCALE, 20.0)

    shift = log(2.0) - log(1.2)
    assert found == pytest.approx(erf(shift / (2 * 0.4) / sqrt(2)), abs=0.02)
    assert USUAL.cd154_sd == pytest.approx(0.4, abs=0.05)

"""The call with and without what was cut in time, from FCS files to the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.simulate import Fault, Scenario, SimulationParameters, healthy_control, write_cohort
from helpers.results.records import analyse

Result = dict[str, Any]
CLOGGED = Scenario("clogged", faults=(Fault("clog"),))
# Forty percent of the CD154 tube at under half its signal.
LONG = replace(SimulationParameters(), clog_start=0.5, clog_end=0.9)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    folder = tmp_path_factory.mktemp("uncut")
    control = replace(healthy_control(), faults=(Fault("clog", "CD40-Ig"),))
    cohort = (control, Scenario("steady"), CLOGGED, Scenario("untimed", faults=(Fault("no_time"),)))
    write_cohort(folder, 4, cohort=cohort, parameters=LONG, events_scale=0.6)
    return analysed(folder, [scenario.sample for scenario in cohort])


def analysed(folder: Path, samples: list[str]) -> dict[str, Result]:
    """Return the results of samples, the control first."""
    found: dict[str, Result] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        plan = load_plan("config/config.yaml")
        for name in samples:
            job = plan.job(name)
            found[name] = analyse(job, {} if job.sample.role == "control" else {"C01": found["C01"]})[0]
    return found


def fired(result: Result, code: str) -> list[str]:
    return [guard["message"] for guard in result["guards"] if guard["code"] == code and guard["fired"]]


def test_a_steady_sample_has_no_other_call(results: dict[str, Result]) -> None:
    assert results["steady"]["acquisition"]["uncut"] is None
    assert fired(results["steady"], "ACQ_QC") == []
    assert (results["steady"]["call"], results["steady"]["reasons"]) == ("NORMAL", [])


def test_both_calls_of_a_clogged_sample_are_kept(results: dict[str, Result]) -> None:
    clogged = results["clogged"]
    uncut = clogged["acquisition"]["uncut"]
    tube = next(tube for tube in clogged["acquisition"]["tubes"] if tube["removed_percent"])

    assert clogged["call"] == "NORMAL"
    assert tube["removed_percent"] == pytest.approx(40, abs=0.5)
    assert tube["stretches"][0]["shifts"]["FSC"] < -15
    # Cells with under half their signal among the others: gates hold something else.
    assert uncut["change_points"] > 5
    assert uncut["reagents"]["CD40-Ig"]["events"] >= 0
    assert uncut["same_call"] == (uncut["call"] == clogged["call"])
    assert "ACQ_QC" in clogged["reasons"]
    assert any("without it the call is" in message for message in fired(clogged, "ACQ_QC"))


def test_a_control_has_both_calls_too(results: dict[str, Result]) -> None:
    control = results["C01"]

    assert control["call"] == "NORMAL"
    assert control["acquisition"]["uncut"]["call"] in ("NORMAL", "INDETERMINATE")
    assert control["lent"]["failures"] == []


def test_no_time_is_said_and_nothing_is_cut(results: dict[str, Result]) -> None:
    untimed = results["untimed"]
    problems = [tube["problem"] for tube in untimed["acquisition"]["tubes"]]

    assert problems.count("the file has no Time detector") == 1
    assert untimed["acquisition"]["uncut"] is None
    assert any("could not be assessed" in message for message in fired(untimed, "ACQ_QC"))

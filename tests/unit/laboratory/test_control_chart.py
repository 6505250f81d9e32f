"""Control charts as data: what is usual on this instrument with this lot, and where the controls of now lie."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from cd40l_flow.figures.control_chart import control_charts
from cd40l_flow.result.types.result import Result
from helpers.results.controls import control_result, many_controls, whole_result
from helpers.results.references import reference_of


def wholes(*results: dict[str, Any]) -> list[Result]:
    return [whole_result(result) for result in results]


def chart(charts: list[dict[str, Any]], measure: str, reagent: str = "CD154") -> dict[str, Any]:
    (found,) = [one for one in charts if (one["measure"], one["reagent"]) == (measure, reagent)]
    return found


HISTORY = many_controls(30)


def test_two_and_three_sd_of_the_history() -> None:
    now = control_result("C01", "NOW", month="2026-06")
    found = chart(control_charts(wholes(now), reference_of(HISTORY)), "percent_positive")
    values = [result["reagents"]["CD154"]["percent_positive"] for result in HISTORY]
    mean, sd = np.mean(values), np.std(values, ddof=1)
    assert (found["count"], found["few"], found["scale"]) == (30, False, "linear")
    for name, sds in (("low_3sd", -3), ("low_2sd", -2), ("high_2sd", 2), ("high_3sd", 3)):
        assert found[name] == pytest.approx(mean + sds * sd)
    assert [point["current"] for point in found["points"]] == [False] * 30 + [True]
    assert found["points"][-1] == {
        "sample": "C01", "run": "NOW", "month": "2026-06", "value": 90.0, "current": True, "status": "in",
    }  # fmt: skip


@pytest.mark.parametrize(("sds", "status"), [(1.9, "in"), (-2.1, "warn"), (2.9, "warn"), (3.1, "fail"), (-3.1, "fail")])
def test_status_of_a_control(sds: float, status: str) -> None:
    values = [result["reagents"]["CD154"]["percent_positive"] for result in HISTORY]
    now = control_result("C01", "NOW", percent=float(np.mean(values) + sds * np.std(values, ddof=1)))
    charts = control_charts(wholes(now), reference_of(HISTORY))
    assert chart(charts, "percent_positive")["points"][-1]["status"] == status


def test_mfi_is_charted_on_the_logarithm() -> None:
    found = chart(control_charts(wholes(control_result("C01", "NOW")), reference_of(HISTORY)), "mfi_above_background")
    logs = np.log([result["reagents"]["CD154"]["mfi_positive"] - 200 for result in HISTORY])
    assert found["scale"] == "log"
    assert found["mean"] == pytest.approx(math.exp(logs.mean()))
    assert found["high_2sd"] == pytest.approx(math.exp(logs.mean() + 2 * logs.std(ddof=1)))


def test_another_instrument_or_lot_has_its_own_chart() -> None:
    other = many_controls(5, seed=2, cytometer="Aria", lot="L2")
    for result, number in zip(other, range(5), strict=True):
        result["run"] = f"A{number}"
    content = reference_of([*HISTORY, *other])
    found = chart(
        control_charts(wholes(control_result("C01", "NOW", cytometer="Aria", lot="L2")), content), "cd69_percent"
    )
    assert (found["cytometer"], found["lot"], found["count"], found["few"]) == ("Aria", "L2", 5, True)
    new = chart(control_charts(wholes(control_result("C01", "NOW", lot="L9")), content), "percent_positive")
    assert (new["count"], new["mean"], new["low_3sd"], new["points"][-1]["status"]) == (0, None, None, "unknown")


def test_without_a_reference_only_the_controls_of_now() -> None:
    patient = control_result("P01", "R1", role="test")
    charts = control_charts(wholes(control_result(), patient, control_result("C02")), None)
    assert [point["sample"] for point in chart(charts, "negative_fraction")["points"]] == ["C01", "C02"]
    assert all(one["mean"] is None and one["few"] for one in charts)
    assert control_charts(wholes(patient), None) == []


def test_a_control_that_the_history_holds_already_is_shown_once() -> None:
    found = chart(control_charts(wholes(HISTORY[3]), reference_of(HISTORY)), "percent_positive")
    assert len(found["points"]) == 30
    assert [point["run"] for point in found["points"] if point["current"]] == ["R03"]
    assert found["count"] == 29


def test_plain_values_in_an_order_of_their_own() -> None:
    results = [control_result("C02", "NOW", negative=0.12), control_result("C01", "NOW")]
    charts = control_charts(wholes(*results), reference_of(HISTORY))
    assert json.loads(json.dumps(charts)) == charts == control_charts(wholes(*results[::-1]), reference_of(HISTORY))

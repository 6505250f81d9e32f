"""The laboratory's own curve of switched B cells: from results of healthy donors to a file, and from it to limits."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from cd40l_flow.assay.b_cell_limits import BCellLimits
from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.errors import Cd40lFlowError, RecordError
from cd40l_flow.base.plain_json import digest_of
from cd40l_flow.base.schema import load_schema
from cd40l_flow.cohort.ages import fine_band
from cd40l_flow.cohort.laboratory import laboratory
from cd40l_flow.cohort.reference import load_reference
from cd40l_flow.decision.b_cells.age_curve import OWN, AgeCurve
from cd40l_flow.decision.b_cells.measures import MemoryMeasures
from cd40l_flow.result.reference import collect, donor_of, summary_lines, write_reference
from cd40l_flow.result.types.b_cells import Memory
from cd40l_flow.result.types.result import Result
from helpers.by_hand.b_cells import memory
from helpers.results.controls import control_result, many_controls, whole_result
from helpers.results.references import as_reference

HARD = {"reagent": None, "fired": True, "effect": "hard", "value": None, "limit": None, "unit": "", "message": "No."}


def donor(number: int, age: float | None, measures: MemoryMeasures, **changed: Any) -> Result:
    """Return the result of a healthy donor of the memory tube."""
    row = control_result(f"M{number:03d}", f"R{number}", negative=0.1 + number * 1e-6)
    beside = {"age_band": fine_band(age), "age_z": 0.0, "limit_low": 1.0, "limit_absent": 0.5, "age_median": 5.0}
    shown = asdict(measures)
    del shown["stain"]
    record = msgspec.convert(json.loads(json.dumps(shown | beside | {"table": "T"})), Memory)
    made = whole_result(row | {"call": "INDETERMINATE"})
    values = {"assay": "memory_b", "memory": record, "guards": [], "reagents": {}} | changed
    return msgspec.structs.replace(made, **values)


def donors(count: int, seed: int = 1, first: float = 5.0, last: float = 9.9) -> list[Result]:
    """Return donors whose logit is normal about -1.5, SD 0.35."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        percent = float(100 / (1 + np.exp(-random.normal(-1.5, 0.35))))
        made.append(donor(number, float(random.uniform(first, last)), memory(percent, 20000)))
    return made


def content_of(results: list[Result]) -> dict[str, Any]:
    found = collect([(f"{number}.json", result) for number, result in enumerate(results)], Limits())
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


def test_donors_become_a_curve_that_decides(tmp_path: Path) -> None:
    content = content_of(donors(60))
    assert list(Draft202012Validator(load_schema("reference.schema.json")).iter_errors(content)) == []
    found = content["by_age"]
    assert (found["share"], found["donors"], found["bands"]["5 to 10 years"]) == ("switched", 60, 60)
    (knot,) = found["knots"]
    assert knot["mu"] == pytest.approx(-1.5, abs=0.15) and knot["sd"] == pytest.approx(0.35, abs=0.08)
    path = tmp_path / "reference.json"
    write_reference(as_reference(content), path)
    own = laboratory(load_reference(path)).by_age
    assert own is not None and msgspec.to_builtins(own.knots[0]) == knot
    at = AgeCurve(own).limits(7.0, BCellLimits())
    assert at.table == OWN and at.low < at.normal
    assert AgeCurve(own).limits(30.0, BCellLimits()) == AgeCurve().limits(30.0, BCellLimits())
    assert any("60 donors" in line for line in summary_lines(as_reference(content), 20))


def test_few_donors_are_provisional_and_the_summary_says_so() -> None:
    content = content_of(donors(8))
    assert content["by_age"]["provisional"] == ["5 to 10 years"]
    assert any("provisional because there are few donors" in line for line in summary_lines(as_reference(content), 20))
    assert content_of(donors(3))["by_age"]["knots"] == []


def test_the_order_of_the_results_does_not_matter() -> None:
    results = donors(25)
    assert content_of(results)["by_age"] == content_of(results[::-1])["by_age"]


def test_who_does_not_count() -> None:
    healthy = donor(1, 7.0, memory(15.0))
    assert donor_of(healthy, "switched") is not None
    with_values = msgspec.structs.replace
    guard = msgspec.convert({"code": "TOO_FEW_B", **HARD}, type(whole_result(control_result()).guards[0]))
    for other in (
        donor(2, None, memory(15.0)),
        with_values(healthy, role="test"),
        with_values(healthy, memory=None),
        with_values(healthy, guards=[guard]),
    ):
        assert donor_of(other, "switched") is None
    # Another control's failure is not this one's.
    assert donor_of(with_values(healthy, guards=[with_values(guard, code="CONTROL_ABSENT")]), "switched") is not None


def test_without_igm_of_every_donor_the_two_marker_share_is_taken() -> None:
    results = [*donors(10), donor(99, 7.0, replace(memory(15.0), switched=None))]
    assert content_of(results)["by_age"]["share"] == "switched_two_marker"


def test_references_of_the_first_assay_are_as_they_were() -> None:
    """Donors of memory add a part and change no other; without them there is none."""
    controls = [whole_result(one) for one in many_controls(22)]
    plain, both = content_of(controls), content_of([*controls, *donors(6)])
    assert "by_age" not in plain and "by_age" in both
    changed = {"by_age", "digest", "collected"}
    assert {key: value for key, value in both.items() if key not in changed} == {
        key: value for key, value in plain.items() if key not in changed
    }
    assert both["collected"]["controls"] == plain["collected"]["controls"] == 22
    assert laboratory(as_reference(plain)).by_age is None


def test_nothing_healthy_is_an_error() -> None:
    with pytest.raises(Cd40lFlowError, match="no healthy control"):
        content_of([donor(1, None, memory(15.0))])


def test_a_curve_changed_by_hand_is_refused(tmp_path: Path) -> None:
    content = content_of(donors(20))
    content["by_age"]["knots"][0]["sd"] = 0.0
    path = tmp_path / "reference.json"
    path.write_text(json.dumps(content | {"digest": digest_of(content)}), encoding="utf-8")
    with pytest.raises(RecordError, match="by_age.knots.0.sd"):
        load_reference(path)

"""The samples of one person on one page: in order, read together, and said so where the rows contradict each other."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.assay.limits import Limits, plain_limits
from cd40l_flow.base.model import Sample
from cd40l_flow.cohort.one_person import Facts, contradictions, person_problems
from cd40l_flow.decision.b_cells.joint import joint_words
from cd40l_flow.report.subjects.course import points_of
from cd40l_flow.report.subjects.page import render_person, write_people
from cd40l_flow.result.people.joined import Person, people_of
from cd40l_flow.result.people.table import COLUMNS
from cd40l_flow.result.reviews.state import UNSIGNED, ReviewState
from cd40l_flow.result.types.result import Result
from helpers.results.b_cell_results import by_hand, cd40, entry, memory


def person(*results: Result, ages: dict[str, float | None] | None = None, **states: ReviewState) -> Person:
    """Return the one person of some results."""
    (found,) = people_of([entry(one) for one in results], states, ages or {})
    return found


def page(*results: Result, ages: dict[str, float | None] | None = None) -> str:
    """Return the page of the one person of some results, without its style."""
    found = render_person(person(*results, ages=ages), {}, {one.sample: one for one in results})
    return re.sub(r"<style>.*?</style>", "", found, flags=re.DOTALL)


def few(sample: str = "P1M", **changes: Any) -> Result:
    """Return a memory sample without switched cells."""
    usual: dict[str, Any] = {"call": "SWITCHED_ABSENT", "memory": memory(0.1)}
    return by_hand(sample, "memory_b", **{**usual, **changes})


def test_the_calls_of_all_assays_are_read_together_and_each_stands() -> None:
    ill = by_hand("P1", call="ABSENT")
    told = page(ill, few(), by_hand("P1R", "cd40", call="PRESENT", cd40=cd40()))
    assert joint_words()["rows"]["concordant"]["reading"] in told
    assert "CD40LG" in told
    for word in ("Absent", "Switched memory absent", "CD40 present"):
        assert f">{word}</span>" in told
    assert "own call holds" in told


def test_a_reading_rests_on_the_last_sample_of_each_assay_and_names_it() -> None:
    first = few("A", metadata={"collected": "2"})
    last = by_hand("B", "memory_b", call="SWITCHED_NORMAL", memory=memory(), metadata={"collected": "10"})
    found = person(last, by_hand("C", metadata={"collected": "3"}), first)
    assert [visit.entry.sample for visit in found.visits] == ["A", "C", "B"]
    assert found.read["memory_b"].entry.sample == "B"
    assert found.joint.keys == ("unlikely",)
    assert not found.unordered
    told = page(last, by_hand("C", metadata={"collected": "3"}), first)
    assert "collected at different times" in told


def test_samples_whose_order_nobody_states_are_said_to_have_none() -> None:
    assert person(few("A"), few("B")).unordered == ("memory_b",)
    assert person(few("A"), few("B", metadata={"collected": "1"})).unordered == ()
    same = {"metadata": {"collected": "1"}}
    assert person(few("A", **same), few("B", **same)).unordered == ("memory_b",)


def test_a_reviewed_call_is_read_in_place_of_the_automatic_one() -> None:
    ill = by_hand("P1", call="ABSENT")
    overridden = replace(UNSIGNED, state="overridden", reviewed_call="NORMAL")
    assert person(ill, few(), P1=overridden).joint.keys == ("other_forms",)
    assert person(ill, few(), P1=replace(UNSIGNED, state="repeat")).joint.keys == ("cd154_open",)


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [
        ("sex", {"sex": "M"}, {"sex": "F"}),
        ("genotype", {"metadata": {"genotype": "a"}}, {"metadata": {"genotype": "b"}}),
    ],
)
def test_rows_that_may_be_of_two_people_are_not_read_together(column: str, first: Any, second: Any) -> None:
    results = by_hand("P1", call="ABSENT", **first), few(**second)
    told = page(*results)
    assert "contradict each other" in told
    assert joint_words()["rows"]["concordant"]["reading"] not in told
    assert column in {one.column for one in person(*results).contradictions}


def _facts(sample: str, **changes: str) -> Facts:
    usual = {"sex": "M", "family": "", "genotype": "", "collected": "", "transplant": "no"}
    return Facts(sample, **{**usual, **changes})


def test_what_is_unknown_contradicts_nothing() -> None:
    assert contradictions([_facts("A"), _facts("B", sex="unknown", family="K1", genotype="x")]) == []


def test_a_transplant_cannot_be_undone() -> None:
    grafted = _facts("A", collected="2025-03", transplant="yes")
    assert [one.column for one in contradictions([grafted, _facts("B", collected="2025-12")])] == ["transplant"]
    assert contradictions([grafted, _facts("B", collected="2024-12")]) == []


def test_dates_given_in_two_ways_have_no_order() -> None:
    found = contradictions([_facts("A", collected="2025-03"), _facts("B", collected="2")])
    assert [one.column for one in found] == ["collected"]


def test_check_warns_of_a_person_of_two_sexes() -> None:
    rows = [Sample("A", "R1", "test", "M", (), subject="S1"), Sample("B", "R1", "test", "F", (), subject="S1")]
    (problem,) = person_problems({row.sample: row for row in rows}, "samples.tsv")
    assert (problem.severity, problem.column, problem.file) == ("warning", "sex", "samples.tsv")
    assert "M in A; F in B" in problem.message
    assert problem.remedy


def test_serum_values_are_flagged_by_the_limits_of_the_age_and_change_no_call() -> None:
    limits = plain_limits(Limits())
    limits["serum_ig"]["igg_g_l"] = ("0: 2.5-9", "6: 6-14")
    sample = by_hand("P1", metadata={"igg_g_l": 5.0, "igm_g_l": 3.1})
    sample = by_hand(
        "P1", metadata={"igg_g_l": 5.0, "igm_g_l": 3.1}, configuration={**_plain(sample), "limits": limits}
    )
    assert '<b class="out">low</b>' in page(sample, ages={"P1": 7.0})
    assert '<b class="out">' not in page(sample, ages={"P1": 4.0})
    assert "age not known" in page(sample)
    assert person(sample).visits[0].call == "NORMAL"


def _plain(result: Result) -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(result.configuration)
    return plain


def test_the_course_is_the_fraction_of_cells_that_lack_nothing() -> None:
    graft = {"transplant": "yes"}
    early = by_hand("T1", "cd40", call="CD40_LOW", cd40=cd40(0.3, 0.7), metadata={**graft, "collected": "2025-03"})
    late = by_hand("T2", call="MOSAIC", metadata={**graft, "collected": "2025-12"})
    late.reagents["CD154"] = _with_mutants(late, 0.2, 0.15, 0.26)
    points = points_of(person(early, late))
    b_cells, monocytes, t_cells = points
    assert (b_cells.series, monocytes.series, t_cells.series) == ("b_cells", "monocytes", "cd154")
    assert b_cells.value == pytest.approx(30.0)
    assert (t_cells.value, t_cells.low, t_cells.high) == pytest.approx((80.0, 74.0, 85.0))
    told = page(early, late)
    assert "Course after transplantation" in told
    assert told.count("d-mark d-b_cells") >= 1


def _with_mutants(result: Result, value: float, low: float, high: float) -> Any:
    import msgspec

    return msgspec.structs.replace(
        result.reagents["CD154"], mutant_fraction=value, mutant_fraction_low=low, mutant_fraction_high=high
    )


def test_nobody_without_a_transplant_has_a_course() -> None:
    assert "Course after transplantation" not in page(by_hand("P1"), few())


def test_the_page_is_offline_and_escapes_what_the_sheet_says() -> None:
    told = render_person(person(few(metadata={"genotype": "<script>alert(1)</script>"})), {}, {})
    assert "<script" not in told
    assert "default-src &#39;none&#39;" in told
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", told)


def test_table_and_pages_are_those_of_the_sheet(tmp_path: Path) -> None:
    (tmp_path / "subjects").mkdir()
    (tmp_path / "subjects" / "gone.html").write_text("of somebody who is no longer in the sheet")
    results = [by_hand("P1", call="ABSENT"), few(), by_hand("X1", subject="S2"), by_hand("Y1", subject="")]
    assert write_people([entry(one) for one in results], tmp_path / "subjects.tsv", all_people=True) == ["S1", "S2"]
    rows = list(csv.DictReader((tmp_path / "subjects.tsv").read_text().splitlines(), delimiter="\t"))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["cd154_call"] == "ABSENT"
    assert rows[0]["memory_call"] == "SWITCHED_ABSENT"
    assert rows[0]["joint"] == "concordant"
    assert rows[0]["genes"] == "CD40LG"
    assert rows[1]["memory_call"] == ""
    assert sorted(path.name for path in (tmp_path / "subjects").iterdir()) == ["S1.html", "S2.html"]


def test_pages_are_the_same_bytes_in_any_order() -> None:
    results = [by_hand("P1", call="ABSENT"), few(), by_hand("P1R", "cd40", call="PRESENT", cd40=cd40())]
    assert page(*results) == page(*reversed(results))

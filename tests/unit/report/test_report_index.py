"""The index of a cohort: worst first, whatever the order given."""

from __future__ import annotations

from dataclasses import replace

from cd40l_flow.figures.index_strips import draw_strips
from cd40l_flow.report.index import render_index
from cd40l_flow.result.order import CALL_ORDER
from cd40l_flow.result.types.result import Result
from helpers.pages.parsed import FORBIDDEN, Page, assert_policy
from helpers.results import report_samples as made
from helpers.results.records import as_result


def cohort() -> list[Result]:
    """Return one result of each call and a control, in no order, with a value beyond the axis."""
    results = [
        made.make_result(replace(scenario, sample=f"P{number}"))
        for number, scenario in enumerate(made.SCENARIOS.values())
    ]
    results.append(made.make_result(made.CONTROL))
    results[0]["reagents"]["CD154"]["percent_positive"] = 131.0
    return [as_result(result) for result in results]


def test_the_index_is_worst_first_with_links_and_numbers() -> None:
    results = cohort()
    html = render_index(results, [f"samples/{result.sample}/report.html" for result in results])
    page = Page(html)

    rows = [attributes for attributes in page.all("tr") if "data-call" in attributes]
    calls = [attributes["data-call"] or "" for attributes in rows]
    assert calls == sorted(calls, key=CALL_ORDER.index)
    assert len(rows) == len(results)
    assert {f"samples/{result.sample}/report.html" for result in results} <= {a.get("href") for a in page.all("a")}
    assert "Too few activated cells" in page.text
    assert "7 samples in R1" in page.text
    assert [phrase for phrase in FORBIDDEN if phrase in html.lower()] == []
    assert_policy(html, page)


def test_the_index_does_not_depend_on_the_order_given() -> None:
    results = cohort()
    hrefs = [result.sample for result in results]

    assert render_index(results, hrefs) == render_index(results[::-1], hrefs[::-1])


def test_an_index_of_nothing_says_so() -> None:
    assert "There is no sample." in Page(render_index([], [])).text


def test_strips_clip_nothing_and_mark_controls() -> None:
    results = cohort()
    strips = draw_strips(results)

    first, second = (strip for strip in strips if strip.title.endswith("percent positive"))
    assert len(first.marks) == len(results)
    assert [mark.beyond for mark in first.marks if mark.beyond] == ["131.0\u202f%"]
    assert [mark.kind for mark in first.marks][-1] == "control"
    assert second.missing == "1 not measured"
    assert all(0 < mark.x < 560 and 26 < mark.y < 92 for strip in strips for mark in strip.marks)
    places = [(mark.x, mark.y) for mark in first.marks]
    assert len(places) == len(set(places))

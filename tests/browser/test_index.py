"""The index of a cohort in a browser: order, filters, and one sample lit everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cd40l_flow.report.index import render_index, write_index
from cd40l_flow.result.cohort import named_entries
from cd40l_flow.result.order import CALL_ORDER
from cd40l_flow.result.reviews.state import digest_of
from helpers.pages.opened import Open, complaints
from helpers.results import report_samples as made
from helpers.results.records import as_result, write_record

# What the module is about is made once: its tests go to one process.
pytestmark = pytest.mark.xdist_group("index_page")

CHARTS = [
    {
        **{"measure": "percent_positive", "reagent": "CD154", "cytometer": "Canto", "lot": "LOT1", "scale": "linear"},
        **{"count": 20, "mean": 91.0, "low_3sd": 86.5, "low_2sd": 88.0, "high_2sd": 94.0, "high_3sd": 95.5},
        "few": False,
        "points": [
            {"sample": "H1", "run": "R0", "month": "2025-12", "value": 90.0, "current": False, "status": "in"},
            {"sample": "S090", "run": "R1", "month": "2026-01", "value": 70.0, "current": True, "status": "fail"},
        ],
    }
]


def make_cohort(folder: Path, count: int) -> list[Path]:
    """Write results and binned data of ``count`` samples, a control among every sixteen; return the results."""
    kinds = [made.write_sample(folder / name, scenario) for name, scenario in made.SCENARIOS.items()]
    control = made.write_sample(folder / "control", made.CONTROL)
    written = []
    for number, (result, densities) in enumerate(islice(cycle(kinds), count)):
        source = control if number % 16 == 10 else (result, densities)
        told: dict[str, Any] = json.loads(source[0].read_text(encoding="utf-8"))
        told |= {"sample": f"S{number:03}", "run": f"R{number // 32}"}
        place = folder / "samples" / told["sample"]
        place.mkdir(parents=True)
        write_record(told, place / "result.json")
        (place / "densities.npz").symlink_to(source[1])
        written.append(place / "result.json")
    return written


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the index of 96 samples."""
    folder = tmp_path_factory.mktemp("cohort")
    results = make_cohort(folder, 96)
    for result in results:
        # A report is linked where it is that of the very result, by its digest.
        result.with_name("report.html").write_text(digest_of(result), encoding="utf-8")
    write_index(named_entries(results), folder / "index.html")
    return folder / "index.html"


@pytest.mark.parametrize("width", [1280, 820])
def test_an_index_of_96_opens_offline(index: Path, opened: Open, tmp_path: Path, width: int) -> None:
    one = opened(index, width)
    one.page.screenshot(path=tmp_path / "index.png", full_page=True)

    assert [*one.heard, *complaints(one.page)] == []
    assert index.stat().st_size < 3_000_000 * 96 / 384
    assert one.page.locator("#samples tbody tr").count() == 96
    assert one.page.locator(".thumb").count() == 96


def test_the_index_leads_to_every_report(demo_results: Path, opened: Open) -> None:
    """The index links every report by a path that holds wherever the folder is moved."""
    results = demo_results / "results"
    one = opened(results / "index.html")
    links = {link.get_attribute("href") or "" for link in one.page.locator("a[href]").all()}
    samples = [path.name for path in (results / "samples").iterdir()]

    assert [*one.heard, *complaints(one.page)] == []
    assert {f"samples/{sample}/report.html" for sample in samples} <= links
    for link in links:
        assert link.startswith("#") or (results / link.partition("#")[0]).is_file(), link


def column(one: Any, number: int) -> list[str]:
    cells: list[str] = one.page.evaluate(
        "number => [...document.querySelectorAll('#samples tbody tr:not([hidden])')]"
        ".map(row => row.cells[number].dataset.sort)",
        number,
    )
    return cells


def test_columns_sort_both_ways_with_mouse_and_keyboard(index: Path, opened: Open) -> None:
    one = opened(index)
    ranks = [int(rank) for rank in column(one, 0)]
    assert ranks == sorted(ranks)

    one.page.locator("#samples thead button", has_text="CD154 positive").click()
    numbers = [float(cell) for cell in column(one, 7) if cell]
    assert numbers == sorted(numbers)
    one.page.keyboard.press("Enter")
    cells = column(one, 7)
    assert [float(cell) for cell in cells if cell] == sorted(numbers, reverse=True)
    sorted_by = one.page.locator("th[aria-sort]")
    assert sorted_by.count() == 1
    assert sorted_by.get_attribute("aria-sort") == "descending"


def test_filters_narrow_the_table_and_fade_the_marks(index: Path, opened: Open) -> None:
    one = opened(index)
    one.page.select_option("#filter-call", "ABSENT")
    absent = one.page.locator("#samples tbody tr:visible").count()
    assert 0 < absent < 96
    assert one.page.locator("#shown").inner_text() == f"{absent} of 96 shown"
    assert one.page.locator(".thumb:not(.faded)").count() == absent
    one.page.fill("#filter-text", "S001")
    assert one.page.locator("#samples tbody tr:visible").count() == 1
    one.page.fill("#filter-text", "no such sample")
    assert one.page.locator("#none-shown").is_visible()


def test_a_click_lights_a_sample_up_everywhere(index: Path, opened: Open) -> None:
    one = opened(index)
    row = one.page.locator("tr[data-sample=S001]")
    number = row.get_attribute("data-s")
    lit = f"[data-s='{number}'].lit"

    one.page.locator(f".thumb[data-s='{number}']").click()
    assert one.page.locator(f"tr{lit}").count() == 1
    assert one.page.locator(f".thumb{lit}").count() == 1
    marks = one.page.locator(f"use{lit}").count()
    assert marks >= 10
    assert one.page.locator(".halo-name", has_text="S001").count() == marks
    assert "S001" in one.page.locator("#selected").inner_text()
    assert one.page.locator("#selected-open").get_attribute("href") == "samples/S001/report.html"
    one.page.keyboard.press("Escape")
    assert one.page.locator(".lit, .halo").count() == 0
    row.locator(".pick").focus()
    one.page.keyboard.press("Enter")
    assert row.locator(".pick").get_attribute("aria-pressed") == "true"
    assert one.page.locator(f".thumb{lit}").count() == 1
    assert one.heard == []


def test_the_contact_sheet_shows_the_gate_that_is_chosen(index: Path, opened: Open) -> None:
    one = opened(index)
    options = one.page.locator("#contact-gate option").all_inner_texts()
    assert {"CD154 on activated cells", "CD40-Ig on activated cells", "lymphocytes", "CD3+CD8−CD69+"} <= set(options)
    one.page.select_option("#contact-gate", label="CD3+")
    chosen = one.page.locator("#contact-gate").input_value()
    shown = set(one.page.eval_on_selector_all(".thumb use", "all => all.map(use => use.getAttribute('href'))"))
    assert shown == {f"#{chosen}"}
    assert one.page.locator("#contact-title").inner_text() == "CD3+"


def test_charts_and_families_are_drawn(opened: Open, tmp_path: Path) -> None:
    results = [
        made.make_result(replace(made.SCENARIOS["ABSENT"], sample="P01")),
        made.make_result(replace(made.SCENARIOS["MOSAIC"], sample="P02")),
        made.make_result(replace(made.CONTROL, sample="S090")),
    ]
    members = [
        {**{key: result[key] for key in ("sample", "sex", "age_band", "call", "reagents")}} for result in results[:2]
    ]
    families = [{"family": "F1", "members": members, "statements": ["They support each other."]}]
    page = render_index([as_result(one) for one in results], ["a", "b", "c"], charts=CHARTS, families=families)
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    one = opened(tmp_path / "index.html")

    assert [*one.heard, *complaints(one.page)] == []
    assert one.page.locator("#charts use[href='#m-fail']").count() == 2  # the key and the control
    assert "+3 SD 95.5" in one.page.locator("#charts svg[role=img]").inner_html().replace("\u202f", " ")
    assert one.page.locator("#families tbody tr").count() == 2
    assert "They support each other." in one.page.locator("#families").inner_text()
    one.page.locator("#charts use[data-s]").click()
    assert "S090" in one.page.locator("#selected").inner_text()


def test_the_index_prints(index: Path, opened: Open, tmp_path: Path) -> None:
    one = opened(index)
    one.page.pdf(path=tmp_path / "index.pdf", prefer_css_page_size=True, print_background=True)

    assert (tmp_path / "index.pdf").stat().st_size > 50_000
    assert one.heard == []


def test_the_worst_come_first(index: Path, opened: Open) -> None:
    one = opened(index)
    calls: list[str] = one.page.eval_on_selector_all("#samples tbody tr", "rows => rows.map(row => row.dataset.call)")

    assert calls == sorted(calls, key=CALL_ORDER.index)


@pytest.mark.parametrize("evil", ["<script>window.hit = 1</script>", "\"><img src=x onerror='window.hit=1'>"])
def test_text_of_the_inputs_stays_text(evil: str, opened: Open, tmp_path: Path) -> None:
    result = made.make_result(made.SCENARIOS["NORMAL"]) | {"sample": evil, "run": evil}
    record = msgspec.structs.replace(as_result(result | {"sample": "P01"}), sample=evil)
    family = {"family": evil, "members": [{**result, "age_band": evil}], "statements": [evil]}
    charts = [CHARTS[0] | {"cytometer": evil, "points": [CHARTS[0]["points"][0] | {"sample": evil}]}]  # type: ignore[index]
    page = render_index([record], ["samples/x/report.html"], charts=charts, families=[family])
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    one = opened(tmp_path / "index.html")
    one.page.locator(".pick").click()

    assert one.page.evaluate("window.hit") is None
    assert evil in one.page.locator("#selected").inner_text()
    assert one.heard == []

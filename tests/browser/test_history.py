"""The history of a laboratory in a browser: twenty thousand samples are searched, sorted, turned over and saved."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from cd40l_flow.laboratory.history_page import render_history
from helpers.pages.opened import Open, complaints

# What the module is about is made once: its tests go to one process.
pytestmark = pytest.mark.xdist_group("history_page")

COUNT = 20_000


@pytest.fixture(scope="module")
def page_of_years(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of many runs, two controls in each, one sample with a name that a page must not run."""
    folder = tmp_path_factory.mktemp("history")
    draw = np.random.default_rng(1)
    calls = ("NORMAL", "MOSAIC", "ABSENT", "INDETERMINATE")

    def row(number: int) -> dict[str, Any]:
        role, run = "control" if number % 100 < 2 else "test", f"R{number // 100:04d}"
        return {
            **{"folder": f"plates/{run}/results", "sample": f"P{number:05d}", "run": run, "month": "", "role": role},
            **{"call": "NORMAL" if role == "control" else calls[number % 4], "qc": "pass", "review": "accepted"},
            **{"reasons": "TOO_FEW_EVENTS" if number % 4 == 3 else "", "cytometer": "Canto", "cd154_lot": "L1"},
            "cd154_negative_fraction": float(np.clip(draw.normal(0.1, 0.02), 0, 1)),
            "activated_events": None if number == 7 else number,
        }

    rows = [row(number) for number in range(COUNT)]
    rows[5]["reasons"] = "<img src=x onerror=alert(1)>"
    report = folder / "plates/R0000/results/samples/P00004/report.html"
    report.parent.mkdir(parents=True)
    report.write_text("<!DOCTYPE html><title>report</title>", encoding="utf-8")
    path = folder / "history.html"
    path.write_text(render_history(rows, folder), encoding="utf-8")
    return path


def test_a_search_finds_one_of_many(opened: Open, page_of_years: Path) -> None:
    """By sample, by bounds of a measure, by call; what was searched stands in the address."""
    here = opened(page_of_years)
    page = here.page
    assert page.locator("#table tbody tr").count() == 50
    page.fill("#find", "p12345")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    assert page.locator("#table tbody th").inner_text() == "P12345"
    assert "q=p12345" in page.url
    page.fill("#find", "activated_events<100 too_few")
    expect(page.locator("#shown")).to_have_text(re.compile("^24 of"))
    page.select_option("[data-filter=call]", "ABSENT")
    assert page.locator("#table tbody tr").count() == 0
    page.fill("#find", "")
    expect(page.locator("#shown")).to_have_text(re.compile("^5,000 of 20,000"))
    assert not here.heard and not complaints(page)


def test_sorting_and_pages(opened: Open, page_of_years: Path) -> None:
    """What is missing comes last either way; the last page ends the list."""
    here = opened(page_of_years)
    page = here.page
    head = page.locator("#table thead button", has_text="activated")
    head.click()
    assert page.locator("#table tbody th").first.inner_text() == "P00000"
    head.click()
    assert page.locator("#table tbody th").first.inner_text() == "P19999"
    page.click("#last")
    assert page.locator("#page").inner_text() == "page 400 of 400"
    assert page.locator("#table tbody th").last.inner_text() == "P00007"
    assert page.locator("#after").is_disabled()
    assert not here.heard and not complaints(page)


def test_links_points_and_names_that_are_not_run(opened: Open, page_of_years: Path) -> None:
    """A report that lies there is linked; a point lists its run; texts are shown as they are."""
    here = opened(page_of_years)
    page = here.page
    page.fill("#find", "p00004")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    assert (page.locator("#table tbody th a").get_attribute("href") or "").endswith("samples/P00004/report.html")
    page.fill("#find", "p00005")
    expect(page.locator("#table tbody th")).to_have_text("P00005")
    assert "<img src=x" in page.locator("#table tbody").inner_text()
    assert page.locator("#table tbody a").count() == 0
    page.locator("circle[data-run=R0042]").first.click()
    assert page.locator("#find").input_value() == "r0042"
    assert page.locator("#shown").inner_text().startswith("100 of")
    assert not here.heard and not complaints(page)


def test_what_is_found_is_saved_as_a_table(opened: Open, page_of_years: Path) -> None:
    """Every row that was found, not the fifty that are shown, and no formula."""
    page = opened(page_of_years).page
    page.select_option("[data-filter=role]", "control")
    with page.expect_download() as saved:
        page.click("#save")
    lines = Path(saved.value.path()).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 2 * COUNT // 100
    assert lines[0].split("\t")[:3] == ["sample", "run", "month"]

"""Forty-two samples, eleven planted problems: each is seen on the first screen of the index, without scrolling."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from cd40l_flow.assay.texts import load_texts, reason_texts
from cd40l_flow.report.index import write_index
from cd40l_flow.result.cohort import named_entries
from cd40l_flow.result.reviews.signable import signable
from cd40l_flow.result.reviews.state import digest_of
from cd40l_flow.result.reviews.taken import taken_reviews
from helpers.pages.opened import Open
from helpers.results.review_files import PEOPLE, chained, write_review
from helpers.simulated.planted import PLANTED, analysed, cohort

# What the module is about is made once: its tests go to one process.
pytestmark = pytest.mark.xdist_group("planted")

# In which words a row reports its problem: those of a reason, of a call, or of a control that moved.
MARKED = {
    "half-level": reason_texts("BETWEEN_LIMITS")["name"],
    "grey zone": reason_texts("MOSAIC_GREY_ZONE")["name"],
    "mixed donors": reason_texts("ID_CONFLICT")["name"],
    "clog": reason_texts("ACQ_QC")["name"],
    "old blood": reason_texts("SAMPLE_AGE")["name"],
    "EDTA": reason_texts("ANTICOAGULANT")["name"],
    "unknown drug": reason_texts("DRUG_STATUS_UNKNOWN")["name"],
    "swapped tubes": reason_texts("TUBE_SWAP")["name"],
    "skewed carrier": load_texts()["calls"]["MOSAIC"]["word"],
    "moved control": "× the usual",
    "dim reagent": "× the usual",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of the cohort with its index; of each report only what the index looks for."""
    place = tmp_path_factory.mktemp("planted")
    results = analysed(place)
    for path in results.values():
        name = path.parent.name
        link = f'<a href="../../index.html">back</a> <a href="../../index.html#next={name}">next</a>'
        path.with_name("report.html").write_text(
            f"<!-- {digest_of(path)} --><h1>{path.parent.name}</h1>{link}", "utf-8"
        )
    write_index(named_entries(sorted(results.values())), place / "results/index.html")
    return place


def rows(page: Page) -> list[str]:
    """Return the samples in the order of the table."""
    found: list[str] = page.eval_on_selector_all("#samples tbody tr", "all => all.map(row => row.dataset.sample)")
    return found


def test_each_planted_problem_is_on_the_first_screen(folder: Path, opened: Open) -> None:
    one = opened(folder / "results/index.html")
    assert len(cohort()) == 42 and len(PLANTED) == 11
    missing = []
    for problem, names in PLANTED.items():
        for name in names:
            row = one.page.locator(f"tr[data-sample='{name}']")
            box = row.bounding_box()
            assert box is not None
            seen = box["y"] + box["height"] <= 900 and MARKED[problem] in row.inner_text().replace("\n", " ")
            if not seen:
                missing.append((problem, box["y"], row.inner_text()))
    assert missing == []
    assert one.heard == []


def test_every_sample_of_a_run_tells_that_its_control_moved(folder: Path, opened: Open) -> None:
    page = opened(folder / "results/index.html").page
    marked = page.locator("tr", has=page.locator(".control .tone-ink-alarm"))

    assert marked.count() == 16
    assert {name.split()[1] for name in page.locator(".control .tone-ink-alarm").all_inner_texts()} == {"C03", "C04"}
    assert "usual among the controls" in str(page.locator(".control .tone-ink-alarm").first.get_attribute("title"))


def test_rows_are_sorted_by_margin_within_a_call(folder: Path, opened: Open) -> None:
    page = opened(folder / "results/index.html").page
    plain = [row for row in page.locator("tr[data-call=NORMAL]").all() if not row.locator(".marks span").count()]
    margins = [float(str(row.locator("td").nth(1).get_attribute("data-sort"))) for row in plain]

    assert len(margins) > 25
    assert margins == sorted(margins)
    assert all("≥" in str(row.locator("td").nth(1).get_attribute("title")) for row in plain[:5])


def test_going_to_a_report_and_back_keeps_filter_and_sort(folder: Path, opened: Open) -> None:
    page = opened(folder / "results/index.html").page
    page.select_option("#filter-call", "NORMAL")
    page.fill("#filter-text", "r2")
    page.get_by_role("button", name="CD69 positive").click()
    page.get_by_role("button", name="CD69 positive").click()
    before = [name for name in rows(page) if page.locator(f"tr[data-sample='{name}']").is_visible()]
    assert 5 < len(before) < 12
    for way in ("back button", "link"):
        page.locator("#samples tbody tr:visible th a").first.click()
        expect(page.locator("h1")).to_have_text(before[0])
        if way == "link":
            page.get_by_text("back").click()
        else:
            page.go_back()
        expect(page.locator("#filter-text")).to_have_value("r2")
        after = [name for name in rows(page) if page.locator(f"tr[data-sample='{name}']").is_visible()]
        assert after == before
        assert page.locator("th[aria-sort=descending]").inner_text().startswith("CD69")


def test_a_report_leads_on_to_the_next_unsigned_one(folder: Path, opened: Open) -> None:
    """In the order of the list, and past those that were signed in this browser."""
    page = opened(folder / "results/index.html").page
    order = rows(page)
    page.locator(f"tr[data-sample='{order[0]}'] a").click()
    page.get_by_text("next").click()
    expect(page.locator("h1")).to_have_text(order[1])
    kept = [{"file": "x.json", "text": "{}", "digest": "f" * 64, "saved": ""}]
    page.evaluate(
        "([name, kept]) => localStorage.setItem('cd40l-flow signed ' + name, JSON.stringify(kept))", [order[2], kept]
    )
    page.get_by_text("next").click()
    expect(page.locator("h1")).to_have_text(order[3])
    page.get_by_text("back").click()
    expect(page.locator(f"tr[data-sample='{order[2]}'] .review")).to_contain_text("signed here, not yet taken up")
    page.fill("#filter-text", order[2])
    page.get_by_role("button", name="Next unsigned").click()
    expect(page.locator("#shown")).to_have_text("No unsigned sample is left in this list.")


def test_the_index_is_worked_by_keys(folder: Path, opened: Open) -> None:
    page = opened(folder / "results/index.html").page
    order = rows(page)
    page.locator("#samples tbody th a").first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == order[3]
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(order[3])
    page.go_back()
    page.locator("#samples tbody th a").first.focus()
    page.keyboard.press("n")
    expect(page.locator("h1")).to_have_text(order[1])
    page.go_back()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") != "filter-text"
    page.locator("#samples tbody th a").first.focus()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "filter-text"
    page.locator(".thumb").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert order[1] in page.locator("#selected").inner_text()
    assert page.locator(".thumb[tabindex='0']").count() == 1


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_needs_no_sideways_scrolling(folder: Path, opened: Open, width: int) -> None:
    page = opened(folder / "results/index.html", width).page

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_rejected_control_shows_in_every_row_that_rests_on_it(folder: Path, browser: Browser, tmp_path: Path) -> None:
    entries = named_entries(sorted((folder / "results/samples").glob("*/result.json")))
    digests = {entry.sample: signable(entry.result, entry.digest).digest for entry in entries}
    asked = chained(
        sample="C01",
        automatic_call="NORMAL",
        result_digest=digests["C01"],
        decision="repeat",
        comment="clot in the tube",
    )
    signed = chained(sample="S01", automatic_call="NORMAL", result_digest=digests["S01"])
    files = [write_review(tmp_path, "c.json", asked), write_review(tmp_path, "s.json", signed)]
    out = folder / "results/reviewed.html"
    write_index(entries, out, taken_reviews(files, None, PEOPLE))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(out.as_uri())

    assert page.locator("tr", has_text="repeat requested").count() == 12  # the control and its eleven patients
    row = page.locator("tr[data-sample=S01]")
    assert "out of date" in row.locator(".review").inner_text()
    assert "Control C01: A. Smith asked on" in str(row.locator(".review").get_attribute("title"))
    page.close()

"""Page one: on the first screen and on one sheet of A4 stands what is signed, for every call and for failed assays."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from cd40l_flow.assay.texts import load_texts
from helpers.pages.opened import Open, Reported
from helpers.results import report_samples as made
from helpers.results.records import write_record
from helpers.results.review_files import override, write_review

Make = Callable[[made.Scenario], Reported]

SCREEN = 900  # pixels
# A4 less the margins, at 96 pixels an inch.
PAPER_WIDTH, PAPER_HEIGHT = 703, 1028
PAGE_ONE = (
    "h1",
    ".slots",
    ".quantity",
    ".results",
    ".margins",
    ".main-figure img",
    ".statement",
    ".quality",
    ".signed",
)
FIGURES = ("#gating", "#target", "#activation", "#acquisition")
EVERYTHING = {**made.SCENARIOS, "NOTHING": made.NOTHING}


def reports(results: Path) -> Iterator[Path]:
    """Yield the reports of a cohort."""
    with (results / "summary.tsv").open(encoding="utf-8", newline="") as sheet:
        for row in csv.DictReader(sheet, delimiter="\t"):
            yield results / "samples" / row["sample"] / "report.html"


def bottom(page: Page, part: str) -> float:
    """Return where a part of a page ends, in pixels from its top."""
    found: float = page.locator(part).first.evaluate("part => part.getBoundingClientRect().bottom + scrollY")
    return found


def height(page: Page, part: str) -> float:
    """Return the height of a part of a page, in pixels."""
    found: float = page.locator(part).first.evaluate("part => part.getBoundingClientRect().height")
    return found


def faults(page: Page) -> list[str]:
    """Return what page one lacks, or has beyond the first screen."""
    lacking = [part for part in PAGE_ONE if not page.locator(f"#call {part}").first.is_visible()]
    beyond = [f"{part} ends at {bottom(page, part)}" for part in ("#call",) if bottom(page, part) > SCREEN]
    whole = page.locator("#call img").evaluate("image => image.complete && image.naturalWidth > 600")
    return [*lacking, *beyond, *([] if whole else ["the figure cannot be shown"])]


def as_printed(page: Page) -> None:
    """Show a page as it is printed on A4."""
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER_WIDTH, "height": PAPER_HEIGHT})


def test_the_first_screen_and_the_first_sheet_hold_the_report(demo_results: Path, opened: Open, tmp_path: Path) -> None:
    found = {}
    for path in reports(demo_results / "results"):
        page = opened(path).page
        found[path.parent.name] = faults(page)
        page.screenshot(path=tmp_path / f"{path.parent.name}.png")
        as_printed(page)
        tall = height(page, "#call")
        found[path.parent.name] += [f"{tall} pixels on paper"] if tall > PAPER_HEIGHT else []
        page.close()
    assert len(found) == 10
    assert {sample: what for sample, what in found.items() if what} == {}


def test_four_sheets_come_before_the_tables(demo_results: Path, opened: Open) -> None:
    """Page one, the gates, the fits, and activation with the course in time."""
    page = opened(demo_results / "results" / "samples" / "P05" / "report.html").page
    as_printed(page)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    heights = {part: height(page, part) for part in FIGURES}
    assert heights["#gating"] < PAPER_HEIGHT
    assert heights["#target"] < PAPER_HEIGHT
    assert heights["#activation"] + heights["#acquisition"] < PAPER_HEIGHT
    breaks = [page.locator(part).evaluate("part => getComputedStyle(part).breakBefore") for part in FIGURES]
    assert breaks == ["auto", "page", "page", "auto"]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.fold[open]").count() == 0


@pytest.mark.parametrize("name", EVERYTHING)
def test_failed_assays_say_on_page_one_what_is_missing(name: str, make_report: Make, opened: Open) -> None:
    scenario = EVERYTHING[name]
    page = opened(make_report(scenario).write()).page
    told = page.locator("#call").inner_text()
    assert faults(page) == []
    assert load_texts()["calls"][scenario.call]["word"] in told
    for code in scenario.reasons[:3]:
        assert load_texts()["reasons"][code]["remedy"] in told
    words = drawn(page)
    if scenario is made.NOTHING:
        assert "CD154: no such file." in words
    as_printed(page)
    assert height(page, "#call") <= PAPER_HEIGHT


def drawn(page: Page) -> str:
    """Return the words of the figure on page one."""
    svg: str = page.locator("#call img").evaluate("image => atob(image.src.split(',')[1])")
    return " ".join(text.strip() for text in ElementTree.fromstring(svg.encode("latin-1")).itertext())


def test_long_texts_do_not_push_page_one_over_its_sheet(make_report: Make, opened: Open, tmp_path: Path) -> None:
    report = make_report(made.SCENARIOS["ABSENT"])
    result = json.loads(report.result.read_text(encoding="utf-8"))
    labels = ("Laboratory", "Accession", "Specimen", "Collected", "Received", "Reported")
    result["metadata"]["show"] = {label: f"{label} 2026-01-05 08:15" for label in labels}
    result["configuration"]["show_columns"] = list(labels)
    write_record(result, report.result)
    page = opened(report.write(*signed(report, tmp_path, comment="It was looked at twice. " * 40))).page
    told = page.locator("#call .slots").inner_text()
    places = [told.index(label) for label in labels]
    assert places == sorted(places)
    assert "in full in the annex" in page.locator("#call .signed").inner_text()
    as_printed(page)
    assert height(page, "#call") <= PAPER_HEIGHT


def signed(report: Reported, folder: Path, call: str = "REDUCED", **changes: Any) -> list[Path]:
    """Return an override of two persons."""
    from cd40l_flow.result.reviews.state import digest_of

    digest = digest_of(report.result)
    reviews = [
        override(call, result_digest=digest, reviewer=name, signed_at=f"2026-01-05T1{number}:00:00Z", **changes)
        for number, name in enumerate(("A. Smith", "B. Kern"))
    ]
    return [write_review(folder / "reviews", f"{number}.json", review) for number, review in enumerate(reviews)]


def test_the_headline_is_the_reviewed_call(make_report: Make, opened: Open, tmp_path: Path) -> None:
    report = make_report(made.SCENARIOS["ABSENT"])
    first, second = signed(report, tmp_path)
    waiting = opened(report.write(first)).page
    assert waiting.locator("#call h1").inner_text() == "No call yet: Reduced proposed"
    assert "Automatic call: Absent" in waiting.locator("#call").inner_text()
    page = opened(report.write(first, second)).page
    told = page.locator("#call").inner_text()
    assert page.locator("#call h1").inner_text() == "Reduced"
    assert page.locator("header .tag").first.inner_text() == "Reduced"
    assert page.title().startswith("P01 · Reduced")
    assert "Automatic call: Absent. It was overridden" in told
    assert "The gate cuts." in told and "By signing, a reviewer states" in told
    assert "The pattern is described here." not in told, "that is what the automatic call means"


def test_figures_are_saved_from_the_page(make_report: Make, opened: Open, tmp_path: Path) -> None:
    one = opened(make_report(made.SCENARIOS["MOSAIC"]).write())
    for form in ("svg", "png"):
        with one.page.expect_download() as download:
            one.page.locator(f"#call .save button[data-form={form}]").click()
        assert download.value.suggested_filename == f"P01_cd154.{form}"
        download.value.save_as(tmp_path / f"saved.{form}")
    assert ElementTree.parse(tmp_path / "saved.svg").getroot().tag.endswith("svg")
    with Image.open(tmp_path / "saved.png") as picture:
        assert picture.width > 2500
        assert len(picture.convert("L").getcolors(maxcolors=1 << 16) or []) > 10
    assert one.heard == []


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_need_not_scroll_sideways(demo_results: Path, opened: Open, width: int) -> None:
    for sample in ("P05", "P08", "C01"):
        page = opened(demo_results / "results" / "samples" / sample / "report.html", width).page
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_everything_unfolded_breaks_no_rule(
    demo_results: Path, browser: Browser, require_module: Callable[[str], Path]
) -> None:
    """Of axe-core, target size too; headings go down one level at a time."""
    axe = (require_module("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    context = browser.new_context(offline=True, bypass_csp=True)
    rules = {"target-size": {"enabled": True}}
    found: dict[str, Any] = {}
    for sample in ("P05", "P09"):
        page = context.new_page()
        page.goto((demo_results / "results" / "samples" / sample / "report.html").as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        page.evaluate(axe)
        result = page.evaluate("rules => axe.run({ resultTypes: ['violations'], rules })", rules)
        found[sample] = [(fault["id"], fault["nodes"][0]["html"][:120]) for fault in result["violations"]]
        levels = page.evaluate(
            "Array.from(document.querySelectorAll('h1,h2,h3,h4,h5'), head => Number(head.tagName[1]))"
        )
        found[sample] += [pair for pair in zip(levels, levels[1:], strict=False) if pair[1] > pair[0] + 1]
        page.close()
    context.close()
    assert found == {"P05": [], "P09": []}

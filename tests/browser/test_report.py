"""The reports and the index, opened in a browser without a network."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

# A page may not ask for anything but itself.
LOCAL = ("file://", "data:", "blob:", "about:")


@pytest.fixture(scope="module")
def browser(require: Callable[[str], str]) -> Iterator[Browser]:
    """Start the browser once."""
    path = require("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[[Path], tuple[Page, list[str]]]]:
    """Return what opens a page and gives it with everything it complained of or asked for."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)

    def open_page(path: Path) -> tuple[Page, list[str]]:
        page = context.new_page()
        heard: list[str] = []
        page.on("console", lambda message: heard.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: None if request.url.startswith(LOCAL) else heard.append(f"request: {request.url[:100]}"),
        )
        page.goto(path.as_uri(), wait_until="load")
        return page, heard

    yield open_page
    context.close()


def samples(results: Path) -> list[str]:
    """Return the samples of the summary."""
    with (results / "summary.tsv").open(encoding="utf-8", newline="") as sheet:
        return [row["sample"] for row in csv.DictReader(sheet, delimiter="\t")]


def complaints(page: Page) -> list[str]:
    """Return what every page must have and this one lacks."""
    found = []
    if not page.title():
        found.append("no title")
    if page.locator("html[lang]").count() != 1:
        found.append("no language")
    if page.locator("h1").count() != 1:
        found.append("not exactly one main heading")
    for image in page.locator("img").all():
        if not image.evaluate("image => image.complete && image.naturalWidth > 0"):
            found.append(f"a picture that cannot be shown: {image.get_attribute('alt')}")
        if not image.get_attribute("alt"):
            found.append("a picture without a text")
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found.append("wider than the window")
    return found


def test_every_report_opens_offline(
    demo_results: Path, opened: Callable[[Path], tuple[Page, list[str]]], tmp_path: Path
) -> None:
    """Each report is whole without a network: no message, no request, every picture shown and described."""
    results = demo_results / "results"
    found = {}
    for sample in samples(results):
        page, heard = opened(results / "samples" / sample / "report.html")
        page.screenshot(path=tmp_path / f"{sample}.png", full_page=True)
        text = page.locator("body").inner_text()
        missing = [word for word in (sample, "Research use only") if word.casefold() not in text.casefold()]
        found[sample] = [*heard, *complaints(page), *(f"'{word}' is not on the page" for word in missing)]
        page.close()

    assert len(found) == 10
    assert {sample: faults for sample, faults in found.items() if faults} == {}


def test_the_index_leads_to_every_report(
    demo_results: Path, opened: Callable[[Path], tuple[Page, list[str]]], tmp_path: Path
) -> None:
    """The index opens offline and links every report, by a path that holds wherever the folder is moved."""
    results = demo_results / "results"
    page, heard = opened(results / "index.html")
    page.screenshot(path=tmp_path / "index.png", full_page=True)
    links = {link.get_attribute("href") or "" for link in page.locator("a[href]").all()}

    assert [*heard, *complaints(page)] == []
    assert {f"samples/{sample}/report.html" for sample in samples(results)} <= links
    for link in links:
        assert link.startswith("#") or (results / link.partition("#")[0]).is_file(), link

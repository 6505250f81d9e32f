"""What the browser tests look at: opened pages, and reports that can be written again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from cd40l_flow.report.sample import write_report
from cd40l_flow.result.reviews.taken import taken_reviews
from helpers.results.review_files import PEOPLE

PROVENANCE = {"Report written": "2026-01-05 09:00 UTC"}
# The size of targets (WCAG 2.2) is not among what axe looks at by itself. Dark pages differ from light ones by colours.
AXE = {
    "light": "axe.run({ resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } })",
    "dark": "axe.run({ resultTypes: ['violations'], runOnly: { type: 'tag', values: ['cat.color'] } })",
}


@dataclass(frozen=True)
class Opened:
    """A page and everything it complained of or asked for."""

    page: Page
    heard: list[str]


Open = Callable[..., Opened]


@dataclass(frozen=True)
class Reported:
    """A sample with its control, whose report can be written again and again."""

    folder: Path
    result: Path
    densities: Path
    control: tuple[Path, Path]

    def write(self, *reviews: Path) -> Path:
        """Write the report with these reviews and return it."""
        out = self.folder / "report.html"
        write_report(self.result, self.densities, [self.control], out, PROVENANCE, taken_reviews(reviews, None, PEOPLE))
        return out


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
    if "built-in" in page.locator("body").inner_text():
        found.append("a word of the program in place of a text")
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found.append("wider than the window")
    return found


def violations(browser: Browser, axe: str, scheme: str, pages: Mapping[str, Path]) -> dict[str, list[tuple[str, str]]]:
    """Return the rules of axe-core that each page breaks in light or dark, with the start of the first element.

    In light all rules are looked at, in dark those of colour.
    """
    context = browser.new_context(offline=True, bypass_csp=True, color_scheme=scheme)  # type: ignore[arg-type]
    found = {}
    for name, path in pages.items():
        page = context.new_page()
        page.goto(path.as_uri())
        page.evaluate(axe)
        result: dict[str, Any] = page.evaluate(AXE[scheme])
        found[name] = [(fault["id"], fault["nodes"][0]["html"][:120]) for fault in result["violations"]]
        page.close()
    context.close()
    return found

"""The reports, opened in a browser without a network: whole, silent, readable at every width."""

from __future__ import annotations

import csv
from pathlib import Path

from helpers.pages.opened import Open, complaints

SECTIONS = (
    *(
        "call",
        "why",
        "target",
        "activation",
        "gating",
        "measures",
        "checks",
        "rules",
        "call-details",
        "messages",
    ),
    *("gates", "tubes", "methods", "limitations", "review", "provenance"),
)


def samples(results: Path) -> list[str]:
    """Return the samples of the summary."""
    with (results / "summary.tsv").open(encoding="utf-8", newline="") as sheet:
        return [row["sample"] for row in csv.DictReader(sheet, delimiter="\t")]


def test_every_report_opens_offline(demo_results: Path, opened: Open, tmp_path: Path) -> None:
    """Each report is whole without a network: no message, no request, every section there, nothing too wide."""
    results = demo_results / "results"
    found = {}
    calls = set()
    for sample in samples(results):
        page, heard = (one := opened(results / "samples" / sample / "report.html", 1280)).page, one.heard
        page.screenshot(path=tmp_path / f"{sample}.png", full_page=True)
        text = page.locator("body").inner_text()
        calls.add(page.locator("#why code").first.text_content())
        missing = [word for word in (sample, "Research use only") if word.casefold() not in text.casefold()]
        missing += [section for section in SECTIONS if not page.locator(f"#{section}").is_visible()]
        found[sample] = [*complaints(page), *(f"'{word}' is not on the page" for word in missing)]
        page.set_viewport_size({"width": 820, "height": 900})
        found[sample] += [*heard, *(f"at 820: {one}" for one in complaints(page))]
        page.close()

    assert len(found) == 10
    assert calls == {"NORMAL", "REDUCED", "ABSENT", "MOSAIC", "FUNCTIONAL_DEFECT", "INDETERMINATE"}
    assert {sample: faults for sample, faults in found.items() if faults} == {}


def test_a_report_prints_on_a4(demo_results: Path, opened: Open, tmp_path: Path) -> None:
    """Printed, nothing is wider than the paper, and what only a screen can use is left out."""
    one = opened(demo_results / "results" / "samples" / "P03" / "report.html", 720)
    one.page.emulate_media(media="print")
    hidden = [one.page.locator(part).first.is_visible() for part in ("nav", "#sign", ".gate-verdict")]
    pdf = tmp_path / "report.pdf"
    one.page.pdf(path=pdf, format="A4", prefer_css_page_size=True, print_background=True)

    assert hidden == [False] * 3
    assert one.page.locator("#review").is_visible()
    assert pdf.read_bytes().count(b"/Type /Page\n") in range(5, 15)
    assert one.heard == []

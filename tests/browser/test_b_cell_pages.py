"""Reports of the B-cell assays and the page of a person in a browser: accessible, offline, on paper, and signed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser

from cd40l_flow.report.sample import write_report
from cd40l_flow.report.subjects.page import render_person
from cd40l_flow.result.people.joined import people_of
from cd40l_flow.result.types.result import Result
from helpers.pages.opened import PROVENANCE, violations
from helpers.results.b_cell_results import by_hand, cd40, entry, memory
from helpers.results.records import write_record

A4_HEIGHT = 1123  # CSS pixels


def grafted(sample: str, assay: str, date: str, **changes: Any) -> Result:
    """Return a sample of a transplanted person."""
    return by_hand(sample, assay, metadata={"collected": date, "transplant": "yes", "igg_g_l": 4.0}, **changes)


def _with_mutants(result: Result) -> Result:
    found = msgspec.structs.replace(
        result.reagents["CD154"], mutant_fraction=0.2, mutant_fraction_low=0.15, mutant_fraction_high=0.26
    )
    return msgspec.structs.replace(result, reagents={**result.reagents, "CD154": found})


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return reports of both assays, the page of a transplanted person and one whose rows contradict each other."""
    folder, found = tmp_path_factory.mktemp("pages"), {}
    low = grafted("T1", "memory_b", "2025-03", call="SWITCHED_ABSENT", memory=memory(0.1), reasons=["HSCT"])
    level = grafted("T3", "cd40", "2025-03", call="CD40_LOW", cd40=cd40(0.3, 0.7))
    for name, result in {"memory_b": low, "cd40": level}.items():
        write_record(result, folder / name / "result.json")
        found[name] = folder / name / "report.html"
        write_report(folder / name / "result.json", folder / name / "densities.npz", [], found[name], PROVENANCE)
    late = _with_mutants(grafted("T2", "cd40l", "2025-12", call="MOSAIC"))
    both = grafted("T4", "memory_b", "2025-12", call="SWITCHED_NORMAL", memory=memory(14.0))
    people = {
        "person": [low, level, late, both],
        "contradicted": [
            by_hand("A", sex="M"),
            by_hand("B", "memory_b", call="SWITCHED_LOW", memory=memory(1.0), sex="F"),
        ],
    }
    for name, results in people.items():
        (person,) = people_of([entry(one) for one in results], {}, {})
        found[name] = folder / f"{name}.html"
        hrefs = {one.sample: f"../samples/{one.sample}/report.html" for one in results}
        found[name].write_text(render_person(person, hrefs, {one.sample: one for one in results}), encoding="utf-8")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(pages: dict[str, Path], axe: str, browser: Browser, scheme: str) -> None:
    found = violations(browser, axe, scheme, pages)

    assert len(found) == 4
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_pages_break_no_rule_of_their_own_policy(pages: dict[str, Path], browser: Browser) -> None:
    context = browser.new_context(offline=True)
    told: dict[str, list[str]] = {}
    for name, path in pages.items():
        page = context.new_page()
        said = told.setdefault(name, [])
        page.on("console", lambda message, said=said: said.append(message.text))  # type: ignore[misc]
        page.on("request", lambda request, said=said: said.append(request.url) if "http" in request.url[:5] else None)  # type: ignore[misc]
        page.goto(path.as_uri())
        page.close()
    context.close()
    assert told == {name: [] for name in pages}


def test_page_one_and_the_person_fit_on_paper(pages: dict[str, Path], browser: Browser) -> None:
    context = browser.new_context(offline=True, viewport={"width": 703, "height": A4_HEIGHT})
    for name in ("memory_b", "cd40"):
        page = context.new_page()
        page.emulate_media(media="print")
        page.goto(pages[name].as_uri())
        box = page.locator("#call").bounding_box()
        assert box is not None
        assert box["height"] < A4_HEIGHT - 96, name  # less the margins of the page
        page.close()
    page = context.new_page()
    page.emulate_media(media="print")
    page.goto(pages["person"].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 703
    context.close()


def test_a_form_offers_the_calls_of_its_own_assay(pages: dict[str, Path], browser: Browser) -> None:
    context = browser.new_context(offline=True)
    offered = {}
    for name in ("memory_b", "cd40"):
        page = context.new_page()
        page.goto(pages[name].as_uri())
        options = page.locator("#sign-call option").evaluate_all("all => all.map(one => one.value)")
        offered[name] = {one for one in options if one}
        page.close()
    context.close()
    assert offered["memory_b"] == {"INDETERMINATE", "SWITCHED_LOW", "SWITCHED_NORMAL"}
    assert offered["cd40"] == {"INDETERMINATE", "PRESENT", "CD40_ABSENT", "DISCORDANT"}

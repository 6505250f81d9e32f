"""No rule of axe-core is broken, in light and dark, on reports of every call and on the index."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from cd40l_flow.report.index import render_index
from cd40l_flow.report.sample import write_report
from cd40l_flow.result.reviews.taken import taken_reviews
from helpers.pages.opened import PROVENANCE, violations
from helpers.results import report_samples as made
from helpers.results.records import as_result
from helpers.results.review_files import PEOPLE, repeat, write_review


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return reports of every call, of a sample without data and of one with reviews, and the index."""
    folder = tmp_path_factory.mktemp("pages")
    control = made.write_sample(folder / "control", made.CONTROL)
    found = {}
    for name, scenario in {**made.SCENARIOS, "NOTHING": made.NOTHING}.items():
        reviews = [write_review(folder, f"{name}.json", repeat(automatic_call=scenario.call))]
        reviews.append(write_review(folder, f"{name}bad.json", {"sample": "P01"}))
        pairs = [control] if scenario.controls else []
        found[name] = folder / f"{name}.html"
        write_report(
            *made.write_sample(folder / name, scenario),
            pairs,
            found[name],
            PROVENANCE,
            taken_reviews(reviews, None, PEOPLE),
        )
    results = [made.make_result(scenario) | {"sample": f"P{n}"} for n, scenario in enumerate(made.SCENARIOS.values())]
    files = [folder / name / "densities.npz" for name in made.SCENARIOS]
    family = {"family": "F1", "members": results[:2], "statements": ["They support each other."]}
    index = render_index([as_result(one) for one in results], ["#"] * len(results), densities=files, families=[family])
    found["index"] = folder / "index.html"
    found["index"].write_text(index, encoding="utf-8")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(pages: dict[str, Path], axe: str, browser: Browser, scheme: str) -> None:
    found = violations(browser, axe, scheme, pages)

    assert len(found) == 8
    assert {name: faults for name, faults in found.items() if faults} == {}

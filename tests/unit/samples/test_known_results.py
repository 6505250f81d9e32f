"""No number of a result changes unnoticed: the demo and many simulated samples against the results that are kept.

What is right is tested elsewhere. A change that is meant to change numbers writes them anew (``make known-results``),
and what it prints belongs into the changelog.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers.results.agreement import different
from helpers.results.known_results import DEMO, RUNS, kept, results_of


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    return kept()


@pytest.mark.parametrize("run", [DEMO, *RUNS])
def test_every_number_is_as_it_was(run: str, known: dict[str, Any], tmp_path: Path) -> None:
    found = list(different(known[run], results_of(run, tmp_path)))
    assert found == [], f"{len(found)} differences, first of all {found[:10]}"


def test_a_number_that_differs_is_found(known: dict[str, Any]) -> None:
    other = kept()
    assert list(different(known, other)) == []
    other[DEMO]["P05"]["reagents"]["CD154"]["negative_fraction"] *= 1 + 1e-5
    assert len(list(different(known, other))) == 1

"""The demo gives the same calls and numbers with the oldest and the newest allowed libraries, on every Python."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.results.agreement import close
from helpers.runs.cohorts import ROOT
from helpers.runs.versions import NEWEST, OLDEST, PYTHONS, disagreements, install, interpreters, run_demo

# Every build of the project tries the oldest libraries; `.ci/matrix` tries all.
ALL = os.environ.get("CD40L_FLOW_VERSIONS") == "all"

SMALL = ((PYTHONS[0], OLDEST),)
EVERY = tuple((python, resolution) for python in PYTHONS for resolution in (OLDEST, NEWEST))


@pytest.mark.slow
@pytest.mark.parametrize(("version", "resolution"), EVERY if ALL else SMALL)
def test_other_versions_of_the_libraries_change_no_call(
    version: str,
    resolution: str,
    demo_results: Path,
    demo_copy: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Every step succeeds, calls, reasons and flags are equal, numbers within 1e-6, second opinions 1e-3."""
    if os.environ.get("CI") != "true":
        pytest.skip("installs libraries from the network: .ci/matrix, or CI=true")
    present = interpreters()
    version = list(present)[-1] if version == "newest" else version
    if version not in present:
        pytest.skip(f"Python {version} is not on this machine")

    versions = install(present[version], resolution, tmp_path / "environment")
    run_demo(tmp_path / "environment", demo_copy)

    assert disagreements(demo_results, demo_copy) == []
    shown = ", ".join(f"{name} {versions[name]}" for name in ("numpy", "scipy", "scikit-learn", "snakemake"))
    record_property("told", f"Python {version}, {resolution}: {shown}")


def test_numbers_that_differ_are_found(demo_results: Path, tmp_path: Path) -> None:
    """Not a single call, reason, count or number beyond the tolerance passes for equal."""
    text = (demo_results / "results/samples/P05/result.json").read_text(encoding="utf-8")
    other = tmp_path / "other"
    for folder in (demo_results / "results/samples").iterdir():
        (other / "results/samples").mkdir(parents=True, exist_ok=True)
        (other / "results/samples" / folder.name).symlink_to(folder)
    (other / "results/summary.tsv").symlink_to(demo_results / "results/summary.tsv")
    assert disagreements(demo_results, other) == []

    place = other / "results/samples/P05"
    place.unlink()
    place.mkdir()
    for path in (demo_results / "results/samples/P05").iterdir():
        if path.name not in ("result.json", "report.html"):
            (place / path.name).symlink_to(path)
    (place / "result.json").write_text(text.replace('"MOSAIC"', '"NORMAL"'), encoding="utf-8")

    found = disagreements(demo_results, other)

    assert "P05: no report.html" in found
    assert any("MOSAIC NORMAL" in one for one in found)


@pytest.mark.parametrize(
    ("name", "mine", "theirs", "equal"),
    [
        ("call", "NORMAL", "REDUCED", False),
        ("events", 1000, 1001, False),
        ("cd154_mfi_ratio", "0.5", "0.5000001", True),
        ("cd154_mfi_ratio", 0.5, 0.500001, False),
        ("cd154_gmm_negative_fraction", 0.5, 0.5001, True),
        ("cd154_gmm_negative_fraction", 0.5, 0.501, False),
        ("cd154_separation", None, 0.5, False),
        ("reagents", {"CD154": 0.5}, {}, False),
    ],
)
def test_what_counts_as_equal(name: str, mine: object, theirs: object, equal: bool) -> None:
    """Texts, counts and missing values must be the same; other numbers within the tolerance of their kind."""
    assert close(name, mine, theirs) is equal


def test_the_matrix_covers_the_declared_pythons() -> None:
    """The versions that pyproject.toml names are those that are tried."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [version for version in PYTHONS if f'"Programming Language :: Python :: {version}"' in text] == list(PYTHONS)
    assert f'requires-python = ">={PYTHONS[0]}"' in text

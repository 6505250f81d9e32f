"""No name that an instrument wrote into a file comes out again, and no result tells where it was made."""

from __future__ import annotations

import os
import platform
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from cd40l_flow.simulate.cohort import default_cohort
from cd40l_flow.simulate.write import write_cohort
from helpers.results.review_files import make_review, write_review
from helpers.runs.cohorts import Run, output, results, run_once

NAMES = ("Doe-Planted", "Jane-Planted", "MRN-4711-Planted", "19800101-Planted")
KEYWORDS = {
    "$SRC": "Jane-Planted Doe-Planted",
    "$SMNO": "MRN-4711-Planted",
    "$FIL": "Doe-Planted_19800101-Planted.fcs",
    "$OP": "Jane-Planted",
    "$INST": "Doe-Planted ward",
    "$COM": "Jane-Planted",
    "$CELLS": "Doe-Planted",
    "$EXP": "Jane-Planted",
    "$PROJ": "Doe-Planted",
    "Patient Name": "Doe-Planted",
    "TUBE NAME": "Jane-Planted",
    "EXPERIMENT NAME": "Doe-Planted",
    "EXPORT USER NAME": "Jane-Planted",
    "@SAMPLEID1": "MRN-4711-Planted",
    "$LAST_MODIFIER": "Jane-Planted",
}


def make_named(directory: Path) -> None:
    control, healthy, female, *_ = default_cohort()
    cohort = (control, healthy, replace(female, sample="P03", events=100))
    written = write_cohort(directory, 7, cohort=cohort, events_scale=0.4, planted_keywords=KEYWORDS)
    files = [path.read_bytes() for path in written if path.suffix == ".fcs"]
    assert all(name.encode() in content for name in NAMES for content in files)
    # The names of reviewers are meant to be seen; a review must not bring in what the files hold.
    write_review(directory / "reviews", "one.json", make_review(sample="P01", result_digest="0" * 64))
    write_review(directory / "reviews", "odd.json", {"sample": "P01", "decision": "?"})
    broken = directory / "fcs" / "P03_stim_cd40ig.fcs"
    broken.write_bytes(broken.read_bytes()[:-400])


@pytest.fixture(scope="session")
def named(workflow: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished small cohort whose files carry names in many keywords; one of them is also cut short."""
    return run_once("named", make_named, workflow, tmp_path_factory)


def contents(path: Path) -> list[bytes]:
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return [archive.read(name) for name in archive.namelist()]
    return [path.read_bytes()]


def test_no_planted_name_is_in_anything_written(named: Path) -> None:
    written = [path for folder in ("results", "logs", ".snakemake") for path in (named / folder).rglob("*")]
    files = [path for path in written if path.is_file()]
    assert {"result.json", "report.html", "densities.npz", "summary.tsv", "index.html", "check.json", "run.json"} <= {
        path.name for path in files
    }
    found = [
        (str(path.relative_to(named)), name)
        for path in files
        for content in contents(path)
        for name in (*NAMES, "Planted")
        # Arrays of characters are written with four bytes each.
        if name.encode() in content or name.encode("utf-32-le") in content
    ]
    assert found == []


def test_reviews_and_contact_sheets_are_among_what_is_searched(named: Path) -> None:
    assert "A. Smith" in output(named, "P01", "report.html").read_text(encoding="utf-8")
    index = (named / "results" / "index.html").read_text(encoding="utf-8")
    assert "sheet-0" in index and "odd.json" in index


def test_the_broken_file_was_seen(named: Path) -> None:
    assert "FILE_INTEGRITY" in results(named)["P03"]["reasons"]


def test_no_result_tells_where_it_was_made(named: Path) -> None:
    """Neither the paths of the working directory, of the software or of a home folder, nor the machine's name."""
    paths = [str(named), str(Path(__file__).resolve().parents[2]), str(Path.home()), os.fspath(Path.cwd())]
    places = [place.encode() for place in paths if place != "/"]
    host = platform.node().encode()
    files = [named / "results" / name for name in ("summary.tsv", "index.html", "check.json", "run.json")]
    files += (named / "results" / "multiqc").iterdir()
    for sample in results(named):
        files += [output(named, sample, name) for name in ("result.json", "densities.npz", "report.html")]
    for path in files:
        for content in contents(path):
            assert not [place for place in places if place in content or place.decode().encode("utf-32-le") in content]
            if len(host) > 3:  # a name of two letters stands in any text
                assert host not in content, path

"""The same inputs give the same bytes, however they are run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from helpers.runs.cohorts import (
    TWO_RUNS,
    Run,
    cd40l_flow,
    differences,
    make_cohort,
    output,
    result,
    reverse_sheets,
    summary_lines,
)


def test_nothing_depends_on_cores_or_on_the_order_of_rows(two_runs: Path, workflow: Run, tmp_path: Path) -> None:
    cohort = make_cohort(tmp_path / "cohort", TWO_RUNS)
    reverse_sheets(cohort)

    process = workflow(cohort, cores=1)

    assert process.returncode == 0, process.stderr
    assert differences(cohort, two_runs, TWO_RUNS) == []
    assert list(summary_lines(cohort).items()) == list(summary_lines(two_runs).items())


@pytest.mark.parametrize("sample", ["P05", "C01"])
def test_run_of_one_sample_equals_the_cohort(demo_results: Path, demo_copy: Path, sample: str) -> None:
    expect_the_same_as(demo_results, demo_copy, sample, {"C01", sample})


@pytest.mark.parametrize("sample", ["P03", "P02"], ids=["test", "control"])
def test_run_of_one_sample_takes_all_controls_of_its_run(two_runs: Path, tmp_path: Path, sample: str) -> None:
    expect_the_same_as(two_runs, make_cohort(tmp_path / "cohort", TWO_RUNS), sample, {"C01", "P02", sample})


def expect_the_same_as(finished: Path, fresh: Path, sample: str, made: set[str]) -> None:
    """Run one sample in a fresh working directory and compare what is made with the finished cohort."""
    process = cd40l_flow(
        *("run", "--sample", sample, "--directory", fresh, "--configfile", fresh / "config" / "config.yaml")
    )

    assert process.returncode == 0, process.stderr
    assert {path.name for path in (fresh / "results" / "samples").iterdir()} == made
    for name in made:
        for file in ("result.json", "densities.npz"):
            assert output(fresh, name, file).read_bytes() == output(finished, name, file).read_bytes(), (name, file)
    # With a worker and without: of a report only the minute differs.
    mine, theirs = (
        re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "", output(folder, sample, "report.html").read_text(encoding="utf-8"))
        for folder in (fresh, finished)
    )
    assert mine == theirs


def test_a_relative_configuration_starts_at_the_working_directory(
    demo_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--configfile D/config/config.yaml`` with ``--directory D`` is understood as Snakemake understands it."""
    monkeypatch.chdir(demo_copy.parent)

    process = cd40l_flow("check", "--directory", "cohort", "--configfile", "cohort/config/config.yaml")

    assert process.returncode == 0, process.stderr
    assert (demo_copy / "results" / "check.json").exists()


def test_copied_files_give_the_same_results(demo_results: Path, tmp_path: Path) -> None:
    """Neither the place of a file nor a folder it lies in is part of a result, but for the name the sheet gives it."""
    cohort = make_cohort(tmp_path / "somewhere else", ["C01"])
    for path in (cohort / "fcs").iterdir():
        source = path.resolve()
        path.unlink()
        shutil.copyfile(source, path)
    config = cohort / "config" / "config.yaml"
    config.write_text(config.read_text().replace("fcs_dir: fcs", f"fcs_dir: '{cohort / 'fcs'}'"))

    process = cd40l_flow("run", "--sample", "C01", "--directory", cohort)

    assert process.returncode == 0, process.stderr
    assert result(cohort, "C01") == result(demo_results, "C01")

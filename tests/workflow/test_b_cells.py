"""The whole demo cohort: three assays in two runs, and a page for each patient."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.results.review_files import REVIEWERS, review_of, write_review
from helpers.runs.cohorts import (
    DEMO,
    Run,
    copy_of,
    demo_samples,
    jobs,
    make_cohort,
    override,
    read_sheet,
    result,
    run_once,
)
from helpers.simulated.exports import multiqc_rows

ASSAYS = ("memory_b", "cd40")
SAMPLES = demo_samples(*ASSAYS)


@pytest.fixture(scope="module")
def whole(workflow: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo cohort of all assays, without those samples of CD154 whose subjects have nothing else."""
    rows = read_sheet(DEMO / "config" / "samples.tsv")
    subjects = {row["subject"] for row in rows if row["assay"] in ASSAYS}
    samples = [row["sample"] for row in rows if row["subject"] in subjects]
    return run_once("assays", lambda to: make_cohort(to, samples), workflow, tmp_path_factory)


def test_calls_are_those_of_the_truth(whole: Path) -> None:
    truth = {row["sample"]: row for row in read_sheet(DEMO / "truth_b_cells.tsv")}
    calls = {row["sample"]: row for row in read_sheet(whole / "results/summary.tsv")}

    for sample in SAMPLES:
        assert calls[sample]["call"] in truth[sample]["expected_calls"].split(";"), sample
        assert (calls[sample]["memory_call"] or calls[sample]["cd40_call"]) == calls[sample]["call"]
        assert calls[sample]["cd154_call"] == ""


def test_intervals_hold_the_share_of_the_cells_that_were_written(whole: Path) -> None:
    truth = {row["sample"]: row for row in read_sheet(DEMO / "truth_b_cells.tsv")}
    inside = []
    for sample in demo_samples("memory_b"):
        found = result(whole, sample)["memory"]["switched"]
        inside.append(found["low"] <= float(truth[sample]["switched_percent"]) <= found["high"])

    # 95 % intervals of eight samples: two misses are one run in twenty, three one in 170.
    assert sum(inside) >= len(inside) - 2, inside


def test_a_control_of_cd154_is_none_of_b_cells(whole: Path) -> None:
    assert {sample: result(whole, sample)["controls"] for sample in ("P01", "P01M", "P01R")} == {
        "P01": ["C01"],
        "P01M": ["C01M"],
        "P01R": ["C01R"],
    }


def test_every_subject_has_a_page_and_a_row(whole: Path) -> None:
    rows = {row["subject"]: row for row in read_sheet(whole / "results/subjects.tsv")}

    assert {path.stem for path in (whole / "results/subjects").glob("*.html")} == set(rows)
    affected = rows["P02"]
    assert (affected["cd154_call"], affected["memory_call"], affected["cd40_call"]) == (
        "NORMAL",
        "SWITCHED_ABSENT",
        "CD40_ABSENT",
    )
    page = (whole / "results/subjects/P02.html").read_text(encoding="utf-8")
    assert "AICDA" in page and "../samples/P02M/report.html" in page


def test_gates_of_a_control_are_read_back_alike(whole: Path) -> None:
    """FlowKit counts the same events in every gate of Gating-ML and of the workspace."""
    for control in ("C01M", "C01R"):
        rows = read_sheet(whole / f"results/samples/{control}/gates.readback.tsv")
        assert rows
        assert {row["differing"] for row in rows} == {"0"}, control


def test_multiqc_has_the_samples_of_every_assay(whole: Path) -> None:
    """Those of B cells have their calls in the general table; numbers of CD154 stay empty there."""
    general = (whole / "results/multiqc/cd40l_flow_general_mqc.tsv").read_text(encoding="utf-8")
    rows = multiqc_rows(general)

    assert {sample: rows[sample]["call"] for sample in SAMPLES} == {
        sample: result(whole, sample)["call"] for sample in SAMPLES
    }
    assert "cd154_percent_positive" in rows["P01"]
    assert {rows[sample].get("cd154_percent_positive") for sample in SAMPLES} == {None}


def test_a_moved_gate_and_signatures_hold_as_for_the_first_assay(whole: Path, workflow: Run, tmp_path: Path) -> None:
    """A gate of the B cells reruns its sample alone; SWITCHED_ABSENT is signed when a second person has signed."""
    cohort = copy_of(whole, tmp_path / "cohort")
    was = next(gate["value"] for gate in result(cohort, "P01M")["gates"] if gate["gate"] == "cd27_low")
    override(cohort, "P01M", "cd27_low", 1.5 * was)
    with (cohort / "config/config.yaml").open("a", encoding="utf-8") as config:
        config.write(REVIEWERS)
    first = workflow(cohort)
    assert first.returncode == 0, first.stderr
    assert {sample for rule, sample in jobs(first) if rule == "analyse"} == {"P01M"}
    moved = next(gate for gate in result(cohort, "P01M")["gates"] if gate["gate"] == "cd27_low")
    assert (moved["value"], moved["automatic"]) == (pytest.approx(1.5 * was), was)
    before, after = (result(folder, "P01M")["memory"]["non_switched"] for folder in (whole, cohort))
    assert after["events"] < before["events"]

    def review(reviewer: str) -> None:
        told = review_of(cohort, "P02M", reviewer=reviewer)
        assert told["automatic_call"] == "SWITCHED_ABSENT"
        write_review(cohort / "reviews", f"{reviewer}.json", told)
        assert workflow(cohort).returncode == 0

    def state() -> tuple[str, str]:
        rows = {row["sample"]: row for row in read_sheet(cohort / "results/summary.tsv")}
        return rows["P02M"]["review"], rows["P02M"]["reviewed_call"]

    review("Anna Smith")
    assert state() == ("pending", "")
    review("Berta Kern")
    assert state() == ("accepted", "SWITCHED_ABSENT")

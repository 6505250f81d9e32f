"""Reviews in the workflow: dropped into the folder, the next run takes them up, and nothing is analysed again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from helpers.results.review_files import REVIEWERS, make_review, review_of, write_review
from helpers.runs.cohorts import Run, copy_of, differences, jobs, output, results

DUE = {("check", ""), ("report_sample", "P03"), ("summarize", ""), ("subjects", ""), ("index", "")}


def summary(cohort: Path, sample: str) -> tuple[str, str, str]:
    """Return call, review and reviewed call of a sample in the summary."""
    with (cohort / "results" / "summary.tsv").open(encoding="utf-8", newline="") as sheet:
        row = next(row for row in csv.DictReader(sheet, delimiter="\t") if row["sample"] == sample)
    return row["call"], row["review"], row["reviewed_call"]


def test_reviews_are_taken_up_by_the_next_run_and_outlive_nothing_they_do_not_fit(
    demo_results: Path, workflow: Run, tmp_path: Path
) -> None:
    cohort = copy_of(demo_results, tmp_path / "cohort")
    folder = cohort / "reviews"
    with (cohort / "config/config.yaml").open("a", encoding="utf-8") as config:
        config.write(REVIEWERS)
    assert workflow(cohort).returncode == 0
    write_review(folder, "one.json", review_of(cohort, "P03", reviewer="Anna Smith"))

    process = workflow(cohort)
    assert process.returncode == 0, process.stderr
    assert jobs(process) == DUE
    assert summary(cohort, "P03") == ("ABSENT", "pending", "")

    write_review(folder, "two.json", review_of(cohort, "P03", reviewer="Berta Kern"))
    assert jobs(workflow(cohort)) == DUE
    assert summary(cohort, "P03") == ("ABSENT", "accepted", "ABSENT")
    report = output(cohort, "P03", "report.html").read_text(encoding="utf-8")
    assert "Anna Smith" in report and "Berta Kern" in report
    assert "accepted" in (cohort / "results" / "index.html").read_text(encoding="utf-8")
    assert jobs(workflow(cohort, "--dry-run")) == set()

    (folder / "two.json").unlink()
    assert jobs(workflow(cohort)) == DUE
    assert summary(cohort, "P03") == ("ABSENT", "stale", "")
    assert "was taken away after it was taken up" in output(cohort, "P03", "report.html").read_text(encoding="utf-8")
    assert [one for one in differences(cohort, demo_results, results(cohort)) if "summary" not in one] == []


def test_a_repeat_of_the_control_takes_back_what_its_patients_were_signed_for(
    demo_results: Path, workflow: Run, tmp_path: Path
) -> None:
    """Also a review dated ten years ahead, and one that is edited, are found by the next run."""
    cohort = copy_of(demo_results, tmp_path / "cohort")
    folder = cohort / "reviews"
    write_review(folder, "p01.json", review_of(cohort, "P01"))
    write_review(folder, "p02.json", review_of(cohort, "P02", signed_at="2036-01-05T10:00:00Z"))
    process = workflow(cohort)
    assert summary(cohort, "P01")[1:] == ("accepted", summary(cohort, "P01")[0])
    assert summary(cohort, "P02")[1] == "unsigned"
    assert "ahead of this computer's clock" in process.stderr + process.stdout
    assert "2036-01-05" in (cohort / "results/check.json").read_text(encoding="utf-8")
    assert "was not taken up" in output(cohort, "P02", "report.html").read_text(encoding="utf-8")

    write_review(folder, "c01.json", review_of(cohort, "C01", decision="repeat", comment="clot in the tube"))
    due = jobs(workflow(cohort))
    assert {("report_sample", "P01"), ("report_sample", "C01"), ("summarize", ""), ("index", "")} <= due
    assert not any(rule == "analyse" for rule, _ in due)
    assert summary(cohort, "P01")[1:] == ("stale", "")
    assert "Control C01: A. Smith asked on" in output(cohort, "P01", "report.html").read_text(encoding="utf-8")
    assert jobs(workflow(cohort, "--dry-run")) == set()


def test_a_malformed_review_stops_nothing_and_is_reported_everywhere(
    demo_results: Path, workflow: Run, tmp_path: Path
) -> None:
    cohort = copy_of(demo_results, tmp_path / "cohort")
    folder = cohort / "reviews"
    write_review(folder, "odd.json", {"sample": "P03", "decision": "yes"})
    write_review(folder, "lost.json", [1])
    write_review(folder, "other.json", make_review(sample="P77"))
    (folder / "scan.pdf").write_text("")

    process = workflow(cohort)

    assert process.returncode == 0, process.stderr
    assert jobs(process) == DUE
    problems = json.loads((cohort / "results" / "check.json").read_text(encoding="utf-8"))["problems"]
    told = {Path(problem["file"]).name for problem in problems if problem["code"] == "REVIEW"}
    assert told == {"odd.json", "lost.json", "other.json", "scan.pdf"}
    assert "odd.json" in output(cohort, "P03", "report.html").read_text(encoding="utf-8")
    index = (cohort / "results" / "index.html").read_text(encoding="utf-8")
    assert "odd.json" in index and "lost.json" in index
    assert summary(cohort, "P03") == ("ABSENT", "unsigned", "")

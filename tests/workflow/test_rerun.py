"""What a change of the inputs makes Snakemake do again: the samples it concerns, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from helpers.results.controls import many_controls
from helpers.results.references import name_reference, put_reference, reference_of
from helpers.runs.cohorts import (
    TWO_RUNS,
    Run,
    copy_of,
    differences,
    jobs,
    jobs_of,
    output,
    override,
    read_sheet,
    replace_file,
    result,
    results,
    reverse_sheets,
    write_sheet,
)

CONTROLS = ("C01", "P01", "P02")  # of both runs


@pytest.fixture
def cohort(two_runs: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished cohort of two runs."""
    return copy_of(two_runs, tmp_path / "cohort")


def set_cell(directory: Path, sample: str, column: str, text: str) -> None:
    path = directory / "config" / "samples.tsv"
    rows = read_sheet(path)
    next(row for row in rows if row["sample"] == sample)[column] = text
    write_sheet(path, rows)


def test_an_override_reruns_its_sample_alone(demo_results: Path, workflow: Run, tmp_path: Path) -> None:
    cohort = copy_of(demo_results, tmp_path / "cohort")
    others = [name for name in results(cohort) if name != "P05"]
    before = {name: output(cohort, name, "report.html").stat().st_mtime_ns for name in others}
    was = {gate["gate"]: gate for gate in result(cohort, "P05")["gates"]}
    override(cohort, "P05", "cd69_low", 1500)
    override(cohort, "P05", "target_low", 900, tube="P05_stim_cd154.fcs")

    process = workflow(cohort)

    assert process.returncode == 0, process.stderr
    assert jobs(process) == jobs_of("P05")
    assert differences(cohort, demo_results, others) == []
    assert {name: output(cohort, name, "report.html").stat().st_mtime_ns for name in others} == before
    gates = {(gate["gate"], gate["population"]): gate for gate in result(cohort, "P05")["gates"]}
    told = {"by": "AB", "reason": "the valley was missed"}
    cd69, target = gates["cd69_low", "CD3+CD8-CD69+"], gates["target_low", "CD154+"]
    assert (cd69["value"], cd69["automatic"], cd69["override"]) == (1500, was["cd69_low"]["value"], told)
    assert (target["value"], target["override"]) == (900, told)
    assert 0 < target["automatic"] != 900
    assert gates["target_low", "CD40-Ig+"]["override"] is None
    assert "the valley was missed" in output(cohort, "P05", "report.html").read_text(encoding="utf-8")
    assert differences(cohort, demo_results, ["P05"]) == ["P05/result.json", "P05/densities.npz", "summary P05"]


@pytest.mark.parametrize(
    ("control", "rerun"), [("P02", ("C01", "P02", "P03", "P05")), ("P01", ("P01", "P04"))], ids=["two", "one"]
)
def test_an_override_of_a_control_reruns_its_run(
    cohort: Path, workflow: Run, control: str, rerun: tuple[str, ...]
) -> None:
    """The controls of a run are measured together, so each of them and all that use any of them are due."""
    override(cohort, control, "cd69_low", 900)

    assert jobs(workflow(cohort, "--dry-run")) == jobs_of(*rerun, controls=CONTROLS)


def test_a_cell_of_the_sheet_reruns_its_sample(cohort: Path, workflow: Run) -> None:
    set_cell(cohort, "P03", "calcineurin_inhibitor", "unknown")

    process = workflow(cohort)

    assert jobs(process) == jobs_of("P03")
    assert (result(cohort, "P03")["call"], result(cohort, "P03")["reasons"]) == (
        "INDETERMINATE",
        ["DRUG_STATUS_UNKNOWN"],
    )


def test_the_order_of_rows_reruns_nothing(cohort: Path, workflow: Run) -> None:
    reverse_sheets(cohort)

    assert jobs(workflow(cohort, "--dry-run")) == {("check", "")}


def test_another_file_reruns_its_sample_even_when_it_is_older(cohort: Path, workflow: Run) -> None:
    """Copies keep the time of the original: a file sent again after it arrived cut short is older than the results."""
    fcs = cohort / "fcs" / "P04_stim_cd154.fcs"
    replace_file(cohort, fcs.name, fcs.read_bytes()[:-4000])
    os.utime(fcs, (1_600_000_000, 1_600_000_000))

    assert jobs(workflow(cohort, "--dry-run")) == jobs_of("P04")


def test_dates_decide_nothing_under_any_profile(cohort: Path, workflow: Run, tmp_path: Path) -> None:
    """Without our profile, and with a site's that looks at dates alone, the rules see what is in the files."""
    profile = tmp_path / "site" / "profile.yaml"
    profile.parent.mkdir()
    profile.write_text("rerun-triggers: mtime\n", encoding="utf-8")
    layouts = (("--workflow-profile", "none"), ("--profile", str(profile.parent)))
    fcs = cohort / "fcs" / "P04_stim_cd154.fcs"
    replace_file(cohort, fcs.name, fcs.read_bytes())
    for date in (1_600_000_000, 4_000_000_000):
        os.utime(fcs, (date, date))
        for layout in layouts:
            assert jobs(workflow(cohort, "--dry-run", *layout)) <= {("check", "")}
    fcs.write_bytes(fcs.read_bytes()[:-4000])
    os.utime(fcs, (1_600_000_000, 1_600_000_000))

    for layout in layouts:
        assert jobs(workflow(cohort, "--dry-run", *layout)) - {("check", "")} == jobs_of("P04") - {("check", "")}


def test_results_with_other_dates_make_no_analysis_run(two_runs: Path, cohort: Path, workflow: Run) -> None:
    """Restored from a backup in any order, results of a control and of a patient stay those that they were."""
    os.utime(output(cohort, "P01", "result.json"))
    os.utime(output(cohort, "P03", "result.json"), (1_600_000_000, 1_600_000_000))

    process = workflow(cohort, "--workflow-profile", "none")

    assert process.returncode == 0, process.stderr
    assert [sample for rule, sample in jobs(process) if rule == "analyse"] == []
    assert differences(cohort, two_runs, list(TWO_RUNS)) == []


def test_a_limit_reruns_everything(cohort: Path, workflow: Run) -> None:
    with (cohort / "config" / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("limits: {guards: {activated_min: 400}}\n")

    assert jobs(workflow(cohort, "--dry-run")) - {("check", "")} == jobs_of(*TWO_RUNS, controls=CONTROLS) - {
        ("check", "")
    }


def test_a_reference_reruns_everything_and_again_when_it_changes(cohort: Path, workflow: Run) -> None:
    """The laboratory's own limits are part of what every result depends on; the history of the charts is not."""
    write(cohort, 25)
    name_reference(cohort)
    everything = jobs_of(*TWO_RUNS, controls=CONTROLS) - {("check", "")}

    process = workflow(cohort)

    assert process.returncode == 0, process.stderr
    assert jobs(process) - {("check", "")} == everything
    digests = {one["reference"]["digest"] for one in results(cohort).values()}
    assert digests == {write(cohort, 25)}
    assert jobs(workflow(cohort, "--dry-run")) <= {("index", "")}
    write(cohort, 26)
    assert jobs(workflow(cohort, "--dry-run")) - {("check", "")} == everything


def write(cohort: Path, controls: int) -> str:
    """Write the limits of so many healthy controls; return their digest."""
    content = reference_of(many_controls(controls))
    put_reference(cohort, content)
    return content.digest

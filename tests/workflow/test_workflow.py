"""The demo cohort from FCS files to calls and reports, in one run of Snakemake."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from helpers.runs.cohorts import (
    Run,
    cd40l_flow,
    copy_of,
    jobs,
    make_cohort,
    output,
    override,
    read_sheet,
    results,
    summary_lines,
    write_sheet,
)

DESIGNED = (
    *("sample", "run", "role", "sex", "call", "cd154_call", "cd40ig_call", "reasons", "qc", "review", "reviewed_call"),
    *("activated_events", "cd69_percent"),
    *(
        f"{reagent}_{measure}"
        for reagent in ("cd154", "cd40ig")
        for measure in (
            *("percent_positive", "percent_positive_low", "percent_positive_high", "mfi_positive", "mfi_ratio"),
            *("relative_positive", "negative_fraction", "negative_fraction_low", "negative_fraction_high"),
            *("mutant_fraction", "mutant_fraction_low", "mutant_fraction_high", "separation"),
        )
    ),
)
REPORT_BYTES = 620_000
TARGET = 0.02  # of the negative fraction, where the assay is able to measure it


@pytest.fixture(scope="session")
def validator(root: Path) -> jsonschema.Draft202012Validator:
    schema = json.loads((root / "workflow" / "schemas" / "result.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_every_call_and_its_reasons_are_the_expected_ones(demo_results: Path) -> None:
    truth = read_sheet(demo_results / "truth.tsv")
    expected = {
        row["sample"]: (row["expected_call"], set(filter(None, row["expected_reasons"].split(";")))) for row in truth
    }

    found = {name: (one["call"], set(one["reasons"])) for name, one in results(demo_results).items()}

    assert found == expected


def test_negative_fraction_is_close_to_the_realised_one(demo_results: Path) -> None:
    """Within 0.02 wherever 2,000 activated cells were measured and the components lie 3 or more apart."""
    judged = 0
    found = results(demo_results)
    for row in read_sheet(demo_results / "truth.tsv"):
        measures = found[row["sample"]]["reagents"].get(row["reagent"])
        if not row["negative_fraction_realised"] or measures is None or measures["separation"] is None:
            continue
        if measures["events"] >= 2000 and measures["separation"] >= 3:
            judged += 1
            truth = float(row["negative_fraction_realised"])
            assert measures["negative_fraction"] == pytest.approx(truth, abs=TARGET), row["fcs"]
    assert judged >= 10


def test_results_keep_to_their_schema(demo_results: Path, validator: jsonschema.Draft202012Validator) -> None:
    for name, values in results(demo_results).items():
        wrong = [f"{name} {error.json_path}: {error.message[:200]}" for error in validator.iter_errors(values)]
        assert not wrong


def test_schema_describes_every_value_and_allows_no_other(validator: jsonschema.Draft202012Validator) -> None:
    def walk(node: Any, path: str) -> list[str]:
        if isinstance(node, list):
            return [fault for index, item in enumerate(node) for fault in walk(item, f"{path}[{index}]")]
        if not isinstance(node, dict):
            return []
        faults = []
        for name, value in node.get("properties", {}).items():
            if "description" not in value and "$ref" not in value:
                faults.append(f"{path}.{name} is not described")
        if "properties" in node and node.get("additionalProperties") is not False:
            faults.append(f"{path} allows further keys")
        return faults + [fault for key, item in node.items() for fault in walk(item, f"{path}.{key}")]

    assert walk(validator.schema, "") == []


def test_summary_has_the_columns_of_the_design(demo_results: Path) -> None:
    lines = summary_lines(demo_results)

    assert tuple(lines["sample"].split("\t"))[: len(DESIGNED)] == DESIGNED
    assert list(lines)[1:] == [f"C0{n}" for n in (1,)] + [f"P0{n}" for n in range(1, 10)]


def test_summary_repeats_the_results(demo_results: Path) -> None:
    found = results(demo_results)
    for row in read_sheet(demo_results / "results" / "summary.tsv"):
        one = found[row["sample"]]
        assert (row["call"], row["reasons"], row["qc"]) == (one["call"], ";".join(one["reasons"]), one["qc"])
        assert float(row["cd154_negative_fraction"]) == pytest.approx(
            one["reagents"]["CD154"]["negative_fraction"], rel=1e-5
        )


def test_reports_are_small_and_complete(demo_results: Path) -> None:
    index = (demo_results / "results" / "index.html").read_text(encoding="utf-8")
    for name in results(demo_results):
        report = output(demo_results, name, "report.html")
        assert 50_000 < report.stat().st_size < REPORT_BYTES
        assert f"samples/{name}/report.html" in index


def test_check_finds_nothing_wrong(demo_results: Path) -> None:
    assert json.loads((demo_results / "results" / "check.json").read_text(encoding="utf-8")) == {"problems": []}


def test_nothing_is_left_to_do(demo_results: Path, workflow: Run, tmp_path: Path) -> None:
    process = workflow(copy_of(demo_results, tmp_path / "again"))

    assert process.returncode == 0
    assert "Nothing to be done" in process.stdout + process.stderr


def test_jobs_are_looked_for_only_when_one_has_ended(workflow: Run, tmp_path: Path) -> None:
    """Or else Snakemake's own time would grow with the square of the number of jobs."""
    samples = ("P03", "P04", "P05")
    directory = make_cohort(tmp_path / "four", ["C01", *samples])
    process = workflow(directory, "--verbose", *(f"results/samples/{one}/report.html" for one in samples), cores=1)

    assert process.returncode == 0, process.stderr
    told = process.stdout + process.stderr
    assert len(jobs(process)) == 1 + 2 * len(samples)
    assert told.count("Resources before job selection") == 1 + 2 * len(samples)


def test_snakefile_of_the_root_makes_everything(demo_copy: Path, workflow: Run, root: Path) -> None:
    """Without a target named, Snakemake makes that of the included workflow: an ``include:`` alone would make none."""
    process = workflow(demo_copy, "--dry-run")

    assert process.returncode == 0, process.stderr
    told = process.stdout + process.stderr
    assert "rule all:" in told
    # Jobs of one group are reported with an indent.
    for rule in ("analyse", "report_sample"):
        assert len(re.findall(rf"^\s*rule {rule}:", told, re.MULTILINE)) == 10


MISTAKES = {
    ("samples.tsv", 3, "sex", "Z"),
    ("samples.tsv", 5, "role", "patient"),
    ("tubes.tsv", 4, "reagent", "CD155"),
    ("tubes.tsv", 9, "sample", "P77"),
}


@pytest.fixture
def mistaken(demo_copy: Path) -> Path:
    """Return the demo cohort with four wrong cells, an unknown key and an override of a gate that is not one."""
    for name, line, column, text in MISTAKES:
        path = demo_copy / "config" / name
        rows = read_sheet(path)
        rows[line - 2][column] = text
        write_sheet(path, rows)
    with (demo_copy / "config" / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("spilover: file\n")
    override(demo_copy, "P05", "cd96_low", 1500)
    return demo_copy


def expect_every_mistake(told: str) -> None:
    for name, line, column, _ in MISTAKES:
        assert f"{name}, line {line}, {column}" in told
    assert "spilover" in told
    assert "overrides.tsv, line 2, gate" in told
    assert "Traceback" not in told


def test_mistakes_in_the_sheets_are_reported_all_at_once(mistaken: Path, workflow: Run) -> None:
    process = workflow(mistaken)

    assert process.returncode != 0
    expect_every_mistake(process.stdout + process.stderr)
    assert not (mistaken / "results" / "samples").exists()


def test_the_workflow_writes_the_mistakes_too(mistaken: Path, workflow: Run) -> None:
    assert workflow(mistaken).returncode != 0

    told = json.loads((mistaken / "results" / "check.json").read_text(encoding="utf-8"))["problems"]
    assert len(told) > 1
    assert {problem["severity"] for problem in told} == {"fatal"}


def test_values_apart_from_the_configuration_file_are_refused(demo_copy: Path, workflow: Run) -> None:
    process = workflow(demo_copy, "--config", "require_function=false", "--dry-run")

    assert process.returncode != 0
    told = process.stdout + process.stderr
    assert "one configuration file" in told
    assert "Traceback" not in told


def test_check_tells_the_mistakes_and_writes_them(mistaken: Path) -> None:
    process = cd40l_flow("check", "--directory", mistaken, "--configfile", mistaken / "config" / "config.yaml")

    assert process.returncode == 2
    expect_every_mistake(process.stderr)
    problems = json.loads((mistaken / "results" / "check.json").read_text(encoding="utf-8"))["problems"]
    assert {(Path(one["file"]).name, one["line"], one["column"]) for one in problems} >= {m[:3] for m in MISTAKES}
    assert all(one["remedy"] and one["severity"] == "fatal" for one in problems)
    assert len(problems) == len(MISTAKES) + 2


def test_a_bug_is_not_passed_over(demo_results: Path, workflow: Run, tmp_path: Path) -> None:
    """What is not the inputs' fault ends the run with an error, though the log takes the output."""
    broken = copy_of(demo_results, tmp_path / "broken")
    control = output(broken, "C01", "result.json")
    control.write_text("{}", encoding="utf-8")
    shutil.rmtree(output(broken, "P03", ""))

    process = workflow(broken, "results/samples/P03/result.json", "--rerun-triggers", "input")

    assert process.returncode != 0
    assert "Traceback" in process.stdout + process.stderr


def test_table_of_calls_ends_the_demo(demo_results: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "cd40l_flow.result.table", str(demo_results / "results" / "summary.tsv")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert process.stdout.count("\n") >= 11
    assert "FUNCTIONAL_DEFECT" in process.stdout

"""A step that crashes or is killed costs its own sample: it says so, the others are as ever, the next run mends it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from faults.conftest import Bench
from helpers.runs.cohorts import (
    ROOT,
    RUN_SECONDS,
    copy_of,
    differences,
    jobs,
    make_cohort,
    output,
    override,
    result,
    results,
    summary_lines,
)

NewBench = Callable[[Path], Bench]
SAMPLES = ("C01", "P01", "P02", "P03", "P04", "P05", "P06", "P07")
# Sample -> how its analysis goes wrong, and the word that its result must say of it.
FAULTS = {
    "P02": ("raise could not convert string to float: 'Planted Name'", "ValueError"),
    "P03": ("kill 9", "SIGKILL"),
    "P04": ("exit 7", "exit code 7"),
    # Where nothing is left to write the failure with, the exit code is all that is known.
    "P05": ("memory 1", "emory|exit code 1"),
    "P06": ("kill 11", "SIGSEGV"),
    "P07": ("shell 9", "killed"),
}
SOUND = ("C01", "P01")


def expect_failed(cohort: Path, sample: str, word: str) -> None:
    """A sample has a valid result that names its fault, a report, and its row in every output of the cohort."""
    found = result(cohort, sample)
    schema = json.loads((ROOT / "workflow" / "schemas" / "result.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(found)
    assert (found["call"], found["reasons"], found["qc"]) == ("INDETERMINATE", ["ANALYSIS_FAILED"], "fail")
    message = found["messages"][0]["text"]
    assert re.search(word, message)
    assert f"logs/analyse/{sample}.log" in message
    report = output(cohort, sample, "report.html").read_text(encoding="utf-8")
    assert "ANALYSIS_FAILED" in report and "Traceback" not in report
    assert "\tANALYSIS_FAILED\t" in summary_lines(cohort)[sample]
    index = (cohort / "results" / "index.html").read_text(encoding="utf-8")
    assert f"samples/{sample}/report.html" in index
    multiqc = json.loads((cohort / "results" / "multiqc" / "cd40l_flow_mqc.json").read_text(encoding="utf-8"))
    assert re.search(rf"<tr><td>{sample}</td>.*<td>INDETERMINATE</td></tr>", multiqc["data"])
    general = (cohort / "results" / "multiqc" / "cd40l_flow_general_mqc.tsv").read_text(encoding="utf-8")
    assert f'"{sample}"\t"INDETERMINATE"' in general


def last_lines(told: str, number: int) -> str:
    return "\n".join(told.rstrip().splitlines()[-number:])


def test_every_way_to_fail_costs_its_own_sample(bench: NewBench, demo_results: Path, tmp_path: Path) -> None:
    """At the first run: the sound samples are the bytes of a run without faults; the same command again mends all."""
    site = bench(make_cohort(tmp_path / "cohort", SAMPLES))
    for sample, (fault, _) in FAULTS.items():
        site.ask_for(sample, fault)

    process = site.run()

    assert process.returncode != 0
    for sample, (_, word) in FAULTS.items():
        expect_failed(site.cohort, sample, word)
        assert sample in last_lines(process.stdout, len(FAULTS) + 2)
    assert differences(site.cohort, demo_results, SOUND) == []
    # What an exception quotes may come out of a file.
    for path in [*(site.cohort / "results").rglob("*"), *(site.cohort / "logs").rglob("*")]:
        assert not path.is_file() or b"Planted" not in path.read_bytes(), path
    site.mend()

    again = site.run()

    assert again.returncode == 0, again.stdout
    assert {sample for rule, sample in jobs(again) if rule == "analyse"} == set(FAULTS)
    assert differences(site.cohort, demo_results, SAMPLES) == []
    assert "Nothing to be done" in site.run().stdout


def test_an_old_result_does_not_stay_when_its_sample_fails(bench: NewBench, demo_results: Path, tmp_path: Path) -> None:
    """At a later run, of a cohort that had results of everything."""
    site = bench(copy_of(demo_results, tmp_path / "cohort"))
    for sample, (fault, _) in FAULTS.items():
        override(site.cohort, sample, "cd69_low", 1500)
        site.ask_for(sample, fault)

    process = site.run()

    assert process.returncode != 0
    for sample, (_, word) in FAULTS.items():
        expect_failed(site.cohort, sample, word)
    others = set(results(demo_results)) - set(FAULTS)
    assert differences(site.cohort, demo_results, others) == []
    assert {sample for rule, sample in jobs(process) if rule == "analyse"} == set(FAULTS)


@pytest.mark.parametrize("fault", ["kill 9", "shell 9"])
def test_a_failed_control_leaves_its_run_without_calls(bench: NewBench, tmp_path: Path, fault: str) -> None:
    """Its samples are measured all the same, at the end of the run where Snakemake could not begin them."""
    site = bench(make_cohort(tmp_path / "cohort", ("C01", "P01", "P03")))
    site.ask_for("C01", fault)

    process = site.run()

    assert process.returncode != 0
    assert {name: one["call"] for name, one in results(site.cohort).items()} == dict.fromkeys(
        ("C01", "P01", "P03"), "INDETERMINATE"
    )
    assert "CONTROL_FAILED" in result(site.cohort, "P01")["reasons"]
    assert result(site.cohort, "P03")["activated_events"] > 0


@pytest.mark.parametrize("fault", ["kill 9", "shell 9"])
def test_a_failed_report_and_a_failed_export_cost_themselves(
    bench: NewBench, demo_results: Path, tmp_path: Path, fault: str
) -> None:
    site = bench(make_cohort(tmp_path / "cohort", ("C01", "P01", "P03")))
    site.ask_for("report.P03", fault)
    site.ask_for("export.C01", fault)

    process = site.run()

    assert process.returncode != 0
    last = last_lines(process.stdout, 4)
    assert "P03 (report)" in last and "C01 (export)" in last
    assert differences(site.cohort, demo_results, ("C01", "P01", "P03")) == []
    index = (site.cohort / "results" / "index.html").read_text(encoding="utf-8")
    assert "samples/C01/report.html" in index
    assert ("samples/P03/report.html" in index) == (fault == "shell 9")
    site.mend()

    again = site.run()

    assert again.returncode == 0, again.stdout
    # A report that a killed step did not make was made at the end of the run.
    assert {("report_sample", "P03")} & jobs(again) or fault == "shell 9"
    assert ("export", "C01") in jobs(again)
    assert not any(rule == "analyse" for rule, _ in jobs(again))
    assert "not read back" not in output(site.cohort, "C01", "gates.readback.tsv").read_text(encoding="utf-8")
    assert "No report of" not in output(site.cohort, "P03", "report.html").read_text(encoding="utf-8")


def test_a_single_sample_touches_no_other(bench: NewBench, demo_results: Path, tmp_path: Path) -> None:
    """Neither a run of one target that fails, nor one beside samples that the sheet no longer has."""
    site = bench(copy_of(demo_results, tmp_path / "cohort"))
    shutil.copytree(output(site.cohort, "P01", ""), output(site.cohort, "GONE", ""))
    override(site.cohort, "P02", "cd69_low", 1500)
    override(site.cohort, "P03", "cd69_low", 1500)
    site.ask_for("P02", "shell 9")
    before = contents(site.cohort, "P02")

    process = site.run("results/samples/P02/report.html")

    assert process.returncode != 0
    assert result(site.cohort, "P02")["reasons"] == ["ANALYSIS_FAILED"]
    assert contents(site.cohort, "P02") == before


def test_a_single_target_that_was_killed_is_made_again(bench: NewBench, demo_results: Path, tmp_path: Path) -> None:
    """Also where its outputs are all there, at its first run, of which Snakemake has no record."""
    site = bench(make_cohort(tmp_path / "cohort", ("C01", "P03")))
    site.ask_for("P03", "shell 9")
    assert site.run("results/samples/P03/result.json").returncode != 0
    assert result(site.cohort, "P03")["reasons"] == ["ANALYSIS_FAILED"]
    site.mend()

    again = site.run("results/samples/P03/result.json")

    assert again.returncode == 0, again.stdout
    assert ("analyse", "P03") in jobs(again)
    there, expected = (output(folder, "P03", "result.json").read_bytes() for folder in (site.cohort, demo_results))
    assert there == expected


def test_what_ctrl_c_left_unbegun_gets_no_result(bench: NewBench, demo_results: Path, tmp_path: Path) -> None:
    samples = ("C01", "P01", "P02", "P03", "P04", "P05")
    site = bench(make_cohort(tmp_path / "cohort", samples))
    for sample in samples:
        site.ask_for(sample, "sleep 120")
    # A shell lets what it starts in the background ignore Ctrl-C, and so would all that is started from there.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = site.start(cores=1)
    signal.signal(signal.SIGINT, before)
    end = time.monotonic() + RUN_SECONDS
    while not (site.folder / "begun" / "C01").exists() and time.monotonic() < end:
        time.sleep(0.1)
    told = None
    while told is None:
        # A busy Snakemake may not heed the first; a person would press it again.
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            told, _ = process.communicate(timeout=30)

    assert process.returncode != 0
    expect_failed(site.cohort, "C01", "killed")
    unbegun = [sample for sample in samples if not (site.folder / "begun" / sample).exists()]
    assert unbegun
    for sample in unbegun:
        assert not output(site.cohort, sample, "").exists()
        assert "\tANALYSIS_FAILED\t" in summary_lines(site.cohort)[sample]
    assert f"Not begun: {len(unbegun)} of the analyses ({', '.join(unbegun)})" in told
    assert re.search(r"^  C01: ", told, re.MULTILINE), told
    site.mend()
    again = site.run()
    assert again.returncode == 0, again.stdout
    assert differences(site.cohort, demo_results, samples) == []


def contents(cohort: Path, but: str) -> dict[str, bytes]:
    """Return every file of the results that is not of a sample."""
    files = [path for path in (cohort / "results").rglob("*") if path.is_file() and path.parent.name != but]
    return {str(path): path.read_bytes() for path in files}


def test_what_the_sheet_no_longer_has_is_moved_away(bench: NewBench, demo_results: Path, tmp_path: Path) -> None:
    site = bench(copy_of(demo_results, tmp_path / "cohort"))
    sheets = [site.cohort / "config" / name for name in ("samples.tsv", "tubes.tsv")]
    for path in sheets:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith("P03\t")), encoding="utf-8")
    was = output(site.cohort, "P03", "result.json").read_bytes()

    process = site.run()

    assert process.returncode == 0, process.stdout
    assert not output(site.cohort, "P03", "").exists()
    assert (site.cohort / "results" / "superseded" / "P03" / "result.json").read_bytes() == was
    assert "P03" not in summary_lines(site.cohort)
    assert "P03" not in (site.cohort / "results" / "index.html").read_text(encoding="utf-8")


def test_the_last_lines_name_the_samples(bench: NewBench, tmp_path: Path) -> None:
    site = bench(make_cohort(tmp_path / "cohort", ("C01", "P03")))
    site.ask_for("P03", "raise anything")

    told = site.run().stdout

    assert re.search(r"Failed for 1 sample.*\n  P03: ValueError", last_lines(told, 2))


def test_a_failed_run_is_recorded_and_reported_as_one(bench: NewBench, tmp_path: Path) -> None:
    """Its record and its messages show the failure; counts come before the samples' names, which come last."""
    site = bench(make_cohort(tmp_path / "cohort", ("C01", "P03")))
    (tmp_path / "sendmail").write_text(f"#!/bin/sh\ncat > {tmp_path}/mail\n", encoding="utf-8")
    (tmp_path / "sendmail").chmod(0o755)
    with (site.cohort / "config/config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\nnotify: {{mail: {{to: [a@b], sendmail: {tmp_path}/sendmail}}}}\n")
    site.ask_for("P03", "shell 9")

    process = site.run()

    assert process.returncode != 0
    run = json.loads((site.cohort / "results/run.json").read_text(encoding="utf-8"))
    assert (run["state"], run["failed"], run["calls"]["INDETERMINATE"]) == ("failure", ["P03"], 1)
    assert [tube["content"] for tube in run["inputs"] if tube["sample"] == "P03"] == [None] * 5
    assert re.search(
        r"calls of 2 samples: 1 NORMAL, 1 INDETERMINATE\ncd40l-flow: failures: 1 failed\n"
        r"cd40l-flow: index: results/index.html\nFailed for 1 sample.*\n  P03 \(report\): .*\n  P03: ",
        last_lines(process.stdout, 6),
    )
    mail = (tmp_path / "mail").read_text(encoding="utf-8")
    assert "failure, 2 samples, 1 failed" in mail and "P03" not in mail

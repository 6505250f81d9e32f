"""The end of a run: its record agrees with the files, its last lines state the outcome, and people are notified."""

from __future__ import annotations

import getpass
import hashlib
import json
import platform
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cd40l_flow.base.schema import load_schema
from helpers.runs.cohorts import Run, cd40l_flow, jobs, make_cohort, results, summary_lines


def with_mail(cohort: Path, folder: Path) -> Path:
    """Have a cohort's runs told by a sendmail of our own; return the file that each message is added to."""
    mails = folder / "mails"
    program = folder / "sendmail"
    program.write_text(f"#!/bin/sh\ncat >> {mails}\n", encoding="utf-8")
    program.chmod(0o755)
    with (cohort / "config/config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\nnotify: {{mail: {{to: [flow@example.org], sendmail: {program}}}}}\n")
    return mails


def test_the_record_agrees_with_what_lies_there(demo_results: Path) -> None:
    """Counts are those of the summary; digests are those of the files; every output of every sample has its own."""
    text = (demo_results / "results/run.json").read_text(encoding="utf-8")
    run = json.loads(text)
    Draft202012Validator(load_schema("run.schema.json")).validate(run)
    calls = [line.split("\t")[4] for name, line in summary_lines(demo_results).items() if name != "sample"]
    assert run["calls"] == {call: calls.count(call) for call in run["calls"]}
    assert (run["state"], run["samples"], run["failed"], run["unbegun"]) == ("success", len(calls), [], [])
    assert run["steps"]["analyse"] == run["steps"]["report"] == len(calls)
    for output in run["outputs"]:
        content = (demo_results / "results" / output["path"]).read_bytes()
        assert (output["sha256"], output["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    paths = {output["path"] for output in run["outputs"]}
    assert {
        f"samples/{name}/{file}" for name in results(demo_results) for file in ("result.json", "report.html")
    } < paths
    assert {"check.json", "summary.tsv", "index.html", "multiqc/cd40l_flow_mqc.json"} < paths
    for name in ("samples", "tubes", "overrides"):
        sheet = (demo_results / "config" / f"{name}.tsv").read_bytes()
        assert run["configuration"][name] == hashlib.sha256(sheet).hexdigest()
    made_of = {name: list(one["inputs"]["files"].values()) for name, one in results(demo_results).items()}
    for name, digests in made_of.items():
        assert {tube["content"] for tube in run["inputs"] if tube["sample"] == name} == set(digests)


def test_the_record_names_no_file_machine_or_person(demo_results: Path) -> None:
    text = (demo_results / "results/run.json").read_text(encoding="utf-8")
    assert ".fcs" not in text and str(demo_results) not in text and str(Path.home()) + "/" not in text
    for name in (platform.node(), getpass.getuser()):
        assert not re.search(rf"\b{re.escape(name)}\b", text)


def test_a_run_says_what_came_of_it_and_mails_counts(workflow: Run, tmp_path: Path) -> None:
    """A dry run and a run of the check alone send nothing; a single target leaves the record; nothing runs again."""
    cohort = make_cohort(tmp_path / "cohort", ("C01", "P02"))
    mails = with_mail(cohort, tmp_path)
    assert workflow(cohort, "--dry-run").returncode == 0
    checked = workflow(cohort, "results/check.json")
    assert checked.returncode == 0 and "cd40l-flow: calls" not in checked.stderr
    assert not mails.exists() and not (cohort / "results/run.json").exists()

    process = workflow(cohort)

    assert process.returncode == 0, process.stderr
    told = [line for line in process.stderr.splitlines() if line.startswith("cd40l-flow:")]
    assert "cd40l-flow: analyse 2 of 2 (run R1)" in told
    call = results(cohort)["P02"]["call"]
    counted = "2 NORMAL" if call == "NORMAL" else f"1 NORMAL, 1 {call}"
    assert told[-3:] == [
        f"cd40l-flow: calls of 2 samples: {counted}",
        "cd40l-flow: failures: none",
        "cd40l-flow: index: results/index.html",
    ]
    text = mails.read_text(encoding="utf-8")
    assert text.count("To: flow@example.org") == 1
    assert "Subject: cd40l-flow: success, 2 samples, 0 failed" in text
    assert not re.search(rf"C01|P02|R1|\.fcs|{re.escape(str(cohort))}|{re.escape(platform.node())}", text)

    record = (cohort / "results/run.json").read_bytes()
    with (cohort / "config/overrides.tsv").open("a", encoding="utf-8") as file:
        file.write("P02\t\tcd69_low\t1500\tAB\tthe valley was missed\n")
    single = workflow(cohort, "results/samples/P02/report.html")
    assert single.returncode == 0, single.stderr
    # Its control was up to date, and counts.
    assert "cd40l-flow: calls of 2 samples:" in single.stderr and "cd40l-flow: index: none" in single.stderr
    assert (cohort / "results/run.json").read_bytes() == record

    (cohort / "config/overrides.tsv").write_text("sample\ttube\tgate\tvalue\tby\treason\n", encoding="utf-8")
    text = (cohort / "config/config.yaml").read_text(encoding="utf-8")
    assert workflow(cohort).returncode == 0
    (cohort / "config/config.yaml").write_text(text.replace("notify:", "notify: {when: [failure]} #"), "utf-8")
    assert jobs(workflow(cohort)) == set()


@pytest.mark.parametrize("command", [("check",), ("run", "--sample", "C01")])
def test_commands_send_nothing(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Whoever types them sees how they end; `run` says it in the same lines and leaves no record of a cohort."""
    cohort = make_cohort(tmp_path / "cohort", ("C01",))
    mails = with_mail(cohort, tmp_path)

    process = cd40l_flow(*command, "--directory", cohort)

    assert process.returncode == 0, process.stderr
    assert not mails.exists() and not (cohort / "results/run.json").exists()
    if command[0] == "run":
        assert "cd40l-flow: analyse 1 of 1 (run R1)\n" in process.stderr
        assert process.stderr.splitlines()[-3:-1] == [
            "cd40l-flow: calls of 1 sample: 1 INDETERMINATE"
            if results(cohort)["C01"]["call"] == "INDETERMINATE"
            else "cd40l-flow: calls of 1 sample: 1 NORMAL",
            "cd40l-flow: failures: none",
        ]
        assert "results/samples/C01/report.html" in process.stderr.splitlines()[-1]

"""The workflow as a part of another one, and in Snakemake's own report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from helpers.runs.cohorts import ROOT, RUN_SECONDS, Run, copy_of, jobs, jobs_of, make_cohort, read_sheet

OTHER = f"""
configfile: "config/other.yaml"

module cd40l:
    snakefile: "{ROOT / "workflow" / "Snakefile"}"
    config: CONFIG

use rule * from cd40l as cd40l_*

rule calls:
    input:
        rules.cd40l_summarize.output,
        rules.cd40l_all.input,
    output:
        config["out"],
    default_target: True
    shell:
        "cut -f 1,5 {{input[0]}} > {{output}}"
"""


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Return the folder of another workflow with a configuration of its own, and a cohort of two."""
    directory = make_cohort(tmp_path / "other", ["C01", "P03"])
    (directory / "config/config.yaml").rename(directory / "config/cd40l.yaml")
    (directory / "config/other.yaml").write_text("out: calls.tsv\n")
    return directory


def run_other(directory: Path, config: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the other workflow, which gives the module this configuration."""
    (directory / "Snakefile").write_text(OTHER.replace("CONFIG", config))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


def test_another_workflow_uses_the_results(other: Path) -> None:
    """Every rule comes under its new name, and a rule of the other workflow takes what they make."""
    config = '{"configfile": "config/cd40l.yaml"}'
    planned = run_other(other, config, "--dry-run")
    assert planned.returncode == 0, planned.stdout
    assert not (other / "results").exists()

    process = run_other(other, config)

    assert process.returncode == 0, process.stdout
    own = {(f"cd40l_{rule}", sample) for rule, sample in jobs_of("C01", "P03")}
    assert jobs(process) == own | {("calls", "")}
    rows = {row["sample"]: row["call"] for row in read_sheet(other / "calls.tsv")}
    assert rows == {"C01": "NORMAL", "P03": "ABSENT"}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("config", "differs from config/other.yaml"),
        (
            '{"configfile": "config/cd40l.yaml"}\n    prefix: "elsewhere"',
            "prefix: and replace_prefix: are not supported",
        ),
        ('{"configfile": "config/none.yaml"}', "config/none.yaml: cannot be read"),
    ],
    ids=["of_the_other_workflow", "prefix", "missing"],
)
def test_a_module_that_would_read_something_else_is_refused(other: Path, config: str, told: str) -> None:
    """Values that commands would not see, and places where they would not write, are reported before anything runs."""
    if config == "config":
        other.joinpath("config/other.yaml").write_text("out: calls.tsv\nsamples: elsewhere.tsv\n")
        other.joinpath("Snakefile").write_text(OTHER)
        config = 'dict(config, samples="changed.tsv")'
    process = run_other(other, config, "--dry-run")

    assert process.returncode != 0
    assert told in process.stdout + process.stderr


def value_of(page: str, name: str) -> dict[str, Any]:
    """Return one of the objects that Snakemake's report is drawn from."""
    found: dict[str, Any] = json.JSONDecoder().raw_decode(page, page.index(f"var {name} = {{") + len(f"var {name} = "))[
        0
    ]
    return found


def test_the_report_of_snakemake_lists_every_sample_by_its_run(two_runs: Path, tmp_path: Path, workflow: Run) -> None:
    """`snakemake --report report.zip` holds index, summary and reports with category, run, labels and captions."""
    cohort = copy_of(two_runs, tmp_path / "cohort")

    process = workflow(cohort, "--report", "report.zip")

    assert process.returncode == 0, process.stderr
    with zipfile.ZipFile(cohort / "report.zip") as archive:
        page = archive.read("report/report.html").decode()
        names = [name.rpartition("/")[2] for name in archive.namelist()]
    samples = read_sheet(cohort / "config/samples.tsv")
    assert sorted(names) == sorted(["report.html"] * (len(samples) + 1) + ["index.html", "summary.tsv"])
    listed, categories = (value_of(page, name) for name in ("results", "categories"))
    assert set(categories) == {"Cohort", "Samples"}
    assert set(categories["Samples"]) == {row["run"] for row in samples}
    for row in samples:
        entry = listed[f"results/samples/{row['sample']}/report.html"]
        assert entry["labels"] == {"sample": row["sample"], "role": row["role"]}
        assert f"Report of sample {row['sample']}" in entry["caption"]
    assert "For research use only" in page

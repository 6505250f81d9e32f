"""What MultiQC shows of a cohort: its own reading of our files, where it is installed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from cd40l_flow import __version__
from cd40l_flow.interop.multiqc import multiqc_files, write_multiqc
from cd40l_flow.result.types.result import Result
from helpers.results.controls import whole_result
from helpers.simulated.exports import multiqc_rows


def result(sample: str, call: str, role: str = "test", run: str = "R1", **reagents: dict[str, float]) -> Result:
    """Return what MultiQC receives for one result."""
    return whole_result(
        {
            "sample": sample,
            "run": run,
            "role": role,
            "call": call,
            "activated_events": 3000,
            "cd69_percent": 94.5,
            "reagents": {name.replace("_", "-"): values for name, values in reagents.items()},
        }
    )


COHORT = [
    result("P02", "ABSENT", CD154={"percent_positive": 1.0, "negative_fraction": 0.99}),
    result("C01", "NORMAL", role="control", CD154={"percent_positive": 90.0, "negative_fraction": 0.1}),
    result("P03", "INDETERMINATE", run="R2"),
]


def test_what_is_not_known_is_left_out_and_order_does_not_matter() -> None:
    """A missing number is no zero; samples come by their names whatever the order of the results."""
    files = multiqc_files(COHORT)

    general = multiqc_rows(files["cd40l_flow_general_mqc.tsv"])
    assert list(general) == ["C01", "P02", "P03"]
    assert "cd154_percent_positive" not in general["P03"]
    assert multiqc_rows(files["cd40l_flow_negative_fraction_mqc.tsv"]) == {
        "C01": {"cd154_negative_fraction": "0.1"},
        "P02": {"cd154_negative_fraction": "0.99"},
    }
    assert multiqc_files(COHORT[::-1]) == files


def test_a_run_tells_of_its_control() -> None:
    """A run whose control is not called NORMAL, or that has none, says so; its controls are no samples."""
    runs = multiqc_files([*COHORT, result("C09", "INDETERMINATE", role="control", run="R3")])
    data = multiqc_rows(runs["cd40l_flow_runs_mqc.tsv"])

    assert {run: row["status"] for run, row in data.items()} == {
        "R1": "control in range",
        "R2": "no control",
        "R3": "control failed",
    }
    assert (data["R1"]["samples"], data["R1"]["ABSENT"], data["R3"]["samples"]) == ("1", "1", "0")


def test_multiqc_reads_every_section(tmp_path: Path, require: Callable[[str], str]) -> None:
    """MultiQC finds every section and takes every sample and number over, versions of software and references too."""
    multiqc = require("multiqc")
    write_multiqc(COHORT, tmp_path / "results/multiqc/cd40l_flow_mqc.json")

    subprocess.run(
        [multiqc, "results", "--outdir", "out", "--no-version-check", "--strict", "--data-format", "json"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )

    data = json.loads((tmp_path / "out/multiqc_data/multiqc_data.json").read_text())
    told = json.dumps(data["report_general_stats_data"])
    assert '"cd69_percent": 94.5' in told
    assert '"call": "ABSENT"' in told
    page = (tmp_path / "out/multiqc_report.html").read_text(encoding="utf-8")
    for section in ("Calls", "Negative fraction", "Runs", "control in range", "no control"):
        assert section in page
    for part in ("Methods and references", "Software Versions", "10.12688/f1000research.29032.2"):
        assert part in page
    versions = json.loads((tmp_path / "out/multiqc_data/multiqc_software_versions.json").read_text())
    assert versions["cd40l-flow"]["cd40l-flow"] == [__version__]
    assert versions["numpy"]["numpy"] == [version("numpy")]


@pytest.mark.parametrize("name", ["cd40l_flow_mqc.json", "cd40l_flow_general_mqc.tsv", "cd40l_flow_runs_mqc.tsv"])
def test_equal_results_are_equal_bytes(tmp_path: Path, name: str) -> None:
    """The files do not depend on the order in which results were given."""
    write_multiqc(COHORT, tmp_path / "a/cd40l_flow_mqc.json")
    write_multiqc(COHORT[::-1], tmp_path / "b/cd40l_flow_mqc.json")

    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()

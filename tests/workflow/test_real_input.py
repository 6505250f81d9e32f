"""Real recordings run through the whole workflow by configuration alone; skipped where they are not there."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flowio
import numpy as np
import pytest

Workflow = Callable[..., subprocess.CompletedProcess[str]]
HERE = Path(__file__).parent / "real"


def run(name: str, recordings: Path, folder: Path, workflow: Workflow) -> dict[str, dict[str, Any]]:
    """Run the configuration of one set of recordings; return the results by sample."""
    shutil.copytree(HERE / name / "config", folder / "config")
    (folder / "fcs").symlink_to(recordings / name)
    process = workflow(folder)
    assert process.returncode == 0, process.stderr
    results = sorted(folder.glob("results/samples/*/result.json"))
    return {path.parent.name: json.loads(path.read_text()) for path in results}


def count(tube: dict[str, Any], population: str) -> int:
    """Return the events of a population of one tube of a result."""
    return next(int(found["count"]) for found in tube["populations"] if found["population"] == population)


@pytest.fixture(scope="module")
def activation(
    recordings: Path, workflow: Workflow, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """Return the tubes of the activation recordings by file name, after checking that no call was made."""
    results = run("activation", recordings, tmp_path_factory.mktemp("activation"), workflow)
    for result in results.values():
        assert result["call"] == "INDETERMINATE"
        assert {"CONTROL_ABSENT", "ACTIVATION_FAILED"} <= set(result["reasons"])
    return {tube["fcs"]: tube for result in results.values() for tube in result["tubes"]}


@pytest.fixture(scope="module")
def by_hand(recordings: Path) -> dict[str, dict[str, str]]:
    """Return the published manual gates by file name."""
    with (recordings / "activation" / "manual_gates.tsv").open() as sheet:
        return {row["file"]: row for row in csv.DictReader(sheet, delimiter="\t")}


def test_t_cells_are_counted_like_by_hand(
    activation: dict[str, dict[str, Any]], by_hand: dict[str, dict[str, str]]
) -> None:
    """CD3+CD8- cells and CD4 T cells lie within 12 % of the published manual gates."""
    for name, tube in activation.items():
        t_cells = int(by_hand[name]["T"]) - int(by_hand[name]["CD8_T"])
        assert count(tube, "CD3+CD8-") == pytest.approx(t_cells, rel=0.12), name
        assert count(tube, "CD3+CD8-CD4+") == pytest.approx(int(by_hand[name]["CD4_T"]), rel=0.12), name


def test_cd69_rises_with_the_dose_like_by_hand(
    activation: dict[str, dict[str, Any]], by_hand: dict[str, dict[str, str]]
) -> None:
    """CD69 is a shoulder here; percents lie within 3 points of the manual gates and keep the order of the doses."""
    percent = {
        name: 100 * count(tube, "CD3+CD8-CD69+") / count(tube, "CD3+CD8-CD4+") for name, tube in activation.items()
    }

    for name, found in percent.items():
        assert found == pytest.approx(float(by_hand[name]["percent_CD69_of_CD4_T"]), abs=3), name
    assert percent["Activation_25.fcs"] < percent["Activation_29.fcs"] < percent["Activation_31.fcs"]
    assert percent["Activation_9.fcs"] < percent["Activation_15.fcs"]


def test_blood_cells_are_counted_like_by_hand(recordings: Path, workflow: Workflow, tmp_path: Path) -> None:
    """4,600 to 4,900 CD3+CD8- cells were gated by hand in the recording of OMIP-021."""
    (result,) = run("omip021", recordings, tmp_path, workflow).values()

    assert result["call"] == "INDETERMINATE"
    (tube,) = result["tubes"]
    assert 0.92 * 4600 <= count(tube, "CD3+CD8-") <= 1.08 * 4900


def test_whole_blood_without_stimulation_gets_no_call_and_says_why(
    recordings: Path, workflow: Workflow, tmp_path: Path
) -> None:
    results = run("whole_blood", recordings, tmp_path, workflow)

    assert len(results) == 5
    for name, result in results.items():
        assert result["call"] == "INDETERMINATE", name
        assert {"TUBE_MISSING", "CONTROL_ABSENT", "TOO_FEW_EVENTS"} <= set(result["reasons"]), name
        # With 87 T cells of the assay's kind D11 has no CD69 gate: its activation is not known, not known to be bad.
        assert ("ACTIVATION_FAILED" in result["reasons"]) == (name != "D11")
        (tube,) = result["tubes"]
        events = flowio.FlowData(recordings / "whole_blood" / tube["fcs"])
        values = dict(zip(events.pnn_labels, events.as_array().T, strict=True))
        # T cells by plain cuts that fit all five: low side scatter, CD3 beyond the background's foot, no CD8.
        by_hand = (values["SSC"] < 300) & (values["CD3"] > 25) & (values["CD8"] < 25)
        assert count(tube, "CD3+CD8-") == pytest.approx(np.count_nonzero(by_hand), rel=0.25), name
    assert any("CD3+CD8- cells" in message["text"] for message in results["D11"]["messages"])

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
        assert {"CONTROL_ABSENT", "TUBE_MISSING", "ACTIVATION_FAILED"} <= set(result["reasons"])
    return {tube["fcs"]: tube for result in results.values() for tube in result["tubes"]}


def test_t_cells_are_counted_like_by_hand(activation: dict[str, dict[str, Any]], recordings: Path) -> None:
    """CD3+CD8- cells lie within 20 % of the T cells less the CD8 T cells of the published manual gates."""
    with (recordings / "activation" / "manual_gates.tsv").open() as sheet:
        manual = {row["file"]: row for row in csv.DictReader(sheet, delimiter="\t")}

    for name, tube in activation.items():
        by_hand = int(manual[name]["T"]) - int(manual[name]["CD8_T"])
        assert count(tube, "CD3+CD8-") == pytest.approx(by_hand, rel=0.20), name


def test_cd69_rises_with_the_dose(activation: dict[str, dict[str, Any]]) -> None:
    percent = {name: 100 * count(tube, "CD3+CD8-CD69+") / count(tube, "CD3+CD8-") for name, tube in activation.items()}

    assert percent["Activation_25.fcs"] == pytest.approx(2, abs=0.1)
    assert percent["Activation_25.fcs"] < percent["Activation_29.fcs"] < percent["Activation_31.fcs"]
    assert percent["Activation_9.fcs"] < percent["Activation_15.fcs"]


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

"""The crate of a run: metadata that the RO-Crate community's validator accepts, of files that are what they were."""

from __future__ import annotations

import builtins
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cli.main import main
from cd40l_flow.interop.crate import METADATA, write_crate
from cd40l_flow.result.runs.record import Course, made_run, write_run
from helpers.results.controls import whole_result

DIGEST = "1" * 64


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return a results folder of two samples, whose files are named after a person, with the record of its run."""
    folder = tmp_path / "results"
    names = ["summary.tsv", "index.html", *(f"samples/{sample}/result.json" for sample in ("C01", "P01"))]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    made = []
    for sample, role in (("C01", "control"), ("P01", "test")):
        tubes = [{"fcs": f"Doe_{number}.fcs", "stimulation": "stimulated", "reagent": "CD154"} for number in (1, 2)]
        inputs = {"job": DIGEST, "files": {"Doe_1.fcs": DIGEST, "Doe_2.fcs": None}, "controls": {}}
        part = {"sample": sample, "role": role, "call": "NORMAL", "tubes": tubes, "inputs": inputs}
        made.append(whole_result(part))
    configuration = {"configuration": DIGEST, "samples": DIGEST, "tubes": DIGEST}
    course = Course(started=1_700_000_000, seconds=75.0, steps={"analyse": 2}, failed=["P01"])
    run, _ = made_run(made, [folder / name for name in names], folder, configuration, course)
    write_run(run, folder / "run.json")
    return folder


def graph(folder: Path) -> dict[str, dict[str, Any]]:
    content = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    return {one["@id"]: one for one in content["@graph"]}


def test_the_crate_has_what_the_profile_asks_for(results: Path) -> None:
    """The run is an action of the workflow, which is a file of the crate, from every input to every output."""
    assert write_crate(results) == 4

    found = graph(results)
    root, workflow, action = found["./"], found["workflow/Snakefile"], found["#run"]
    assert root["mainEntity"] == {"@id": "workflow/Snakefile"} and root["mentions"] == {"@id": "#run"}
    assert {"@id": "https://w3id.org/ro/wfrun/workflow/0.5"} in root["conformsTo"]
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} == set(workflow["@type"])
    assert (results / "workflow/Snakefile").is_file() and (results / "workflow/rules/analyse.smk").is_file()
    assert action["@type"] == "CreateAction" and action["instrument"] == {"@id": "workflow/Snakefile"}
    assert {one["@id"] for one in action["result"]} == {
        *("summary.tsv", "index.html", "samples/C01/result.json", "samples/P01/result.json"),
    }
    assert {one["@id"] for one in action["object"]} == {
        *("#input-configuration", "#input-samples", "#input-tubes", "#input-C01-tube-1", "#input-P01-tube-1"),
    }
    assert (action["startTime"], action["endTime"]) == ("2023-11-14T22:13:20+00:00", "2023-11-14T22:14:35+00:00")
    assert action["actionStatus"] == "http://schema.org/FailedActionStatus" and "1 samples failed" in action["error"]
    for part in root["hasPart"]:
        assert (results / part["@id"]).is_file()
    assert found["#numpy"]["version"] and found["https://doi.org/10.12688/f1000research.29032.2"]["name"]


def test_the_crate_names_no_file_of_the_sheets(results: Path) -> None:
    write_crate(results)
    text = (results / METADATA).read_text(encoding="utf-8")
    assert "Doe" not in text and str(results) not in text and str(Path.home()) + "/" not in text


def test_the_same_record_gives_the_same_bytes(results: Path) -> None:
    write_crate(results)
    first = (results / METADATA).read_bytes()
    write_crate(results)
    assert (results / METADATA).read_bytes() == first


@pytest.mark.parametrize("licence", [(), ("--license", "https://spdx.org/licenses/CC-BY-4.0")])
def test_the_validator_accepts_it(
    results: Path, root: Path, require_peer: Callable[[str], str], licence: tuple[str, ...]
) -> None:
    """Every requirement of Workflow Run Crate, Workflow RO-Crate and RO-Crate; only addresses cannot be looked up."""
    import rocrate

    assert main(["crate", str(results), *licence]) == 0
    context = Path(rocrate.__file__).parent / "data/ro-crate.jsonld"
    script = root / "tests/helpers/programs/crate_peer.py"

    process = subprocess.run(
        [require_peer("rocrate_validator"), str(script), str(results), str(context), "REQUIRED"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 0, process.stderr
    issues = process.stdout.splitlines()
    # Two checks of RO-Crate 1.1 load the contexts from the network; whether there is one is nothing about the crate.
    assert [issue for issue in issues if " ro-crate-1.1_3." not in issue] == []


def test_a_file_that_changed_since_is_not_described(results: Path) -> None:
    """Nor is one that is gone: nothing is written, and the message says how to record what is there now."""
    (results / "summary.tsv").write_text("other", encoding="utf-8")
    (results / "index.html").unlink()
    with pytest.raises(Cd40lFlowError, match=r"2 of its files .*index.html, summary.tsv.*--forcerun summarize"):
        write_crate(results)
    assert not (results / METADATA).exists()


def test_a_missing_library_is_reported_with_its_remedy(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("rocrate"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Cd40lFlowError, match=r"pip install 'cd40l-flow\[crate\]'"):
        write_crate(results)

"""The record of a run: counts that add up, digests that anybody can make again, no name of a file of the sheet."""

from __future__ import annotations

import hashlib
import json
import logging
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.schema import load_schema
from cd40l_flow.base.software import distributions
from cd40l_flow.cohort.config import load_config
from cd40l_flow.result.runs.record import Course, configuration_digests, made_run, read_run, write_run
from cd40l_flow.result.runs.tally import Tally, last_lines
from cd40l_flow.result.types.json_schema import schema_text
from cd40l_flow.result.types.result import Result
from cd40l_flow.runtime.progress import Progress
from helpers.results.controls import whole_result

DIGEST = "1" * 64


def one(sample: str, call: str, files: dict[str, str | None]) -> Result:
    """Return a result of tubes whose files are named after a person, in the order of ``files``."""
    tubes = [
        {"fcs": fcs, "stimulation": "stimulated" if number else "unstimulated", "reagent": "CD154"}
        for number, fcs in enumerate(files)
    ]
    inputs = {"job": DIGEST, "files": files, "controls": {}}
    return whole_result({"sample": sample, "run": "R1", "role": "test", "call": call, "tubes": tubes, "inputs": inputs})


RESULTS = [
    one("P01", "NORMAL", {"Doe_1.fcs": DIGEST, "Doe_2.fcs": None}),
    one("P02", "INDETERMINATE", {"Roe.fcs": "2" * 64}),
]
COURSE = Course(started=1_700_000_000.4, seconds=12.34, steps={"analyse": 2}, failed=["P02"])


def test_a_record_tells_counts_and_digests_and_no_name(tmp_path: Path) -> None:
    """What is written fits the schema and says of each tube only its place, of each output its own SHA-256."""
    (tmp_path / "samples/P01").mkdir(parents=True)
    there = tmp_path / "samples/P01/result.json"
    there.write_bytes(b"content")

    run, tally = made_run(RESULTS, [there, tmp_path / "not there"], tmp_path, {"samples": DIGEST}, COURSE)
    write_run(run, tmp_path / "run.json")

    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    found = json.loads(text)
    Draft202012Validator(load_schema("run.schema.json")).validate(found)
    assert "Doe" not in text and "Roe" not in text and str(tmp_path) not in text
    assert found["calls"] == {**dict.fromkeys(found["calls"], 0), "NORMAL": 1, "INDETERMINATE": 1}
    assert (found["state"], found["failed"], found["samples"]) == ("failure", ["P02"], 2)
    assert (found["started"], found["seconds"]) == ("2023-11-14T22:13:20Z", 12.3)
    assert [(tube["sample"], tube["tube"], tube["content"]) for tube in found["inputs"]] == [
        ("P01", 1, DIGEST),
        ("P01", 2, None),
        ("P02", 1, "2" * 64),
    ]
    assert found["outputs"] == [
        {"path": "samples/P01/result.json", "bytes": 7, "sha256": hashlib.sha256(b"content").hexdigest()}
    ]
    assert read_run(tmp_path / "run.json") == run
    assert tally == Tally.of(["NORMAL", "INDETERMINATE"], failed=1)


@pytest.mark.parametrize("course", [{"failed": ["P02"]}, {"unbegun": ["P02"]}, {"complete": False}])
def test_whatever_is_wrong_makes_a_run_a_failure(tmp_path: Path, course: dict[str, Any]) -> None:
    assert made_run(RESULTS, [], tmp_path, {}, Course(0, 0, {}, **course))[0].state == "failure"
    assert made_run(RESULTS, [], tmp_path, {}, Course(0, 0, {}))[0].state == "success"


def test_every_file_of_the_configuration_has_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sheets, matrices and the ledger, each as `sha256sum` gives it; what is not there is left out."""
    monkeypatch.chdir(tmp_path)
    Path("fcs").mkdir()
    Path("reviews").mkdir()
    names = ("s.tsv", "t.tsv", "matrix.csv", "own.csv", "reviews/ledger.jsonl")
    for name in names:
        Path(name).write_text(name, encoding="utf-8")
    text = "samples: s.tsv\ntubes: t.tsv\nfcs_dir: fcs\nspillover: matrix.csv\n"
    Path("c.yaml").write_text(f"{text}overrides: o.tsv\npanels: {{B: {{spillover: own.csv}}}}\n", encoding="utf-8")
    config, problems = load_config("c.yaml")
    assert config is not None and not problems

    found = configuration_digests(config)

    expected = {"configuration": "c.yaml", "samples": "s.tsv", "tubes": "t.tsv", "spillover": "matrix.csv"}
    expected |= {"panels.B.spillover": "own.csv", "ledger": "reviews/ledger.jsonl"}
    assert found == {name: hashlib.sha256(Path(file).read_bytes()).hexdigest() for name, file in expected.items()}


def test_versions_are_those_of_what_is_used() -> None:
    """Libraries that the package names, and theirs; what only developers need is not among them."""
    found = distributions()
    assert {"numpy", "scipy", "scikit-learn", "flowkit", "snakemake", "matplotlib", "contourpy"} <= set(found)
    assert found["numpy"] == version("numpy")
    assert not {"pytest", "mypy", "ruff", "hypothesis"} & set(found)
    assert list(found) == sorted(found)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema_version": "1.0"}', b"\xff"])
def test_a_record_that_is_none_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(Cd40lFlowError, match=r"no record of a run.*snakemake --cores"):
        read_run(tmp_path / "run.json")
    with pytest.raises(Cd40lFlowError, match="no such file"):
        read_run(tmp_path / "other.json")


def test_the_shipped_schema_is_that_of_the_types(root: Path) -> None:
    written = (root / "workflow" / "schemas" / "run.schema.json").read_text(encoding="utf-8")
    assert written == schema_text("run"), "run: make schema"


def test_the_last_lines_say_calls_failures_and_the_index() -> None:
    """Each begins with the word that a log is searched for; a step of no sample that failed is not kept quiet."""
    tally = Tally.of(["NORMAL", "ABSENT", "NORMAL"], failed=1, unbegun=2)
    assert last_lines(tally, "results/index.html") == [
        "cd40l-flow: calls of 3 samples: 2 NORMAL, 1 ABSENT",
        "cd40l-flow: failures: 1 failed, 2 not begun",
        "cd40l-flow: index: results/index.html",
    ]
    assert Tally(2, {}).words() == "2 samples: not known"
    assert last_lines(Tally.of(["NORMAL"]), "x")[1] == "cd40l-flow: failures: none"
    assert "a step that is of no single sample" in last_lines(Tally.of(["NORMAL"]), "x", complete=False)[1]


def test_every_step_that_ends_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Counted by stage, once each, also with the prefix that a module gives to rules; other rules are not told."""

    def job(number: int, rule: str, sample: str = "") -> Any:
        wildcards = {"sample": sample} if sample else {}
        return SimpleNamespace(jobid=number, rule=SimpleNamespace(name=rule), wildcards_dict=wildcards)

    jobs = [job(1, "cd40l_analyse", "P01"), job(2, "analyse", "P02"), job(3, "report_sample", "P01"), job(4, "index")]
    logger = logging.getLogger("of the test")
    logger.setLevel(logging.INFO)
    handler = Progress(logger, [*jobs, job(5, "of_the_user")], {"P01": "R1", "P02": "R2"}.get)  # type: ignore[arg-type]
    logger.addHandler(handler)

    for number in (2, 5, 1, 1, 3):
        logger.info("Finished", extra={"event": "job_finished", "job_id": number})
    logger.info("Started", extra={"event": "job_started", "job_id": 4})
    logger.removeHandler(handler)

    assert [text for text in caplog.messages if text.startswith("cd40l-flow:")] == [
        "cd40l-flow: analyse 1 of 2 (run R2)",
        "cd40l-flow: analyse 2 of 2 (run R1)",
        "cd40l-flow: report 1 of 1 (run R1)",
    ]
    assert handler.done == {"analyse": 2, "report": 1}

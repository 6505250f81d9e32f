"""The command line: exit codes, messages, and that a mistake never shows a traceback."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cd40l_flow import __version__
from cd40l_flow.cli.main import main

COMMANDS = ("check", "run", "analyse", "report", "summarize", "simulate")


@pytest.fixture
def anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is the current directory for the test: commands change it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_version_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"cd40l-flow {__version__}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert all(re.search(rf"^ +{command}\b", told, re.MULTILINE) for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert command in capsys.readouterr().out


def test_no_command_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_check_of_good_inputs(demo_copy: Path, anywhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--directory", str(demo_copy)]) == 0

    assert "10 samples, 0 problems" in capsys.readouterr().err
    assert json.loads((demo_copy / "results" / "check.json").read_text()) == {"problems": []}


def test_a_configuration_that_is_named_starts_at_the_current_directory(demo_copy: Path, anywhere: Path) -> None:
    """As with Snakemake, so that the same options mean the same in both."""
    (demo_copy / "config" / "config.yaml").rename(demo_copy / "config" / "other.yaml")
    folder = demo_copy.relative_to(anywhere)

    assert main(["check", "--directory", str(folder), "--configfile", str(folder / "config" / "other.yaml")]) == 0
    assert (demo_copy / "results" / "check.json").exists()


def test_no_configuration_is_a_problem_and_no_traceback(anywhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 2

    assert "config/config.yaml" in capsys.readouterr().err
    (problem,) = json.loads((anywhere / "results" / "check.json").read_text())["problems"]
    assert problem["file"] == "config/config.yaml"


def test_no_directory_is_reported(anywhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--directory", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "told"), [(None, "is not there"), ("{", "is no result"), ("[]", "is no result")], ids=str
)
def test_a_result_that_cannot_be_read_is_reported_without_a_traceback(
    content: str | None, told: str, anywhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        Path("result.json").write_text(content)

    assert main(["summarize", "result.json", "--summary", "summary.tsv"]) == 2

    found = capsys.readouterr().err
    assert found.startswith("cd40l-flow: result.json: ")
    assert told in found
    assert not Path("summary.tsv").exists()


def test_an_unknown_sample_is_reported_with_the_known_ones(
    demo_copy: Path, anywhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--sample", "P1", "--directory", str(demo_copy)]) == 2

    told = capsys.readouterr().err
    assert "P1" in told
    assert "P01" in told
    assert not (demo_copy / "results").exists()


def test_check_shows_each_problem_with_its_place(
    demo_copy: Path, anywhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (demo_copy / "fcs" / "P01_stim_cd154.fcs").unlink()

    assert main(["check", "--directory", str(demo_copy)]) == 0

    told = capsys.readouterr().err
    assert "1 problems, 1 samples affected" in told
    assert "sample: P01_stim_cd154.fcs" in told


def test_simulate_writes_a_cohort_that_check_accepts(anywhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "cohort", "--seed", "3", "--events-scale", "0.1"]) == 0
    assert "files in cohort" in capsys.readouterr().err
    assert main(["check", "--directory", "cohort"]) == 0

"""What may be deleted of a results folder: offered only where it is not needed, deleted only when told so."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cd40l_flow.cli.main import main


@pytest.fixture
def finished(demo_results: Path, tmp_path: Path) -> Path:
    """Return a working directory with finished results, to delete in."""
    return Path(shutil.copytree(demo_results, tmp_path / "cohort", symlinks=True))


def files(directory: Path) -> set[str]:
    """Return every file of results and logs."""
    return {
        str(path.relative_to(directory))
        for place in ("results", "logs")
        for path in (directory / place).rglob("*")
        if path.is_file()
    }


def sign(directory: Path, state: str) -> None:
    """Let the summary say what the reviews amount to."""
    summary = directory / "results" / "summary.tsv"
    summary.write_text(summary.read_text(encoding="utf-8").replace("unsigned", state), encoding="utf-8")


def test_nothing_is_deleted_without_being_reported(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list names every sample with kinds and sizes."""
    before = files(finished)
    assert main(["prune", str(finished / "results"), "--unsigned"]) == 0
    assert files(finished) == before
    told = capsys.readouterr()
    assert all(f"\nP0{number}\t" in told.out for number in range(1, 10))
    assert "densities" in told.out
    assert "with --yes" in told.err


def test_binned_data_stay_while_somebody_may_sign(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A signature makes a report anew, from them."""
    assert main(["prune", str(finished / "results"), "--yes"]) == 0
    assert "densities are kept: 10 samples" in capsys.readouterr().err
    assert (finished / "results/samples/P01/densities.npz").is_file()
    assert not (finished / "results/samples/P01/measures.tsv").exists()
    sign(finished, "accepted")
    assert main(["prune", str(finished / "results"), "--yes"]) == 0
    assert not (finished / "results/samples/P01/densities.npz").exists()


def test_binned_data_stay_where_a_report_is_not_of_the_result(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report is what is left of them."""
    (finished / "results/samples/P03/report.html").write_text("of another result", encoding="utf-8")
    assert main(["prune", str(finished / "results"), "--unsigned", "--yes"]) == 0
    assert "1 sample (P03) is without a report" in capsys.readouterr().err
    assert (finished / "results/samples/P01/densities.npz").is_file()


def test_what_people_need_is_never_offered_and_nothing_runs_again(
    finished: Path, workflow: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Results, reports, reviews, the ledger, the summary, gates for other programs; strangers among the logs."""
    (finished / "reviews").mkdir()
    (finished / "reviews/ledger.jsonl").write_text("{}", encoding="utf-8")
    (finished / "logs/of-somebody.log").write_text("mine", encoding="utf-8")
    (finished / "results/superseded/P55").mkdir(parents=True)
    (finished / "results/superseded/P55/result.json").write_text("{}", encoding="utf-8")
    before = files(finished)

    assert main(["prune", str(finished / "results"), "--unsigned", "--yes"]) == 0

    gone = before - files(finished)
    assert {Path(name).name for name in gone if name.startswith("results/samples")} == {"densities.npz", "measures.tsv"}
    assert "results/superseded/P55/result.json" in gone
    assert (finished / "logs/of-somebody.log").is_file()
    assert (finished / "reviews/ledger.jsonl").is_file()
    shutil.rmtree(finished / "reviews")
    assert "Nothing to be done" in workflow(finished, "--dry-run").stdout


def test_a_folder_without_samples_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that was mistyped loses nothing."""
    assert main(["prune", str(tmp_path), "--yes"]) == 2
    assert "no folder samples" in capsys.readouterr().err

"""Files that are broken, missing or wrongly stained: their samples get no call and say why, the others go on."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from cd40l_flow.cohort.plan import load_plan
from helpers.results.records import analyse
from helpers.runs.cohorts import (
    DEMO,
    Run,
    cd40l_flow,
    copy_of,
    differences,
    jobs,
    jobs_of,
    make_cohort,
    output,
    replace_file,
    result,
    results,
    run_once,
    summary_lines,
)


@dataclass(frozen=True)
class Broken:
    """One fault: the file of a sample that would have a call, the code it must lead to, and a word that names it."""

    sample: str
    fcs: str
    code: str
    word: str


BROKEN = (
    Broken("P01", "P01_stim_cd154.fcs", "FILE_INTEGRITY", "truncated|cut|end"),
    Broken("P02", "P02_stim_secondary.fcs", "FILE_INTEGRITY", "no such file|not there|missing|does not exist"),
    Broken("P04", "P04_unstim_cd154.fcs", "CHANNEL_MAP", "CD69"),
    Broken("P06", "P06_stim_cd40ig.fcs", "FILE_INTEGRITY", "no events|0 events|zero events"),
)
OTHERS = ("C01", "P03", "P05")


def truncated(content: bytes) -> bytes:
    return content[: len(content) * 3 // 5]


def without_cd69(content: bytes) -> bytes:
    return content.replace(b"/CD69 FITC/", b"/CD38 FITC/")


def without_events(content: bytes) -> bytes:
    """Return the file with its TEXT as it is, but for $TOT, and with no DATA."""
    return re.sub(rb"/\$TOT/\d+/", lambda found: b"/$TOT/" + b"0".ljust(len(found[0]) - 7) + b"/", content, count=1)


def make_faulty(directory: Path) -> None:
    make_cohort(directory, (*OTHERS, *(broken.sample for broken in BROKEN)))
    cut, missing, unlabelled, empty = (broken.fcs for broken in BROKEN)
    for fcs, spoil in ((cut, truncated), (unlabelled, without_cd69), (empty, without_events)):
        content = (directory / "fcs" / fcs).read_bytes()
        assert spoil(content) != content
        replace_file(directory, fcs, spoil(content))
    (directory / "fcs" / missing).unlink()


@pytest.fixture(scope="session")
def faulty(workflow: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the finished cohort with four faults; that it finished is the first thing asked of it."""
    return run_once("faulty", make_faulty, workflow, tmp_path_factory)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.sample)
def test_a_faulty_file_leaves_its_sample_without_a_call(faulty: Path, broken: Broken) -> None:
    found = result(faulty, broken.sample)

    assert (found["call"], found["qc"]) == ("INDETERMINATE", "fail")
    assert found["reasons"] == [broken.code]
    errors = {one["tube"]: one for one in found["messages"] if one["severity"] == "error"}
    assert errors[broken.fcs]["code"] == broken.code
    assert re.search(broken.word, errors[broken.fcs]["text"], re.IGNORECASE)
    # A background tube whose detector only the broken file could tell is refused too, and says because of what.
    assert all(broken.fcs in one["text"] for one in errors.values())
    assert set(errors) == {one["fcs"] for one in found["tubes"] if one["status"] == "refused"}
    report = output(faulty, broken.sample, "report.html").read_text(encoding="utf-8")
    assert broken.fcs in report
    assert broken.code in report
    assert "INDETERMINATE" in report
    assert "INDETERMINATE" in summary_lines(faulty)[broken.sample]


def test_the_other_samples_notice_nothing(faulty: Path, demo_results: Path) -> None:
    assert differences(faulty, demo_results, OTHERS) == []


def test_check_tells_of_every_fault_with_its_remedy(faulty: Path) -> None:
    problems = json.loads((faulty / "results" / "check.json").read_text(encoding="utf-8"))["problems"]

    assert [(one["sample"], Path(one["file"]).name, one["code"]) for one in problems] == [
        (broken.sample, broken.fcs, broken.code) for broken in BROKEN
    ]
    for one, broken in zip(problems, BROKEN, strict=True):
        assert one["severity"] == "sample"
        assert re.search(broken.word, one["message"], re.IGNORECASE)
        assert one["remedy"] or one["message"].count(". ") >= 1


@pytest.mark.parametrize("tube", ["unstim_cd154", "stim_cd154", "stim_isotype", "stim_cd40ig", "stim_secondary"])
def test_no_tube_may_be_lost(demo_copy: Path, demo_results: Path, monkeypatch: pytest.MonkeyPatch, tube: str) -> None:
    """Whichever of its tubes a healthy sample has lost, it gets no call, for that reason alone."""
    (demo_copy / "fcs" / f"P01_{tube}.fcs").unlink()
    monkeypatch.chdir(demo_copy)

    found, _ = analyse(load_plan("config/config.yaml").job("P01"), {"C01": result(demo_results, "C01")})

    assert (found["call"], found["reasons"]) == ("INDETERMINATE", ["FILE_INTEGRITY"])
    assert any(one["tube"] == f"P01_{tube}.fcs" and "no such file" in one["text"] for one in found["messages"])


def test_a_file_that_appears_later_is_analysed(faulty: Path, demo_results: Path, workflow: Run, tmp_path: Path) -> None:
    cohort = copy_of(faulty, tmp_path / "cohort")
    (cohort / "fcs" / BROKEN[1].fcs).symlink_to(DEMO / "fcs" / BROKEN[1].fcs)

    process = workflow(cohort)

    assert process.returncode == 0, process.stderr
    assert jobs(process) == jobs_of("P02")
    assert differences(cohort, demo_results, ["P02"]) == []


def test_a_broken_control_leaves_its_run_without_calls(workflow: Run, tmp_path: Path) -> None:
    cohort = make_cohort(tmp_path / "cohort", ("C01", "P01", "P03"))
    fcs = "C01_stim_cd154.fcs"
    replace_file(cohort, fcs, truncated((cohort / "fcs" / fcs).read_bytes()))

    process = workflow(cohort)

    assert process.returncode == 0, process.stderr
    assert "Traceback" not in process.stdout + process.stderr
    for name, found in results(cohort).items():
        assert found["call"] == "INDETERMINATE", name
        assert "CONTROL_FAILED" in found["reasons"] or name == "C01"
        assert fcs in output(cohort, name, "report.html").read_text(encoding="utf-8") or name != "C01"
    assert "FILE_INTEGRITY" in result(cohort, "C01")["reasons"]


def test_a_control_without_any_file_leaves_its_run_without_calls(tmp_path: Path) -> None:
    cohort = make_cohort(tmp_path / "cohort", ("C01", "P01"))
    for path in (cohort / "fcs").glob("C01_*"):
        path.unlink()

    process = cd40l_flow("run", "--sample", "P01", "--directory", cohort)

    assert process.returncode == 0, process.stderr
    assert "Traceback" not in process.stderr
    assert result(cohort, "P01")["call"] == "INDETERMINATE"
    assert "CONTROL_FAILED" in result(cohort, "P01")["reasons"]


def test_a_sample_without_any_file_has_a_report(tmp_path: Path) -> None:
    cohort = make_cohort(tmp_path / "cohort", ("C01", "P01"))
    for path in (cohort / "fcs").glob("P01_*"):
        path.unlink()

    process = cd40l_flow("run", "--sample", "P01", "--directory", cohort)

    assert process.returncode == 0, process.stderr
    assert result(cohort, "P01")["call"] == "INDETERMINATE"
    assert "FILE_INTEGRITY" in result(cohort, "P01")["reasons"]
    assert "FILE_INTEGRITY" in output(cohort, "P01", "report.html").read_text(encoding="utf-8")

"""What is in a file counts, not its date: exchanged, changed and swapped files cost nobody a wrong call."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cd40l_flow.fcs.probe import BLOCK, content_digest, probe
from faults.conftest import Bench
from helpers.runs.cohorts import (
    cd40l_flow,
    copy_of,
    differences,
    jobs,
    jobs_of,
    make_cohort,
    output,
    read_sheet,
    result,
    summary_lines,
    write_sheet,
)

NewBench = Callable[[Path], Bench]


def exchange(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def problems(cohort: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((cohort / "results" / "check.json").read_text(encoding="utf-8"))[
        "problems"
    ]
    return found


def test_two_samples_exchanged_by_name_are_both_seen(bench: NewBench, demo_results: Path, tmp_path: Path) -> None:
    """Of equal size, with their old dates: who had ABSENT has NORMAL then, and the other way round."""
    site = bench(copy_of(demo_results, tmp_path / "cohort"))
    for path in (site.cohort / "fcs").glob("P01_*"):
        exchange(path, path.with_name(path.name.replace("P01", "P03")))

    process = site.run()

    assert process.returncode == 0, process.stdout
    assert jobs(process) == jobs_of("P01", "P03")
    assert (result(site.cohort, "P01")["call"], result(site.cohort, "P03")["call"]) == ("ABSENT", "NORMAL")
    told = process.stdout
    assert "tubes_and_their_files" in told
    assert "row_of_the_sheet" not in told


def test_a_file_swapped_while_it_is_read(bench: NewBench, demo_results: Path, tmp_path: Path) -> None:
    """Beside one analysis that raises and one that is killed; the others are the bytes of a run without faults."""
    samples = ("C01", "P01", "P02", "P03", "P04", "P05")
    site = bench(make_cohort(tmp_path / "cohort", samples))
    fcs = site.cohort / "fcs"
    site.ask_for("P02", "raise anything")
    site.ask_for("P03", "kill 9")
    other = tmp_path / "other.fcs"
    other.write_bytes((fcs / "P05_stim_cd154.fcs").read_bytes())
    site.ask_for("P04", f"swap {fcs / 'P04_stim_cd154.fcs'} {other}")

    process = site.run()

    assert process.returncode != 0
    for sample, word in (("P02", "ValueError"), ("P03", "SIGKILL"), ("P04", "P04_stim_cd154.fcs")):
        found = result(site.cohort, sample)
        assert found["reasons"] == ["ANALYSIS_FAILED"]
        assert word in found["messages"][0]["text"]
        assert "INDETERMINATE" in summary_lines(site.cohort)[sample]
    assert differences(site.cohort, demo_results, ("C01", "P01", "P05")) == []
    site.mend()
    exchange(fcs / "P04_stim_cd154.fcs", other)

    assert site.run().returncode == 0
    assert differences(site.cohort, demo_results, samples) == []


def test_a_date_ahead_of_the_clock_is_only_reported(bench: NewBench, demo_results: Path, tmp_path: Path) -> None:
    """Of a tube of a control and of a test sample, a sheet and a review; and old dates change nothing either."""
    site = bench(copy_of(demo_results, tmp_path / "cohort"))
    for name in ("C01_stim_cd154.fcs", "P01_stim_cd154.fcs"):
        path = site.cohort / "fcs" / name
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
        os.utime(path, (time.time() + 86400, time.time() + 86400))
    ahead = time.time() + 86400
    os.utime(site.cohort / "config" / "samples.tsv", (ahead, ahead))
    assert "Nothing to be done" in site.run().stdout
    with (site.cohort / "config" / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("limits: {guards: {activated_min: 401}}\n")

    process = site.run()

    assert process.returncode == 0, process.stdout
    assert result(site.cohort, "P01")["call"] == "NORMAL"
    assert cd40l_flow("check", "--directory", site.cohort).returncode == 0
    assert [(one["code"], one["severity"]) for one in problems(site.cohort)] == [("CLOCK", "warning")] * 2


def test_a_change_between_the_probed_blocks_is_found_by_the_full_check(demo_results: Path, tmp_path: Path) -> None:
    cohort = copy_of(demo_results, tmp_path / "cohort")
    path = cohort / "fcs" / "P01_stim_cd154.fcs"
    content = bytearray(path.read_bytes())
    seen = probe(path)
    content[3 * BLOCK] ^= 1
    path.unlink()
    path.write_bytes(content)
    assert probe(path) == seen

    assert cd40l_flow("check", "--full", "--directory", cohort).returncode == 0

    assert [(one["code"], one["sample"], one["file"]) for one in problems(cohort)] == [
        ("CONTENT", "P01", "P01_stim_cd154.fcs")
    ]


def test_the_full_check_of_unchanged_files_finds_nothing(demo_results: Path, tmp_path: Path) -> None:
    cohort = copy_of(demo_results, tmp_path / "cohort")

    assert cd40l_flow("check", "--full", "--directory", cohort).returncode == 0
    assert problems(cohort) == []


@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1, 9 * BLOCK + 17, 300_000])
def test_a_probe_sees_size_first_and_last_byte(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    content = bytes(number % 251 for number in range(size))
    path.write_bytes(content)
    found = {probe(path)}
    for changed in (content + b"x", *((bytes([content[0] ^ 1]) + content[1:],) if size else ())):
        path.write_bytes(changed)
        found.add(probe(path))
    if size > 1:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        found.add(probe(path))
    assert len(found) == 2 + (size > 0) + (size > 1)


def test_what_is_no_file_has_its_reason_for_a_probe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert probe(tmp_path / "none") == "no such file"
    assert probe(tmp_path / "pipe") == "not a file"
    assert probe(tmp_path) == "not a file"
    assert content_digest(tmp_path / "none") is None


def test_a_job_is_its_owners_alone_and_tells_nothing_elsewhere(bench: NewBench, tmp_path: Path) -> None:
    """Ages, drugs and families appear in no command, no log and nothing that Snakemake keeps."""
    site = bench(make_cohort(tmp_path / "cohort", {"C01": {}, "P03": {"age_years": "7.8125", "family": "PLANTED"}}))

    process = site.run("--printshellcmds", "--verbose")

    assert process.returncode == 0, process.stdout
    jobs_folder = site.cohort / ".cd40l-flow" / "jobs"
    assert jobs_folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in jobs_folder.iterdir()} == {0o600}
    assert "7.8125" in (jobs_folder / "P03.json").read_text(encoding="utf-8")
    kept = [*(site.cohort / ".snakemake").rglob("*"), *(site.cohort / "logs").rglob("*")]
    told = [process.stdout.encode(), *(path.read_bytes() for path in kept if path.is_file())]
    assert not [one for one in told if b"7.8125" in one or b"PLANTED" in one]
    with (site.cohort / "config" / "samples.tsv").open(encoding="utf-8") as file:
        text = file.read()
    (site.cohort / "config" / "samples.tsv").write_text(text.replace("7.8125", "7.9375"), encoding="utf-8")

    again = site.run("--dry-run")

    assert {sample for rule, sample in jobs(again) if rule == "analyse"} == {"P03"}
    assert "row_of_the_sheet" in again.stdout
    assert "tubes_and_their_files" not in again.stdout
    assert "7.9375" not in again.stdout


def test_ninety_controls_of_five_tubes_fit(bench: NewBench, tmp_path: Path) -> None:
    """Their job is longer than what a command may hold; none has a file, which is enough to see that it runs."""
    site = bench(make_cohort(tmp_path / "cohort", ("C01", "P03")))
    for name in ("samples.tsv", "tubes.tsv"):
        path = site.cohort / "config" / name
        rows = read_sheet(path)
        mine = [row for row in rows if row["sample"] == "C01"]
        for number in range(2, 91):
            names = {"C01": f"C{number:02}"}
            rows += [{key: cell.replace("C01", names["C01"]) for key, cell in row.items()} for row in mine]
        for row in rows:
            if "clone" in row:
                row["clone"] = "a clone whose name is as long as some are"
        write_sheet(path, rows)

    process = site.run("results/samples/C90/result.json", "--printshellcmds")

    assert process.returncode == 0, process.stdout
    assert (site.cohort / ".cd40l-flow" / "jobs" / "C90.json").stat().st_size > 1 << 17
    assert result(site.cohort, "C90")["reasons"][0] == "FILE_INTEGRITY"
    assert max(map(len, process.stdout.splitlines())) < 4000


def test_a_job_that_was_cut_or_edited_is_refused(bench: NewBench, tmp_path: Path) -> None:
    site = bench(make_cohort(tmp_path / "cohort", ("C01",)))
    assert site.run("results/samples/C01/result.json").returncode == 0
    job = site.cohort / ".cd40l-flow" / "jobs" / "C01.json"
    content = job.read_text(encoding="utf-8")
    places = [f"--{name}={output(tmp_path, 'C01', name)}" for name in ("result", "densities")]
    for text in (content[:-5], content.replace('"sex":"F"', '"sex":"M"'), "[]", "{}"):
        assert text != content
        job.write_text(text, encoding="utf-8")

        process = cd40l_flow("analyse", "--job", job, *places)

        assert process.returncode == 2
        assert "Traceback" not in process.stderr
        assert str(job) in process.stderr

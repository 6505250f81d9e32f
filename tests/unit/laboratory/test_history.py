"""The history of a laboratory: what enters it, what is read again, what control charts say, what the page holds."""

from __future__ import annotations

import json
import re
import shutil
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cd40l_flow.cli.main import main
from cd40l_flow.laboratory.charts import control_charts, westgard
from cd40l_flow.laboratory.history_page import render_history
from cd40l_flow.laboratory.rows import Seen, row_of_result
from cd40l_flow.laboratory.store import read_history
from cd40l_flow.result.record import read_parts, read_record, written_digest


@pytest.fixture
def plates(demo_results: Path, tmp_path: Path) -> Path:
    """Return a folder of two working directories: the demo cohort, and its summary alone, as an archive keeps it."""
    shutil.copytree(demo_results / "results" / "samples", tmp_path / "plates" / "one" / "results" / "samples")
    shutil.copy(demo_results / "results" / "summary.tsv", tmp_path / "plates" / "one" / "results")
    (tmp_path / "plates" / "two" / "results").mkdir(parents=True)
    text = (demo_results / "results" / "summary.tsv").read_text(encoding="utf-8")
    (tmp_path / "plates" / "two" / "results" / "summary.tsv").write_text(text.replace("\tR1\t", "\tR2\t"))
    return tmp_path / "plates"


def history(plates: Path, *more: str) -> tuple[int, list[dict[str, Any]]]:
    """Take the plates into a history beside them; return the exit code and the rows."""
    out = plates.parent / "history"
    code = main(["history", *(more or (str(plates),)), "--out", str(out)])
    return code, read_history(out / "history.parquet")


def data_of(page: str) -> dict[str, Any]:
    """Return the samples that a page embeds."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def test_every_sample_has_a_row_with_the_numbers_of_its_result(plates: Path) -> None:
    """Of a run with results everything, of one with its summary alone what the summary has, and the same numbers."""
    code, rows = history(plates)

    assert code == 0
    assert len(rows) == 20
    full = {row["sample"]: row for row in rows if row["run"] == "R1"}
    brief = {row["sample"]: row for row in rows if row["run"] == "R2"}
    for name, row in full.items():
        result = read_record(plates / "one" / "results" / "samples" / name / "result.json")
        assert row["call"] == result.call == brief[name]["call"]
        assert row["digest"] == result.digest
        for reagent, key in (("CD154", "cd154"), ("CD40-Ig", "cd40ig")):
            values = result.numbers(reagent)
            for measure in ("percent_positive", "negative_fraction", "separation"):
                assert row[f"{key}_{measure}"] == values.get(measure)
                assert brief[name][f"{key}_{measure}"] == pytest.approx(values.get(measure), rel=1e-5)
    assert full["C01"]["cd154_activation_percent"] == pytest.approx(full["C01"]["cd69_percent"])
    assert full["C01"]["failed"] == ""


def test_what_is_unchanged_is_not_read_again(
    plates: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By content: neither a date nor a place counts, and a review that changes the summary does."""
    _, first = history(plates)
    capsys.readouterr()
    for path in plates.rglob("*.json"):
        path.touch()
    _, again = history(plates)
    assert "0 results folders read, 2 unchanged" in capsys.readouterr().err
    assert again == first

    summary = plates / "one" / "results" / "summary.tsv"
    summary.write_text(summary.read_text(encoding="utf-8").replace("unsigned", "accepted"), encoding="utf-8")
    _, signed = history(plates)
    assert "1 results folders read, 1 unchanged" in capsys.readouterr().err
    assert {row["review"] for row in signed if row["run"] == "R1"} == {"accepted"}


def test_a_run_that_is_archived_stays_and_one_that_was_moved_is_not_counted_twice(plates: Path) -> None:
    """Twenty samples before, after the folder was renamed, and after it is gone."""
    _, first = history(plates)
    (plates / "one").rename(plates / "renamed")
    _, moved = history(plates)
    assert sorted(row["digest"] or row["run"] for row in moved) == sorted(row["digest"] or row["run"] for row in first)
    shutil.rmtree(plates / "renamed")
    assert len(history(plates)[1]) == 20


def test_a_result_that_was_edited_or_is_of_no_sheet_is_left_out_and_reported(
    plates: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is believed that does not prove itself."""
    samples = plates / "one" / "results" / "samples"
    text = (samples / "P01" / "result.json").read_text(encoding="utf-8")
    (samples / "P01" / "result.json").write_text(text.replace('"NORMAL"', '"ABSENT"', 1), encoding="utf-8")
    shutil.copytree(samples / "P02", samples / "P77")

    code, rows = history(plates)

    assert code == 1
    told = capsys.readouterr().err
    assert "was changed after it was written" in told
    assert "summary.tsv has no row of it" in told
    assert {row["sample"] for row in rows if row["run"] == "R1"} == {"C01", *(f"P{one:02d}" for one in range(2, 10))}


@pytest.mark.parametrize("content", [b"", b"PAR1 nothing", b"sample\trun\n"])
def test_what_is_no_history_is_an_error_in_words(
    plates: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is never overwritten: somebody may have years in it."""
    out = plates.parent / "history"
    out.mkdir()
    (out / "history.parquet").write_bytes(content)
    assert main(["history", str(plates), "--out", str(out)]) == 2
    assert "Move it away" in capsys.readouterr().err
    assert (out / "history.parquet").read_bytes() == content


def test_the_digest_of_a_result_is_read_from_its_first_lines(demo_results: Path) -> None:
    """It is the one that the whole record holds."""
    for path in (demo_results / "results" / "samples").glob("*/result.json"):
        assert written_digest(path) == read_record(path).digest


def control(run: int, value: float, lot: str = "L1", **more: Any) -> dict[str, Any]:
    """Return the row of a control."""
    row = {"folder": "f", "sample": f"C{run:04d}", "run": f"R{run:04d}", "month": "", "role": "control", "failed": ""}
    return {**row, "call": "NORMAL", "cytometer": "A", "cd154_lot": lot, "cd154_negative_fraction": value, **more}


def test_mean_and_sd_are_of_the_first_twenty_of_a_lot() -> None:
    """What came later, failed by itself or is of another lot or instrument does not enter them."""
    values = np.random.default_rng(5).normal(0.1, 0.01, 60)
    rows = [control(number, value) for number, value in enumerate(values)]
    rows[3] |= {"failed": "CD69 failed."}
    rows += [control(100 + number, 0.2 + number / 1000, "L2") for number in range(10)]
    rows += [control(200 + number, 0.3, cytometer="B") for number in range(30)]

    first, other = (chart for chart in control_charts(rows) if chart.measure == "negative_fraction")

    base = [*values[:3], *values[4:21]]
    assert first.lots.keys() == {"L1"}
    assert first.lots["L1"].mean == pytest.approx(statistics.fmean(base))
    assert first.lots["L1"].sd == pytest.approx(statistics.stdev(base))
    assert [point.status for point in first.points[:21]] == ["base"] * 3 + ["excluded"] + ["base"] * 17
    assert {point.status for point in first.points[60:]} == {"unknown"}
    # Thirty equal values have no spread to judge by.
    assert {point.status for point in other.points} == {"unknown"}
    judged = [point for point in first.points if point.z is not None]
    assert [point.z for point in judged] == pytest.approx(
        [(value - statistics.fmean(base)) / statistics.stdev(base) for value in values[21:]]
    )


@pytest.mark.parametrize(
    ("z", "runs", "rules"),
    [
        ([3.1], "a", "1_3s"),
        ([-3.1], "a", "1_3s"),
        ([2.1, 2.2], "ab", "2_2s"),
        ([2.1, -2.2], "ab", ""),
        ([2.1, -2.2], "aa", "R_4s"),
        ([1.1, 1.2, 1.3, 1.1], "abcd", "4_1s"),
        ([1.1, 1.2, 0.3, 1.1], "abcd", ""),
        ([0.1] * 10, "abcdefghij", "10_x"),
        ([0.1] * 9 + [-0.1], "abcdefghij", ""),
        ([2.9], "a", ""),
    ],
)
def test_the_rules_of_westgard(z: list[float], runs: str, rules: str) -> None:
    """Each rule fires where its definition says, and not one step before."""
    found = westgard(z, runs)
    assert ",".join(found[-1]) == rules
    assert not any(found[:-1])


def test_a_stain_that_fades_is_out_of_control(plates: Path) -> None:
    """A fall of the MFI to half, four SD of healthy people, is seen at its first control."""
    draw = np.random.default_rng(11)
    levels = [10_000 * np.exp(draw.normal(0, 0.15)) * (0.5 if number >= 40 else 1.0) for number in range(50)]
    rows = [control(number, 0.1, cd154_mfi_above_background=level) for number, level in enumerate(levels)]
    chart = next(chart for chart in control_charts(rows) if chart.measure == "mfi_above_background")
    failed = [number for number, point in enumerate(chart.points) if point.status == "fail"]
    assert failed
    assert set(range(41, 50)) <= set(failed)


def test_the_page_holds_every_sample_and_nothing_that_could_end_its_data(tmp_path: Path) -> None:
    """Offline, under a policy of its own digests; names of runs are shown, never run."""
    rows = [control(number, 0.1) for number in range(3)]
    rows[1]["run"] = "</script><script>alert(1)</script>"
    page = render_history(rows, tmp_path)
    assert data_of(page)["sample"] == ["C0000", "C0001", "C0002"]
    assert "<script>alert" not in page
    assert "require-trusted-types-for" in page
    assert not re.search(r"(?:src|href)=\"https?:", page)


def test_data_that_two_samples_share_are_reported(tmp_path: Path) -> None:
    """A file that was copied from plate to plate is found, whatever its name."""
    rows = [
        control(number, 0.1, data=[f"{number:016x}", "f" * 16] if number < 2 else ["a" * 16]) for number in range(4)
    ]
    page = render_history(rows, tmp_path)
    assert "C0000 of run R0000 and C0001 of run R0001" in page
    assert "C0002 of run R0002 and C0003 of run R0003" in page
    assert "C0001 of run R0001 and C0002" not in page


def test_calls_of_another_assay_are_shown_by_their_name(tmp_path: Path) -> None:
    """With a column that tells the assays apart, which a history of one assay does not have."""
    rows = [control(number, 0.1, assay="cd40l") for number in range(2)]
    assert [column["name"] for column in data_of(render_history(rows, tmp_path))["texts"]][:2] == ["run", "month"]
    rows.append({**control(3, 0.1), "assay": "memory_b", "call": "LOW_SWITCHED_MADE_UP"})
    page = render_history(rows, tmp_path)
    assert [column["name"] for column in data_of(page)["texts"]][0] == "assay"
    assert "1 LOW_SWITCHED_MADE_UP" in page


@pytest.mark.parametrize("version", [3, 4])
def test_results_of_earlier_versions_enter_the_history(version: int) -> None:
    """Their schema is made the present one, as wherever years are looked at."""
    path = Path(__file__).parents[2] / "data" / f"result_of_engine_{version}.json"
    row, whole = row_of_result(read_parts(path, Seen)), read_record(path, same_engine=False)
    assert (row["sample"], row["call"], row["engine_version"]) == (whole.sample, whole.call, whole.engine_version)
    assert row["cd154_negative_fraction"] == whole.numbers("CD154").get("negative_fraction")

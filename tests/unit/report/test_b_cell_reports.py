"""Reports and exports of the B-cell assays: they say what was measured, and never a bare 0."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.assay.effects import CD40_CALLS, GRAVE, HEALTHY, MEMORY_CALLS, OF_ASSAYS, calls_of
from cd40l_flow.assay.lookup import ASSAYS, assay_named, using
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.cli.main import main
from cd40l_flow.cohort.reviewers import People
from cd40l_flow.decision.b_cells.age_curve import AgeCurve
from cd40l_flow.figures.age_curve import LOWEST, OLDEST, YOUNGEST, curve, ends_of
from cd40l_flow.interop.fhir import write_fhir
from cd40l_flow.interop.multiqc import multiqc_files
from cd40l_flow.report.b_cell_rows import share_words
from cd40l_flow.report.index import render_index
from cd40l_flow.report.sample import write_report
from cd40l_flow.result.measures_table import measure_rows
from cd40l_flow.result.record import read_record
from cd40l_flow.result.reviews.files import Review, Reviews
from cd40l_flow.result.reviews.fitting import fault_of
from cd40l_flow.result.reviews.signable import signable
from cd40l_flow.result.reviews.state import UNSIGNED, needs_second
from cd40l_flow.result.summary import summary_row
from cd40l_flow.result.types.b_cells import Share
from cd40l_flow.result.types.result import Result
from helpers.pages.opened import PROVENANCE
from helpers.results.b_cell_results import by_hand, cd40, memory
from helpers.simulated.b_cell_samples import analysed, demo

SAMPLES = ("C01M", "P02M", "C01R", "P02R")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Return results of two controls, of a girl without switched cells and of her CD40."""
    with pytest.MonkeyPatch.context() as patch:
        yield analysed(tmp_path_factory.mktemp("b_cells"), demo(*SAMPLES), patch)


def report(results: dict[str, Path], sample: str, control: str) -> str:
    """Return the report of a sample with its control, without style and script."""
    pairs = [(path, path.with_name("densities.npz")) for path in (results[sample], results[control])]
    out = results[sample].with_name("report.html")
    assert write_report(*pairs[0], pairs[1:], out, PROVENANCE) == []
    return re.sub(r"<(style|script)>.*?</\1>", "", out.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_page_one_shows_the_switched_share_with_the_limit_of_the_age(results: dict[str, Path]) -> None:
    told, result = report(results, "P02M", "C01M"), read_record(results["P02M"])
    assert result.memory is not None
    assert load_texts()["calls"][result.call]["word"] in told
    assert f"{result.memory.limit_low:.1f}" in told
    assert f"{result.memory.b_events:,}" in told
    assert "Switched memory by age" not in told  # it stands in the picture
    assert told.count("data:image/svg+xml") >= 1
    first = told[told.index('<section class="card sheet') : told.index('id="gating"')]
    assert not re.search(r"<td[^>]*>(?:<b>[^<]*</b>)? *(?:<span[^>]*>)?0(?:\.0+)?\u202f%", first)


def test_every_gate_of_the_assay_has_its_panel(results: dict[str, Path]) -> None:
    for sample, control in (("P02M", "C01M"), ("P02R", "C01R")):
        told, result = report(results, sample, control), read_record(results[sample])
        with using(assay_named(result.assay)):
            names = [load_texts()["populations"][gate.population] for gate in ASSAYS[result.assay].gates]
        for name in names:
            assert f"<h4>{name}<small>" in told
        assert "CD69" not in told


def test_a_report_of_another_assay_has_no_words_of_cd154(results: dict[str, Path]) -> None:
    told = report(results, "P02M", "C01M")
    assert "CD40LG" not in re.sub(r"<details.*?</details>", "", told, flags=re.DOTALL)
    assert "PMA" not in told
    assert "LOINC" not in told


def test_gates_are_read_back_with_equal_counts(
    results: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sample in ("P02M", "P02R"):
        folder = results[sample].parent
        monkeypatch.chdir(folder.parents[2])
        out = tmp_path / f"{sample}.tsv"
        gates = ["--gatingml", str(tmp_path / "g.xml"), "--wsp", str(tmp_path / "g.wsp"), "--table", str(out)]
        assert main(["export", "--result", str(results[sample]), "--configfile", "config/config.yaml", *gates]) == 0
        rows = out.read_text().splitlines()[1:]
        assert {row.split("\t")[6] for row in rows} == {"0"}
        # At least the gates up to B cells in both files of the sample.
        assert len(rows) >= 12


def test_gates_come_back_from_the_workspace_unmoved(results: dict[str, Path], tmp_path: Path) -> None:
    for sample in ("P02M", "P02R"):
        command = ["override", "--from", str(results[sample].with_name("gates.wsp")), "--result", str(results[sample])]
        assert main([*command, "--by", "AB", "--reason", "none", "--out", str(tmp_path / "overrides.tsv")]) == 0
    assert not (tmp_path / "overrides.tsv").exists()


def test_nobody_signs_a_call_of_another_assay() -> None:
    one = signable(by_hand("P1", "memory_b", call="SWITCHED_LOW", memory=memory(1.0)), "ab" * 32)
    usual: dict[str, Any] = {"file": "r.json", "sample": "P1", "result_digest": "ab" * 32, "comment": "looked at"}
    usual |= {"automatic_call": "SWITCHED_LOW", "decision": "override", "reason_code": "GATING", "reviewer": "AB"}
    for call, faulty in (("PRESENT", "reviewed_call"), ("NORMAL", "reviewed_call"), ("SWITCHED_NORMAL", "")):
        fault = fault_of(one, Review(**usual, call=call, signed_at="2026-01-01T00:00:00Z"), People())
        assert (fault[0] if fault else "") == faulty


def test_fhir_has_no_code_of_another_assay(results: dict[str, Path], tmp_path: Path) -> None:
    for sample in ("P02M", "P02R"):
        write_fhir(tmp_path / "f.json", results[sample], [], Reviews())
        bundle = json.loads((tmp_path / "f.json").read_text())
        assert "loinc" not in json.dumps(bundle).lower().replace("http://loinc.org", "loinc")
        report_ = next(
            one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "DiagnosticReport"
        )
        assert set(report_["code"]) == {"text"}
        assert report_["conclusionCode"][0]["coding"][0]["code"] == read_record(results[sample]).call


def test_summary_index_and_multiqc_have_every_assay(results: dict[str, Path]) -> None:
    found = [read_record(path) for path in results.values()]
    rows = {one.sample: summary_row(one, UNSIGNED) for one in found}
    assert rows["P02M"]["memory_call"] == rows["P02M"]["call"]
    assert rows["P02M"]["cd40_call"] == rows["P02R"]["memory_call"] == ""
    assert rows["P02R"]["cd40_call"] == rows["P02R"]["call"]
    assert all(row["cd154_call"] == row["cd154_percent_positive"] == "" for row in rows.values())
    assert list(rows["P02M"])[-8:] == [
        *("memory_call", "switched_percent", "switched_low", "switched_high", "switched_age_z", "b_events"),
        *("cd40_call", "cd40_ratio"),
    ]
    index = re.sub(r"<script>.*?</script>", "", render_index(found, [None] * len(found)), flags=re.DOTALL)
    assert "not measured" not in index
    general = multiqc_files(found)["cd40l_flow_general_mqc.tsv"]
    assert "switched_percent" in general


def test_long_table_and_figures_are_of_the_assay(results: dict[str, Path], tmp_path: Path) -> None:
    rows = list(measure_rows(read_record(results["P02R"])))
    levels = {row["population"]: row["value"] for row in rows if row["measure"] == "ratio"}
    assert set(levels) == {"B cells", "monocytes"}
    shares = {row["measure"] for row in measure_rows(read_record(results["P02M"])) if row["reagent"] == "memory"}
    assert {"switched_percent", "switched_low", "b_cells_percent", "b_events", "age_z"} <= shares
    for sample in ("P02M", "P02R"):
        assert main(["figures", "--result", str(results[sample]), "--out", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["P02M_memory_b.svg", "P02R_cd40.svg"]


def test_cd40l_samples_fill_no_column_of_b_cells() -> None:
    row = summary_row(by_hand("P1"), UNSIGNED)
    assert {row[name] for name in list(row)[-8:]} == {""}
    assert "switched_percent" not in multiqc_files([by_hand("P1")])["cd40l_flow_general_mqc.tsv"]


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (None, "not measured"),
        (Share(None, None, None, 0, None), "not measured"),
        (Share(0.0, 0.0, 0.4, 0, 0.0), "none seen"),
        (Share(0.001, 0.0, 0.4, 1, 0.0), "<0.01\u202f%"),
        (Share(0.33, 0.1, 0.8, 4, 0.3), "0.33\u202f%"),
    ],
)
def test_a_share_is_never_a_bare_zero(share: Share | None, words: str) -> None:
    with using(ASSAYS["memory_b"]):
        assert share_words(share) == words


def test_abnormal_calls_need_two_people_and_no_call_is_of_two_assays() -> None:
    for call in GRAVE:
        assert needs_second("accept", call, False) == "abnormal"
    assert {"SWITCHED_ABSENT", "CD40_ABSENT"} <= set(GRAVE)
    assert all(len(calls_of(assay) & HEALTHY) == 1 for assay in ASSAYS)
    assert len(frozenset().union(*OF_ASSAYS)) == sum(map(len, OF_ASSAYS))
    assert calls_of("memory_b") - {"INDETERMINATE"} == MEMORY_CALLS
    assert calls_of("cd40") - {"INDETERMINATE"} == CD40_CALLS


def test_the_age_curve_is_the_one_that_decides() -> None:
    drawn, decides = curve(), AgeCurve()
    for age, low in zip(drawn["age"], drawn["low"], strict=True):
        assert low == pytest.approx(decides.lower_limit(float(age)))
    assert drawn["age"][0] == pytest.approx(YOUNGEST)
    assert drawn["age"][-1] == pytest.approx(OLDEST)
    assert all(drawn["low"] < drawn["median"])
    assert all(drawn["median"] < drawn["high"])
    assert drawn["low"].min() > LOWEST


def test_bands_of_ages_lie_side_by_side_on_the_curve() -> None:
    ends = [ends_of(band) for band in ("under 6 months", "6 to 11 months", "1 y", "2 to 4 y", "45 y or older")]
    assert ends == [(YOUNGEST, 0.5), (0.5, 1), (1, 2), (2, 5), (45, OLDEST)]
    assert [ends_of(band) for band in ("2 to 4 months", "3 y", "25 to 44 y")] == [(YOUNGEST, 5 / 12), (3, 4), (25, 45)]
    first, last = ends_of("under 2 months") or (0, 0)
    assert first == last == YOUNGEST
    assert ends_of(None) is None


@pytest.mark.parametrize(
    "result",
    [
        by_hand("P1", "memory_b", call="INDETERMINATE", reasons=["TUBE_MISSING"]),
        by_hand(
            "P1", "memory_b", call="SWITCHED_LOW", memory=memory(1.0, switched=None, igm_only=None, age_median=None)
        ),
        by_hand("P1", "memory_b", call="SWITCHED_NORMAL", memory=memory(), age_band=None),
        by_hand("P1", "cd40", call="INDETERMINATE", reasons=["CONTROL_ABSENT"], cd40={**cd40(), "cells": []}),
        by_hand("P1", "cd40", call="INDETERMINATE", reasons=["TUBE_MISSING"]),
    ],
    ids=["no tube", "two markers", "no age", "no cells", "no CD40"],
)
def test_whatever_is_missing_the_report_is_written(result: Result, tmp_path: Path) -> None:
    from helpers.results.records import write_record

    write_record(result, tmp_path / "result.json")
    told = write_report(tmp_path / "result.json", tmp_path / "densities.npz", [], tmp_path / "report.html", PROVENANCE)
    assert told  # that the binned data are not there
    assert "<h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")

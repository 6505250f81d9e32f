"""Reports: what a reader must find in them, whatever happened to the sample."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from cd40l_flow.assay.texts import load_texts
from cd40l_flow.base.resources import workflow_file
from cd40l_flow.figures.pictures import draw_pictures
from cd40l_flow.figures.plots import Panel, read_index, written
from cd40l_flow.report.index import render_index
from cd40l_flow.report.sample import write_report
from cd40l_flow.result.order import CALL_ORDER
from cd40l_flow.result.types.fields import REASONS
from helpers.pages.parsed import FORBIDDEN, Page, assert_policy
from helpers.results import report_samples as made
from helpers.results.acquisition_samples import NO_TIME
from helpers.results.records import as_result, write_pair, write_record

SECTIONS = (
    *("call", "why", "target", "activation", "gating", "measures", "checks", "rules", "messages"),
    *("gates", "tubes", "acquisition", "compensation", "methods", "limitations", "review", "provenance"),
)
PROVENANCE = {"Package": "cd40l-flow 0.0", "Configuration": "ab" * 32}
EVERYTHING = {**made.SCENARIOS, "NOTHING": made.NOTHING, "CONTROL": made.CONTROL}
BUDGET = 700_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def control(folder: Path) -> tuple[Path, Path]:
    return made.write_sample(folder / "control", made.CONTROL)


@pytest.fixture(scope="module")
def reports(folder: Path, control: tuple[Path, Path]) -> dict[str, str]:
    """Return the report of every scenario."""
    pages = {}
    for name, scenario in EVERYTHING.items():
        out = folder / f"{name}.html"
        pairs = [control] if scenario.controls else []
        write_report(*made.write_sample(folder / name, scenario), pairs, out, PROVENANCE)
        pages[name] = out.read_text(encoding="utf-8")
    return pages


def write(folder: Path, result: dict[str, Any], controls: list[tuple[Path, Path]]) -> str:
    """Return the report of a result that was changed by hand, with the binned data of a normal sample."""
    _, densities = made.write_sample(folder, made.SCENARIOS["NORMAL"])
    named = hashlib.sha256(densities.read_bytes()).hexdigest()
    write_record({**result, "densities": named}, folder / "changed.json")
    write_report(folder / "changed.json", densities, controls, folder / "changed.html", PROVENANCE)
    return (folder / "changed.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(workflow_file("schemas/result.schema.json").read_text(encoding="utf-8"))
    return loaded


def test_what_would_change_the_call_its_codes_and_the_limits_of_the_laboratory_are_shown(tmp_path: Path) -> None:
    result = made.make_result(made.SCENARIOS["NORMAL"])
    text = "CD154: mutant fraction above 7.5 % (measured 3 %) would make its sub-call INDETERMINATE."
    result["would_change"] = [
        {"reagent": "CD154", "from": "NORMAL", "to": "INDETERMINATE", "text": text, "changes": []}
    ]
    used = {"digest": "ab" * 32, "controls": 23, "failed": 2, "few": True}
    used |= {"healthy_negative_sd": {"CD154": 0.0234}, "level_sd": {"CD154": 0.19}}
    page = write(tmp_path, result | {"reference": used, "family": "F3"}, [])
    for words in (
        text,
        "98239-7",
        "98240-5",
        "98241-3",
        "23 healthy controls",
        "provisional",
        "0.023",
        "0.19",
        "family F3",
    ):
        assert words in page
    assert "None are set" in write(tmp_path, result, [])


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_results_of_these_tests_fit_the_schema(name: str, schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)

    assert list(Draft202012Validator(schema).iter_errors(made.make_result(EVERYTHING[name]))) == []


def test_the_schema_describes_every_key_and_refuses_unknown_ones(schema: dict[str, Any]) -> None:
    def properties(node: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(node, dict):
            yield from (node.get("properties") or {}).items()
            for value in node.values():
                yield from properties(value)
        elif isinstance(node, list):
            for value in node:
                yield from properties(value)

    bare = [name for name, told in properties(schema) if "description" not in told and "$ref" not in told]
    assert bare == []
    result = made.make_result(made.SCENARIOS["NORMAL"]) | {"diagnosis": "none"}
    assert not Draft202012Validator(schema).is_valid(result)


def test_every_code_of_the_schema_has_its_words(schema: dict[str, Any]) -> None:
    texts = load_texts()

    assert sorted(texts["reasons"]) == sorted(REASONS)
    assert sorted(texts["calls"]) == sorted(schema["properties"]["call"]["enum"]) == sorted(CALL_ORDER)
    assert all(told["name"] and told["what"] and told["remedy"] for told in texts["reasons"].values())
    words = json.dumps(texts).lower()
    assert [phrase for phrase in FORBIDDEN if phrase in words] == []


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_report_has_every_section_its_call_and_its_status(name: str, reports: dict[str, str]) -> None:
    page, result = Page(reports[name]), made.make_result(EVERYTHING[name])
    texts = load_texts()

    assert [section for section in SECTIONS if section not in page.ids()] == []
    assert len(page.ids()) == len(set(page.ids()))
    assert texts["calls"][result["call"]]["word"] in page.text
    assert page.text.count("Provisional – unsigned") >= 4
    assert "Research use only. Not for use in diagnostic procedures." in page.text
    assert all(sentence in page.text for sentence in result["statement"])
    assert all(code in page.text and texts["reasons"][code]["remedy"] in page.text for code in result["reasons"])
    assert all(value in page.text for value in PROVENANCE.values())
    assert [phrase for phrase in FORBIDDEN if phrase in reports[name].lower()] == []


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_report_asks_for_nothing_and_allows_nothing(name: str, reports: dict[str, str]) -> None:
    page = Page(reports[name])

    links = [attributes.get("href") or attributes.get("src") or "#" for _, attributes in page.tags]
    # Other pages of the same results are no request: nobody is asked for them before somebody clicks.
    pages = {"../../index.html", *(f"../../index.html#next={one}" for one in ("P01", "C01")), "../C01/report.html"}
    assert {link for link in links if not link.startswith(("#", "data:"))} <= pages
    assert len(page.all("script")) == 1
    assert not any(key.startswith("on") or key == "style" for _, attributes in page.tags for key in attributes)
    assert_policy(reports[name], page)


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_drawing_has_an_alternative_text(name: str, reports: dict[str, str]) -> None:
    drawings = [attributes for attributes in Page(reports[name]).all("svg") if attributes.get("class") == "drawing"]

    assert all(drawing["role"] == "img" and len(drawing["aria-label"] or "") > 40 for drawing in drawings)


def test_acquisition_in_time_is_reported_in_words(reports: dict[str, str]) -> None:
    """What was cut and why, what drifts, where time is missing, and the call without the cut."""
    text = Page(reports["NORMAL"]).text

    assert "24.40 to 36.60 s cut (2,400 events): shifted, in percentile points: CD3 −18, FSC −31." in text
    assert "target changes by 12" in text
    assert f"Not assessable: {NO_TIME}." in text
    assert "Stops of the flow: 1, the longest 3.5" in text
    assert "Without the cut the call is the same: Normal pattern." in text
    alts = [attributes.get("aria-label") or "" for tag, attributes in Page(reports["NORMAL"]).tags if tag == "svg"]
    assert [alt for alt in alts if "Flow rate and signals over time" in alt and "24.40 to 36.60 s cut" in alt]


def test_nothing_cut_is_said(reports: dict[str, str]) -> None:
    assert "Nothing was cut in time" in Page(reports["NOTHING"]).text


def test_the_matrix_and_the_slopes_are_shown(reports: dict[str, str]) -> None:
    page = Page(reports["NORMAL"])

    assert "$SPILLOVER ; condition number 1.31" in page.text or "$SPILLOVER; condition number 1.31" in page.text
    shades = [attributes.get("class") or "" for tag, attributes in page.tags if tag == "td"]
    assert sum("heat-3" in shade for shade in shades) == len(made.DETECTORS) - 1  # 3 % beside the diagonal
    assert sum(shade.endswith("own") for shade in shades) >= len(made.DETECTORS)
    assert "0.0012" in page.text and "−0.08" in page.text


def test_every_tube_of_patient_and_control_is_drawn(reports: dict[str, str]) -> None:
    page = Page(reports["NORMAL"])

    # The course of 4 tubes (the fifth has no time), 2 reagents and CD69 of two samples; 5 tubes x 7 gates of one.
    drawings = [svg.get("aria-label") or "" for svg in page.all("svg") if svg.get("class") == "drawing"]
    assert sum("Flow rate" in words for words in drawings) == 2 * 4
    assert len(drawings) == 2 * (4 + 2 + 1) + 5 * 7
    assert len(page.all("image")) == 5 * 7
    assert page.text.count("of 12,000") == 5
    assert "98.0\u202f%" in page.text


def test_a_refused_tube_says_why_in_every_place_it_is_missing_from(reports: dict[str, str]) -> None:
    page = Page(reports["INDETERMINATE"])

    assert "Refused (FILE_INTEGRITY)" in page.text
    assert page.text.count("DATA ends 4,096 bytes early") >= 3
    assert "CD40-Ig was not drawn" in page.text
    assert len(page.all("image")) == 7 * 4
    assert sum("on activated T cells of" in (svg.get("aria-label") or "") for svg in page.all("svg")) == 1 + 2
    assert "212" in page.text and "≥ 500" in page.text


def test_a_sample_without_a_readable_tube_still_has_a_report(reports: dict[str, str]) -> None:
    page = Page(reports["NOTHING"])

    assert page.all("image") == []
    assert page.text.count("Refused (FILE_INTEGRITY)") == 5
    assert "There is no control to compare it with." in page.text
    assert "Nothing could be measured" in page.text
    assert "No tube could be read." in page.text


def test_a_gate_that_could_not_be_drawn_says_why(reports: dict[str, str]) -> None:
    assert "Not drawn: no viability dye in this tube" in Page(reports["MOSAIC"]).text


def test_a_gate_set_by_hand_is_distinguished_with_who_and_why(reports: dict[str, str]) -> None:
    text = Page(reports["ABSENT"]).text

    assert text.count("set by hand") >= 6
    assert "A. Analyst: CD3 dim cells excluded" in text
    assert "1,890" in text and "2,310" in text
    assert "No gate was set by hand." in Page(reports["NORMAL"]).text


def test_the_numbers_of_a_call_come_with_interval_limit_and_control(reports: dict[str, str]) -> None:
    text = Page(reports["ABSENT"]).text

    assert "CD154 expression Absent 0.01\u202f% positive (0.0 to 1.3\u202f%) 92.0\u202f% ABNORMAL Present" in text
    assert "Decided by CD154: Percent positive, upper end 1.9\u202f% (limit ≤ 10\u202f%)" in text


def test_text_of_the_inputs_stays_text(folder: Path, control: tuple[Path, Path]) -> None:
    evil = "<script>alert(1)</script>"
    result = made.make_result(made.SCENARIOS["NORMAL"])
    result |= {"run": evil, "statement": [evil], "age_band": evil}
    result["metadata"]["show"] = {evil: evil}
    result["messages"][0] |= {"code": evil, "text": evil, "tube": evil}
    result["guards"][0] |= {"message": evil, "unit": evil}
    result["gates"][0] |= {"override": {"by": evil, "reason": evil}, "method": evil}
    result["tubes"][0] |= {"fcs": evil, "cytometer": evil}
    html = write(folder / "evil", result, [control])

    assert html.count("<script") == 1
    assert html.count("&lt;script&gt;") > 15
    index = render_index([msgspec.structs.replace(as_result(result), sample=evil)], ["samples/x/report.html"])
    assert index.count("<script") == 1


def test_equal_inputs_give_equal_bytes(folder: Path, control: tuple[Path, Path], reports: dict[str, str]) -> None:
    write_report(
        folder / "MOSAIC" / "result.json",
        folder / "MOSAIC" / "densities.npz",
        [control],
        folder / "again.html",
        PROVENANCE,
    )

    assert (folder / "again.html").read_text(encoding="utf-8") == reports["MOSAIC"]


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_report_is_small(name: str, reports: dict[str, str]) -> None:
    assert len(reports[name].encode()) < BUDGET


def test_a_report_of_large_files_is_small(folder: Path) -> None:
    """Every bin of every panel is noise: nothing compresses worse."""
    random = np.random.default_rng(3)
    pairs = []
    for scenario in (made.SCENARIOS["NORMAL"], made.CONTROL):
        result, densities = made.write_sample(folder / f"large{scenario.sample}", scenario)
        with np.load(densities) as file:
            arrays = {name: file[name] for name in file.files}
        index = read_index(str(arrays["index"]))
        for name in (panel.array for tube in index.tubes for panel in tube.panels if isinstance(panel, Panel)):
            arrays[name] = arrays[name] * 40 + random.poisson(0.02, arrays[name].shape).astype(np.uint32)
        tubes, arrays["pictures"] = draw_pictures(index.tubes, arrays)
        arrays["index"] = np.array(written(msgspec.structs.replace(index, tubes=tuple(tubes))))
        pairs.append(write_pair(result.parent, json.loads(result.read_text(encoding="utf-8")), arrays))
    write_report(*pairs[0], [pairs[1]], folder / "large.html", PROVENANCE)

    assert (folder / "large.html").stat().st_size < BUDGET


def test_further_controls_join_the_table_of_measures(folder: Path, control: tuple[Path, Path]) -> None:
    other = made.write_sample(folder / "C02", replace(made.CONTROL, sample="C02"))
    result = made.make_result(made.SCENARIOS["NORMAL"]) | {"controls": ["C01", "C02"]}
    html = write(folder / "two", result, [control, other])

    headers = re.findall(r'<th scope="col" class="number(?: own)?">([CP]\d+)</th>', html)
    assert headers == ["P01", "C01", "C02"] * 2


def test_a_second_clone_has_its_own_figure_or_the_reason_why_not(folder: Path, control: tuple[Path, Path]) -> None:
    result = made.make_result(made.SCENARIOS["NORMAL"])
    result["subcalls"]["CD154-2"] = {"call": "INDETERMINATE", "reasons": ["TUBE_MISSING"]}
    result["guards"].append(
        {
            "code": "TUBE_MISSING",
            "reagent": "CD154-2",
            "fired": True,
            "effect": "hard",
            "value": None,
            "limit": None,
            "unit": "",
            "message": "No isotype tube on the detector of CD154-2.",
        }
    )
    text = Page(write(folder / "clone", result, [control])).text

    assert "CD154-2 was not drawn: No isotype tube on the detector of CD154-2." in text

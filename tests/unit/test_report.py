"""Reports and index: what a reader must find in them, whatever happened to the sample."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from cd40l_flow.outputs.canvas import Palette
from cd40l_flow.outputs.figures import readable_ticks
from cd40l_flow.outputs.index import CALL_ORDER, render_index
from cd40l_flow.outputs.index_strips import draw_strips
from cd40l_flow.outputs.numbers import format_against, format_interval, format_limit, format_measure, format_unit
from cd40l_flow.outputs.report import write_report
from cd40l_flow.outputs.texts import load_texts
from cd40l_flow.resources import workflow_file
from helpers import report_samples as made

SECTIONS = (
    *("call", "why", "numbers", "target", "activation", "gating", "measures", "checks", "rules", "messages"),
    *("gates", "tubes", "methods", "limitations", "review", "provenance"),
)
FORBIDDEN = ("not a carrier", "diagnostic of", "rules out")
PROVENANCE = {"Package": "cd40l-flow 0.0", "Configuration": "ab" * 32}
EVERYTHING = {**made.SCENARIOS, "NOTHING": made.NOTHING, "CONTROL": made.CONTROL}
BUDGET = 600_000


class Page(HTMLParser):
    """The parts of a page that tests look at."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._skipped = ""
        self.feed(html)
        self.text = re.sub(r"[ \n]+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("style", "script"):
            self._skipped = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._skipped:
            self._skipped = ""

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.tags if "id" in attributes]


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
    (folder / "changed.json").write_text(json.dumps(result), encoding="utf-8")
    write_report(folder / "changed.json", densities, controls, folder / "changed.html", PROVENANCE)
    return (folder / "changed.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(workflow_file("schemas/result.schema.json").read_text(encoding="utf-8"))
    return loaded


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

    assert sorted(texts["reasons"]) == sorted(schema["$defs"]["reason"]["enum"])
    assert sorted(texts["calls"]) == sorted(schema["$defs"]["call"]["enum"]) == sorted(CALL_ORDER)
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
    assert "Provisional – unsigned" in page.text
    assert "Research use only. Not for use in diagnostic procedures." in page.text
    assert all(sentence in page.text for sentence in result["statement"])
    assert all(code in page.text and texts["reasons"][code]["remedy"] in page.text for code in result["reasons"])
    assert all(value in page.text for value in PROVENANCE.values())
    assert [phrase for phrase in FORBIDDEN if phrase in reports[name].lower()] == []


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_report_asks_for_nothing_and_allows_nothing(name: str, reports: dict[str, str]) -> None:
    page = Page(reports[name])

    links = [attributes.get("href") or attributes.get("src") or "#" for _, attributes in page.tags]
    assert {link for link in links if not link.startswith(("#", "data:"))} == set()
    assert page.all("script") == []
    assert not any(key.startswith("on") or key == "style" for _, attributes in page.tags for key in attributes)
    assert_policy(reports[name], page)


def assert_policy(html: str, page: Page) -> None:
    """The policy names exactly the style and script that are in the page."""
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in ("style", "script"):
        for body in re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_drawing_has_an_alternative_text(name: str, reports: dict[str, str]) -> None:
    drawings = [attributes for attributes in Page(reports[name]).all("svg") if attributes.get("class") == "drawing"]

    assert all(drawing["role"] == "img" and len(drawing["aria-label"] or "") > 40 for drawing in drawings)


def test_every_tube_of_patient_and_control_is_drawn(reports: dict[str, str]) -> None:
    page = Page(reports["NORMAL"])

    # 5 tubes x 7 gates of two samples, 2 reagents and CD69 of two samples.
    assert len(page.all("image")) == 2 * 5 * 7 + 2 * 2 + 2
    assert page.text.count("of 12,000") == 2 * 5
    assert "98.0\u202f%" in page.text


def test_a_refused_tube_says_why_in_every_place_it_is_missing_from(reports: dict[str, str]) -> None:
    page = Page(reports["INDETERMINATE"])

    assert "Refused (FILE_INTEGRITY)" in page.text
    assert page.text.count("DATA ends 4,096 bytes early") >= 3
    assert "CD40-Ig was not drawn" in page.text
    # The control's tube is still there to look at: 4 + 5 tubes, 1 + 2 reagents, 2 x CD69.
    assert len(page.all("image")) == 7 * 9 + 3 + 2
    assert "212" in page.text and "≥ 500" in page.text


def test_a_sample_without_a_readable_tube_still_has_a_report(reports: dict[str, str]) -> None:
    page = Page(reports["NOTHING"])

    assert page.all("image") == []
    assert page.text.count("Refused (FILE_INTEGRITY)") == 5
    assert "There is no control to draw beside it." in page.text
    assert "Nothing could be measured" in page.text
    assert "No tube could be read." in page.text


def test_a_gate_that_could_not_be_drawn_says_why(reports: dict[str, str]) -> None:
    assert "Not drawn: no viability dye in this tube" in Page(reports["MOSAIC"]).text


def test_a_gate_set_by_hand_is_told_apart_with_who_and_why(reports: dict[str, str]) -> None:
    text = Page(reports["ABSENT"]).text

    assert text.count("set by hand") >= 6
    assert "A. Analyst: CD3 dim cells excluded" in text
    assert "1,890" in text and "2,310" in text
    assert "No gate was set by hand." in Page(reports["NORMAL"]).text


def test_the_numbers_of_a_call_come_with_interval_limit_and_control(reports: dict[str, str]) -> None:
    text = Page(reports["ABSENT"]).text

    assert "CD154 positive 0.01\u202f%" in text
    assert "95 % interval 0.0 to 1.3\u202f% limit ≤ 10\u202f% (upper end) control ◇ 92.0\u202f%" in text


def test_text_of_the_inputs_stays_text(folder: Path, control: tuple[Path, Path]) -> None:
    evil = "<script>alert(1)</script>"
    result = made.make_result(made.SCENARIOS["NORMAL"])
    result |= {"sample": evil, "run": evil, "statement": [evil], "age_band": evil}
    result["metadata"]["show"] = {evil: evil}
    result["messages"][0] |= {"code": evil, "text": evil, "tube": evil}
    result["guards"][0] |= {"message": evil, "unit": evil}
    result["gates"][0] |= {"override": {"by": evil, "reason": evil}, "method": evil}
    result["tubes"][0] |= {"fcs": evil, "cytometer": evil}
    html = write(folder / "evil", result, [control])

    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 15
    index = render_index([result], ["samples/x/report.html"])
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
        for name in arrays:
            if name.startswith("t"):
                arrays[name] = arrays[name] * 40 + random.poisson(0.02, arrays[name].shape).astype(np.uint32)
        np.savez(densities, **arrays)
        pairs.append((result, densities))
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


@pytest.mark.parametrize(
    ("measure", "value", "text"),
    [
        ("percent_positive", 92.04, "92.0\u202f%"),
        ("percent_positive", 0.031, "0.03\u202f%"),
        ("percent_positive", -0.4, "−0.40\u202f%"),
        ("negative_fraction", 0.482, "48.2\u202f%"),
        ("mfi_ratio", 0.9712, "0.97"),
        ("relative_positive", 0.0001, "<0.01"),
        ("mfi_positive", 9120.4, "9,120"),
        ("mfi_positive", -12.34, "−12.3"),
        ("dip_p", 0.00002, "<0.001"),
        ("events", 2810, "2,810"),
        ("some_new_percent", 12.0, "12.0\u202f%"),
        ("separation", None, "not computed"),
    ],
)
def test_numbers_have_a_unit_and_sensible_digits(measure: str, value: float | None, text: str) -> None:
    assert format_measure(measure, value) == text


def test_a_number_is_told_from_its_limit() -> None:
    assert format_against("level", 0.4996, 0.5) == "0.4996"
    assert format_against("positive_fraction", 0.6999, 0.7) == "69.99\u202f%"
    assert format_against("level", 0.43, 0.5) == "0.43"
    assert format_against("level", 0.5, 0.5) == "0.50"
    assert format_limit("positive_high", 0.1) == "10\u202f%"
    assert format_unit("channel value", 4183.2, limit=True) == "4,183\u202fchannel value"
    assert format_unit("h", 6.0) == "6\u202fh"
    interval = {"negative_fraction_low": 0.004, "negative_fraction_high": 0.021}
    assert format_interval("negative_fraction", interval) == "0.40 to 2.10\u202f%"


def test_labels_of_an_axis_do_not_touch_and_stay_inside() -> None:
    ticks = [(fraction, f"{fraction * 200:g}k") for fraction in (0.0, 0.25, 0.5, 0.75, 1.0)]
    chosen = readable_ticks(ticks, 0.05)

    assert [fraction for fraction, _, _ in chosen] == [1.0, 0.5, 0.25, 0.0]
    assert chosen[0][1] < 1.0


def test_a_png_holds_the_nearest_colours_of_the_palette() -> None:
    from PIL import Image

    palette = Palette([(255, 255, 255), (11, 79, 138), (194, 65, 12)])
    pixels = np.array([[[250, 250, 250], [10, 80, 140]], [[250, 250, 250], [10, 80, 140]], [[190, 60, 10]] * 2])
    picture = Image.open(io.BytesIO(palette.png(pixels.astype(np.uint8)))).convert("RGB")

    expected = [[(255, 255, 255), (11, 79, 138)]] * 2 + [[(194, 65, 12)] * 2]
    assert [[picture.getpixel((x, y)) for x in range(2)] for y in range(3)] == expected


def cohort() -> list[dict[str, Any]]:
    """Return one result of each call and a control, in no order, with a value beyond the axis."""
    results = [
        made.make_result(replace(scenario, sample=f"P{number}"))
        for number, scenario in enumerate(made.SCENARIOS.values())
    ]
    results.append(made.make_result(made.CONTROL))
    results[0]["reagents"]["CD154"]["percent_positive"] = 131.0
    return results


def test_the_index_is_worst_first_with_links_and_numbers() -> None:
    results = cohort()
    html = render_index(results, [f"samples/{result['sample']}/report.html" for result in results])
    page = Page(html)

    rows = [attributes for attributes in page.all("tr") if "data-call" in attributes]
    calls = [attributes["data-call"] or "" for attributes in rows]
    assert calls == sorted(calls, key=CALL_ORDER.index)
    assert len(rows) == len(results)
    assert {f"samples/{result['sample']}/report.html" for result in results} <= {a.get("href") for a in page.all("a")}
    assert "Too few activated cells" in page.text
    assert "7 samples in R1" in page.text
    assert [phrase for phrase in FORBIDDEN if phrase in html.lower()] == []
    assert_policy(html, page)


def test_the_index_does_not_depend_on_the_order_given() -> None:
    results = cohort()
    hrefs = [result["sample"] for result in results]

    assert render_index(results, hrefs) == render_index(results[::-1], hrefs[::-1])


def test_an_index_of_nothing_says_so() -> None:
    assert "There is no sample." in Page(render_index([], [])).text


def test_strips_clip_nothing_and_mark_controls() -> None:
    results = cohort()
    strips = draw_strips(results, [""] * len(results))

    first, second = strips[0], strips[1]
    assert len(first.marks) == len(results)
    assert [mark.beyond for mark in first.marks if mark.beyond] == ["131.0\u202f%"]
    assert [mark.kind for mark in first.marks][-1] == "control"
    assert second.missing == "1 not measured"
    assert all(0 < mark.x < 560 and 0 < mark.y < 76 for strip in strips for mark in strip.marks)
    places = [(mark.x, mark.y) for mark in first.marks]
    assert len(places) == len(set(places))

"""A result is what it says: what is cut, edited, foreign or old is refused in words, and costs its own sample alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import cd40l_flow.assay.texts
from cd40l_flow import ENGINE_VERSION
from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.errors import RecordError
from cd40l_flow.base.plain_json import JsonFault, digest_of, parse_strictly
from cd40l_flow.base.resources import workflow_file
from cd40l_flow.base.schema import load_schema
from cd40l_flow.cli.main import main
from cd40l_flow.cohort.config import draft_config
from cd40l_flow.cohort.reference import load_reference
from cd40l_flow.figures.binned import read_densities
from cd40l_flow.interop.override_lines import find_overrides
from cd40l_flow.result.record import foreign_names, read_record
from cd40l_flow.result.reference import collect, write_reference
from cd40l_flow.result.reviews.files import read_reviews
from cd40l_flow.result.summary import write_summary
from cd40l_flow.result.types.json_schema import schema_text
from cd40l_flow.result.types.result import Result
from helpers import report_samples as made
from helpers.cases import limits
from helpers.controls import control_result, full_control, many_controls, whole_result
from helpers.damaged_records import KINDS, Bench, change_value
from helpers.records import as_plain, as_result, edit, seal, write_record

Break = Callable[[Path], None]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return a cohort of a control and a mosaic, analysed."""
    return Bench(tmp_path_factory.mktemp("records"))


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Return a folder of two samples: P01, ABSENT, and its control C01."""
    folder = tmp_path / "results" / "samples"
    made.write_sample(folder / "P01", made.SCENARIOS["ABSENT"])
    made.write_sample(folder / "C01", made.CONTROL)
    return folder


# The record


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _foreign(path: Path) -> None:
    shutil.copy(path.parent.parent / "C01" / "result.json", path)


def _sealed(**changes: Any) -> Break:
    def change(path: Path) -> None:
        edit(path, **changes)
        seal(path)

    return change


def _replaced(old: str, new: str) -> Break:
    def change(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def _written(content: bytes) -> Break:
    return lambda path: path.write_bytes(content) and None


def _first_schema(path: Path) -> None:
    result = json.loads(path.read_text(encoding="utf-8"))
    del result["digest"], result["densities"]
    path.write_text(json.dumps(result | {"schema_version": "1.0"}, indent=1, sort_keys=True), encoding="utf-8")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGED = "was changed after it was written"
BROKEN: dict[str, tuple[Break, str]] = {
    "missing": (lambda path: path.unlink(), "is not there"),
    "a folder": (lambda path: path.unlink() or path.mkdir(), "is a folder"),
    "a pipe": (_pipe, "not a file"),
    "cut": (_cut, "is not JSON"),
    "empty": (_written(b""), "is empty"),
    "a list": (_written(b"[]"), "in place of keys and values"),
    "nested": (_written(b"[" * 200_000), "nested too deeply"),
    "not text": (_written(b"\xff\xfe{}"), "not UTF-8"),
    "ABSENT made NORMAL": (_replaced('"call": "ABSENT"', '"call": "NORMAL"'), CHANGED),
    "a number changed": (
        _replaced('"activated_events": ', '"activated_events": 1'),
        "was changed after it was written",
    ),
    "a key twice": (_replaced('"call": "ABSENT"', '"call": "NORMAL",\n"call": "ABSENT"'), "a key is given twice"),
    "NaN": (_replaced('"cd69_percent": ', '"cd69_percent": NaN, "x": '), "NaN is no JSON number"),
    "beyond a double": (_replaced('"cd69_percent": ', '"cd69_percent": 1e999, "x": '), "beyond any number"),
    "no digest": (lambda path: edit(path, digest=None), "carries no digest"),
    "BANANA": (_sealed(call="BANANA"), 'call: found "BANANA", expected NORMAL, REDUCED'),
    "an unknown key": (_sealed(extra=1), "extra: is not a known key"),
    "reasons of no list": (_sealed(reasons=["NO_SUCH_REASON"]), "NO_SUCH_REASON"),
    "another sample": (_foreign, 'is a result of sample "C01", where that of P01 was expected'),
    "another engine": (_sealed(engine_version="0"), f'version "0" of the analysis, expected "{ENGINE_VERSION}"'),
    "a later schema": (_sealed(schema_version="1.99"), 'has schema version "1.99"'),
    "an earlier schema": (_first_schema, 'has schema version "1.0"'),
    "lends nothing": (_sealed(role="control"), "contradicts itself"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_result_that_is_not_what_it_says_is_refused_in_words(name: str, samples: Path) -> None:
    """The message names the file, what was found and what to do."""
    path = samples / "P01" / "result.json"
    assert read_record(path).call == "ABSENT"
    change, told = BROKEN[name]
    change(path)

    with pytest.raises(RecordError) as caught:
        read_record(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)
    assert "workflow again" in str(caught.value)


@pytest.mark.parametrize("name", BROKEN)
def test_every_command_refuses_it_without_a_traceback_and_writes_nothing(
    name: str, samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = samples / "P01" / "result.json", tmp_path / "out"
    BROKEN[name][0](path)
    for command in (
        ["report", "--result", str(path), "--out", str(out)],
        ["export", "--result", str(path), "--measures", str(out)],
        ["override", "--from", "gates.wsp", "--result", str(path), "--by", "me", "--reason", "why", "--out", str(out)],
    ):
        assert main(command) == 2
        assert f"{path}: " in capsys.readouterr().err
        assert not out.exists()


def test_a_record_is_the_same_bytes_whatever_the_order_of_its_keys(tmp_path: Path) -> None:
    result = made.make_result(made.SCENARIOS["MOSAIC"])
    write_record(result, tmp_path / "one.json")
    write_record(dict(reversed(result.items())), tmp_path / "two.json")

    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    read = read_record(tmp_path / "one.json")
    assert as_plain(read) | {"digest": ""} == json.loads(json.dumps(result)) | {"digest": ""}


def test_the_digest_is_that_of_the_file_without_its_line(samples: Path) -> None:
    """As ``grep -v '^"digest"' result.json | sha256sum`` has it."""
    path = samples / "P01" / "result.json"
    before = path.read_bytes()
    seal(path)
    assert path.read_bytes() == before


# Whatever looks over years


def test_a_reference_takes_intact_records_of_any_version_and_tells_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Old engines and the first schema count, and are told; what was edited is left out, and fails the command."""
    folder, out = tmp_path / "results" / "samples", tmp_path / "reference.json"
    for number in range(4):
        result = full_control(control_result(f"C{number}", f"R{number}", negative=0.1 + number / 100))
        write_record(result | {"engine_version": "2" if number == 1 else "3"}, folder / f"C{number}" / "result.json")
    _first_schema(folder / "C2" / "result.json")

    assert main(["reference", str(folder), "--out", str(out)]) == 0
    told = capsys.readouterr().err
    assert "4 healthy controls of 4" in told
    assert "versions of the analysis: 2, 3" in told
    assert "1 controls (C2)" in told

    edit(folder / "C3" / "result.json", call="NORMAL", cd69_percent=50.0)
    assert main(["reference", str(folder), "--out", str(out)]) == 1
    told = capsys.readouterr().err
    assert "3 healthy controls of 3" in told
    assert "C3/result.json: was changed after it was written" in told
    assert load_reference(out)["engine_versions"] == ["2", "3"]


RELEASED = Path(__file__).parents[1] / "data" / "result_of_engine_3.json"


def test_a_reference_takes_results_of_the_released_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A control of the demo cohort as version 3 of the analysis wrote it, beside one of today; for a call it is old."""
    folder, out = tmp_path / "results" / "samples", tmp_path / "reference.json"
    path = folder / "C01" / "result.json"
    path.parent.mkdir(parents=True)
    shutil.copyfile(RELEASED, path)
    write_record(full_control(control_result("C2", "R2", negative=0.1)), folder / "C2" / "result.json")

    assert main(["reference", str(folder), "--out", str(out)]) == 0
    told = capsys.readouterr().err
    assert "2 healthy controls of 2" in told
    assert f"versions of the analysis: 3, {ENGINE_VERSION}" in told
    assert "1 controls (C01)" in told
    was = json.loads(RELEASED.read_text(encoding="utf-8"))
    row = next(row for row in load_reference(out)["controls"] if row["sample"] == "C01")
    assert set(row["reagents"]) == {"CD154", "CD40-Ig"}
    for reagent, measures in row["reagents"].items():
        assert measures["negative_fraction"] == was["reagents"][reagent]["negative_fraction"]
    found = read_record(path, same_engine=False)
    assert (found.replicates, found.odds.joint, found.digest) == ([], {}, None)
    assert found.reagents["CD154"].goodness is None
    with pytest.raises(RecordError, match=r'has schema version "1\.0"'):
        read_record(path)

    del was["guards"], was["reagents"]["CD154"]["negative_fraction"]
    path.write_text(json.dumps(was), encoding="utf-8")
    with pytest.raises(RecordError, match="is required and missing"):
        read_record(path, same_engine=False)


def test_a_result_of_schema_1_1_is_read_over_years(tmp_path: Path) -> None:
    """A control of the demo cohort as version 4 of the analysis wrote it, with a digest that proves it."""
    path = tmp_path / "samples" / "C01" / "result.json"
    path.parent.mkdir(parents=True)
    shutil.copyfile(RELEASED.with_name("result_of_engine_4.json"), path)
    found, was = read_record(path, same_engine=False), json.loads(path.read_text(encoding="utf-8"))
    assert found.engine_version == "4"
    assert found.digest == was["digest"]
    measures = found.reagents["CD154"]
    assert measures.negative_fraction == was["reagents"]["CD154"]["negative_fraction"]
    assert (measures.gmm_negative_fraction, measures.gmm_components) == (None, None)
    with pytest.raises(RecordError, match=r'has schema version "1\.1"'):
        read_record(path)

    edited = path.read_text(encoding="utf-8").replace('"call": "NORMAL"', '"call": "ABSENT"')
    assert edited != path.read_text(encoding="utf-8")
    path.write_text(edited, encoding="utf-8")
    with pytest.raises(RecordError, match="was changed after it was written"):
        read_record(path, same_engine=False)


def test_a_reference_takes_only_what_the_sheet_of_its_run_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither what was superseded, nor a folder of another cohort among the samples, also one of a name of them."""
    results, out = tmp_path / "results", tmp_path / "reference.json"
    controls = {name: full_control(control_result(name, "R1")) for name in ("C0", "C1", "C2")}
    for name, control in controls.items():
        write_record(control, results / "samples" / name / "result.json")
    write_summary([(as_result(control), "") for control in controls.values()], results / "summary.tsv")
    write_record(full_control(control_result("GONE", "R1")), results / "superseded" / "GONE" / "result.json")

    assert main(["reference", str(results), "--out", str(out)]) == 0
    assert "3 healthy controls of 3" in capsys.readouterr().err

    write_record(full_control(control_result("C9", "R1")), results / "samples" / "C9" / "result.json")
    write_record(full_control(control_result("C2", "R7")), results / "samples" / "C2" / "result.json")
    assert main(["reference", str(results), "--out", str(out)]) == 1
    told = capsys.readouterr().err
    assert "2 healthy controls of 2" in told
    assert "C9/result.json: is not of a sample that the sheet of its run has" in told
    assert "C2/result.json: is not the sample of that name in the sheet of its run (run R7, not R1)" in told
    assert [row["sample"] for row in load_reference(out)["controls"]] == ["C0", "C1"]
    assert main(["reference", str(results / "superseded"), "--out", str(out)]) == 2
    assert "only results that were superseded" in capsys.readouterr().err


# Binned data


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_cut, "is not the file that was written with the result"),
        (lambda path: path.unlink(), "is not there"),
        (lambda path: shutil.copy(path.parent.parent / "C01" / path.name, path), "is not the file that was written"),
        (_written(b""), "is not the file that was written"),
    ],
    ids=["cut", "missing", "of another sample", "empty"],
)
def test_a_report_says_why_figures_are_missing(
    change: Break, told: str, samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The call and the numbers are in the result; in place of each figure stands what is wrong with the file."""
    path, out = samples / "P01" / "densities.npz", tmp_path / "report.html"
    change(path)

    with pytest.raises(RecordError, match=told):
        read_densities(path, read_record(path.with_name("result.json")))
    options = ["--controls", str(samples / "C01" / "result.json"), "--out", str(out)]
    assert main(["report", "--result", str(samples / "P01" / "result.json"), *options]) == 0
    page = re.sub(r"\s+", " ", out.read_text(encoding="utf-8"))
    assert f"CD154 was not drawn: densities.npz {told}" in page
    assert f"P01 is not shown in full: densities.npz {told}" in page
    assert ">Absent" in page
    assert str(tmp_path) not in page
    assert "P01 is not shown in full" in capsys.readouterr().err

    named = [str(samples / name / "result.json") for name in ("C01", "P01")]
    assert main(["summarize", *named, "--index", str(tmp_path / "index.html")]) == 0
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert f"P01: Not drawn: densities.npz {told}" in index
    assert len(re.findall(r'<figure class="thumb"[^>]* title="Not drawn: ', index)) == 1


def test_a_control_that_cannot_be_read_is_not_drawn_and_said_so(samples: Path, tmp_path: Path) -> None:
    """The report of the sample is written all the same; nowhere does it say that there was no control."""
    control, out = samples / "C01" / "result.json", tmp_path / "report.html"
    edit(control, call="ABSENT")

    options = ["--controls", str(control), "--out", str(out)]
    assert main(["report", "--result", str(samples / "P01" / "result.json"), *options]) == 0

    page = out.read_text(encoding="utf-8")
    assert "C01 is not shown in full: result.json was changed after it was written" in page
    assert "The result of its control (C01) cannot be shown" in page
    assert "There is no control to draw beside it" not in page


# The laboratory's limits


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_replaced('"used": 5', '"used": NaN'), "NaN is no JSON number"),
        (_replaced('"used": 5', '"used": 5, "more": 1'), "collected.more: is not a known key"),
        (_replaced('"used": 5', '"used": "5"'), 'collected.used: found "5", expected a whole number'),
        (_replaced('"used": 5', '"used": 6'), "was changed after it was made"),
        (_replaced('"used": 5', '"used": 5, "used": 5'), "a key is given twice"),
        (_written(b"[" * 100_000), "nested too deeply"),
        (_cut, "is not JSON"),
        (_pipe, "not a file"),
    ],
    ids=["NaN", "unknown key", "wrong type", "edited", "twice", "nested", "cut", "pipe"],
)
def test_a_reference_that_is_not_what_it_says_is_refused_in_words(change: Break, told: str, tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    write_reference(collect([(str(n), whole_result(one)) for n, one in enumerate(many_controls(5))], Limits()), path)
    assert load_reference(path)["collected"]["used"] == 5
    change(path)

    with pytest.raises(RecordError, match=re.escape(told)) as caught:
        load_reference(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert "Make it with: cd40l-flow reference" in str(caught.value)


def test_a_reference_of_unknown_keys_is_refused_with_a_new_digest_too(tmp_path: Path) -> None:
    content = collect([(str(n), whole_result(one)) for n, one in enumerate(many_controls(5))], limits())
    content["limits"]["CD154"]["extra"] = content["limits"]["CD154"]["cd69_percent"]
    write_reference(content | {"digest": digest_of(content)}, tmp_path / "reference.json")

    with pytest.raises(RecordError, match=r'limits\.CD154: found "extra", expected cd69_percent'):
        load_reference(tmp_path / "reference.json")


# Reviews


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a": NaN}', b'{"a": 1e999}', b'{"a": 1, "a": 2}', b"", b"\xff"])
def test_a_review_that_is_no_json_is_told_and_not_used(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_bytes(content)
    found = read_reviews([tmp_path / "one.json"])
    assert found.reviews == ()
    assert len(found.problems) == 1


def test_a_review_without_an_end_is_told(tmp_path: Path) -> None:
    (tmp_path / "one.json").symlink_to("/dev/zero")
    found = read_reviews([tmp_path / "one.json"])
    assert "a device" in found.problems[0].message


# What people write


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("x: 2026-13-45", "2026-13-45"),
        ("x: " + "[" * 3000, "nested more than"),
        (f"fcs_dir: {'x' * 5000}", "there is no folder"),
    ],
    ids=["date", "nested", "long"],
)
def test_a_configuration_that_yaml_or_the_system_chokes_on_is_told(line: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"samples: s.tsv\ntubes: t.tsv\n{line}\n", encoding="utf-8")

    _, problems = draft_config(path)

    assert any(told in problem.message for problem in problems)


def test_a_scatter_gate_that_the_result_does_not_have_is_not_moved(bench: Bench, tmp_path: Path) -> None:
    """The population is its parent again, whatever the workspace has in its place."""
    folder = bench.samples / "P05"
    result = read_record(folder / "result.json")
    gates = [gate for gate in result.gates if gate.gate != "lymphocytes"]
    without = msgspec.structs.replace(result, gates=gates)

    found = find_overrides(without, folder / "gates.wsp", by="me", reason="a test")

    assert found.lines == ()


# No cache is believed


def test_files_kept_beside_the_package_decide_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A copy of the schemas with a forged cache beside them gives the cut-offs of the schemas, and no new cache."""
    folder = tmp_path / "schemas"
    shutil.copytree(workflow_file("schemas"), folder)
    forged = folder / "__pycache__"
    forged.mkdir(exist_ok=True)
    tag = sys.implementation.cache_tag
    for name in ("config.schema.yaml", "0" * 20):
        (forged / f"{name}.{tag}.kept").write_text('{"properties": {}}', encoding="utf-8")
    before = sorted(path.name for path in forged.iterdir())
    monkeypatch.setattr("cd40l_flow.base.schema.workflow_file", lambda name: tmp_path / name)
    load_schema.cache_clear()
    try:
        assert load_schema("config.schema.yaml")["properties"]["samples"]
        assert sorted(path.name for path in forged.iterdir()) == before
    finally:
        load_schema.cache_clear()


def test_the_package_has_no_cache_of_its_own(root: Path) -> None:
    """Nothing but Python's own modules is loaded from bytes that could hold code."""
    package = Path(cd40l_flow.assay.texts.__file__).parents[1]
    sources = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    for word in ("import pickle", "bytecode_cache", '.kept"'):
        assert [path.name for path, text in sources.items() if word in text] == []
    assert list(package.rglob("*.kept")) == list((root / "workflow").rglob("*.kept")) == []


# JSON and its schema


LEAVES = st.none() | st.booleans() | st.integers(-(10**18) + 1, 10**18 - 1) | st.text()
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.recursive(LEAVES | NUMBERS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
def test_what_json_holds_is_read_as_any_reader_reads_it(value: Any) -> None:
    try:
        content = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert parse_strictly(content) == json.loads(content)


@given(st.binary())
def test_any_bytes_are_read_or_refused_in_words(content: bytes) -> None:
    try:
        value = parse_strictly(content)
    except JsonFault as fault:
        assert str(fault).endswith(".")
    else:
        assert value == json.loads(content.decode("utf-8-sig"))


def test_the_shipped_schema_is_that_of_the_types(root: Path) -> None:
    written = (root / "workflow" / "schemas" / "result.schema.json").read_text(encoding="utf-8")
    assert written == schema_text("result"), "run: make schema"


def test_the_types_agree_with_the_schema() -> None:
    """On results changed in one place, about as many of which fit as do not."""
    import random

    judge = Draft202012Validator(load_schema("result.schema.json"))
    source = random.Random(7)
    seeds = [json.loads(json.dumps(made.make_result(one))) for one in (made.SCENARIOS["MOSAIC"], made.CONTROL)]
    outcomes = []
    for number in range(600):
        value = without_points(change_value(seeds[number % 2], source))
        outcomes.append(judge.is_valid(value))
        assert fits(value) == outcomes[-1]
    assert 60 < sum(outcomes) < 540


def fits(value: Any) -> bool:
    """Return whether a reader takes a value: its types fit, and its names are those of the assay."""
    try:
        return not foreign_names(msgspec.convert(value, Result))
    except msgspec.ValidationError:
        return False


def without_points(value: Any) -> Any:
    """Return a value whose whole numbers have no point, which a count must not have: to JSON Schema 2.0 is one."""
    if isinstance(value, dict):
        return {key: without_points(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_points(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# The loop


@pytest.mark.parametrize("kind", KINDS)
def test_no_damaged_file_is_believed_or_gives_a_traceback(kind: str, bench: Bench) -> None:
    """``python -m benchmarks.faults`` does the same with many times the files."""
    count = 40 if kind in ("sealed results", "configurations") else 150

    tally = bench.run(kind, count, 1)

    assert tally.tracebacks == []
    assert tally.accepted == []
    assert tally.refused > count / 3
    assert tally.same + tally.refused + tally.other == tally.files == count

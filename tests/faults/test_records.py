"""A result is what it says: what is cut, edited, foreign or old is refused in words, and costs its own sample alone."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

import cd40l_flow.assay.texts
from cd40l_flow import ENGINE_VERSION
from cd40l_flow.base.errors import RecordError
from cd40l_flow.base.resources import workflow_file
from cd40l_flow.base.schema import load_schema
from cd40l_flow.cli.main import main
from cd40l_flow.figures.binned import read_densities
from cd40l_flow.result.record import read_record
from helpers.damage.broken_records import Break, cut, first_schema, foreign, pipe, replaced, sealed, written
from helpers.results import report_samples as made
from helpers.results.records import as_plain, edit, seal, write_record

CHANGED = "was changed after it was written"
BROKEN: dict[str, tuple[Break, str]] = {
    "missing": (lambda path: path.unlink(), "is not there"),
    "a folder": (lambda path: path.unlink() or path.mkdir(), "is a folder"),
    "a pipe": (pipe, "not a file"),
    "cut": (cut, "is not JSON"),
    "empty": (written(b""), "is empty"),
    "a list": (written(b"[]"), "in place of keys and values"),
    "nested": (written(b"[" * 200_000), "nested too deeply"),
    "not text": (written(b"\xff\xfe{}"), "not UTF-8"),
    "ABSENT made NORMAL": (replaced('"call": "ABSENT"', '"call": "NORMAL"'), CHANGED),
    "a number changed": (
        replaced('"activated_events": ', '"activated_events": 1'),
        "was changed after it was written",
    ),
    "a key twice": (replaced('"call": "ABSENT"', '"call": "NORMAL",\n"call": "ABSENT"'), "a key is given twice"),
    "NaN": (replaced('"cd69_percent": ', '"cd69_percent": NaN, "x": '), "NaN is no JSON number"),
    "beyond a double": (replaced('"cd69_percent": ', '"cd69_percent": 1e999, "x": '), "beyond any number"),
    "no digest": (lambda path: edit(path, digest=None), "carries no digest"),
    "BANANA": (sealed(call="BANANA"), 'call: found "BANANA", expected NORMAL, REDUCED'),
    "an unknown key": (sealed(extra=1), "extra: is not a known key"),
    "reasons of no list": (sealed(reasons=["NO_SUCH_REASON"]), "NO_SUCH_REASON"),
    "another sample": (foreign, 'is a result of sample "C01", where that of P01 was expected'),
    "another engine": (sealed(engine_version="0"), f'version "0" of the analysis, expected "{ENGINE_VERSION}"'),
    "a later schema": (sealed(schema_version="1.99"), 'has schema version "1.99"'),
    "an earlier schema": (first_schema, 'has schema version "1.0"'),
    "no control record": (sealed(role="control"), "contradicts itself"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_result_that_was_changed_is_refused_in_words(name: str, samples: Path) -> None:
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


# Binned data


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (cut, "is not the file that was written with the result"),
        (lambda path: path.unlink(), "is not there"),
        (lambda path: shutil.copy(path.parent.parent / "C01" / path.name, path), "is not the file that was written"),
        (written(b""), "is not the file that was written"),
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


def test_a_control_that_cannot_be_read_is_not_drawn_and_that_is_reported(samples: Path, tmp_path: Path) -> None:
    """The report of the sample is written all the same; nowhere does it say that there was no control."""
    control, out = samples / "C01" / "result.json", tmp_path / "report.html"
    edit(control, call="ABSENT")

    options = ["--controls", str(control), "--out", str(out)]
    assert main(["report", "--result", str(samples / "P01" / "result.json"), *options]) == 0

    page = out.read_text(encoding="utf-8")
    assert "C01 is not shown in full: result.json was changed after it was written" in page
    assert "The result of its control (C01) cannot be shown" in page
    assert "There is no control to compare it with" not in page


# No cache is believed


def test_files_kept_next_to_the_package_decide_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
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

"""Reviews, configurations and JSON are read strictly: what they hold, or a refusal in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cd40l_flow.base.plain_json import JsonFault, parse_strictly
from cd40l_flow.base.schema import load_schema
from cd40l_flow.cohort.config import draft_config
from cd40l_flow.interop.override_lines import find_overrides
from cd40l_flow.result.record import foreign_names, read_record
from cd40l_flow.result.reviews.files import read_reviews
from cd40l_flow.result.types.json_schema import schema_text
from cd40l_flow.result.types.result import Result
from helpers.damage.changes import change_value
from helpers.damage.damaged_records import KINDS, Bench
from helpers.results import report_samples as made


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return a cohort of a control and a mosaic, analysed."""
    return Bench(tmp_path_factory.mktemp("records"))


# Reviews


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a": NaN}', b'{"a": 1e999}', b'{"a": 1, "a": 2}', b"", b"\xff"])
def test_a_review_that_is_no_json_is_reported_and_not_used(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_bytes(content)
    found = read_reviews([tmp_path / "one.json"])
    assert found.reviews == ()
    assert len(found.problems) == 1


def test_a_review_without_an_end_is_reported(tmp_path: Path) -> None:
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
def test_a_configuration_that_yaml_or_the_system_chokes_on_is_reported(line: str, told: str, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("name", ["result", "reference"])
def test_the_shipped_schema_is_that_of_the_types(name: str, root: Path) -> None:
    written = (root / "workflow" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    assert written == schema_text(name), "run: make schema"


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
    """``python -m benchmarks.files.faults`` does the same with many times the files."""
    count = 40 if kind in ("sealed results", "configurations") else 150

    tally = bench.run(kind, count, 1)

    assert tally.tracebacks == []
    assert tally.accepted == []
    assert tally.refused > count / 3
    assert tally.same + tally.refused + tally.other == tally.files == count

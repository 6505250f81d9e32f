"""A laboratory's reference: made of intact records of any version, and refused where it is not what it says."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import msgspec
import pytest

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.base.errors import RecordError
from cd40l_flow.base.plain_json import digest_of
from cd40l_flow.cli.main import main
from cd40l_flow.cohort.laboratory import laboratory
from cd40l_flow.cohort.reference import load_reference
from cd40l_flow.result.record import read_record
from cd40l_flow.result.reference import write_reference
from cd40l_flow.result.summary import write_summary
from helpers.damage.broken_records import Break, cut, first_schema, pipe, replaced, written
from helpers.results.controls import control_result, full_control, many_controls
from helpers.results.records import as_result, edit, write_record
from helpers.results.references import reference_of

# Whatever looks over years


def test_a_reference_takes_intact_records_of_any_version_and_tells_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Old engines and the first schema count, and are reported; what was edited is left out, and fails the command."""
    folder, out = tmp_path / "results" / "samples", tmp_path / "reference.json"
    for number in range(4):
        result = full_control(control_result(f"C{number}", f"R{number}", negative=0.1 + number / 100))
        write_record(result | {"engine_version": "2" if number == 1 else "3"}, folder / f"C{number}" / "result.json")
    first_schema(folder / "C2" / "result.json")

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
    assert load_reference(out).engine_versions == ["2", "3"]


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
    row = next(row for row in load_reference(out).controls if row.sample == "C01")
    assert set(row.reagents) == {"CD154", "CD40-Ig"}
    for reagent, measures in row.reagents.items():
        assert measures.negative_fraction == was["reagents"][reagent]["negative_fraction"]
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
    assert [row.sample for row in load_reference(out).controls] == ["C0", "C1"]
    assert main(["reference", str(results / "superseded"), "--out", str(out)]) == 2
    assert "only results that were superseded" in capsys.readouterr().err


# The laboratory's limits


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (replaced('"used": 5', '"used": NaN'), "NaN is no JSON number"),
        (replaced('"used": 5', '"used": 5, "more": 1'), "collected.more: is not a known key"),
        (replaced('"used": 5', '"used": "5"'), 'collected.used: found "5", expected a whole number'),
        (replaced('"used": 5', '"used": 6'), "was changed after it was made"),
        (replaced('"used": 5', '"used": 5, "used": 5'), "a key is given twice"),
        (written(b"[" * 100_000), "nested too deeply"),
        (cut, "is not JSON"),
        (pipe, "not a file"),
    ],
    ids=["NaN", "unknown key", "wrong type", "edited", "twice", "nested", "cut", "pipe"],
)
def test_a_reference_that_was_changed_is_refused_in_words(change: Break, told: str, tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    write_reference(reference_of(many_controls(5)), path)
    assert load_reference(path).collected.used == 5
    change(path)

    with pytest.raises(RecordError, match=re.escape(told)) as caught:
        load_reference(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert "Make it with: cd40l-flow reference" in str(caught.value)


def test_a_reference_of_unknown_keys_is_refused_with_a_new_digest_too(tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    content = msgspec.to_builtins(reference_of(many_controls(5)))
    content["limits"]["CD154"]["extra"] = content["limits"]["CD154"]["cd69_percent"]
    path.write_text(json.dumps(content | {"digest": digest_of(content)}), encoding="utf-8")

    with pytest.raises(RecordError, match=r'limits\.CD154: found "extra", expected cd69_percent'):
        load_reference(path)


@pytest.mark.parametrize(("count", "told"), [(5.0, ""), (1e300, "holds what no reference holds: Expected `int`")])
def test_a_count_may_be_written_with_a_point(count: float, told: str, tmp_path: Path) -> None:
    """For JSON 5.0 is a whole number; one beyond any count is refused in words."""
    path = tmp_path / "reference.json"
    content = msgspec.to_builtins(reference_of([control_result()]))
    content["limits"]["CD154"]["cd69_percent"]["count"] = count
    path.write_text(json.dumps(content | {"digest": digest_of(content)}), encoding="utf-8")
    if told:
        with pytest.raises(RecordError, match=re.escape(told)):
            load_reference(path)
    else:
        assert laboratory(load_reference(path)).spreads["CD154"]["cd69_percent"].count == 5

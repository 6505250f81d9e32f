"""Gates in other programs' files hold the same events, or there are no files."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flowkit
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cli.main import main
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.interop.anndata_file import write_h5ad
from cd40l_flow.interop.export import export_gates
from cd40l_flow.result.gates import tree as gate_tree
from cd40l_flow.result.gates.shapes import Box
from cd40l_flow.result.gates.tree import _threshold, gate_trees
from cd40l_flow.result.making.gating import _empty_gate
from cd40l_flow.result.measures_table import measure_rows, write_measures
from cd40l_flow.result.types.gates import Gate
from cd40l_flow.signal.scale import Scale
from cd40l_flow.simulate import Fault, Scenario
from helpers.results.records import as_result, write_record
from helpers.runs.cohorts import read_sheet
from helpers.simulated.exports import NAMES, Lab, inside, make_lab

STIMULATED = "C01_stim_cd154.fcs"
PLANTED = {"$SRC": "Jane-Planted", "$FIL": "Jane-Planted.fcs", "PATIENT": "Jane-Planted", "$OP": "Jane-Planted"}
LINES = (
    ("", "cd69_low", 900.0),
    (STIMULATED, "cd3_low", 1500.0),
    (STIMULATED, "time_high", 27.345),
    (STIMULATED, "lymph_fsc_low", 40_000.0),
    (STIMULATED, "singlet_high", 1.5),
    ("C01_stim_isotype.fcs", "lymph_fsc_low", 40_000.0),
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    made = make_lab(tmp_path_factory.mktemp("export") / "lab", planted_keywords=PLANTED)
    made.analyse()
    assert made.export() == 0
    return made


def test_both_files_hold_the_events_of_the_result(lab: Lab) -> None:
    counts = {
        (tube["fcs"], row["population"]): row["count"] for tube in lab.result["tubes"] for row in tube["populations"]
    }

    rows = lab.rows()

    assert {(row.tube, row.gate) for row in rows} > set(counts)
    assert {row.source for row in rows} == {"FlowKit"}
    for row in rows:
        assert row.result == counts.get((row.tube, row.gate))
        assert row.own == row.gatingml == row.wsp == (row.own if row.result is None else row.result)
        assert row.differing == 0
    assert any(row.gate == "CD154+" and row.own > 500 for row in rows)


def test_files_are_the_same_bytes_anywhere_and_name_nobody(lab: Lab, tmp_path: Path) -> None:
    copy = Lab(tmp_path / "elsewhere")
    shutil.copytree(lab.directory, copy.directory)

    assert copy.export() == 0

    for name in NAMES:
        content = (lab.folder / name).read_bytes()
        assert (copy.folder / name).read_bytes() == content
        assert b"Planted" not in content
        assert str(lab.directory).encode() not in content
        assert b"modDate" not in content


def test_a_gate_that_holds_other_events_leaves_no_file(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Lab(tmp_path / "wrong")
    shutil.copytree(lab.directory, copy.directory)
    result = copy.result
    for row in result["gates"]:
        if row["gate"] == "cd8_high":
            row["scaled"] += 0.15
    write_record(result, copy.folder / "result.json")

    assert copy.export() == 2

    said = capsys.readouterr().err
    (count,) = [
        row["count"]
        for tube in result["tubes"]
        for row in tube["populations"]
        if (tube["fcs"], row["population"]) == (STIMULATED, "CD3+CD8-")
    ]
    assert f"{STIMULATED}, CD3+CD8-: {count} events by the result" in said
    assert "no file was left" in said
    assert not [name for name in NAMES if (copy.folder / name).exists()]


def test_files_that_are_there_are_read_back_as_they_are(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Lab(tmp_path / "moved")
    shutil.copytree(lab.directory, copy.directory)
    (copy.folder / NAMES[2]).unlink()
    before = [(copy.folder / name).read_bytes() for name in NAMES[:2]]

    assert copy.export("--read-back") == 0

    assert [(copy.folder / name).read_bytes() for name in NAMES[:2]] == before
    assert (copy.folder / NAMES[2]).read_bytes() == (lab.folder / NAMES[2]).read_bytes()

    copy.move(lambda root: _shift(root, 0.1), NAMES[0])
    (copy.folder / "moved.gatingml.xml").replace(copy.folder / NAMES[0])
    assert copy.export("--read-back") == 2

    assert f"do not use {copy.folder / NAMES[0]}" in capsys.readouterr().err
    assert [(copy.folder / name).exists() for name in NAMES] == [True, True, False]


def _shift(root: Any, by: float) -> None:
    """Move the threshold of CD69 in a Gating-ML file."""
    gating = "{http://www.isac-net.org/std/Gating-ML/v2.0/gating}"
    gate = next(one for one in root if one.get(f"{gating}id", "").endswith("CD3posCD8negCD69pos"))
    dimension = gate.find(f"{gating}dimension")
    dimension.set(f"{gating}min", repr(float(dimension.get(f"{gating}min")) + by))


def test_gates_that_hold_other_events_than_the_result_counts_are_reported_and_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the analysis writes next to its result is compared with its counts; the result itself stands."""
    whole = make_lab(tmp_path / "whole")
    whole.analyse()
    wrong = make_lab(tmp_path / "wrong")
    right = gate_tree._threshold

    def lower(row: Gate, scale: Scale, *, above: bool) -> Box:
        return right(replace(row, scaled=(row.scaled or 0.0) - 0.05), scale, above=above)

    monkeypatch.setattr(gate_tree, "_threshold", lower)
    wrong.analyse()

    told = [message for message in wrong.result["messages"] if message["code"] == "EXPORT"]
    assert [message["tube"] for message in told] == [tube["fcs"] for tube in wrong.result["tubes"]]
    assert all("its gates are not exported" in message["text"] for message in told)
    for name in NAMES[:2]:
        assert "they do not hold the events" in (wrong.folder / name).read_text(encoding="utf-8")
        assert "RectangleGate" not in (wrong.folder / name).read_text(encoding="utf-8")
    assert not [message for message in whole.result["messages"] if message["code"] == "EXPORT"]
    assert wrong.result | {"messages": [], "digest": ""} == whole.result | {"messages": [], "digest": ""}


def test_events_that_were_exchanged_since_are_not_exported(lab: Lab, tmp_path: Path) -> None:
    result = lab.result
    result["tubes"][1]["digest"] = "0" * 64
    files = [tmp_path / name for name in NAMES]

    with inside(lab.directory), pytest.raises(Cd40lFlowError, match=f"{STIMULATED}: .* Analyse it again"):
        export_gates(as_result(result), load_plan("config/config.yaml").job("C01"), files[0], files[1], files[2])

    assert not list(tmp_path.iterdir())


def test_cuts_in_time_and_gates_of_one_tube_are_exported(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, [Scenario("C01", role="control", sex="F", faults=(Fault("clog"),))])
    lines = [f"C01\t{tube}\t{gate}\t{value}\tAB\tmoved\n" for tube, gate, value in LINES]
    lab.overrides.write_text("sample\ttube\tgate\tvalue\tby\treason\n" + "".join(lines), encoding="utf-8")
    lab.analyse()

    assert lab.export() == 0

    assert {row.gate for row in lab.rows() if row.tube == STIMULATED} >= {"time_kept_1", "time_kept_2", "time"}
    (tree,) = [tree for tree in gate_trees(as_result(lab.result)) if tree.fcs == STIMULATED]
    shapes = {gate.name: gate.shape for gate in tree.gates}
    assert isinstance(shapes["lymphocytes"], Box)


def test_a_file_that_flowkit_cannot_read_is_decoded_for_it(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, [Scenario("C01", role="control", sex="F", faults=(Fault("offset"),))])
    lab.analyse()

    assert lab.export() == 0

    sources = {row.tube: row.source for row in lab.rows()}
    assert sources.pop(STIMULATED) == "decoded values"
    assert set(sources.values()) == {"FlowKit"}


def test_a_combined_tube_has_one_tree_with_both_thresholds(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    tubes = lab.directory / "config" / "tubes.tsv"
    row = f"C01\t{STIMULATED}\tstimulated\tCD154-2\tsecond\tclone 2\tLOT1\n"
    # The background of the second reagent's detector: a tube that no other row of this sheet needs.
    sheet = tubes.read_text(encoding="utf-8").replace("secondary\tdefault", "FMO\tsecond")
    tubes.write_text(sheet + row, encoding="utf-8")
    config = lab.directory / "config" / "config.yaml"
    panel = "  second:\n    target: {detector: BV510-A}\nrequire_function"
    config.write_text(config.read_text(encoding="utf-8").replace("require_function", panel), encoding="utf-8")
    lab.analyse()

    assert lab.export() == 0

    gates = {row.gate for row in lab.rows() if row.tube == STIMULATED}
    assert {"CD154+", "CD154-2+"} <= gates


def test_a_sample_without_a_readable_tube_says_so(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, events_scale=0.05)
    for path in (lab.directory / "fcs").iterdir():
        path.write_bytes(path.read_bytes()[:-40])
    lab.analyse()

    assert lab.export() == 0

    for name in NAMES[:2]:
        assert "There are no gates: no tube of this sample could be read" in (lab.folder / name).read_text(
            encoding="utf-8"
        )
    assert flowkit.parse_gating_xml(str(lab.folder / NAMES[0])).get_gate_ids() == []
    assert flowkit.parse_wsp(str(lab.folder / NAMES[1]))["samples"] == {}
    assert lab.rows() == []


@given(
    value=st.floats(-2000, 250_000, width=32),
    steps=st.integers(-3, 3),
    w=st.sampled_from([0.3, 0.5, 1.1]),
)
def test_a_threshold_parts_the_values_that_gating_parts(value: float, steps: int, w: float) -> None:
    """Gating keeps ``scaled > boundary`` of 32-bit values; the exported end must stand between the same two."""
    scale = Scale(262144.0, w, 4.5, 0.0, "test")
    boundary = float(f"{scale.to_scaled(value):.10g}")
    box = _threshold(
        replace(_empty_gate("cd69_low", "CD69+", "test"), scaled=boundary, detector="APC-A"), scale, above=True
    )
    near = np.float32(value)
    for _ in range(abs(steps)):
        near = np.nextafter(near, np.float32(np.copysign(np.inf, steps)))
    if abs(value) < 100:  # steps of 32 bits are finer there than the ten digits of a boundary
        return

    assert (float(near) >= (box.sides[0].low or 0.0)) == (steps > 0)


def test_the_long_table_has_every_number_once(lab: Lab, tmp_path: Path) -> None:
    result = lab.result

    rows = list(measure_rows(as_result(result)))
    assert write_measures(as_result(result), tmp_path / "measures.tsv") == len(rows)

    keys = [(row["tube"], row["reagent"], row["population"], row["measure"]) for row in rows]
    assert len(set(keys)) == len(keys)
    values = dict(zip(keys, (row["value"] for row in rows), strict=True))
    assert values[None, "CD154", None, "percent_positive"] == result["reagents"]["CD154"]["percent_positive"]
    assert values[None, None, None, "activated_events"] == result["activated_events"]
    written = read_sheet(tmp_path / "measures.tsv")
    assert [float(row["value"]) for row in written] == [row["value"] for row in rows]


def test_the_long_table_as_parquet_is_the_same(lab: Lab, tmp_path: Path, require_module: Callable[[str], Path]) -> None:
    require_module("pyarrow")
    from pyarrow import parquet

    write_measures(as_result(lab.result), tmp_path / "measures.parquet")

    assert parquet.read_table(tmp_path / "measures.parquet").to_pylist() == list(measure_rows(as_result(lab.result)))


@pytest.mark.parametrize(
    ("module", "option", "extra"), [("anndata", "--h5ad", "anndata"), ("pyarrow", "--measures", "parquet")]
)
def test_a_missing_extra_is_named(
    module: str,
    option: str,
    extra: str,
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    file = tmp_path / f"file.{extra}"

    with inside(lab.directory):
        assert main(["export", "--result", str(lab.folder / "result.json"), option, str(file)]) == 2

    assert f"pip install 'cd40l-flow[{extra}]'" in capsys.readouterr().err
    assert not file.exists()


def test_gated_events_as_anndata(lab: Lab, tmp_path: Path, require_module: Callable[[str], Path]) -> None:
    require_module("anndata")
    import anndata

    with inside(lab.directory):
        events = write_h5ad(
            as_result(lab.result), load_plan("config/config.yaml").job("C01"), tmp_path / "events.h5ad", "CD3+"
        )

    data = anndata.read_h5ad(tmp_path / "events.h5ad")
    counts = {
        tube["fcs"]: {row["population"]: row["count"] for row in tube["populations"]} for tube in lab.result["tubes"]
    }
    assert data.n_obs == events == sum(count["CD3+"] for count in counts.values())
    for fcs, count in counts.items():
        for population in ("CD3+CD8-", "CD3+CD8-CD69+"):
            assert data.obs.loc[data.obs["tube"] == fcs, population].sum() == count[population]
    assert json.loads(data.uns["cd40l_flow"]["gates"]) == lab.result["gates"]
    assert data.uns["cd40l_flow"]["population"] == "CD3+"

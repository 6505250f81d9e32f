"""Gates moved in another program become lines of the overrides sheet, and are gates of the next report."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cd40l_flow.result.gates.tree import gate_trees
from helpers.results.records import as_result
from helpers.runs.cohorts import read_sheet
from helpers.simulated.exports import Lab, make_lab

GATING = "{http://www.isac-net.org/std/Gating-ML/v2.0/gating}"
DATA = "{http://www.isac-net.org/std/Gating-ML/v2.0/datatypes}"
STIMULATED = "C01_stim_cd154.fcs"
WHO = ("--by", "AB", "--reason", "the dim cells were cut off")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    made = make_lab(tmp_path_factory.mktemp("override") / "lab")
    made.analyse()
    assert made.export() == 0
    return made


@pytest.fixture
def lab(exported: Lab, tmp_path: Path) -> Lab:
    copy = Lab(tmp_path / "lab")
    shutil.copytree(exported.directory, copy.directory)
    return copy


def shapes(root: Any, population: str, tube: str = "") -> Iterator[Any]:
    """Yield the shapes of a population, of one tube or all."""
    for node in root.iter("SampleNode"):
        if tube in ("", node.get("name")):
            for found in node.iter("Population"):
                if found.get("name") == population:
                    yield found.find("Gate")[0]


def moved(population: str, value: float, tube: str = "", end: str = "min") -> Callable[[Any], None]:
    """Return what moves one end of a range."""

    def change(root: Any) -> None:
        for shape in shapes(root, population, tube):
            shape[0].set(f"{GATING}{end}", repr(value))

    return change


def corners(population: str, scale: tuple[float, float], tube: str = "") -> Callable[[Any], None]:
    """Return what stretches a polygon from the origin."""

    def change(root: Any) -> None:
        for shape in shapes(root, population, tube):
            for corner in shape.iter(f"{GATING}vertex"):
                for coordinate, factor in zip(corner, scale, strict=True):
                    coordinate.set(f"{DATA}value", repr(float(coordinate.get(f"{DATA}value")) * factor))

    return change


def value_of(lab: Lab, gate: str) -> float:
    """Return where a boundary is."""
    return next(float(row["value"]) for row in lab.result["gates"] if row["gate"] == gate)


@pytest.mark.parametrize("name", ["gates.wsp", "gates.gatingml.xml"])
def test_what_nobody_moved_is_no_override(lab: Lab, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab.override(*WHO, file=name) == 0

    assert read_sheet(lab.overrides) == []
    assert capsys.readouterr().err == "override C01: no boundary was moved\n"


def test_a_moved_gate_survives_the_way_to_the_report(lab: Lab) -> None:
    value = 1.4 * value_of(lab, "cd3_low")
    lab.move(moved("CD3+", value))

    assert lab.override(*WHO) == 0
    lab.analyse()

    (line,) = read_sheet(lab.overrides)
    assert line | {"value": ""} == dict(zip(line, ("C01", "", "cd3_low", "", *WHO[1::2]), strict=True))
    (row,) = [row for row in lab.result["gates"] if row["gate"] == "cd3_low"]
    assert row["value"] == pytest.approx(value, rel=1e-6)
    assert row["override"] == {"by": "AB", "reason": "the dim cells were cut off"}
    assert "the dim cells were cut off" in (lab.folder / "report.html").read_text(encoding="utf-8")
    # The next export has the gate where it was put, and nothing more to take over.
    assert lab.export() == 0
    before = lab.overrides.read_bytes()
    lab.move(lambda root: None)
    assert lab.override(*WHO) == 0
    assert lab.overrides.read_bytes() == before


def test_the_same_from_gatingml(lab: Lab) -> None:
    (tree,) = [tree for tree in gate_trees(as_result(lab.result)) if tree.fcs == STIMULATED]
    scale = tree.scales[lab.result["tubes"][1]["markers"]["CD69"]]

    def change(root: Any) -> None:
        for gate in root.iter(f"{GATING}RectangleGate"):
            if gate.get(f"{GATING}id") == tree.identifier("CD3+CD8-CD69+"):
                gate.find(f"{GATING}dimension").set(f"{GATING}min", "0.55")

    lab.move(change, "gates.gatingml.xml")

    assert lab.override(*WHO, file="moved.gatingml.xml") == 0

    (line,) = read_sheet(lab.overrides)
    assert (line["tube"], line["gate"]) == (STIMULATED, "cd69_low")
    assert float(line["value"]) == pytest.approx(scale.to_linear(0.55), rel=1e-6)


def test_gates_of_one_tube_and_shapes_in_two_dimensions(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = zip(*next(row["vertices"] for row in lab.result["gates"] if row["gate"] == "lymphocytes"), strict=True)
    high = next(
        row["value"] for row in lab.result["gates"] if (row["gate"], row["tube"]) == ("singlet_high", STIMULATED)
    )
    threshold = 2 * value_of(lab, "target_low")

    def change(root: Any) -> None:
        moved("CD154+", threshold)(root)
        corners("lymphocytes", (1.1, 1.0), STIMULATED)(root)
        moved("time", 2.5, STIMULATED)(root)
        moved("viable", 5000.0, STIMULATED, end="max")(root)
        for shape in shapes(root, "singlets", STIMULATED):
            # The corner of the upper end of the ratio lies at the lesser height.
            lower = min(shape.iter(f"{GATING}vertex"), key=lambda one: float(one[1].get(f"{DATA}value")) or 1e9)
            lower[1].set(f"{DATA}value", repr(float(lower[1].get(f"{DATA}value")) / 1.25))

    lab.move(change)

    assert lab.override(*WHO) == 0

    lines = {row["gate"]: row for row in read_sheet(lab.overrides)}
    assert {row["tube"] for row in lines.values()} == {STIMULATED}
    values = {gate: float(row["value"]) for gate, row in lines.items()}
    assert values == pytest.approx(
        {
            "time_low": 2.5,
            "lymph_fsc_low": 1.1 * min(x),
            "lymph_fsc_high": 1.1 * max(x),
            "singlet_high": 1.25 * high,
            "viability_high": 5000.0,
            "target_low": threshold,
        },
        rel=1e-6,
    )
    assert min(y) > 0
    assert "becomes its bounding rectangle" in capsys.readouterr().err


def test_what_cannot_be_taken_is_reported(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    def change(root: Any) -> None:
        for shape in shapes(root, "CD3+", STIMULATED):
            dimension = shape[0]
            dimension.set(f"{GATING}min", "9000")
            dimension[0].set(f"{DATA}name", "APC-A")
        for node in root.iter("SampleNode"):
            if node.get("name") == STIMULATED:
                populations = list(node.iter("Population"))
                populations[1].set("name", "Beads")
                (singlets,) = [one for one in populations if one.get("name") == "viable"]
                singlets.find("Gate")[0].tag = f"{GATING}EllipsoidGate"
        moved("cd3+CD8- ", 2000.0, "C01_stim_cd40ig.fcs", end="max")(root)

    lab.move(change)

    assert lab.override(*WHO) == 0

    told = capsys.readouterr().err
    assert read_sheet(lab.overrides) == []
    assert "'CD3+' is drawn on APC-A not compensated, the boundary is on compensated values" in told
    assert "'Beads' is no gate of the result" in told
    assert "'time' is not in the file" in told
    assert "'viable' is drawn as EllipsoidGate" in told


def test_lines_that_are_there_are_kept_and_never_contradicted(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    kept = "sample\ttube\tgate\tvalue\tby\treason\r\nC01\t\tcd8_high\t800\tXY\tearlier"
    lab.overrides.write_bytes(kept.encode())
    lab.move(moved("CD3+", 3000.0))

    assert lab.override(*WHO) == 0

    content = lab.overrides.read_bytes().decode()
    assert content == f"{kept}\r\nC01\t\tcd3_low\t3000\tAB\tthe dim cells were cut off\r\n"
    lab.move(moved("CD3+", 4000.0))
    assert lab.override(*WHO) == 2
    assert "line 3: cd3_low of C01 is set already, to 3000" in capsys.readouterr().err
    assert lab.overrides.read_bytes().decode() == content


@pytest.mark.parametrize("options", [("--by", "AB"), ("--reason", "x"), ("--by", " ", "--reason", "x")])
def test_who_and_why_are_required(lab: Lab, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert lab.override(*options, file="gates.wsp") == 2

    assert "--by" in capsys.readouterr().err or "--reason" not in options


def test_a_file_of_another_kind_is_refused(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    (lab.folder / "moved.wsp").write_text("<html/>", encoding="utf-8")
    assert lab.override(*WHO) == 2
    assert "expected a FlowJo 10 workspace" in capsys.readouterr().err
    (lab.folder / "moved.wsp").write_text("no XML", encoding="utf-8")
    assert lab.override(*WHO) == 2
    assert "cannot be read as XML" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["NaN", "nan", "INF", "-inf", "1e999"])
def test_an_end_that_is_no_finite_number_is_refused_and_nothing_written(
    lab: Lab, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(root: Any) -> None:
        moved("CD8", 3000.0)(root)
        for shape in shapes(root, "CD3+", STIMULATED):
            shape[0].set(f"{GATING}min", value)

    lab.move(change)
    before = lab.overrides.read_bytes()

    assert lab.override(*WHO) == 2

    assert f"no finite number (NaN or infinity) in {STIMULATED}: 'CD3+'" in capsys.readouterr().err
    assert lab.overrides.read_bytes() == before


def test_corners_in_gatingml_that_are_no_finite_numbers_are_refused(lab: Lab) -> None:
    def change(root: Any) -> None:
        next(root.iter(f"{GATING}vertex"))[0].set(f"{DATA}value", "NaN")

    lab.move(change, "gates.gatingml.xml")
    before = lab.overrides.read_bytes()

    assert lab.override(*WHO, file="moved.gatingml.xml") == 2
    assert lab.overrides.read_bytes() == before


def test_a_workspace_of_another_sample_is_an_error(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    def change(root: Any) -> None:
        for node in root.iter("SampleNode"):
            node.set("name", f"X{node.get('name')}")
        moved("CD3+", 3000.0)(root)

    lab.move(change)

    assert lab.override(*WHO) == 2
    assert "holds no gate of this sample" in capsys.readouterr().err
    assert read_sheet(lab.overrides) == []


def test_the_same_moved_gates_taken_in_again_add_nothing(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.move(moved("CD3+", 3000.0))
    assert lab.override(*WHO) == 0
    before = lab.overrides.read_bytes()

    assert lab.override(*WHO) == 0

    assert lab.overrides.read_bytes() == before
    assert "1 were in it already" in capsys.readouterr().err


COLLECTED = ("05_nan.wsp", "05b_inf.wsp", "15_other_sample_file.wsp", "16_gml20_quadrant_on_ratio.xml")


@pytest.mark.parametrize("name", COLLECTED)
def test_collected_files_are_refused_in_words(lab: Lab, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = Path(__file__).parents[4] / "shared" / "cases" / "gates" / name
    if not source.is_file():
        pytest.skip("no cases at ../shared/cases")
    shutil.copy(source, lab.folder / "foreign.xml")
    before = lab.overrides.read_bytes()

    assert lab.override(*WHO, file="foreign.xml") == 2

    told = capsys.readouterr().err
    assert "nothing was written" in told
    assert "Traceback" not in told
    assert lab.overrides.read_bytes() == before


@pytest.mark.parametrize("name", ["gates.wsp", "gates.gatingml.xml"])
def test_damaged_files_end_in_words_and_never_in_an_override_that_is_no_number(lab: Lab, name: str) -> None:
    """Cut at random places, bytes exchanged, elements removed: 60 of each kind of file."""
    rng = np.random.default_rng(11)
    content = (lab.folder / name).read_bytes()
    for number in range(60):
        damaged = bytearray(content)
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(0, len(damaged)))
            damaged[at : at + int(rng.integers(0, 40))] = bytes(rng.integers(32, 127, int(rng.integers(0, 8))).tolist())
        (lab.folder / "damaged.xml").write_bytes(bytes(damaged[: len(damaged) // 2] if number % 5 == 0 else damaged))
        assert lab.override(*WHO, file="damaged.xml") in (0, 2)
    for row in read_sheet(lab.overrides):
        assert np.isfinite(float(row["value"]))

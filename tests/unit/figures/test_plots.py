"""The index of the binned data: what is written is read as it was, also what earlier versions wrote."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from cd40l_flow.base.errors import RecordError
from cd40l_flow.figures.binned import Densities, read_densities
from cd40l_flow.figures.contact_sheet import contact_sheets
from cd40l_flow.figures.gating import draw_panels
from cd40l_flow.figures.plots import (
    BandGate,
    MissingPanel,
    Panel,
    PlotAxis,
    PlotIndex,
    PolygonGate,
    TargetPlot,
    ThresholdGate,
    TubePlots,
    read_index,
    written,
)
from cd40l_flow.result.making.failed import no_densities
from cd40l_flow.result.record import read_record
from helpers.results import report_samples as made
from helpers.results.records import write_pair

AXIS = PlotAxis("CD3 (APC-A)", ((0.25, "0"), (0.75, "10³")), (0.5,))
# As it was before axes had minor ticks, panels an evidence and samples a plot of CD69 against the target.
TICKS = {"label": "CD3 (APC-A)", "ticks": [[0.25, "0"], [0.75, "10³"]]}
EARLIER: dict[str, Any] = {
    "tubes": [
        {
            "fcs": "a.fcs",
            "stimulation": "stimulated",
            "reagent": "CD154",
            "panels": [
                {"population": "viable", "missing": "no dye"},
                {
                    "population": "singlets",
                    "parent": "lymphocytes",
                    "x": TICKS,
                    "y": TICKS,
                    "array": "t0p1",
                    "gate": {
                        "kind": "band",
                        "slopes": [0.9, 1.15],
                        "segments": [[[0, 0], [1, 0.9]], [[0, 0], [0.8, 1]]],
                    },
                    "count": 5,
                    "parent_count": 10,
                    "percent_of_parent": 50.0,
                    "picture": [0, 3],
                },
            ],
        }
    ],
    "targets": [{"reagent": "CD154", "axis": TICKS, "names": {}, "sample": "s"}],
}


def panel_of(gate: ThresholdGate | PolygonGate | BandGate | None) -> Panel:
    """Return a panel with a gate."""
    return Panel("CD3+", "viable", AXIS, AXIS, "t0p0", gate, count=5, parent_count=10, percent_of_parent=50.0)


def index_of(*panels: Panel | MissingPanel, fcs: str = "a.fcs") -> PlotIndex:
    """Return the index of a sample of one tube."""
    return PlotIndex((TubePlots(fcs, "stimulated", "CD154", panels),))


def test_every_kind_of_panel_and_gate_is_read_as_it_was_written() -> None:
    line = ((0.1, 0.0), (0.1, 1.0))
    gates = (
        None,
        ThresholdGate("y", "below", 0.5, 0.25),
        PolygonGate(line, line),
        BandGate((line,), (line,), ((0.0, 0.1),)),
    )
    index = index_of(MissingPanel("viable", "no dye"), *map(panel_of, gates))
    assert read_index(written(index)) == index


def test_what_is_not_there_has_no_key() -> None:
    panels = json.loads(written(index_of(panel_of(BandGate()), MissingPanel("viable", "no dye"))))["tubes"][0]["panels"]
    assert panels[0]["gate"] == {"kind": "band"}
    assert "outline" not in panels[0]
    assert panels[0]["evidence"] is None
    assert panels[1] == {"population": "viable", "missing": "no dye"}


@pytest.mark.parametrize("sample", ["C01", "P05", "P08"])
def test_the_text_of_the_analysis_comes_back(sample: str, demo_results: Path) -> None:
    """To the byte: what is written without a change is the file it was read from."""
    with np.load(demo_results / "results" / "samples" / sample / "densities.npz") as file:
        text = str(file["index"])
    assert written(read_index(text)) == text


def test_an_index_of_an_earlier_version_is_read() -> None:
    """Keys that were not there have their defaults, keys that are no more are passed over."""
    index = read_index(json.dumps(EARLIER))
    assert index.activation is None
    assert index.scatter == ()
    (tube,) = index.tubes
    assert tube.course is None
    missing, panel = tube.panels
    assert isinstance(missing, MissingPanel)
    assert isinstance(panel, Panel)
    assert (panel.x.minor, panel.evidence, panel.failed, panel.overridden, panel.flag) == ((), None, None, False, "")
    densities = Densities(index, {"pictures": np.arange(3, dtype=np.uint8), "t0p1": np.eye(128), "s": np.ones(256)})
    (drawing,) = draw_panels([panel], densities)
    assert [look for look, _ in drawing.marks].count("g-line") == 2
    assert len(contact_sheets([densities], 1)) == 2


def test_a_sample_that_failed_has_nothing_to_draw() -> None:
    assert read_index(str(no_densities()["index"])) == PlotIndex()


def test_what_python_writes_and_json_lacks_is_read() -> None:
    """A place that is no number, and a name of a file with half a character."""
    index = read_index(written(index_of(panel_of(ThresholdGate("x", "above", math.nan)), fcs="\udc80.fcs")))
    (tube,) = index.tubes
    assert tube.fcs == "\udc80.fcs"
    (panel,) = tube.panels
    assert isinstance(panel, Panel)
    assert isinstance(panel.gate, ThresholdGate)
    assert panel.gate.at is not None
    assert math.isnan(panel.gate.at)


def test_numbers_of_numpy_are_written_as_pythons() -> None:
    target = TargetPlot("CD154", AXIS, threshold=np.float64(0.1))
    assert json.loads(written(PlotIndex(targets=(target,))))["targets"][0]["threshold"] == 0.1


@pytest.mark.parametrize("damage", [{"tubes": [{"panels": [{}]}]}, {"targets": [{"reagent": 5}]}, {"activation": 1}])
def test_what_is_no_index_is_refused(damage: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_index(json.dumps(damage))
    result, densities = made.write_sample(tmp_path / "made", made.SCENARIOS["NORMAL"])
    with np.load(densities) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["index"] = np.array(json.dumps(damage))
    result, densities = write_pair(tmp_path / "damaged", json.loads(result.read_text(encoding="utf-8")), arrays)
    with pytest.raises(RecordError, match="no figure is drawn from"):
        read_densities(densities, read_record(result, sample=made.SCENARIOS["NORMAL"].sample))

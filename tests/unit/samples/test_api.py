"""The functions for notebooks give what the workflow gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import cd40l_flow.api as cd
from cd40l_flow.base.errors import Cd40lFlowError, InputsError
from cd40l_flow.gating.model import GatedSample
from helpers.results.records import write_pair
from helpers.runs.cohorts import make_cohort

TEST_DATA = Path(__file__).parents[3] / "test_data"


@pytest.fixture(scope="module")
def gated() -> GatedSample:
    """Return a simulated mosaic, three of its tubes gated."""
    stimulated = cd.read(TEST_DATA / "fcs/P05_stim_cd154.fcs")
    target = {"target": stimulated.markers["target"]}
    resting = cd.read(TEST_DATA / "fcs/P05_unstim_cd154.fcs", stimulation="unstimulated")
    isotype = cd.read(TEST_DATA / "fcs/P05_stim_isotype.fcs", reagent="isotype", detectors=target)
    return cd.gate([resting, stimulated, isotype], name="P05")


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> cd.Called:
    """Return the same sample, called with its control."""
    cohort = make_cohort(tmp_path_factory.mktemp("cohort") / "cohort", ["C01", "P05"])
    return cd.call(cohort / "config/config.yaml", "P05", directory=cohort)


def test_what_is_gated_and_fitted_is_what_the_workflow_finds(gated: GatedSample, called: cd.Called) -> None:
    """Alone, without the control's scale and shape, the same cells and nearly the same share of them are found."""
    activated = cd.target_cells(gated, "CD154")
    scale = gated.scales[gated.tubes[1].signal.events.markers["target"]]

    alone = cd.fit(activated, cd.target_cells(gated, "isotype"), scale=scale)

    measured = called.result.reagents["CD154"]
    assert activated.size == pytest.approx(called.result.activated_events, rel=0.02)
    assert alone.percent_positive == pytest.approx(measured.percent_positive, abs=1)
    assert alone.negative_fraction == pytest.approx(measured.negative_fraction, abs=0.02)


def test_a_call_is_the_workflow_s(called: cd.Called, demo_results: Path, tmp_path: Path) -> None:
    """result.json is the same, byte for byte, and so is that of the control."""
    for one in (called, *called.controls):
        write_pair(tmp_path, one.result, one.arrays)
        theirs = demo_results / "results/samples" / one.result.sample / "result.json"
        assert json.loads((tmp_path / "result.json").read_text())["call"] == json.loads(theirs.read_text())["call"]
        assert (tmp_path / "result.json").read_bytes() == theirs.read_bytes()
    assert [one.result.sample for one in called.controls] == ["C01"]


def test_a_report_is_written(called: cd.Called, tmp_path: Path) -> None:
    """The page names the sample and its control."""
    page = cd.report(called, tmp_path / "P05.html").read_text(encoding="utf-8")

    assert "P05" in page
    assert "C01" in page


def test_arrays_are_enough_for_a_fit() -> None:
    """Known shares of two populations far apart come back within their interval; no file is needed."""
    random = np.random.default_rng(5)
    dark = random.normal(100, 60, 3000)
    cells = random.normal(100, 60, 4000)
    cells[1000:] += random.lognormal(np.log(9000), 0.4, 3000)

    found = cd.fit(cells, dark)

    assert found.negative_fraction_low is not None and found.negative_fraction_high is not None
    assert found.negative_fraction_low < 0.25 < found.negative_fraction_high
    assert found.negative_fraction == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("cells", [[], [[1.0, 2.0]], [1.0, float("nan")]], ids=["empty", "two_dimensions", "nan"])
def test_arrays_that_are_no_cells_are_refused(cells: list[float]) -> None:
    with pytest.raises(Cd40lFlowError, match="activated is an array of shape"):
        cd.fit(cells, [1.0, 2.0])


def test_mistakes_are_reported_as_by_the_workflow(tmp_path: Path) -> None:
    cohort = make_cohort(tmp_path / "cohort", ["C01"])
    with pytest.raises(Cd40lFlowError, match="there is no sample P99. It has C01"):
        cd.call(cohort / "config/config.yaml", "P99", directory=cohort)
    with pytest.raises(InputsError, match="none.yaml: cannot be read"):
        cd.call(cohort / "config/none.yaml", "C01", directory=cohort)

"""A real recording gated alone whose dying cells fill the valley between live and dead ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from benchmarks.common.places import CONFIGURATIONS, REAL
from benchmarks.gating.samples import Known, gated

from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.inputs import read_sample

ALONE = "Activation_27.fcs"
# Where a boundary cuts through the dead cells' own peak (channel value), and more single cells than are alive.
DEAD_PEAK, WRONG = 48_000.0, 0.95


@pytest.mark.skipif(not (REAL / "activation" / ALONE).is_file(), reason="real FCS files not found; set CD40L_FLOW_FCS")
def test_the_boundary_lies_below_the_dead_cells_and_is_flagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CONFIGURATIONS / "activation" / "config", tmp_path / "config")
    (tmp_path / "fcs").symlink_to(REAL / "activation")
    (tmp_path / "config" / "samples.tsv").write_text("sample\trun\trole\tsex\nalone\tD\ttest\tunknown\n", "utf-8")
    (tmp_path / "config" / "tubes.tsv").write_text(
        f"sample\tfcs\tstimulation\treagent\nalone\t{ALONE}\tstimulated\tCD154\n", "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    job = load_plan("config/config.yaml").job("alone")
    read = read_sample(job.sample, job.settings)
    sample = gated(Known(job, read.events, {}, {}, {}, ()))

    tube = sample.tubes[0]
    (boundary,) = [one for one in tube.boundaries if one.gate == "viability_high"]
    assert boundary.value < DEAD_PEAK
    assert boundary.flag
    assert tube.count("viable") < WRONG * tube.count("singlets")
    # The gates drawn by hand beside the recording: 5,401 T cells.
    assert tube.count("CD3+") == pytest.approx(5401, rel=0.1)

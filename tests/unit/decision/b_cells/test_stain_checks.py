"""Checks of the stain of the memory tube on simulated files, and of spillover on cells made by hand."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.b_cells.memory_cells import measured
from numpy.typing import NDArray

from cd40l_flow.decision.b_cells.measures import MemoryMeasures
from cd40l_flow.decision.b_cells.sides import _igm_stained
from cd40l_flow.decision.b_cells.stain_checks import _dependence
from cd40l_flow.simulate.b_cells import BSample, write_b_cells

USUAL = BSample("P01", b_events=1500, b_percent=20.0, tubes=("memory", "memory-FMO27"))
LEAST, MOST = 2.0, 1.0


def tubes(folder: Path, sample: BSample = USUAL) -> tuple[Path, Path]:
    """Write a donor's two tubes and return their files."""
    write_b_cells(folder, 77, [sample])
    memory, fmo = sorted((folder / "fcs").iterdir())
    assert "fmo" in fmo.name
    return memory, fmo


def found(folder: Path, sample: BSample = USUAL) -> MemoryMeasures:
    measures, _ = measured(folder, sample, None)
    assert measures is not None
    return measures


@pytest.mark.parametrize("dump", [True, False], ids=["CD3", "no CD3"])
def test_t_cells_show_that_cd27_is_in_the_tube(tmp_path: Path, dump: bool) -> None:
    sample = replace(USUAL, dump=dump)
    tubes(tmp_path, sample)
    stain = found(tmp_path, sample).stain
    assert stain.cd27_of_t is not None and stain.cd27_of_t > 3 * LEAST
    assert stain.fmo_cd27_of_t is not None and stain.fmo_cd27_of_t < LEAST
    assert stain.dependence is not None and abs(stain.dependence.value) < MOST / 2


@pytest.mark.parametrize("exchanged", [True, False], ids=["exchanged", "left out"])
def test_a_memory_tube_without_cd27_is_found(tmp_path: Path, exchanged: bool) -> None:
    """A healthy donor's share is nothing there, which was called SWITCHED_ABSENT."""
    memory, fmo = tubes(tmp_path)
    if exchanged:
        shutil.move(memory, tmp_path / "other")
        shutil.move(fmo, memory)
        shutil.move(tmp_path / "other", fmo)
    else:
        shutil.copy(fmo, memory)
    measures = found(tmp_path)
    assert measures.switched_two_marker.percent is None or measures.switched_two_marker.percent < 1
    assert measures.stain.cd27_of_t is not None and measures.stain.cd27_of_t < LEAST
    assert measures.stain.fmo_cd27_of_t is not None and (measures.stain.fmo_cd27_of_t > LEAST) is exchanged


@pytest.mark.parametrize(("above", "stained"), [(0.95, True), (0.5, True), (0.45, False), (0.0, False)])
def test_igm_that_is_not_in_the_tube_counts_no_cells(above: float, stained: bool) -> None:
    """IgM-only cells of a donor who cannot switch looked switched: the boundary was that of another tube."""
    naive = np.arange(1000) < 800
    igm = np.arange(1000) < 800 * above
    assert _igm_stained(igm, naive) is stained
    assert _igm_stained(igm, np.arange(1000) < 19)  # of few naive cells nothing is known


class Cells:
    """B cells of which only CD27 and IgM are known."""

    def __init__(self, igm: NDArray[np.float64], cd27: NDArray[np.float64]) -> None:
        self.values = {"IgM": igm, "CD27": cd27}

    def stained(self, marker: str) -> bool:
        return marker in self.values

    def linear(self, marker: str) -> NDArray[np.float64]:
        return self.values[marker]


@pytest.mark.parametrize("spill", [-0.04, -0.02, 0.0, 0.02, 0.04])
def test_spillover_that_is_left_is_measured_in_sd_of_cd27(spill: float) -> None:
    """What IgM adds to CD27 at the usual amount of IgM, over the width of CD27."""
    random = np.random.default_rng(3)
    igm = 8000 * np.exp(0.6 * random.standard_normal(4000))
    cd27 = 100 * random.standard_normal(4000) + spill * igm
    one = _dependence(Cells(igm, cd27), np.ones(4000, dtype=bool), "IgM")  # type: ignore[arg-type]
    assert one is not None
    # The cells with least IgM are a little wider for the spill itself.
    assert one.value == pytest.approx(spill * 8000 / 100, rel=0.25, abs=0.15)


def test_few_cells_show_no_spillover() -> None:
    few = Cells(np.linspace(1, 2, 149), np.linspace(1, 2, 149))
    assert _dependence(few, np.ones(149, dtype=bool), "IgM") is None  # type: ignore[arg-type]
    assert _dependence(few, np.ones(149, dtype=bool), "IgD") is None  # type: ignore[arg-type]

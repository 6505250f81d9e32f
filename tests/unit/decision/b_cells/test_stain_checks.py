"""Checks of the stain of the memory tube on simulated files, and of spillover on cells made by hand."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.b_cells.memory_cells import measured
from benchmarks.b_cells.memory_cells_real import FOLDER, NHLBI, RECORDINGS
from benchmarks.b_cells.memory_cells_real import measured as real
from numpy.typing import NDArray

from cd40l_flow.decision.b_cells.evenness import evenness
from cd40l_flow.decision.b_cells.measures import MemoryMeasures
from cd40l_flow.decision.b_cells.sides import Sides, _igm_stained
from cd40l_flow.decision.b_cells.stain_checks import _cd27_of_igd_negative, _dependence, _sticking
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
    # Nothing sticks to switched cells, and they have the CD27 of the other memory cells.
    assert stain.sticking is not None and stain.sticking < 1
    assert stain.cd27_of_igd_negative is not None and stain.cd27_of_igd_negative > 0.6


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
    """B cells of which only IgM, CD27 and, of some, IgD are known."""

    def __init__(
        self, igm: NDArray[np.float64], cd27: NDArray[np.float64], igd: NDArray[np.float64] | None = None
    ) -> None:
        self.values = {"IgM": igm, "CD27": cd27} | ({} if igd is None else {"IgD": igd})

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


def kinds(share: float, igm: float, cd27: float) -> tuple[Cells, Sides]:
    """Return 2,000 naive cells, 100 unswitched memory cells, and a share of switched ones of this IgM and CD27."""
    random = np.random.default_rng(8)
    count = int(2100 * share)
    light = np.concatenate((np.full(2000, 2000.0), np.full(100, 4000.0), np.full(count, igm)))
    own = np.concatenate((np.full(2000, 50.0), np.full(100, 3000.0), np.full(count, cd27)))
    noise = np.exp(0.4 * random.standard_normal((2, light.size)))
    memory = np.arange(light.size) >= 2000
    cells = Cells(light * noise[0], own * noise[1])
    return cells, Sides(igd=np.arange(light.size) < 2100, cd27=memory, igm=np.ones(light.size, bool), plasmablast=None)


def looking_positive(igm: float, igd: float, share: float = 0.1) -> tuple[Cells, Sides]:
    """Return `kinds` whose switched cells look IgD+ with this IgD; unswitched memory has half that of naive cells."""
    cells, sides = kinds(share, igm, 3000.0)
    level = np.where(sides.cd27, 1000.0, 2000.0)
    level[~sides.igd] = igd
    light = level * np.exp(0.4 * np.random.default_rng(9).standard_normal(level.size))
    return Cells(cells.values["IgM"], cells.values["CD27"], light), replace(sides, igd=np.ones_like(sides.igd))


@pytest.mark.parametrize(
    ("igm", "igd", "low", "high"),
    [(400.0, 300.0, 8.0, 10.0), (1000.0, 1000.0, 4.0, 8.0), (4000.0, 1000.0, -0.6, 1.0), (2000.0, 2000.0, -0.6, 1.0)],
    ids=["far dimmer", "half as bright", "unswitched", "naive"],
)
def test_cells_to_which_both_stains_stick_are_dim_in_both(igm: float, igd: float, low: float, high: float) -> None:
    """A tenth of the cells are switched ones that look IgD+; unswitched memory has more IgM than naive cells."""
    cells, sides = looking_positive(igm, igd)
    found = _sticking(cells, sides)  # type: ignore[arg-type]
    assert found is not None and low <= found[0] <= high and 0 < found[1] < 1
    assert _sticking(cells, replace(sides, igm=None)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("beyond", [0.1, 0.3, 0.6])
def test_naive_cells_beyond_the_boundary_of_cd27_are_no_sticking_stain(beyond: float) -> None:
    """A dim CD27: patients without switched cells were left open as soon as many naive cells lay beyond it."""
    cells, sides = looking_positive(4000.0, 1000.0, 0.01)
    taken = np.random.default_rng(3).random(sides.igd.size) < beyond
    found = _sticking(cells, replace(sides, cd27=sides.memory | taken))  # type: ignore[arg-type]
    assert found is not None and abs(found[0]) < min(1.0, 3 * found[1])


@pytest.mark.parametrize(("cd27", "ratio"), [(3000.0, 1.0), (300.0, 0.085)])
def test_a_background_of_cd27_is_dimmer_than_memory(cd27: float, ratio: float) -> None:
    cells, sides = kinds(0.1, 100.0, cd27)
    assert _cd27_of_igd_negative(cells, sides) == pytest.approx(ratio, rel=0.15)  # type: ignore[arg-type]
    few, of_few = kinds(0.009, 100.0, cd27)
    assert _cd27_of_igd_negative(few, of_few) is None  # type: ignore[arg-type]


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the recordings are not here")
def test_switched_cells_of_a_real_recording_have_the_cd27_of_memory_and_come_at_any_time() -> None:
    recording = next(one for one in RECORDINGS if one.file == NHLBI)
    measures, gated = real(recording)
    assert measures is not None and measures.stain.cd27_of_igd_negative is not None
    assert measures.stain.cd27_of_igd_negative > 1
    found = evenness(gated, 1.5)
    assert found.in_time is not None and abs(found.in_time.log_ratio) < 0.6

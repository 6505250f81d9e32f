"""The main figure: what is in it is of the cells, the same bytes each time, and what is missing says so."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from msgspec.structs import replace

from cd40l_flow.cli.main import main
from cd40l_flow.figures.binned import NOTHING, Densities
from cd40l_flow.figures.clouds import cloud, smoothed
from cd40l_flow.figures.main_figure import (
    FORMATS,
    KINDS,
    MainFigure,
    Person,
    draw_histograms,
    draw_quadrants,
    encoded,
    for_page,
    main_figure,
    make_ready,
    page_figure,
)
from cd40l_flow.figures.plots import PlotIndex
from cd40l_flow.plot import read

SMALLEST = 6.0  # points
LARGEST = 130_000  # bytes, of which a page holds a third more


@pytest.fixture
def mosaic(demo_results: Path) -> Person:
    return read(demo_results / "results" / "samples" / "P05" / "result.json")


@pytest.fixture
def control(demo_results: Path) -> Person:
    return read(demo_results / "results" / "samples" / "C01" / "result.json")


def texts(figure: Figure) -> list[str]:
    """Return everything that is written on a figure."""
    return [text.get_text() for axes in figure.axes for text in axes.findobj(lambda one: hasattr(one, "get_text"))]


def shown(patient: Person, control: Person | None, reagent: str = "CD154") -> MainFigure:
    """Return the figure with its panels."""
    drawn = MainFigure()
    drawn.show(reagent, patient, control)
    return drawn


def test_quadrants_are_percents_of_the_cells(mosaic: Person, control: Person) -> None:
    panel = shown(mosaic, control).rows[0][2]
    plot = mosaic.plot("CD154")
    assert plot is not None
    assert plot.percents
    assert [text.get_text() for text in panel.percents] == [f"{one:.1f}" for one in plot.percents["stimulated"]]
    assert sum(plot.percents["stimulated"]) == pytest.approx(100.0, abs=0.01)


def test_the_thresholds_are_the_gates(mosaic: Person) -> None:
    plot = mosaic.plot("CD154")
    assert plot is not None
    panel = shown(mosaic, None).rows[0][2]
    assert set(panel.upright.get_xdata()) == {plot.x_threshold}
    assert set(panel.level.get_ydata()) == {plot.y_threshold}


def test_a_pile_at_the_end_of_an_axis_is_never_the_mode(mosaic: Person) -> None:
    piled = np.array(mosaic.densities.arrays["cd154_sample"])
    piled[0] = 50 * piled.sum()
    arrays = {**mosaic.densities.arrays, "cd154_sample": piled}
    axes = Figure().add_subplot()
    draw_histograms(axes, Person("P05", Densities(mosaic.densities.index, arrays)), None, "CD154")
    sample = next(line for line in axes.lines if line.get_label() == "sample")
    heights = np.asarray(sample.get_ydata())
    assert heights[5:-5].max() == pytest.approx(1.0)


def test_what_is_missing_is_said() -> None:
    figure = main_figure("CD154", Person("P08", NOTHING, "The file could not be read."), None)
    words = " ".join(texts(figure)).replace("\n", " ")
    assert "The file could not be read." in words
    assert "No control of this run was measured." in words


@pytest.mark.parametrize("form", FORMATS)
def test_equal_figures_are_equal_bytes(form: str, mosaic: Person, control: Person) -> None:
    one, other = (encoded(main_figure("CD154", mosaic, control), form) for _ in range(2))
    assert one == other


def test_letters_can_be_read_and_lines_differ_in_grey(mosaic: Person, control: Person) -> None:
    figure = main_figure("CD154", mosaic, control)
    sizes = [
        text.get_fontsize()
        for axes in figure.axes
        for text in axes.findobj(lambda one: hasattr(one, "get_fontsize"))
        if text.get_text()
    ]
    assert min(sizes) >= SMALLEST
    lines = [line for line in figure.axes[6].lines if not line.get_label().startswith("_")]
    assert (
        len({(line.get_linestyle(), line.get_linewidth(), str(line.get_color())) for line in lines}) == len(lines) == 4
    )


def test_every_axis_of_a_run_is_the_same(mosaic: Person, control: Person) -> None:
    drawn = shown(mosaic, control)
    ticks = {str(panel.frame.get_xydata().tolist()) for row in drawn.rows for panel in row}
    assert len(ticks) == 1
    assert {(*axes.get_xlim(), *axes.get_ylim()) for axes in drawn.figure.axes[:6]} == {(0.0, 1.0, 0.0, 1.0)}


def test_axes_that_are_used_again_draw_what_new_ones_draw(mosaic: Person, control: Person) -> None:
    """Nothing of the sample before is left, be it whole or failed."""
    failed = Person("P08", NOTHING, "The file could not be read.")
    make_ready()
    first = page_figure("CD154", mosaic, control)
    assert for_page(shown(mosaic, control).figure) == first
    assert page_figure("CD40-Ig", failed, None) != first
    assert page_figure("CD154", mosaic, control) == first
    assert len(first) < LARGEST


def test_clouds_are_smoothed_as_scipy_does(mosaic: Person) -> None:
    from scipy.ndimage import gaussian_filter

    plot = mosaic.plot("CD154")
    assert plot is not None
    for counts, width in ((mosaic.densities.counts(plot.kinds["stimulated"]), 0.9), (np.hanning(256), 2.0)):
        assert counts is not None
        assert np.allclose(smoothed(counts, width), gaussian_filter(counts, width, mode="nearest", truncate=3))


def test_cells_of_few_places_are_dots_without_contours() -> None:
    few, many = np.zeros((96, 96)), np.zeros((96, 96))
    few[40:50, 40:44] = 1
    many[40:50, 40:44] = 500
    many[80, 10] = 1
    assert cloud(few)[1] == []
    picture, contours = cloud(many)
    assert contours
    assert picture[10, 80, 3] == 255, "a single cell far from the others is seen"
    assert picture[60, 60, 3] == 0


def test_both_readouts_are_next_to_each_other(mosaic: Person, control: Person) -> None:
    for reagent, other in (("CD154", "CD40-Ig"), ("CD40-Ig", "CD154")):
        above, below = shown(mosaic, control, reagent).histograms
        assert [panel.axes.texts[0].get_text().split()[0] for panel in (above, below)] == [reagent, other]


def test_kinds_without_a_tube_leave_the_others(mosaic: Person) -> None:
    figure, plot = Figure(), mosaic.plot("CD154")
    assert plot is not None
    lacking_kinds = replace(plot, kinds={**plot.kinds, "unstimulated": None})
    lacking = Person("P05", Densities(PlotIndex(scatter=(lacking_kinds,)), mosaic.densities.arrays))
    for place, kind in enumerate(KINDS):
        draw_quadrants(figure.add_subplot(1, 3, place + 1), lacking, "CD154", kind)
    assert [axes.images[0].get_visible() for axes in figure.axes] == [False, True, True]


@pytest.mark.parametrize("form", FORMATS)
def test_the_command_writes_a_file_for_each_reagent(form: str, demo_results: Path, tmp_path: Path) -> None:
    result = demo_results / "results" / "samples" / "P05" / "result.json"
    assert main(["figures", "--result", str(result), "--out", str(tmp_path), "--format", form]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"P05_cd154.{form}", f"P05_cd40ig.{form}"]
    if form == "svg":
        root = ElementTree.parse(tmp_path / "P05_cd154.svg").getroot()
        assert "C01" in "".join(root.itertext())


def test_nothing_measured_is_said(demo_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = demo_results / "results" / "samples" / "P99" / "result.json"
    assert main(["figures", "--result", str(missing), "--out", str(tmp_path)]) == 2
    assert "is not there" in capsys.readouterr().err

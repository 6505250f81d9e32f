"""Pictures of panels are drawn once, and show every bin by its count and the side of the gate it lies on."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image

from cd40l_flow.figures.axes import Axis
from cd40l_flow.figures.binned import Densities
from cd40l_flow.figures.drawing import Drawing, Label, svg
from cd40l_flow.figures.gating import draw_panels
from cd40l_flow.figures.outlines import add_outlines
from cd40l_flow.figures.panels import time_band
from cd40l_flow.figures.pictures import draw_pictures
from cd40l_flow.figures.plots import (
    AnyPanel,
    BandGate,
    GateShape,
    MissingPanel,
    Panel,
    PlotAxis,
    PlotIndex,
    PolygonGate,
    ThresholdGate,
    TubePlots,
)
from cd40l_flow.report.sample import write_report
from cd40l_flow.result.reviews.state import digest_of
from helpers.results import report_samples as made
from helpers.results.records import write_pair

Pixels = NDArray[np.uint8]
ABOVE = ThresholdGate("x", "above", 0.5)
SQUARE = PolygonGate(((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)))
# A stretch of time that was cut, and an end set by hand.
CUT = BandGate(cuts=((0.25, 0.75), (0.9375, 1.0)))
AXIS = PlotAxis("CD3", ())


def panel_of(array: str, gate: GateShape | None) -> Panel:
    """Return a panel of CD3+ cells."""
    return Panel("CD3+", "viable", AXIS, AXIS, array, gate, count=1, parent_count=2, percent_of_parent=50.0)


def tube_of(*panels: AnyPanel) -> TubePlots:
    """Return a tube with its panels."""
    return TubePlots("a.fcs", "stimulated", "CD154", panels)


def drawn(*panels: tuple[NDArray[np.uint32], GateShape | None]) -> list[Pixels]:
    """Return the pixels of panels, (bins, bins, 3), [x, y] as their counts are."""
    undrawn = tube_of(
        MissingPanel("viable", "no dye"), *(panel_of(str(at), gate) for at, (_, gate) in enumerate(panels))
    )
    (tube,), pixels = draw_pictures([undrawn], {str(at): counts for at, (counts, _) in enumerate(panels)})
    content, told = pixels.tobytes(), [panel.picture for panel in tube.panels if isinstance(panel, Panel)]
    assert told[-1][1] == len(content)
    pictures = [Image.open(io.BytesIO(content[begin:end])) for begin, end in told]
    return [np.asarray(picture.convert("RGB"))[::-1].transpose(1, 0, 2) for picture in pictures]


def counts(*bins: tuple[int, int, int]) -> NDArray[np.uint32]:
    """Return counts of 64 x 64 bins, empty but for some, each x, y and count."""
    made = np.zeros((64, 64), dtype=np.uint32)
    for x, y, count in bins:
        made[x, y] = count
    return made


def test_more_events_are_darker_and_what_is_outside_the_gate_is_paler() -> None:
    steps = [1, 3, 10, 30, 100, 400]
    row = [(x, 5, count) for x, count in zip(range(40, 46), steps, strict=True)]
    outside = [(x - 30, y, count) for x, y, count in row]

    (pixels,) = drawn((counts(*row, *outside), ABOVE))

    light = pixels.sum(axis=2, dtype=int)
    assert (np.diff(light[40:46, 5]) < 0).all()
    assert (np.diff(light[10:16, 5]) < 0).all()
    assert (light[10:16, 5] > light[40:46, 5]).all()
    assert len({tuple(pixel) for pixel in pixels.reshape(-1, 3).tolist()}) == 14


@pytest.mark.parametrize(
    ("gate", "inside"),
    [
        (None, (slice(None), slice(None))),
        (ABOVE, (slice(32, None), slice(None))),
        (SQUARE, (slice(16, 48),) * 2),
        (CUT, (np.r_[0:16, 48:60], slice(None))),
    ],
    ids=["none", "threshold", "polygon", "time"],
)
def test_empty_bins_are_white_inside_the_gate_only(gate: GateShape | None, inside: tuple[slice, slice]) -> None:
    (pixels,) = drawn((counts(), gate))

    white = (pixels == 255).all(axis=2)
    expected = np.zeros((64, 64), dtype=bool)
    expected[inside] = True
    assert np.array_equal(white, expected)


def test_what_is_cut_in_time_is_veiled_between_its_lines() -> None:
    """What acquisition QC cut lies between two lines, what lies beyond an end set by hand on one side of one."""
    stretch = SimpleNamespace(start=10.0, end=20.0)
    acquisition = SimpleNamespace(time_qc=SimpleNamespace(stretches=[stretch]))
    ends = {"time_high": SimpleNamespace(value=35.0)}
    tube: Any = SimpleNamespace(boundary=ends.get, signal=SimpleNamespace(acquisition=acquisition))
    gate = time_band(tube, Axis("Time (s)", 0.0, 40.0))
    assert gate is not None
    assert gate.cuts == ((0.25, 0.5), (0.875, 1.0))
    assert sorted(line[0][0] for line in gate.segments) == [0.25, 0.5, 0.875]
    acquisition.time_qc.stretches = []
    ends.clear()
    assert time_band(tube, Axis("Time (s)", 0.0, 40.0)) is None


def test_the_controls_gate_and_cells_stand_on_the_samples_axes() -> None:
    """Of linear axes of other lengths they move; where axes differ otherwise nothing of the control is drawn."""
    up = PlotAxis("SSC-A", ((0.0, "0"), (1.0, "100k")))
    mine = PlotAxis("FSC-A", ((0.0, "0"), (0.5, "100k"), (1.0, "200k")))
    theirs = PlotAxis("FSC-A", ((0.0, "0"), (1.0, "100k")))
    panel = replace(panel_of("a", None), x=mine, y=up)
    other = replace(
        panel_of("a", ThresholdGate("x", "above", 1.0)), x=theirs, y=up, outline=(((0.5, 0.5), (1.0, 0.5)),)
    )
    densities = Densities(PlotIndex(), {"pictures": np.empty(0, np.uint8)})

    (drawing,) = draw_panels([panel], densities, [other])
    marks = dict(drawing.marks)
    assert marks["g-cells"].startswith("M32 64l32 0")  # of 128 pixels, a quarter and a half
    assert marks["g-control"].startswith("M64 ")
    (alone,) = draw_panels([panel], densities, [replace(other, x=replace(theirs, label="FSC-H"))])
    assert [look for look, _ in alone.marks] == ["g-tick"]


def test_the_outline_goes_round_most_cells() -> None:
    cells = np.zeros((128, 128), dtype=np.uint32)
    cells[40:60, 80:100] = 3
    (tube,) = add_outlines([tube_of(panel_of("a", None), MissingPanel("viable", "no dye"))], {"a": cells})
    panel = tube.panels[0]
    assert isinstance(panel, Panel)
    assert panel.outline
    (line,) = panel.outline
    x, y = np.array(line).T
    assert (x.min(), x.max()) == (pytest.approx(40 / 128, abs=0.03), pytest.approx(60 / 128, abs=0.03))
    assert (y.min(), y.max()) == (pytest.approx(80 / 128, abs=0.03), pytest.approx(100 / 128, abs=0.03))


def test_every_panel_gets_its_own_picture() -> None:
    first, second = drawn((counts((3, 7, 5)), None), (np.ones((128, 128), dtype=np.uint32), None))

    assert np.argwhere((first != 255).any(axis=2)).tolist() == [[3, 7]]
    assert second.shape == (64, 64, 3), "a wide cloud of one event a bin is noise: its bins are merged"


def test_a_report_needs_no_counts_of_panels(tmp_path: Path) -> None:
    """Neither its own nor the control's: that would be a third of its time."""
    pairs = [made.write_sample(tmp_path / each.sample, each) for each in (made.SCENARIOS["NORMAL"], made.CONTROL)]
    pages = [tmp_path / "with.html", tmp_path / "without.html"]
    write_report(*pairs[0], [pairs[1]], pages[0], {})
    digests = [digest_of(pairs[0][0])]
    for result, densities in pairs:
        with np.load(densities) as file:
            kept = {name: file[name] for name in file.files if file[name].shape != (128, 128)}
            assert len(kept) < len(file.files)
        write_pair(result.parent, json.loads(result.read_text(encoding="utf-8")), kept)

    write_report(*pairs[0], [pairs[1]], pages[1], {})
    digests.append(digest_of(pairs[0][0]))

    shown = [page.read_text(encoding="utf-8") for page in pages]
    assert shown[0].replace(digests[0], digests[1]) == shown[1]


def test_words_of_a_drawing_cannot_become_part_of_the_page() -> None:
    label = Label(1.4, 2.6, "<b>PE</b> & APC", "axis", "end", 60.0)
    drawing = Drawing(100, 50.0, (0, 0, 100, 50), (("g-line", "M0 0l1 1"),), (label,))

    page = svg(drawing, 'the "alt" <text>')

    assert 'aria-label="the &#34;alt&#34; &lt;text&gt;"' in page
    assert '<path class="g-line" d="M0 0l1 1"/>' in page
    assert '<text x="1" y="3" class="axis" text-anchor="end" textLength="60.0"' in page
    assert ">&lt;b&gt;PE&lt;/b&gt; &amp; APC</text>" in page
    assert "frame" not in page
    assert '<rect class="frame" x="0" y="0" width="100" height="50"/>' in svg(drawing, "", frame=True)

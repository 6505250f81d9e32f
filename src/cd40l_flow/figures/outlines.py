"""The outlines of a control's cells, which are drawn into the panels of every sample that is compared with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from cd40l_flow.figures.pictures import Cells
from cd40l_flow.figures.plots import AnyPanel, Line, MissingPanel, TubePlots

# Counts in so many bins an axis, at this part of the densest, of so many events; more bins follow chance.
_BINS, _LEVEL, _FEWEST = 32, 0.1, 100


def add_outlines(tubes: Sequence[TubePlots], arrays: Mapping[str, Cells]) -> list[TubePlots]:
    """Return tubes each of whose panels has its ``outline``.

    It goes round the places with a tenth of the densest's events. A panel names its counts in ``arrays``, [x, y].
    """

    def outlined(panel: AnyPanel) -> AnyPanel:
        return panel if isinstance(panel, MissingPanel) else replace(panel, outline=_outline(arrays[panel.array]))

    return [replace(tube, panels=tuple(map(outlined, tube.panels))) for tube in tubes]


def _outline(counts: Cells) -> tuple[Line, ...]:
    from contourpy import contour_generator

    if counts.sum() < _FEWEST:
        return ()
    coarse = counts.reshape(_BINS, len(counts) // _BINS, _BINS, -1).sum(axis=(1, 3), dtype=np.float64)
    around = np.pad(coarse, 1)
    smooth = 2 * coarse + around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]
    places = (np.arange(_BINS) + 0.5) / _BINS
    lines = contour_generator(places, places, smooth.T).lines(_LEVEL * float(smooth.max()))
    rounded = (np.round(np.asarray(line, dtype=np.float64), 3).tolist() for line in lines)
    return tuple(tuple((x, y) for x, y in line) for line in rounded)

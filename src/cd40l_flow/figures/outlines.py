"""The outlines of a control's cells, which are drawn into the panels of every sample that it stands beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Counts in so many bins an axis, at this part of the densest, of so many events; more bins follow chance.
_BINS, _LEVEL, _FEWEST = 32, 0.1, 100


def add_outlines(tubes: Sequence[Mapping[str, Any]], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Tell each panel of tubes its ``outline``: lines, each a list of places in fractions of the axes.

    They go round the places with a tenth of the densest's events. A panel names its counts in ``arrays``, [x, y].
    """
    for panel in (panel for tube in tubes for panel in tube["panels"] if "missing" not in panel):
        panel["outline"] = _outline(arrays[panel["array"]])


def _outline(counts: NDArray[Any]) -> list[list[list[float]]]:
    from contourpy import contour_generator

    if counts.sum() < _FEWEST:
        return []
    coarse = counts.reshape(_BINS, len(counts) // _BINS, _BINS, -1).sum(axis=(1, 3), dtype=np.float64)
    around = np.pad(coarse, 1)
    smooth = 2 * coarse + around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]
    places = (np.arange(_BINS) + 0.5) / _BINS
    lines: Any = contour_generator(places, places, smooth.T).lines(_LEVEL * float(smooth.max()))
    return [np.round(line, 3).tolist() for line in lines]

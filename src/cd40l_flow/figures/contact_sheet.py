"""Contact sheets: one gate, or one histogram, of every sample, side by side in a single picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.lookup import current_assay, every_assay
from cd40l_flow.assay.texts import load_texts, population_name
from cd40l_flow.figures.binned import Counts, Densities
from cd40l_flow.figures.gating import GATE, gate_lines
from cd40l_flow.figures.plots import GateShape, Panel
from cd40l_flow.figures.png import hex_rgb, png_uri

Cells = NDArray[np.uint8]

COLUMNS = 16
# So that the sheets of hundreds of samples stay within the size of a page that opens at once.
_SIZES = ((100, 64), (200, 52), (math.inf, 44))
_LEVELS = ("#ffffff", "#c3d6ea", "#8fb4d8", "#4f8ac2", "#245b99", "#0a234c")
_LINE, _NOTHING, _HATCH, _FILL = 6, 7, 8, 3
_COLOURS = np.array([hex_rgb(colour) for colour in (*_LEVELS, GATE, "#eceff2", "#c9d0d7")], dtype=np.int32)


@dataclass(frozen=True)
class Sheet:
    """One picture of ``rows`` x COLUMNS cells, one a sample in the order given; ``missing`` cells are hatched."""

    key: str
    title: str
    uri: str
    rows: int
    missing: tuple[int, ...]


def cell_size(samples: int) -> int:
    """Return the side of a cell in pixels."""
    return next(size for most, size in _SIZES if samples <= most)


def contact_sheets(samples: Iterable[Densities], count: int) -> list[Sheet]:
    """Return a sheet for every gate and histogram that any of the ``count`` samples has, histograms first."""
    size = cell_size(count)
    cells: dict[tuple[str, str], dict[int, Cells]] = {}
    for number, densities in enumerate(samples):
        for name, cell in _cells(densities, size).items():
            cells.setdefault(name, {})[number] = cell
    names = sorted(cells, key=_order)
    return [_sheet(name, f"sheet-{place}", cells[name], count, size) for place, name in enumerate(names)]


def _order(name: tuple[str, str]) -> tuple[int, int, str]:
    kind, what = name
    reagents = list(current_assay().targets)
    populations = list(load_texts()["populations"])
    if kind == "target":
        return 0, reagents.index(what) if what in reagents else len(reagents), what
    return 1, populations.index(what) if what in populations else len(populations), what


def _sheet(name: tuple[str, str], key: str, cells: Mapping[int, Cells], count: int, size: int) -> Sheet:
    rows = -(-count // COLUMNS)
    picture = np.full((rows * size, COLUMNS * size), 0, dtype=np.uint8)
    missing = tuple(number for number in range(count) if number not in cells)
    for number in range(count):
        row, column = divmod(number, COLUMNS)
        cell = cells.get(number, _missing(size))
        picture[row * size : (row + 1) * size, column * size : (column + 1) * size] = cell
    words = load_texts()["index"]["contact"]
    kind, what = name
    title = population_name(what)
    if kind == "target":
        title = words["target"].format(reagent=what) if what in current_assay().targets else what
    return Sheet(key, title, png_uri(picture, _COLOURS), rows, missing)


def _cells(densities: Densities, size: int) -> dict[tuple[str, str], Cells]:
    """Return the cells of one sample: its target histograms, and the gates of its first stimulated tube, or of
    the stained tube of an assay that stimulates none.
    """
    found: dict[tuple[str, str], Cells] = {}
    for target in densities.index.targets:
        counts = densities.counts(target.sample)
        if counts is not None:
            found["target", target.reagent] = _histogram(counts, target.threshold, size)
    tubes = [tube for tube in densities.index.tubes if tube.stimulation == "stimulated"]
    chosen = next((tube for name in current_assay().targets for tube in tubes if tube.reagent == name), None)
    if chosen is None:
        unstimulated = {name for assay in every_assay() if not assay.stimulated for name in assay.targets}
        chosen = next((tube for tube in densities.index.tubes if tube.reagent in unstimulated), None)
    for panel in (panel for panel in chosen.panels if isinstance(panel, Panel)) if chosen else ():
        counts = densities.counts(panel.array)
        if counts is not None:
            found["gate", panel.population] = _density(counts, panel.gate, size)
    return found


def _rebin(counts: Counts, size: int) -> Counts:
    """Return counts in ``size`` bins along the first axis."""
    return np.add.reduceat(counts, np.arange(size) * len(counts) // size, axis=0)


def _density(counts: Counts, gate: GateShape | None, size: int) -> Cells:
    """Return one gate, (size, size), first row on top: shade by the logarithm of the events, the gate as a line."""
    small = _rebin(_rebin(counts, size).T, size).T
    top = max(float(small.max(initial=0.0)), 3.0)
    shades = np.ceil(np.log1p(small) / math.log1p(top) * (len(_LEVELS) - 1))
    cell = shades.astype(np.uint8).T[::-1].copy()
    for line in gate_lines(gate) if gate is not None else ():
        _trace(cell, line, size)
    return cell


def _trace(cell: Cells, line: NDArray[np.float64], size: int) -> None:
    for start, end in zip(line[:-1], line[1:], strict=True):
        steps = np.linspace(0, 1, 2 * size)[:, None]
        points = np.clip((start + (end - start) * steps) * size, 0, size - 1).astype(np.intp)
        cell[size - 1 - points[:, 1], points[:, 0]] = _LINE


def _histogram(counts: Counts, threshold: float | None, size: int) -> Cells:
    """Return one histogram, (size, size), filled from the bottom, its threshold as a line."""
    small = _rebin(counts, size)
    heights = np.round(small / max(float(small.max(initial=0.0)), 1.0) * (size - 4)).astype(np.intp)
    rows = np.arange(size)[::-1, None]
    cell = np.where(rows < heights[None, :], _FILL, 0).astype(np.uint8)
    if threshold is not None:
        cell[::2, min(int(threshold * size), size - 1)] = _LINE
    return cell


def _missing(size: int) -> Cells:
    place = np.arange(size)
    return np.where((place[:, None] + place[None, :]) % 8 == 0, _HATCH, _NOTHING).astype(np.uint8)

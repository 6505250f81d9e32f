"""The binned data of the B-cell assays' figures: CD27 against IgD of B cells, and CD40 of each kind of cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cd40l_flow.assay.b_cells import B_CELLS
from cd40l_flow.assay.cd40.gates import MONOCYTES
from cd40l_flow.assay.cd40.reagents import CD40, ISOTYPE
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.memory_b.reagents import FMO_CD27, MEMORY
from cd40l_flow.base.model import NewArrays, Singles
from cd40l_flow.figures.axes import Axis
from cd40l_flow.figures.panels import fluorescence_axis
from cd40l_flow.figures.plots import CellCounts, CurveNames, QuadrantPlot, TargetPlot
from cd40l_flow.gating.model import GatedSample, GatedTube
from cd40l_flow.mixture.histogram import HIGH, LOW, histogram

BINS = 256
GRID = 96  # cells of either axis of CD27 against IgD
# Kinds of cells of the CD40 assay: population -> its name in the measures.
KINDS = {B_CELLS: "B cells", MONOCYTES: "monocytes"}
SUBSETS = (MEMORY, FMO_CD27)
# Of the isotype: what few of its cells exceed.
THRESHOLD = 0.99


def cells_key(population: str) -> str:
    """Return the name of the histograms of a kind of cells in the index."""
    return f"{CD40} on {population}"


def b_cell_levels(gated: GatedSample, arrays: NewArrays) -> list[TargetPlot]:
    """Return CD40 of each kind of cells with the isotype's, none of another assay, and add their arrays."""
    if CD40 not in current_assay().targets:
        return []
    levels = [_level(gated, population, f"cd40_{number}", arrays) for number, population in enumerate(KINDS)]
    return [level for level in levels if level is not None]


def b_cell_subsets(gated: GatedSample, arrays: NewArrays) -> list[QuadrantPlot]:
    """Return CD27 against IgD of B cells, none of another assay, and add its arrays."""
    return _subsets(gated, arrays) if MEMORY in current_assay().targets else []


def _of(gated: GatedSample, reagent: str, population: str, markers: Sequence[str]) -> list[GatedTube]:
    """Return the tubes of a reagent that have a population and a detector of every marker."""
    return [
        tube
        for tube in gated.tubes
        if tube.signal.events.tube.reagent == reagent
        and population in tube.indices
        and all(marker in tube.signal.scaled for marker in markers)
    ]


def _subsets(gated: GatedSample, arrays: NewArrays) -> list[QuadrantPlot]:
    chosen = {reagent: _of(gated, reagent, B_CELLS, ("IgD", "CD27")) for reagent in SUBSETS}
    first = next((tube for tubes in chosen.values() for tube in tubes), None)
    if first is None:
        return []
    across, up = (fluorescence_axis(gated, first.signal, marker) for marker in ("IgD", "CD27"))
    every = [tube for tubes in chosen.values() for tube in tubes]
    right, top = (_boundary(every, name) for name in ("igd_low", "cd27_low"))
    kinds: dict[str, str | None] = {}
    cells: dict[str, CellCounts] = {}
    for reagent, tubes in chosen.items():
        kinds[reagent] = f"subsets_{reagent.lower().replace('-', '')}" if tubes else None
        if not tubes:
            continue
        x, y = (np.concatenate([tube.scaled(marker, B_CELLS) for tube in tubes]) for marker in ("IgD", "CD27"))
        places = across.cells(x, GRID).astype(np.intp) * GRID + up.cells(y, GRID)
        counts = np.bincount(places, minlength=GRID**2).reshape(GRID, GRID)
        arrays[str(kinds[reagent])] = counts.astype(np.min_scalar_type(counts.max()))
        if right is not None and top is not None:
            above, beyond = y > top, x > right
            cells[reagent] = (
                int(np.count_nonzero(above & ~beyond)),
                int(np.count_nonzero(above & beyond)),
                int(np.count_nonzero(~above & ~beyond)),
                int(np.count_nonzero(~above & beyond)),
            )
    return [
        QuadrantPlot(
            reagent=MEMORY,
            x=across.describe(),
            y=up.describe(),
            x_threshold=None if right is None else across.at(right),
            y_threshold=None if top is None else up.at(top),
            kinds=kinds,
            cells=cells,
        )
    ]


def _boundary(tubes: Sequence[GatedTube], name: str) -> float | None:
    found = (tube.boundary(name) for tube in tubes)
    return next((boundary.scaled for boundary in found if boundary is not None), None)


def _level(gated: GatedSample, population: str, key: str, arrays: NewArrays) -> TargetPlot | None:
    stained = _of(gated, CD40, population, ("target",))
    if not stained:
        return None
    signal = stained[0].signal
    detector = signal.events.markers["target"]
    axis = Axis(f"{CD40} ({detector})", LOW, HIGH, gated.scales[detector])
    arrays[f"{key}_sample"] = _binned(_pooled(stained, population))
    isotype = _of(gated, ISOTYPE, population, ("target",))
    background = _pooled(isotype, population) if isotype else None
    there = background is not None and background.size > 0
    if background is not None and there:
        arrays[f"{key}_background"] = _binned(background)
    return TargetPlot(
        reagent=cells_key(KINDS[population]),
        axis=axis.describe(),
        threshold=axis.at(float(np.quantile(background, THRESHOLD))) if background is not None and there else None,
        names=CurveNames(ISOTYPE),
        sample=f"{key}_sample",
        background=f"{key}_background" if there else None,
    )


def _pooled(tubes: Sequence[GatedTube], population: str) -> Singles:
    return np.concatenate([tube.scaled("target", population) for tube in tubes])


def _binned(values: Singles) -> Singles:
    return histogram(values, BINS).astype(np.float32)

"""The binned data of the B-cell assays' figures: CD27 against IgD of B cells, and CD40 of each kind of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cd40l_flow.assay.b_cells import B_CELLS
from cd40l_flow.assay.cd40.gates import MONOCYTES
from cd40l_flow.assay.cd40.reagents import CD40, ISOTYPE
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.memory_b.reagents import FMO_CD27, MEMORY
from cd40l_flow.figures.axes import Axis
from cd40l_flow.figures.panels import fluorescence_axis
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


def add_b_cells(gated: GatedSample, index: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Add what the figures of a sample of a B-cell assay are drawn from to its index and arrays.

    ``scatter`` gets CD27 against IgD of B cells, (96, 96) counts [x, y], with the number of cells in each quadrant;
    ``targets`` CD40 of each kind of cells with the isotype's, (256,) counts.
    """
    if MEMORY in current_assay().targets:
        index["scatter"] += _subsets(gated, arrays)
    if CD40 in current_assay().targets:
        for number, population in enumerate(KINDS):
            index["targets"] += _level(gated, population, f"cd40_{number}", arrays)


def _of(gated: GatedSample, reagent: str, population: str, markers: Sequence[str]) -> list[GatedTube]:
    """Return the tubes of a reagent that have a population and a detector of every marker."""
    return [
        tube
        for tube in gated.tubes
        if tube.signal.events.tube.reagent == reagent
        and population in tube.indices
        and all(marker in tube.signal.scaled for marker in markers)
    ]


def _subsets(gated: GatedSample, arrays: dict[str, Any]) -> list[dict[str, Any]]:
    chosen = {reagent: _of(gated, reagent, B_CELLS, ("IgD", "CD27")) for reagent in SUBSETS}
    first = next((tube for tubes in chosen.values() for tube in tubes), None)
    if first is None:
        return []
    across, up = (fluorescence_axis(gated, first.signal, marker) for marker in ("IgD", "CD27"))
    every = [tube for tubes in chosen.values() for tube in tubes]
    right, top = (_boundary(every, name) for name in ("igd_low", "cd27_low"))
    kinds: dict[str, str | None] = {}
    cells: dict[str, list[int]] = {}
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
            quadrants = (above & ~beyond, above & beyond, ~above & ~beyond, ~above & beyond)
            cells[reagent] = [int(np.count_nonzero(part)) for part in quadrants]
    return [
        {
            "reagent": MEMORY,
            "x": across.describe(),
            "y": up.describe(),
            "x_threshold": None if right is None else across.at(right),
            "y_threshold": None if top is None else up.at(top),
            "kinds": kinds,
            "cells": cells,
        }
    ]


def _boundary(tubes: Sequence[GatedTube], name: str) -> float | None:
    found = (tube.boundary(name) for tube in tubes)
    return next((boundary.scaled for boundary in found if boundary is not None), None)


def _level(gated: GatedSample, population: str, key: str, arrays: dict[str, Any]) -> list[dict[str, Any]]:
    stained = _of(gated, CD40, population, ("target",))
    if not stained:
        return []
    signal = stained[0].signal
    detector = signal.events.markers["target"]
    axis = Axis(f"{CD40} ({detector})", LOW, HIGH, gated.scales[detector])
    values: dict[str, Any] = {"sample": np.concatenate([tube.scaled("target", population) for tube in stained])}
    isotype = [tube.scaled("target", population) for tube in _of(gated, ISOTYPE, population, ("target",))]
    background = np.concatenate(isotype) if isotype else None
    there = background is not None and background.size > 0
    entry: dict[str, Any] = {
        "reagent": cells_key(KINDS[population]),
        "axis": axis.describe(),
        "threshold": axis.at(float(np.quantile(background, THRESHOLD))) if background is not None and there else None,
        "names": {"background": ISOTYPE},
        **dict.fromkeys(("background", "unstimulated", "fit_negative", "fit_positive")),
    }
    if background is not None and there:
        values["background"] = background
    for name, found in values.items():
        entry[name] = f"{key}_{name}"
        arrays[f"{key}_{name}"] = histogram(found, BINS).astype(np.float32)
    return [entry]

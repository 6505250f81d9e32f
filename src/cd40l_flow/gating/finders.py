"""The finders of boundaries on one marker, by their names in the assay's table of gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import is_

import numpy as np

from cd40l_flow.assay import b_cells as names
from cd40l_flow.assay.tables import Gate
from cd40l_flow.gating import b_cells, thresholds
from cd40l_flow.gating.cd69 import find_cd69
from cd40l_flow.gating.density import LOW, Density, counted, density, density_of
from cd40l_flow.gating.found import Found
from cd40l_flow.gating.working import Working, WorkingTube

# A finder returns the boundary within a population and the number of events it rests on.
Finder = Callable[[Working, Gate, str], tuple[Found, int]]


def _viability(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    curve = work.density(gate.marker, parent)
    return thresholds.find_viability(curve, _cut_off(work, gate, parent, curve, work.tubes)), curve.total


def _cd3(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    """PMA lowers CD3, so the stimulated tubes set the boundary."""
    curve = _stimulated(work, gate.marker, parent)
    resting = work.density(gate.marker, parent, _is_resting)
    return thresholds.find_cd3(curve, work.scales[work.detector(gate.marker)], resting), curve.total


def _cd8(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    curve = _stimulated(work, gate.marker, parent)
    tubes = [tube for tube in work.tubes if tube.stimulated] or work.tubes
    return thresholds.find_cd8(curve, _cut_off(work, gate, parent, curve, tubes)), curve.total


def _cd69(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    """The unstimulated tubes set the boundary above which CD69 is induced."""
    resting = work.density(gate.marker, parent, _is_resting)
    active = work.density(gate.marker, parent, _is_stimulated)
    most = work.limits.cd69_unstimulated_max_percent
    found = find_cd69(resting, active, work.scales[work.detector(gate.marker)], most)
    return found, resting.total or active.total


def _positive(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    curve = work.density(gate.marker, parent)
    return thresholds.find_positive(curve, gate.marker, parent), curve.total


def _dump(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    curve = _stained(work, gate.marker, parent)
    return b_cells.find_dump(curve), curve.total


def _cd19(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    curve = _stained(work, gate.marker, parent)
    return b_cells.find_cd19(curve), curve.total


def _immunoglobulin(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    """All B cells show where it lies, whatever the gate is drawn on."""
    curve = _stained(work, gate.marker, names.B_CELLS)
    negatives, whose = without(work, gate.marker)
    memory = _of_memory(work, gate.marker)
    return b_cells.find_immunoglobulin(curve, negatives, gate.marker, whose, memory), curve.total


def _cd27(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    curve = _stained(work, gate.marker, parent)
    background = _lacking(work, gate.marker, names.B_CELLS)
    return b_cells.find_cd27(curve, background), max(curve.total, background.total)


def _cd38(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    naive = _stained(work, gate.marker, names.NAIVE)
    return b_cells.find_cd38(_stained(work, gate.marker, parent), naive), naive.total


FINDERS: Mapping[str, Finder] = {
    "viability": _viability,
    "cd3": _cd3,
    "cd8": _cd8,
    "cd69": _cd69,
    # The valley between negative and positive cells of any marker; no fallback.
    "positive": _positive,
    "dump": _dump,
    "cd19": _cd19,
    "immunoglobulin": _immunoglobulin,
    "cd27": _cd27,
    "cd38": _cd38,
}


def _stimulated(work: Working, marker: str, population: str) -> Density:
    """Return the density of a marker in the stimulated tubes, or in all where none is stimulated."""
    return work.density(marker, population, _is_stimulated if any(map(_is_stimulated, work.tubes)) else None)


def _cut_off(work: Working, gate: Gate, parent: str, curve: Density, tubes: Sequence[WorkingTube]) -> list[Density]:
    """Return the densities of single tubes where the lower end of the range cuts ``curve`` off, of all, else none."""
    if curve.low == LOW:
        return []
    each = [work.density(gate.marker, parent, partial(is_, tube)) for tube in tubes]
    return [one for one in each if one.total >= thresholds.FEWEST]


def without(work: Working, marker: str) -> tuple[Density, str]:
    """Return the density of an immunoglobulin on cells that do not carry it, and which cells these are.

    The first of which there are enough: T cells, B cells of the FMO, other lymphocytes. T cells hold what the reagent
    leaves on every cell, the FMO does not.
    """
    candidates = (
        (_stained(work, marker, names.CD3_POSITIVE), "T cells"),
        (_lacking(work, marker, names.B_CELLS), "the FMO's B cells"),
        (_stained(work, marker, names.CD19_NEGATIVE), "cells without CD19"),
    )
    return next((each for each in candidates if each[0].total >= thresholds.FEWEST), candidates[0])


def _stained(work: Working, marker: str, population: str) -> Density:
    """Return the density of a marker in the tubes that are stained for it."""
    return work.density(marker, population, lambda tube: tube.stains(marker))


def _of_memory(work: Working, marker: str) -> Density:
    """Return the density of a marker on B cells with more CD27 than naive ones, which are most."""
    edge = b_cells.beyond(_stained(work, "CD27", names.B_CELLS))
    tubes = [
        tube for tube in work.tubes if names.B_CELLS in tube.indices and tube.stains(marker) and tube.stains("CD27")
    ]
    parts = [counted(tube.values(marker, names.B_CELLS)[tube.values("CD27", names.B_CELLS) > edge]) for tube in tubes]
    return density_of(np.sum(parts, axis=0)) if parts else density(np.empty(0))


def _lacking(work: Working, marker: str, population: str) -> Density:
    """Return the density in a marker's detector in the tubes that are not stained for it."""
    return work.density(marker, population, lambda tube: not tube.stains(marker))


def _is_stimulated(tube: WorkingTube) -> bool:
    return tube.stimulated


def _is_resting(tube: WorkingTube) -> bool:
    return not tube.stimulated

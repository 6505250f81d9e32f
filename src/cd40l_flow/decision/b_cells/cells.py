"""The B cells of a sample's tubes, pooled: which side of each boundary they lie on, and what is measured of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cd40l_flow.assay.b_cells import B_CELLS
from cd40l_flow.assay.shared_gates import LYMPHOCYTES, SINGLETS, TIME, VIABLE
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.b_cells.measures import Share
from cd40l_flow.gating.model import GatedSample, GatedTube
from cd40l_flow.mixture.proportion import wilson
from cd40l_flow.signal.acquisition import Mask


def tubes_of(gated: GatedSample, reagent: str) -> list[GatedTube]:
    """Return the tubes of a reagent."""
    return [tube for tube in gated.tubes if tube.signal.events.tube.reagent == reagent]


def live_lymphocytes(tube: GatedTube) -> str:
    """Return the population of live single lymphocytes of a tube: the last of these gates that could be drawn."""
    return next(name for name in (VIABLE, SINGLETS, LYMPHOCYTES, TIME) if name in tube.indices)


def counted_share(cells: int, total: int) -> Share:
    """Return a population as percent of another, with Wilson's interval."""
    if not total:
        return Share(None, None, None, cells)
    low, high = wilson(cells / total, total)
    percent = 100 * cells / total
    return Share(percent, 100 * low, 100 * high, cells, percent)


@dataclass(frozen=True)
class PooledCells:
    """Cells of one population of several tubes that all have it."""

    tubes: tuple[GatedTube, ...]
    population: str

    @property
    def count(self) -> int:
        """Number of cells."""
        return sum(tube.count(self.population) for tube in self.tubes)

    def stained(self, marker: str) -> bool:
        """Return whether every tube has a detector of a marker."""
        return bool(self.tubes) and all(marker in tube.signal.scaled for tube in self.tubes)

    def scaled(self, marker: str) -> Floats:
        """Return the logicle values of a marker, (cells,)."""
        return np.concatenate([tube.scaled(marker, self.population) for tube in self.tubes]).astype(np.float64)

    def linear(self, marker: str) -> Floats:
        """Return the compensated linear values of a marker, (cells,)."""
        return np.concatenate([tube.linear(marker, self.population) for tube in self.tubes])

    def above(self, marker: str, gate: str, by: float = 0.0) -> Mask | None:
        """Return which cells lie above a boundary moved ``by`` so much on the scale, (cells,); None where it was not
        drawn in every tube.
        """
        masks = []
        for tube in self.tubes:
            boundary = tube.boundary(gate)
            if boundary is None or marker not in tube.signal.scaled:
                return None
            masks.append(tube.scaled(marker, self.population) > boundary.scaled + by)
        return np.concatenate(masks) if masks else None


def pooled(tubes: Sequence[GatedTube], population: str) -> PooledCells:
    """Return the cells of a population of the tubes that have it."""
    return PooledCells(tuple(tube for tube in tubes if population in tube.indices), population)


def b_cells_of(tubes: Sequence[GatedTube]) -> PooledCells:
    """Return the B cells of the tubes in which they were gated."""
    return pooled(tubes, B_CELLS)


def t_cells_among(tubes: Sequence[GatedTube]) -> float | None:
    """Return the percent of CD3+ among CD19+ live single lymphocytes; None without any or without informative CD3."""
    both = 0
    total = 0
    for tube in tubes:
        lymphocytes = live_lymphocytes(tube)
        cells = PooledCells((tube,), lymphocytes)
        b, t = cells.above("CD19", "cd19_low"), cells.above("CD3", "cd3_high")
        if b is None or t is None:
            return None
        total += int(np.count_nonzero(b))
        both += int(np.count_nonzero(b & t))
    return 100 * both / total if total else None

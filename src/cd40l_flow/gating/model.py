"""The types of gating: boundaries, populations, gated tubes and samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats, Sample, Singles
from cd40l_flow.gating.found import Found
from cd40l_flow.gating.polygon import inside_convex
from cd40l_flow.signal.acquisition import Mask
from cd40l_flow.signal.prepare import TubeSignal
from cd40l_flow.signal.quantiles import median
from cd40l_flow.signal.scale import Scale

# With fewer events a percent is not informative.
FEWEST = 100
# Event indices in the order of the file.
EventIndices = NDArray[np.int32]
Indices = NDArray[np.int32] | NDArray[np.intp]
Values = TypeVar("Values", bound=NDArray[np.generic])
_CHUNK = 1 << 15  # events per batch, so that numpy's copy of the indices stays in the CPU cache


def take(values: Values, indices: Indices) -> Values:
    """Return the values, (events,), of some events, (n,), in the order of the file; without a copy if it is all."""
    if indices.size == values.size:
        return values
    found: Values = np.empty_like(values, shape=indices.size)
    for begin in range(0, indices.size, _CHUNK):
        part = indices[begin : begin + _CHUNK]
        # All indices are valid, and mode "clip" saves numpy a buffered copy.
        values.take(part, out=found[begin : begin + _CHUNK], mode="clip")
    return found


@dataclass(frozen=True)
class Boundary:
    """One threshold of one gate.

    ``gate`` is a name of ``overrides.tsv``; ``tube`` the ``fcs`` it applies to, empty for all tubes of the sample.
    ``value`` is the one used for gating: compensated linear channel units (a ratio for singlets, seconds for time),
    ``scaled`` the same on the detector's logicle scale (equal to ``value`` where there is none). ``method`` says how it
    was found; ``flag`` is a warning for the reviewer or empty. If overridden, ``automatic`` is the value found, ``by``
    and ``reason`` are those of the override.
    """

    gate: str
    tube: str
    detector: str
    value: float
    scaled: float
    method: str
    flag: str = ""
    automatic: float | None = None
    by: str = ""
    reason: str = ""

    @property
    def overridden(self) -> bool:
        """Whether the boundary was set by hand."""
        return bool(self.by)


@dataclass(frozen=True)
class ScatterGate:
    """A convex polygon in FSC x SSC, ``vertices`` (k, 2) in linear channel units, counter-clockwise; one for the
    sample.

    If overridden it is a rectangle with the sides ``boundaries``, and ``automatic`` is the polygon found.
    """

    fsc: str
    ssc: str
    vertices: Floats
    method: str
    flag: str = ""
    automatic: Floats | None = None
    boundaries: tuple[Boundary, ...] = ()

    def inside(self, fsc: Floats | Singles, ssc: Floats | Singles) -> Mask:
        """Return which events, (n,), lie within the polygon or on its edge."""
        return inside_convex(self.vertices, fsc, ssc)


@dataclass(frozen=True)
class Population:
    """How many events of a tube are in one population: ``count``, and ``percent_of_parent`` (None: the parent is
    empty).
    """

    population: str
    parent: str
    count: int
    percent_of_parent: float | None


@dataclass(frozen=True)
class GatedTube:
    """A tube with its populations (``indices``: population -> which events, rising and nested), boundaries and scatter
    gate.

    ``found`` maps the name of a gate (``lymphocytes`` for the polygon) to its search result, with or without a
    boundary. ``failed`` maps a population whose gate could not be drawn to its parent.
    """

    signal: TubeSignal
    indices: Mapping[str, EventIndices]
    populations: tuple[Population, ...]
    boundaries: tuple[Boundary, ...]
    scatter_gate: ScatterGate | None
    found: Mapping[str, Found] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    def count(self, population: str) -> int:
        """Return the number of events in a population."""
        return int(self.indices[population].size)

    def mask(self, population: str) -> Mask:
        """Return the mask of a population, (events,)."""
        mask: Mask = np.zeros(self.signal.events.values.shape[0], dtype=bool)
        mask[self.indices[population]] = True
        return mask

    def scaled(self, marker: str, population: str) -> Singles:
        """Return the logicle values of a marker in a population, (n,)."""
        return take(self.signal.scaled[marker], self.indices[population])

    def linear(self, marker: str, population: str) -> Floats:
        """Return the compensated linear values of a marker in a population, (n,)."""
        name = self.signal.events.markers[marker]
        return take(self.signal.stored(name), self.indices[population]).astype(np.float64)

    def median(self, marker: str, population: str) -> float:
        """Return the median of a marker in a population, compensated linear, cached; NaN without events."""
        key = marker, population
        if key not in self._medians:
            self._medians[key] = median(self.linear(marker, population))
        return self._medians[key]

    @cached_property
    def _medians(self) -> dict[tuple[str, str], float]:
        return {}

    def percent(self, population: str) -> float | None:
        """Return the percent of its parent that a population is, or None when the parent is empty."""
        return next((p.percent_of_parent for p in self.populations if p.population == population), None)

    def percent_of(self, population: str, whole: str) -> float | None:
        """Return a population as percent of another, or None if either was not gated or has too few events."""
        if population not in self.indices or whole not in self.indices or self.count(whole) < FEWEST:
            return None
        return 100 * self.count(population) / self.count(whole)

    def boundary(self, gate: str) -> Boundary | None:
        """Return the boundary of this name, or None when the gate could not be drawn."""
        return next((boundary for boundary in self.boundaries if boundary.gate == gate), None)


@dataclass(frozen=True)
class GatedSample:
    """A sample's gated tubes (those that could be read), their scales (detector -> scale) and warnings (``flags``)."""

    sample: Sample
    tubes: tuple[GatedTube, ...]
    scales: Mapping[str, Scale]
    flags: tuple[str, ...] = ()

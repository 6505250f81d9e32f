"""The finders of boundaries on one marker, by their names in the assay's table of gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cd40l_flow.assay.tables import Gate
from cd40l_flow.gating import thresholds
from cd40l_flow.gating.cd69 import find_cd69
from cd40l_flow.gating.density import Density
from cd40l_flow.gating.found import Found
from cd40l_flow.gating.working import Working, WorkingTube

# A finder returns the boundary within a population and the number of events it rests on.
Finder = Callable[[Working, Gate, str], tuple[Found, int]]


def _viability(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    curve = work.density(gate.marker, parent)
    return thresholds.find_viability(curve), curve.total


def _cd3(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    """PMA lowers CD3, so the stimulated tubes set the boundary."""
    curve = _stimulated(work, gate.marker, parent)
    resting = work.density(gate.marker, parent, _is_resting)
    return thresholds.find_cd3(curve, work.scales[work.detector(gate.marker)], resting), curve.total


def _cd8(work: Working, gate: Gate, parent: str) -> tuple[Found, int]:
    curve = _stimulated(work, gate.marker, parent)
    return thresholds.find_cd8(curve), curve.total


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


FINDERS: Mapping[str, Finder] = {
    "viability": _viability,
    "cd3": _cd3,
    "cd8": _cd8,
    "cd69": _cd69,
    # The valley between negative and positive cells of any marker; no fallback.
    "positive": _positive,
}


def _stimulated(work: Working, marker: str, population: str) -> Density:
    """Return the density of a marker in the stimulated tubes, or in all where none is stimulated."""
    return work.density(marker, population, _is_stimulated if any(map(_is_stimulated, work.tubes)) else None)


def _is_stimulated(tube: WorkingTube) -> bool:
    return tube.stimulated


def _is_resting(tube: WorkingTube) -> bool:
    return not tube.stimulated

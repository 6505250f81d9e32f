"""The steps on fluorescence: viable, CD3+, CD8-, where asked CD4+, CD69+; each found on the sample's tubes together."""

from __future__ import annotations

from cd40l_flow.gating import thresholds
from cd40l_flow.gating.cd69 import find_cd69
from cd40l_flow.gating.density import Density
from cd40l_flow.gating.model import (
    ACTIVATED,
    CD3_POSITIVE,
    CD4_POSITIVE,
    CD8_NEGATIVE,
    CD8_POSITIVE,
    VIABLE,
)
from cd40l_flow.gating.working import Working, WorkingTube


def gate_viable(work: Working, parent: str) -> bool:
    """Keep cells that took up no viability dye; tubes without the dye go on as they are, and it is said."""
    stained = [tube for tube in work.tubes if "viability" in tube.signal.scaled]
    if stained:
        curve = work.density("viability", parent)
        found = work.beside_control("viability_high", "viability", thresholds.find_viability(curve), curve.total)
        work.threshold("viability_high", "viability", found, VIABLE, parent)
        for tube in work.tubes:
            if VIABLE not in tube.places and any(VIABLE in other.places for other in work.tubes):
                tube.narrow(VIABLE, parent)
    if len(stained) < len(work.tubes):
        work.flags.append(f"viability not stained in {len(work.tubes) - len(stained)} tube(s)")
    return True


def gate_cd3(work: Working, parent: str) -> bool:
    """Keep CD3+ cells: PMA lowers CD3, so the stimulated tubes set the boundary."""
    curve = _stimulated(work, "CD3", parent)
    resting = work.density("CD3", parent, lambda tube: not tube.stimulated)
    found = thresholds.find_cd3(curve, work.scales[work.detector("CD3")], resting)
    found = work.beside_control("cd3_low", "CD3", found, curve.total)
    return work.threshold("cd3_low", "CD3", found, CD3_POSITIVE, parent)


def gate_cd8(work: Working, parent: str) -> bool:
    """Part CD3+ cells into CD8- and CD8+."""
    curve = _stimulated(work, "CD8", parent)
    found = work.beside_control("cd8_high", "CD8", thresholds.find_cd8(curve), curve.total)
    return work.threshold("cd8_high", "CD8", found, CD8_NEGATIVE, parent, CD8_POSITIVE)


def gate_cd4(work: Working, parent: str) -> bool:
    """Keep CD4+ cells of CD3+CD8-: only where the configuration asks for it, for PMA takes CD4 off the surface."""
    if not all("CD4" in tube.signal.scaled for tube in work.tubes):
        work.flags.append("the CD4 gate is switched on, but CD4 is not stained in every tube: no gate was drawn")
        return False
    curve = work.density("CD4", parent)
    found = work.beside_control("cd4_low", "CD4", thresholds.find_cd4(curve), curve.total)
    return work.threshold("cd4_low", "CD4", found, CD4_POSITIVE, parent)


def gate_cd69(work: Working, parent: str) -> bool:
    """Keep cells with induced CD69."""
    resting = work.density("CD69", parent, lambda tube: not tube.stimulated)
    active = work.density("CD69", parent, lambda tube: tube.stimulated)
    most = float(work.limits["cd69_unstimulated_max_percent"])
    found = find_cd69(resting, active, work.scales[work.detector("CD69")], most)
    events = resting.total or active.total
    return work.threshold("cd69_low", "CD69", work.beside_control("cd69_low", "CD69", found, events), ACTIVATED, parent)


def _stimulated(work: Working, marker: str, population: str) -> Density:
    """Return the density of a marker in the stimulated tubes, or in all where none is stimulated."""

    def stimulated(tube: WorkingTube) -> bool:
        return tube.stimulated

    return work.density(marker, population, stimulated if any(map(stimulated, work.tubes)) else None)

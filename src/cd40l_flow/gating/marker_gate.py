"""A gate on one marker: its boundary is found on the sample's tubes together, then applied to each."""

from __future__ import annotations

from cd40l_flow.assay.tables import Gate
from cd40l_flow.gating.finders import FINDERS
from cd40l_flow.gating.working import Working


def gate_on_marker(work: Working, gate: Gate, parent: str) -> bool:
    """Draw a gate on one marker; return whether gating can go on.

    Where some tubes lack the marker, ``gate.stained`` decides whether they go on ungated or no gate is drawn at all.
    """
    tubes = [tube for tube in work.tubes if parent in tube.indices]
    stained = [tube for tube in tubes if gate.marker in tube.signal.scaled]
    lacking = len(tubes) - len(stained)
    if lacking and gate.stained == "all":
        switched = "switched on" if gate.only_if else "part of the assay"
        work.flags.append(
            f"the {gate.marker} gate is {switched}, but {gate.marker} is not stained in every tube: no gate was drawn"
        )
        return False
    drawn = False
    if stained:
        name = gate.boundaries[0]
        if name not in work.shared:
            found, events = FINDERS[gate.finder](work, gate, parent)
            work.shared[name] = work.compare_with_control(gate, found, events)
        drawn = work.threshold(gate, work.shared[name], parent)
    if gate.stained == "all":
        return drawn
    if gate.stained == "own":
        return True
    if drawn:
        for tube in tubes:
            if gate.population not in tube.indices:
                tube.add_population(gate.population, parent)
    if lacking:
        work.flags.append(f"{gate.marker} not stained in {lacking} tube(s)")
    return True

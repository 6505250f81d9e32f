"""What the gates of a run's controls give to its test samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cd40l_flow.gating.model import LYMPHOCYTES, GatedSample

LENT = ("viability_high", "cd3_low", "cd8_high", "cd4_low", "cd69_low")


def lent_gates(gated: GatedSample) -> dict[str, dict[str, Any]]:
    """Return the boundaries that a control lends: gate -> detector and position on the scale; the polygon as well.

    They are those in use in its first stimulated tube, or else in its first.
    """
    if not gated.tubes:
        return {}
    tube = max(gated.tubes, key=lambda tube: tube.signal.events.tube.stimulation == "stimulated")
    found = {name: tube.boundary(name) for name in LENT}
    lent: dict[str, dict[str, Any]] = {
        name: {"detector": one.detector, "scaled": one.scaled} for name, one in found.items() if one is not None
    }
    if tube.scatter_gate is not None:
        polygon = tube.scatter_gate
        lent[LYMPHOCYTES] = {"detectors": [polygon.fsc, polygon.ssc], "vertices": polygon.vertices.tolist()}
    return lent


def combined(controls: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, Mapping[str, Any]]:
    """Return what several controls lend together: the mean position, where they have the same detector; the polygon of
    the first.
    """
    together: dict[str, Mapping[str, Any]] = {}
    for name in (*LENT, LYMPHOCYTES):
        lent = [control[name] for control in controls if name in control]
        if not lent:
            continue
        together[name] = lent[0]
        if name != LYMPHOCYTES:
            same = [float(one["scaled"]) for one in lent if one["detector"] == lent[0]["detector"]]
            together[name] = {"detector": lent[0]["detector"], "scaled": sum(same) / len(same)}
    return together

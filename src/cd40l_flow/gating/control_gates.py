"""What the gates of a run's controls give to its test samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cd40l_flow.assay.cd40l import LYMPHOCYTES
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.gating.model import GatedSample


def given_boundaries() -> tuple[str, ...]:
    """Return the boundaries that controls give to the samples of their run."""
    return tuple(gate.boundaries[0] for gate in current_assay().gates if gate.from_control)


def control_gates(gated: GatedSample) -> dict[str, dict[str, Any]]:
    """Return the boundaries that a control gives: gate -> detector and position on the scale; the polygon as well.

    They are those in use in its first stimulated tube, or else in its first.
    """
    if not gated.tubes:
        return {}
    tube = max(gated.tubes, key=lambda tube: tube.signal.events.tube.stimulation == "stimulated")
    found = {name: tube.boundary(name) for name in given_boundaries()}
    given: dict[str, dict[str, Any]] = {
        name: {"detector": one.detector, "scaled": one.scaled} for name, one in found.items() if one is not None
    }
    if tube.scatter_gate is not None:
        polygon = tube.scatter_gate
        given[LYMPHOCYTES] = {"detectors": [polygon.fsc, polygon.ssc], "vertices": polygon.vertices.tolist()}
    return given


def combined(controls: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, Mapping[str, Any]]:
    """Return what several controls give together: the mean position, where they have the same detector; the polygon of
    the first.
    """
    together: dict[str, Mapping[str, Any]] = {}
    for name in (*given_boundaries(), LYMPHOCYTES):
        given = [control[name] for control in controls if name in control]
        if not given:
            continue
        together[name] = given[0]
        if name != LYMPHOCYTES:
            same = [float(one["scaled"]) for one in given if one["detector"] == given[0]["detector"]]
            together[name] = {"detector": given[0]["detector"], "scaled": sum(same) / len(same)}
    return together

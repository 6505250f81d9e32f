"""The gates that a run's controls give to its test samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.model import Floats
from cd40l_flow.gating.model import GatedSample


@dataclass(frozen=True)
class ControlBoundary:
    """The position of a control's boundary on the scale of its detector."""

    detector: str
    scaled: float


@dataclass(frozen=True)
class ControlPolygon:
    """A control's lymphocyte gate: its two detectors, FSC first, and ``vertices``, (k, 2), linear channel units."""

    detectors: tuple[str, str]
    vertices: Floats


@dataclass(frozen=True)
class ControlGates:
    """The gates of controls: name -> boundary, and the polygon of the lymphocytes; None where they have none."""

    boundaries: Mapping[str, ControlBoundary] = field(default_factory=dict)
    polygon: ControlPolygon | None = None


def control_gates(gated: GatedSample) -> ControlGates:
    """Return the gates in use in a control's first stimulated tube, or else in its first."""
    if not gated.tubes:
        return ControlGates()
    tube = max(gated.tubes, key=lambda tube: tube.signal.events.tube.stimulation == "stimulated")
    names = (gate.boundaries[0] for gate in current_assay().gates if gate.from_control)
    found = {name: tube.boundary(name) for name in names}
    boundaries = {name: ControlBoundary(one.detector, one.scaled) for name, one in found.items() if one is not None}
    scatter = tube.scatter_gate
    polygon = None if scatter is None else ControlPolygon((scatter.fsc, scatter.ssc), scatter.vertices)
    return ControlGates(boundaries, polygon)


def combined(controls: Sequence[ControlGates]) -> ControlGates:
    """Return the gates of several controls as one.

    A boundary is the mean of those on the same detector as the first control's, the polygon that of the first.
    """
    together = {}
    for name in dict.fromkeys(name for control in controls for name in control.boundaries):
        given = [control.boundaries[name] for control in controls if name in control.boundaries]
        same = [one.scaled for one in given if one.detector == given[0].detector]
        together[name] = ControlBoundary(given[0].detector, sum(same) / len(same))
    polygon = next((control.polygon for control in controls if control.polygon is not None), None)
    return ControlGates(together, polygon)

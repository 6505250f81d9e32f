"""What a finder of a boundary returns: position, method, flag and evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cd40l_flow.base.model import Floats
from cd40l_flow.gating.density import Density, Valley


@dataclass(frozen=True)
class Evidence:
    """The data that a boundary was searched in.

    ``curve`` is the density that was searched, between the positions ``allowed``; the population lies ``side`` (above,
    below, inside) the boundary. ``reference`` is the density for comparison (for CD69: unstimulated cells). ``valleys``
    are the candidates, ``modes`` the peaks, ``quantile`` that of the reference. All positions are on the scale of the
    curve: logicle, or what ``axis`` names (a ratio, channels) with ``origin`` and ``unit`` such that value = origin +
    unit x position.
    """

    curve: Density
    side: str
    allowed: tuple[float, float]
    valleys: tuple[Valley, ...] = ()
    modes: tuple[float, ...] = ()
    reference: Density | None = None
    quantile: float | None = None
    origin: float = 0.0
    unit: float = 1.0


@dataclass(frozen=True)
class Found:
    """The result of a search for a boundary: ``position`` on the logicle scale (None: not found), method and flag.

    Scatter gates have a ``shape`` instead, (k, 2) vertices in channels; for ratios the position is a ratio. ``control``
    is the position of the control's boundary, where there is one on the same detector.
    """

    position: float | None
    method: str
    flag: str = ""
    evidence: Evidence | None = None
    shape: Floats | None = None
    control: float | None = None


def no_gate(reason: str, evidence: Evidence | None = None) -> Found:
    """Return a result without a boundary, with the reason."""
    return Found(None, "none", reason, evidence)


def joined(*flags: str) -> str:
    """Return several flags as one text."""
    return "; ".join(dict.fromkeys(flag for flag in flags if flag))


def compare_with_control(found: Found, control: float | None, limit: float, events: int, fewest: int) -> Found:
    """Return a boundary compared with the control's, on the same scale.

    If none was found, or in fewer than ``fewest`` events, the control's is used and flagged. If it lies further than
    ``limit`` (scale units) from the control's, the flag gives the distance.
    """
    if control is None:
        return found
    if found.position is None or events < fewest:
        doubt = found.flag if found.position is None else f"only {events} events to find it in"
        flag = f"{doubt}; the control's boundary is used"
        return replace(found, position=control, method="the control's boundary", flag=flag, control=control)
    distance = found.position - control
    far = ""
    if abs(distance) > limit:
        far = f"{abs(distance):.2f} of the scale {'above' if distance > 0 else 'below'} the control's boundary"
    return replace(found, flag=joined(found.flag, far), control=control)

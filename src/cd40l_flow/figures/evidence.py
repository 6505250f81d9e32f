"""The data that a boundary was searched in, on the axis of its panel: a curve at the bottom, and marks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.figures.axes import Axis
from cd40l_flow.figures.plots import PanelEvidence
from cd40l_flow.gating.density import Density
from cd40l_flow.gating.found import Evidence, Found

POINTS = 128


class Curves:
    """The evidence curves of a sample, each kept once however many tubes it holds for."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[np.uint8]] = {}
        self._known: dict[tuple[int, str], str] = {}

    def describe(self, found: Found | None, axis: Axis) -> PanelEvidence | None:
        """Return the evidence of a boundary as a panel stores it, positions as fractions of ``axis``, or None."""
        if found is None or found.evidence is None:
            return None
        evidence = found.evidence

        def at(position: float) -> float:
            return axis.at(evidence.origin + evidence.unit * position)

        return PanelEvidence(
            curve=self._name(evidence.curve, evidence, axis),
            reference=self._name(evidence.reference, evidence, axis),
            valleys=tuple(at(valley.position) for valley in evidence.valleys),
            control=axis.at(found.control) if found.control is not None else None,
        )

    def _name(self, curve: Density | None, evidence: Evidence, axis: Axis) -> str | None:
        """Return the name of a curve's array, and keep the array."""
        if curve is None or curve.total == 0:
            return None
        key = (id(curve), f"{axis.low}:{axis.high}")
        if key not in self._known:
            name = f"e{len(self._known)}"
            places = axis.low + (np.arange(POINTS) + 0.5) / POINTS * (axis.high - axis.low)
            heights = np.interp((places - evidence.origin) / evidence.unit, curve.grid, curve.height, 0.0, 0.0)
            peak = max(float(heights.max()), 1e-12)
            self._known[key] = name
            self.arrays[name] = np.round(255 * heights / peak).astype(np.uint8)
        return self._known[key]

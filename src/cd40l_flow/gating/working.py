"""The tubes of a sample during gating, and how a boundary, found or set by hand, is applied to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.gating_limits import GatingLimits
from cd40l_flow.assay.limits import limit_named
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.tables import Gate
from cd40l_flow.base.model import Override, Singles
from cd40l_flow.gating.control_gates import ControlGates
from cd40l_flow.gating.density import Density, Ends, counted, density, density_of
from cd40l_flow.gating.found import Found, compare_with_control
from cd40l_flow.gating.model import Boundary, EventIndices, GatedTube, Population, ScatterGate, take
from cd40l_flow.signal.acquisition import Mask
from cd40l_flow.signal.prepare import TubeSignal
from cd40l_flow.signal.scale import Scale


@dataclass
class WorkingTube:
    """A tube during gating; ``dropped`` are the events outside the time gate."""

    signal: TubeSignal
    indices: dict[str, EventIndices] = field(default_factory=dict)
    dropped: EventIndices = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    parents: dict[str, str] = field(default_factory=dict)
    boundaries: list[Boundary] = field(default_factory=list)
    scatter_gate: ScatterGate | None = None
    found: dict[str, Found] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    _last: tuple[str, str, Singles] | None = None

    @property
    def stimulated(self) -> bool:
        """Whether the tube is stimulated, by the sheet."""
        return self.signal.events.tube.stimulation == "stimulated"

    def stains(self, marker: str) -> bool:
        """Whether the tube is stained for a marker: the background of a marker has its detector alone."""
        return marker in self.signal.scaled and current_assay().stained(self.signal.events.tube.reagent, marker)

    def values(self, marker: str, population: str) -> Singles:
        """Return the scaled values of a marker in a population, (n,); the last result is cached."""
        if self._last is None or self._last[:2] != (marker, population):
            self._last = (marker, population, take(self.signal.scaled[marker], self.indices[population]))
        return self._last[2]

    def add_population(self, population: str, parent: str, passes: Mask | None = None) -> None:
        """Add the population of the events of its parent that pass, (parents,); of all events without ``passes``."""
        events = self.indices[parent]
        self.add_events(population, parent, events if passes is None else events.take(np.flatnonzero(passes)))

    def add_events(self, population: str, parent: str, indices: NDArray[np.integer]) -> None:
        """Add the population of these events of its parent, in ascending order."""
        self.indices[population] = indices.astype(np.int32, copy=False)
        self.parents[population] = parent

    def finish(self) -> GatedTube:
        """Return the tube with its populations counted."""
        counts = {name: events.size for name, events in self.indices.items()}
        populations = tuple(
            Population(name, parent, counts[name], 100 * counts[name] / counts[parent] if counts[parent] else None)
            for name, parent in self.parents.items()
        )
        return GatedTube(
            signal=self.signal,
            indices=dict(self.indices),
            populations=populations,
            boundaries=tuple(self.boundaries),
            scatter_gate=self.scatter_gate,
            found=dict(self.found),
            failed=dict(self.failed),
        )


def ends_of(signals: Sequence[TubeSignal], marker: str, scales: Mapping[str, Scale]) -> Ends | None:
    """Return the pile-ups at the ends of a marker's detector, the innermost where tubes differ; None without any.

    ``scales`` maps detector -> scale.
    """
    lows: list[float] = []
    highs: list[float] = []
    last = None
    for signal in signals:
        name = signal.events.markers.get(marker)
        for values, found in ((signal.floors, lows), (signal.tops, highs)):
            if name is not None and name in values:
                last = scales[name]
                found.append(float(last.singles(np.array([values[name]], dtype=np.float32))[0]))
    return None if last is None else Ends(max(lows, default=None), min(highs, default=None), last)


@dataclass
class Working:
    """A sample during gating; ``control_gates`` as in `gate`.

    ``shared`` maps the boundaries on markers that were searched -> what was found, ``without`` are the populations that
    could not be gated.
    """

    tubes: list[WorkingTube]
    scales: Mapping[str, Scale]
    overrides: Sequence[Override]
    limits: GatingLimits
    control_gates: ControlGates
    flags: list[str] = field(default_factory=list)
    shared: dict[str, Found] = field(default_factory=dict)
    without: set[str] = field(default_factory=set)

    def override(self, gate: str, tube: WorkingTube) -> Override | None:
        """Return the override that applies here; one for this tube takes precedence over one for all tubes."""
        name = tube.signal.events.tube.fcs
        matching = [one for one in self.overrides if one.gate == gate and one.tube in ("", name)]
        return max(matching, key=lambda one: one.tube != "", default=None)

    def detector(self, marker: str) -> str:
        """Return the detector of a marker, of the first tube that has it."""
        return next(tube.signal.events.markers[marker] for tube in self.tubes if marker in tube.signal.events.markers)

    def density(self, marker: str, population: str, only: Callable[[WorkingTube], bool] | None = None) -> Density:
        """Return the density of a marker in a population, all tubes (that pass ``only``) together."""
        tubes = [
            tube
            for tube in self.tubes
            if marker in tube.signal.scaled and population in tube.indices and (only is None or only(tube))
        ]
        parts = [counted(tube.values(marker, population)) for tube in tubes]
        return density_of(np.sum(parts, axis=0), ends=self.ends(marker, tubes)) if parts else density(np.empty(0))

    def ends(self, marker: str, tubes: Sequence[WorkingTube]) -> Ends | None:
        """Return where the detector of a marker ends in some tubes."""
        return ends_of([tube.signal for tube in tubes], marker, self.scales)

    def compare_with_control(self, gate: Gate, found: Found, events: int) -> Found:
        """Return a boundary compared with the control's on the same detector, if there is one."""
        control = self.control_gates.boundaries.get(gate.boundaries[0])
        if control is None or control.detector != self.detector(gate.marker):
            return found
        limit = limit_named(self.limits, gate.distance)
        return compare_with_control(found, control.scaled, limit, events, self.limits.min_events)

    def boundary(
        self, gate: str, tube: WorkingTube, detector: str, found: Found, scale: Scale | None
    ) -> Boundary | None:
        """Return the boundary for a tube: the found one, or one set by hand that keeps the found value."""
        tube.found[gate] = found
        boundary = None
        if found.position is not None:
            value = scale.to_linear(found.position) if scale else found.position
            boundary = Boundary(gate, "", detector, value, found.position, found.method, found.flag)
        override = self.override(gate, tube)
        if override is None:
            return boundary
        scaled = scale.to_scaled(override.value) if scale else override.value
        return set_by_hand(override, detector, scaled, boundary.value if boundary else None, found.flag)

    def threshold(self, gate: Gate, found: Found, parent: str) -> bool:
        """Apply one threshold to every tube with the gate's marker; return whether it could be drawn in any.

        Values at the boundary count as below it.
        """
        drawn = False
        for tube in self.tubes:
            if gate.marker not in tube.signal.scaled or parent not in tube.indices:
                continue
            detector = tube.signal.events.markers[gate.marker]
            boundary = self.boundary(gate.boundaries[0], tube, detector, found, self.scales[detector])
            if boundary is None:
                tube.failed[gate.population] = parent
                continue
            scaled = tube.values(gate.marker, parent)
            if boundary not in tube.boundaries:
                tube.boundaries.append(boundary)
            passes = scaled > boundary.scaled if gate.above else scaled <= boundary.scaled
            tube.add_population(gate.population, parent, passes)
            if gate.others:
                tube.add_population(gate.others, parent, ~passes)
            drawn = True
        if not drawn and found.flag:
            self.flags.append(found.flag)
        return drawn


def set_by_hand(
    override: Override, detector: str, scaled: float, automatic: float | None = None, flag: str = ""
) -> Boundary:
    """Return a boundary set by hand; ``automatic`` is the value found, ``flag`` its warning."""
    return Boundary(
        gate=override.gate,
        tube=override.tube,
        detector=detector,
        value=override.value,
        scaled=scaled,
        method="override",
        flag=flag,
        automatic=automatic,
        by=override.by,
        reason=override.reason,
    )

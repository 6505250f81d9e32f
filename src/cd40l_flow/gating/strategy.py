"""The gating strategy: time, lymphocytes, singlets, viability, CD3+, CD8-, CD69+, the same for every tube of a
sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cd40l_flow.gating import thresholds
from cd40l_flow.gating.model import (
    ACTIVATED,
    CD3_POSITIVE,
    CD8_NEGATIVE,
    CD8_POSITIVE,
    LYMPHOCYTES,
    SINGLETS,
    TIME,
    VIABLE,
    Boundary,
    GatedSample,
    GatedTube,
    Population,
    ScatterGate,
)
from cd40l_flow.gating.scatter import find_lymphocytes, find_singlets, rectangle, singlet_ratio
from cd40l_flow.gating.thresholds import Found
from cd40l_flow.inputs.model import Floats, Override, Sample
from cd40l_flow.signal.acquisition import Mask, at_the_top
from cd40l_flow.signal.prepare import TubeSignal
from cd40l_flow.signal.scale import Scale

SCATTER_SIDES = ("lymph_fsc_low", "lymph_fsc_high", "lymph_ssc_low", "lymph_ssc_high")


@dataclass
class _Tube:
    """A tube while it is being gated."""

    signal: TubeSignal
    masks: dict[str, Mask] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    boundaries: list[Boundary] = field(default_factory=list)
    scatter_gate: ScatterGate | None = None

    @property
    def stimulated(self) -> bool:
        return self.signal.events.tube.stimulation == "stimulated"

    def narrow(self, population: str, parent: str, passes: Mask) -> None:
        self.masks[population] = self.masks[parent] & passes
        self.parents[population] = parent


def gate(
    sample: Sample,
    signals: Sequence[TubeSignal],
    scales: Mapping[str, Scale],
    overrides: Sequence[Override],
    limits: Mapping[str, Any],
) -> GatedSample:
    """Return the gated tubes of a sample: boundaries are found on its tubes together, then hold for each of them.

    ``scales`` maps detector -> scale, ``limits`` is the group ``gating`` of the configuration. A gate that cannot be
    drawn leaves its population and those below it out of ``masks`` of every tube; the reason stands in ``flags``.
    """
    gating = _Gating(sample, [_Tube(signal) for signal in signals], scales, overrides, limits)
    return gating.run()


class _Gating:
    """One run of the strategy over the tubes of a sample, step by step."""

    def __init__(
        self,
        sample: Sample,
        tubes: list[_Tube],
        scales: Mapping[str, Scale],
        overrides: Sequence[Override],
        limits: Mapping[str, Any],
    ) -> None:
        self.sample, self.tubes, self.scales, self.limits = sample, tubes, scales, limits
        self.overrides = overrides
        self.flags: list[str] = []

    def run(self) -> GatedSample:
        self._time()
        parent = TIME
        steps: tuple[tuple[str, Callable[[str], bool]], ...] = (
            (LYMPHOCYTES, self._lymphocytes),
            (SINGLETS, self._singlets),
            (VIABLE, self._viable),
            (CD3_POSITIVE, self._cd3),
            (CD8_NEGATIVE, self._cd8),
            (ACTIVATED, self._cd69),
        )
        for population, step in steps:
            if not self.tubes or not step(parent):
                break
            if any(population in tube.masks for tube in self.tubes):
                parent = population
        return GatedSample(
            sample=self.sample,
            tubes=tuple(_finish(tube) for tube in self.tubes),
            scales=self.scales,
            flags=tuple(self.flags),
        )

    def _override(self, gate: str, tube: _Tube) -> Override | None:
        """Return the line of the override table that holds here; one for this tube goes before one for all tubes."""
        name = tube.signal.events.tube.fcs
        matching = [o for o in self.overrides if o.gate == gate and o.tube in ("", name)]
        return max(matching, key=lambda o: o.tube != "", default=None)

    def _boundary(self, gate: str, tube: _Tube, detector: str, found: Found, scale: Scale | None) -> Boundary | None:
        """Return the boundary for a tube: the found one, or a person's in its place with the found one beside it."""
        boundary = None
        if found.position is not None:
            value = scale.to_linear(found.position) if scale else found.position
            boundary = Boundary(gate, "", detector, value, found.position, found.method, found.flag)
        override = self._override(gate, tube)
        if override is None:
            return boundary
        return Boundary(
            gate=gate,
            tube=override.tube,
            detector=detector,
            value=override.value,
            scaled=scale.to_scaled(override.value) if scale else override.value,
            method="override",
            flag=found.flag,
            automatic=boundary.value if boundary else None,
            by=override.by,
            reason=override.reason,
        )

    def _time(self) -> None:
        for tube in self.tubes:
            signal = tube.signal
            tube.masks["all"] = np.ones(signal.events.values.shape[0], dtype=bool)
            passes = signal.acquisition.keep.copy()
            time = signal.events.time
            for name, side in (("time_low", 1), ("time_high", -1)):
                override = self._override(name, tube)
                if override is None or time is None:
                    continue
                passes &= side * time >= side * override.value
                tube.boundaries.append(
                    Boundary(
                        name, override.tube, signal.events.scatter.time or "", override.value, override.value,
                        "override", by=override.by, reason=override.reason,
                    )
                )  # fmt: skip
            tube.narrow(TIME, "all", passes)

    def _pooled(self, population: str, marker: str, *, stimulated_only: bool = False) -> Floats:
        """Return the scaled values of a marker in a population, all (stimulated) tubes together, (n,)."""
        tubes = [tube for tube in self.tubes if tube.stimulated or not stimulated_only] or self.tubes
        return np.concatenate([tube.signal.scaled[marker][tube.masks[population]] for tube in tubes])

    def _lymphocytes(self, parent: str) -> bool:
        fsc, ssc, cd3 = [], [], []
        for tube in self.tubes:
            signal = tube.signal
            x, y = (signal.detector(name) for name in (signal.events.scatter.fsc, signal.events.scatter.ssc))
            # Saturated scatter is not a place; dead cells blur the cloud that CD3 marks out.
            usable = tube.masks[parent] & ~at_the_top(x, np.inf) & ~at_the_top(y, np.inf)
            if "viability" in signal.scaled:
                dead = thresholds.find_viability(signal.scaled["viability"][usable])
                if dead.position is not None:
                    usable &= signal.scaled["viability"] < dead.position
            fsc.append(x[usable])
            ssc.append(y[usable])
            cd3.append(signal.scaled["CD3"][usable])
        scatter = self.tubes[0].signal.events.scatter
        found = find_lymphocytes(
            np.concatenate(fsc), np.concatenate(ssc), np.concatenate(cd3), (scatter.fsc, scatter.ssc)
        )
        if found is None:
            self.flags.append("no CD3+ lymphocytes found in FSC x SSC: no gate was drawn")
            return False
        for tube in self.tubes:
            sides = {}
            for name in SCATTER_SIDES:
                override = self._override(name, tube)
                if override is not None:
                    detector = found.fsc if "fsc" in name else found.ssc
                    sides[name] = Boundary(
                        name, override.tube, detector, override.value, override.value, "override",
                        by=override.by, reason=override.reason,
                    )  # fmt: skip
            drawn = rectangle(found, sides) if sides else found
            tube.boundaries.extend(sides.values())
            tube.scatter_gate = drawn
            x, y = tube.signal.detector(drawn.fsc), tube.signal.detector(drawn.ssc)
            tube.narrow(LYMPHOCYTES, parent, drawn.inside(x, y))
        return True

    def _singlets(self, parent: str) -> bool:
        for tube in self.tubes:
            ratio = singlet_ratio(tube.signal)
            if ratio is None:
                continue
            band = find_singlets(ratio[tube.masks[parent]])
            low, high = band if band else (None, None)
            flag = "" if band else "too few lymphocytes for a singlet gate"
            scatter = tube.signal.events.scatter
            name = f"{scatter.fsc}/{scatter.fsc_height}" if scatter.fsc_height else str(scatter.fsc_width)
            passes = np.ones(ratio.size, dtype=bool)
            drawn = False
            for gate_name, position, side in (("singlet_low", low, 1), ("singlet_high", high, -1)):
                found = Found(position, "mode \N{PLUS-MINUS SIGN} 4 SD", flag)
                boundary = self._boundary(gate_name, tube, name, found, None)
                if boundary is not None:
                    boundary = replace(boundary, tube=tube.signal.events.tube.fcs)
                    tube.boundaries.append(boundary)
                    passes &= side * ratio >= side * boundary.value
                    drawn = True
            tube.narrow(SINGLETS, parent, passes & np.isfinite(ratio) if drawn else passes)
        without = [tube for tube in self.tubes if SINGLETS not in tube.masks]
        if without:
            self.flags.append(f"singlets not assessable in {len(without)} tube(s): no second FSC measure")
            if len(without) < len(self.tubes):
                for tube in without:
                    tube.narrow(SINGLETS, parent, tube.masks[parent])
        return True

    def _threshold(self, gate: str, marker: str, found: Found, population: str, parent: str, *, above: bool) -> bool:
        """Draw one threshold in every tube; return whether it could be drawn anywhere."""
        drawn = False
        for tube in self.tubes:
            if marker not in tube.signal.scaled:
                continue
            detector = tube.signal.events.markers[marker]
            boundary = self._boundary(gate, tube, detector, found, self.scales[detector])
            if boundary is None:
                continue
            scaled = tube.signal.scaled[marker]
            tube.boundaries.append(boundary)
            tube.narrow(population, parent, scaled > boundary.scaled if above else scaled <= boundary.scaled)
            drawn = True
        if not drawn and found.flag:
            self.flags.append(found.flag)
        return drawn

    def _viable(self, parent: str) -> bool:
        stained = [tube for tube in self.tubes if "viability" in tube.signal.scaled]
        if stained:
            pooled = np.concatenate([tube.signal.scaled["viability"][tube.masks[parent]] for tube in stained])
            found = thresholds.find_viability(pooled)
            self._threshold("viability_high", "viability", found, VIABLE, parent, above=False)
            for tube in self.tubes:
                if VIABLE not in tube.masks and any(VIABLE in other.masks for other in self.tubes):
                    tube.narrow(VIABLE, parent, tube.masks[parent])
        if len(stained) < len(self.tubes):
            self.flags.append(f"viability not stained in {len(self.tubes) - len(stained)} tube(s)")
        return True

    def _cd3(self, parent: str) -> bool:
        scale = self.scales[self.tubes[0].signal.events.markers["CD3"]]
        found = thresholds.find_cd3(self._pooled(parent, "CD3", stimulated_only=True), scale)
        return self._threshold("cd3_low", "CD3", found, CD3_POSITIVE, parent, above=True)

    def _cd8(self, parent: str) -> bool:
        found = thresholds.find_cd8(self._pooled(parent, "CD8", stimulated_only=True))
        drawn = self._threshold("cd8_high", "CD8", found, CD8_NEGATIVE, parent, above=False)
        for tube in self.tubes:
            if CD8_NEGATIVE in tube.masks:
                tube.narrow(CD8_POSITIVE, parent, ~tube.masks[CD8_NEGATIVE])
        return drawn

    def _cd69(self, parent: str) -> bool:
        def pooled(*, stimulated: bool) -> Floats:
            parts = [t.signal.scaled["CD69"][t.masks[parent]] for t in self.tubes if t.stimulated == stimulated]
            return np.concatenate(parts) if parts else np.empty(0)

        scale = self.scales[self.tubes[0].signal.events.markers["CD69"]]
        found = thresholds.find_cd69(
            pooled(stimulated=False),
            pooled(stimulated=True),
            scale,
            float(self.limits["cd69_unstimulated_max_percent"]),
        )
        return self._threshold("cd69_low", "CD69", found, ACTIVATED, parent, above=True)


def _finish(tube: _Tube) -> GatedTube:
    populations = []
    for population, parent in tube.parents.items():
        count, total = int(np.count_nonzero(tube.masks[population])), int(np.count_nonzero(tube.masks[parent]))
        populations.append(Population(population, parent, count, 100 * count / total if total else None))
    return GatedTube(tube.signal, dict(tube.masks), tuple(populations), tuple(tube.boundaries), tube.scatter_gate)

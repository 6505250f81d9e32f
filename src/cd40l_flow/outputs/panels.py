"""The gating panels of one tube: binned parent populations with the gate that was drawn on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cd40l_flow.expression.histogram import HIGH, LOW
from cd40l_flow.gating.model import (
    ACTIVATED,
    CD3_POSITIVE,
    CD4_POSITIVE,
    CD8_NEGATIVE,
    GATE_POPULATION,
    LYMPHOCYTES,
    SINGLETS,
    TIME,
    VIABLE,
    Boundary,
    GatedSample,
    GatedTube,
    ScatterGate,
)
from cd40l_flow.gating.singlets import singlet_ratio
from cd40l_flow.inputs.model import Floats
from cd40l_flow.outputs.axes import Axis
from cd40l_flow.outputs.evidence import Curves
from cd40l_flow.signal.prepare import TubeSignal

CELLS = 128
TARGET_LABEL = {"CD154-2": "CD154 (clone 2)"}
# Population, the marker that cuts it out, its boundary, and on which side the population lies.
THRESHOLDS = (
    (VIABLE, "viability", "viability_high", "below"),
    (CD3_POSITIVE, "CD3", "cd3_low", "above"),
    (CD8_NEGATIVE, "CD8", "cd8_high", "below"),
    (CD4_POSITIVE, "CD4", "cd4_low", "above"),
    (ACTIVATED, "CD69", "cd69_low", "above"),
)
SINGLET_ENDS = ("singlet_low", "singlet_high")
Drawn = tuple[Axis, Floats]


def scatter_tops(gated: GatedSample, controls: Sequence[Sequence[float]] = ()) -> tuple[float, float]:
    """Return the tops of the FSC and SSC axes, shared by the tubes: what holds 98 % of events, and the whole gate.

    ``controls`` are the tops of the controls: a sample takes theirs, so that it can be laid beside them, unless its own
    gate would not fit.
    """
    if not gated.tubes:
        return 1.0, 1.0
    scatter = gated.tubes[0].signal.events.scatter
    gates = [tube.scatter_gate.vertices.max(axis=0) for tube in gated.tubes if tube.scatter_gate is not None]
    fsc, ssc = (
        _top(
            max((1.05 * float(gate[axis]) for gate in gates), default=0.0),
            max(float(np.quantile(tube.signal.detector(name), 0.98)) for tube in gated.tubes),
            [control[axis] for control in controls],
        )
        for axis, name in enumerate((scatter.fsc, scatter.ssc))
    )
    return fsc, ssc


def _top(gate: float, events: float, controls: Sequence[float]) -> float:
    """Return the controls' top of an axis where the gate fits below it, else the sample's own."""
    shared = max(controls, default=0.0)
    return shared if shared > gate else max(gate, events)


def draw_panels(
    gated: GatedSample, tube: GatedTube, tops: tuple[float, float], prefix: str, curves: Curves
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the panels of one tube and their arrays, name -> (128, 128) uint32 counts, [x, y].

    ``tops`` are the ends of the FSC and SSC axes, ``prefix`` begins the arrays' names, ``curves`` takes what the
    boundaries were looked for in. Positions are fractions of an axis. A gate that could not be drawn leaves a panel of
    its parent, with what was looked at, that says why; gates behind it a panel that is ``missing``.
    """
    strip = _Strip(gated, tube, prefix, curves)
    signal = tube.signal
    scatter = signal.events.scatter
    fsc = (Axis(scatter.fsc, 0.0, tops[0]), signal.detector(scatter.fsc))
    ssc = (Axis(scatter.ssc, 0.0, tops[1]), signal.detector(scatter.ssc))
    target = (fluorescence_axis(gated, signal, "target"), signal.scaled["target"])
    if signal.events.time is not None:
        seconds = Axis("Time (s)", 0.0, max(float(signal.events.time.max(initial=0.0)), 1.0))
        strip.add(TIME, (seconds, signal.events.time), target, _time_band(tube, seconds))
    else:
        strip.panels.append({"population": TIME, "missing": signal.events.time_problem})
    if LYMPHOCYTES in tube.failed:
        # What failed was the search for CD3+ cells.
        cd3 = (fluorescence_axis(gated, signal, "CD3"), signal.scaled["CD3"])
        strip.add(LYMPHOCYTES, cd3, ssc, None, LYMPHOCYTES)
    else:
        strip.add(LYMPHOCYTES, fsc, ssc, _polygon(tube.scatter_gate, fsc[0], ssc[0]), LYMPHOCYTES)
    ratio = _ratio(tube)
    strip.add(SINGLETS, ratio or fsc, fsc, _singlet_band(tube, ratio[0]) if ratio else None, "singlet_low")
    for population, marker, gate, side in THRESHOLDS:
        if marker not in signal.scaled:
            if population != CD4_POSITIVE:
                strip.panels.append({"population": population, "missing": "not stained"})
            continue
        if population == CD4_POSITIVE and population not in {*tube.masks, *tube.failed}:
            continue
        x = (fluorescence_axis(gated, signal, marker), signal.scaled[marker])
        y = target if marker == "CD69" else ssc
        strip.add(population, x, y, _threshold(tube.boundary(gate), x[0], side), gate)
    return strip.panels, strip.arrays


class _Strip:
    """The panels of one tube as they come together."""

    def __init__(self, gated: GatedSample, tube: GatedTube, prefix: str, curves: Curves) -> None:
        self.gated, self.tube, self.prefix, self.curves = gated, tube, prefix, curves
        self.panels: list[dict[str, Any]] = []
        self.arrays: dict[str, Any] = {}

    def add(self, population: str, x: Drawn, y: Drawn, gate: dict[str, Any] | None, evidence: str = "") -> None:
        """Add the panel of a population: its parent on two axes, its gate, and what the gate was looked for in."""
        tube = self.tube
        counted = next((p for p in tube.populations if p.population == population), None)
        failed = population in tube.failed
        if counted is None and not failed:
            self.panels.append({"population": population, "missing": _why(self.gated, population, tube.signal)})
            return
        parent = tube.failed[population] if counted is None else counted.parent
        name = f"{self.prefix}{len(self.panels)}"
        inside = tube.masks[parent]
        self.arrays[name] = _counts(x[0].fraction(x[1][inside]), y[0].fraction(y[1][inside]))
        found = tube.found.get(evidence)
        panel = {
            "population": population,
            "parent": parent,
            "x": x[0].describe(),
            "y": y[0].describe(),
            "array": name,
            "gate": gate,
            "failed": (found.flag if found else "") or "not drawn" if failed else None,
            "evidence": self.curves.describe(found, x[0]),
            "count": counted.count if counted else None,
            "parent_count": int(np.count_nonzero(inside)),
            "percent_of_parent": counted.percent_of_parent if counted else None,
        }
        self.panels.append(panel | _doubts(tube, population))


def fluorescence_axis(gated: GatedSample, signal: TubeSignal, marker: str) -> Axis:
    """Return the logicle axis of a marker of a tube."""
    detector = signal.events.markers[marker]
    reagent = signal.events.tube.reagent
    label = TARGET_LABEL.get(reagent, reagent) if marker == "target" else marker
    return Axis(f"{label} ({detector})", LOW, HIGH, gated.scales[detector])


def _why(gated: GatedSample, population: str, signal: TubeSignal) -> str:
    if population == SINGLETS and singlet_ratio(signal) is None:
        return "no second FSC measure in this file"
    # The step that could not go on is the last to have spoken.
    return gated.flags[-1] if gated.flags else "the gate before it could not be drawn"


def _doubts(tube: GatedTube, population: str) -> dict[str, Any]:
    """Return how a population's boundaries were found, whether a person set one, and what to doubt."""
    boundaries = [boundary for boundary in tube.boundaries if GATE_POPULATION[boundary.gate] == population]
    gates: list[Boundary | ScatterGate] = [*boundaries]
    if population == LYMPHOCYTES and tube.scatter_gate is not None:
        gates.insert(0, tube.scatter_gate)
    return {
        "overridden": any(boundary.overridden for boundary in boundaries),
        "method": "; ".join(dict.fromkeys(gate.method for gate in gates if gate.method)),
        "flag": "; ".join(dict.fromkeys(gate.flag for gate in gates if gate.flag)),
    }


def _counts(x: Floats, y: Floats) -> Any:
    """Return the (128, 128) counts of fractions of two axes, [x, y]."""
    column = np.minimum((x * CELLS).astype(np.intp), CELLS - 1)
    row = np.minimum((y * CELLS).astype(np.intp), CELLS - 1)
    return np.bincount(column * CELLS + row, minlength=CELLS * CELLS).reshape(CELLS, CELLS).astype(np.uint32)


def _polygon(gate: ScatterGate | None, x: Axis, y: Axis) -> dict[str, Any] | None:
    if gate is None:
        return None

    def fractions(vertices: Floats) -> list[list[float]]:
        return [[x.at(float(across)), y.at(float(up))] for across, up in vertices]

    told: dict[str, Any] = {"kind": "polygon", "vertices": fractions(gate.vertices)}
    if gate.automatic is not None:
        told["automatic"] = fractions(gate.automatic)
    return told


def _time_band(tube: GatedTube, seconds: Axis) -> dict[str, Any] | None:
    """Return the times set by hand as vertical lines; stretches cut automatically show as missing events."""
    ends = [boundary for gate in ("time_low", "time_high") if (boundary := tube.boundary(gate)) is not None]
    segments = [_upright(seconds.at(end.value)) for end in ends]
    return {"kind": "band", "segments": segments} if segments else None


def _ratio(tube: GatedTube) -> Drawn | None:
    """Return the axis and values of FSC area over height, or of FSC width; None where the file has neither."""
    ratio = singlet_ratio(tube.signal)
    if ratio is None:
        return None
    scatter = tube.signal.events.scatter
    name = f"{scatter.fsc} / {scatter.fsc_height}" if scatter.fsc_height else str(scatter.fsc_width)
    values = np.nan_to_num(ratio, nan=0.0, posinf=0.0)
    inside = values[tube.masks.get(LYMPHOCYTES, tube.masks["all"])]
    low, high = np.quantile(inside, (0.002, 0.995)) if inside.size else (0.0, 1.0)
    edges = [one.value for one in map(tube.boundary, SINGLET_ENDS) if one is not None]
    low, high = min(float(low), *edges, float(high)), max(float(high), *edges, float(low) + 1e-9)
    room = 0.15 * (high - low)
    return Axis(name, low - room, high + room), values


def _singlet_band(tube: GatedTube, x: Axis) -> dict[str, Any] | None:
    """Return the singlet band as two vertical lines, and where the automatic ones were if a person moved any."""
    ends = [one for one in map(tube.boundary, SINGLET_ENDS) if one is not None]
    if not ends:
        return None
    told: dict[str, Any] = {"kind": "band", "segments": [_upright(x.at(end.value)) for end in ends]}
    automatic = [end.automatic for end in ends if end.automatic is not None]
    if automatic:
        told["automatic"] = [_upright(x.at(value)) for value in automatic]
    return told


def _upright(at: float) -> list[list[float]]:
    return [[at, 0.0], [at, 1.0]]


def _threshold(boundary: Boundary | None, axis: Axis, side: str) -> dict[str, Any] | None:
    if boundary is None:
        return None
    automatic = None
    if boundary.automatic is not None and axis.scale is not None:
        automatic = axis.at(axis.scale.to_scaled(boundary.automatic))
    return {"kind": "threshold", "axis": "x", "side": side, "at": axis.at(boundary.scaled), "automatic": automatic}

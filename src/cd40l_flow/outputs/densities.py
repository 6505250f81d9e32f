"""The binned data that figures are drawn from: no figure needs the events again."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cd40l_flow.expression.case import Case
from cd40l_flow.expression.histogram import HIGH as SCALE_HIGH
from cd40l_flow.expression.histogram import LOW as SCALE_LOW
from cd40l_flow.expression.histogram import histogram
from cd40l_flow.expression.model import Expression
from cd40l_flow.gating.model import (
    ACTIVATED,
    CD3_POSITIVE,
    CD8_NEGATIVE,
    LYMPHOCYTES,
    SINGLETS,
    TIME,
    VIABLE,
    Boundary,
    GatedSample,
    GatedTube,
)
from cd40l_flow.gating.strategy import singlet_ratio
from cd40l_flow.inputs.model import Floats
from cd40l_flow.signal.prepare import TubeSignal
from cd40l_flow.signal.scale import Scale

CELLS = 128
BINS = 256
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
TARGET_LABEL = {"CD154-2": "CD154 (clone 2)"}


class _Axis:
    """One axis of a figure: positions of values as fractions of its length, and its ticks."""

    def __init__(self, label: str, low: float, high: float, scale: Scale | None = None) -> None:
        self.label, self.low, self.high, self.scale = label, low, high, scale

    def fraction(self, values: Floats) -> Floats:
        """Return where values on the axis's own scale lie, 0 to 1, clipped to the axis."""
        clipped: Floats = np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)
        return clipped

    def at(self, value: float) -> float:
        return float(self.fraction(np.array([value]))[0])

    def describe(self) -> dict[str, Any]:
        return {"label": self.label, "ticks": self._ticks()}

    def _ticks(self) -> list[list[Any]]:
        if self.scale is None:
            step = 10 ** np.floor(np.log10(max(self.high - self.low, 1e-9)))
            step = step / 2 if (self.high - self.low) / step < 3 else step
            values = np.arange(np.ceil(self.low / step), np.floor(self.high / step) + 1) * step
            return [[round(self.at(value), 6), _plain(float(value))] for value in values]
        ticks = []
        width = self.scale.linear_width
        for value in [-1e3, -1e2, 0.0, *(10.0**power for power in range(2, 7))]:
            if value and abs(value) < 1.5 * width:
                continue
            position = (self.scale.to_scaled(value) - self.low) / (self.high - self.low)
            if 0 <= position <= 1:
                ticks.append([round(position, 6), _power(value)])
        return ticks


def _plain(value: float) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"


def _power(value: float) -> str:
    if value == 0:
        return "0"
    return ("-" if value < 0 else "") + "10" + str(round(np.log10(abs(value)))).translate(SUPERSCRIPTS)


def densities(gated: GatedSample, case: Case) -> dict[str, Any]:
    """Return the arrays of a sample's figures and their ``index`` (JSON text): what ``densities.npz`` holds.

    2-D arrays are (128, 128) uint32 counts, [x, y]; 1-D arrays (256,) counts. Positions in the index are fractions of an axis.
    """
    arrays: dict[str, Any] = {}
    fsc_high, ssc_high = _scatter_range(gated)
    tubes = []
    for number, tube in enumerate(gated.tubes):
        panels = [
            panel | ({"array": name} if array is not None else {})
            for name, panel, array in _panels(gated, case, tube, number, (fsc_high, ssc_high), arrays)
        ]
        sheet = tube.signal.events.tube
        tubes.append({"fcs": sheet.fcs, "stimulation": sheet.stimulation, "reagent": sheet.reagent, "panels": panels})
    index = {
        "tubes": tubes,
        "targets": [_target(gated, expression, arrays) for expression in case.reagents.values()],
        "activation": _activation(gated, case, arrays),
    }
    arrays["index"] = np.array(json.dumps(index, sort_keys=True, ensure_ascii=True))
    return arrays


def write_densities(arrays: Mapping[str, Any], path: Path) -> None:
    """Write the arrays as a compressed npz file: equal arrays are equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: arrays[name] for name in sorted(arrays)})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())


def _scatter_range(gated: GatedSample) -> tuple[float, float]:
    """Return the top of the FSC and SSC axes, shared by the tubes: what holds 99 % of events, and the whole gate."""
    if gated.scatter_gate is None:
        highs = [
            [np.quantile(tube.signal.detector(name), 0.99) for tube in gated.tubes]
            for name in (gated.tubes[0].signal.events.scatter.fsc, gated.tubes[0].signal.events.scatter.ssc)
        ] if gated.tubes else [[1.0], [1.0]]  # fmt: skip
        return float(max(highs[0])), float(max(highs[1]))
    gate = gated.scatter_gate
    tops = gate.vertices.max(axis=0)
    highs = [
        max(float(np.quantile(tube.signal.detector(name), 0.98)) for tube in gated.tubes)
        for name in (gate.fsc, gate.ssc)
    ]
    return max(highs[0], 1.15 * float(tops[0])), max(highs[1], 1.15 * float(tops[1]))


def _panels(
    gated: GatedSample,
    case: Case,
    tube: GatedTube,
    number: int,
    tops: tuple[float, float],
    arrays: dict[str, Any],
) -> list[tuple[str, dict[str, Any], Any]]:
    signal = tube.signal
    scatter = signal.events.scatter
    fsc = (_Axis(scatter.fsc, 0.0, tops[0]), signal.detector(scatter.fsc))
    ssc = (_Axis(scatter.ssc, 0.0, tops[1]), signal.detector(scatter.ssc))
    drawn: list[tuple[str, dict[str, Any], Any]] = []

    def add(population: str, x: tuple[_Axis, Floats], y: tuple[_Axis, Floats], gate: Any, flag: str = "") -> None:
        found = next((p for p in tube.populations if p.population == population), None)
        if found is None:
            drawn.append(("", {"population": population, "missing": _why(gated, population, signal)}, None))
            return
        name = f"t{number}p{len(drawn)}"
        inside = tube.masks[found.parent]
        arrays[name] = _counts(x[0].fraction(x[1][inside]), y[0].fraction(y[1][inside]))
        parent_count = int(np.count_nonzero(inside))
        panel = {
            "population": population,
            "parent": found.parent,
            "x": x[0].describe(),
            "y": y[0].describe(),
            "gate": gate,
            "count": found.count,
            "parent_count": parent_count,
            "percent_of_parent": found.percent_of_parent,
            "overridden": any(b.overridden for b in _boundaries_of(tube, population)),
            "method": "; ".join(dict.fromkeys(b.method for b in _boundaries_of(tube, population) if b.method)),
            "flag": flag or "; ".join(dict.fromkeys(b.flag for b in _boundaries_of(tube, population) if b.flag)),
        }
        drawn.append((name, panel, arrays[name]))

    polygon = _polygon(tube, gated, fsc[0], ssc[0])
    add(LYMPHOCYTES, fsc, ssc, polygon, gated.scatter_gate.flag if gated.scatter_gate else "")
    add(SINGLETS, *_singlet_panel(tube, fsc))
    for population, marker, gate_name, side in (
        (VIABLE, "viability", "viability_high", "below"),
        (CD3_POSITIVE, "CD3", "cd3_low", "above"),
        (CD8_NEGATIVE, "CD8", "cd8_high", "below"),
        (ACTIVATED, "CD69", "cd69_low", "above"),
    ):
        if marker not in signal.scaled:
            drawn.append(("", {"population": population, "missing": "not stained"}, None))
            continue
        axis = _fluorescence(gated, signal, marker)
        other = ssc
        if marker == "CD69":
            other = (_fluorescence(gated, signal, "target"), signal.scaled["target"])
        add(population, (axis, signal.scaled[marker]), other, _threshold(tube.boundary(gate_name), axis, side))
    return drawn


def _why(gated: GatedSample, population: str, signal: TubeSignal) -> str:
    if population == SINGLETS and singlet_ratio(signal) is None:
        return "no second FSC measure in this file"
    return gated.flags[0] if gated.flags else "the gate before it could not be drawn"


def _boundaries_of(tube: GatedTube, population: str) -> list[Boundary]:
    names = {
        LYMPHOCYTES: ("lymph_fsc_low", "lymph_fsc_high", "lymph_ssc_low", "lymph_ssc_high"),
        SINGLETS: ("singlet_low", "singlet_high"),
        VIABLE: ("viability_high",),
        CD3_POSITIVE: ("cd3_low",),
        CD8_NEGATIVE: ("cd8_high",),
        ACTIVATED: ("cd69_low",),
        TIME: ("time_low", "time_high"),
    }[population]
    return [boundary for boundary in tube.boundaries if boundary.gate in names]


def _fluorescence(gated: GatedSample, signal: TubeSignal, marker: str) -> _Axis:
    detector = signal.events.markers[marker]
    label = TARGET_LABEL.get(signal.events.tube.reagent, signal.events.tube.reagent) if marker == "target" else marker
    return _Axis(f"{label} ({detector})", SCALE_LOW, SCALE_HIGH, gated.scales[detector])


def _counts(x: Floats, y: Floats) -> Any:
    """Return the (128, 128) counts of fractions of two axes, [x, y]."""
    column = np.minimum((x * CELLS).astype(np.intp), CELLS - 1)
    row = np.minimum((y * CELLS).astype(np.intp), CELLS - 1)
    return np.bincount(column * CELLS + row, minlength=CELLS * CELLS).reshape(CELLS, CELLS).astype(np.uint32)


def _polygon(tube: GatedTube, gated: GatedSample, x: _Axis, y: _Axis) -> dict[str, Any] | None:
    gate = gated.scatter_gate
    if gate is None:
        return None
    vertices = [[x.at(float(vx)), y.at(float(vy))] for vx, vy in gate.vertices]
    told: dict[str, Any] = {"kind": "polygon", "vertices": vertices}
    if gate.automatic is not None:
        told["automatic"] = [[x.at(float(vx)), y.at(float(vy))] for vx, vy in gate.automatic]
    return told


def _singlet_panel(
    tube: GatedTube, fsc: tuple[_Axis, Floats]
) -> tuple[tuple[_Axis, Floats], tuple[_Axis, Floats], dict[str, Any] | None]:
    """Return x (FSC height or width), y (FSC area) and the band between the two ratios as line segments."""
    signal = tube.signal
    scatter = signal.events.scatter
    name = scatter.fsc_height or scatter.fsc_width or scatter.fsc
    values = signal.detector(name)
    x = _Axis(name, 0.0, float(np.quantile(values, 0.995)) * 1.05)
    y = fsc[0]
    segments = []
    for gate in ("singlet_low", "singlet_high"):
        boundary = tube.boundary(gate)
        if boundary is None:
            continue
        if scatter.fsc_height:
            # The line FSC-A = ratio x FSC-H, up to where it leaves the axes.
            reach = min(x.high, y.high / boundary.value) if boundary.value > 0 else x.high
            segments.append([[0.0, 0.0], [x.at(reach), y.at(boundary.value * reach)]])
        else:
            segments.append([[x.at(boundary.value), 0.0], [x.at(boundary.value), 1.0]])
    return (x, values), fsc, {"kind": "band", "segments": segments} if segments else None


def _threshold(boundary: Boundary | None, axis: _Axis, side: str) -> dict[str, Any] | None:
    if boundary is None:
        return None
    automatic = None
    if boundary.automatic is not None and axis.scale is not None:
        automatic = axis.at(axis.scale.to_scaled(boundary.automatic))
    return {"kind": "threshold", "axis": "x", "side": side, "at": axis.at(boundary.scaled), "automatic": automatic}


def _target(gated: GatedSample, expression: Expression, arrays: dict[str, Any]) -> dict[str, Any]:
    """Return the index entry of one reagent's histograms, and add its arrays."""
    label = TARGET_LABEL.get(expression.reagent, expression.reagent)
    axis = _Axis(f"{label} ({expression.detector})", SCALE_LOW, SCALE_HIGH, expression.scale)
    resting = [
        tube.signal.scaled["target"][tube.masks[CD8_NEGATIVE]]
        for tube in gated.tubes
        if tube.signal.events.tube.stimulation == "unstimulated"
        and tube.signal.events.tube.reagent == expression.reagent
        and CD8_NEGATIVE in tube.masks
    ]
    key = expression.reagent.lower().replace("-", "")
    told: dict[str, Any] = {
        "reagent": expression.reagent,
        "axis": axis.describe(),
        "threshold": axis.at(expression.threshold_scaled),
        "names": {"background": expression.anchor.source, "unstimulated": "unstimulated CD3+CD8-"},
    }
    curves: dict[str, Floats | None] = {
        "sample": _rebin(expression.counts),
        "background": _rebin(expression.anchor.counts),
        "unstimulated": histogram(np.concatenate(resting), BINS) if resting else None,
        "fit_negative": _rebin(expression.expected[0]) if expression.expected is not None else None,
        "fit_positive": _rebin(expression.expected[1]) if expression.expected is not None else None,
    }
    for name, counts in curves.items():
        told[name] = f"{key}_{name}" if counts is not None else None
        if counts is not None:
            arrays[f"{key}_{name}"] = counts.astype(np.float32)
    return told


def _rebin(counts: Floats) -> Floats:
    """Return counts of a whole multiple of 256 bins in 256 bins; other numbers of bins stay as they are."""
    if counts.size % BINS:
        return counts
    summed: Floats = counts.reshape(BINS, -1).sum(axis=1)
    return summed


def _activation(gated: GatedSample, case: Case, arrays: dict[str, Any]) -> dict[str, Any] | None:
    """Return the index entry of CD69, stimulated over unstimulated, of CD3+CD8- cells, and add its arrays."""
    groups: dict[str, list[Floats]] = {"stimulated": [], "unstimulated": []}
    chosen: Sequence[GatedTube] = [tube for tube in gated.tubes if CD8_NEGATIVE in tube.masks]
    for tube in chosen:
        sheet = tube.signal.events.tube
        if sheet.stimulation == "unstimulated" or sheet.reagent == (case.planned[0] if case.planned else ""):
            groups[sheet.stimulation].append(tube.signal.scaled["CD69"][tube.masks[CD8_NEGATIVE]])
    if not groups["stimulated"]:
        return None
    axis = _fluorescence(gated, chosen[0].signal, "CD69")
    boundary = chosen[0].boundary("cd69_low")
    told: dict[str, Any] = {
        "axis": axis.describe(),
        "threshold": axis.at(boundary.scaled) if boundary else None,
        "stimulated": "cd69_stimulated",
        "unstimulated": "cd69_unstimulated" if groups["unstimulated"] else None,
    }
    for name, parts in groups.items():
        if parts:
            arrays[f"cd69_{name}"] = histogram(np.concatenate(parts), BINS).astype(np.float32)
    return told

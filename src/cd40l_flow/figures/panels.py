"""The gating panels of one tube: binned parent populations with the gate that was drawn on each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.shared_gates import LYMPHOCYTES, SINGLETS, TIME
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.model import Floats, Singles
from cd40l_flow.figures.axes import Axis
from cd40l_flow.figures.evidence import Curves
from cd40l_flow.figures.plots import (
    AnyPanel,
    BandGate,
    GateShape,
    Line,
    MissingPanel,
    Panel,
    PolygonGate,
    ThresholdGate,
)
from cd40l_flow.gating.model import Boundary, EventIndices, GatedSample, GatedTube, Indices, ScatterGate, take
from cd40l_flow.gating.scatter_steps import NO_SCATTER
from cd40l_flow.gating.singlets import singlet_ratio
from cd40l_flow.mixture.histogram import HIGH, LOW
from cd40l_flow.signal.prepare import TubeSignal

CELLS = 128
CHUNK = 1 << 16  # events at a time: they stay in the processor's cache
NO_EVENTS: EventIndices = np.empty(0, dtype=np.int32)
SINGLET_ENDS = ("singlet_low", "singlet_high")


@dataclass(frozen=True)
class _Drawn:
    """An axis of a panel and the cells of events on it: numbers of events, (n,), to their cells, (n,)."""

    axis: Axis
    cells: Callable[[Indices], NDArray[np.uint8]]


def _all(axis: Axis, values: Floats | Singles) -> _Drawn:
    """Return an axis that many panels share: every event is laid on it once."""
    every = np.empty(values.size, dtype=np.uint8)
    for begin in range(0, values.size, CHUNK):
        every[begin : begin + CHUNK] = axis.cells(values[begin : begin + CHUNK], CELLS)
    return _Drawn(axis, lambda places: take(every, places))


def _some(axis: Axis, values: Floats | Singles) -> _Drawn:
    """Return an axis that one panel has: the events of that panel are laid on it."""
    return _Drawn(axis, lambda places: axis.cells(take(values, places), CELLS))


def draw_panels(
    gated: GatedSample, tube: GatedTube, tops: tuple[float, float], prefix: str, curves: Curves
) -> tuple[tuple[AnyPanel, ...], dict[str, NDArray[np.uint32]]]:
    """Return the panels of one tube and their arrays, name -> (128, 128) uint32 counts, [x, y].

    ``tops`` are the ends of the FSC and SSC axes, ``prefix`` begins the arrays' names, ``curves`` takes the densities
    that the boundaries were searched in. Positions are fractions of an axis. A gate that could not be drawn leaves a
    panel of its parent, with the data that were used, and the reason; gates behind it a panel that is ``missing``.
    """
    strip = _Strip(gated, tube, prefix, curves)
    signal = tube.signal
    scatter = signal.events.scatter
    # A tube without a target is watched over time by the marker of its first gate.
    watched = next(name for name in (TARGET, *_gated_markers()) if name in signal.scaled)
    target = _all(fluorescence_axis(gated, signal, watched), signal.scaled[watched])
    if signal.events.time is not None:
        seconds = Axis("Time (s)", 0.0, max(float(signal.events.time.max(initial=0.0)), 1.0))
        strip.add(TIME, _all(seconds, signal.events.time), target, time_band(tube, seconds))
    else:
        strip.panels.append(MissingPanel(TIME, signal.events.time_problem))
    ssc = target
    if scatter.fsc is None or scatter.ssc is None:
        strip.panels += [MissingPanel(name, NO_SCATTER) for name in (LYMPHOCYTES, SINGLETS)]
    else:
        fsc = _all(Axis(scatter.fsc, 0.0, tops[0]), signal.stored(scatter.fsc))
        ssc = _all(Axis(scatter.ssc, 0.0, tops[1]), signal.stored(scatter.ssc))
        _add_scatter(strip, gated, tube, fsc, ssc)
    marker_gates = [gate for gate in current_assay().gates if gate.marker]
    for gate in marker_gates:
        population, (boundary,) = gate.population, gate.boundaries
        if gate.marker not in signal.scaled:
            if not gate.only_if:
                strip.panels.append(MissingPanel(population, "not stained"))
            continue
        if gate.only_if and population not in {*tube.indices, *tube.failed}:
            continue
        axis, values = fluorescence_axis(gated, signal, gate.marker), signal.scaled[gate.marker]
        x = _some(axis, values)
        y = target if gate is marker_gates[-1] else ssc
        if gate.second_axis in signal.scaled:
            y = _some(fluorescence_axis(gated, signal, gate.second_axis), signal.scaled[gate.second_axis])
        strip.add(population, x, y, _threshold(tube.boundary(boundary), axis, gate.keep), boundary)
    return tuple(strip.panels), strip.arrays


def _gated_markers() -> Iterator[str]:
    """Yield the markers of the assay's gates, those that every tube must have first."""
    assay = current_assay()
    yield from (gate.marker for gate in assay.gates if gate.marker in assay.required_markers)
    yield from (gate.marker for gate in assay.gates if gate.marker)


def _add_scatter(strip: _Strip, gated: GatedSample, tube: GatedTube, fsc: _Drawn, ssc: _Drawn) -> None:
    """Add the panels of the lymphocytes and of the single cells."""
    signal = tube.signal
    if LYMPHOCYTES in tube.failed:
        # What failed was the search for the cells that the gate is drawn around: CD3+ ones, or others that are stained.
        (row,) = (gate for gate in current_assay().gates if gate.population == LYMPHOCYTES)
        marker = next(name for name in row.around if name in signal.scaled)
        around = _all(fluorescence_axis(gated, signal, marker), signal.scaled[marker])
        strip.add(LYMPHOCYTES, around, ssc, None, LYMPHOCYTES)
    else:
        strip.add(LYMPHOCYTES, fsc, ssc, _polygon(tube.scatter_gate, fsc.axis, ssc.axis), LYMPHOCYTES)
    ratio = _ratio(tube)
    strip.add(SINGLETS, ratio or fsc, fsc, _singlet_band(tube, ratio.axis) if ratio else None, "singlet_low")


class _Strip:
    """The panels of one tube as they come together."""

    def __init__(self, gated: GatedSample, tube: GatedTube, prefix: str, curves: Curves) -> None:
        self.gated, self.tube, self.prefix, self.curves = gated, tube, prefix, curves
        self.panels: list[AnyPanel] = []
        self.arrays: dict[str, NDArray[np.uint32]] = {}

    def add(self, population: str, x: _Drawn, y: _Drawn, gate: GateShape | None, evidence: str = "") -> None:
        """Add the panel of a population: its parent on two axes, its gate, and the density the gate was searched in."""
        tube = self.tube
        counted = next((p for p in tube.populations if p.population == population), None)
        failed = population in tube.failed
        if counted is None and not failed:
            self.panels.append(MissingPanel(population, _why(self.gated, population, tube.signal)))
            return
        parent = tube.failed[population] if counted is None else counted.parent
        name = f"{self.prefix}{len(self.panels)}"
        inside = tube.indices[parent]
        self.arrays[name] = _counts(inside, x, y)
        found = tube.found.get(evidence)
        boundaries, gates = _gates(tube, population)
        panel = Panel(
            population=population,
            parent=parent,
            x=x.axis.describe(),
            y=y.axis.describe(),
            array=name,
            gate=gate,
            failed=(found.flag if found else "") or "not drawn" if failed else None,
            evidence=self.curves.describe(found, x.axis),
            count=counted.count if counted else None,
            parent_count=int(inside.size),
            percent_of_parent=counted.percent_of_parent if counted else None,
            overridden=any(boundary.overridden for boundary in boundaries),
            method="; ".join(dict.fromkeys(one.method for one in gates if one.method)),
            flag="; ".join(dict.fromkeys(one.flag for one in gates if one.flag)),
        )
        self.panels.append(panel)


def fluorescence_axis(gated: GatedSample, signal: TubeSignal, marker: str) -> Axis:
    """Return the logicle axis of a marker of a tube."""
    detector = signal.events.markers[marker]
    reagent = signal.events.tube.reagent
    label = current_assay().title(reagent) if marker == "target" else marker
    return Axis(f"{label} ({detector})", LOW, HIGH, gated.scales[detector])


def _why(gated: GatedSample, population: str, signal: TubeSignal) -> str:
    if population == SINGLETS and singlet_ratio(signal, NO_EVENTS) is None:
        return "no second FSC measure in this file"
    # The last flag is that of the step that could not go on.
    return gated.flags[-1] if gated.flags else "the gate before it could not be drawn"


def _gates(tube: GatedTube, population: str) -> tuple[list[Boundary], list[Boundary | ScatterGate]]:
    """Return the boundaries of a population, and these with its scatter gate where it has one."""
    boundaries = [
        boundary for boundary in tube.boundaries if current_assay().population_of(boundary.gate) == population
    ]
    gates: list[Boundary | ScatterGate] = [*boundaries]
    if population == LYMPHOCYTES and tube.scatter_gate is not None:
        gates.insert(0, tube.scatter_gate)
    return boundaries, gates


def _counts(places: EventIndices, x: _Drawn, y: _Drawn) -> NDArray[np.uint32]:
    """Return the (128, 128) counts of events in the cells of two axes, [x, y]."""
    counts = np.zeros(CELLS * CELLS, dtype=np.uint32)
    for begin in range(0, places.size, CHUNK):
        # Not as numbers of half the size: taking by those would turn them into these each time.
        part = places[begin : begin + CHUNK].astype(np.intp)
        cells = x.cells(part).astype(np.uint16)
        cells *= CELLS
        cells += y.cells(part)
        counts += np.bincount(cells, minlength=CELLS * CELLS).astype(np.uint32)
    return counts.reshape(CELLS, CELLS)


def _polygon(gate: ScatterGate | None, x: Axis, y: Axis) -> PolygonGate | None:
    if gate is None:
        return None

    def fractions(vertices: Floats) -> Line:
        return tuple(zip(x.fraction(vertices[:, 0]).tolist(), y.fraction(vertices[:, 1]).tolist(), strict=True))

    return PolygonGate(fractions(gate.vertices), fractions(gate.automatic) if gate.automatic is not None else None)


def time_band(tube: GatedTube, seconds: Axis) -> BandGate | None:
    """Return the times that bound what is kept as vertical lines, and what lies beyond them or was cut as ``cuts``."""
    low, high = tube.boundary("time_low"), tube.boundary("time_high")
    ends = [seconds.at(end.value) for end in (low, high) if end is not None]
    cuts = [(seconds.at(one.start), seconds.at(one.end)) for one in tube.signal.acquisition.time_qc.stretches]
    lines = [*ends, *(end for cut in cuts for end in cut)]
    cuts += [(0.0, seconds.at(low.value))] if low is not None else []
    cuts += [(seconds.at(high.value), 1.0)] if high is not None else []
    return BandGate(tuple(map(_upright, lines)), cuts=tuple(cuts)) if lines else None


def _ratio(tube: GatedTube) -> _Drawn | None:
    """Return the axis of FSC area over height, or of FSC width, of lymphocytes; None where the file has neither."""
    if singlet_ratio(tube.signal, NO_EVENTS) is None:
        return None
    scatter = tube.signal.events.scatter
    name = f"{scatter.fsc} / {scatter.fsc_height}" if scatter.fsc_height else str(scatter.fsc_width)

    def ratio(places: Indices) -> Singles:
        found: Singles = np.asarray(singlet_ratio(tube.signal, places))
        # Without a height there is no ratio: such events count at the axis's lower end.
        return np.nan_to_num(found, nan=0.0) if np.isnan(found).any() else found

    lymphocytes = tube.indices.get(LYMPHOCYTES, tube.indices["all"])
    looked = tube.found["singlet_low"].evidence if "singlet_low" in tube.found else None
    low, high = 0.0, 1.0
    if looked is not None:
        low, high = (looked.origin + looked.unit * looked.curve.quantile(fraction) for fraction in (0.002, 0.995))
    elif lymphocytes.size:
        low, high = float(ratio(lymphocytes).min()), float(ratio(lymphocytes).max())
    edges = [one.value for one in map(tube.boundary, SINGLET_ENDS) if one is not None]
    low, high = min(low, *edges, high), max(high, *edges, low + 1e-9)
    room = 0.15 * (high - low)
    axis = Axis(name, low - room, high + room)
    return _Drawn(axis, lambda places: axis.cells(ratio(places), CELLS))


def _singlet_band(tube: GatedTube, x: Axis) -> BandGate | None:
    """Return the singlet band as two vertical lines, and where the automatic ones were if a person moved any."""
    ends = [one for one in map(tube.boundary, SINGLET_ENDS) if one is not None]
    if not ends:
        return None
    automatic = tuple(_upright(x.at(end.automatic)) for end in ends if end.automatic is not None)
    return BandGate(tuple(_upright(x.at(end.value)) for end in ends), automatic or None)


def _upright(at: float) -> Line:
    return (at, 0.0), (at, 1.0)


def _threshold(boundary: Boundary | None, axis: Axis, side: str) -> ThresholdGate | None:
    if boundary is None:
        return None
    automatic = None
    if boundary.automatic is not None and axis.scale is not None:
        automatic = axis.at(axis.scale.to_scaled(boundary.automatic))
    return ThresholdGate("x", side, axis.at(boundary.scaled), automatic)

"""The parts of ``result.json`` on tubes, populations and gates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.shared_gates import LYMPHOCYTES
from cd40l_flow.base.model import Override, Sample, Singles, Tube
from cd40l_flow.decision.assess import target_override
from cd40l_flow.decision.case import Case, Refusal
from cd40l_flow.gating.control_gates import ControlBoundary, ControlGates, ControlPolygon
from cd40l_flow.gating.found import Found
from cd40l_flow.gating.model import Boundary, GatedSample, GatedTube
from cd40l_flow.result.making.acquisition import spillover_row
from cd40l_flow.result.types.control import Control, ControlGate
from cd40l_flow.result.types.gates import Evidence, Gate, GateOverride, Valley
from cd40l_flow.result.types.tubes import Population, TubeError
from cd40l_flow.result.types.tubes import Tube as TubeRecord


def tube_rows(sample: Sample, gated: GatedSample, refusals: tuple[Refusal, ...]) -> list[TubeRecord]:
    """Return every tube of the sheet: what was read of it, or why it was refused."""
    found = {tube.signal.events.tube: tube for tube in gated.tubes}
    refused = {refusal.fcs: refusal for refusal in refusals}
    return [_tube(tube, found.get(tube), refused.get(tube.fcs)) for tube in sample.tubes]


def unread_tube(tube: Tube, error: TubeError | None) -> TubeRecord:
    """Return a tube of which nothing was read, and why."""
    return TubeRecord(
        fcs=tube.fcs,
        stimulation=tube.stimulation,
        reagent=tube.reagent,
        panel=tube.panel,
        clone=tube.clone,
        lot=tube.lot,
        status="refused",
        error=error,
        digest=None,
        events=None,
        version=None,
        cytometer=None,
        month=None,
        duration_s=None,
        time_problem=None,
        removed_percent=None,
        margin_percent=None,
        markers={},
        spillover=None,
        populations=[],
        voltages={},
    )


def _tube(tube: Tube, gated: GatedTube | None, refusal: Refusal | None) -> TubeRecord:
    unread = unread_tube(tube, TubeError(code=refusal.code, message=refusal.message) if refusal else None)
    if gated is None:
        return unread
    events, acquisition = gated.signal.events, gated.signal.acquisition
    header = events.header
    return replace(
        unread,
        status="ok",
        digest=events.digest,
        events=header.events,
        version=header.version,
        cytometer=header.cytometer,
        month=header.month,
        duration_s=header.duration_s,
        time_problem=events.time_problem,
        removed_percent=acquisition.removed_percent,
        margin_percent=acquisition.margin_percent,
        markers=dict(events.markers),
        spillover=spillover_row(events.spillover),
        populations=[
            Population(
                population=one.population, parent=one.parent, count=one.count, percent_of_parent=one.percent_of_parent
            )
            for one in gated.populations
        ],
        voltages={d.name: d.voltage for d in header.detectors if d.voltage is not None and d.name in events.names},
    )


def gate_rows(gated: GatedSample, case: Case, overrides: Sequence[Override]) -> list[Gate]:
    """Return every boundary once: those that hold for all tubes of the sample, then those of one tube.

    ``overrides`` are the sample's.
    """
    rows = []
    gates = {
        (gate.vertices.tobytes(), next((side.tube for side in gate.boundaries if side.tube), None)): gate
        for tube in gated.tubes
        if (gate := tube.scatter_gate) is not None
    }
    for (_, only), scatter in gates.items():
        rows.append(
            replace(
                _empty_gate(LYMPHOCYTES, LYMPHOCYTES, scatter.method),
                tube=only,
                detectors=[scatter.fsc, scatter.ssc],
                vertices=scatter.vertices.tolist(),
                flag=scatter.flag,
                evidence=_evidence(gated.tubes[0].found.get(LYMPHOCYTES)),
            )
        )
    seen = set()
    for tube in gated.tubes:
        for boundary in tube.boundaries:
            key = (boundary.gate, boundary.tube, boundary.detector, boundary.value)
            if key not in seen:
                seen.add(key)
                rows.append(_gate(boundary, tube.found.get(boundary.gate)))
    rows += _without_gate(gated)
    for reagent, expression in case.reagents.items():
        override = target_override(overrides, expression.tubes)
        rows.append(
            replace(
                _empty_gate("target_low", f"{reagent}+", expression.threshold_source),
                detector=expression.detector,
                value=expression.threshold,
                scaled=expression.threshold_scaled,
                automatic=expression.threshold_automatic,
                override=GateOverride(by=override.by, reason=override.reason) if override else None,
            )
        )
    return rows


def _without_gate(gated: GatedSample) -> list[Gate]:
    """Return the gates that could not be drawn, once each: what was looked at, and why there is none."""
    rows: dict[str, Gate] = {}
    for tube in gated.tubes:
        for gate, found in tube.found.items():
            population = current_assay().population_of(gate)
            if population in tube.failed and gate not in rows:
                row = _empty_gate(gate, population, found.method)
                rows[gate] = replace(row, flag=found.flag, evidence=_evidence(found))
    return list(rows.values())


def _evidence(found: Found | None) -> Evidence | None:
    """Return what a boundary was looked for in."""
    if found is None or found.evidence is None:
        return None
    evidence = found.evidence

    def at(position: float) -> float:
        return evidence.origin + evidence.unit * position

    low, high = evidence.allowed
    return Evidence(
        events=evidence.curve.total,
        side=evidence.side,
        allowed=(at(low), at(high)),
        modes=[at(mode) for mode in evidence.modes],
        valleys=[Valley(position=at(valley.position), depth=valley.depth) for valley in evidence.valleys],
        quantile=at(evidence.quantile) if evidence.quantile is not None else None,
        control=found.control,
    )


def _empty_gate(gate: str, population: str, method: str) -> Gate:
    return Gate(
        gate=gate,
        population=population,
        method=method,
        flag="",
        tube=None,
        detector=None,
        value=None,
        scaled=None,
        automatic=None,
        override=None,
        evidence=None,
    )


def _gate(boundary: Boundary, found: Found | None) -> Gate:
    return replace(
        _empty_gate(boundary.gate, current_assay().population_of(boundary.gate), boundary.method),
        tube=boundary.tube or None,
        detector=boundary.detector,
        value=boundary.value,
        scaled=boundary.scaled,
        flag=boundary.flag,
        automatic=boundary.automatic,
        evidence=_evidence(found),
        override=GateOverride(by=boundary.by, reason=boundary.reason) if boundary.overridden else None,
    )


def scatter_tops(gated: GatedSample, controls: Sequence[Sequence[float]] = ()) -> tuple[float, float]:
    """Return the tops of the FSC and SSC axes, shared by the tubes: what holds 98 % of events, and the whole gate.

    ``controls`` are the tops of the controls: a sample takes theirs, so that the two can be compared, unless its own
    gate would not fit.
    """
    if not gated.tubes:
        return 1.0, 1.0
    with_scatter = [tube for tube in gated.tubes if tube.signal.events.scatter.fsc is not None]
    if not with_scatter:
        return 1.0, 1.0
    scatter = with_scatter[0].signal.events.scatter
    gates = [tube.scatter_gate.vertices.max(axis=0) for tube in gated.tubes if tube.scatter_gate is not None]
    tops = []
    for axis, name in enumerate((str(scatter.fsc), str(scatter.ssc))):
        gate = max((1.05 * float(top[axis]) for top in gates), default=0.0)
        shared = max((control[axis] for control in controls), default=0.0)
        if shared <= gate:
            shared = max(gate, *(_nearly_all(tube.signal.stored(name)) for tube in with_scatter))
        tops.append(shared)
    return tops[0], tops[1]


def _nearly_all(values: Singles) -> float:
    """Return the value below which about 98 % lie, from 10,000 of them: where an axis ends is arbitrary."""
    some = values[:: max(1, values.size // 10_000)]
    return float(np.quantile(some, 0.98))


def gate_records(gates: ControlGates) -> dict[str, ControlGate]:
    """Return the gates of a control as records, by boundary; the polygon as that of the lymphocytes."""
    records = {name: ControlGate(detector=one.detector, scaled=one.scaled) for name, one in gates.boundaries.items()}
    if gates.polygon is not None:
        vertices = [(float(x), float(y)) for x, y in gates.polygon.vertices]
        records[LYMPHOCYTES] = ControlGate(detectors=list(gates.polygon.detectors), vertices=vertices)
    return records


def gates_of(control: Control) -> ControlGates:
    """Return the gates that `gate_records` gave."""
    boundaries = {
        name: ControlBoundary(one.detector, one.scaled)
        for name, one in control.gates.items()
        if one.detector is not None and one.scaled is not None
    }
    drawn = control.gates.get(LYMPHOCYTES)
    if drawn is None or drawn.detectors is None or drawn.vertices is None:
        return ControlGates(boundaries)
    fsc, ssc = drawn.detectors
    return ControlGates(boundaries, ControlPolygon((fsc, ssc), np.array(drawn.vertices, dtype=np.float64)))

"""The parts of ``result.json`` that tell of tubes, populations and gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from cd40l_flow.assay.cd40l import LYMPHOCYTES
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.model import Override, Sample, Singles, Tube
from cd40l_flow.decision.assess import target_override
from cd40l_flow.decision.case import Case, Refusal
from cd40l_flow.gating.found import Found
from cd40l_flow.gating.model import Boundary, GatedSample, GatedTube
from cd40l_flow.result.acquisition_parts import spillover_row


def tube_rows(sample: Sample, gated: GatedSample, refusals: tuple[Refusal, ...]) -> list[dict[str, Any]]:
    """Return every tube of the sheet as plain values: what was read of it, or why it was refused."""
    found = {tube.signal.events.tube: tube for tube in gated.tubes}
    refused = {refusal.fcs: refusal for refusal in refusals}
    return [_tube(tube, found.get(tube), refused.get(tube.fcs)) for tube in sample.tubes]


def _tube(tube: Tube, gated: GatedTube | None, refusal: Refusal | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        name: getattr(tube, name) for name in ("fcs", "stimulation", "reagent", "panel", "clone", "lot")
    }
    told |= {
        "status": "ok" if gated else "refused",
        "error": {"code": refusal.code, "message": refusal.message} if refusal else None,
    }
    names = ("digest", "events", "version", "cytometer", "month", "duration_s", "time_problem", "removed_percent")
    told |= dict.fromkeys((*names, "margin_percent", "spillover")) | {"markers": {}, "populations": [], "voltages": {}}
    if gated is None:
        return told
    events, acquisition = gated.signal.events, gated.signal.acquisition
    header = events.header
    return told | {
        "digest": events.digest,
        "events": header.events,
        "version": header.version,
        "cytometer": header.cytometer,
        "month": header.month,
        "duration_s": header.duration_s,
        "time_problem": events.time_problem,
        "removed_percent": acquisition.removed_percent,
        "margin_percent": acquisition.margin_percent,
        "markers": dict(events.markers),
        "spillover": spillover_row(events.spillover),
        "populations": [asdict(population) for population in gated.populations],
        "voltages": {d.name: d.voltage for d in header.detectors if d.voltage is not None and d.name in events.names},
    }


def gate_rows(gated: GatedSample, case: Case, overrides: Sequence[Override]) -> list[dict[str, Any]]:
    """Return every boundary once: those that hold for all tubes of the sample, then those of one tube.

    ``overrides`` are the sample's.
    """
    told = []
    gates = {
        (gate.vertices.tobytes(), next((side.tube for side in gate.boundaries if side.tube), None)): gate
        for tube in gated.tubes
        if (gate := tube.scatter_gate) is not None
    }
    for (_, only), scatter in gates.items():
        told.append(
            _empty_gate(LYMPHOCYTES, LYMPHOCYTES)
            | {
                "tube": only,
                "detectors": [scatter.fsc, scatter.ssc],
                "vertices": scatter.vertices,
                "method": scatter.method,
                "flag": scatter.flag,
                "evidence": _evidence(gated.tubes[0].found.get(LYMPHOCYTES)),
            }
        )
    seen = set()
    for tube in gated.tubes:
        for boundary in tube.boundaries:
            key = (boundary.gate, boundary.tube, boundary.detector, boundary.value)
            if key not in seen:
                seen.add(key)
                told.append(_gate(boundary, tube.found.get(boundary.gate)))
    told += _without_gate(gated)
    for reagent, expression in case.reagents.items():
        override = target_override(overrides, expression.tubes)
        told.append(
            _empty_gate("target_low", f"{reagent}+")
            | {
                "detector": expression.detector,
                "value": expression.threshold,
                "scaled": expression.threshold_scaled,
                "method": expression.threshold_source,
                "automatic": expression.threshold_automatic,
                "override": {"by": override.by, "reason": override.reason} if override else None,
            }
        )
    return told


def _without_gate(gated: GatedSample) -> list[dict[str, Any]]:
    """Return the gates that could not be drawn, once each: what was looked at, and why there is none."""
    told = {}
    for tube in gated.tubes:
        for gate, found in tube.found.items():
            if current_assay().population_of(gate) in tube.failed and gate not in told:
                row = _empty_gate(gate, current_assay().population_of(gate))
                told[gate] = row | {"method": found.method, "flag": found.flag, "evidence": _evidence(found)}
    return list(told.values())


def _evidence(found: Found | None) -> dict[str, Any] | None:
    """Return what a boundary was looked for in, as plain values."""
    if found is None or found.evidence is None:
        return None
    evidence = found.evidence

    def at(position: float) -> float:
        return evidence.origin + evidence.unit * position

    return {
        "events": evidence.curve.total,
        "side": evidence.side,
        "allowed": [at(position) for position in evidence.allowed],
        "modes": [at(mode) for mode in evidence.modes],
        "valleys": [{"position": at(valley.position), "depth": valley.depth} for valley in evidence.valleys],
        "quantile": at(evidence.quantile) if evidence.quantile is not None else None,
        "control": found.control,
    }


def _empty_gate(gate: str, population: str) -> dict[str, Any]:
    names = ("tube", "detector", "value", "scaled", "automatic", "override", "evidence")
    return {"gate": gate, "population": population, "flag": ""} | dict.fromkeys(names)


def _gate(boundary: Boundary, found: Found | None) -> dict[str, Any]:
    return _empty_gate(boundary.gate, current_assay().population_of(boundary.gate)) | {
        "tube": boundary.tube or None,
        "detector": boundary.detector,
        "value": boundary.value,
        "scaled": boundary.scaled,
        "method": boundary.method,
        "flag": boundary.flag,
        "automatic": boundary.automatic,
        "evidence": _evidence(found),
        "override": {"by": boundary.by, "reason": boundary.reason} if boundary.overridden else None,
    }


def scatter_tops(gated: GatedSample, controls: Sequence[Sequence[float]] = ()) -> tuple[float, float]:
    """Return the tops of the FSC and SSC axes, shared by the tubes: what holds 98 % of events, and the whole gate.

    ``controls`` are the tops of the controls: a sample takes theirs, so that it can be laid beside them, unless its own
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
    """Return the value below which about 98 % lie, from 10,000 of them: where an axis ends is a matter of looks."""
    some = values[:: max(1, values.size // 10_000)]
    return float(np.quantile(some, 0.98))

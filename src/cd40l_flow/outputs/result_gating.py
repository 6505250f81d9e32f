"""The parts of ``result.json`` that tell of tubes, populations and gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cd40l_flow.expression.assess import target_override
from cd40l_flow.expression.case import Case, Refusal
from cd40l_flow.gating.model import GATE_POPULATION, LYMPHOCYTES, Boundary, GatedSample, GatedTube
from cd40l_flow.inputs.model import Override, Sample, Tube
from cd40l_flow.inputs.spillover import condition_number


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
    header, spillover = events.header, events.spillover
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
        "spillover": {
            "source": spillover.source,
            "detectors": list(spillover.detectors),
            "condition": condition_number(spillover),
        }
        if spillover
        else None,
        "populations": [asdict(population) for population in gated.populations],
        "voltages": {d.name: d.voltage for d in header.detectors if d.voltage is not None and d.name in events.names},
    }


def gate_rows(gated: GatedSample, case: Case, overrides: Sequence[Override]) -> list[dict[str, Any]]:
    """Return every boundary once: those that hold for all tubes of the sample, then those of one tube.

    ``overrides`` are the sample's.
    """
    told = []
    gates = {gate.vertices.tobytes(): gate for tube in gated.tubes if (gate := tube.scatter_gate) is not None}
    for scatter in gates.values():
        told.append(
            _empty_gate(LYMPHOCYTES, LYMPHOCYTES)
            | {
                "tube": next((side.tube for side in scatter.boundaries if side.tube), None),
                "detectors": [scatter.fsc, scatter.ssc],
                "vertices": scatter.vertices,
                "method": scatter.method,
                "flag": scatter.flag,
            }
        )
    seen = set()
    for tube in gated.tubes:
        for boundary in tube.boundaries:
            key = (boundary.gate, boundary.tube, boundary.detector, boundary.value)
            if key not in seen:
                seen.add(key)
                told.append(_gate(boundary))
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


def _empty_gate(gate: str, population: str) -> dict[str, Any]:
    names = ("tube", "detector", "value", "scaled", "automatic", "override")
    return {"gate": gate, "population": population, "flag": ""} | dict.fromkeys(names)


def _gate(boundary: Boundary) -> dict[str, Any]:
    return _empty_gate(boundary.gate, GATE_POPULATION[boundary.gate]) | {
        "tube": boundary.tube or None,
        "detector": boundary.detector,
        "value": boundary.value,
        "scaled": boundary.scaled,
        "method": boundary.method,
        "flag": boundary.flag,
        "automatic": boundary.automatic,
        "override": {"by": boundary.by, "reason": boundary.reason} if boundary.overridden else None,
    }

"""The parts of ``result.json`` that tell of the acquisition in time, and of compensation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cd40l_flow.base.model import Floats, Spillover
from cd40l_flow.decision.case import Case, WithoutTimeQC
from cd40l_flow.fcs.spillover import condition_number
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.signal.prepare import TubeSignal

UNCUT_MEASURES = ("events", "percent_positive", "negative_fraction", "mfi_all", "mfi_positive")


def acquisition_rows(gated: GatedSample, case: Case) -> dict[str, Any]:
    """Return what acquisition QC found in each tube, and the call without its cuts.

    ``uncut`` is None where nothing was cut: the call without the cut is then the same by construction.
    """
    return {
        "tubes": [_tube(tube.signal) for tube in gated.tubes],
        "uncut": _uncut(case.without_time_qc) if case.without_time_qc is not None else None,
    }


def _tube(signal: TubeSignal) -> dict[str, Any]:
    acquisition, steadiness = signal.acquisition, signal.acquisition.steadiness
    flow = steadiness.flow
    return {
        "fcs": signal.events.tube.fcs,
        "problem": acquisition.problem,
        "note": signal.events.time_note,
        "scatter": asdict(signal.events.scatter),
        "ceilings": dict(acquisition.ceilings),
        "time_s": _ends(signal.events.time),
        "removed_percent": acquisition.removed_percent,
        "stretches": [asdict(stretch) for stretch in steadiness.stretches],
        "drifts": dict(steadiness.drifts),
        "flow": {
            "events_per_second": flow.median,
            "stops": [list(stop) for stop in flow.stops],
            "bursts": [list(burst) for burst in flow.bursts],
            "slow_percent": flow.slow_percent,
        }
        if flow is not None
        else None,
    }


def _ends(time: Floats | None) -> list[float] | None:
    """Return the first and last second of an acquisition, None without time."""
    return [float(time.min()), float(time.max())] if time is not None and time.size else None


def _uncut(uncut: WithoutTimeQC) -> dict[str, Any]:
    return {
        "call": uncut.call,
        "reasons": list(uncut.reasons),
        "same_call": uncut.same_call,
        "change_points": uncut.change_points,
        "reagents": {
            reagent: {name: getattr(expression, name) for name in UNCUT_MEASURES}
            for reagent, expression in uncut.case.reagents.items()
        },
    }


def slope_rows(case: Case) -> list[dict[str, Any]]:
    """Return how the target follows other markers in cells that do not express it, one row a tube and marker."""
    return [asdict(slope) for slope in case.checks.slopes]


def spillover_row(spillover: Spillover | None) -> dict[str, Any] | None:
    """Return the matrix applied to a tube with what is remarkable of it; None when the values were compensated."""
    if spillover is None:
        return None
    return {
        "source": spillover.source,
        "detectors": list(spillover.detectors),
        "matrix": spillover.matrix,
        "condition": condition_number(spillover),
        "remarks": spillover_remarks(spillover),
    }


def spillover_remarks(spillover: Spillover) -> list[str]:
    """Return what a reviewer should doubt of a matrix: fractions below 0 or above 1 outside the diagonal."""
    told = []
    for row, dye in enumerate(spillover.detectors):
        for column, detector in enumerate(spillover.detectors):
            value = float(spillover.matrix[row, column])
            if row != column and not 0 <= value <= 1:
                told.append(f"{value:.4g} of {dye} in {detector}: " + ("below 0" if value < 0 else "above 1"))
    return told

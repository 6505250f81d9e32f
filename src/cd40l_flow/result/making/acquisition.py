"""The parts of ``result.json`` on the acquisition in time, and on compensation."""

from __future__ import annotations

from cd40l_flow.base.model import Floats, Spillover
from cd40l_flow.decision.case import Case, WithoutTimeQC
from cd40l_flow.fcs.spillover import condition_number
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.result.types.acquisition import (
    Acquisition,
    BadInterval,
    Flow,
    MeasuresWithoutTimeQc,
    ScatterDetectors,
    TubeAcquisition,
    WithoutTimeQc,
)
from cd40l_flow.result.types.tubes import CompensationSlope, SpilloverMatrix
from cd40l_flow.signal.prepare import TubeSignal


def acquisition_rows(gated: GatedSample, case: Case) -> Acquisition:
    """Return what acquisition QC found in each tube, and the call without its cuts.

    ``uncut`` is None where nothing was cut: the call without the cut is then the same by construction.
    """
    return Acquisition(
        tubes=[_tube(tube.signal) for tube in gated.tubes],
        uncut=_uncut(case.without_time_qc) if case.without_time_qc is not None else None,
    )


def _tube(signal: TubeSignal) -> TubeAcquisition:
    acquisition, time_qc, scatter = signal.acquisition, signal.acquisition.time_qc, signal.events.scatter
    flow = time_qc.flow
    return TubeAcquisition(
        fcs=signal.events.tube.fcs,
        problem=acquisition.problem,
        note=signal.events.time_note,
        scatter=ScatterDetectors(
            fsc=scatter.fsc,
            ssc=scatter.ssc,
            fsc_height=scatter.fsc_height,
            fsc_width=scatter.fsc_width,
            time=scatter.time,
        ),
        ceilings=dict(acquisition.ceilings),
        time_s=_ends(signal.events.time),
        removed_percent=acquisition.removed_percent,
        stretches=[
            BadInterval(start=one.start, end=one.end, events=one.events, shifts=dict(one.shifts))
            for one in time_qc.stretches
        ],
        drifts=dict(time_qc.drifts),
        flow=Flow(
            events_per_second=flow.median,
            stops=list(flow.stops),
            bursts=list(flow.bursts),
            slow_percent=flow.slow_percent,
        )
        if flow is not None
        else None,
    )


def _ends(time: Floats | None) -> tuple[float, float] | None:
    """Return the first and last second of an acquisition, None without time."""
    return (float(time.min()), float(time.max())) if time is not None and time.size else None


def _uncut(uncut: WithoutTimeQC) -> WithoutTimeQc:
    return WithoutTimeQc(
        call=uncut.call,
        reasons=list(uncut.reasons),
        same_call=uncut.same_call,
        change_points=uncut.change_points,
        reagents={
            reagent: MeasuresWithoutTimeQc(
                events=one.events,
                percent_positive=one.percent_positive,
                negative_fraction=one.negative_fraction,
                mfi_all=one.mfi_all,
                mfi_positive=one.mfi_positive,
            )
            for reagent, one in uncut.case.reagents.items()
        },
    )


def slope_rows(case: Case) -> list[CompensationSlope]:
    """Return how the target follows other markers in cells that do not express it, one row a tube and marker."""
    return [
        CompensationSlope(
            fcs=one.fcs, marker=one.marker, population=one.population, slope=one.slope, residue=one.residue
        )
        for one in case.checks.slopes
    ]


def spillover_row(spillover: Spillover | None) -> SpilloverMatrix | None:
    """Return the matrix applied to a tube with remarks on it; None when the values were compensated."""
    if spillover is None:
        return None
    return SpilloverMatrix(
        source=spillover.source,
        detectors=list(spillover.detectors),
        matrix=spillover.matrix.tolist(),
        condition=condition_number(spillover),
        remarks=spillover_remarks(spillover),
    )


def spillover_remarks(spillover: Spillover) -> list[str]:
    """Return what a reviewer should question in a matrix: fractions below 0 or above 1 outside the diagonal."""
    remarks = []
    for row, dye in enumerate(spillover.detectors):
        for column, detector in enumerate(spillover.detectors):
            value = float(spillover.matrix[row, column])
            if row != column and not 0 <= value <= 1:
                remarks.append(f"{value:.4g} of {dye} in {detector}: " + ("below 0" if value < 0 else "above 1"))
    return remarks

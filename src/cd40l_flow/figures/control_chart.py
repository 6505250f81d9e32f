"""Control charts (Levey-Jennings) as data: the laboratory's history of healthy controls, and the present controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from cd40l_flow.assay.call_limits import ReferenceLimits
from cd40l_flow.cohort.reference_types import CHARTED, ControlRow, Reference
from cd40l_flow.result.reference import row_of, spread, values_of
from cd40l_flow.result.types.result import Result


class ControlPoint(TypedDict):
    """One control; ``value`` is in the unit of the measure, None where it was not computed.

    ``current`` says whether it is of this cohort; ``status`` is ``in``, ``warn``, ``fail`` or ``unknown``.
    """

    sample: str
    run: str
    month: str
    value: float | None
    current: bool
    status: str


class Bands(TypedDict):
    """What lies two and three SD from the mean, in the unit of the measure; None where there is no SD."""

    low_3sd: float | None
    low_2sd: float | None
    high_2sd: float | None
    high_3sd: float | None


class ControlChart(Bands):
    """One measure of a reagent on one instrument with one lot; ``mean`` is in the unit of the measure.

    ``count`` is the number of controls that mean and SD are of, ``few`` says whether they are too few.
    """

    measure: str
    reagent: str
    cytometer: str
    lot: str
    scale: str
    count: int
    mean: float | None
    few: bool
    points: list[ControlPoint]


def control_charts(results: Sequence[Result], reference: Reference | None) -> list[ControlChart]:
    """Return one chart for each reagent, measure, instrument and reagent lot that a present control was measured with.

    ``reference`` is the laboratory's complete file, or None. Mean and SD are of its controls of the same instrument and
    lot; a chart has ``low_3sd`` to ``high_3sd`` in the unit of the measure, its ``points`` the history in order of
    month, then the present controls, each ``in``, ``warn``, ``fail`` or ``unknown``.
    """
    now = [row_of(result) for result in results if result.role == "control" and result.reagents]
    own = _own(results)
    history = [row for row in (reference.controls if reference else []) if (row.run, row.sample) not in own]
    limits = ReferenceLimits()
    charts = []
    for reagent in dict.fromkeys(sorted(reagent for row in now for reagent in row.reagents)):
        kinds = {(row.cytometer, row.reagents[reagent].lot) for row in now if reagent in row.reagents}
        for measure in CHARTED:
            for cytometer, lot in sorted(kinds):
                past = _of(history, reagent, cytometer, lot)
                present = _of(now, reagent, cytometer, lot)
                charts.append(_chart(reagent, measure, cytometer, lot, past, present, limits))
    return charts


def _own(results: Sequence[Result]) -> set[tuple[str, str]]:
    """Return run and sample of the present controls: where the history holds them already, they are shown once."""
    return {(result.run, result.sample) for result in results if result.role == "control"}


def _of(rows: Sequence[ControlRow], reagent: str, cytometer: str, lot: str) -> list[ControlRow]:
    found = [
        row
        for row in rows
        if row.cytometer == cytometer and reagent in row.reagents and row.reagents[reagent].lot == lot
    ]
    return sorted(found, key=lambda row: (row.month, row.run, row.sample))


def _chart(
    reagent: str,
    measure: str,
    cytometer: str,
    lot: str,
    past: Sequence[ControlRow],
    present: Sequence[ControlRow],
    limits: ReferenceLimits,
) -> ControlChart:
    values = values_of(past, reagent, measure)
    usual = spread(values, log=CHARTED[measure]) if values else None
    warn, fail = limits.chart_warn_sd, limits.chart_fail_sd
    low_3, low_2, high_2, high_3 = (usual.limit(sds) if usual else None for sds in (-fail, -warn, warn, fail))
    bands: Bands = {"low_3sd": low_3, "low_2sd": low_2, "high_2sd": high_2, "high_3sd": high_3}
    points: list[ControlPoint] = [
        {
            "sample": row.sample,
            "run": row.run,
            "month": row.month,
            "value": (value := row.reagents[reagent].charted(measure)),
            "current": current,
            "status": _status(value, bands),
        }
        for rows, current in ((past, False), (present, True))
        for row in rows
    ]
    return {
        "measure": measure,
        "reagent": reagent,
        "cytometer": cytometer,
        "lot": lot,
        "scale": "log" if CHARTED[measure] else "linear",
        "count": len(values),
        "mean": usual.limit(0.0) if usual and usual.sd is not None else None,
        **bands,
        "few": len(values) < limits.fewest_controls,
        "points": points,
    }


def _status(value: float | None, bands: Bands) -> str:
    low_3, low_2, high_2, high_3 = bands["low_3sd"], bands["low_2sd"], bands["high_2sd"], bands["high_3sd"]
    if value is None or low_3 is None or low_2 is None or high_2 is None or high_3 is None:
        return "unknown"
    return "in" if low_2 <= value <= high_2 else "warn" if low_3 <= value <= high_3 else "fail"

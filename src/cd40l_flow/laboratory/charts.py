"""Control charts (Levey-Jennings) of the healthy controls over many runs, judged by the rules of Westgard.

Mean and SD are of the first controls of an instrument and a reagent lot, as many as the limits of a laboratory ask for;
what came later is compared with them. With fewer nothing is judged. A control is a person and not a material, so the
SD is that of people, stain and instrument together.

Rules: Westgard, Barry, Hunt, Groth, *Clin Chem* 1981;27:493-501 (PMID 7471403).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from cd40l_flow.assay.call_limits import ReferenceLimits
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.laboratory.rows import Row

# Measure of a history's row -> the name of the measure, and whether it is charted on the logarithm.
CHARTED: Mapping[str, tuple[str, bool]] = {
    "negative_fraction": ("negative_fraction", False),
    "percent_positive": ("percent_positive", False),
    "mfi_above_background": ("mfi_above_background", True),
    "activation_percent": ("cd69_percent", False),
    "separation": ("separation", False),
}
_RULES = ("1_3s", "2_2s", "R_4s", "4_1s", "10_x")


@dataclass(frozen=True)
class Point:
    """One control of a chart: ``value`` in the unit of the measure, ``z`` in SD from the mean where it is judged.

    ``status`` is ``base`` (mean and SD are of it), ``in``, ``warn`` (beyond 2 SD), ``fail`` (a rule), ``excluded`` (the
    control failed by itself) or ``unknown`` (too few before it); ``rules`` are the rules that it breaks.
    """

    run: str
    sample: str
    month: str
    lot: str
    value: float
    z: float | None
    status: str
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Lot:
    """Mean and SD of the first ``count`` controls of a reagent lot; on the logarithm where the chart is."""

    count: int
    mean: float
    sd: float

    def at(self, sds: float, *, log: bool) -> float:
        """Return the value ``sds`` SD from the mean, in the unit of the measure."""
        value = self.mean + sds * self.sd
        return math.exp(value) if log else value


@dataclass(frozen=True)
class Chart:
    """One measure of one reagent on one instrument; ``lots`` has those whose limits are known."""

    reagent: str
    measure: str
    cytometer: str
    log: bool
    points: tuple[Point, ...]
    lots: Mapping[str, Lot]


def control_charts(rows: Sequence[Row]) -> list[Chart]:
    """Return the charts of all controls, by reagent, measure and instrument; ``rows`` are in the order of time."""
    controls = [row for row in rows if row["role"] == "control"]
    cytometers = sorted({row.get("cytometer") or "" for row in controls})
    charts = []
    for reagent, target in current_assay().targets.items():
        for measure, (name, log) in CHARTED.items():
            column = f"{target.key}_{measure}"
            for cytometer in cytometers:
                here = [row for row in controls if (row.get("cytometer") or "") == cytometer]
                known = [row for row in here if _charted(row.get(column), log=log)]
                if known:
                    charts.append(_chart(known, reagent, name, column, f"{target.key}_lot", cytometer, log=log))
    return charts


def _charted(value: float | None, *, log: bool) -> bool:
    return value is not None and math.isfinite(value) and (value > 0 or not log)


def _chart(
    rows: Sequence[Row], reagent: str, measure: str, column: str, lot_column: str, cytometer: str, *, log: bool
) -> Chart:
    fewest = ReferenceLimits().fewest_controls
    by_lot: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        by_lot.setdefault(row.get(lot_column) or "", []).append(place)
    points: dict[int, Point] = {}
    lots = {}
    for lot, places in by_lot.items():
        values = {place: math.log(rows[place][column]) if log else rows[place][column] for place in places}
        good = [place for place in places if not rows[place].get("failed")]
        base = good[:fewest]
        spread = stdev([values[place] for place in base]) if len(base) == fewest else 0.0
        limits = Lot(len(base), fmean([values[place] for place in base]), spread) if spread > 0 else None
        if limits is not None:
            lots[lot] = limits
        later = good[fewest:] if limits is not None else []
        z = {place: (values[place] - limits.mean) / limits.sd for place in later} if limits is not None else {}
        broken = westgard([z[place] for place in later], [rows[place]["run"] for place in later])
        rules = dict(zip(later, broken, strict=True))
        for place in places:
            status = _status(rules.get(place), z.get(place), base=place in base and limits is not None)
            points[place] = _point(
                rows[place],
                lot,
                rows[place][column],
                z.get(place),
                "excluded" if rows[place].get("failed") else status,
                rules.get(place, ()),
            )
    return Chart(reagent, measure, cytometer, log, tuple(points[place] for place in sorted(points)), lots)


def _status(rules: tuple[str, ...] | None, z: float | None, *, base: bool) -> str:
    if z is None or rules is None:
        return "base" if base else "unknown"
    return "fail" if rules else "warn" if abs(z) > ReferenceLimits().chart_warn_sd else "in"


def _point(row: Row, lot: str, value: float, z: float | None, status: str, rules: tuple[str, ...]) -> Point:
    return Point(row["run"], row["sample"], row.get("month") or "", lot, value, z, status, rules)


def westgard(z: Sequence[float], runs: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the rules that each of a series of controls breaks, itself the last of what breaks it.

    ``z`` are distances from the mean in SD, in the order of time, ``runs`` the runs they are of. ``1_3s`` one beyond 3
    SD; ``2_2s`` two in a row beyond 2 SD on one side; ``R_4s`` one above 2 SD and one below -2 SD in one run; ``4_1s``
    four in a row beyond 1 SD on one side; ``10_x`` ten in a row on one side of the mean.
    """
    found = []
    of_run: dict[str, list[float]] = {}
    for place, value in enumerate(z):
        same_run = of_run.setdefault(runs[place], [])
        broken = (
            abs(value) > 3,
            _side(z, place, 2, 2.0),
            any(value * other < 0 and min(abs(value), abs(other)) > 2 for other in same_run),
            _side(z, place, 4, 1.0),
            _side(z, place, 10, 0.0),
        )
        same_run.append(value)
        found.append(tuple(rule for rule, breaks in zip(_RULES, broken, strict=True) if breaks))
    return found


def _side(z: Sequence[float], place: int, count: int, beyond: float) -> bool:
    """Return whether the last ``count`` values up to a place all lie beyond a distance on one side."""
    last = z[max(place - count + 1, 0) : place + 1]
    return len(last) == count and (all(value > beyond for value in last) or all(value < -beyond for value in last))

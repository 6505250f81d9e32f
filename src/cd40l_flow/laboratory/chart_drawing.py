"""Control charts of a history as marks of an SVG: one row of points, the limits of every lot behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cd40l_flow.laboratory.charts import Chart, Point
from cd40l_flow.result.numbers import format_measure, measure_label

WIDTH, HEIGHT = 1180, 190
LEFT, RIGHT, TOP, BOTTOM = 8.0, 1080.0, 14.0, 168.0
_LINES = ((3.0, "fail"), (2.0, "warn"), (0.0, "mean"), (-2.0, "warn"), (-3.0, "fail"))
# A point further out than this is drawn at the edge.
_MOST_SD = 5.0
_STATUS = {
    "base": "mean and SD are of it",
    "in": "within 2 SD",
    "warn": "beyond 2 SD",
    "fail": "out of control",
    "excluded": "this control failed by itself",
    "unknown": "not judged: too few before it",
}


@dataclass(frozen=True)
class Mark:
    """One control: its place, its class, its run and its tooltip."""

    x: float
    y: float
    status: str
    run: str
    words: str


@dataclass(frozen=True)
class Line:
    """A limit over the stretch of one lot, with words at its right end where it is the last."""

    kind: str
    x: float
    end: float
    y: float


@dataclass(frozen=True)
class Drawn:
    """A chart ready for the page; ``changes`` are places and names where another lot begins."""

    title: str
    alt: str
    note: str
    marks: tuple[Mark, ...]
    lines: tuple[Line, ...]
    labels: tuple[tuple[float, str], ...]
    changes: tuple[tuple[float, str], ...]
    ends: tuple[str, str]
    out: int


def draw(chart: Chart) -> Drawn:
    """Return a chart as marks; places in CSS pixels."""
    points, log = chart.points, chart.log
    step = (RIGHT - LEFT) / max(len(points), 1)
    scaled = [math.log(point.value) if log else point.value for point in points]
    low, high = _range(chart, scaled)

    def place(value: float) -> float:
        share = (value - low) / (high - low)
        return round(BOTTOM - min(max(share, 0.0), 1.0) * (BOTTOM - TOP), 1)

    marks = [
        Mark(round(LEFT + (number + 0.5) * step, 1), place(value), point.status, point.run, _words(chart, point))
        for number, (point, value) in enumerate(zip(points, scaled, strict=True))
    ]
    lines, changes = [], []
    for begin, end in _stretches(points):
        lot, x, stop = points[begin].lot, round(LEFT + begin * step, 1), round(LEFT + end * step, 1)
        changes.append((x, lot))
        if lot in chart.lots:
            own = chart.lots[lot]
            lines += [Line(kind, x, stop, place(own.mean + sds * own.sd)) for sds, kind in _LINES]
    label = measure_label(chart.measure)
    out = sum(point.status == "fail" for point in points)
    without = sorted({point.lot or "no lot" for point in points} - {lot or "no lot" for lot in chart.lots})
    return Drawn(
        title=f"{chart.reagent} · {label}" + (f" · {chart.cytometer}" if chart.cytometer else ""),
        alt=f"{chart.reagent}, {label}: {len(points)} controls in the order of runs, {out} out of control",
        note=f"Fewer than 20 controls, not judged: {_some(without)}." if without else "",
        marks=tuple(marks),
        lines=tuple(lines),
        labels=_labels(chart, place, low, high),
        changes=tuple(_apart(changes)),
        ends=(points[0].run, points[-1].run),
        out=out,
    )


def _range(chart: Chart, scaled: Sequence[float]) -> tuple[float, float]:
    """Return what the axis spans: every lot to 3.5 SD, and the points where they are not far beyond."""
    inside = [own.mean + sds * own.sd for own in chart.lots.values() for sds in (-3.5, 3.5)]
    for point, value in zip(chart.points, scaled, strict=True):
        own = chart.lots.get(point.lot)
        inside.append(
            value if own is None else min(max(value, own.mean - _MOST_SD * own.sd), own.mean + _MOST_SD * own.sd)
        )
    low, high = min(inside), max(inside)
    room = (high - low) * 0.04 or max(abs(high), 1.0) * 0.05
    return low - room, high + room


def _stretches(points: Sequence[Point]) -> list[tuple[int, int]]:
    """Return begin and end of every stretch of points of one lot."""
    begins = [place for place, point in enumerate(points) if place == 0 or point.lot != points[place - 1].lot]
    return list(zip(begins, [*begins[1:], len(points)], strict=True))


def _labels(chart: Chart, place: Callable[[float], float], low: float, high: float) -> tuple[tuple[float, str], ...]:
    """Return heights and words at the right edge: the limits of the last lot, or the ends of the axis."""
    own = chart.lots.get(chart.points[-1].lot)
    if own is None:
        values = [(value, "") for value in (high, low)]
    else:
        values = [(own.mean + sds * own.sd, f"{sds:+g} SD " if sds else "mean ") for sds, _ in _LINES]
    labels, free = [], 0.0
    for value, words in values:
        y = max(place(value) + 4, free)
        free = y + 11
        shown = format_measure(chart.measure, math.exp(value) if chart.log else value)
        labels.append((round(y, 1), words.replace("-", "−") + shown))
    return tuple(labels)


def _apart(changes: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return the changes of lot with names only where there is room for them."""
    found: list[tuple[float, str]] = []
    free = -1.0
    for x, lot in changes:
        name = lot if x >= free else ""
        free = x + 7.0 * len(lot) + 12 if name else free
        found.append((x, name))
    return found


def _words(chart: Chart, point: Point) -> str:
    where = ", ".join(part for part in (point.run, point.month, point.lot and f"lot {point.lot}") if part)
    far = f" ({point.z:+.1f} SD)".replace("-", "−") if point.z is not None else ""
    rules = f": {', '.join(point.rules)}" if point.rules else ""
    return f"{point.sample}, {where}: {format_measure(chart.measure, point.value)}{far}, {_STATUS[point.status]}{rules}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")

"""Control charts (Levey-Jennings) of the index, drawn as marks of an SVG from the data of the laboratory's controls."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cd40l_flow.assay.texts import load_texts
from cd40l_flow.figures.control_chart import ControlChart
from cd40l_flow.result.numbers import format_measure, measure_label

WIDTH, HEIGHT = 560, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 26.0, 470.0, 12.0, 146.0
_LIMITS: tuple[tuple[Literal["high_3sd", "high_2sd", "mean", "low_2sd", "low_3sd"], str], ...] = (
    *(("high_3sd", "+3 SD"), ("high_2sd", "+2 SD"), ("mean", "")),
    *(("low_2sd", "−2 SD"), ("low_3sd", "−3 SD")),
)
# Lines of text must be this far apart to be read.
_LINE = 11.0


@dataclass(frozen=True)
class Point:
    """One control; ``number`` is its place in the index where it is of this cohort, else None."""

    number: int | None
    status: str
    x: float
    y: float
    words: str


@dataclass(frozen=True)
class Level:
    """A line across the chart with its words, written at ``text_y``."""

    name: str
    y: float
    words: str
    text_y: float


@dataclass(frozen=True)
class Chart:
    """One measure of the controls, in their order of time."""

    title: str
    alt: str
    note: str
    points: tuple[Point, ...]
    levels: tuple[Level, ...]
    divide: float | None


def draw_charts(charts: Sequence[ControlChart], numbers: Mapping[str, int]) -> list[Chart]:
    """Return the drawn charts; ``numbers`` are the places of this cohort's samples by name."""
    return [_draw(chart, numbers) for chart in charts]


def _draw(chart: ControlChart, numbers: Mapping[str, int]) -> Chart:
    words = load_texts()["index"]["charts"]
    measure = chart["measure"]
    points = [(point, value) for point in chart["points"] if (value := point["value"]) is not None]
    values = [value for _, value in points]
    log = chart["scale"] == "log" and all(value > 0 for value in values)
    drawn = [(name, sign, value) for name, sign in _LIMITS if (value := chart[name]) is not None]
    place = _axis([*values, *(value for _, _, value in drawn)], log=log)
    step = (_RIGHT - _LEFT) / max(len(points), 1)
    marks = []
    for position, (point, value) in enumerate(points):
        where = ", ".join(part for part in (point["run"], point["month"]) if part)
        hover = words["point"].format(
            sample=point["sample"],
            where=where,
            value=format_measure(measure, value),
            status=words["status"][point["status"]],
        )
        number = numbers.get(point["sample"]) if point["current"] else None
        status = point["status"] if point["current"] else "past"
        x = round(_LEFT + (position + 0.5) * step, 1)
        marks.append(Point(number, status, x, place(value), hover))
    past = sum(not point["current"] for point, _ in points)
    label = measure_label(measure)
    kind = " · ".join(
        part for part in (chart["cytometer"], chart["lot"] and words["lot"].format(lot=chart["lot"])) if part
    )
    outside = sum(point["current"] and point["status"] in ("warn", "fail") for point, _ in points)
    return Chart(
        title=f"{chart['reagent']} · {label}" + (f" · {kind}" if kind else ""),
        alt=words["alt"].format(title=f"{chart['reagent']}, {label}", count=len(points), outside=outside),
        note=words["alone"]
        if not chart["count"]
        else words["few"].format(count=chart["count"])
        if chart["few"]
        else "",
        points=tuple(marks),
        levels=tuple(_levels(measure, drawn or _ends(values), place)),
        divide=round(_LEFT + past * step, 1) if 0 < past < len(points) else None,
    )


def _ends(values: Sequence[float]) -> list[tuple[str, str, float]]:
    """Return highest and lowest value as lines: where there are no limits, they show the scale."""
    return [("edge", " ", value) for value in dict.fromkeys([max(values), min(values)])] if values else []


def _axis(values: Sequence[float], *, log: bool) -> Callable[[float], float]:
    """Return what gives the height of a value: all of them have room."""
    scaled = [math.log(value) for value in values if value > 0] if log else list(values)
    low, high = min(scaled, default=0.0), max(scaled, default=1.0)
    room = (high - low) * 0.06 or max(abs(high), 1.0) * 0.05

    def place(value: float) -> float:
        at = math.log(max(value, 1e-12)) if log else value
        share = (at - low + room) / (high - low + 2 * room)
        return round(_BOTTOM - min(max(share, 0.0), 1.0) * (_BOTTOM - _TOP), 1)

    return place


def _levels(measure: str, drawn: Sequence[tuple[str, str, float]], place: Callable[[float], float]) -> list[Level]:
    """Return the lines from the top down, their words moved apart where they would touch."""
    levels: list[Level] = []
    free = 0.0
    for name, sign, value in drawn:
        y = place(value)
        text = max(y + 4, free)
        free = text + _LINE
        mean = load_texts()["index"]["charts"]["mean"]
        levels.append(Level(name, y, f"{sign or mean} {format_measure(measure, value)}".strip(), round(text, 1)))
    return levels

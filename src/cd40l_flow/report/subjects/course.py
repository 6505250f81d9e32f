"""The course after a transplantation: the donor fraction, and switched memory, by date of collection."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from cd40l_flow.assay.cd40.rules import B_CELLS
from cd40l_flow.assay.texts import load_texts, person_texts
from cd40l_flow.cohort.one_person import when
from cd40l_flow.figures.drawing import Drawing, Label, level
from cd40l_flow.report.b_cell_rows import share_words
from cd40l_flow.report.subjects.rows import has_call
from cd40l_flow.result.numbers import clipped, format_interval, format_number
from cd40l_flow.result.people.joined import Person, Visit
from cd40l_flow.result.types.b_cells import deciding_share

SERIES = ("cd154", "b_cells", "monocytes", "switched")
_LEFT, _TOP, _PLOT, _HEIGHT, _RIGHT, _FOOT = 44, 8, 560, 150, 12, 40
_HALF = 4.5  # half of a mark, pixels
# How far the marks of one date stand apart.
_APART = 9.0


@dataclass(frozen=True)
class Point:
    """One value of a series, percent 0 to 100 with its 95 % interval; ``limit`` is what it is compared with."""

    series: str
    visit: Visit
    value: float
    low: float | None
    high: float | None
    words: str
    interval: str
    limit: float | None = None


class KeyEntry(TypedDict):
    """One series in the key of a chart; ``mark`` is the SVG path of its mark."""

    name: str
    words: str
    mark: str


class CourseChart(TypedDict):
    """One chart; ``limit`` and ``open`` say whether it shows a limit, and marks of samples without a call."""

    title: str
    drawing: Drawing
    alt: str
    key: list[KeyEntry]
    limit: bool
    open: bool


class CourseRow(TypedDict):
    """One value of a series with its unit and 95 % interval, and the call of its sample."""

    date: str
    sample: str
    href: str | None
    what: str
    value: str
    interval: str
    call: str
    word: str


class Course(TypedDict):
    """The course of a transplanted person; ``undated`` names the samples that no chart shows, or is empty."""

    charts: list[CourseChart]
    rows: list[CourseRow]
    undated: str


def points_of(person: Person) -> list[Point]:
    """Return the points of a transplanted person, in the order of collection."""
    return [point for visit in person.visits for point in _points(visit)]


def _points(visit: Visit) -> Iterator[Point]:
    result = visit.result
    values = result.numbers("CD154")
    mutant = [clipped("mutant_fraction", values.get(f"mutant_fraction{end}")) for end in ("", "_low", "_high")]
    if mutant[0] is not None:
        yield _fraction("cd154", visit, mutant[0], mutant[1], mutant[2])
    for cells in result.cd40.cells if result.cd40 is not None else ():
        if cells.negative_fraction is not None:
            series = "b_cells" if cells.population == B_CELLS else "monocytes"
            low, high = cells.negative_fraction_low, cells.negative_fraction_high
            yield _fraction(series, visit, cells.negative_fraction, low, high)
    if result.memory is not None and (share := deciding_share(result.memory)).percent is not None:
        ends = {"percent_low": share.low, "percent_high": share.high}
        words = {"words": share_words(share), "interval": format_interval("percent", ends)}
        yield Point("switched", visit, share.percent, share.low, share.high, **words, limit=result.memory.limit_low)


def _fraction(series: str, visit: Visit, lacking: float, low: float | None, high: float | None) -> Point:
    """Return the fraction of a donor: the cells that do not lack what the patient's own lack."""
    value, least, most = (None if one is None else 100 * (1 - one) for one in (lacking, high, low))
    ends = {"percent_low": least, "percent_high": most}
    interval = format_interval("percent", ends)
    return Point(series, visit, value or 0.0, least, most, format_number("percent", value), interval)


def course_view(person: Person, hrefs: Mapping[str, str | None]) -> Course | None:
    """Return charts and table of the course of a transplanted person; None of others."""
    if not person.transplanted:
        return None
    words, found = person_texts()["course"], points_of(person)
    ordered = not any(one.column == "collected" for one in person.contradictions)
    dated = [point for point in found if point.visit.result.metadata.collected and ordered]
    undated = dict.fromkeys(point.visit.entry.sample for point in found if point not in dated)
    charts = [
        _chart(words[title], [point for point in dated if (point.series == "switched") == switched])
        for title, switched in (("chart", False), ("switched_chart", True))
    ]
    return {
        "charts": [chart for chart in charts if chart is not None],
        "rows": [_row(point, hrefs) for point in found],
        "undated": words["undated"].format(samples=", ".join(undated)) if undated else "",
    }


def _row(point: Point, hrefs: Mapping[str, str | None]) -> CourseRow:
    words, result = person_texts(), point.visit.result
    return {
        "date": result.metadata.collected or words["tests"]["no_date"],
        "sample": result.sample,
        "href": hrefs.get(result.sample),
        "what": words["course"]["series"][point.series],
        "value": point.words,
        "interval": point.interval,
        "call": point.visit.call,
        "word": load_texts()["calls"][point.visit.call]["word"],
    }


def _chart(title: str, points: Sequence[Point]) -> CourseChart | None:
    """Return a chart: dates across, months as far apart as they are, percent upwards."""
    if not points:
        return None
    words = person_texts()["course"]
    places = {
        point.visit.result.metadata.collected: when(point.visit.result.metadata.collected) or 0 for point in points
    }
    first, last = min(places.values()), max(places.values())
    span = max(last - first, 1)
    room = 60.0

    def across(collected: str) -> float:
        if first == last:
            return _PLOT / 2
        return room + (places[collected] - first) / span * (_PLOT - 2 * room)

    top = _top(points)

    def up(value: float) -> float:
        return round(_HEIGHT * (1 - min(value, top) / top), 1)

    series = [name for name in SERIES if any(point.series == name for point in points)]
    marks: list[tuple[str, str]] = [("d-grid", "".join(level(up(at), _PLOT) for at in _ticks(top)))]
    for point in points:
        shift = (series.index(point.series) - (len(series) - 1) / 2) * _APART
        x = round(across(point.visit.result.metadata.collected) + shift, 1)
        if point.limit is not None:
            marks.append(("d-limit", f"M{x - 16} {up(point.limit)}h32"))
        if point.low is not None and point.high is not None:
            marks.append((f"d-bar d-{point.series}", f"M{x} {up(point.high)}V{up(point.low)}"))
        look = f"d-mark d-{point.series}" + ("" if has_call(point.visit) else " d-open")
        marks.append((look, _mark(point.series, x, up(point.value))))
    labels = [Label(_LEFT - 6, _TOP + up(at) + 4, f"{at:g}", anchor="end") for at in _ticks(top)]
    labels += [
        Label(_LEFT + across(date), _TOP + _HEIGHT + 16, date) for date in sorted(places, key=places.__getitem__)
    ]
    labels.append(Label(_LEFT - 6, _TOP + _HEIGHT + 16, words["percent"], anchor="end"))
    points_in_words = [
        words["point"].format(
            series=words["series"][point.series], date=point.visit.result.metadata.collected, value=point.words
        )
        for point in points
    ]
    box = (_LEFT, _TOP, _PLOT, _HEIGHT)
    drawing = Drawing(_LEFT + _PLOT + _RIGHT, _TOP + _HEIGHT + _FOOT - 12, box, tuple(marks), tuple(labels))
    return {
        "title": title,
        "drawing": drawing,
        "alt": words["alt"].format(chart=title, points="; ".join(points_in_words)),
        "key": [{"name": name, "words": words["series"][name], "mark": _mark(name, 7, 7)} for name in series],
        "limit": any(point.limit is not None for point in points),
        "open": any(not has_call(point.visit) for point in points),
    }


def _top(points: Sequence[Point]) -> float:
    if points[0].series != "switched":
        return 100.0
    highest = max(max(point.high or 0.0, point.value, point.limit or 0.0) for point in points)
    return max(5.0 * math.ceil(1.05 * highest / 5.0), 5.0)


def _ticks(top: float) -> list[float]:
    step = next(step for step in (1, 2, 5, 10, 20, 25) if top / step <= 5)
    return [float(step * number) for number in range(int(top / step) + 1)]


def _mark(series: str, x: float, y: float) -> str:
    """Return the SVG path of a mark: each series has a shape of its own."""
    half = _HALF
    if series == "b_cells":
        return f"M{x - half} {y - half}h{2 * half}v{2 * half}h-{2 * half}z"
    if series == "monocytes":
        return f"M{x} {y - half - 1}l{half + 1} {half + 1}l-{half + 1} {half + 1}l-{half + 1}-{half + 1}z"
    return f"M{x - half} {y}a{half} {half} 0 1 0 {2 * half} 0a{half} {half} 0 1 0-{2 * half} 0z"

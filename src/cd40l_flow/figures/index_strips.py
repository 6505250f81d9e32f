"""Strip plots of the index: every sample on one line for each measure, with the limits the calls were made by."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cd40l_flow.assay.texts import load_texts
from cd40l_flow.result.numbers import format_limit, format_measure, measure_base, measure_kind, operator_sign
from cd40l_flow.result.types.result import Result

ASSAY = "cd40l"  # whose measures these are
WIDTH, HEIGHT = 560, 112
_LEFT, _RIGHT, _MIDDLE, _HALF = 26.0, 534.0, 58.0, 30.0
_STEP, _COLUMN = 8.0, 9.0
# Words of a limit stand right of its line up to here, left of it beyond; the mean width of a letter of them.
TURN, _LETTER = 380.0, 5.2
# A corrected percent can lie a little beyond 0 or 100; what lies further out is drawn at the edge with its value.
_MARGIN = 0.03
_SURE = math.log(1e6)
# The measures of the rules that a measure is judged by under another name.
_RULED_BY = {"positive_fraction": "percent_positive", "positive_level": "mfi_ratio", "positive": "percent_positive"}
# Measures that no rule tests, and the check that does.
_CHECKED_BY = {"cd69_percent": "ACTIVATION_FAILED", "activated_events": "TOO_FEW_EVENTS"}


@dataclass(frozen=True)
class Mark:
    """One sample on a strip: ``number`` is its place in the order given, ``beyond`` its value in words where it lies
    off the axis and is drawn at the edge.
    """

    number: int
    kind: str
    x: float
    y: float
    words: str
    beyond: str = ""


@dataclass(frozen=True)
class Limit:
    """A cut-off, from ``x`` to ``end`` where samples differ in it; ``level`` 0 or 1 is its line of text."""

    x: float
    end: float
    words: str
    level: int


@dataclass(frozen=True)
class Strip:
    """All samples for one measure; ``ticks`` are places and labels of the axis."""

    title: str
    alt: str
    missing: str
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    limits: tuple[Limit, ...]


class _Line:
    """The axis of a strip: where values lie, in pixels, and its ticks."""

    def __init__(self, measure: str, values: Sequence[float]) -> None:
        kind = measure_kind(measure)
        self.log = kind == "events"
        if _is_odds(measure):
            # From a million to one against to a million to one for; what lies further out is as sure.
            self.low, self.high = -_SURE, _SURE
            self.ticks = [
                (math.log(10) * power, f"10{_power(power)}" if power else "1") for power in (-6, -4, -2, 0, 2, 4, 6)
            ]
            return
        if self.log:
            high = 10.0 ** math.ceil(math.log10(max([1000.0, *values])))
            self.low, self.high = 1.0, math.log10(high)
            self.ticks = [(10.0**power, f"{10**power:,}") for power in range(1, round(self.high) + 1)]
            return
        self.low = 0.0
        if kind in ("percent", "fraction"):
            self.high = 100.0 if kind == "percent" else 1.0
            steps = [(self.high * share / 5, f"{20 * share}") for share in range(6)]
            self.ticks = [*steps[:-1], (self.high, "100 %")]
            return
        top = max([1.0, *values])
        step = next(step for step in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 1e3, 1e4, 1e9) if top / step <= 7)
        self.high = math.ceil(top / step) * step
        self.ticks = [(count * step, f"{count * step:g}") for count in range(round(self.high / step) + 1)]

    def share(self, value: float) -> float:
        """Return where a value lies, 0 to 1 from end to end of the axis."""
        if self.log:
            value = math.log10(max(value, 1e-9))
        return (value - self.low) / (self.high - self.low)

    def x(self, value: float) -> float:
        """Return the place of a value; what lies off the axis is put at its edge."""
        share = min(max(self.share(value), -_MARGIN), 1 + _MARGIN)
        return round(_LEFT + share * (_RIGHT - _LEFT), 1)


def draw_strips(results: Sequence[Result]) -> list[Strip]:
    """Return one strip for each measure the texts name; marks name samples by their place in ``results``."""
    return [_draw_strip(row, results) for row in load_texts()["index"]["strip"]["rows"]]


def _draw_strip(row: Mapping[str, str], results: Sequence[Result]) -> Strip:
    words = load_texts()["index"]["strip"]
    measure, reagent = row["measure"], row["reagent"]
    found = [
        (number, float(value))
        for number, result in enumerate(results)
        if result.assay == ASSAY and (value := _value(result, reagent, measure)) is not None
    ]
    limits = _limits(results, reagent, measure)
    line = _Line(measure, [value for _, value in found] + [high for _, _, high in limits])
    columns: dict[int, list[int]] = {}
    for position, (_, value) in enumerate(found):
        columns.setdefault(round(line.x(value) / _COLUMN), []).append(position)
    heights = {position: height for column in columns.values() for position, height in _stack(column).items()}
    marks = []
    for position, (number, value) in enumerate(found):
        shown = format_measure(measure, value)
        beyond = "" if -_MARGIN <= line.share(value) <= 1 + _MARGIN or _is_odds(measure) else shown
        place = (line.x(value), round(_MIDDLE + heights[position], 1))
        hover = f"{results[number].sample}: {shown}"
        marks.append(Mark(number, _kind(results[number]), *place, hover, beyond))
    # Controls come last: the marks the others are judged by must not be hidden.
    marks.sort(key=lambda mark: mark.kind == "control")
    # Of another assay nothing is missing here.
    missing = sum(result.assay == ASSAY for result in results) - len(found)
    return Strip(
        title=row["title"],
        alt=words["alt"].format(title=row["title"], count=len(found)),
        missing=words["missing"].format(count=missing) if missing else "",
        marks=tuple(marks),
        ticks=tuple((line.x(value), label) for value, label in line.ticks),
        limits=tuple(_placed(limits, line)),
    )


def _value(result: Result, reagent: str, measure: str) -> float | None:
    if not reagent and hasattr(result, measure):
        own: float | None = getattr(result, measure)
        return own
    if (value := result.numbers(reagent).get(measure)) is not None:
        return value
    # What only the rules use is kept with them.
    tried = (condition for rule in result.rules if (rule.reagent or "") == reagent for condition in rule.conditions)
    return next((one.value for one in tried if one.measure == measure), None)


def _is_odds(measure: str) -> bool:
    return measure.endswith("_odds")


def _odds(limit: float) -> str:
    return f"{math.exp(limit):,.0f} to 1"


def _power(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _limits(results: Sequence[Result], reagent: str, measure: str) -> list[tuple[str, float, float]]:
    """Return the cut-offs of a measure as (words, lowest, highest) over the samples, from left to right; calls that
    share a cut-off are named together.
    """
    found: dict[str, list[float]] = {}
    for result in results:
        for name, sign, limit in [*_ruled(result, reagent, measure), *_checked(result, measure)]:
            found.setdefault(f"{name} {sign}", []).append(limit)
    together: dict[tuple[float, float], list[str]] = {}
    for name, limits in found.items():
        together.setdefault((min(limits), max(limits)), []).append(name)
    hover = []
    for (low, high), names in sorted(together.items()):
        ends = [_odds(end) if _is_odds(measure) else format_limit(measure, round(end, 3)) for end in (low, high)]
        # A range of limits is labelled at its ends, unless they read alike.
        value = ends[0] if ends[0] == ends[1] else f"{ends[0]} – {ends[1]}"
        hover.append((f"{', '.join(names)} {value}".strip(), low, high))
    return hover


def _placed(limits: Sequence[tuple[str, float, float]], line: _Line) -> Iterator[Limit]:
    """Yield the limits with a line of text each that no other text is on, as far as two lines go."""
    ends = [-math.inf, -math.inf]
    for words, low, high in limits:
        x, width = line.x(low), _LETTER * len(words)
        start = x + 3 if x < TURN else x - 3 - width
        level = next((level for level, end in enumerate(ends) if end < start), 1)
        ends[level] = max(ends[level], start + width)
        yield Limit(x, line.x(high), words, level)


def _ruled(result: Result, reagent: str, measure: str) -> list[tuple[str, str, float]]:
    found = []
    factor = 100.0 if measure_kind(measure) == "percent" else 1.0
    for rule in result.rules:
        for condition in rule.conditions if (rule.reagent or "") == reagent else ():
            base = measure_base(condition.measure)[0]
            same = condition.measure == measure or _RULED_BY.get(base, base) == measure
            if same and condition.limit is not None:
                word = load_texts()["calls"][rule.call]["word"]
                found.append((word, operator_sign(condition.op), float(condition.limit) * factor))
    return found


def _checked(result: Result, measure: str) -> list[tuple[str, str, float]]:
    """Return the limit of the check that tested exactly this value."""
    code, value = _CHECKED_BY.get(measure), getattr(result, measure, None)
    return [
        ("", "≥", float(guard.limit))
        for guard in result.guards
        if code is not None and guard.code == code and guard.limit is not None and guard.value == value
    ][:1]


def _stack(column: Sequence[int]) -> dict[int, float]:
    """Return how far each mark of a column stands from the middle: 0, up, down, ...; closer where there are many."""
    step = min(_STEP, _HALF / max((len(column) + 1) // 2, 1))
    return {
        position: round((rank + 1) // 2 * step * (-1 if rank % 2 else 1), 1) for rank, position in enumerate(column)
    }


def _kind(result: Result) -> str:
    if result.role == "control":
        return "control"
    return "open" if result.call == "INDETERMINATE" else "test"

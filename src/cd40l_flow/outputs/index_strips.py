"""Strip plots of the index: every sample on one line from 0 to 100 %, as marks of an SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cd40l_flow.outputs.numbers import format_measure, measure_kind
from cd40l_flow.outputs.texts import load_texts

WIDTH, HEIGHT = 560, 92
_LEFT, _RIGHT, _MIDDLE, _HALF = 26.0, 534.0, 38.0, 30.0
_STEP, _COLUMN = 8.0, 9.0
# A corrected percent can lie a little beyond 0 or 100; what lies further out is drawn at the edge with its value.
_LOWEST, _HIGHEST = -3.0, 103.0


@dataclass(frozen=True)
class Mark:
    """One sample on a strip; ``beyond`` is its value in words where it lies off the axis and is drawn at the edge."""

    sample: str
    href: str
    kind: str
    x: float
    y: float
    words: str
    beyond: str = ""


@dataclass(frozen=True)
class Strip:
    """All samples for one measure; ``ticks`` are places and labels of the axis."""

    title: str
    alt: str
    missing: str
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]


def draw_strips(results: Sequence[Mapping[str, Any]], hrefs: Sequence[str]) -> list[Strip]:
    """Return one strip for each measure the texts name, samples in the order given."""
    return [_draw_strip(row, results, hrefs) for row in load_texts()["index"]["strip"]["rows"]]


def _draw_strip(row: Mapping[str, str], results: Sequence[Mapping[str, Any]], hrefs: Sequence[str]) -> Strip:
    words = load_texts()["index"]["strip"]
    factor = 100.0 if measure_kind(row["measure"]) == "fraction" else 1.0
    found: list[tuple[float, Mapping[str, Any], str]] = []
    for result, href in zip(results, hrefs, strict=True):
        value = (result["reagents"].get(row["reagent"]) or {}).get(row["measure"])
        if value is not None:
            found.append((float(value) * factor, result, href))
    columns: dict[int, list[int]] = {}
    for position, (percent, _, _) in enumerate(found):
        columns.setdefault(round(_place(percent) / _COLUMN), []).append(position)
    heights = {position: height for column in columns.values() for position, height in _stack(column).items()}
    marks = []
    for position, (percent, result, href) in enumerate(found):
        shown = format_measure("percent_positive", percent)
        beyond = "" if _LOWEST <= percent <= _HIGHEST else shown
        place = (_place(percent), _MIDDLE + heights[position])
        marks.append(Mark(result["sample"], href, _kind(result), *place, f"{result['sample']}: {shown}", beyond))
    # Controls come last: the marks the others are judged by must not be hidden.
    marks.sort(key=lambda mark: mark.kind == "control")
    missing = len(results) - len(found)
    return Strip(
        title=row["title"],
        alt=words["alt"].format(title=row["title"], count=len(found)),
        missing=words["missing"].format(count=missing) if missing else "",
        marks=tuple(marks),
        ticks=tuple((_place(tick), f"{tick:g}") for tick in (0, 20, 40, 60, 80, 100)),
    )


def _place(percent: float) -> float:
    return round(_LEFT + min(max(percent, _LOWEST), _HIGHEST) / 100 * (_RIGHT - _LEFT), 1)


def _stack(column: Sequence[int]) -> dict[int, float]:
    """Return how far each mark of a column stands from the middle: 0, up, down, ...; closer where there are many."""
    step = min(_STEP, _HALF / max((len(column) + 1) // 2, 1))
    return {
        position: round((rank + 1) // 2 * step * (-1 if rank % 2 else 1), 1) for rank, position in enumerate(column)
    }


def _kind(result: Mapping[str, Any]) -> str:
    if result["role"] == "control":
        return "control"
    return "open" if result["call"] == "INDETERMINATE" else "test"

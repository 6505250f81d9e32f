"""Drawings of the report: lines as SVG paths, crowds of events as a small picture, words as text of the page.

A plotting library's axes cost about 10 ms each and a report holds some eighty; paths cost microseconds, stay sharp on
paper, and words stay searchable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from markupsafe import Markup

Points = NDArray[np.float64]
# One place or many, pixels.
Places = TypeVar("Places", float, NDArray[np.float64])
Box = tuple[float, float, float, float]
# Colour, width in CSS pixels, lengths of dashes and gaps (None: solid).
Style = tuple[str, float, tuple[float, ...] | None]


@dataclass(frozen=True)
class Label:
    """Words at a place, CSS pixels from the top left; ``style`` is a class of the style sheet.

    ``room`` is the width the words are squeezed into, or None where they fit as they are.
    """

    x: float
    y: float
    words: str
    style: str = "tick"
    anchor: str = "middle"
    room: float | None = None


@dataclass(frozen=True)
class Drawing:
    """A drawing of ``width`` x ``height`` CSS pixels.

    ``box`` (x, y, width, height) is the part that holds ``marks``, each a class and an SVG path in pixels from the
    box's top left, drawn in order and cut off at its edges; ``image`` is a data URI that fills the box below them.
    """

    width: float
    height: float
    box: Box
    marks: tuple[tuple[str, str], ...]
    labels: tuple[Label, ...]
    image: str = ""


def svg(drawing: Drawing, alt: str, frame: bool = False) -> Markup:
    """Return a drawing as an element of a page: ``alt`` is its text for screen readers, ``frame`` draws its box.

    A template would take four times as long, and this is a fifth of a report.
    """
    from markupsafe import Markup, escape

    x, y, width, height = drawing.box
    place = f'x="{x}" y="{y}" width="{width}" height="{height}"'
    image = f'<image href="{drawing.image}" width="{width}" height="{height}"/>' if drawing.image else ""
    marks = "".join(f'<path class="{escape(look)}" d="{path}"/>' for look, path in drawing.marks)
    return Markup(
        f'<svg class="drawing" viewBox="0 0 {round(drawing.width, 1)} {round(drawing.height, 1)}" role="img" '
        f'aria-label="{escape(alt)}">\n<svg {place}>\n{image}{marks}</svg>\n'
        + (f'<rect class="frame" {place}/>\n' if frame else "")
        + "".join(_text(label, str(escape(label.words))) for label in drawing.labels)
        + "\n</svg>\n"
    )


def _text(label: Label, words: str) -> str:
    """Return a label as SVG; ``words`` are its words, escaped."""
    look = f' class="{label.style}"' if label.style != "tick" else ""
    anchor = f' text-anchor="{label.anchor}"' if label.anchor != "middle" else ""
    room = f' textLength="{label.room}" lengthAdjust="spacingAndGlyphs"' if label.room else ""
    return f'<text x="{round(label.x)}" y="{round(label.y)}"{look}{anchor}{room}>{words}</text>'


def rules(prefix: str, styles: Mapping[str, Style]) -> str:
    """Return the rules of a style sheet that give the classes ``prefix-name`` their lines."""
    return "\n".join(
        f".{prefix}-{name} {{ stroke: {colour}; stroke-width: {width:g};"
        + (f" stroke-dasharray: {' '.join(f'{part:g}' for part in dash)};" if dash else "")
        + " }"
        for name, (colour, width, dash) in styles.items()
    )


def polyline(points: Points) -> str:
    """Return the SVG path through (n, 2) points, to a tenth of a pixel; a point that is not finite leaves a gap."""
    finite = np.isfinite(points).all(axis=1)
    if finite.all():
        return _run(points)
    ends = np.flatnonzero(np.diff(finite, prepend=False, append=False))
    return "".join(_run(points[begin:end]) for begin, end in ends.reshape(-1, 2).tolist())


def _run(points: Points) -> str:
    """Return the SVG path through finite points; fewer than two make none."""
    if len(points) < 2:
        return ""
    tenths = np.rint(points * 10).astype(np.intp)
    x, y = tenths[0].tolist()
    steps = (tenths[1:] - tenths[:-1]).ravel().tolist()
    return f"M{_tenth(x)} {_tenth(y)}l{' '.join(map(_tenth, steps))}".replace(" -", "-")


def staircase(heights: NDArray[np.float64], width: float, foot: float) -> str:
    """Return the SVG path of a histogram's outline: ``heights`` (n,) are places in pixels, ``foot`` that of zero."""
    edges = np.round(np.linspace(0, width, heights.size + 1) * 10).astype(int)
    across = np.diff(edges).tolist()
    levels = np.round(np.concatenate([[foot], heights, [foot]]) * 10).astype(int)
    down = np.diff(levels).tolist()
    steps = [
        f"v{_tenth(rise)}h{_tenth(run)}" if rise else f"h{_tenth(run)}" for rise, run in zip(down, across, strict=False)
    ]
    return f"M0 {_tenth(int(levels[0]))}" + "".join(steps) + f"v{_tenth(down[-1])}"


def level(y: float, width: float) -> str:
    """Return the SVG path of a horizontal line over the whole width."""
    return f"M0 {y:.1f}h{width:g}"


def upright(x: float, top: float, bottom: float) -> str:
    """Return the SVG path of a vertical line."""
    return f"M{x:.1f} {top:.1f}V{bottom:.1f}"


@cache
def _tenth(value: int) -> str:
    """Write a number of tenths as briefly as SVG reads it; a report holds some ten thousand, of few different ones."""
    text = f"{value / 10:g}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text

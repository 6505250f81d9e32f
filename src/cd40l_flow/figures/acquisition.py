"""The course of an acquisition: flow rate above, the shift of every watched signal below, what was cut shaded.

Lines of sixty points are smaller as vectors than as a picture, and stay sharp.
"""

from __future__ import annotations

import numpy as np

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.model import Floats
from cd40l_flow.figures.binned import Densities
from cd40l_flow.figures.drawing import Drawing, Label, Places, Style, level, polyline
from cd40l_flow.figures.plots import Course

# Okabe and Ito's hues, darkened; each line also has its own dash, so that colour is never the only sign.
STYLES: dict[str, Style] = {
    "FSC": ("#111111", 1.4, None),
    "SSC": ("#55616e", 1.4, (5.0, 2.0)),
    "CD3": ("#0b4f8a", 1.4, None),
    "CD8": ("#00725c", 1.4, (5.0, 2.0)),
    "CD69": ("#7a2e8e", 1.4, None),
    "CD4": ("#b35c00", 1.4, (5.0, 2.0)),
    "viability": ("#8a6d00", 1.4, (1.5, 2.0)),
    "target": ("#a3195b", 1.4, (1.5, 2.0)),
    "rate": ("#1b2733", 1.2, None),
    "limit": ("#c2410c", 0.9, (4.0, 3.0)),
    "zero": ("#8a8f98", 0.9, None),
}
# Further lines of assays that watch these markers.
_OTHERS: dict[str, Style] = {"CD19": ("#00725c", 1.4, None), "CD14": ("#7a2e8e", 1.4, (5.0, 2.0))}
_LEFT, _PLOT, _RIGHT, _FOOT = 44, 480, 10, 34
_RATE, _GAP, _SIGNALS = 46, 10, 92
_LEAST = 25.0  # percentile points that the lower strip shows on either side


def styles() -> dict[str, Style]:
    """Return the lines of the signals that the current assay watches."""
    watched = {marker.name for marker in current_assay().markers if marker.time_qc}
    return STYLES | {name: style for name, style in _OTHERS.items() if name in watched}


def draw_course(densities: Densities, course: Course) -> Drawing:
    """Draw the course of one tube."""
    height, limit = _RATE + _GAP + _SIGNALS, course.limit
    rate, *rows = np.asarray(densities.arrays[course.array], dtype=np.float64)
    top = max(float(rate.max()), 1e-9)
    shifts = dict(zip(course.signals, rows, strict=True))
    largest = [float(np.nanmax(np.abs(values), initial=0.0)) for values in shifts.values()]
    span = max(_LEAST, 1.3 * limit, *largest)

    def place(value: Places) -> Places:
        return height - _SIGNALS * (value / span + 1) / 2

    # What was cut for an instant must be seen too.
    cuts = (
        f"M{begin * _PLOT:.1f} 0h{max((end - begin) * _PLOT, 1.5):.1f}v{height}H{begin * _PLOT:.1f}z"
        for begin, end in course.cut
    )
    flat = {"zero": (place(0.0), float(_RATE), float(height)), "limit": (place(limit), place(-limit))}
    marks = [("cut", "".join(cuts))]
    marks += [(f"c-{style}", "".join(level(at, _PLOT) for at in places)) for style, places in flat.items()]
    marks.append(("c-rate", _course(_RATE * (1 - rate / top))))
    marks += [(f"c-{name}", _course(place(values))) for name, values in shifts.items()]
    labels = (
        Label(_LEFT - 5, 10, f"{top:.0f}/s", "tick", "end"),
        Label(_LEFT - 5, _RATE, "0", "tick", "end"),
        *(Label(_LEFT - 5, place(at) + 4, f"{at:+g}".replace("-", "−"), "tick", "end") for at in (limit, -limit)),
        Label(_LEFT - 5, place(0.0) + 4, "0", "tick", "end"),
        Label(_LEFT, height + 14, "0 s", "tick", "start"),
        Label(_LEFT + _PLOT, height + 14, f"{course.seconds:.0f} s", "tick", "end"),
        Label(_LEFT + _PLOT / 2, height + 28, "Time", "axis"),
    )
    return Drawing(_LEFT + _PLOT + _RIGHT, height + _FOOT, (_LEFT, 0, _PLOT, height), tuple(marks), labels)


def _course(heights: Floats) -> str:
    """Return the SVG path through heights at even distances, pixels; NaN leaves a gap."""
    x = (np.arange(heights.size) + 0.5) * _PLOT / heights.size
    return polyline(np.column_stack([x, heights]).round())

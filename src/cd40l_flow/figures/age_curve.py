"""The switched share of a sample among healthy people of all ages: infants have few switched cells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.b_cell_limits import BCellLimits
from cd40l_flow.assay.memory_b.age_table import BANDS
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.cohort.ages import AGE_BANDS, FINE_BANDS, OLDER_BANDS
from cd40l_flow.decision.b_cells.age_curve import AgeCurve, percent_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

YOUNGEST, OLDEST = BANDS[0].start / 12, 80.0  # years
LOWEST, HIGHEST = 0.05, 70.0  # percent
_STEPS = 120
_AGES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0)
_PERCENTS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
INK, MUTED, OWN, HEALTHY, LIMIT = "#1b2733", "#55616e", "#0b4f8a", "#d9e6dd", "#2f6b4f"
SMALL = 6.5  # points


@dataclass(frozen=True)
class AgePoint:
    """A sample's switched share, percent of B cells with its 95 % interval, and the limits of its age.

    ``age_band`` is a band of `cohort.ages`, None where the age is not known; ``limit`` is the 2.5th percentile of
    healthy people of exactly that age, ``median`` their median.
    """

    age_band: str | None
    percent: float | None
    low: float | None
    high: float | None
    limit: float | None
    median: float | None


def curve() -> Mapping[str, NDArray[np.float64]]:
    """Return the published curve: ``age`` in years, and ``low``, ``median`` and ``high`` (2.5, 50 and 97.5 %), percent
    of B cells, each (n,).
    """
    found, limits = AgeCurve(), BCellLimits()
    ages = np.geomspace(YOUNGEST, OLDEST, _STEPS)
    rows = [found.limits(float(age), limits) for age in ages]
    return {
        "age": ages,
        "low": np.array([row.normal for row in rows]),
        "median": np.array([percent_of(row.mu) for row in rows]),
        "high": np.array([row.high for row in rows]),
    }


def ends_of(age_band: str | None) -> tuple[float, float] | None:
    """Return the first and the last age of a band, in years, within the curve; None where the age is not known."""
    months = [(last / 12, name) for last, name in FINE_BANDS]
    for bands in (months, (*AGE_BANDS, *OLDER_BANDS)):
        first = 0.0
        for last, name in bands:
            if name == age_band:
                return max(first, YOUNGEST), min(max(last, YOUNGEST), OLDEST)
            first = last
    return None


def draw_age_curve(axes: Axes, point: AgePoint) -> None:
    """Draw the published curve and a sample on it, at the middle of its band of ages, on given axes."""
    words = load_texts()["age_curve"]
    axes.set(xscale="log", yscale="log", xlim=(YOUNGEST, OLDEST), ylim=(LOWEST, HIGHEST))
    healthy = curve()
    axes.fill_between(healthy["age"], healthy["low"], healthy["high"], color=HEALTHY, lw=0, zorder=0.5)
    for name, style in (("low", "-"), ("median", (0, (5, 2))), ("high", "-")):
        axes.plot(healthy["age"], healthy[name], color=LIMIT, lw=0.9, ls=style, zorder=1)
    for name in ("low", "median", "high"):
        axes.annotate(
            words[name], (OLDEST, healthy[name][-1]), (-2, 2), textcoords="offset points", fontsize=SMALL, color=LIMIT,
            ha="right", va="bottom",
        )  # fmt: skip
    _point(axes, point)
    axes.set_xticks(_AGES, [f"{age:g}" for age in _AGES], minor=False)
    axes.set_yticks(_PERCENTS, [f"{percent:g}" for percent in _PERCENTS], minor=False)
    axes.minorticks_off()
    axes.tick_params(labelsize=SMALL, color=MUTED, labelcolor=INK, length=3, width=0.7)
    for spine in axes.spines.values():
        spine.set(color=MUTED, lw=0.7)
    axes.set_xlabel(words["age"], fontsize=7.5, color=INK, labelpad=2)
    axes.set_ylabel(words["percent"], fontsize=7.5, color=INK, labelpad=1)
    axes.set_title(words["title"], fontsize=7.5, color=INK, pad=4)


def _point(axes: Axes, point: AgePoint) -> None:
    """Draw the sample: its interval upright, its band of ages across; below the axis an arrow replaces it."""
    ends = ends_of(point.age_band)
    first, last = ends or (YOUNGEST, OLDEST)
    middle = math.sqrt(first * last)
    if ends is not None:
        axes.axvspan(first, last, color=OWN, alpha=0.07, lw=0, zorder=0.2)
        if point.limit is not None:
            axes.plot([first, last], [point.limit] * 2, color="#b02a1d", lw=1.3, ls=(0, (2, 1.2)), zorder=2)
    if point.percent is None or point.low is None or point.high is None:
        axes.text(
            0.5, 0.06, load_texts()["age_curve"]["nothing"], transform=axes.transAxes, ha="center", fontsize=SMALL,
            color=MUTED,
        )  # fmt: skip
        return
    at, low, high = (max(value, LOWEST * 1.12) for value in (point.percent, point.low, point.high))
    across = [first, last] if ends is None else [middle] * 2
    if ends is None:
        # Of any age: a band from end to end.
        axes.fill_between(across, low, high, color=OWN, alpha=0.25, lw=0, zorder=2.5)
        axes.plot(across, [at, at], color=OWN, lw=1.4, zorder=3)
        return
    axes.plot(across, [low, high], color=OWN, lw=2.2, solid_capstyle="butt", zorder=3)
    for end in (low, high):
        axes.plot(middle, end, marker="_", color=OWN, ms=7, mew=1.4, zorder=3)
    beyond = point.percent < LOWEST * 1.12
    axes.plot(middle, at, marker="v" if beyond else "o", color=OWN, mec="white", mew=0.7, ms=6.5, zorder=4)

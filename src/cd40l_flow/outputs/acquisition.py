"""What the figure of an acquisition's course is drawn from: flow and signals in bins of time, and what was cut."""

from __future__ import annotations

from typing import Any

import numpy as np

from cd40l_flow.signal.course import BINS
from cd40l_flow.signal.prepare import TubeSignal


def course(signal: TubeSignal, prefix: str) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return the course of one tube and its arrays, (60,) each, name -> values; None where time is not known.

    ``rate`` is in events a second, the others are shifts of signals in percentile points. Ends of what was cut are
    fractions of the duration. ``prefix`` begins the arrays' names.
    """
    steadiness = signal.acquisition.steadiness
    seen = steadiness.course
    if seen is None or not seen.seconds:
        return None, {}
    arrays: dict[str, Any] = {f"{prefix}rate": (seen.counts * (BINS / seen.seconds)).astype(np.float32)}
    signals = []
    for name, shifts in seen.shifts.items():
        arrays[f"{prefix}{name}"] = shifts.astype(np.float32)
        signals.append({"name": name, "array": f"{prefix}{name}"})
    cuts = [[(end - seen.begin) / seen.seconds for end in (one.start, one.end)] for one in steadiness.stretches]
    told = {
        "seconds": seen.seconds,
        "rate": f"{prefix}rate",
        "signals": signals,
        "cut": cuts,
        "limit": steadiness.limits.shift_points,
    }
    return told, arrays

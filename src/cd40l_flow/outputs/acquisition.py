"""The course of an acquisition, binned in time: flow and signals, and what was cut; what its figure is drawn from."""

from __future__ import annotations

from typing import Any

import numpy as np

from cd40l_flow.signal.prepare import TubeSignal, watched
from cd40l_flow.signal.stretches import percentiles

BINS = 60
FEWEST = 10  # events in a bin, for a mean that says something


def course(signal: TubeSignal, prefix: str) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return the course of one tube and its arrays, (60,) each, name -> values; None where time is not known.

    ``rate`` is in events a second; a signal is the mean percentile of its events less that of the steady part, NaN
    where a bin holds fewer than 10. Ends of what was cut are fractions of the duration. ``prefix`` begins the arrays'
    names.
    """
    time, steadiness = signal.events.time, signal.acquisition.steadiness
    if time is None or steadiness.flow is None:
        return None, {}
    begin, end = float(time.min()), float(time.max())
    duration = end - begin
    place = np.minimum(((time - begin) * (BINS / duration)).astype(np.intp), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    arrays: dict[str, Any] = {f"{prefix}rate": (counts * (BINS / duration)).astype(np.float32)}
    signals = []
    for name, values in watched(signal.events, signal.scaled).items():
        points = percentiles(values)
        if points is None:
            continue
        means = np.bincount(place, weights=points, minlength=BINS) / np.maximum(counts, 1)
        level = float(points[steadiness.steady].mean())
        arrays[f"{prefix}{name}"] = np.where(counts >= FEWEST, means - level, np.nan).astype(np.float32)
        signals.append({"name": name, "array": f"{prefix}{name}"})
    cuts = [[(one.start - begin) / duration, (one.end - begin) / duration] for one in steadiness.stretches]
    told = {
        "seconds": duration,
        "rate": f"{prefix}rate",
        "signals": signals,
        "cut": cuts,
        "limit": steadiness.limits.shift_points,
    }
    return told, arrays

"""What the figure of an acquisition's course is drawn from: flow and signals in bins of time, and what was cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.signal.course import BINS
from cd40l_flow.signal.prepare import TubeSignal


def course(signal: TubeSignal, name: str) -> tuple[dict[str, object] | None, dict[str, NDArray[np.generic]]]:
    """Return the course of one tube and its array by ``name``, (1 + signals, 60); None where time is not known.

    The first row is the rate in events a second, the others are shifts of signals in percentile points. Ends of what
    was cut are fractions of the duration.
    """
    time_qc = signal.acquisition.time_qc
    seen = time_qc.course
    if seen is None or not seen.seconds:
        return None, {}
    rows = np.stack([seen.counts * (BINS / seen.seconds), *seen.shifts.values()]).astype(np.float32)
    cuts = [[(end - seen.begin) / seen.seconds for end in (one.start, one.end)] for one in time_qc.stretches]
    found = {
        "seconds": seen.seconds,
        "array": name,
        "signals": list(seen.shifts),
        "cut": cuts,
        "limit": float(time_qc.limits.shift_points),
    }
    return found, {name: rows}

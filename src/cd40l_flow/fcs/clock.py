"""The Time detector: the seconds of every event with counter wraps corrected, or why time cannot be used."""

from __future__ import annotations

import numpy as np

from cd40l_flow.base.model import Floats

# A counter wraps at its range or at its number of bits.
_COUNTERS = (2**16, 2**18, 2**20, 2**24, 2**32)
_NEAR = 0.05  # fraction of the counter within which a wrap ends and starts
_MOST_WRAPS = 20
_JITTER = 0.1  # seconds that simultaneous events may be out of order


def seconds_of(ticks: Floats, step: float, span: float) -> tuple[Floats | None, str, str]:
    """Return the seconds of every event, (events,), why time cannot be used, and what was done to make it usable.

    ``ticks`` are the stored values in order of the file, ``step`` seconds a tick, ``span`` the ``$PnR`` of Time.
    Backward steps count as counter wraps only if every one goes from the end of the counter to its start; events may be
    out of order by 0.1 s.
    """
    seconds = ticks * step
    if seconds.size and float(seconds.max()) == float(seconds.min()):
        return None, "Time is constant", ""
    back = np.flatnonzero(ticks[1:] < ticks[:-1])
    far = back[(ticks[back + 1] - ticks[back]) * step < -_JITTER]
    if not far.size:
        return seconds, "", ""
    counter = _counter(ticks, far, span)
    if counter is None:
        why = f"Time runs backwards {far.size} times: events not in the order of acquisition, or files joined"
        return None, why, ""
    turns = np.zeros(ticks.size)
    turns[far + 1] = 1
    unwrapped: Floats = (ticks + counter * np.cumsum(turns)) * step
    times = "once" if far.size == 1 else f"{far.size} times"
    return unwrapped, "", f"the counter of Time ran over {times} (at {counter:g}) and was corrected"


def _counter(ticks: Floats, back: np.ndarray[tuple[int], np.dtype[np.intp]], span: float) -> float | None:
    """Return the size of the counter when each step back is a clear wrap of it, else None."""
    if back.size > _MOST_WRAPS:
        return None
    before, after = ticks[back], ticks[back + 1]
    for counter in sorted({float(span), *map(float, _COUNTERS)}):
        if ticks.max() > counter:
            continue
        if before.min() >= (1 - _NEAR) * counter and after.max() <= _NEAR * counter:
            return counter
    return None

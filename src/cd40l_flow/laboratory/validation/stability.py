"""Stability of a specimen over hours, as CLSI EP25 has it: the drift of bloods against their own first measurement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t

from cd40l_flow.laboratory.validation.estimate import Estimate

# Hours and value of one blood.
Course = Sequence[tuple[float, float]]
# From so many bloods on, the interval is that between bloods.
BLOODS = 3


@dataclass(frozen=True)
class Stability:
    """How a measure drifts: its change in 24 hours, the mean change at every time, and until when it holds.

    ``holds`` is the longest time at which, as at every time before, the whole interval of the mean line lies within the
    allowed change; 0 where not even the first does.
    """

    per_day: Estimate
    first: float
    changes: Mapping[float, Estimate]
    holds: float
    last: float


def stability(courses: Mapping[Any, Course], allowed: float) -> Stability | None:
    """Return the drift of bloods measured at two or more times; None without one.

    ``courses`` are hours and values by blood; ``allowed`` is the largest change, a share of the first value. Every
    blood has a level of its own and all have one slope (least squares); its interval is that between bloods (t over
    their own slopes) from three on, else that of the residuals. None where that needs more values than there are.
    """
    known = {name: sorted(course) for name, course in courses.items() if len({hour for hour, _ in course}) > 1}
    if not known:
        return None
    count = sum(map(len, known.values()))
    across = [np.array(course) - np.mean(np.array(course), axis=0) for course in known.values()]
    hours = np.concatenate([one[:, 0] for one in across])
    values = np.concatenate([one[:, 1] for one in across])
    slope = float(hours @ values / (hours @ hours))
    if len(known) >= BLOODS:
        own = np.array([float(one[:, 0] @ one[:, 1] / (one[:, 0] @ one[:, 0])) for one in across])
        slope, free = float(own.mean()), len(known) - 1
        error = float(own.std(ddof=1)) / math.sqrt(len(known))
    else:
        free = count - len(known) - 1
        if free < 1:
            return None
        error = math.sqrt(float(np.sum((values - slope * hours) ** 2)) / free / float(hours @ hours))
    reach = float(t.ppf(0.975, free)) * error
    first = math.fsum(course[0][1] for course in known.values()) / len(known)
    begin = min(course[0][0] for course in known.values())
    last = max(course[-1][0] for course in known.values())
    # The line begins at the first measurement: its interval widens with the hours since.
    worst = max(abs(slope - reach), abs(slope + reach))
    holds = last if worst == 0 else min(last, begin + allowed * abs(first) / worst)
    per_day = Estimate(24 * slope, 24 * (slope - reach), 24 * (slope + reach), count, len(known))
    return Stability(per_day, first, _changes(known), holds, last)


def _changes(known: Mapping[Any, Course]) -> dict[float, Estimate]:
    """Return the mean change from the first time to every other, with its t interval where two bloods have it."""
    changes: dict[float, list[float]] = {}
    for course in known.values():
        begin = course[0][0]
        start = math.fsum(value for hour, value in course if hour == begin) / sum(hour == begin for hour, _ in course)
        for hour in sorted({hour for hour, _ in course if hour > begin}):
            later = [value for when, value in course if when == hour]
            changes.setdefault(hour, []).append(math.fsum(later) / len(later) - start)
    found = {}
    for hour, apart in sorted(changes.items()):
        mean, count = math.fsum(apart) / len(apart), len(apart)
        if count > 1:
            spread = math.sqrt(math.fsum((one - mean) ** 2 for one in apart) / (count - 1))
            reach = float(t.ppf(0.975, count - 1)) * spread / math.sqrt(count)
            found[hour] = Estimate(mean, mean - reach, mean + reach, count, count)
        else:
            found[hour] = Estimate(mean, None, None, 1, 1)
    return found

"""An estimate with its 95 % interval, and how intervals of its parts join."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its 95 % interval (None: not known) and what it rests on: values, and groups of them.

    ``groups`` is 0 where every value is a group of its own.
    """

    value: float
    low: float | None
    high: float | None
    count: int
    groups: int = 0


def summed(first: Estimate, second: Estimate) -> Estimate:
    """Return the sum of two independent estimates, their intervals joined by MOVER.

    Zou and Donner, Stat Med 2008;27:1693: each end lies as far out as the root of the squared distances of the parts.
    """

    def end(ends: Sequence[tuple[float, float | None]], sign: int) -> float | None:
        known = [(value, edge) for value, edge in ends if edge is not None]
        if len(known) < len(ends):
            return None
        return first.value + second.value + sign * math.hypot(*(edge - value for value, edge in known))

    low = end([(first.value, first.low), (second.value, second.low)], -1)
    high = end([(first.value, first.high), (second.value, second.high)], 1)
    groups = min(first.groups, second.groups)
    return Estimate(first.value + second.value, low, high, min(first.count, second.count), groups)

"""The profile likelihood of a hypothesis: how well it explains a reagent's cells, beside every other.

The surface on which hypotheses are compared. A `Problem` holds a sample's binned cells, its background and what the
control tells; a `Region` is what a hypothesis says of the mixture's parameters; `explained` is the best that the
mixture does within it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from cd40l_flow.expression.mixture import LOGIT_BOUND, Problem, find_starts
from cd40l_flow.expression.scoring import Optimum
from cd40l_flow.inputs.model import Floats

EVERYWHERE = (-math.inf, math.inf)


@dataclass(frozen=True)
class Region:
    """Least and greatest parameters that a hypothesis allows; both the same hold one fixed.

    ``negative`` are fractions of cells without expression (0 to 1), ``level`` mean ln(signal in channel values),
    ``log_spread`` ln of its standard deviation, ``skew`` its skewness.
    """

    negative: tuple[float, float] = (0.0, 1.0)
    level: tuple[float, float] = EVERYWHERE
    log_spread: tuple[float, float] = EVERYWHERE
    skew: tuple[float, float] = EVERYWHERE


@dataclass(frozen=True)
class Within(Problem):
    """The mixture with its parameters held within a region."""

    region: Region = Region()

    @classmethod
    def of(cls, problem: Problem, region: Region) -> Within:
        """Return a problem within a region: cells, background, prior and what is borrowed stay the same."""
        kept = {field.name: getattr(problem, field.name) for field in fields(Problem)}
        return cls(**kept, region=region)

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the least and the greatest parameters within the region, (9,) each."""
        low, high = super().bounds()
        own = (tuple(map(_logit, self.region.negative)), self.region.level, self.region.log_spread, self.region.skew)
        for place, ends in zip((0, 2, 3, 4), own, strict=True):
            low[place], high[place] = (float(np.clip(end, low[place], high[place])) for end in ends)
        return low, high

    def holds(self, theta: Floats) -> bool:
        """Return whether parameters lie within: where the best of all do, nothing within is better."""
        low, high = self.bounds()
        return bool(np.all((low <= theta) & (theta <= high)))


def explained(problem: Problem, region: Region, best: Floats | None = None) -> Optimum:
    """Return the best explanation of a problem's cells within a region.

    ``value`` of the result is minus the penalised log likelihood (natural logarithms): of the cells, given their
    number, and of what is known before (the background's shift and shape, the control's law of the signal). So the
    difference of two values is a log likelihood ratio, and the same problem is needed on both sides. ``theta`` are the
    parameters in the order of `mixture.parameters`. ``best`` are the parameters of the fit to the same cells, where
    there is one: where they lie within, the search starts from there alone.
    """
    within = Within.of(problem, region)
    near = best is not None and within.holds(best)
    return within.solve(*((best,) if near and best is not None else find_starts(within)))


def _logit(fraction: float) -> float:
    if fraction <= 0:
        return -LOGIT_BOUND
    return LOGIT_BOUND if fraction >= 1 else math.log(fraction / (1 - fraction))

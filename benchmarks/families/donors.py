"""Simulated donors who differ as people do: level, negative fraction and shape."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from cd40l_flow.simulate import Scenario

# Seeds below this are for tuning, those of the page are not.
HELD_OUT = 1000
LEVEL_SD, NEGATIVE_SD, SPREAD_SD, SKEW_SD = 0.25, 0.04, 0.07, 0.3


@dataclass(frozen=True)
class Donors:
    """How people differ, standard deviations: ln level and negative fraction."""

    level_sd: float = LEVEL_SD
    negative_sd: float = NEGATIVE_SD


def donor(scenario: Scenario, random: np.random.Generator, donors: Donors) -> Scenario:
    """Return a scenario of another donor: level, healthy negatives and shape differ as people do."""
    level, shift, spread, skew = random.standard_normal(4)
    healthy = float(np.clip(0.10 + donors.negative_sd * shift, 0.02, 0.25))
    expressing = (1 - scenario.negative_fraction) / (1 - 0.10) * (1 - healthy)
    return replace(
        scenario,
        negative_fraction=1 - min(expressing, 1.0),
        expression_level=scenario.expression_level * math.exp(donors.level_sd * level),
        positive_spread=scenario.positive_spread * math.exp(SPREAD_SD * spread),
        positive_skew=scenario.positive_skew + SKEW_SD * skew,
        events=round(scenario.events * float(random.uniform(0.7, 1.3))),
    )

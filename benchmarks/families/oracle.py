"""How plain a simulated sample is: the odds of its truth if everything but the differences between donors is known.

With endless cells only two things are left of CD154, the mutant fraction and the level compared with a control of
another person; what healthy people differ by is then all the doubt there is.
"""

from __future__ import annotations

import math

import numpy as np

from cd40l_flow.simulate import Scenario

FRACTIONS = np.linspace(0.13, 0.98, 400)  # mutant fractions of mosaics
LEVELS = np.log(np.linspace(0.15, 0.45, 100))  # of reduced expression


def _normal(x: np.ndarray | float, sd: float) -> np.ndarray:
    return np.asarray(np.exp(-0.5 * (np.asarray(x) / sd) ** 2) / (sd * math.sqrt(2 * math.pi)))


def log_odds(scenario: Scenario, control: Scenario, level_sd: float, negative_sd: float) -> float:
    """Return the natural-log odds of the truth against its strongest rival; infinite where it has none.

    The standard deviations are by how much people differ in ln level and in the negative fraction.
    """
    negative, healthy = scenario.negative_fraction, control.negative_fraction
    f = 1 - (1 - negative) / (1 - healthy)
    level = math.log(scenario.expression_level / control.expression_level)
    s_f = math.sqrt(2) * negative_sd / (1 - healthy)
    s_l = math.sqrt(2) * level_sd
    same_level, same_fraction = float(_normal(level, s_l)), float(_normal(f, s_f))
    lower = float(np.mean(_normal(level - LEVELS, s_l)))
    mosaic = float(np.mean(_normal(f - FRACTIONS, s_f)))
    laws = {
        "NORMAL": same_fraction * same_level,
        "FUNCTIONAL_DEFECT": same_fraction * same_level,
        "MOSAIC": mosaic * same_level,
        "REDUCED": same_fraction * lower,
    }
    truth = scenario.expected_call
    if truth not in laws:
        return math.inf
    rivals = [value for call, value in laws.items() if call != truth and call != "FUNCTIONAL_DEFECT"]
    if truth == "FUNCTIONAL_DEFECT":
        return math.inf
    return math.log(max(laws[truth], 1e-300)) - math.log(max(*rivals, 1e-300))

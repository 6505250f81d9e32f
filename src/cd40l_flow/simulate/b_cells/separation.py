"""How bright CD27 must be for its memory cells to be so far from the naive ones, found by simulating tubes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.simulate.b_cells.panels import stained
from cd40l_flow.simulate.b_cells.samples import BSample
from cd40l_flow.simulate.b_cells.truth import cd27_separation
from cd40l_flow.simulate.b_cells.tube import simulate_b_tube
from cd40l_flow.simulate.parameters import SimulationParameters

SEED = 27
RATIO, DYE = "ratio", "dye"
RATIOS = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.5, 8.0, 11.0, 15.0, 20.0, 30.0)
BRIGHTNESS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0, 1.6)


def cd27_ratio_for(separation: float, panel: str, naive: float = 30.0) -> float:
    """Return the signal of memory over naive cells (``BSample.cd27_ratio``) at which Ashman's D of CD27 is so much.

    ``naive`` is ``BSample.cd27_naive``, molecules.
    """
    return _at(separation, _curve(RATIO, RATIOS, panel, naive))


def cd27_brightness_for(separation: float, panel: str) -> float:
    """Return the brightness of the dye (``BSample.cd27_brightness``) at which D of CD27 is so much, ratio as usual."""
    return _at(separation, _curve(DYE, BRIGHTNESS, panel, 30.0))


def _at(separation: float, curve: tuple[Floats, Floats]) -> float:
    values, separations = curve
    if not separations[0] <= separation <= separations[-1]:
        raise ValueError(f"D of CD27 can be {separations[0]:.1f} to {separations[-1]:.1f} here, not {separation:.1f}.")
    return float(np.exp(np.interp(separation, separations, np.log(values))))


@cache
def _curve(what: str, values: tuple[float, ...], panel: str, naive: float) -> tuple[Floats, Floats]:
    """Return values of the ratio or of the dye's brightness, and D at each, both rising, (values,)."""
    usual = BSample("D", b_events=6000, b_percent=30.0, panel=panel, stain_sd=0.0, cd27_naive=naive)
    found = []
    for value in values:
        sample = replace(usual, cd27_ratio=value) if what == RATIO else replace(usual, cd27_brightness=value)
        tube = simulate_b_tube(sample, "memory", SEED)
        found.append(cd27_separation(tube, stained(sample, SimulationParameters())) or 0.0)
    return np.array(values), np.maximum.accumulate(np.array(found))

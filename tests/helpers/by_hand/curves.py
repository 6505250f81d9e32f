"""Densities without chance: counts in each bin are exactly those of populations of a known law."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from cd40l_flow.base.model import Floats
from cd40l_flow.gating.density import FINER, GRID, HIGH, LOW, STEP, Density, density_of

EDGES: Floats = np.linspace(LOW, HIGH, GRID * FINER + 1)


def on_grid(place: float) -> float:
    """Return the point of the density's grid that lies next to a place of the scale."""
    return LOW + (round((place - LOW) / STEP - 0.5) + 0.5) * STEP


def normal(middle: float, sd: float, events: float) -> Floats:
    """Return the counts, (1600,), of a normal population."""
    counts: Floats = events * np.diff(ndtr((EDGES - middle) / sd))
    return counts


def lopsided(mode: float, left: float, right: float, events: float) -> Floats:
    """Return the counts, (1600,), of two halves of normal populations of different SD, joined at their mode."""
    below = EDGES[:-1] < mode
    counts: Floats = (
        2 * events / (left + right) * np.where(below, left * normal(mode, left, 1), normal(mode, right, right))
    )
    return counts


def even(low: float, high: float, events: float) -> Floats:
    """Return the counts, (1600,), of events spread evenly between two places."""
    counts: Floats = events * np.diff(np.clip((EDGES - low) / (high - low), 0.0, 1.0))
    return counts


def curve(*parts: Floats) -> Density:
    """Return the density of populations together."""
    return density_of(np.sum(parts, axis=0))


def twins(middle: float, apart: float = 0.12, sd: float = 0.015, events: float = 10_000) -> Density:
    """Return the density of two equal populations, whose valley lies in the middle."""
    return curve(normal(middle - apart / 2, sd, events / 2), normal(middle + apart / 2, sd, events / 2))

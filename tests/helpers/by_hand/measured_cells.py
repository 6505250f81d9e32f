"""Activated cells in channel values, measured against a background of their own."""

from __future__ import annotations

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.measures import TargetCells, fit
from cd40l_flow.mixture.model import Anchor, ControlExpression, Expression
from cd40l_flow.signal.scale import Scale
from helpers.by_hand.cases import limits

SCALE = Scale(t=262144.0, w=0.7, m=4.5, a=0.0, source="test")
BINS = 512


def dark(seed: int, n: int) -> Floats:
    """Return cells that do not express, channel values."""
    return np.asarray(200 + 120 * np.random.default_rng(seed).standard_normal(n))


def measured(values: Floats, seed: int, control: ControlExpression | None = None) -> Expression:
    """Return the measures of activated cells, with an isotype tube of 4,000 cells."""
    anchor = Anchor(histogram(SCALE.forward(dark(seed + 100, 4000)), BINS), "isotype", ("isotype.fcs",), exact=True)
    return fit(TargetCells(values, np.empty(0)), anchor, SCALE, limits(), control=control)

"""Medians and quantiles that are NaN for empty input."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cd40l_flow.base.model import Floats, Singles

# The fractions of a normal distribution below mean - SD and below mean + SD.
ONE_SD_BELOW, ONE_SD_ABOVE = 0.1587, 0.8413


def quantiles(values: Floats | Singles, fractions: Sequence[float]) -> list[float]:
    """Return the quantiles of values, (n,), as ``np.quantile``, in double precision; NaN without values."""
    found: list[float] = np.quantile(values.astype(np.float64, copy=False), fractions).tolist() if values.size else []
    return found or [math.nan] * len(fractions)


def median(values: Floats | Singles) -> float:
    """Return the median of values, (n,), as ``np.median``, in double precision; NaN without values."""
    return float(np.median(values.astype(np.float64, copy=False))) if values.size else math.nan

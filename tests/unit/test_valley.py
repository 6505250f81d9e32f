"""What the depth of a valley says."""

from __future__ import annotations

import numpy as np
import pytest

from cd40l_flow.mixture.histogram import centres
from cd40l_flow.mixture.valley import valley_depth

BINS = 512


def test_the_valley_by_hand() -> None:
    counts = np.zeros(BINS)
    counts[(centres(BINS) > 0.1) & (centres(BINS) < 0.2)] = 10
    counts[(centres(BINS) > 0.6) & (centres(BINS) < 0.7)] = 40
    assert valley_depth(counts, 0.15, 0.65) == pytest.approx(1.0)
    assert valley_depth(counts + 5, 0.15, 0.65) == pytest.approx(1 - 5 / 15)
    assert valley_depth(np.full(BINS, 7.0), 0.15, 0.65) == pytest.approx(0.0)
    assert valley_depth(counts, 0.65, 0.15) is None

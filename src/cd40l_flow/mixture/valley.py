"""The depth of the valley between two peaks of a histogram: shown, it decides nothing."""

from __future__ import annotations

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.histogram import centres


def valley_depth(counts: Floats, low: float, high: float) -> float | None:
    """Return the depth of the valley between two places on the scale (1 empty, 0 none); None where they are not apart.

    ``counts`` are binned cells, (bins,), which a Hann window of 13 bins smooths.
    """
    kernel = np.hanning(13) / np.hanning(13).sum()
    smooth = np.convolve(counts, kernel, mode="same")
    grid = centres(counts.size)
    between = np.flatnonzero((grid >= low) & (grid <= high))
    if between.size < 3:
        return None
    bottom = int(between[np.argmin(smooth[between])])
    left, right = smooth[: bottom + 1].max(), smooth[bottom:].max()
    return float(1 - smooth[bottom] / max(min(left, right), 1e-9))

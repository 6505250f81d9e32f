"""Secondary, model-free measures of histograms: distances, and the valley between two peaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.histogram import centres


@dataclass(frozen=True)
class Distances:
    """Secondary measures of one reagent, 0 to 1; None without cells to compare with.

    ``ks_background`` and ``ks_control`` are Kolmogorov and Smirnov's D of the sample against its background and against
    the controls; ``overton_background`` is the share of the sample's cells beyond the background, ``overton_control``
    the share of the controls' beyond the sample (Overton 1988).
    """

    ks_background: float | None = None
    ks_control: float | None = None
    overton_background: float | None = None
    overton_control: float | None = None


def distances(counts: Floats, background: Floats, control: Floats | None) -> Distances:
    """Return the distances of binned activated cells, (bins,), from their background and the controls' cells."""
    beyond_background = _surplus(counts, background)
    beyond_sample = None if control is None else _surplus(control, counts)
    return Distances(
        ks_background=_largest(beyond_background),
        ks_control=_largest(beyond_sample),
        overton_background=_highest(beyond_background),
        overton_control=_highest(beyond_sample),
    )


def _surplus(test: Floats, reference: Floats) -> Floats | None:
    """Return, at each bin edge but the lowest, the surplus of the test over the reference above it."""
    if test.sum() <= 0 or reference.sum() <= 0:
        return None
    surplus: Floats = np.cumsum(reference) / reference.sum() - np.cumsum(test) / test.sum()
    return surplus


def _largest(surplus: Floats | None) -> float | None:
    """Return Kolmogorov and Smirnov's D: the greatest distance of the two distribution functions, either way."""
    return None if surplus is None else float(np.max(np.abs(surplus)))


def _highest(surplus: Floats | None) -> float | None:
    """Return Overton's cumulative subtraction: the greatest surplus of the test above any channel, at least 0.

    For equal areas, channel-by-channel subtraction with carried negatives equals this maximum (Overton 1988,
    doi:10.1002/cyto.990090617).
    """
    return None if surplus is None else max(float(np.max(surplus)), 0.0)


def valley_depth(counts: Floats, low: float, high: float) -> float | None:
    """Return the depth of the valley between two positions on the scale (1 empty, 0 none); None if they coincide.

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

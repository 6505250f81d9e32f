"""Clouds of cells on two axes: their picture in pseudocolour, with a dot for each place of few cells, and contours."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.figures.binned import Counts

SMOOTH = 0.9  # of the counts, in cells of the grid
LEVELS = (0.05, 0.2, 0.5, 0.8)  # of contours, of the densest place
FEW = 400  # cells below which contours would be of chance
SHADES = 31
DOT = "#6f93b8"  # a cell where there are too few for a shade


def cloud(counts: Counts) -> tuple[NDArray[np.uint8], list[NDArray[np.float64]]]:
    """Return the picture of cells, (n, n, 4), and its contours, each (points, 2), from counts, (n, n), [x, y]."""
    from contourpy import contour_generator

    inner = np.pad(counts.T[1:-1, 1:-1], 1, mode="edge")
    smooth = smoothed(inner, SMOOTH)
    top = float(smooth.max())
    dots = counts.T > 0
    if top <= 0:
        return _palette()[np.where(dots, SHADES + 1, 0)], []
    level = np.sqrt(smooth / top)
    shades = np.clip((level - 0.12) / 0.88 * SHADES, 0, SHADES).astype(np.uint8)
    shades[dots & (shades < 2)] = SHADES + 1
    if counts.sum() < FEW:
        shades[dots & (shades < SHADES // 2)] = SHADES + 1
        return _palette()[shades], []
    places = (np.arange(len(counts)) + 0.5) / len(counts)
    lines = contour_generator(places, places, smooth)
    contours = [np.asarray(line, dtype=np.float64) for share in LEVELS for line in lines.lines(share * top)]
    return _palette()[shades], contours


def smoothed(counts: Counts, width: float) -> Counts:
    """Return counts smoothed along every axis by a Gaussian of ``width`` bins, as if the end bins went on.

    SciPy's filter gives the same; its import would be a tenth of a second of every report.
    """
    reach = int(3 * width + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    weights /= weights.sum()
    for axis, size in enumerate(counts.shape):
        ends = [(reach, reach) if each == axis else (0, 0) for each in range(counts.ndim)]
        longer = np.moveaxis(np.pad(counts, ends, mode="edge"), axis, 0)
        parts = [weight * longer[shift : shift + size] for shift, weight in enumerate(weights.tolist())]
        counts = np.moveaxis(np.sum(parts, axis=0), 0, axis)
    return counts


@cache
def _palette() -> NDArray[np.uint8]:
    """Return the colours of the shades, from white to dark blue: they keep their order in grey; the last is a dot's."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgba

    shades = LinearSegmentedColormap.from_list(
        "cells", ["#ffffff", "#cfe6ea", "#7fbfd0", "#3a80b8", "#1f4d96", "#0a2352"]
    )
    colours = np.vstack([shades(np.linspace(0, 1, SHADES + 1)), to_rgba(DOT)])
    palette: NDArray[np.uint8] = (colours * 255).round().astype(np.uint8)
    palette[0] = (255, 255, 255, 0)
    return palette

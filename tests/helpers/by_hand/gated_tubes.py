"""Gated tubes made by hand: the values of every cell and the populations it is in."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats, Sample, Scatter, Tube
from cd40l_flow.gating.found import Found
from cd40l_flow.gating.model import Boundary, GatedSample, GatedTube, Population
from helpers.by_hand.tubes import SCALE, tube_signal

SAMPLE = Sample("S1", "R1", "test", "M")


def normal(cells: int, median: float, sd: float) -> Floats:
    """Return evenly spaced quantiles of a normal law, (cells,), rising."""
    law = NormalDist()
    return np.array([median + sd * law.inv_cdf((place + 0.5) / cells) for place in range(cells)])


def gated_tube(
    values: Mapping[str, Floats],
    populations: Mapping[str, NDArray[np.bool_]],
    *,
    fcs: str = "stim.fcs",
    stimulation: str = "stimulated",
    reagent: str = "CD154",
    parents: Mapping[str, str] | None = None,
    boundaries: Mapping[str, float] | None = None,
    detectors: Mapping[str, str] | None = None,
    scatter: tuple[str | None, str | None] = (None, None),
    found: Mapping[str, Found] | None = None,
    floors: Mapping[str, float] | None = None,
    method: str = "valley",
    cytometer: str = "Canto",
) -> GatedTube:
    """Return a tube of which ``values`` are the markers and scatter detectors, name -> channel values, (events,).

    ``populations`` are masks, (events,); each has the one before it as its parent unless ``parents`` names another.
    ``boundaries`` are in channel values. A marker's detector is ``marker-A`` unless ``detectors`` says otherwise.
    """
    markers = {name: (detectors or {}).get(name, f"{name}-A") for name in values if name not in scatter}
    everything = np.ones(next(iter(values.values())).size, dtype=bool)
    signal = tube_signal(
        {markers.get(name, name): column for name, column in values.items()},
        markers,
        {marker: SCALE.singles(values[marker].astype(np.float32)) for marker in markers},
        Scatter(*scatter, None, None, None),
        tube=Tube(fcs, "", stimulation, reagent),
        floors=floors,
        cytometer=cytometer,
    )
    indices = {name: np.flatnonzero(mask).astype(np.int32) for name, mask in populations.items()}
    known, before = [], "all"
    for name, mask in populations.items():
        parent = (parents or {}).get(name, before)
        whole = populations.get(parent, everything)
        share = 100 * float(mask.sum()) / float(whole.sum()) if whole.any() else None
        known.append(Population(name, parent, int(mask.sum()), share))
        before = name
    return GatedTube(
        signal=signal,
        indices=indices,
        populations=tuple(known),
        boundaries=tuple(
            Boundary(gate, fcs, "", value, SCALE.to_scaled(value), method) for gate, value in (boundaries or {}).items()
        ),
        scatter_gate=None,
        found=found or {},
    )


def gated_sample(*tubes: GatedTube, flags: tuple[str, ...] = ()) -> GatedSample:
    """Return a sample of gated tubes, every detector on the same scale."""
    scales = {name: SCALE for tube in tubes for name in tube.signal.events.markers.values()}
    return GatedSample(SAMPLE, tubes, scales, flags)


def first(events: int, cells: int) -> NDArray[np.bool_]:
    """Return the mask of the first cells of some events."""
    mask: NDArray[np.bool_] = np.arange(events) < cells
    return mask


def masks(events: int, **cells: int) -> dict[str, Any]:
    """Return nested masks, each of the first cells of the events."""
    return {name: first(events, number) for name, number in cells.items()}

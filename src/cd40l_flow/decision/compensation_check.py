"""Check of the compensation: does the target correlate with another marker in negative cells?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cd40l_flow.assay.cd40l.gates import CD8_NEGATIVE, CD8_POSITIVE
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.decision.case import Slope
from cd40l_flow.gating.model import GatedTube
from cd40l_flow.signal.quantiles import ONE_SD_ABOVE, ONE_SD_BELOW, median, quantiles

ENOUGH = 150  # the median of a third then has an error of a quarter of a robust SD
# CD69 is induced with the target; CD3 is bright in every cell of the assay.
MARKERS = ("CD69", "CD3")


def slopes(tubes: Sequence[GatedTube]) -> tuple[Slope, ...]:
    """Return the slopes of the target against CD69 and CD3 in each stimulated tube with enough cells.

    CD69+ negative cells (CD3+CD8- in background tubes, CD3+CD8+ in others, most of which are negative) are sorted by
    the marker; resting cells are left out, since they have less autofluorescence and bind less. The residue is the
    difference of the target's medians between upper and lower third (40th percentiles for CD8+ cells). In target tubes
    only CD69 is used, because CD8+ cells that express have less CD3.
    """
    found = []
    for tube in tubes:
        sheet = tube.signal.events.tube
        background = sheet.reagent in current_assay().background_of
        population = CD8_NEGATIVE if background else CD8_POSITIVE
        if population not in tube.indices:
            continue
        boundary = tube.boundary("cd69_low")
        activated = np.ones(tube.count(population), dtype=bool)
        if boundary is not None:
            activated = tube.scaled("CD69", population) > boundary.scaled
        if np.count_nonzero(activated) < ENOUGH:
            continue
        # A fifth of CD8+ cells may express, which raises the median; spread of CD69-bright cells lowers the quartile.
        level = 0.5 if background else 0.4
        target = tube.linear("target", population)[activated]
        for marker in MARKERS if background else MARKERS[:1]:
            values = tube.linear(marker, population)[activated]
            low, high = quantiles(values, (1 / 3, 2 / 3))
            dim, bright = np.flatnonzero(values <= low), np.flatnonzero(values >= high)
            below, of_dim, above = quantiles(target.take(dim), (ONE_SD_BELOW, level, ONE_SD_ABOVE))
            spread = (above - below) / 2
            rise = quantiles(target.take(bright), (level,))[0] - of_dim
            run = median(values.take(bright)) - median(values.take(dim))
            if spread > 0 and run > 0:
                found.append(Slope(sheet.fcs, marker, population, rise / run, rise / spread))
    return tuple(found)

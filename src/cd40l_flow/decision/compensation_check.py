"""Whether compensation left or took too much: does the target follow another marker in cells that do not express it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cd40l_flow.assay.cd40l import CD8_NEGATIVE, CD8_POSITIVE
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.decision.case import Slope
from cd40l_flow.gating.model import GatedTube
from cd40l_flow.signal.quantiles import ONE_SD_ABOVE, ONE_SD_BELOW, median, quantiles

ENOUGH = 150  # the medians of two thirds are then known to a quarter of a robust SD
# CD69 is induced with the target; CD3 is bright in every cell of the assay.
MARKERS = ("CD69", "CD3")


def slopes(tubes: Sequence[GatedTube]) -> tuple[Slope, ...]:
    """Return how the target follows CD69 and CD3 in each stimulated tube, where there are enough cells.

    Cells that do not express (of background tubes CD3+CD8-, of others CD3+CD8+, most of which do not) are ordered by
    the marker; the residue is the target of the upper third less that of the lower, by their medians (of CD8+ cells by
    the 40th percentile). In tubes that hold a target only CD69 is asked: the CD8+ cells that express have less CD3.
    """
    found = []
    for tube in tubes:
        sheet = tube.signal.events.tube
        background = sheet.reagent in current_assay().background_of
        population = CD8_NEGATIVE if background else CD8_POSITIVE
        if population not in tube.indices or tube.count(population) < ENOUGH:
            continue
        # Of CD8+ cells a fifth may express, which lifts the median; spread of CD69-bright ones lowers the quartile.
        level = 0.5 if background else 0.4
        target = tube.linear("target", population)
        for marker in MARKERS if background else MARKERS[:1]:
            values = tube.linear(marker, population)
            low, high = quantiles(values, (1 / 3, 2 / 3))
            dim, bright = np.flatnonzero(values <= low), np.flatnonzero(values >= high)
            below, of_dim, above = quantiles(target.take(dim), (ONE_SD_BELOW, level, ONE_SD_ABOVE))
            spread = (above - below) / 2
            rise = quantiles(target.take(bright), (level,))[0] - of_dim
            run = median(values.take(bright)) - median(values.take(dim))
            if spread > 0 and run > 0:
                found.append(Slope(sheet.fcs, marker, population, rise / run, rise / spread))
    return tuple(found)

"""What the tubes of one sample say of each other: the same donor, the right stimulation, the right labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cd40l_flow.expression.case import TubeCheck
from cd40l_flow.gating.model import CD3_POSITIVE, CD8_NEGATIVE, CD8_POSITIVE, LYMPHOCYTES, GatedSample, GatedTube
from cd40l_flow.inputs.model import BACKGROUND_REAGENTS, Tube
from cd40l_flow.signal.scale import robust_sd

# A median this many times the other's is another state of the cells, not another staining.
FAR = 3.0
ENOUGH = 300
ENOUGH_FOR_THIRDS = 150  # the medians of two thirds are then known to a quarter of a robust SD


def check_tubes(gated: GatedSample) -> TubeCheck:
    """Return the checks between the tubes of a sample; what cannot be compared is None."""
    stimulated = [tube for tube in gated.tubes if _tube(tube).stimulation == "stimulated"]
    unstimulated = [tube for tube in gated.tubes if _tube(tube).stimulation == "unstimulated"]
    acquisitions = [tube.signal.acquisition for tube in gated.tubes]
    swapped = _swapped(stimulated, unstimulated)
    # Among exchanged tubes a resting one differs from the others without being another donor's.
    comparable = [] if swapped else stimulated
    return TubeCheck(
        removed_percent=max((found.removed_percent for found in acquisitions), default=None),
        margin_percent=max((found.margin_percent for found in acquisitions), default=None),
        untimed=tuple(_tube(tube).fcs for tube in gated.tubes if tube.signal.acquisition.problem),
        swapped=swapped,
        markers_swapped=_markers_swapped(stimulated, unstimulated),
        fingerprint_points=_spread(comparable),
        scatter_percent=_scatter_spread(comparable),
        residue=_residue(stimulated),
    )


def _tube(tube: GatedTube) -> Tube:
    return tube.signal.events.tube


def cd69_median(tube: GatedTube) -> float | None:
    """Return the CD69 median of CD3+CD8- cells, compensated linear, or None below 50 cells or without the gate."""
    return _median(tube, "CD69")


def _median(tube: GatedTube, marker: str) -> float | None:
    mask = tube.masks.get(CD8_NEGATIVE)
    if mask is None or np.count_nonzero(mask) < 50:
        return None
    return float(np.median(tube.signal.linear(marker)[mask]))


def floor_of(tube: GatedTube, marker: str) -> float:
    """Return the robust SD of a marker on CD3+CD8- cells, channel values: the least a denominator of a ratio may be."""
    return robust_sd(tube.signal.linear(marker)[tube.masks[CD8_NEGATIVE]])


def _swapped(stimulated: Sequence[GatedTube], unstimulated: Sequence[GatedTube]) -> bool | None:
    """Return whether CD69 of an unstimulated tube lies far above that of a stimulated one."""
    compared = False
    for rest in unstimulated:
        resting = cd69_median(rest)
        for tube in stimulated:
            active = cd69_median(tube)
            if resting is None or active is None:
                continue
            compared = True
            if resting > FAR * max(active, floor_of(tube, "CD69")):
                return True
    return False if compared else None


def _markers_swapped(stimulated: Sequence[GatedTube], unstimulated: Sequence[GatedTube]) -> bool | None:
    """Return whether, in a background tube, stimulation raises the "target" and not "CD69": their labels are exchanged.

    It holds for whatever the patient expresses, for a background tube holds no target at all.
    """
    compared = False
    for rest in unstimulated:
        for background in stimulated:
            raised = _raised(background, rest, "target"), _raised(background, rest, "CD69")
            if _tube(background).reagent not in BACKGROUND_REAGENTS or None in raised:
                continue
            compared = True
            if raised == (True, False):
                return True
    return False if compared else None


def _raised(tube: GatedTube, rest: GatedTube, marker: str) -> bool | None:
    """Return whether a marker's median lies far above that of a resting tube, or None where either is not known."""
    active, resting = _median(tube, marker), _median(rest, marker)
    if active is None or resting is None:
        return None
    return active > FAR * max(resting, floor_of(rest, marker))


def _spread(tubes: Sequence[GatedTube]) -> float | None:
    """Return the largest difference between tubes in CD3+ percent of lymphocytes or CD8- percent of CD3+, points."""
    large = [tube for tube in tubes if LYMPHOCYTES in tube.masks and tube.count(LYMPHOCYTES) >= ENOUGH]
    differences = []
    for population in (CD3_POSITIVE, CD8_NEGATIVE):
        percents = [percent for tube in large if (percent := tube.percent(population)) is not None]
        if len(percents) >= 2:
            differences.append(max(percents) - min(percents))
    return max(differences, default=None)


def _scatter_spread(tubes: Sequence[GatedTube]) -> float | None:
    """Return the largest difference between tubes in the FSC or SSC median of CD3+ cells, percent of the smallest."""
    differences = []
    large = [tube for tube in tubes if CD3_POSITIVE in tube.masks and tube.count(CD3_POSITIVE) >= ENOUGH]
    for name in ("fsc", "ssc"):
        medians = [
            float(np.median(tube.signal.detector(getattr(tube.signal.events.scatter, name))[tube.masks[CD3_POSITIVE]]))
            for tube in large
        ]
        if len(medians) >= 2 and min(medians) > 0:
            differences.append(100 * (max(medians) / min(medians) - 1))
    return max(differences, default=None)


def _residue(tubes: Sequence[GatedTube]) -> float | None:
    """Return how far the target follows CD69 where it must not, robust SD: the largest of the tubes, with its sign.

    Cells that do not express (of background tubes CD3+CD8-, of others CD3+CD8+, most of which do not) are ordered by
    CD69; told is the median target of the upper third less that of the lower, over the robust SD of the lower.
    """
    found = []
    for tube in tubes:
        population = CD8_NEGATIVE if _tube(tube).reagent in BACKGROUND_REAGENTS else CD8_POSITIVE
        if population not in tube.masks or tube.count(population) < ENOUGH_FOR_THIRDS:
            continue
        mask = tube.masks[population]
        cd69, target = tube.signal.linear("CD69")[mask], tube.signal.linear("target")[mask]
        low, high = np.quantile(cd69, (1 / 3, 2 / 3))
        dim = target[cd69 <= low]
        spread = robust_sd(dim)
        if spread > 0:
            found.append(float(np.median(target[cd69 >= high]) - np.median(dim)) / spread)
    return max(found, key=abs, default=None)

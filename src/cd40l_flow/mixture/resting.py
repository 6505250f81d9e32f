"""Resting cells as a background for stimulated ones, corrected by the change of CD8+ cells in the same tubes.

Stimulated cells have more autofluorescence and nonspecific binding, and the dye of CD69 spreads noise into the target's
detector. Resting cells alone are too dim and too narrow a background. CD8+ T cells of the same two tubes undergo the
same changes, and few of them express the target: the shift of their lower part applies to other negative cells as well.
Added light shifts the cells and adds its noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np

from cd40l_flow.assay.cd40l.gates import CD8_POSITIVE
from cd40l_flow.base.model import Floats
from cd40l_flow.gating.model import GatedTube
from cd40l_flow.signal.censoring import pile
from cd40l_flow.signal.quantiles import quantiles
from cd40l_flow.signal.scale import robust_sd

# Expressing CD8+ cells lie above these quantiles of those that do not express, even if they are a third of all. With a
# pile-up of the lowest cells, quantiles equally far apart above it are used, up to the highest.
LOW, HIGH, HIGHEST = 0.05, 0.25, 0.45
ABOVE_PILE = 0.02
FEWEST = 100  # cells in each tube: the upper quantile then has an error of 0.14 robust SD
MOST = 4096  # most cells used for quantiles
# Largest change attributed to stimulation, robust SD of the resting cells; expressing cells lie further away.
FURTHEST, NOISIEST, MOST_OF = 2.5, 4.0, 0.99
EXPRESSING_ABOVE = 0.99  # quantile of cells that do not express beyond which the others are counted
ROUNDS = 4  # of counting them and moving again: the share is then settled to a hundredth
STEPS = 20  # of the bisection: to a millionth of the noisiest
NODES = 1024  # of the normal law
GOLDEN = (math.sqrt(5) - 1) / 2  # golden-ratio steps, which fill an interval evenly


@dataclass(frozen=True)
class Stimulated:
    """The effect of stimulation on negative cells: it adds ``offset`` and noise of SD ``noise``, channel values.

    ``shift`` and ``widening`` are the same in robust SD of the resting cells. ``floor`` is the lowest value that the
    instrument writes for resting cells, None without a limit.
    """

    offset: float
    noise: float
    shift: float
    widening: float
    floor: float | None = None

    def of(self, resting: Floats) -> Floats:
        """Return resting cells, (n,) channel values, corrected for stimulation, sorted before noise is added."""
        moved = noisy(np.sort(resting), self.noise) + self.offset
        return moved if self.floor is None else np.maximum(moved, self.floor + self.offset)


def stimulated(resting: Floats, before: Sequence[GatedTube], after: Sequence[GatedTube]) -> Stimulated | None:
    """Return the effect of stimulation on CD8+ cells between two sets of tubes with the same stain; None with too few
    cells, or with a change so large that they may express the target.

    ``resting`` are the target's values of the cells to be corrected, (n,). Of stimulated CD8+ cells only CD69+ ones are
    used. With a pile-up of the lowest cells, only those above it are used.
    """
    rest, moved = (_fewer(_cd8(tubes, activated=kind)) for tubes, kind in ((before, False), (after, True)))
    sd = robust_sd(resting)
    if min(rest.size, moved.size) < FEWEST or not sd > 0:
        return None
    piles = [pile(values) for values in (resting, rest, moved)]
    piled = 0.0 if piles[2] is None else piles[2].share
    low = max([LOW, *(found.share + ABOVE_PILE for found in piles if found is not None)])
    ends = (low, low + HIGH - LOW)
    if ends[1] > HIGHEST:
        return None
    expressing, noise, offset = 0.0, 0.0, 0.0
    for _ in range(ROUNDS):
        least, most = quantiles(moved, tuple(end * (1 - expressing) for end in ends))
        noise = _added(rest, ends, most - least, NOISIEST * sd)
        spread = noisy(rest, noise)
        offset = most - quantiles(spread, ends[1:])[0]
        expressing = _beyond(moved, quantiles(spread, (EXPRESSING_ABOVE,))[0] + offset)
    hidden = low * (1 - expressing) <= piled
    if hidden or abs(offset) > FURTHEST * sd or noise > MOST_OF * NOISIEST * sd:
        return None
    floors = [found.value for found in piles[:2] if found is not None]
    return Stimulated(offset, noise, offset / sd, noise / sd, max(floors, default=None))


def noisy(ordered: Floats, noise: float) -> Floats:
    """Return sorted values, (n,), with deterministic, evenly spread normal noise of this SD."""
    if noise <= 0:
        return ordered
    places = (np.arange(ordered.size) * GOLDEN % 1.0 * NODES).astype(np.intp)
    found: Floats = ordered + noise * _normal()[places]
    return found


def _beyond(moved: Floats, threshold: float) -> float:
    """Return the share of cells, (n,), that express: those above the threshold, less those without that lie there."""
    above = float(np.mean(moved > threshold))
    return max(0.0, (above - (1 - EXPRESSING_ABOVE)) / EXPRESSING_ABOVE)


def _added(rest: Floats, ends: tuple[float, float], width: float, most: float) -> float:
    """Return the SD of the noise that makes two quantiles, ``ends``, of sorted resting cells ``width`` apart."""
    low, high = 0.0, most
    for _ in range(STEPS):
        middle = (low + high) / 2
        least, greatest = quantiles(noisy(rest, middle), ends)
        low, high = (middle, high) if greatest - least < width else (low, middle)
    return low


@cache
def _normal() -> Floats:
    law = NormalDist()
    return np.array([law.inv_cdf((place + 0.5) / NODES) for place in range(NODES)])


def _fewer(values: Floats) -> Floats:
    """Return at most ``MOST`` of some values, sorted."""
    return np.sort(values)[:: max(1, math.ceil(values.size / MOST))]


def _cd8(tubes: Sequence[GatedTube], *, activated: bool) -> Floats:
    """Return the target's values of CD8+ cells, (n,), with ``activated`` only of CD69+ ones."""
    parts = []
    for tube in tubes:
        boundary = tube.boundary("cd69_low")
        if CD8_POSITIVE not in tube.indices or (activated and boundary is None):
            continue
        values = tube.linear("target", CD8_POSITIVE)
        if activated and boundary is not None:
            values = values[tube.linear("CD69", CD8_POSITIVE) > boundary.value]
        parts.append(values)
    return np.concatenate(parts) if parts else np.empty(0)

"""Independence of the negative cells from CD69, CD3, CD8, CD4 and time: mutant cells, or others.

Mutant cells of a mosaic have as much of each marker as the others, and come at any time of the acquisition. Negatives
that depend on CD69 mean weak stimulation. Those that depend on CD3, CD8 or CD4 are other T cells (gamma-delta cells
have more CD3; cytotoxic cells that lost their stain have a little CD8; double-negative cells lack CD4). Those that
gather in a part of the acquisition are another sample's, or of a detector that failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.histogram import HIGH, LOW, histogram
from cd40l_flow.signal.acquisition import Mask

FEWEST = 150  # fewest cells to be split in thirds
FEWEST_OF_TUBE = 20  # the same of a tube to be compared with its replicates
SLIGHT = 0.3  # ln odds ratio above which a marker is used
PRIOR = 0.5  # cells of each sort in each third, before counting
# Parts of an acquisition: so many that each holds some of the rarer sort of cells, within these bounds.
FEWEST_PARTS, MOST_PARTS, OF_RARER = 3, 20, 10


@dataclass(frozen=True)
class Dependence:
    """The dependence of negatives on a marker: ln odds ratio of its lower against its upper third.

    0 without dependence; ``error`` is its standard error.
    """

    log_ratio: float
    error: float


@dataclass(frozen=True)
class Independence:
    """The dependence of one reagent's negatives on CD69, CD3, other markers and time, None with too few cells.

    That on time compares the part of a tube's acquisition that differs most with the rest. ``inner`` are the binned
    cells, (bins,), least affected by other causes of negatives: the upper third of CD69 if negatives depend on it, and
    the thirds of CD3 and of each of ``others`` (CD8, CD4) with the fewest. ``inner_odds`` are the ln odds of a mosaic
    among them, None if not computed. ``strong`` is the dependence on CD69 within its upper third: where it goes on
    there, even these cells were stimulated too little, and what they show is no mosaic.
    """

    cd69: Dependence | None
    cd3: Dependence | None
    inner: Floats
    inner_odds: float | None = None
    strong: Dependence | None = None
    others: Mapping[str, Dependence] = field(default_factory=dict)
    time: Dependence | None = None

    @property
    def largest(self) -> Dependence | None:
        """Whichever of those on a marker is the strongest."""
        known = [one for one in (self.cd69, self.cd3, *self.others.values()) if one is not None]
        return max(known, key=lambda one: abs(one.log_ratio), default=None)


def independence(
    scaled: Floats,
    cd69: Floats,
    cd3: Floats,
    expected: Floats,
    *,
    others: Mapping[str, Floats] | None = None,
    tubes: Sequence[int] = (),
) -> Independence:
    """Return the dependence of the negatives of one reagent's activated cells on CD69, CD3, other markers and time.

    ``scaled`` is the target on the logicle scale, ``cd69``, ``cd3`` and ``others`` by marker in any unit, (n,) each, in
    the order of acquisition; ``tubes`` are the numbers of cells of each tube. ``expected`` are the expected
    counts of the fitted negative and positive component, (2, bins): a cell is weighted by its posterior probability of
    being negative.
    """
    bins = expected.shape[1]
    total = expected.sum(axis=0)
    weight = np.where(total > 0, expected[0] / np.maximum(total, 1e-12), 0.5)
    places = np.clip(((scaled - LOW) / (HIGH - LOW) * bins).astype(np.intp), 0, bins - 1)
    negative: Floats = weight[places]
    if scaled.size < FEWEST:
        return Independence(None, None, np.zeros(bins))
    by_cd69, by_cd3 = _dependence(negative, cd69), _dependence(negative, cd3)
    inner, strong = np.ones(scaled.size, dtype=bool), None
    if by_cd69 is not None and by_cd69.log_ratio > SLIGHT:
        inner = cd69 >= np.quantile(cd69, 2 / 3)
        strong = _dependence(negative[inner], cd69[inner])
    others = {} if others is None else others
    by_others = {name: by for name, marker in others.items() if (by := _dependence(negative, marker)) is not None}
    for by, marker in ((by_cd3, cd3), *((by, others[name]) for name, by in by_others.items())):
        if by is not None and abs(by.log_ratio) > SLIGHT:
            inner &= _fewest(negative, marker)
    counts = histogram(scaled[inner], bins)
    return Independence(by_cd69, by_cd3, counts, strong=strong, others=by_others, time=over_time(negative, tubes))


def _fewest(negative: Floats, marker: Floats) -> Mask:
    """Return the mask, (n,), of the third of a marker with the fewest negatives."""
    low, high = np.quantile(marker, (1 / 3, 2 / 3))
    thirds = [marker <= low, (marker > low) & (marker < high), marker >= high]
    return min(thirds, key=lambda third: float(negative[third].mean()) if third.any() else 1.0)


def _dependence(negative: Floats, marker: Floats) -> Dependence | None:
    """Return the ln odds ratio of being negative, lower against upper third of a marker, (n,) each."""
    low, high = np.quantile(marker, (1 / 3, 2 / 3))
    if not low < high:
        return None
    ends = negative[marker <= low], negative[marker >= high]
    return _compared(*((float(third.sum()), third.size) for third in ends))


def over_time(negative: Floats, tubes: Sequence[int]) -> Dependence | None:
    """Return the ln odds ratio of being negative of the part of a tube's cells, in the order of acquisition, that
    differs most surely from the tube's other cells: one of up to 20 equal parts, or all before the end of one. None of
    few cells.
    """
    found = []
    for cells in np.split(negative, np.cumsum(tubes)[:-1]) if tubes else []:
        if cells.size < FEWEST:
            continue
        without = float(cells.sum())
        rarer = min(without, cells.size - without)
        number = int(np.clip(rarer / OF_RARER, FEWEST_PARTS, MOST_PARTS))
        ends = np.linspace(0, cells.size, number + 1).astype(np.intp)
        sums, sizes = np.add.reduceat(cells, ends[:-1]), np.diff(ends)
        parts = [*zip(sums.tolist(), sizes.tolist(), strict=True)]
        before = [*zip(np.cumsum(sums).tolist(), ends[1:].tolist(), strict=True)][1:-1]  # the first is a part
        found += [_compared((part, size), (without - part, cells.size - size)) for part, size in (*parts, *before)]
    return max(found, key=lambda one: abs(one.log_ratio) / one.error, default=None)


def between_tubes(negative: Floats, tubes: Sequence[int]) -> Dependence | None:
    """Return the ln odds ratio of being negative of the tube that differs most surely from the others; None of one."""
    if len(tubes) < 2 or min(tubes) < FEWEST_OF_TUBE:
        return None
    sums = [float(cells.sum()) for cells in np.split(negative, np.cumsum(tubes)[:-1])]
    without, count = sum(sums), negative.size
    found = [_compared((part, size), (without - part, count - size)) for part, size in zip(sums, tubes, strict=True)]
    return max(found, key=lambda one: abs(one.log_ratio) / one.error)


def _compared(some: tuple[float, int], others: tuple[float, int]) -> Dependence:
    """Return the ln odds ratio of being negative of some cells against others: (negative cells, all cells) of each.

    Its error is that by Wald or, where hardly a cell of one side is negative, or hardly one is not, by the likelihood
    ratio, which is then the surer (Hauck and Donner 1977).
    """
    log, variance, ratio = 0.0, 0.0, 0.0
    pooled = (some[0] + others[0]) / (some[1] + others[1])
    for side, (negatives, size) in ((1, some), (-1, others)):
        without, with_it = negatives + PRIOR, size - negatives + PRIOR
        log += side * math.log(without / with_it)
        variance += 1 / without + 1 / with_it
        for count, expected in ((negatives, size * pooled), (size - negatives, size * (1 - pooled))):
            ratio += 2 * count * math.log(count / expected) if count > 0 else 0.0
    error = math.sqrt(variance)
    return Dependence(log, min(error, abs(log) / math.sqrt(ratio)) if ratio > 1 else error)

"""One donor or two: measures of a donor that must agree in every tube of a sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cd40l_flow.assay.cd40l.gates import CD3_POSITIVE, CD8_NEGATIVE
from cd40l_flow.assay.gating_limits import GatingLimits
from cd40l_flow.assay.shared_gates import LYMPHOCYTES, TIME
from cd40l_flow.decision.case import Difference
from cd40l_flow.gating.model import GatedTube
from cd40l_flow.signal.quantiles import ONE_SD_ABOVE, ONE_SD_BELOW, median, quantiles

ENOUGH = 100
STANDARD_ERRORS = 4.0
FOR_ERROR = 5000  # cells that give the standard error to 1 %, which takes a third of the time of all
# PMA lowers CD3 and makes cells larger, so tubes of one donor differ more between the two states.
ACROSS_CD3, ACROSS_CD8, ACROSS_FSC = 2.0, 1.25, 1.35
GROWTH = 12.0  # increase of FSC by stimulation, percent; 0 to 30 in four hours


@dataclass(frozen=True)
class _Print:
    """One fingerprint of one tube: its value and standard error."""

    tube: GatedTube
    value: float
    error: float

    @property
    def fcs(self) -> str:
        return self.tube.signal.events.tube.fcs

    @property
    def stimulation(self) -> str:
        return self.tube.signal.events.tube.stimulation


def differences(tubes: Sequence[GatedTube], limits: GatingLimits) -> tuple[Difference, ...]:
    """Return for each fingerprint the two tubes with the largest difference relative to its limit; ``limits`` is
    ``gating``.

    Percents of CD3+ among lymphocytes and of CD8- among T cells are compared between all tubes, with more allowed
    between the two states; so is FSC of T cells, for stimulated ones are larger, and SSC within a state only. The limit
    combines in quadrature the configured one (pipetting and gating) and four standard errors of counting.
    """
    points, percent = limits.tube_delta_points, limits.tube_delta_percent
    sizes, grains = _medians(tubes)
    found = [
        _worst("CD3+ of lymphocytes", _shares(tubes, CD3_POSITIVE, LYMPHOCYTES), points, ACROSS_CD3),
        _worst("CD8- of CD3+", _shares(tubes, CD8_NEGATIVE, CD3_POSITIVE), points, ACROSS_CD8),
        _worst("FSC of CD3+ cells (stimulated: less 12 %)", sizes, percent, ACROSS_FSC, ratio=True),
        _worst("SSC of CD3+ cells", grains, percent, None, ratio=True),
    ]
    return tuple(one for one in found if one is not None)


def _shares(tubes: Sequence[GatedTube], population: str, parent: str) -> list[_Print]:
    """Return a population's percent of a parent, percentage points."""
    found = []
    for tube in tubes:
        if population not in tube.indices or parent not in tube.indices or tube.count(parent) < ENOUGH:
            continue
        count, total = tube.count(population), tube.count(parent)
        # Agresti and Coull's added counts keep the error above 0 if no cell or every cell is positive.
        share = (count + 2) / (total + 4)
        found.append(_Print(tube, 100 * count / total, 100 * math.sqrt(share * (1 - share) / (total + 4))))
    return found


def _medians(tubes: Sequence[GatedTube]) -> tuple[list[_Print], list[_Print]]:
    """Return the log medians of FSC and SSC on CD3+ cells, in percent; FSC is corrected for the growth of stimulated
    cells.
    """
    found: tuple[list[_Print], list[_Print]] = ([], [])
    for tube in tubes:
        boundary = tube.boundary("cd3_low")
        if boundary is None:
            continue
        # Ungated events, since another donor's lymphocytes may lie outside the scatter gate.
        places = tube.indices[TIME].take(np.flatnonzero(tube.scaled("CD3", TIME) > boundary.scaled))
        if places.size < ENOUGH:
            continue
        scatter, sheet = tube.signal.events.scatter, tube.signal.events.tube
        growths = GROWTH if sheet.stimulation == "stimulated" else 0.0, 0.0
        for prints, name, grown in zip(found, (scatter.fsc, scatter.ssc), growths, strict=True):
            if name is None:
                continue
            values = tube.signal.stored(name).take(places)
            middle = median(values)
            below, above = quantiles(values[:: max(1, values.size // FOR_ERROR)], (ONE_SD_BELOW, ONE_SD_ABOVE))
            if middle > 0:
                # The standard error of the median of a normal distribution.
                error = 1.2533 * (above - below) / 2 / middle / math.sqrt(values.size)
                prints.append(_Print(tube, 100 * math.log(middle) - grown, 100 * error))
    return found


def _worst(
    what: str, prints: Sequence[_Print], limit: float, across: float | None, *, ratio: bool = False
) -> Difference | None:
    """Return the pair of tubes with the largest difference relative to its limit, None without a pair.

    ``across`` multiplies the limit between stimulated and unstimulated tubes; None compares within a state only. With
    ``ratio``, values are logarithms and the result is percent of the smaller one.
    """
    found = []
    for one, other in combinations(prints, 2):
        same = one.stimulation == other.stimulation
        if not same and across is None:
            continue
        allowed = math.hypot(
            limit * (1.0 if same else across or 1.0), STANDARD_ERRORS * math.hypot(one.error, other.error)
        )
        value = abs(one.value - other.value)
        if ratio:
            value = 100 * (math.exp(value / 100) - 1)
        unit = "%" if ratio else "points"
        found.append(Difference(what, (one.fcs, other.fcs), value, allowed, unit))
    return max(found, key=lambda difference: difference.value / difference.limit, default=None)

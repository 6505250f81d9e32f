"""Published reference intervals of B-cell subsets by age, as they were printed: whole percents of CD19+ cells.

Source: ARUP Laboratories, test 2008901 (http://ltd.aruplab.com/tests/pub/2008901): 2.5th to 97.5th percentiles. The
size of its groups of donors is not stated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

NAME = "ARUP 2008901"
SOURCE = "http://ltd.aruplab.com/tests/pub/2008901"
# The table rounds to whole percents: what it prints as 0 may be up to this much.
ZERO_PERCENT = 0.5

Range = tuple[float, float]


@dataclass(frozen=True)
class AgeBand:
    """The 95 % ranges of healthy people from ``start`` to below ``end`` (months).

    ``b_cells`` is in percent of lymphocytes; ``naive``, ``switched`` (CD27+IgD-) and ``non_switched`` (CD27+IgD+) are
    in percent of CD19+ cells.
    """

    words: str
    start: float
    end: float
    b_cells: Range
    naive: Range
    switched: Range
    non_switched: Range

    @property
    def knot(self) -> float:
        """The age in months at which a curve takes the ranges of the band: its middle on the logarithm of age.

        An open band has no middle; its first day is taken instead, or the limits of the band before it, which are
        higher in adults, would reach years into it.
        """
        return self.start if math.isinf(self.end) else math.sqrt(self.start * self.end)

    @property
    def switched_low(self) -> float:
        """The lower limit of the class-switched share, percent, never 0."""
        return max(self.switched[0], ZERO_PERCENT)


BANDS = (
    AgeBand("2 to 5 months", 2, 5, (18, 38), (82, 95), (0, 9), (3, 9)),
    AgeBand("5 to 9 months", 5, 9, (16, 34), (86, 93), (2, 7), (3, 7)),
    AgeBand("9 to 15 months", 9, 15, (14, 28), (77, 95), (1, 12), (3, 11)),
    AgeBand("15 to 24 months", 15, 24, (16, 34), (68, 89), (4, 14), (4, 14)),
    AgeBand("2 to 5 years", 24, 60, (14, 29), (54, 88), (5, 21), (3, 20)),
    AgeBand("5 to 10 years", 60, 120, (10, 24), (47, 77), (11, 30), (5, 20)),
    AgeBand("10 to 16 years", 120, 192, (9, 23), (51, 83), (9, 26), (5, 18)),
    AgeBand("16 years on", 192, math.inf, (6, 28), (0, 100), (4, 40), (3, 35)),
)


def band_at(months: float) -> AgeBand:
    """Return the band of an age; the first one below it, the last one above."""
    return next((band for band in BANDS if months < band.end), BANDS[-1])

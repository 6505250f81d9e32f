"""What share of switched cells healthy people of an age have: the published table as one curve, the laboratory's own.

The logit of the share is normal at every age; its mean ``mu`` and SD ``sd`` are interpolated in the logarithm of age
(Fritsch and Carlson 1980: monotone between two knots, no overshoot; as Koenigs 2018 treats age as continuous), constant
beyond the ends. At the knots the curve has the limits of the table; between them it has no steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cd40l_flow.assay.b_cell_limits import BCellLimits
from cd40l_flow.assay.memory_b.age_table import BANDS, NAME, band_at
from cd40l_flow.cohort.laboratory import ByAge
from cd40l_flow.cohort.reference_types import AgeKnot
from cd40l_flow.mixture.proportion import Z95

OWN = "the laboratory's own"
# Ages, in months, among which the extremes of any age are sought.
_GRID = tuple(10 ** (step / 100) for step in range(240))


def logit(percent: float) -> float:
    """Return ln(p / (1 - p)) of a percent; infinite at 0 and 100."""
    if percent <= 0:
        return -math.inf
    return math.inf if percent >= 100 else math.log(percent / (100 - percent))


def percent_of(logit_share: float) -> float:
    """Return the percent of a logit."""
    return 100 / (1 + math.exp(-logit_share)) if logit_share > -700 else 0.0


@dataclass(frozen=True)
class AgeLimits:
    """The limits that a share is compared with at one age, in percent of B cells.

    ``normal`` is the 2.5th percentile of healthy people, which SWITCHED_NORMAL must reach; ``low`` the same less what
    the limit itself is unsure of, which SWITCHED_LOW lies below; ``absent`` that of SWITCHED_ABSENT, ``high`` the
    97.5th percentile. ``absent <= low <= normal``. ``mu`` and ``sd`` are of the logit. ``table`` names what decided;
    ``provisional``: the laboratory's own donors of that age are few, and the published curve had to agree.
    """

    normal: float
    low: float
    absent: float
    high: float
    mu: float
    sd: float
    table: str
    provisional: bool = False

    def z(self, percent: float) -> float:
        """Return how many SD of the logit a share lies from the mean of its age."""
        return (logit(percent) - self.mu) / self.sd


@dataclass(frozen=True)
class AgeCurve:
    """The published curve, and the laboratory's own where it has donors of the age."""

    own: ByAge | None = None

    def lower_limit(self, age_years: float) -> float:
        """Return the 2.5th percentile of healthy people of an age, percent of B cells."""
        return self.limits(age_years, BCellLimits()).normal

    def absent_limit(self, age_years: float, limits: BCellLimits | None = None) -> float:
        """Return the limit of SWITCHED_ABSENT at an age, percent of B cells."""
        return self.limits(age_years, limits or BCellLimits()).absent

    def z(self, percent: float, age_years: float) -> float:
        """Return how many SD of the logit a share lies from the mean of its age; infinite at 0 and 100 %."""
        return self.limits(age_years, BCellLimits()).z(percent)

    def limits(self, age_years: float, limits: BCellLimits) -> AgeLimits:
        """Return the limits that a share is compared with at an age."""
        months = 12 * age_years
        mu, sd = _at(PUBLISHED, months)[:2]
        normal = percent_of(mu - Z95 * sd)
        low, high = normal, percent_of(mu + Z95 * sd)
        table, provisional = NAME, False
        count = 0 if self.own is None else self.own.bands.get(band_at(months).words, 0)
        if self.own is not None and count >= limits.own_donors_fewest:
            own_mu, own_sd, factor = _at(self.own.knots, months)
            own_normal, own_low = percent_of(own_mu - Z95 * own_sd), percent_of(own_mu - factor * own_sd)
            if count >= limits.own_donors_min:
                normal, low, high, mu, sd = own_normal, own_low, percent_of(own_mu + Z95 * own_sd), own_mu, own_sd
                table = OWN
            else:
                normal, low = max(normal, own_normal), min(low, own_low)
                table, provisional = f"{NAME} and {OWN} ({count} donors: provisional)", True
        absent = _absent(normal, low, limits)
        return AgeLimits(normal, low, absent, high, mu, sd, table, provisional)

    def any_age(self, limits: BCellLimits) -> AgeLimits:
        """Return the limits for a person whose age is not known: no age has a higher ``normal``, none a lower ``low``.

        ``mu`` and ``sd`` are not known (NaN).
        """
        own = () if self.own is None else tuple(knot.age_months for knot in self.own.knots)
        months = sorted({*_GRID, *own, *(band.knot for band in BANDS), *(band.start for band in BANDS)})
        found = [self.limits(one / 12, limits) for one in months]
        low = min(one.low for one in found)
        return AgeLimits(
            normal=max(one.normal for one in found),
            low=low,
            absent=_absent(min(one.normal for one in found), low, limits),
            high=max(one.high for one in found),
            mu=math.nan,
            sd=math.nan,
            table=f"any age of {' and '.join(dict.fromkeys(one.table for one in found))}",
        )


def _absent(normal: float, low: float, limits: BCellLimits) -> float:
    """Return the limit of SWITCHED_ABSENT, which is never above that of SWITCHED_LOW."""
    return min(max(limits.absent_max, limits.absent_of_limit * normal), low)


def _published() -> tuple[AgeKnot, ...]:
    knots = []
    for band in BANDS:
        low, high = logit(band.switched_low), logit(band.switched[1])
        knots.append(AgeKnot(age_months=band.knot, mu=(low + high) / 2, sd=(high - low) / (2 * Z95), factor=Z95))
    return tuple(knots)


PUBLISHED = _published()


def _at(knots: tuple[AgeKnot, ...], months: float) -> tuple[float, float, float]:
    """Return mu, sd and the factor of the tolerance limit at an age in months."""
    if len(knots) == 1:
        return knots[0].mu, knots[0].sd, knots[0].factor
    inside = min(max(months, knots[0].age_months), knots[-1].age_months)
    found = np.asarray(_interpolator(knots)(math.log(inside)), dtype=np.float64)
    return float(found[0]), float(found[1]), float(found[2])


@lru_cache(maxsize=8)
def _interpolator(knots: tuple[AgeKnot, ...]) -> Callable[[float], object]:
    # The import takes longer than most samples need.
    from scipy.interpolate import PchipInterpolator

    values = np.array([(knot.mu, knot.sd, knot.factor) for knot in knots])
    found: Callable[[float], object] = PchipInterpolator([math.log(knot.age_months) for knot in knots], values)
    return found

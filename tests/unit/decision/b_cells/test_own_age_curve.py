"""The laboratory's own limits by age in closed form: which donors count, and from how many on they decide."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from cd40l_flow.assay.b_cell_limits import BCellLimits
from cd40l_flow.assay.memory_b.age_table import BANDS, NAME, band_at
from cd40l_flow.cohort.laboratory import ByAge
from cd40l_flow.cohort.reference_types import AgeKnot
from cd40l_flow.decision.b_cells.age_curve import OWN, AgeCurve, AgeLimits, percent_of
from cd40l_flow.decision.b_cells.own_curve import Donor, own_curve, tolerance_factor
from cd40l_flow.mixture.proportion import Z95

SEVEN = 84.0  # months
LIMITS, PUBLISHED = BCellLimits(), AgeCurve()


def limits(donors: int, mu: float = -1.5, sd: float = 0.4, factor: float = 2.6) -> AgeLimits:
    """Return the limits at seven years of a laboratory with so many donors of that age."""
    own = ByAge("switched", (AgeKnot(age_months=SEVEN, mu=mu, sd=sd, factor=factor),), {band_at(SEVEN).words: donors})
    return AgeCurve(own).limits(SEVEN / 12, LIMITS)


def test_twenty_donors_decide_alone() -> None:
    """Normal is the 2.5th percentile, low what lies below its tolerance limit."""
    found = limits(20)
    assert found.normal == pytest.approx(percent_of(-1.5 - Z95 * 0.4))
    assert found.low == pytest.approx(percent_of(-1.5 - 2.6 * 0.4))
    assert found.high == pytest.approx(percent_of(-1.5 + Z95 * 0.4))
    assert found.absent == pytest.approx(0.1 * found.normal)
    assert (found.mu, found.sd, found.table, found.provisional) == (-1.5, 0.4, OWN, False)


@pytest.mark.parametrize("donors", [5, 19])
@pytest.mark.parametrize("mu", [-1.0, -3.0])
def test_fewer_donors_must_agree_with_the_published_curve(donors: int, mu: float) -> None:
    found, published = limits(donors, mu), PUBLISHED.limits(SEVEN / 12, LIMITS)
    assert found.normal == pytest.approx(max(published.normal, percent_of(mu - Z95 * 0.4)))
    assert found.low == pytest.approx(min(published.low, percent_of(mu - 2.6 * 0.4)))
    assert (found.mu, found.high, found.provisional) == (published.mu, published.high, True)
    assert found.table == f"{NAME} and {OWN} ({donors} donors: provisional)"


def test_four_donors_are_none() -> None:
    assert limits(4) == PUBLISHED.limits(SEVEN / 12, LIMITS)


def test_at_any_age_the_strictest_limits_of_the_laboratory_hold() -> None:
    """Donors of all ages, whose share rises: normal is that of the oldest, low and absence those of the youngest."""
    knots = tuple(AgeKnot(age_months=age, mu=mu, sd=0.3, factor=2.4) for age, mu in ((2.0, -1.0), (240.0, 0.0)))
    found = AgeCurve(ByAge("switched", knots, {band.words: 50 for band in BANDS})).any_age(LIMITS)
    assert found.normal == pytest.approx(percent_of(0.0 - Z95 * 0.3))
    assert found.low == pytest.approx(percent_of(-1.0 - 2.4 * 0.3))
    assert found.absent == pytest.approx(0.1 * percent_of(-1.0 - Z95 * 0.3))
    assert found.high == pytest.approx(percent_of(0.0 + Z95 * 0.3))
    assert found.table == f"any age of {OWN}"


def donor(months: float, logit: float) -> Donor:
    return Donor(months, *(3 * [percent_of(logit)]))


def test_near_donors_weigh_more_in_the_spread() -> None:
    """Four at 200 months who differ by 1, two at 600 who differ by 4: each by its residual over 1 - leverage."""
    donors = [donor(200.0, side * 0.5) for side in (-1, 1, -1, 1)] + [donor(600.0, side * 2.0) for side in (-1, 1)]
    own = own_curve(donors, "switched", fewest=5)
    assert own is not None
    (knot,) = own.knots
    away = math.log(3) / 3
    assert knot.age_months == pytest.approx(200 * math.exp(away))
    near, far = (math.exp(-0.5 * (distance / 0.3) ** 2) for distance in (away, 2 * away))
    square = (4 * near * 0.25 / 0.75 + 2 * far * 4.0 / 0.5) / (4 * near + 2 * far)
    assert knot.sd == pytest.approx(math.sqrt(square), rel=0.02)
    size = (4 * near + 2 * far) ** 2 / (4 * near**2 + 2 * far**2)
    assert knot.factor == pytest.approx(tolerance_factor(size), rel=1e-6)


def test_donors_who_are_alone_at_their_age_tell_no_spread() -> None:
    lonely = [donor(200.0, -1.0), donor(600.0, 1.0)]
    assert own_curve(lonely, "switched", fewest=2) is None
    own = own_curve([donor(200.0, -0.5), donor(200.0, 0.5), donor(800.0, 3.0)], "switched", fewest=3)
    assert own is not None
    assert own.knots[0].sd == pytest.approx(math.sqrt(0.25 / 0.5), rel=0.01)


@pytest.mark.parametrize("size", [3.0, 5.0, 10.0, 40.0])
def test_the_factor_covers_with_its_confidence(size: float) -> None:
    """Over the law of the sample SD, the mean less factor x SD lies below the 2.5th percentile in 95 %."""
    factor, law = tolerance_factor(size), stats.chi2(size - 1)

    def below(square: float) -> float:
        sd = math.sqrt(square / (size - 1))
        return float(stats.norm.cdf(math.sqrt(size) * (factor * sd - stats.norm.ppf(0.975))) * law.pdf(square))

    assert integrate.quad(below, 0, float(law.ppf(1 - 1e-9)), limit=200)[0] == pytest.approx(0.95, abs=1e-4)


def test_a_factor_is_that_of_two_donors_or_more() -> None:
    assert tolerance_factor(1.0) == tolerance_factor(2.0) > 2 * tolerance_factor(3.0)
    assert np.isfinite(tolerance_factor(2.0))

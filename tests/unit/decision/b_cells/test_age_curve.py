"""The curve of healthy people: the published table at its knots, smooth between, and the laboratory's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from cd40l_flow.assay.b_cell_limits import BCellLimits
from cd40l_flow.assay.memory_b.age_table import BANDS, NAME, band_at
from cd40l_flow.decision.b_cells.age_curve import OWN, AgeCurve, logit, percent_of
from cd40l_flow.decision.b_cells.own_curve import Donor, own_curve, tolerance_factor

CURVE = AgeCurve()
# Section 5 of the science brief: median and SD of the logit as computed there, by hand from the printed limits.
MEDIANS = {2: (2.2, 0.76), 5: (3.8, 0.33), 9: (3.6, 0.66), 15: (7.6, 0.35), 24: (10.6, 0.41), 60: (18.7, 0.32),
           120: (15.7, 0.32), 192: (14.3, 0.71)}  # fmt: skip
AGES = st.floats(0.1, 90, allow_nan=False)
PERCENTS = st.floats(0.01, 99, allow_nan=False)


@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.words)
def test_at_its_knot_a_band_has_the_limits_that_were_printed(band: object) -> None:
    years = band.knot / 12  # type: ignore[attr-defined]
    found = CURVE.limits(years, BCellLimits())
    low, high = band.switched_low, band.switched[1]  # type: ignore[attr-defined]
    assert (found.normal, found.high) == (pytest.approx(low), pytest.approx(high))
    median, sd = MEDIANS[int(band.start)]  # type: ignore[attr-defined]
    assert (percent_of(found.mu), found.sd) == (pytest.approx(median, abs=0.06), pytest.approx(sd, abs=0.006))
    assert found.table == NAME


def test_how_far_the_curve_lies_from_the_table_between_knots() -> None:
    """Steps of the table are smoothed, most at 16 years (from 9 to 4: 5 points) and 5 months (0.5 to 2: 3 times).

    From 9 months on, where few cells are called, no limit differs by more than 2.3 times.
    """
    furthest = ratio = later = 0.0
    for months in np.linspace(2, 240, 1000):
        curve, printed = CURVE.lower_limit(months / 12), band_at(float(months)).switched_low
        furthest = max(furthest, abs(curve - printed))
        ratio = max(ratio, curve / printed, printed / curve)
        if months >= 9:
            later = max(later, curve / printed, printed / curve)
    assert furthest == pytest.approx(5.0, abs=0.05)
    assert (ratio, later) == (pytest.approx(3.1, abs=0.15), pytest.approx(2.2, abs=0.1))


@settings(deadline=None)
@given(AGES)
def test_median_and_limits_have_their_z(age: float) -> None:
    found = CURVE.limits(age, BCellLimits())
    assert CURVE.z(percent_of(found.mu), age) == pytest.approx(0, abs=1e-9)
    assert CURVE.z(CURVE.lower_limit(age), age) == pytest.approx(norm.ppf(0.025))
    assert CURVE.z(found.high, age) == pytest.approx(norm.ppf(0.975))
    assert 0 < found.absent <= found.low <= found.normal < found.high < 100


@settings(deadline=None)
@given(AGES)
def test_between_two_knots_mean_and_sd_lie_between_theirs(age: float) -> None:
    knots = [band.knot for band in BANDS]
    months = min(max(12 * age, knots[0]), knots[-1])
    place = min(int(np.searchsorted(knots, months, side="right")), len(knots) - 1)
    ends = [CURVE.limits(knots[one] / 12, BCellLimits()) for one in (place - 1, place)]
    found = CURVE.limits(age, BCellLimits())
    for name in ("mu", "sd"):
        low, high = sorted(getattr(end, name) for end in ends)
        assert low - 1e-9 <= getattr(found, name) <= high + 1e-9


@settings(deadline=None)
@given(AGES)
def test_the_published_curve_has_one_limit_for_low_and_normal(age: float) -> None:
    """Only a laboratory's own limit has an error that SWITCHED_LOW must keep off."""
    found = CURVE.limits(age, BCellLimits())
    assert found.low == found.normal == CURVE.lower_limit(age)


def test_beyond_the_ends_the_curve_is_constant() -> None:
    assert CURVE.lower_limit(0.01) == CURVE.lower_limit(3 / 12) == pytest.approx(0.5)
    assert CURVE.lower_limit(16) == CURVE.lower_limit(95) == pytest.approx(4)


def test_absence_is_half_a_percent_or_a_tenth_of_the_limit() -> None:
    assert CURVE.absent_limit(1.0) == 0.5
    assert CURVE.absent_limit(7.07) == pytest.approx(1.1, abs=0.001)
    assert CURVE.absent_limit(40) == 0.5


@settings(deadline=None)
@given(AGES)
def test_the_limits_of_any_age_are_those_of_the_strictest(age: float) -> None:
    found, anyone = CURVE.limits(age, BCellLimits()), CURVE.any_age(BCellLimits())
    assert anyone.normal >= found.normal - 1e-6 and anyone.normal == pytest.approx(11)
    assert anyone.low <= found.low + 1e-6 and anyone.absent <= found.absent + 1e-9
    assert math.isnan(anyone.mu)


def donors(count: int, seed: int, first: float = 9, last: float = 500, error: float = 0.0) -> list[Donor]:
    """Return donors whose logit rises by 0.35 with each e-fold of age, SD 0.4 between them, measured with an error."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        months = float(np.exp(random.uniform(np.log(first), np.log(last))))
        value = random.normal(-3.2 + 0.35 * math.log(months), 0.4) + random.normal(0, error)
        ends = (percent_of(value + sign * norm.ppf(0.975) * error) for sign in (-1, 1))
        found.append(Donor(months, percent_of(value), *ends))
    return found


def test_many_donors_of_a_known_line_give_it_back() -> None:
    """Mean and SD come back at every knot, and counting error is taken out of the SD."""
    own = own_curve(donors(1500, 3, error=0.3), "switched", fewest=5)
    assert own is not None and sum(own.bands.values()) == 1500
    for knot in own.knots:
        assert knot.mu == pytest.approx(-3.2 + 0.35 * math.log(knot.age_months), abs=0.1)
        assert knot.sd == pytest.approx(0.4, abs=0.08)
        assert 1.96 < knot.factor < 2.3


def test_a_curve_does_not_depend_on_the_order_of_its_donors() -> None:
    found = donors(60, 4)
    assert own_curve(found, "switched", fewest=5) == own_curve(found[::-1], "switched", fewest=5)


def test_donors_of_one_age_are_their_mean_and_sd() -> None:
    """Without a slope or an error the knot is the plain mean and SD of the logits."""
    values = np.random.default_rng(5).normal(-1.8, 0.5, 30)
    same = [Donor(300.0, percent_of(v), percent_of(v), percent_of(v)) for v in values]
    own = own_curve(same, "switched", fewest=5)
    assert own is not None
    (knot,) = own.knots
    assert (knot.age_months, knot.mu) == (pytest.approx(300), pytest.approx(values.mean()))
    assert knot.sd == pytest.approx(values.std(ddof=1))
    assert knot.factor == pytest.approx(tolerance_factor(30))


def test_the_factor_is_that_of_tables() -> None:
    """One-sided factors for 97.5 % with 95 % confidence (Owen 1963: n = 10, 3.379; n = 30, 2.5...) and the normal's."""
    assert tolerance_factor(1e6) == pytest.approx(norm.ppf(0.975), abs=0.01)
    random = np.random.default_rng(6)
    draws = random.normal(size=(20000, 20))
    below = norm.cdf(draws.mean(axis=1) - tolerance_factor(20) * draws.std(axis=1, ddof=1))
    assert np.mean(below <= 0.025) == pytest.approx(0.95, abs=0.006)


def test_too_few_donors_make_no_curve_and_few_a_provisional_one() -> None:
    assert own_curve(donors(4, 7), "switched", fewest=5) is None
    few = own_curve(donors(10, 8, first=60, last=119), "switched", fewest=5)
    assert few is not None
    curve, trusting = AgeCurve(few), BCellLimits(own_donors_min=10)
    for limits, table, provisional in ((BCellLimits(), NAME, True), (trusting, OWN, False)):
        found = curve.limits(7.0, limits)
        assert found.provisional is provisional and (table in found.table)
    # A provisional curve makes nobody low or normal whom the published one does not.
    both, published = curve.limits(7.0, BCellLimits()), CURVE.limits(7.0, BCellLimits())
    assert both.low <= published.low and both.normal >= published.normal
    # An age without donors of its own is the published table's.
    assert curve.limits(40.0, trusting) == CURVE.limits(40.0, BCellLimits())


@settings(deadline=None)
@given(PERCENTS)
def test_percent_and_logit_are_inverse(percent: float) -> None:
    assert percent_of(logit(percent)) == pytest.approx(percent)
    assert logit(0) == -math.inf and logit(100) == math.inf

"""The measures against closed forms, and their indifference to order and gain."""

from __future__ import annotations

import doctest
import math
from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.base.model import Floats
from cd40l_flow.decision.compare import agreeing, compare
from cd40l_flow.decision.control import combine, control_terms, read_terms
from cd40l_flow.decision.quality import usable_fit
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.measures import TargetCells, fit
from cd40l_flow.mixture.medians import median_interval
from cd40l_flow.mixture.model import Anchor, Comparison, Expression
from cd40l_flow.mixture.proportion import percent_positive, wilson
from cd40l_flow.result.making.control import terms_record
from cd40l_flow.signal.scale import Scale
from helpers.by_hand.cases import HEALTHY, LENT, limits, make_case

SCALE = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="test")
BINS = 512


def cells(seed: int, n: int, fraction: float, level: float = 7000.0) -> Floats:
    """Return linear values of activated cells, a fraction of them negative."""
    random = np.random.default_rng(seed)
    negative = random.random(n) < fraction
    return np.where(negative, random.normal(200, 120, n), level * np.exp(random.normal(0, 0.4, n)))


def resting(seed: int, n: int) -> Floats:
    return np.random.default_rng(seed + 1000).normal(200, 120, n)


def measure(values: Floats, background: Floats, scale: Scale = SCALE, **options: object) -> Expression:
    anchor = Anchor(histogram(scale.forward(background), BINS), "isotype", ("isotype.fcs",), exact=True)
    return fit(TargetCells(values, background), anchor, scale, limits(), **options)  # type: ignore[arg-type]


NUMBERS = (
    "percent_positive",
    "percent_positive_low",
    "percent_positive_high",
    "negative_fraction",
    "negative_fraction_low",
    "negative_fraction_high",
    "separation",
    "stain_index",
    "valley",
)


def numbers(expression: Expression) -> list[float]:
    return [getattr(expression, name) for name in NUMBERS]


def test_a_sample_is_measured_as_it_was_made() -> None:
    found = measure(cells(1, 4000, 0.3), resting(1, 3000))
    assert found.events == 4000
    assert found.negative_fraction == pytest.approx(0.3, abs=3 * math.sqrt(0.21 / 4000))
    assert found.percent_positive == pytest.approx(70, abs=3)
    assert found.mfi_positive == pytest.approx(7000, rel=0.05)
    assert found.mfi_background == pytest.approx(200, abs=15)
    assert found.stain_index == pytest.approx((7000 - 200) / (2 * 120), rel=0.1)
    assert found.threshold == pytest.approx(200 + 2.326 * 120, rel=0.05)
    assert found.converged
    assert usable_fit(found, limits())


def test_cells_at_the_top_are_positive_and_shape_nothing() -> None:
    values, background = cells(1, 4000, 0.3), resting(1, 3000)
    plain = measure(values, background)
    piled = measure(np.append(values, np.full(1000, SCALE.t)), background)
    assert (plain.margin_events, piled.margin_events) == (0, 1000)
    assert piled.positive == plain.positive
    assert plain.negative_fraction is not None
    assert piled.negative_fraction == pytest.approx(0.8 * plain.negative_fraction, rel=1e-9)


def test_order_does_not_matter() -> None:
    values, background = cells(2, 2000, 0.4), resting(2, 2000)
    first = measure(values, background)
    second = measure(np.random.default_rng(5).permutation(values), background[::-1])
    assert numbers(first) == numbers(second)


def test_gain_does_not_matter() -> None:
    """Twice the gain, on the scale of twice the top, is the same picture."""
    values, background = cells(3, 2000, 0.4), resting(3, 2000)
    first = measure(values, background)
    second = measure(2 * values, 2 * background, replace(SCALE, t=2 * SCALE.t))
    np.testing.assert_allclose(numbers(first), numbers(second), rtol=1e-6)
    assert second.mfi_positive == pytest.approx(2 * first.mfi_positive if first.mfi_positive else 0)


def test_a_threshold_set_by_hand() -> None:
    found = measure(cells(1, 1000, 0.5), resting(1, 1000), threshold=1000.0)
    assert (found.threshold, found.threshold_source) == (1000.0, "override")


@pytest.mark.parametrize("n", [0, 1, 30, 99])
def test_few_cells_are_measured_as_far_as_they_go(n: int) -> None:
    found = measure(cells(1, n, 0.5), resting(1, 400))
    assert found.negative_fraction is None
    assert (found.percent_positive is None) == (n == 0)
    assert (found.mfi_all is None) == (n == 0)
    assert found.events == n


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_all_of_one_kind(fraction: float) -> None:
    control = control_terms(measure(cells(10, 4000, 0.1), resting(10, 3000)), limits())
    found = measure(cells(1, 1000, fraction), resting(1, 1000), control=control)
    assert found.negative_fraction == pytest.approx(fraction, abs=0.03)
    assert found.percent_positive == pytest.approx(100 * (1 - fraction), abs=2)
    # Without a control nobody knows how dim a second population may be; the interval says so.
    alone = measure(cells(1, 1000, fraction), resting(1, 1000))
    assert alone.negative_fraction_low is not None and alone.negative_fraction_high is not None
    assert alone.negative_fraction_low <= fraction + 0.01
    assert alone.negative_fraction_high >= fraction - 0.01


def test_a_borrowed_background_widens_the_interval() -> None:
    values, background = cells(4, 1500, 0.4, level=900.0), resting(4, 1500)
    own = measure(values, background)
    anchor = replace(own.anchor, exact=False)
    lent = fit(TargetCells(values, background), anchor, SCALE, limits())
    assert own.negative_fraction_low is not None and own.negative_fraction_high is not None
    assert lent.negative_fraction_low is not None and lent.negative_fraction_high is not None
    assert lent.negative_fraction == pytest.approx(own.negative_fraction, abs=0.01)
    width = own.negative_fraction_high - own.negative_fraction_low
    assert lent.negative_fraction_high - lent.negative_fraction_low > 1.02 * width


# Percent positive


def test_wilson_in_closed_form() -> None:
    z = 1.959963984540054
    assert wilson(0.0, 10)[0] == 0.0
    assert wilson(0.0, 10)[1] == pytest.approx(z**2 / (10 + z**2))
    low, high = wilson(0.3, 50)
    for end in (low, high):  # the interval is where |p - end| is z standard errors at the end
        assert abs(0.3 - end) == pytest.approx(z * math.sqrt(end * (1 - end) / 50))
    assert wilson(1.0, 5)[1] == 1.0


def background_with(above: int, below: int) -> Floats:
    counts = np.zeros(13)  # bins of 0.1 from -0.2
    counts[1], counts[11] = below, above
    return counts


def test_percent_positive_by_hand() -> None:
    above = np.arange(200) < 150
    low, percent, high = percent_positive(above, background_with(10, 990), 0.5)
    p, b = 0.75, 0.01
    assert percent == pytest.approx(100 * (p - b) / (1 - b))
    (p_low, p_high), (b_low, b_high) = wilson(p, 200), wilson(b, 1000)
    rate = (1 - p) / (1 - b) ** 2
    value = (p - b) / (1 - b)
    assert low == pytest.approx(100 * (value - math.hypot((p - p_low) / (1 - b), rate * (b_high - b))))
    assert high == pytest.approx(100 * (value + math.hypot((p_high - p) / (1 - b), rate * (b - b_low))))


def test_percent_positive_at_its_ends() -> None:
    none = np.zeros(50, dtype=bool)
    assert percent_positive(none, background_with(10, 990), 0.5)[:2] == (0.0, 0.0)  # clipped
    assert percent_positive(~none, background_with(0, 100), 0.5)[1:] == (100.0, 100.0)
    assert percent_positive(np.zeros(0, dtype=bool), background_with(1, 99), 0.5) == (None, None, None)
    assert percent_positive(none, np.zeros(13), 0.5) == (None, None, None)
    assert percent_positive(~none, background_with(100, 0), 0.5) == (None, None, None)


# Beside the control


def beside(negative: float, **lent: object):  # type: ignore[no-untyped-def]
    expression = replace(
        HEALTHY,
        negative_fraction=negative,
        negative_fraction_low=negative - 0.02,
        negative_fraction_high=negative + 0.02,
        positive=None,  # so that nothing is refitted
    )
    return compare(expression, replace(LENT, **lent), limits(), by_fit=True)  # type: ignore[arg-type]


def test_limits_of_the_mutant_fraction_by_hand() -> None:
    found = beside(0.28)
    z = 1.959963984540054
    healthy = math.sqrt(2) * 0.04 / 0.9
    s = math.sqrt(healthy**2 + (0.04 / (2 * z) / 0.9) ** 2 + (0.0055 / 0.9) ** 2)
    assert found.mutant_fraction == pytest.approx(1 - 0.72 / 0.9)
    assert found.lob == pytest.approx(2.33 * s)
    assert found.lod == pytest.approx((2.33 + 1.645) * s)
    common = z * math.hypot(healthy, 0.8 * 0.0055 / 0.9)
    assert found.mutant_fraction_low == pytest.approx(0.2 - math.hypot(0.02 / 0.9, common))
    assert found.mutant_fraction_high == pytest.approx(0.2 + math.hypot(0.02 / 0.9, common))
    assert found.relative_positive == pytest.approx(0.8)


def test_fewer_negatives_than_the_control_are_told_below_zero() -> None:
    assert beside(0.05).mutant_fraction == pytest.approx(1 - 0.95 / 0.9)


def test_the_mean_of_more_controls_differs_less_from_a_sample() -> None:
    one, three = beside(0.28), beside(0.28, count=3)
    assert one.lob is not None and three.lob is not None
    assert three.lob / one.lob == pytest.approx(math.sqrt((1 + 1 / 3) / 2), abs=0.02)


def test_ratios_need_something_to_divide_by() -> None:
    found = beside(0.1, mfi_above_background=0.0, mfi_all_above_background=-3.0, positive_fraction=None)
    assert (found.mfi_ratio, found.mfi_all_ratio, found.relative_positive) == (None, None, None)
    assert beside(0.1, negative_fraction=None).mutant_fraction is None
    assert beside(0.1, negative_fraction_sd=None).lob is None
    assert beside(0.1, positive_low_scaled=None).bright_events is None


def test_ratios_come_from_fits_only_where_both_can_be_used() -> None:
    dim = replace(HEALTHY, percent_positive=67.0, positive=None)
    assert compare(dim, LENT, limits(), by_fit=True).relative_positive == pytest.approx(1.0)
    assert compare(dim, LENT, limits(), by_fit=False).relative_positive == pytest.approx(67 / 90)
    counted = replace(LENT, by_fit=False, percent_positive=68.0)
    assert compare(dim, counted, limits(), by_fit=True).relative_positive == pytest.approx(67 / 68)


def test_the_interval_of_a_relative_fraction_by_hand() -> None:
    found = beside(0.28)
    z = 1.959963984540054
    common = z * 0.8 * 0.0055 / 0.9
    assert found.relative_positive_low == pytest.approx(0.8 - math.hypot(0.02 / 0.9, common))
    assert found.relative_positive_high == pytest.approx(0.8 + math.hypot(0.02 / 0.9, common))


def test_ratios_of_medians_hold_the_truth_as_often_as_they_say() -> None:
    held = 0
    for seed in range(40):
        control = control_terms(measure(cells(2 * seed, 1000, 0.0), resting(2 * seed, 800)), limits())
        sample = measure(cells(2 * seed + 1, 500, 0.0, level=3500.0), resting(2 * seed + 1, 800))
        found = compare(sample, control, limits(), by_fit=False)
        assert found.mfi_all_ratio_low is not None and found.mfi_all_ratio_high is not None
        held += found.mfi_all_ratio_low <= (3500 - 200) / (7000 - 200) <= found.mfi_all_ratio_high
    assert 34 <= held <= 40


def test_readouts_of_the_same_blood_agree_or_part() -> None:
    one, other = (Comparison(mutant_fraction=fraction, mutant_error=0.03) for fraction in (0.40, 0.28))
    both = agreeing({"CD154": one, "CD40-Ig": other})
    assert both["CD154"].agreement == pytest.approx(0.12 / (0.03 * math.sqrt(2)))
    assert both["CD40-Ig"].agreement == pytest.approx(-0.12 / (0.03 * math.sqrt(2)))
    assert agreeing({"CD154": one})["CD154"].agreement is None


def test_two_populations_or_one() -> None:
    control = control_terms(measure(cells(10, 4000, 0.1), resting(10, 3000)), limits())
    carrier = measure(cells(11, 2000, 0.5), resting(11, 2000), control=control)
    mosaic = compare(carrier, control, limits(), by_fit=True)
    assert mosaic.mutant_fraction == pytest.approx(0.44, abs=0.04)
    healthy = compare(measure(cells(12, 2000, 0.1), resting(12, 2000), control=control), control, limits(), by_fit=True)
    assert healthy.bright_events == pytest.approx(0.9 * 0.9 * 2000, rel=0.05)


def test_controls_combined() -> None:
    one, two = LENT, replace(LENT, mfi_above_background=7300.0 * 4, negative_fraction=0.2, negative_fraction_sd=0.0055)
    both = combine([one, two], limits().mixture)
    assert both.mfi_above_background == pytest.approx(7300.0 * 2)
    assert both.negative_fraction == pytest.approx(0.15)
    assert both.negative_fraction_sd == pytest.approx(0.0055 / math.sqrt(2))
    assert combine([one], limits().mixture) == one
    assert combine([one, replace(two, percent_positive=None)], limits().mixture).percent_positive is None
    assert combine([one, replace(two, by_fit=False)], limits().mixture).by_fit is False
    assert combine([one, replace(two, separation=3.0)], limits().mixture).separation == 3.0


def test_what_a_control_gives_survives_its_record() -> None:
    terms = control_terms(measure(cells(10, 500, 0.1), resting(10, 500)), limits())
    again = read_terms(terms_record(terms))
    np.testing.assert_array_equal(again.background, terms.background)
    np.testing.assert_array_equal(again.counts, terms.counts)
    assert again.prior is not None and terms.prior is not None
    np.testing.assert_allclose(again.prior.covariance, terms.prior.covariance, rtol=1e-9)
    assert again.mfi_error == pytest.approx(terms.mfi_error, rel=1e-9)
    assert terms_record(again) == terms_record(terms)


# The interval of a median, the example, the scale


def test_the_interval_of_a_median_covers() -> None:
    random = np.random.default_rng(21)
    covered = 0
    for _ in range(300):
        low, high = median_interval(random.lognormal(8.0, 0.5, 301))
        assert low is not None and high is not None
        covered += low <= math.exp(8.0) <= high
    assert 0.92 < covered / 300 < 0.99


def test_ten_values_have_the_interval_of_their_median() -> None:
    """Half a binomial width, 0.98 x sqrt(10), to either side of the fifth value: from the second to the last."""
    assert median_interval(np.arange(9.0)) == (None, None)
    assert median_interval(np.arange(10.0)) == (1.0, 9.0)


def test_medians_lie_within_their_intervals() -> None:
    found = measure(cells(1, 1000, 0.3), resting(1, 1000))
    assert found.mfi_all_low is not None and found.mfi_all is not None and found.mfi_all_high is not None
    assert found.mfi_all_low < found.mfi_all < found.mfi_all_high
    assert found.mfi_positive_low is not None and found.mfi_positive is not None
    assert found.mfi_positive_low < found.mfi_positive


def test_the_example_in_the_documentation_runs() -> None:
    from cd40l_flow.mixture import measures

    result = doctest.testmod(measures)
    assert result.attempted >= 10
    assert result.failed == 0


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("level", [900.0, 2000.0, 7000.0])
def test_the_scale_does_not_decide(fraction: float, level: float) -> None:
    """The fit adds on the linear scale, so W + 0.3 (about a doubled cofactor) and W + 0.6 change little."""
    values, background = cells(14, 3000, fraction, level), resting(14, 5000)

    def beside_its_control(scale: Scale) -> Expression:
        lent = control_terms(measure(cells(15, 8000, 0.1, 1.1 * level), resting(15, 5000), scale), limits())
        return measure(values, background, scale, control=lent)

    first = beside_its_control(SCALE)
    assert first.negative_fraction is not None and first.negative_fraction_high is not None
    assert first.negative_fraction_low is not None
    width = first.negative_fraction_high - first.negative_fraction_low
    for wider in (0.3, 0.6):
        other = beside_its_control(replace(SCALE, w=SCALE.w + wider))
        assert other.linear_width_ratio is not None and other.linear_width_ratio >= 1
        assert other.negative_fraction == pytest.approx(first.negative_fraction, abs=max(0.25 * width, 0.003))


def test_an_mfi_above_background_is_the_difference() -> None:
    """Of 900 channels 100 are the background's; without a background it is not known."""
    whole = replace(make_case().reagents["CD154"], mfi_all=900.0, mfi_background=100.0)
    assert whole.mfi_all_above_background == 800.0
    assert replace(whole, mfi_background=None).mfi_all_above_background is None

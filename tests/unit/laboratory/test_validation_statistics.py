"""The statistics of a validation: closed forms, worked examples, and intervals that hold what is true."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from cd40l_flow.laboratory.validation.agreement import agreement
from cd40l_flow.laboratory.validation.detection import (
    limit_of_blank,
    limit_of_blank_by_rank,
    limit_of_detection,
    spread_of_low,
)
from cd40l_flow.laboratory.validation.estimate import Estimate
from cd40l_flow.laboratory.validation.linearity import linearity
from cd40l_flow.laboratory.validation.methods import bland_altman, deming, passing_bablok
from cd40l_flow.laboratory.validation.precision import difference_of_runs, differences, precision
from cd40l_flow.laboratory.validation.stability import stability


def test_a_balanced_design_is_the_textbook_analysis_of_variance() -> None:
    """Mean squares of scipy's one-way ANOVA; repeatability by chi-squared."""
    draw = np.random.default_rng(1)
    runs = {run: list(50 + draw.normal(0, 3) + draw.normal(0, 1, 4)) for run in range(6)}
    found = precision({"blood": runs})
    assert found is not None and found.repeatability is not None and found.between is not None
    within = np.mean([np.var(values, ddof=1) for values in runs.values()])
    among = 4 * np.var([np.mean(values) for values in runs.values()], ddof=1)
    assert among / within == pytest.approx(stats.f_oneway(*runs.values()).statistic)
    assert found.repeatability.value == pytest.approx(math.sqrt(within))
    assert found.between.value == pytest.approx(math.sqrt((among - within) / 4))
    assert found.within_laboratory is not None
    assert found.within_laboratory.value == pytest.approx(math.sqrt((among - within) / 4 + within))
    assert found.repeatability.low == pytest.approx(math.sqrt(18 * within / stats.chi2.ppf(0.975, 18)))


def test_subjects_of_one_run_share_it() -> None:
    """Four bloods of the same three runs tell no more of runs than three runs can: two degrees of freedom."""
    draw = np.random.default_rng(2)
    apart = {blood: {(blood, run): list(draw.normal(0, 1, 3)) for run in range(3)} for blood in range(4)}
    joined = {blood: {run: values for (_, run), values in runs.items()} for blood, runs in apart.items()}
    wide, narrow = precision(joined), precision(apart)
    assert wide is not None and narrow is not None and wide.between is not None and narrow.between is not None
    assert wide.between.value == pytest.approx(narrow.between.value)
    assert wide.between.high is not None and narrow.between.high is not None
    assert wide.between.high > narrow.between.high


def test_without_repeats_nothing_is_made_up() -> None:
    """One value a run tells what lies within the laboratory, and neither of its parts; a single value nothing."""
    found = precision({"blood": {run: [float(run)] for run in range(5)}})
    assert found is not None
    assert found.repeatability is None and found.between is None
    assert found.within_laboratory is not None
    assert found.within_laboratory.value == pytest.approx(math.sqrt(2.5))
    assert precision({"blood": {0: [1.0]}, "other": {0: [2.0]}}) is None
    assert precision({}) is None


def test_precision_holds_the_truth_nineteen_times_of_twenty() -> None:
    """Unbalanced, several bloods, runs that all bloods share; seeded."""
    held = np.zeros(3)
    for seed in range(300):
        draw = np.random.default_rng([7, seed])
        run = draw.normal(0, 2, 8)
        subjects = {
            blood: {number: list(blood + run[number] + draw.normal(0, 1, draw.integers(1, 4))) for number in range(8)}
            for blood in range(3)
        }
        found = precision(subjects)
        assert found is not None
        parts = (found.repeatability, found.between, found.within_laboratory)
        for place, (one, truth) in enumerate(zip(parts, (1, 2, math.sqrt(5)), strict=True)):
            assert one is not None and one.low is not None and one.high is not None
            held[place] += one.low <= truth <= one.high
    assert (held >= 0.92 * 300).all()
    # Wide enough without being empty words.
    assert (held <= 0.995 * 300).all()


def test_the_difference_of_instruments_is_that_of_their_runs() -> None:
    """Welch's t of the effects of runs; of one run nothing is said."""
    draw = np.random.default_rng(3)
    first, second = draw.normal(0, 1, 5), draw.normal(2, 2, 7)
    found = difference_of_runs(list(first), list(second))
    assert found is not None
    theirs = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert difference_of_runs([1.0], [2.0, 3.0]) is None
    paired = differences(list(zip(first, second[:5], strict=True)))
    assert paired is not None
    ends = stats.ttest_rel(second[:5], first).confidence_interval(0.95)
    assert (paired.low, paired.high) == pytest.approx((ends.low, ends.high))


def test_the_limit_of_blank_is_a_percentile_of_healthy_people() -> None:
    """Mean and SD: 1.645 SD above the mean, the SD enlarged as in EP17; by rank, position 0.5 + 0.95 n."""
    values = list(np.random.default_rng(4).normal(0, 0.05, 60))
    blanks = [(f"H{number}", f"R{number % 5}", value) for number, value in enumerate(values)]
    found = limit_of_blank(blanks)
    assert found is not None
    expected = np.mean(values) + stats.norm.ppf(0.95) / (1 - 1 / (4 * 59)) * np.std(values, ddof=1)
    assert found.value == pytest.approx(expected)
    by_rank = limit_of_blank_by_rank(values)
    ordered = sorted(values)
    assert by_rank is not None
    assert by_rank.value == pytest.approx((ordered[56] + ordered[57]) / 2)
    # Of sixty values none is surely above the 95th percentile: 0.95 to the 60th is 4.6 %.
    assert by_rank.high is None
    assert limit_of_blank_by_rank(values[:59]) is None
    assert limit_of_blank(blanks[:9]) is None


def test_blanks_of_few_people_are_worth_less() -> None:
    """Sixty values of four people say less of people than sixty of sixty."""
    draw = np.random.default_rng(5)
    sixty = [(f"H{number}", f"R{number}", float(draw.normal(0, 0.05))) for number in range(60)]
    own = draw.normal(0, 0.05, 4)
    four = [(f"H{number % 4}", f"R{number}", float(own[number % 4] + draw.normal(0, 0.005))) for number in range(60)]
    narrow, wide = limit_of_blank(sixty), limit_of_blank(four)
    assert narrow is not None and wide is not None
    assert narrow.high is not None and narrow.low is not None and wide.high is not None and wide.low is not None
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_the_limit_of_detection_adds_the_spread_at_low_levels() -> None:
    """LoD = LoB + 1.645 SD about the levels' own means."""
    draw = np.random.default_rng(6)
    levels = {
        level: [(f"P{level}-{number}", f"R{number}", level + float(draw.normal(0, 0.04))) for number in range(30)]
        for level in (0.05, 0.1)
    }
    low = spread_of_low(levels)
    assert low is not None
    assert low.value == pytest.approx(0.04, abs=0.008)
    blank = Estimate(0.08, 0.07, 0.10, 60, 60)
    found = limit_of_detection(blank, low)
    assert found.value == pytest.approx(0.08 + 1.645 * low.value / (1 - 1 / (4 * 59)), rel=1e-3)
    assert found.low is not None and found.high is not None
    assert found.low < found.value < found.high
    assert spread_of_low({0.1: [("P", "R", 0.1)]}) is None


def test_a_straight_series_has_slope_one_and_no_bend() -> None:
    """One series: scipy's line with its intervals; a parabola's bend is found with its sign."""
    draw = np.random.default_rng(8)
    levels = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
    pairs = [(x, x + float(draw.normal(0, 0.01))) for x, _ in product(levels, range(3))]
    found = linearity({("L", "R"): pairs})
    assert found is not None
    theirs = stats.linregress(*zip(*pairs, strict=True))
    reach = stats.t.ppf(0.975, len(pairs) - 2) * theirs.stderr
    assert found.slope.value == pytest.approx(theirs.slope)
    assert (found.slope.low, found.slope.high) == pytest.approx((theirs.slope - reach, theirs.slope + reach))
    bent = linearity({("L", "R"): [(x, y + 0.4 * x * (1 - x)) for x, y in pairs]})
    assert bent is not None and bent.bend is not None
    assert bent.bend.low is not None and bent.bend.low > 0
    # The parabola 0.4 x (1 - x) stands a tenth above its chord in the middle.
    assert bent.bend.value == pytest.approx(0.1, abs=0.02)


def test_three_runs_give_intervals_between_runs() -> None:
    """A control that was too high tilts its whole series, which one series cannot know."""
    draw = np.random.default_rng(9)
    series = {}
    for run in range(6):
        of_control = draw.normal(0, 0.05)
        series[f"L{run}", f"R{run}"] = [
            (x, 1 - (1 - x) * (1 + of_control) + float(draw.normal(0, 0.002))) for x in (0, 0.1, 0.2, 0.5, 1.0)
        ]
    together = linearity(series)
    assert together is not None and together.slope.low is not None and together.slope.high is not None
    assert together.slope.low <= 1 <= together.slope.high
    assert together.slope.high - together.slope.low > 0.05
    assert linearity({("L", "R"): [(0.0, 0.0), (0.1, 0.1), (0.5, 0.5), (1.0, 1.0)]}) is None


def test_a_blood_that_fades_is_seen_and_until_when_it_holds() -> None:
    """A tenth a day of a ratio of 1: 20 % are gone after two days."""
    draw = np.random.default_rng(10)
    courses = {
        blood: [(hour, 1 - 0.1 * hour / 24 + float(draw.normal(0, 0.003))) for hour in (0.0, 24.0, 48.0, 72.0, 96.0)]
        for blood in range(6)
    }
    found = stability(courses, 0.2)
    assert found is not None
    assert found.per_day.low is not None and found.per_day.high is not None
    assert found.per_day.low <= -0.1 <= found.per_day.high
    assert 44 < found.holds < 48
    assert found.changes[48.0].value == pytest.approx(-0.2, abs=0.01)
    assert stability({"T": [(0.0, 1.0)]}, 0.2) is None
    assert stability({"T": [(0.0, 1.0), (24.0, 0.9)]}, 0.2) is None


def test_agreement_counts_open_calls_apart() -> None:
    """Wilson's interval of 9 of 10, and the same people with INDETERMINATE as wrong."""
    pairs = (
        [("c.1A>G", "ABSENT")] * 8 + [("c.1A>G", "MOSAIC"), ("c.1A>G", "NORMAL")] + [("c.1A>G", "INDETERMINATE")] * 2
    )
    pairs += [("Wild Type", "NORMAL")] * 5
    found = agreement(pairs)
    assert found is not None and found.positive is not None and found.positive_all is not None
    ends = stats.binomtest(9, 10).proportion_ci(method="wilson")
    assert found.positive.value == pytest.approx(90)
    assert (found.positive.low, found.positive.high) == pytest.approx((100 * ends.low, 100 * ends.high))
    assert found.positive_all.value == pytest.approx(75)
    assert found.negative is not None and found.negative.value == pytest.approx(100)
    assert found.table["c.1A>G"] == {"ABSENT": 8, "MOSAIC": 1, "NORMAL": 1, "INDETERMINATE": 2}
    assert agreement([]) is None


def test_lines_between_methods() -> None:
    """Exact where there is no error; with errors in both the slope of least squares is too small, Deming's is not."""
    exact = [(x, 0.02 + 0.9 * x) for x in np.linspace(0.05, 0.9, 20)]
    for line in (deming(exact), passing_bablok(exact)):
        assert line is not None
        assert line.slope.value == pytest.approx(0.9)
        assert line.intercept.value == pytest.approx(0.02)
    draw = np.random.default_rng(12)
    true = draw.uniform(0.2, 0.4, 400)
    pairs = [(x + draw.normal(0, 0.04), x + draw.normal(0, 0.04)) for x in true]
    mine = deming(pairs)
    assert mine is not None and mine.slope.low is not None and mine.slope.high is not None
    assert stats.linregress(*zip(*pairs, strict=True)).slope < 0.8
    assert mine.slope.low <= 1 <= mine.slope.high
    assert deming(exact[:9]) is None and passing_bablok(exact[:9]) is None


def test_an_outlier_does_not_move_the_line_of_passing_and_bablok() -> None:
    """A median of slopes stays where it is."""
    pairs = [(x, x) for x in np.linspace(0.1, 0.9, 30)]
    moved = passing_bablok([*pairs, (0.5, 5.0)])
    assert moved is not None
    assert moved.slope.value == pytest.approx(1.0, abs=0.02)


def test_differences_of_methods() -> None:
    """Mean and 1.96 SD, the mean's interval that of a t test."""
    draw = np.random.default_rng(13)
    pairs = [(x, x + 0.01 + draw.normal(0, 0.02)) for x in draw.uniform(0, 1, 50)]
    found = bland_altman(pairs)
    apart = np.array([own - other for other, own in pairs])
    assert found is not None
    ends = stats.ttest_1samp(apart, 0).confidence_interval(0.95)
    assert (found.bias.low, found.bias.high) == pytest.approx((ends.low, ends.high))
    assert found.upper.value - found.lower.value == pytest.approx(2 * 1.959964 * apart.std(ddof=1))

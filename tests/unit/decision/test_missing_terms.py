"""What is not known stays unknown beside a control: ratios, intervals, odds and titrations that lack a term."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cd40l_flow.decision import assess
from cd40l_flow.decision.binding import Binding, binding_of
from cd40l_flow.decision.case import Activation
from cd40l_flow.decision.change import _steps
from cd40l_flow.decision.compare import agreeing, compare
from cd40l_flow.decision.control import control_terms, with_titration
from cd40l_flow.decision.doubts import _above_background
from cd40l_flow.decision.guards import apply_guards
from cd40l_flow.decision.independence import independence
from cd40l_flow.decision.laboratory import level_sd, with_laboratory
from cd40l_flow.decision.odds import _measures, _residual_in_control
from cd40l_flow.mixture import hypotheses as h
from cd40l_flow.mixture.evidence import Evidence
from cd40l_flow.mixture.hypotheses import People
from cd40l_flow.mixture.model import Comparison
from cd40l_flow.mixture.prior import control_prior
from helpers.by_hand.cases import DARK, EMPTY, HEALTHY, LENT, POSITIVE, SCALE, control_alone, limits, make_case
from helpers.by_hand.guard_edges import LABORATORY

LIMITS = limits()
KNOWN = control_prior(POSITIVE, np.diag((0.04, 0.01, 0.01)), LIMITS.mixture)

CD154 = Comparison(mfi_all_ratio=0.8, mfi_all_ratio_low=0.7, mfi_all_ratio_high=0.9)
CD40_IG = Comparison(mfi_all_ratio=0.4, mfi_all_ratio_low=0.3, mfi_all_ratio_high=0.5)


def bound(
    cd154: Mapping[str, Any] | None = None,
    binding: Mapping[str, Any] | None = None,
    theirs: float | None = 5000.0,
    **mine: Any,
) -> Binding | None:
    """Return the binding, some terms changed: of either readout beside the control, the control's, the sample's."""
    comparisons = {"CD154": replace(CD154, **(cd154 or {})), "CD40-Ig": replace(CD40_IG, **(binding or {}))}
    expressions = {"CD154": HEALTHY, "CD40-Ig": replace(HEALTHY, mfi_all_high=300.0, mfi_background=200.0, **mine)}
    controls = {"CD40-Ig": replace(LENT, mfi_all_above_background=theirs)}
    return binding_of(expressions, comparisons, controls, ("CD154",), "CD40-Ig")


@pytest.mark.parametrize(
    "lacking",
    [
        {"theirs": None},
        {"theirs": 0.0},
        {"theirs": -3.0},
        {"binding": {"mfi_all_ratio": None}},
        {"cd154": {"mfi_all_ratio_low": None}},
        {"cd154": {"mfi_all_ratio_low": 0.0}},
        {"cd154": {"mfi_all_ratio": None}},
        {"cd154": {"mfi_all_ratio_high": None}},
    ],
)
def test_binding_needs_both_readouts_and_a_control(lacking: dict[str, Any]) -> None:
    assert bound() is not None
    assert bound(**lacking) is None


@pytest.mark.parametrize("lacking", [{"mfi_all_high": None}, {"mfi_background": None}])
def test_without_an_interval_and_the_light_of_the_background_nothing_bounds_the_binding(
    lacking: dict[str, Any],
) -> None:
    dark = {"mfi_all_ratio": 0.01, "mfi_all_ratio_low": None, "mfi_all_ratio_high": None}
    for one in ("mfi_all_ratio_low", "mfi_all_ratio_high"):
        found = bound(binding=dark | {one: 0.02})
        assert found is not None and (found.low, found.high) == (0.0, pytest.approx(100 / 5000 / 0.7))
    expressions = {"CD40-Ig": replace(HEALTHY, **{"mfi_all_high": 300.0, "mfi_background": 200.0, **lacking})}
    comparisons = {"CD154": CD154, "CD40-Ig": replace(CD40_IG, **dark)}
    assert binding_of(expressions, comparisons, {"CD40-Ig": LENT}, ("CD154",), "CD40-Ig") is None


def test_the_brightest_clone_is_what_is_bound() -> None:
    comparisons = {"CD154": CD154, "CD154-2": replace(CD154, mfi_all_ratio=0.5), "CD40-Ig": CD40_IG}
    expressions, controls = dict.fromkeys(comparisons, HEALTHY), {"CD40-Ig": LENT}
    found = binding_of(expressions, comparisons, controls, ("CD154-2", "CD154"), "CD40-Ig")
    assert found is not None and found.ratio == pytest.approx(0.5)
    for lacking in ("CD154-2", "CD40-Ig"):
        fewer = {name: one for name, one in comparisons.items() if name != lacking}
        none = binding_of(expressions, fewer, controls, ("CD154-2",), "CD40-Ig")
        assert none is None
    assert binding_of(expressions, comparisons, {}, ("CD154",), "CD40-Ig") is None


@pytest.mark.parametrize("error", [0.0, None])
def test_without_an_error_of_either_two_readouts_are_not_compared(error: float | None) -> None:
    exact = Comparison(mutant_fraction=0.4, mutant_error=error)
    both = agreeing({"CD154": exact, "CD40-Ig": replace(exact, mutant_fraction=0.3)})
    assert [one.agreement for one in both.values()] == [None, None]
    one = agreeing({"CD154": exact, "CD40-Ig": replace(exact, mutant_fraction=0.3, mutant_error=0.05)})
    assert one["CD154"].agreement == pytest.approx(2.0)
    assert agreeing({"CD154": exact, "CD40-Ig": Comparison()})["CD154"].agreement is None


@pytest.mark.parametrize(
    ("sample", "control"),
    [
        ({"negative_fraction_low": None}, {}),
        ({"negative_fraction_high": None}, {}),
        ({}, {"positive_fraction_error": None}),
    ],
)
def test_a_ratio_without_an_error_has_no_interval(sample: dict[str, Any], control: dict[str, Any]) -> None:
    found = compare(replace(HEALTHY, **sample), replace(LENT, **control), LIMITS, by_fit=True)
    assert found.relative_positive == pytest.approx(1.0)
    assert (found.relative_positive_low, found.relative_positive_high) == (None, None)


def test_bright_cells_are_those_above_the_control_s_dimmest_tenth_less_the_background_s() -> None:
    """Of 64 bins the upper ones hold 500 cells and 2 % of the background: 60 of 3,000."""
    counts, dark = EMPTY.copy(), DARK.copy()
    counts[50], counts[10] = 500, 2500
    dark = 0.98 * dark / dark.sum()
    dark[55] += 0.02
    sample = replace(HEALTHY, counts=counts, anchor=replace(HEALTHY.anchor, counts=1000 * dark))
    assert compare(sample, LENT, LIMITS, by_fit=True).bright_events == pytest.approx(500 - 0.02 * 3000)


@pytest.mark.parametrize("end", ["negative_fraction_low", "negative_fraction_high"])
def test_a_control_s_fraction_without_an_end_has_no_error(end: str) -> None:
    terms = control_terms(HEALTHY, LIMITS)
    assert terms.negative_fraction_sd == pytest.approx(0.022 / (2 * 1.959964))
    assert control_terms(replace(HEALTHY, **{end: None}), LIMITS).negative_fraction_sd is None


def test_without_a_fit_a_prior_or_an_error_nothing_is_titrated() -> None:
    fitted = replace(HEALTHY, mixture=object())  # type: ignore[arg-type]
    for terms, expression in (
        (replace(LENT, prior=KNOWN), HEALTHY),
        (LENT, fitted),
        (replace(LENT, prior=KNOWN, negative_fraction_sd=None), fitted),
    ):
        assert with_titration(terms, expression, LIMITS) is terms


PEOPLE = People(0.1, 0.05, 0.3, 0.2, 0.12)


@pytest.mark.parametrize(
    "lacking", [{"prior": None}, {"negative_fraction": None}, {"counts": EMPTY}, {"background": EMPTY}]
)
def test_a_control_without_cells_or_shape_shows_no_residual_allele(lacking: dict[str, Any]) -> None:
    whole = replace(LENT, prior=KNOWN, counts=3 * DARK)
    assert _residual_in_control(replace(whole, **lacking), PEOPLE, SCALE, LIMITS) == 0.0


def test_the_distance_of_a_shape_is_in_sd_between_people() -> None:
    found = {name: Evidence(0.0, 0.0, 0.0, 0.1, 0.0, 0.1) for name in h.NAMES}
    apart = replace(HEALTHY, positive=replace(POSITIVE, log_spread=POSITIVE.log_spread - 0.5))
    distance = _measures(found, apart, replace(LENT, prior=KNOWN)).shape_distance
    assert distance == pytest.approx(0.5 / math.sqrt(0.04 + LIMITS.mixture.shape_spread_sd**2))
    assert _measures(found, replace(apart, positive=None), replace(LENT, prior=KNOWN)).shape_distance is None
    assert _measures(found, apart, LENT).shape_distance is None


def test_no_cells_pooled_are_none() -> None:
    assert assess.cells([], "CD3+").size == 0


def test_a_marker_of_one_value_tells_no_dependence() -> None:
    random = np.random.default_rng(2)
    scaled, cd69 = random.uniform(0.1, 0.9, 300), random.standard_normal(300)
    expected = np.ones((2, 64))
    found = independence(scaled, cd69, np.full(300, 7.0), expected)
    assert found.cd3 is None and found.cd69 is not None
    assert independence(scaled, np.full(300, 7.0), np.full(300, 7.0), expected).largest is None


@pytest.mark.parametrize(
    ("runs", "sd", "found"),
    [(20, 0.3, 0.3), (20, 0.15, 0.15), (20, 0.02, 0.1), (19, 0.15, 0.24), (19, 0.3, 0.3), (19, 0.02, 0.24)],
)
def test_the_level_s_spread_between_people_is_the_laboratory_s_from_enough_runs(
    runs: int, sd: float, found: float
) -> None:
    """Never below 0.1; of fewer than twenty runs never below the default of 0.24 either."""
    own = replace(LABORATORY, level_sd={"CD154": (runs, sd)})
    assert level_sd(own, "CD154", LIMITS) == found
    assert with_laboratory(LIMITS, own, "CD154").odds.level_sd == found
    assert level_sd(own, "CD40-Ig", LIMITS) == level_sd(None, "CD154", LIMITS) == 0.24


def test_without_healthy_controls_of_a_reagent_its_limits_stay() -> None:
    own = replace(LABORATORY, healthy_negative={"CD154": 0.07})
    other = with_laboratory(LIMITS, own, "CD40-Ig")
    assert other == LIMITS
    mine = with_laboratory(LIMITS, own, "CD154")
    assert (mine.mixture.healthy_negative_sd, mine.odds.healthy_negative_mean_sd) == (0.03, 0.03)
    assert with_laboratory(LIMITS, None, "CD154") is LIMITS


@pytest.mark.parametrize("empty", ["sample", "control"])
def test_without_a_background_the_place_beside_the_control_s_is_not_known(empty: str) -> None:
    """Half a robust SD of the sample's above a background alike is half a robust SD of the control's."""
    sample = replace(HEALTHY, anchor=replace(HEALTHY.anchor, counts=DARK))
    assert _above_background(sample, LENT, 0.5) == pytest.approx(0.5)
    if empty == "sample":
        assert _above_background(replace(HEALTHY, anchor=replace(HEALTHY.anchor, counts=EMPTY)), LENT, 0.5) is None
    else:
        assert _above_background(sample, replace(LENT, background=EMPTY), 0.5) is None


def lacking(reagent: str, **changes: Any) -> list[str]:
    """Return the reagents of which a guard says that the controls lack a tube."""
    control = make_case().control
    assert control is not None
    case = make_case(control=replace(control, lacking={reagent: ("Control C01: none.",)}), **changes)
    return [one.reagent for one in apply_guards(case, LIMITS) if one.message == "Control C01: none."]


def test_a_tube_that_the_controls_lack_is_told_of_the_reagents_that_are_compared() -> None:
    assert lacking("") == [""]
    assert lacking("CD40-Ig") == ["CD40-Ig"]
    assert lacking("CD154-2") == []
    # A sample that lacks it too says so itself.
    assert lacking("CD40-Ig", missing={"CD40-Ig": "No secondary."}) == []


NEEDED = {"odds_min": 4.6, "mosaic_odds_min": 4.6, "expressing_events_min": 50.0, "mutant_fraction_min": 0.1}


@pytest.mark.parametrize(
    ("measure", "value", "limit", "op", "beyond"),
    [
        ("level", 0.6, 0.5, "<", -1e-9),
        ("level", 0.4, 0.5, ">=", 0.0),
        ("shape_distance", 3.0, 4.0, ">", 4e-9),
        ("shape_distance", 5.0, 4.0, "<=", 0.0),
    ],
)
def test_a_step_leads_just_beyond_a_limit(measure: str, value: float, limit: float, op: str, beyond: float) -> None:
    """By a thousand-millionth of the limit, or of one where that is more; not at all where the limit is enough."""
    steps = [one for one in _steps("CD154", {**NEEDED, measure: value}, LIMITS.calls) if one.op == op]
    assert {(one.measure, one.limit) for one in steps} == {(measure, limit)}
    assert steps[0].needed - limit == pytest.approx(beyond, rel=1e-5)
    assert steps[0].distance == pytest.approx(abs(value - limit) / limit)


@pytest.mark.parametrize(("percents", "medians"), [((60.0, 90.0), (400.0, 1000.0)), ((60.0, None), (400.0, 1000.0))])
def test_controls_are_stimulated_as_the_mean_of_those_that_were_measured(
    percents: tuple[float | None, ...], medians: tuple[float, ...]
) -> None:
    whole = Activation(80.0, 2.0, 9.0, 4000, 500.0)
    cases = [
        control_alone(activation={"CD154": replace(whole, percent=percent, median=middle)})
        for percent, middle in zip(percents, medians, strict=True)
    ]
    found = assess.control_case(cases, LIMITS)
    measured = [percent for percent in percents if percent is not None]
    assert found.activation_percent == {"CD154": pytest.approx(sum(measured) / len(measured))}
    assert found.activation_median == {"CD154": pytest.approx(700.0)}

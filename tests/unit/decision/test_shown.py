"""No fraction is shown that a borrowed background does not carry; an exact one shows what it measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cd40l_flow.decision.control import control_terms
from cd40l_flow.decision.quality import not_carried, usable_fit
from cd40l_flow.decision.shown import as_shown
from cd40l_flow.mixture.model import UNSTIMULATED, Anchor
from cd40l_flow.mixture.resting import Stimulated
from helpers.by_hand.cases import DARK, HEALTHY, limits, make_case, with_measures

MOVED = Stimulated(offset=20.0, noise=40.0, shift=0.3, widening=0.8)
BORROWED = Anchor(DARK, UNSTIMULATED, ("unstim.fcs",), exact=False, change=MOVED)


@pytest.mark.parametrize(
    ("changes", "carried"),
    [
        ({}, True),
        ({"separation": 3.0}, True),
        ({"separation": 2.9}, False),
        ({"separation": None}, False),
        ({"shift": -0.6}, True),
        ({"shift": -0.61}, False),
        ({"converged": False}, False),
        ({"negative_fraction_low": 0.02, "negative_fraction_high": 0.33}, False),
        ({"misplaced": 0.05}, True),
        ({"misplaced": 0.06}, False),
        ({"anchor": replace(BORROWED, change=None)}, False),
        ({"anchor": replace(BORROWED, source="control's isotype", change=None)}, True),
    ],
)
def test_a_borrowed_background_carries_a_fraction_where_the_cells_show_it(
    changes: dict[str, Any], carried: bool
) -> None:
    expression = replace(HEALTHY, **({"anchor": BORROWED} | changes))
    assert (not_carried(expression, limits()) == "") is carried
    assert usable_fit(expression, limits()) is carried


def test_a_background_of_its_own_carries_any_fraction() -> None:
    assert not_carried(replace(HEALTHY, separation=0.8, shift=0.9, converged=False), limits()) == ""


def test_expressing_cells_as_dim_as_the_background_have_no_fraction() -> None:
    expression = replace(HEALTHY, converged=False, at_bound=("faintest level",))
    assert "cannot be distinguished" in not_carried(expression, limits())
    assert not usable_fit(expression, limits())
    assert not_carried(replace(expression, at_bound=("level",)), limits()) == ""


def test_what_is_not_carried_is_empty_and_said() -> None:
    """Fraction, mutant fraction and the curves of the fit are gone; percent positive and the odds stay."""
    case = with_measures(make_case(), "CD154", anchor=BORROWED, separation=1.6)
    shown = as_shown(case, limits())
    mine, beside = shown.reagents["CD154"], shown.comparisons["CD154"]
    assert (mine.negative_fraction, mine.negative_fraction_low, mine.negative_fraction_high) == (None, None, None)
    assert mine.gmm_negative_fraction is None
    assert (beside.mutant_fraction, beside.mutant_fraction_low, beside.mutant_fraction_high) == (None, None, None)
    assert (mine.percent_positive, beside.normal_odds) == (HEALTHY.percent_positive, 9.0)
    assert "no population of their own" in shown.not_shown["CD154"]
    assert shown.reagents["CD40-Ig"].negative_fraction == case.reagents["CD40-Ig"].negative_fraction


def test_beside_a_control_that_carries_none_only_the_mutant_fraction_is_empty() -> None:
    case = make_case()
    assert case.control is not None
    shown = as_shown(replace(case, control=replace(case.control, not_carried=frozenset({"CD154"}))), limits())
    assert shown.reagents["CD154"].negative_fraction == HEALTHY.negative_fraction
    assert shown.comparisons["CD154"].mutant_fraction is None
    assert shown.comparisons["CD40-Ig"].mutant_fraction is not None


def test_a_control_is_not_judged_by_a_fraction_that_is_not_carried() -> None:
    """Its positive cells are then those above the threshold."""
    control = replace(HEALTHY, anchor=BORROWED, separation=1.6, negative_fraction=0.5, percent_positive=88.0)
    assert control_terms(control, limits()).positive_fraction == pytest.approx(0.88)

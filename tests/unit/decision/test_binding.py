"""How much CD40-Ig the CD154 that is there binds: a ratio of ratios with its interval, in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from cd40l_flow.decision.binding import Binding, binding_of
from cd40l_flow.mixture.model import Comparison
from helpers.by_hand.cases import HEALTHY, LENT

CD154 = Comparison(mfi_all_ratio=0.8, mfi_all_ratio_low=0.8 / 1.1, mfi_all_ratio_high=0.8 * 1.1)


def found(ratio: float, low: float | None, high: float | None, *, level_high: float = 300.0) -> Binding | None:
    """Return the binding beside a CD154 of 0.8; ``level_high`` is the upper end of the CD40-Ig MFI's interval."""
    mine = Comparison(mfi_all_ratio=ratio, mfi_all_ratio_low=low, mfi_all_ratio_high=high)
    expressions = {
        "CD154": HEALTHY,
        "CD40-Ig": replace(HEALTHY, reagent="CD40-Ig", mfi_all_high=level_high, mfi_background=200.0),
    }
    controls = {"CD40-Ig": replace(LENT, mfi_all_above_background=5000.0)}
    return binding_of(expressions, {"CD154": CD154, "CD40-Ig": mine}, controls, ("CD154",), "CD40-Ig")


def test_the_interval_of_a_ratio_of_ratios() -> None:
    """The errors of two logarithms add in squares."""
    one = found(0.4, 0.4 / 1.2, 0.4 * 1.2)
    assert one is not None
    factor = math.exp(math.hypot(math.log(1.1), math.log(1.2)))
    assert (one.ratio, one.low, one.high) == pytest.approx((0.5, 0.5 / factor, 0.5 * factor))


def test_nothing_bound_has_an_upper_limit_all_the_same() -> None:
    """Its interval reaches 100 channels above the background: 2 % of the control's MFI, over CD154's lower end."""
    one = found(-0.01, None, None)
    assert one is not None
    assert (one.ratio, one.low) == (0.0, 0.0)
    assert one.high == pytest.approx(100 / 5000 / (0.8 / 1.1))


def test_less_than_the_background_is_none() -> None:
    assert found(-0.01, None, None, level_high=150.0) == Binding(0.0, 0.0, 0.0)

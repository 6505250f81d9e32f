"""The logicle scale: closed forms, an independent implementation, and what its width promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd40l_flow.assay.gating_limits import ScaleLimits
from cd40l_flow.signal.scale import Scale, choose_scale, robust_sd, widest

LIMITS = ScaleLimits()

scales = st.builds(
    Scale,
    t=st.sampled_from([1024.0, 10_000.0, 262_144.0, 2.0**20]),
    w=st.floats(0.2, 2.0),
    m=st.sampled_from([4.0, 4.5, 5.5]),
    a=st.just(0.0),
    source=st.just("test"),
)


@given(scales, st.lists(st.floats(-0.2, 1.1), min_size=1, max_size=50))
def test_the_inverse_of_forward_is_the_identity(scale: Scale, positions: list[float]) -> None:
    positions_array = np.array(positions)

    back = scale.forward(scale.inverse(positions_array))

    np.testing.assert_allclose(back, positions_array, atol=1e-9)


@given(scales)
def test_the_top_lies_at_one_and_zero_at_the_width(scale: Scale) -> None:
    assert scale.to_scaled(scale.t) == pytest.approx(1.0, abs=1e-9)
    assert scale.to_scaled(0.0) == pytest.approx(scale.w / scale.m, abs=1e-9)


def test_flowkit_gives_the_same_scale() -> None:
    flowkit = pytest.importorskip("flowkit")
    values = np.array([-500.0, -10.0, 0.0, 3.0, 120.0, 5e3, 2e5])
    scale = Scale(t=262144.0, w=0.7, m=4.5, a=0.0, source="test")

    theirs = flowkit.transforms.LogicleTransform(param_t=262144, param_w=0.7, param_m=4.5, param_a=0).apply(values)

    np.testing.assert_allclose(scale.forward(values), theirs, atol=1e-12)


@given(scales)
def test_linear_width_is_the_curvature_of_the_inverse_at_zero(scale: Scale) -> None:
    zero, h = scale.w / scale.m, 2e-3
    x = scale.inverse(np.array([zero - 2 * h, zero - h, zero + h, zero + 2 * h]))
    first = (x[2] - x[1]) / (2 * h)
    third = (x[3] - 2 * x[2] + 2 * x[1] - x[0]) / (2 * h**3)

    assert scale.linear_width == pytest.approx(np.sqrt(first**3 / third), rel=0.01)


@pytest.mark.parametrize(("times", "modes"), [(0.95, 1), (1.5, 2)])
def test_a_background_wider_than_the_linear_part_becomes_two_modes(times: float, modes: int) -> None:
    scale = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="test")
    grid = np.linspace(-0.2, 0.5, 4001)
    x = scale.inverse(grid)
    density = np.exp(-0.5 * (x / (times * scale.linear_width)) ** 2) * np.gradient(x, grid)

    maxima = np.sum((density[1:-1] > density[:-2]) & (density[1:-1] >= density[2:]))

    assert maxima == modes


def test_the_chosen_scale_shows_the_negative_values_and_holds_the_background() -> None:
    values = np.random.default_rng(3).normal(0.0, 300.0, 20_000)

    scale = choose_scale(262144.0, values, robust_sd(values), LIMITS, "test")

    assert scale.linear_width >= robust_sd(values)
    assert scale.to_scaled(float(np.quantile(values, 0.01))) > -0.2
    assert choose_scale(262144.0, values[values > 0], 0.0, LIMITS, "test").w == 0.5


@given(st.floats(0.01, 100.0))
def test_gain_does_not_change_the_width(gain: float) -> None:
    values = np.random.default_rng(3).normal(0.0, 300.0, 2000)

    plain = choose_scale(262144.0, values, robust_sd(values), LIMITS, "test")
    gained = choose_scale(262144.0 * gain, values * gain, robust_sd(values) * gain, LIMITS, "test")

    assert gained.w == pytest.approx(plain.w, abs=0.051)  # W moves in steps of 0.05


@pytest.mark.parametrize("bits", [19, 20, 22, 24])
@pytest.mark.parametrize("sd", [25.0, 60.0, 200.0])
def test_more_bits_do_not_hide_a_background_in_the_linear_part(bits: int, sd: float) -> None:
    """The same signals on a detector of more bits keep a linear part of a few SD, or what 18 bits have."""
    values = np.random.default_rng(4).normal(0.0, sd, 2000)
    usual = choose_scale(2.0**18, values, sd, LIMITS, "test")

    wide = choose_scale(2.0**bits, values, sd, LIMITS, "test")

    assert sd <= wide.linear_width <= 1.02 * max(usual.linear_width, 3.2 * sd)
    assert usual.m == LIMITS.decades
    # A background that fills the range as usual ones do on 18 bits, and one of unknown width, keep the usual decades.
    bright = 2.0 ** (bits - 18) * max(1.0, 60.0 / sd)
    assert choose_scale(2.0**bits, values * bright, sd * bright, LIMITS, "test").m == LIMITS.decades
    assert choose_scale(2.0**bits, values, 0.0, LIMITS, "test").m == LIMITS.decades


def test_controls_share_the_widest_linear_part_also_with_other_decades() -> None:
    some = [Scale(2.0**24, 0.5, 4.5, 0.0, "test"), Scale(2.0**24, 0.6, 6.3, 0.0, "test")]

    assert widest(some) == widest(some[::-1]) == some[0]


def test_the_widest_scale_does_not_depend_on_order() -> None:
    some = [Scale(262144.0, w, 4.5, 0.0, "test") for w in (0.5, 1.1, 0.8)]

    assert widest(some) == widest(some[::-1]) == some[1]


def test_robust_sd_of_a_normal_is_its_sd() -> None:
    values = np.random.default_rng(1).normal(5.0, 2.0, 200_000)

    assert robust_sd(values) == pytest.approx(2.0, rel=0.02)
    assert np.isnan(robust_sd(np.empty(0)))

"""The logicle function against FlowUtils, and both ways against each other."""

from __future__ import annotations

import numpy as np
import pytest
from flowutils.transforms import logicle, logicle_inverse
from hypothesis import given, settings
from hypothesis import strategies as st

from cd40l_flow.signal.logicle import biexponential, forward, inverse

SCALES = [
    (262144.0, 0.5, 4.5, 0.0),
    (262144.0, 1.1, 4.5, 0.0),
    (262144.0, 0.5, 4.5, 0.5),
    (1048576.0, 1.2, 5.0, 0.0),
    (1024.0, 2.2, 4.5, 0.0),
    (4_194_304.0, 0.3, 4.5, 0.0),
]


@pytest.mark.parametrize(("t", "w", "m", "a"), SCALES)
def test_flowutils_finds_the_same_places(t: float, w: float, m: float, a: float) -> None:
    random = np.random.default_rng(1)
    logarithmic = np.exp(random.uniform(-5, np.log(t), 20_000))
    values = np.concatenate((random.normal(0, t / 1000, 20_000), logarithmic, -logarithmic / 10, [0.0, t, -t, 1.5 * t]))

    scaled = forward(values, biexponential(t, w, m, a))

    np.testing.assert_allclose(scaled, logicle(values, None, t=t, m=m, w=w, a=a), rtol=0, atol=1e-11)
    theirs = logicle_inverse(scaled, None, t=t, m=m, w=w, a=a)
    np.testing.assert_allclose(inverse(scaled, biexponential(t, w, m, a)), theirs, rtol=1e-9, atol=1e-9 * t)


@settings(max_examples=200)
@given(
    st.floats(-1e7, 1e7, allow_nan=False),
    st.floats(0.0, 2.0),
    st.floats(4.1, 6.0),
    st.sampled_from([1024.0, 262144.0, 4_194_304.0]),
)
def test_the_inverse_leads_back(value: float, w: float, m: float, t: float) -> None:
    terms = biexponential(t, w, m, 0.0)

    scaled = forward(np.array([value]), terms)

    # A place known to 1e-11 is a value known to the slope there.
    slope = float(terms.slope(np.maximum(scaled, 2 * terms.y1 - scaled))[0])
    assert inverse(scaled, terms)[0] == pytest.approx(value, abs=1e-11 * slope + 1e-9)


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=2, max_size=50))
def test_order_is_kept(values: list[float]) -> None:
    ordered = np.sort(np.array(values))

    assert np.all(np.diff(forward(ordered, biexponential(262144.0, 0.5, 4.5, 0.0))) >= -1e-12)


def test_what_is_not_finite_has_no_place() -> None:
    scaled = forward(np.array([np.nan, 5.0, np.inf]), biexponential(262144.0, 0.5, 4.5, 0.0))

    assert np.isnan(scaled[[0, 2]]).all()
    assert np.isfinite(scaled[1])


def test_nothing_gives_nothing() -> None:
    assert forward(np.empty(0), biexponential(262144.0, 0.5, 4.5, 0.0)).shape == (0,)

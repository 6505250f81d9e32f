"""How much values differ beyond their own errors, against closed forms and another way to the same maximum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from cd40l_flow.mixture.between import between


def restricted_likelihood(variance: float, values: np.ndarray, errors: np.ndarray) -> float:
    """Return the restricted log-likelihood of the random-effects model, up to a constant."""
    total = errors**2 + variance
    weights = 1 / total
    mean = (weights * values).sum() / weights.sum()
    return float(-0.5 * (np.log(total).sum() + math.log(weights.sum()) + (weights * (values - mean) ** 2).sum()))


def test_equal_errors_have_a_closed_form() -> None:
    """Sample variance less error variance, and the plain mean."""
    values = [0.08, 0.10, 0.13, 0.09, 0.11]
    found = between(values, [0.01] * 5)
    assert found is not None
    assert found.mean == pytest.approx(np.mean(values))
    assert found.sd == pytest.approx(math.sqrt(np.var(values, ddof=1) - 0.01**2))


def test_values_that_their_errors_explain_do_not_differ() -> None:
    found = between([0.10, 0.101, 0.099], [0.02, 0.02, 0.02])
    assert found is not None and found.sd == 0.0


def test_too_few() -> None:
    assert between([0.1], [0.01]) is None
    assert between([], []) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 40))
def test_it_is_the_restricted_maximum(seed: int, count: int) -> None:
    """An optimiser that ignores the fixed point finds the same."""
    random = np.random.default_rng(seed)
    errors = random.uniform(0.002, 0.02, count)
    values = random.normal(0.1, 0.02, count) + random.normal(0, errors)
    found = between(list(values), list(errors))
    assert found is not None
    best = minimize_scalar(
        lambda variance: -restricted_likelihood(variance, values, errors),
        bounds=(0, 0.01),
        method="bounded",
        options={"xatol": 1e-12},
    )
    reached = restricted_likelihood(found.sd**2, values, errors)
    assert reached >= -best.fun - 1e-6


def test_the_spread_of_donors_is_found_net_of_the_error() -> None:
    """The mean of many estimates of 30 controls each is the true spread; the plain SD is too large."""
    random = np.random.default_rng(5)
    found, plain = [], []
    for _ in range(300):
        errors = random.uniform(0.01, 0.03, 30)
        values = random.normal(0.1, 0.02, 30) + random.normal(0, errors)
        one = between(list(values), list(errors))
        assert one is not None
        found.append(one.sd**2)
        plain.append(values.var(ddof=1))
    assert math.sqrt(np.mean(found)) == pytest.approx(0.02, rel=0.05)
    assert math.sqrt(np.mean(plain)) > 0.026


def test_other_units_give_the_same_spread() -> None:
    one, ten = between([0.1, 0.12, 0.07], [0.01, 0.02, 0.01]), between([1.0, 1.2, 0.7], [0.1, 0.2, 0.1])
    assert one is not None and ten is not None
    assert ten.sd == pytest.approx(10 * one.sd)


def test_two_values_are_enough() -> None:
    found = between([0.1, 0.2], [0.01, 0.01])
    assert found is not None
    assert (found.count, found.mean, found.sd) == (2, pytest.approx(0.15), pytest.approx(math.sqrt(0.005 - 0.0001)))

"""Medians and quantiles, against NumPy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cd40l_flow.signal.quantiles import median, quantiles

VALUES = arrays.arrays(
    st.sampled_from([np.float32, np.float64]),
    st.integers(1, 60),
    elements=st.floats(-1000, 1000, width=32),
)


@given(values=VALUES, fractions=st.lists(st.floats(0, 1), min_size=1, max_size=5).map(sorted))
def test_the_quantiles_of_numpy(values: np.ndarray, fractions: list[float]) -> None:
    before = values.copy()

    found = quantiles(values, fractions)

    near = 1e-12 if values.dtype == np.float64 else 1e-6
    assert found == pytest.approx(np.quantile(values, fractions).tolist(), rel=near, abs=1000 * near)
    assert np.array_equal(values, before)


@given(values=VALUES)
def test_the_median_of_numpy(values: np.ndarray) -> None:
    before = values.copy()

    assert median(values) == pytest.approx(float(np.median(values.astype(np.float64))), rel=1e-12, abs=1e-12)
    assert np.array_equal(values, before)


def test_of_no_values_there_is_none() -> None:
    assert math.isnan(median(np.empty(0)))
    assert [math.isnan(one) for one in quantiles(np.empty(0, np.float32), (0.1, 0.9))] == [True, True]

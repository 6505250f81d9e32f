"""Bins of time and ranks of signals, against the plain definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd40l_flow.signal import bins as module
from cd40l_flow.signal.bins import bin_edges, united
from cd40l_flow.signal.ranks import rank


@given(seed=st.integers(0, 2**32 - 1), events=st.integers(1, 400), bins=st.integers(1, 60), chunk=st.integers(1, 500))
def test_edges_part_the_events_as_their_places_do(seed: int, events: int, bins: int, chunk: int) -> None:
    """Whatever is looked at at a time; clocks with equal ticks, and places beyond the last bin, too."""
    clock = np.sort(np.random.default_rng(seed).integers(0, 50, events).astype(np.float64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", chunk)
        edges = bin_edges(clock, lambda time: time * (1.2 * bins / 50), bins)

    places = np.minimum((clock * (1.2 * bins / 50)).astype(int), bins - 1)
    assert np.array_equal(np.diff(edges), np.bincount(places, minlength=bins))
    assert edges[0] == 0
    assert edges[-1] == events


@given(one=st.lists(st.integers(0, 40), min_size=1), other=st.lists(st.integers(0, 40), min_size=1))
def test_united_edges_are_those_of_numpy(one: list[int], other: list[int]) -> None:
    first, second = (np.sort(np.array(each, dtype=np.intp)) for each in (one, other))

    assert np.array_equal(united(first, second), np.union1d(first, second))


@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 20))
def test_sums_of_percentiles_between_edges(seed: int, parts: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=1000).astype(np.float32)
    found = rank(values)
    assert found is not None
    points = found.points[found.levels]
    edges = np.unique(np.concatenate(([0, 1000], random.integers(1, 1000, parts))))
    keep = random.random(1000) < 0.7

    expected = [points[a:b].sum() for a, b in zip(edges, edges[1:], strict=False)]
    kept = [(points * keep)[a:b].sum() for a, b in zip(edges, edges[1:], strict=False)]

    assert found.sums(edges) == pytest.approx(expected)
    assert found.sums(edges, keep) == pytest.approx(kept)
    assert found.spread == pytest.approx(points.std())
    order = np.argsort(values)
    assert np.all(np.diff(points[order]) >= 0)

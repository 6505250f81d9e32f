"""Which values are a pile at the end of a detector's range, and which are the start of a distribution."""

from __future__ import annotations

import numpy as np
import pytest

from cd40l_flow.signal.censoring import pile, top_pile


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("floor", [0.0, 1.0, -111.0, 37.5])
def test_clipped_values_are_a_pile_at_the_floor(seed: int, floor: float) -> None:
    drawn = np.random.default_rng(seed).normal(floor + 60.0, 50.0, 5000).astype(np.float32)
    found = pile(np.maximum(drawn, np.float32(floor)))
    assert found is not None
    assert found.value == pytest.approx(floor)
    assert found.share == pytest.approx(np.mean(drawn <= floor))
    assert pile(drawn[drawn > floor]) is None


@pytest.mark.parametrize("seed", range(5))
def test_channels_of_a_log_amplifier(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for middle, share in ((40.0, 0.25), (100.0, 0.05)):
        channels = np.clip(np.floor(rng.normal(middle, 60.0, 20_000)), 0, 1023)
        found = pile(10 ** (4 * channels / 1024))
        assert found is not None
        assert found.value == 1.0
        assert found.share == pytest.approx(np.mean(channels == 0))
        assert found.share == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_what_merely_begins_is_no_pile(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert pile(rng.normal(0.0, 1.0, 5000)) is None
    assert pile(rng.exponential(1.0, 5000)) is None
    assert pile(np.round(rng.normal(30.0, 5.0, 20_000))) is None
    assert pile(np.floor(rng.exponential(20.0, 20_000))) is None
    assert pile(np.repeat(np.arange(40.0), 100)) is None
    assert pile(np.zeros(5)) is None
    assert pile(np.empty(0)) is None


def test_one_value_alone_is_a_pile() -> None:
    found = pile(np.full(50, 3.0))
    assert found is not None
    assert (found.value, found.share) == (3.0, 1.0)


def test_top_is_the_bottom_turned_round() -> None:
    drawn = np.random.default_rng(3).normal(0.0, 1.0, 4000)
    found = top_pile(np.minimum(drawn, 1.0))
    assert found is not None
    assert found.value == 1.0
    assert found.share == pytest.approx(np.mean(drawn >= 1.0))
    assert top_pile(drawn) is None

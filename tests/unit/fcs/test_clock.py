"""The Time detector: wrapped counters are set right where it is clear, everything else that goes back is refused."""

from __future__ import annotations

import numpy as np
import pytest

from cd40l_flow.fcs.clock import seconds_of


@pytest.mark.parametrize(("counter", "span"), [(2**16, 262144.0), (2**18, 262144.0), (1024, 1024.0), (2**20, 262144.0)])
@pytest.mark.parametrize("turns", [1, 3])
def test_a_wrapped_counter_is_set_right(counter: int, span: float, turns: int) -> None:
    true = np.floor(np.linspace(0.3 * counter, (turns + 0.6) * counter, 9_000))

    seconds, problem, note = seconds_of(true % counter, 0.01, span)

    assert seconds is not None
    assert problem == ""
    np.testing.assert_allclose(seconds, true * 0.01)
    assert "ran over" in note


def test_joined_files_and_shuffled_events_are_not_assessable() -> None:
    one = np.linspace(0, 9_000, 4_000)
    shuffled = np.random.default_rng(1).permutation(one)

    for ticks in (np.concatenate((one, one)), shuffled):
        seconds, problem, note = seconds_of(ticks, 0.01, 262144.0)
        assert seconds is None
        assert "runs backwards" in problem
        assert note == ""


def test_events_of_one_moment_may_be_out_of_order() -> None:
    ticks = np.linspace(0, 9_000, 4_000)
    ticks[100:102] = ticks[100:102][::-1]

    seconds, problem, _ = seconds_of(ticks, 0.001, 262144.0)

    assert problem == ""
    np.testing.assert_allclose(seconds, ticks * 0.001)


def test_constant_time_is_refused() -> None:
    assert seconds_of(np.full(500, 7.0), 0.01, 1024.0)[:2] == (None, "Time is constant")

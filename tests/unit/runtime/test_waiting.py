"""Waiting for a submission on Slurm costs in proportion to what it takes."""

from __future__ import annotations

from cd40l_flow.runtime.waiting import next_wait


def test_waits_grow_with_the_time_that_has_passed() -> None:
    assert [next_wait(elapsed, 3.0) for elapsed in (0, 24, 80, 3600)] == [3.0, 3.0, 10.0, 180.0]


def test_the_shortest_wait_is_the_one_of_the_site() -> None:
    assert [next_wait(elapsed, 40.0) for elapsed in (0, 300, 480)] == [40.0, 40.0, 60.0]
    assert next_wait(0, 300.0) == 300.0

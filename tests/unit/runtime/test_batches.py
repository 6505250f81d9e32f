"""Which samples share a submission: everything once, controls before whoever waits for them, all nodes at work."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cd40l_flow.runtime.batches import CORES_AT_MOST, LEAST, MOST, WHOLE, batches, cores_of, size_of_batch


def plate(runs: int, tests: int, controls: int = 1) -> dict[str, list[str]]:
    """Return sample -> controls of a plate of equal runs."""
    due: dict[str, list[str]] = {}
    for run in range(runs):
        names = [f"R{run:03}C{number}" for number in range(controls)]
        due |= {name: [] for name in names}
        due |= {f"R{run:03}P{number:03}": names for number in range(tests)}
    return due


def cohort(present: set[int], tests: list[set[int]]) -> dict[str, list[str]]:
    """Return sample -> controls, where only those ``present`` have something to be done."""
    due: dict[str, list[str]] = {f"C{number}": [] for number in present}
    return due | {f"P{number}": [f"C{one}" for one in sorted(theirs)] for number, theirs in enumerate(tests)}


CONTROLS = st.integers(0, 5)
COHORTS = st.builds(cohort, st.sets(CONTROLS), st.lists(st.sets(CONTROLS, max_size=2), max_size=40))
# A busy machine makes inputs slowly.
PATIENT = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@PATIENT
@given(COHORTS, st.integers(1, 8), st.one_of(st.none(), st.integers(1, 50)))
def test_whoever_waits_waits_for_a_submission_that_waits_for_none(
    due: dict[str, list[str]], cores: int, submissions: int | None
) -> None:
    """Every sample has one submission; its controls are in it too, or in one that waits for nothing."""
    names = batches(due, cores, submissions)

    assert set(names) == set(due)
    waiting = {
        names[sample]
        for sample, controls in due.items()
        for control in controls
        if control in due and names[control] != names[sample]
    }
    for sample, controls in due.items():
        for control in controls:
            if control in due and names[control] != names[sample]:
                assert names[control] not in waiting
    size = size_of_batch(len(due), cores, submissions)
    for name, members in Counter(names.values()).items():
        if name.startswith("samples"):
            assert members <= size
        elif name.startswith("runs"):
            # As long as there is a run to be added, a batch may be smaller than its size.
            assert members < size + WHOLE * max(size, LEAST * cores) + 1


@PATIENT
@given(COHORTS, st.integers(1, 8), st.randoms())
def test_the_order_of_the_sheet_does_not_matter(due: dict[str, list[str]], cores: int, order: random.Random) -> None:
    shuffled = sorted(due)
    order.shuffle(shuffled)

    assert batches({sample: due[sample] for sample in shuffled}, cores, 9) == batches(due, cores, 9)


def test_24_samples_of_three_runs_keep_two_nodes_at_work() -> None:
    assert sorted(Counter(batches(plate(3, 7), 2, 100).values()).items()) == [("runs_1", 16), ("runs_2", 8)]


def test_a_run_is_divided_when_its_parts_are_worth_the_wait_for_the_control() -> None:
    """24 samples of one run take less time in one submission than after one that has their control alone."""
    assert Counter(batches(plate(1, 23), 2, 100).values()) == {"runs_1": 24}
    names = batches(plate(1, 24), 2, 100)
    assert Counter(names.values()) == {"controls_1": 1, "samples_1": 8, "samples_2": 8, "samples_3": 8}
    assert names["R000C0"] == "controls_1"


def test_no_run_waits_for_the_control_of_another() -> None:
    names = batches(plate(2, 40), 2, 100)

    for run in ("R000", "R001"):
        behind = {name for sample, name in names.items() if sample.startswith(f"{run}P")}
        assert behind & {name for sample, name in names.items() if not sample.startswith(run)} == set()
    assert names["R000C0"] != names["R001C0"]


def test_a_batch_grows_with_cores_and_samples() -> None:
    assert size_of_batch(96, 1, 100) == LEAST
    assert size_of_batch(96, 2, 100) == 2 * LEAST
    # No more submissions at a time than the site allows.
    assert size_of_batch(96, 2, 4) == 24
    assert size_of_batch(5000, 2, 100) == 2 * MOST
    assert size_of_batch(3, 2, None) == 3


def test_cores_of_a_submission_are_those_that_somebody_asked_for_within_reason() -> None:
    assert [cores_of(wanted) for wanted in (None, 1, 4, 500)] == [2, 1, 4, CORES_AT_MOST]


def test_thousands_of_samples_are_few_submissions() -> None:
    names = batches(plate(200, 24), 2, 100)

    assert len(names) == 5000
    assert len(set(names.values())) <= 200

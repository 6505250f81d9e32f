"""The benchmarks of one reagent judge it as the workflow does: odds included, so that there is a call to be wrong."""

from __future__ import annotations

import pytest
from benchmarks.mixture_modality import Kind, draw

CARRIER = Kind("carrier", 6.0, 10_000, negative=(0.3, 0.7))
ABSENT = Kind("absent", 6.0, 2_000, negative=(0.995, 1.0))


@pytest.mark.parametrize(("kind", "call"), [(CARRIER, "MOSAIC"), (ABSENT, "ABSENT")], ids=["carrier", "absent"])
def test_plain_samples_of_the_benchmark_are_called(kind: Kind, call: str) -> None:
    assert [draw((kind, seed)).call for seed in range(4)] == [call] * 4


def test_a_healthy_one_is_never_affected() -> None:
    found = [draw((Kind("healthy", 6.0, 2_000), seed)).call for seed in range(6)]
    assert set(found) <= {"NORMAL", "INDETERMINATE"} and "NORMAL" in found

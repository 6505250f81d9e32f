"""The benchmarks of one reagent judge it as the workflow does: odds included, so that there is a call to be wrong."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.mixture_modality import Kind, draw
from benchmarks.real import measured
from benchmarks.real_cells import Stain
from benchmarks.sample_case import judged, limits

from cd40l_flow.decision.control import control_terms
from cd40l_flow.signal.scale import Scale

CARRIER = Kind("carrier", 6.0, 10_000, negative=(0.3, 0.7))
ABSENT = Kind("absent", 6.0, 2_000, negative=(0.995, 1.0))


@pytest.mark.parametrize(("kind", "call"), [(CARRIER, "MOSAIC"), (ABSENT, "ABSENT")], ids=["carrier", "absent"])
def test_plain_samples_of_the_benchmark_are_called(kind: Kind, call: str) -> None:
    assert [draw((kind, seed)).call for seed in range(4)] == [call] * 4


def test_a_healthy_one_is_never_affected() -> None:
    found = [draw((Kind("healthy", 6.0, 2_000), seed)).call for seed in range(6)]
    assert set(found) <= {"NORMAL", "INDETERMINATE"} and "NORMAL" in found


def test_titrations_of_recorded_cells_are_called() -> None:
    """Cells at hand in place of recorded ones: half of the sample's and a tenth of the control's express nothing."""
    random = np.random.default_rng(4)
    dark, lit = 60 * random.standard_normal(30_000), 3000 * np.exp(0.5 * random.standard_normal(20_000))
    stain = Stain("made up", lit, dark, Scale(262144.0, 0.8, 4.5, 0.0, "made up"), None, np.zeros(lit.size))
    control = measured(stain, np.concatenate([lit[:9000], dark[:1000]]), dark[10_000:15_000], None)
    sample = measured(stain, np.concatenate([lit[10_000:12_500], dark[1000:3500]]), dark[15_000:20_000], control)
    assert judged(sample, control_terms(control, limits())).name == "MOSAIC"

"""The benchmarks of one reagent judge it as the workflow does: odds included, so that there is a call to be wrong."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.mixture.modality import Kind, draw
from benchmarks.mixture.sample_case import judged, limits
from benchmarks.real.cells import Stain
from benchmarks.real.titrations import measured
from numpy.typing import NDArray

from cd40l_flow.decision.control import control_terms
from cd40l_flow.signal.scale import Scale

CARRIER = Kind("carrier", 6.0, 10_000, negative=(0.3, 0.7))
ABSENT = Kind("absent", 6.0, 2_000, negative=(0.995, 1.0))


@pytest.mark.parametrize(("kind", "call"), [(CARRIER, "MOSAIC"), (ABSENT, "ABSENT")], ids=["carrier", "absent"])
def test_plain_samples_of_the_benchmark_are_called(kind: Kind, call: str) -> None:
    assert [draw((kind, number, 0)).call for number in range(4)] == [call] * 4


def test_a_healthy_one_is_never_affected() -> None:
    found = [draw((Kind("healthy", 6.0, 2_000), number, 0)).call for number in range(6)]
    assert set(found) <= {"NORMAL", "INDETERMINATE"} and "NORMAL" in found


def test_titrations_of_recorded_cells_are_called() -> None:
    """Cells at hand in place of recorded ones: half of the sample's and a tenth of the control's express nothing."""
    random = np.random.default_rng(4)
    dark, lit = 60 * random.standard_normal(30_000), 3000 * np.exp(0.5 * random.standard_normal(20_000))
    stain = Stain("made up", lit, dark, Scale(262144.0, 0.8, 4.5, 0.0, "made up"), None, np.zeros(lit.size))
    control = measured(stain, np.concatenate([lit[:9000], dark[:1000]]), dark[10_000:15_000], None)
    sample = measured(stain, np.concatenate([lit[10_000:12_500], dark[1000:3500]]), dark[15_000:20_000], control)
    assert judged(sample, control_terms(control, limits())).name == "MOSAIC"


@pytest.mark.parametrize(("dim", "seed"), [(0.1, 2), (0.25, 3), (0.25, 4), (0.4, 5)])
def test_a_dim_continuum_of_healthy_people_is_no_residual_allele(dim: float, seed: int) -> None:
    """Broad, skewed light with dim cells that no law fits: with a control of half the level more of them show."""
    random = np.random.default_rng((8, seed))

    def cells(count: int, times: float) -> NDArray[np.float64]:
        expressing = random.random(count) > 0.1
        broad = 0.75 * random.standard_normal(count) - 0.3 * np.abs(random.standard_normal(count))
        amount = 3000 * times * np.exp(broad)
        amount *= np.where(random.random(count) < dim, random.beta(2.0, 3.0, count), 1.0)
        return np.asarray(np.where(expressing, amount, 0.0) + 60 * random.standard_normal(count))

    dark = 60 * random.standard_normal(10_000)
    stain = Stain("made up", dark, dark, Scale(262144.0, 0.8, 4.5, 0.0, "made up"), None, np.zeros(dark.size))
    control = measured(stain, cells(10_000, 1.0), dark[:5000], None)
    sample = measured(stain, cells(20_000, 1.9), dark[5000:], control)
    assert judged(sample, control_terms(control, limits())).subcall.call in ("NORMAL", "INDETERMINATE")

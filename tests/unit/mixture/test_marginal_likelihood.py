"""The estimates of a hypothesis and their errors, against the counting errors of cells whose kinds lie far apart."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cd40l_flow.mixture import hypotheses as h
from cd40l_flow.mixture.components import TILTS, background_component
from cd40l_flow.mixture.evidence import Evidence, evidence
from cd40l_flow.mixture.histogram import edges, merged
from cd40l_flow.mixture.hypotheses import People
from cd40l_flow.mixture.prior import control_prior
from cd40l_flow.mixture.problem import Problem
from cd40l_flow.mixture.signal_law import SignalParameters
from cd40l_flow.signal.scale import Scale
from helpers.by_hand.cases import limits

BINS, HEALTHY = 256, 0.1
SCALE = Scale(t=262144.0, w=0.6, m=4.5, a=0.0, source="test")
LAW = SignalParameters(8.5, math.log(0.4), 0.0)
SURE = control_prior(LAW, np.diag((1e-4, 1e-4, 1e-4)), limits().mixture)
DARK = background_component(
    1e5 * np.exp(-0.5 * ((SCALE.inverse((edges(BINS)[1:] + edges(BINS)[:-1]) / 2) - 150) / 70) ** 2)
    * np.diff(SCALE.inverse(edges(BINS))) / (70 * math.sqrt(2 * math.pi)),
    SCALE,
)  # fmt: skip
PEOPLE = People(HEALTHY, 0.05, 0.3, 0.2, 0.12)
LIMITS = limits()


def found(
    name: str,
    cells: float,
    negative: float,
    kept: float | None = None,
    mutants: float = 0.0,
    level_error: float = 0.0,
    faintest: float = -6.0,
) -> Evidence:
    """Return the evidence of a hypothesis by the cells expected of a truth; ``mutants`` of the others keep a part."""
    positive = (1 - mutants) * DARK.positives([LAW])[0]
    if kept is not None:
        positive += mutants * DARK.positives([SignalParameters(LAW.level + math.log(kept), LAW.log_spread, 0.0)])[0]
    counts = cells * (negative * DARK.smooth + (1 - negative) * positive)
    near = np.array([math.log(negative / (1 - negative)), 0.0, LAW.level, LAW.log_spread, 0.0, 0.0, *(TILTS * (0.0,))])
    hypothesis = h.hypotheses(PEOPLE, cells, faintest, LIMITS)[name]
    return evidence(Problem(counts, DARK, SURE, 1.0), hypothesis, HEALTHY, near, level_error=level_error)


@pytest.mark.parametrize("negative", [0.3, 0.6])
@pytest.mark.parametrize("cells", [1000.0, 16_000.0])
def test_a_mosaic_s_fraction_has_the_error_of_counting(cells: float, negative: float) -> None:
    """Of two kinds of cells far apart each is counted; beyond what a healthy sample has they are mutants."""
    one = found(h.MOSAIC, cells, negative)
    assert one.fraction == pytest.approx(negative - HEALTHY, abs=0.006)
    assert one.fraction_error == pytest.approx(math.sqrt(negative * (1 - negative) / cells), rel=0.1)
    assert one.level == pytest.approx(0.0, abs=0.02) and one.kept is None
    positives = cells * (1 - negative)
    assert one.level_error == pytest.approx(0.4 / math.sqrt(positives), rel=0.25)


def test_a_residual_allele_s_share_is_of_the_expressing_cells() -> None:
    one = found(h.RESIDUAL, 8000.0, 0.1, kept=0.1, mutants=0.4)
    assert one.fraction == pytest.approx(0.4, abs=0.02)
    assert one.kept == pytest.approx(0.1, rel=0.08)
    assert math.sqrt(0.24 / 7200) < one.fraction_error < 2 * math.sqrt(0.24 / 7200)


def test_mutant_cells_hold_as_much_as_can_be_distinguished_from_nothing() -> None:
    """Fainter ones are cells that do not express, and so no evidence of a residual allele."""
    bounds = [found(h.RESIDUAL, 8000.0, 0.1, kept=0.05, mutants=0.4, faintest=math.log(limit)) for limit in (0.01, 0.1)]
    assert bounds[0].kept == pytest.approx(0.05, rel=0.1)
    # A normal density's flank of 0.1 in the natural logarithm, from a twentieth to a tenth.
    assert bounds[0].log - bounds[1].log == pytest.approx(0.5 * (math.log(2) / 0.1) ** 2, rel=0.1)


def test_a_residual_allele_needs_cells_of_the_full_level() -> None:
    """At least 2 % of the expressing cells: with fewer, outliers above faint cells would be such an allele."""
    for mutants in (0.9, 0.999):
        one = found(h.RESIDUAL, 8000.0, 0.1, kept=0.2, mutants=mutants)
        assert one.fraction == pytest.approx(min(mutants, 0.98), abs=0.01)
    few = h.hypotheses(PEOPLE, 200.0, -6.0, LIMITS)[h.RESIDUAL]
    assert few.most_mutants == 1 - 50 / 200


def test_the_cells_below_the_full_level_are_the_negative_and_the_dim_ones() -> None:
    one = found(h.RESIDUAL, 8000.0, 0.1, kept=0.1, mutants=0.4)
    assert one.below is not None and found(h.MOSAIC, 8000.0, 0.5).below is None
    share, error = one.below
    assert share == pytest.approx(0.1 + 0.9 * 0.4, abs=0.01)
    assert error == pytest.approx(math.sqrt(share * (1 - share) / 8000), rel=0.3)


def test_the_right_hypothesis_has_most_evidence() -> None:
    """Each by cells as its law expects them."""
    truths = {h.NORMAL: (0.1, None, 0.0), h.MOSAIC: (0.5, None, 0.0), h.RESIDUAL: (0.1, 0.2, 0.5)}
    for truth, (negative, kept, mutants) in truths.items():
        logs = {name: found(name, 3000.0, negative, kept, mutants).log for name in truths}
        assert max(logs, key=lambda name: logs[name]) == truth


@pytest.mark.parametrize(("truth", "negative", "kept", "mutants"), [
    (h.NORMAL, 0.1, None, 0.0), (h.MOSAIC, 0.5, None, 0.0), (h.RESIDUAL, 0.1, 0.2, 0.5), (h.NORMAL, 0.15, None, 0.0),
])  # fmt: skip
def test_the_evidence_is_that_of_the_best_start(
    truth: str, negative: float, kept: float | None, mutants: float
) -> None:
    """Searches from the level of the best fit and from that of the hypothesis end at one maximum."""
    # Cells of two levels have several maxima under a hypothesis with one.
    for name in (truth,) if kept else (h.NORMAL, h.MOSAIC, h.REDUCED):
        usual = found(name, 3000.0, negative, kept, mutants)
        # With an error of the level far above its prior the search starts at the level that the hypothesis expects.
        afar = found(name, 3000.0, negative, kept, mutants, level_error=10.0)
        assert usual.value == pytest.approx(afar.value, abs=0.1)
        assert usual.log == pytest.approx(afar.log, abs=0.2)


def test_few_dim_cells_are_found_among_healthy_ones() -> None:
    """A share of 6 % that keeps 0.3 of the level is found with both values, though one kind nearly fits."""
    few, none = (found(name, 60_000.0, 0.1, kept=0.3, mutants=0.06) for name in (h.RESIDUAL, h.NORMAL))
    assert few.fraction == pytest.approx(0.06, abs=0.02)
    assert few.kept == pytest.approx(0.3, rel=0.2)
    assert few.log > none.log


@pytest.mark.parametrize(("bins", "most", "left"), [(512, 256, 256), (512, 200, 128), (256, 256, 256), (501, 256, 501)])
def test_merged_bins_hold_the_same_cells(bins: int, most: int, left: int) -> None:
    rows = np.random.default_rng(bins).poisson(3.0, (2, bins)).astype(float)
    fewer = merged(rows, most)
    assert fewer.shape == (2, left)
    assert np.array_equal(np.cumsum(fewer, axis=-1), np.cumsum(rows, axis=-1)[:, bins // left - 1 :: bins // left])

"""Dim cells of carriers and of healthy people whose signals no law fits: cells of known truth, closed forms."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cd40l_flow.assay.effects import MOSAIC, NORMAL
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.control import combine, control_terms
from cd40l_flow.decision.odds import reagent_evidences, reagent_odds
from cd40l_flow.mixture import hypotheses as h
from cd40l_flow.mixture.checks.dim_excess import PEOPLE_SD, excess_odds
from cd40l_flow.mixture.evidence import Evidence
from cd40l_flow.mixture.model import ControlExpression
from helpers.by_hand.cases import limits
from helpers.by_hand.measured_cells import BINS, dark, measured

SURE = math.log(100)


def lit(
    seed: int, n: int, negative: float, level: float = 7000.0, *, dims: float = 0.0, sd: float = 0.42,
    alpha: float = 0.0, platelets: float = 0.0,
) -> Floats:  # fmt: skip
    """Return activated cells in channel values.

    Log signals are skew-normal of this SD. A part of the negative cells holds about a tenth of the level; platelets on
    a part of all cells add about a fifth of it.
    """
    random = np.random.default_rng(seed)
    law = stats.skewnorm(alpha)
    log = (law.rvs(n, random_state=random) - law.mean()) / law.std() * sd
    kind = random.random(n)
    dim = np.where(kind < negative * dims, np.clip(0.1 * np.exp(0.7 * random.standard_normal(n)), 0.01, 0.5), 0.0)
    held = np.where(kind < negative, dim, 1.0)
    coated = np.where(random.random(n) < platelets, 0.2 * level * np.exp(0.7 * random.standard_normal(n)), 0.0)
    return np.asarray(dark(seed + 1000, n) + held * level * np.exp(log) + coated)


def terms(values: Floats, seed: int) -> ControlExpression:
    return control_terms(measured(values, seed), limits())


def mutants(values: Floats, seed: int, share: float, kept: float) -> Floats:
    """Return cells of which a share of the bright ones keeps only a part of its signal above the background."""
    chosen = (np.random.default_rng(seed).random(values.size) < share) & (values > 1500)
    return np.where(chosen, 200 + (values - 200) * kept, values)


def allele(negative: float, mutants: float, kept: float) -> Evidence:
    """Return the evidence of a residual allele with these estimates."""
    below = (negative + (1 - negative) * mutants, 0.01)
    return Evidence(0.0, 0.0, mutants, 0.01, 0.0, 0.01, kept=kept, below=below)


@pytest.mark.parametrize("brighter", [0.6, 1.0, 1.5])
@pytest.mark.parametrize("negative", [0.02, 0.10, 0.20])
@pytest.mark.parametrize("alpha", [0.0, -5.0])
def test_cells_like_the_controls_speak_against_an_allele_whatever_their_law(
    brighter: float, negative: float, alpha: float
) -> None:
    """Neither level nor negative cells count; of two normal laws the odds at 0 are -d^2 / 2 s^2."""
    control = control_terms(measured(lit(1, 30_000, 0.10, alpha=alpha), 1), limits())
    alike = measured(lit(2, 30_000, negative, 7000 * brighter, alpha=alpha), 2)
    odds = excess_odds(alike.counts, alike, control, allele(negative, 0.3, 0.3))
    predicted = 0.3 * _below(0.3, alpha)
    variance = 2 * PEOPLE_SD**2 + 0.25 * 2 / 30_000
    assert odds is not None and odds == pytest.approx(-(predicted**2) / (2 * variance), rel=0.45)


@pytest.mark.parametrize(("share", "kept"), [(0.15, 0.2), (0.3, 0.3), (0.5, 0.4)])
@pytest.mark.parametrize("alpha", [0.0, -5.0])
def test_an_allele_shows_the_excess_that_it_predicts(share: float, kept: float, alpha: float) -> None:
    control = control_terms(measured(lit(1, 30_000, 0.10, alpha=alpha), 1), limits())
    carrier = measured(mutants(lit(2, 30_000, 0.10, 9000.0, alpha=alpha), 3, share, kept), 2)
    there, absent = (excess_odds(carrier.counts, carrier, control, allele(0.10, share, left)) for left in (kept, 0.03))
    assert there is not None and there > 2.0
    # An allele that keeps next to nothing would show more of them.
    assert absent is not None and absent < there + SURE


def _below(kept: float, alpha: float) -> float:
    """Return the greatest difference between the distribution functions of a signal and of a part of it."""
    signal = np.sort(lit(9, 100_000, 0.0, alpha=alpha) - 200)
    at = np.searchsorted(signal, signal / kept) / signal.size
    return float(np.max(at - np.arange(signal.size) / signal.size))


@pytest.mark.parametrize("seed", range(3))
def test_a_healthy_person_with_a_long_lower_tail_like_the_controls_is_no_mosaic(seed: int) -> None:
    """No skew-normal law with a control's dim cells fits a sample with fewer of them."""
    control = terms(lit(11 + seed, 9000, 0.10, 6000.0, dims=0.57, sd=0.48, alpha=-4.0), 11 + seed)
    values = lit(21 + seed, 9000, 0.03, 6800.0, dims=0.4, sd=0.48, alpha=-4.0)
    found = reagent_evidences(measured(values, 30, control), control, limits())
    assert found is not None
    assert reagent_odds(found[0])[MOSAIC] < -1


@pytest.mark.parametrize("seed", range(3))
def test_controls_of_different_levels_do_not_hide_a_residual_allele(seed: int) -> None:
    """Pooled, a bright and a dim control look like two kinds of cells; each alone does not."""
    pair = [terms(lit(40 + k + seed, 6000, 0.08, level), 40 + seed) for k, level in enumerate((4000.0, 9000.0))]
    control = combine(pair, limits().mixture)
    assert control.members == tuple(pair)
    values = mutants(lit(60 + seed, 5000, 0.08, 6000.0), seed, 0.3, 0.25)
    found = reagent_evidences(measured(values, 30, control), control, limits())
    assert found is not None
    odds = reagent_odds(found[0])
    assert odds[MOSAIC] >= SURE and odds[NORMAL] <= -SURE


@pytest.mark.parametrize("seed", range(3))
def test_mutant_cells_near_the_background_that_a_fit_takes_for_negative_ones_are_an_allele(seed: int) -> None:
    control = terms(lit(90 + seed, 8000, 0.10, 4000.0), 90 + seed)
    values = mutants(lit(93 + seed, 8000, 0.04, 2300.0), seed, 0.5, 0.2)
    sample = measured(values, 30, control)
    found = reagent_evidences(sample, control, limits())
    taken = reagent_evidences(replace(sample, negative_fraction=0.55), control, limits())
    assert found is not None and taken is not None
    assert reagent_odds(found[0])[MOSAIC] >= SURE
    assert taken[0][h.RESIDUAL].log == pytest.approx(found[0][h.RESIDUAL].log, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_mosaic_with_dim_cells_beside_its_negative_ones_is_none_of_a_healthy_person(seed: int) -> None:
    """Platelets on mutant cells, or dim negatives as of every person, make no normal sample of a mosaic."""
    control = terms(lit(10 + seed, 16_000, 0.09, 7500.0, dims=0.78, sd=0.75), 10 + seed)
    values = lit(20 + seed, 16_000, 0.39, 6500.0, dims=0.16, sd=0.75, platelets=0.2)
    found = reagent_evidences(measured(values, 30, control), control, limits())
    assert found is not None
    odds = reagent_odds(found[0])
    assert odds[MOSAIC] > 3 and odds[NORMAL] < -3


def test_without_cells_that_express_no_excess_is_known() -> None:
    control = terms(lit(1, 6000, 0.08), 1)
    sample = measured(lit(2, 3000, 0.1), 2)
    shown = allele(0.1, 0.3, 0.3)
    assert excess_odds(np.zeros(BINS), sample, control, shown) is None
    assert excess_odds(sample.counts, sample, control, allele(1.0, 0.3, 0.3)) is None
    assert excess_odds(sample.counts, sample, replace(control, negative_fraction=None), shown) is None
    assert excess_odds(sample.counts, sample, control, replace(shown, below=None)) is None
    assert excess_odds(sample.counts, sample, control, shown) is not None

"""Controls that would make affected people look healthy: a carrier of a residual allele, and CD40-Ig that cells hold
without CD154.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cd40l_flow.assay.cd40l.reagents import CD40_IG, CD154
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.applied import Guard
from cd40l_flow.decision.doubts import doubt_guards
from cd40l_flow.decision.guards import control_failures
from helpers.by_hand.cases import SAMPLE, control_alone, judge, limits, make_case, pair, with_measures
from helpers.by_hand.measured_cells import dark, measured

NEGATIVE = 0.09


def lit(seed: int, n: int, sd: float = 0.45, skewed: float = 0.0, mutant: float = 0.0, kept: float = 0.25) -> Floats:
    """Return activated cells in channel values, of whose expressing ones a share keeps a part of the level."""
    random = np.random.default_rng(seed)
    law = stats.skewnorm(skewed)
    log = (law.rvs(n, random_state=random) - law.mean()) / law.std() * sd
    level = np.where(random.random(n) < mutant, kept, 1.0) * 7000 * np.exp(log)
    return np.asarray(dark(seed + 1000, n) + np.where(random.random(n) < NEGATIVE, 0.0, level))


def valley(values: Floats, seed: int, role: str = "control") -> list[Guard]:
    """Return the guards on two peaks of a sample whose cells of CD154 have these values."""
    case = control_alone(reagents={CD154: replace(measured(values, seed), reagent=CD154)})
    case = replace(case, sample=replace(case.sample, role=role))
    return [one for one in doubt_guards(case, CD154, limits()) if one.code == "MODEL_MISFIT"]


@pytest.mark.parametrize("cells", [1500, 6000])
@pytest.mark.parametrize(("sd", "skewed"), [(0.35, 0.0), (0.6, -3.0), (0.9, 0.0), (1.1, -5.0), (0.45, 4.0)])
def test_a_healthy_control_has_one_peak(sd: float, skewed: float, cells: int) -> None:
    """Whatever its law: narrow, broad, skewed either way."""
    for seed in range(3):
        (found,) = valley(lit(seed, cells, sd, skewed), seed)
        assert found.fired is False


@pytest.mark.parametrize(("mutant", "kept", "sd"), [(0.5, 0.2, 0.4), (0.4, 0.2, 0.45), (0.6, 0.25, 0.35)])
def test_a_carrier_of_a_residual_allele_is_no_control(mutant: float, kept: float, sd: float) -> None:
    values = lit(1, 6000, sd, mutant=mutant, kept=kept)
    (found,) = valley(values, 1)
    assert found.fired is True and found.value is not None and found.value > 0.15
    case = control_alone(reagents={CD154: replace(measured(values, 1), reagent=CD154)})
    everywhere, by_reagent = control_failures(replace(case, planned=(CD154,)), limits())
    assert any("two kinds" in text for text in by_reagent[CD154])
    assert not any("two kinds" in text for text in everywhere)


def test_two_peaks_of_a_patient_are_judged_by_the_odds() -> None:
    assert valley(lit(1, 6000, 0.4, mutant=0.5, kept=0.2), 1, role="test") == []
    assert valley(lit(1, 400, 0.4, mutant=0.5, kept=0.2), 1) == []  # few cells


@pytest.mark.parametrize(
    ("without", "unbound", "called"),
    [
        (0.08, 0.004, "INDETERMINATE"),
        (0.05, 0.03, "NORMAL"),
        (0.08, 0.09, "NORMAL"),
        (None, 0.004, "NORMAL"),
        (0.26, 0.01, "NORMAL"),
    ],
)
def test_binding_by_cells_without_cd154_says_nothing_of_it(without: float | None, unbound: float, called: str) -> None:
    """A defect of function looks normal where Fc receptors hold CD40-Ig on every activated cell."""
    case = with_measures(pair("NORMAL", "NORMAL"), CD154, negative_fraction_low=without)
    found = judge(with_measures(case, CD40_IG, negative_fraction_high=unbound))
    assert found.call == called
    assert ("HIGH_BACKGROUND" in found.reasons) is (called == "INDETERMINATE")


def test_a_control_that_holds_cd40_ig_without_cd154_fails_for_it_alone() -> None:
    case = replace(make_case(), sample=replace(SAMPLE, role="control"), alone=True, control=None, comparisons={})
    reagents = {
        CD154: replace(case.reagents[CD154], negative_fraction_low=0.08),
        CD40_IG: replace(case.reagents[CD40_IG], negative_fraction_high=0.003),
    }
    everywhere, by_reagent = control_failures(replace(case, reagents=reagents), limits())
    assert any("held by Fc receptors" in text for text in by_reagent[CD40_IG])
    assert not any("Fc receptors" in text for text in (*everywhere, *by_reagent.get(CD154, ())))

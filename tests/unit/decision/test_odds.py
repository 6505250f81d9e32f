"""The odds of each explanation: priors that are laws, cells of known truth, two readouts of one blood."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.assay.call_limits import OddsLimits
from cd40l_flow.assay.effects import ABSENT, FUNCTIONAL_DEFECT, MOSAIC, NORMAL, REDUCED
from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.control import control_terms
from cd40l_flow.decision.independence import independence
from cd40l_flow.decision.odds import (
    _shared,
    _with_more,
    joint_odds,
    reagent_evidences,
    reagent_odds,
    weigh,
)
from cd40l_flow.mixture import hypotheses as h
from cd40l_flow.mixture.evidence import Evidence
from cd40l_flow.mixture.hypotheses import Above, Normal, People, fraction_penalty, log_convolved, log_share
from cd40l_flow.mixture.model import ControlExpression
from helpers.by_hand.cases import limits
from helpers.by_hand.measured_cells import BINS, measured

SURE = math.log(100)


def cells(
    seed: int, n: int, negative: float, level: float = 7000.0, kept: float | None = None, share: float = 0.5
) -> Floats:
    """Return activated cells in channel values; a share of the expressing ones keep only a part where one is given."""
    random = np.random.default_rng(seed)
    values = 200 + 120 * random.standard_normal(n)
    bright = random.random(n) >= negative
    signal = level * np.exp(0.42 * random.standard_normal(n))
    if kept is not None:
        signal *= np.where(random.random(n) < share, kept, 1.0)
    return np.asarray(values + bright * signal, dtype=np.float64)


@pytest.fixture(scope="module")
def control() -> ControlExpression:
    return control_terms(measured(cells(1, 6000, 0.10), 1), limits())


TRUTHS: dict[str, tuple[str, Floats]] = {
    "healthy": (NORMAL, cells(2, 4000, 0.10, level=7700.0)),
    "half": (MOSAIC, cells(3, 4000, 0.50)),
    "residual": (MOSAIC, cells(4, 4000, 0.10, kept=0.3)),
    "quarter": (REDUCED, cells(5, 4000, 0.10, level=1700.0)),
    "absent": (ABSENT, cells(6, 4000, 0.99, level=400.0)),
    "few": (ABSENT, cells(7, 300, 1.0)),
}


@pytest.mark.parametrize("name", list(TRUTHS))
def test_the_truth_reaches_its_odds(name: str, control: ControlExpression) -> None:
    call, values = TRUTHS[name]
    found = reagent_evidences(measured(values, 20, control), control, limits())
    assert found is not None
    odds = reagent_odds(found[0])
    assert odds[call] >= SURE
    assert all(value <= -SURE for other, value in odds.items() if other != call)
    if name == "residual":
        assert found[0][h.RESIDUAL].kept == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("kept", [0.04, 0.07])
@pytest.mark.parametrize("seed", range(3))
def test_dim_cells_are_a_mosaic_only_if_they_exceed_a_healthy_person_s_negatives(
    kept: float, seed: int, control: ControlExpression
) -> None:
    """Regulatory and double-negative T cells hold a little of the target in healthy people too."""
    odds = {}
    for dim in (0.07, 0.50):
        values = cells(40 + seed, 6000, 0.04, level=7700.0, kept=kept, share=dim)
        found = reagent_evidences(measured(values, 30, control), control, limits())
        assert found is not None
        odds[dim] = reagent_odds(found[0])
    assert odds[0.07][MOSAIC] <= -SURE and odds[0.07][NORMAL] > 0
    assert odds[0.50][MOSAIC] >= SURE


@pytest.mark.parametrize("level", [1500.0, 2600.0])
def test_dim_negatives_do_not_make_a_reduced_level_normal(level: float, control: ControlExpression) -> None:
    dim = cells(50, 6000, 0.04, level=level, kept=0.1, share=0.07)
    found = reagent_evidences(measured(dim, 30, control), control, limits())
    assert found is not None
    assert reagent_odds(found[0])[REDUCED] > 0 > reagent_odds(found[0])[NORMAL]


@pytest.mark.parametrize(("kept", "call"), [(0.02, ABSENT), (0.05, ABSENT), (0.2, REDUCED), (0.35, REDUCED)])
def test_traces_in_every_cell_are_absence_and_a_low_level_is_not(
    kept: float, call: str, control: ControlExpression
) -> None:
    found = reagent_evidences(measured(cells(80, 6000, 0.05, level=7000 * kept), 30, control), control, limits())
    assert found is not None
    odds = reagent_odds(found[0])
    assert odds[call] > 2.0
    assert max(odds[NORMAL], odds[MOSAIC]) <= -SURE


@pytest.mark.parametrize("wider", [1.0, 1.25])
@pytest.mark.parametrize("outliers", [0, 4])
def test_outliers_and_a_background_that_fits_badly_make_no_mosaic_of_absent_cells(
    wider: float, outliers: int, control: ControlExpression
) -> None:
    values = cells(60, 7000, 1.0)
    values = np.concatenate([240 + wider * (values - 200), np.linspace(3000.0, 7000.0, outliers)])
    found = reagent_evidences(measured(values, 30, control), control, limits())
    assert found is not None
    odds = reagent_odds(found[0])
    assert odds[ABSENT] >= SURE and odds[MOSAIC] <= -SURE


def test_between_people_and_a_mosaic_nothing_is_sure(control: ControlExpression) -> None:
    """A mutant fraction of 0.17 is 2.7 standard deviations between people from none: no call, whatever the number."""
    found = reagent_evidences(measured(cells(8, 20_000, 0.25), 30, control), control, limits())
    assert found is not None
    odds = reagent_odds(found[0])
    assert max(odds[NORMAL], odds[MOSAIC]) < SURE


@pytest.mark.parametrize(
    "law", [Normal(0.1, 0.04), Normal(0.3, 0.06), Normal(4.2, 1.1, logit=True), Above(0.3, 0.05), Above(0.2, 0.02)]
)
def test_priors_of_a_fraction_are_laws_with_their_slopes(law: Normal | Above) -> None:
    logits = np.linspace(-14, 14, 20_001)
    values = np.array([fraction_penalty(law, float(logit))[0] for logit in logits])
    assert np.trapezoid(np.exp(-values), logits) == pytest.approx(1.0, abs=0.02)
    for logit in (-3.0, -1.0, 0.0, 2.0):
        _, slope, curve = fraction_penalty(law, logit)
        ends = [fraction_penalty(law, logit + side * 1e-5)[0] for side in (-1, 1)]
        assert slope == pytest.approx((ends[1] - ends[0]) / 2e-5, rel=1e-4, abs=1e-6)
        assert curve >= 0


def test_more_controls_tell_more(control: ControlExpression) -> None:
    one, three = (People.of(replace(control, count=count), limits()) for count in (1, 3))
    assert one is not None and three is not None
    assert one.level_sd == pytest.approx(math.sqrt(2) * 0.24)
    assert three.level_sd == pytest.approx(math.sqrt(4 / 3) * 0.24)
    assert three.negative_sd < one.negative_sd


@pytest.mark.parametrize("level", [7700.0, 6000.0, 3500.0])
@pytest.mark.parametrize("negative", [0.10, 0.17, 0.25])
def test_odds_with_more_controls_are_those_of_a_run_with_more(
    control: ControlExpression, level: float, negative: float
) -> None:
    """They are derived from the evidence with one control; the other way is to fit every hypothesis again."""
    expression = measured(cells(9, 6000, negative, level=level), 40, control)
    found = reagent_evidences(expression, control, limits())
    sd = control.negative_fraction_sd
    assert found is not None and sd is not None
    for more in (1, 3):
        evidences, people = _with_more(more, *found, control, limits())
        richer = replace(control, count=1 + more, negative_fraction_sd=sd / math.sqrt(1 + more))
        again = reagent_evidences(expression, richer, limits())
        assert again is not None
        assert people == again[1]
        for call, odds in reagent_odds(again[0]).items():
            assert reagent_odds(evidences)[call] == pytest.approx(odds, abs=0.15 + 0.05 * abs(odds))


def test_with_more_controls_a_healthy_person_dimmer_than_the_control_is_surer(control: ControlExpression) -> None:
    one = {"CD154": measured(cells(9, 6000, 0.10, level=5600.0), 40, control)}
    weighed = weigh(one, {"CD154": control}, {"CD154": limits()}, "CD40-Ig")
    odds = [weighed.joint[NORMAL], *(weighed.more[number].joint[NORMAL] for number in sorted(weighed.more))]
    assert odds == sorted(odds)
    assert odds[1] > odds[0] + 0.5
    assert weighed.more[1].reagents["CD154"].normal_odds == pytest.approx(weighed.more[1].joint[NORMAL], abs=0.1)


def test_a_control_with_many_negatives_is_taken_in_part_for_an_unusual_one(control: ControlExpression) -> None:
    """The closed form of two normal sources of one mean; a known laboratory leaves only what donors differ by."""

    def people(negative: float, **odds: float) -> People:
        chosen = Limits(odds=OddsLimits(**odds))
        found = People.of(replace(control, negative_fraction=negative, negative_fraction_sd=0.0, count=1), chosen)
        assert found is not None
        return found

    of_controls, of_laboratories = 0.04**2, 0.05**2
    mean = (0.16 / of_controls + 0.10 / of_laboratories) / (1 / of_controls + 1 / of_laboratories)
    sd = math.sqrt(0.04**2 + 1 / (1 / of_controls + 1 / of_laboratories))
    assert people(0.16).negative == pytest.approx(mean, abs=0.002)
    assert people(0.16).negative_sd == pytest.approx(sd, rel=0.02)
    assert people(0.10).negative == pytest.approx(0.10)
    # Far from what most laboratories find only the control counts.
    assert people(0.35).negative == pytest.approx(0.35, abs=0.003)
    unknown, known = (people(0.12, healthy_negative_mean_sd=sd) for sd in (0.5, 1e-6))
    assert unknown.negative == pytest.approx(0.12, abs=1e-3)
    assert unknown.negative_sd == pytest.approx(math.sqrt(2) * 0.04, rel=1e-2)
    assert known.negative == pytest.approx(0.10, abs=1e-3)
    assert known.negative_sd == pytest.approx(0.04, rel=0.02)


def test_one_value_seen_twice_counts_once() -> None:
    """The closed form: two exact readings of one value of a normal law cost its density once, not twice."""
    value, sd = 0.5, 0.35
    density = -0.5 * ((value / sd) ** 2 + math.log(2 * math.pi * sd**2))
    near = -0.5 * math.log(2 * math.pi * 2 * 0.1**2)  # both lie where the other says, within twice the variance
    gained = _shared([(value, 1e-6), (value, 1e-6)], Normal(0.0, sd), 0.1)
    assert gained == pytest.approx(near - density, abs=0.25)
    assert _shared([(-0.5, 1e-6), (0.5, 1e-6)], Normal(0.0, sd), 0.1) < -10


def test_one_value_beyond_an_edge_counts_once() -> None:
    """By numerical integration over the value: the chance to lie below the edge is not paid for by each reagent."""
    law, apart = Above(0.12, 0.05), 0.015
    values = [(0.03, 0.006), (0.02, 0.008)]
    x = np.linspace(-0.4, 1.0, 200_001)
    prior = np.exp([log_share(float(one))[0] for one in (x - law.low) / law.sd]) / (1 - law.low)

    def integral(pairs: list[tuple[float, float]]) -> float:
        p = prior.copy()
        for value, sd in pairs:
            p = p * np.exp(-0.5 * ((value - x) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))
        return math.log(float(p.sum()) * float(x[1] - x[0]))

    alone = sum(integral([value]) for value in values)
    together = integral([(value, math.hypot(error, apart)) for value, error in values])
    assert _shared(values, law, apart) == pytest.approx(together - alone, abs=1e-3)


def test_a_mosaic_has_one_law_alone_and_beside_another_reagent() -> None:
    """Its fraction has the same density as a prior of one reagent and as what several reagents share."""
    people = People(0.1, 0.05, 0.35, 0.25, 0.12)
    alone = h.hypotheses(people, 5000, -4.0, limits())[h.MOSAIC].negative
    for fraction in (0.15, 0.25, 0.5, 0.8):
        rate = fraction * (1 - fraction)  # of the fraction in its logit
        prior = -fraction_penalty(alone, math.log(fraction / (1 - fraction)))[0] - math.log(rate)
        assert log_convolved(fraction - people.negative, 0.0, people.mosaic_excess) == pytest.approx(prior, abs=1e-12)


def evidences(**logs: float) -> Mapping[str, Evidence]:
    return {name: Evidence(logs.get(name, -50.0), 0.0, 0.4, 0.02, 0.0, 0.02) for name in h.NAMES}


def test_the_joint_table() -> None:
    people = dict.fromkeys(("CD154", "CD40-Ig"), People(0.1, 0.06, 0.35, 0.25, 0.2))

    def together(cd154: Mapping[str, Evidence], binding: Mapping[str, Evidence]) -> dict[str, float]:
        return joint_odds({"CD154": cd154, "CD40-Ig": binding}, people, "CD40-Ig", limits())

    # What the dimmer stain leaves open CD154 settles.
    assert together(evidences(mosaic=0.0), evidences(mosaic=0.0, normal=-1.0))[MOSAIC] > SURE
    assert together(evidences(normal=0.0), evidences(absent=0.0))[FUNCTIONAL_DEFECT] > SURE
    assert together(evidences(normal=0.0), evidences(mosaic=0.0))["DISCORDANT"] > SURE
    assert together(evidences(absent=0.0), evidences(normal=0.0))["DISCORDANT"] > SURE


@pytest.mark.parametrize("name", [h.MOSAIC, h.RESIDUAL])
@pytest.mark.parametrize(("apart", "one_blood"), [(0.0, True), (0.03, True), (0.13, False), (0.3, False)])
def test_mosaics_of_different_fractions_are_not_of_one_blood(name: str, apart: float, one_blood: bool) -> None:
    """Tubes that hold different mixtures of two people's cells, for example."""
    people = dict.fromkeys(("CD154", "CD40-Ig"), People(0.1, 0.06, 0.35, 0.25, 0.2))
    cd154, binding = evidences(**{name: 0.0}), dict(evidences(**{name: 0.0}))
    binding[name] = replace(binding[name], fraction=cd154[name].fraction + apart, fraction_error=0.006)
    odds = joint_odds({"CD154": {**cd154, name: replace(cd154[name], fraction_error=0.006)}, "CD40-Ig": binding},
                      people, "CD40-Ig", limits())  # fmt: skip
    assert (odds[MOSAIC] >= SURE) is one_blood
    assert (odds["DISCORDANT"] > -SURE) is not one_blood


def test_no_functional_defect_of_a_carrier_part_of_whose_cells_bind() -> None:
    """All her cells express CD154, and those of the healthy allele bind CD40-Ig: such a mosaic is no defect of all."""
    people = dict.fromkeys(("CD154", "CD40-Ig"), People(0.1, 0.06, 0.35, 0.25, 0.2))
    normal = evidences(normal=0.0)
    for partly in ("mosaic", "residual"):
        for absent, sure in ((-1.3, False), (2.0, False), (6.0, True)):
            binding = evidences(**{"absent": absent, partly: 0.0})
            odds = joint_odds({"CD154": normal, "CD40-Ig": binding}, people, "CD40-Ig", limits())[FUNCTIONAL_DEFECT]
            assert (odds >= SURE) is sure
            assert odds == pytest.approx(absent, abs=0.1) or sure


def test_negatives_of_a_mosaic_know_nothing_of_cd69_and_cd3() -> None:
    random = np.random.default_rng(5)
    n = 6000
    cd69, cd3 = random.standard_normal(n), random.standard_normal(n)
    scaled = np.where(random.random(n) < 0.4, 0.2, 0.6)
    expected = np.zeros((2, BINS))
    expected[0, : BINS // 2], expected[1, BINS // 2 :] = 1.0, 1.0
    mosaic = independence(scaled, cd69, cd3, expected)
    assert mosaic.cd69 is not None and abs(mosaic.cd69.log_ratio) < 3 * mosaic.cd69.error
    weak = independence(np.where(random.random(n) < 1 / (1 + np.exp(1 + 0.9 * cd69)), 0.2, 0.6), cd69, cd3, expected)
    assert weak.cd69 is not None and weak.cd69.log_ratio == pytest.approx(1.9, abs=0.35)
    assert weak.inner.sum() == pytest.approx(n / 3, rel=0.1)
    # Cells need some CD69: a third has too little, or hardly any has enough, so that it goes on among the brightest.
    enough = independence(np.where((random.random(n) < 0.4) | (cd69 < -0.4), 0.2, 0.6), cd69, cd3, expected)
    assert enough.strong is not None and abs(enough.strong.log_ratio) < 3 * enough.strong.error
    hardly = independence(np.where(cd69 + 0.3 * random.standard_normal(n) < 1.0, 0.2, 0.6), cd69, cd3, expected)
    assert hardly.strong is not None and hardly.strong.log_ratio > 2
    other = independence(np.where(cd3 > 0.8, 0.2, 0.6), cd69, cd3, expected)
    assert other.cd3 is not None and other.cd3.log_ratio < -4
    assert other.inner[: BINS // 2].sum() == 0

"""The laws of the hypotheses about one reagent: what is expected of each, and their tails."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from cd40l_flow.mixture import hypotheses as h
from cd40l_flow.mixture.hypotheses import (
    Above,
    Hypothesis,
    Normal,
    People,
    fraction_penalty,
    level_penalty,
    log_share,
    reduced,
)
from cd40l_flow.mixture.prior import control_prior
from helpers.by_hand.cases import LENT, POSITIVE, limits

PEOPLE = People(negative=0.1, negative_sd=0.05, level_sd=0.3, control_level_sd=0.2, blank=0.12)
LIMITS = limits()
KNOWN = replace(LENT, prior=control_prior(POSITIVE, np.eye(3) * 0.01, LIMITS.mixture))


def of(name: str, events: float = 4000.0, faintest: float = -6.0) -> Hypothesis:
    return h.hypotheses(PEOPLE, events, faintest, LIMITS)[name]


@pytest.mark.parametrize("z", [-600.0, -45.0, -40.0, -31.0, -30.001, -29.999, -20.0, -3.0, 0.0, 2.0, 9.0])
def test_the_tail_of_the_normal_law(z: float) -> None:
    """Also where the law itself is nearly 0, by Mills' ratio, whose next term is 1 / z^2."""
    log, hazard = log_share(z)
    assert log == pytest.approx(float(special.log_ndtr(z)), abs=2 / max(abs(z), 30.0) ** 2)
    exact = math.exp(float(stats.norm.logpdf(z)) - float(special.log_ndtr(z)))
    assert hazard == pytest.approx(exact, rel=1e-5, abs=3 / max(abs(z), 30.0) ** 3)


def test_absence_is_nearly_all_negative() -> None:
    """0.985 of the cells, with 0.88 and 0.998 two SD away; traces at a sixteenth of the level."""
    law, traces = of(h.ABSENT).negative, of(h.ABSENT).level
    assert isinstance(law, Normal) and law.logit
    found = [1 / (1 + math.exp(-(law.mean + side * law.sd))) for side in (-2, 0, 2)]
    assert found == pytest.approx([0.88, 0.985, 0.998], abs=0.002)
    assert (math.exp(traces.mean), traces.sd) == (pytest.approx(0.061, abs=0.001), 0.9)
    # What cannot be distinguished from the background is not looked for.
    assert of(h.ABSENT, faintest=-2.0).level.mean == pytest.approx(-1.7)


@pytest.mark.parametrize(
    ("events", "bright"), [(10_000.0, 0.02), (2500.0, 0.02), (1000.0, 0.05), (90.0, 0.5), (0.0, 0.5)]
)
def test_a_mosaic_has_expressing_cells(events: float, bright: float) -> None:
    """One in fifty, and 50 of them; of few cells half."""
    mosaic = of(h.MOSAIC, events)
    assert mosaic.most_negative == pytest.approx(1 - bright)
    assert isinstance(mosaic.negative, Above)
    assert mosaic.negative.low == pytest.approx(0.1 + 0.12 * 0.9)
    assert mosaic.level == of(h.NORMAL).level == Normal(0.0, 0.3)


def test_a_range_is_a_thousandth_wide_or_wider() -> None:
    assert [Above(low, 0.01, 0.9).log_width for low in (0.4, 0.8995, 0.95)] == pytest.approx(
        [math.log(0.5), math.log(1e-3), math.log(1e-3)]
    )


def test_a_reduced_level_differs_by_patients_and_by_the_control() -> None:
    law = reduced(PEOPLE, LIMITS.odds)
    assert (law.mean, law.sd) == (pytest.approx(math.log(0.3)), pytest.approx(math.hypot(0.25, 0.2)))


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4, 0.97])
def test_distances_are_measured_from_five_sd(share: float) -> None:
    """Of a law of fractions, of logits, and of one with an edge; within them there is none."""
    logit = math.log(share / (1 - share))
    fraction = Hypothesis("a", Normal(0.3, 0.02), Normal(0, 1))
    low, high = math.log(0.2 / 0.8), math.log(0.4 / 0.6)
    assert fraction.distance(logit) == pytest.approx(max(low - logit, logit - high, 0.0))
    logits = Hypothesis("b", Normal(2.0, 0.5, logit=True), Normal(0, 1))
    assert logits.distance(logit) == pytest.approx(max(-0.5 - logit, 0.0))
    edge = Hypothesis("c", Above(0.3, 0.04), Normal(0, 1), most_negative=0.9)
    assert edge.distance(logit) == pytest.approx(max(math.log(0.1 / 0.9) - logit, logit - math.log(9), 0.0))
    # Five SD below 0.1 and above 0.95 there is no fraction: anything is near.
    for far, law in (
        (-12.0, Normal(0.1, 0.04)),
        (12.0, Normal(0.95, 0.04)),
        (-12.0, Above(0.1, 0.04)),
        (-12.0, Above(0.2, 0.04)),
    ):
        assert Hypothesis("d", law, Normal(0, 1)).distance(far) == 0.0


@pytest.mark.parametrize("negative", [0.05, 0.1, 0.2, 0.4])
@pytest.mark.parametrize("count", [1, 3])
def test_people_by_two_kinds_of_laboratories(negative: float, count: int) -> None:
    """Nine in ten find 0.10, SD 0.05 between them; the tenth any fraction up to a half, and only its controls count."""
    found = People.of(replace(KNOWN, negative_fraction=negative, negative_fraction_sd=0.01, count=count), LIMITS)
    assert found is not None
    own = 0.04**2 / count + 0.01**2
    usual = 0.9 * stats.norm(0.10, math.sqrt(0.05**2 + own)).pdf(negative)
    alike = usual / (usual + 0.1 / 0.5)
    pooled = (negative / own + 0.10 / 0.05**2) / (1 / own + 1 / 0.05**2)
    assert found.negative == pytest.approx(alike * pooled + (1 - alike) * negative)
    trust = (found.negative - 0.10) / (negative - 0.10) if negative != 0.1 else None
    if trust is not None:
        assert found.negative_sd == pytest.approx(math.sqrt(0.04**2 + trust * own))
    assert found.blank == pytest.approx(min(2.33 * found.negative_sd / (1 - found.negative), 0.13))
    assert found.control_level_sd == pytest.approx(0.24 / math.sqrt(count))
    assert found.level_sd == pytest.approx(0.24 * math.sqrt(1 + 1 / count))


def test_a_control_that_expresses_nothing_tells_nothing_of_people() -> None:
    assert People.of(replace(KNOWN, negative_fraction=0.989), LIMITS) is not None
    for lacking in (
        {"negative_fraction": 0.99}, {"negative_fraction": None}, {"negative_fraction_sd": None}, {"positive": None},
        {"prior": None},
    ):  # fmt: skip
        assert People.of(replace(KNOWN, **lacking), LIMITS) is None  # type: ignore[arg-type]


def test_the_share_of_mutants_of_a_residual_allele() -> None:
    """Above the blank, blurred by what people differ, of expressing cells."""
    law = of(h.RESIDUAL).mutants
    assert law is not None and (law.low, law.high) == (0.12, 0.98)
    assert law.sd == pytest.approx(0.05 / 0.9)
    assert PEOPLE.mosaic_excess == Above(pytest.approx(0.12 * 0.9), 0.05, pytest.approx(0.9))  # type: ignore[arg-type]
    assert of(h.RESIDUAL).residual == Normal(pytest.approx(math.log(0.25)), 0.35)  # type: ignore[arg-type]
    # A share of 0.5 among 0.86: minus the log of a uniform density, less its own logit's slope of 0.25.
    assert fraction_penalty(law, 0.0)[0] == pytest.approx(math.log(0.86) - math.log(0.25), abs=1e-9)


@pytest.mark.parametrize("logit", [-2.0, -0.4, 1.5, 4.0])
def test_laws_are_densities_of_the_logit(logit: float) -> None:
    """Of scipy's laws; their curvature is that of the log density, without what may be negative in it."""
    x = 1 / (1 + math.exp(-logit))
    rate = x * (1 - x)
    value, slope, curve = fraction_penalty(Normal(4.2, 1.1, logit=True), logit)
    assert value == pytest.approx(-float(stats.norm(4.2, 1.1).logpdf(logit)))
    assert (slope, curve) == (pytest.approx((logit - 4.2) / 1.1**2), pytest.approx(1 / 1.1**2))
    value, slope, curve = fraction_penalty(Normal(0.3, 0.2), logit)
    assert value == pytest.approx(-float(stats.norm(0.3, 0.2).logpdf(x)) - math.log(rate))
    assert slope == pytest.approx((x - 0.3) / 0.2**2 * rate + 2 * x - 1)
    assert curve == pytest.approx(2 * rate + (rate / 0.2) ** 2)
    value, slope, curve = fraction_penalty(Above(0.3, 0.2, 0.9), logit)
    z = (x - 0.3) / 0.2
    hazard = float(stats.norm.pdf(z) / stats.norm.cdf(z))
    assert value == pytest.approx(math.log(0.6) - float(stats.norm.logcdf(z)) - math.log(rate))
    assert slope == pytest.approx(2 * x - 1 - hazard / 0.2 * rate)
    assert curve == pytest.approx(2 * rate + hazard * (hazard + z) * (rate / 0.2) ** 2)
    value, slope, curve = level_penalty(Normal(-1.2, 0.4), logit)
    assert value == pytest.approx(-float(stats.norm(-1.2, 0.4).logpdf(logit)))
    assert (slope, curve) == (pytest.approx((logit + 1.2) / 0.4**2), pytest.approx(1 / 0.4**2))

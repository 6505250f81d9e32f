"""Cells at the control's level, and how far healthy people differ: closed forms."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.assay.call_limits import MixtureLimits, OddsLimits
from cd40l_flow.assay.limits import Limits
from cd40l_flow.decision.compare import compare
from cd40l_flow.mixture.histogram import centres
from cd40l_flow.mixture.hypotheses import MOSAIC, NORMAL, Above, People, hypotheses
from cd40l_flow.mixture.model import Anchor
from cd40l_flow.mixture.prior import NOTHING_KNOWN
from helpers.by_hand.cases import BINS, HEALTHY, LENT, limits

BRIGHT = centres(BINS) > 0.6


def in_bins(below: float, above: float) -> np.ndarray:
    """Return counts with so many cells below the control's tenth percentile of positives, and so many above it."""
    return np.where(BRIGHT, above / BRIGHT.sum(), below / (~BRIGHT).sum())


@pytest.mark.parametrize(("dark", "expected"), [(0.0, 400.0), (0.05, 350.0), (0.4, 0.0), (0.5, -100.0)])
def test_bright_cells_are_those_that_the_background_does_not_explain(dark: float, expected: float) -> None:
    """Of 1000 cells 400 lie at the control's level; so do a part of the background's, which are no expressing cells."""
    background = Anchor(in_bins(2000 * (1 - dark), 2000 * dark), "isotype", ("isotype.fcs",), exact=True)
    sample = replace(HEALTHY, events=1000, counts=in_bins(600, 400), anchor=background, positive=None)
    found = compare(sample, replace(LENT, positive_low_scaled=0.6), limits(), by_fit=False)
    assert found.bright_events == pytest.approx(expected)


def people(negative: float = 0.10, error: float = 0.0, **changes: float) -> People:
    """Return how a sample may differ from a control of a laboratory like most others."""
    of_mixture = {name: changes.pop(name) for name in MixtureLimits.__struct_fields__ if name in changes}
    chosen = Limits(mixture=MixtureLimits(**of_mixture), odds=OddsLimits(**changes))
    control = replace(LENT, negative_fraction=negative, negative_fraction_sd=error, prior=NOTHING_KNOWN)
    found = People.of(control, chosen)
    assert found is not None
    return found


def test_a_mosaic_begins_where_few_healthy_people_lie() -> None:
    """At the limit of blank: 1 % of healthy people lie above 2.33 SD (CLSI EP17), of the expressing cells."""
    found = people(smallest_mosaic=1.0)
    assert found.blank == pytest.approx(2.33 * found.negative_sd / (1 - found.negative))
    # That of one control and one sample of one laboratory lies between a person's SD and that of a difference.
    assert 0.04 < found.negative_sd < math.sqrt(2) * 0.04
    # However far people may differ, a mosaic as small as this must be seen.
    assert people(smallest_mosaic=0.05).blank == pytest.approx(0.05)


def test_the_hypothesis_of_a_mosaic_begins_at_the_limit_of_blank() -> None:
    found = people(smallest_mosaic=1.0)
    said = hypotheses(found, 5000, -3.0, limits())
    mosaic = said[MOSAIC].negative
    assert isinstance(mosaic, Above)
    # A mutant fraction f takes that share of the cells that would express.
    assert 1 - (1 - mosaic.low) / (1 - found.negative) == pytest.approx(found.blank)
    assert mosaic.sd == pytest.approx(found.negative_sd)
    assert said[NORMAL].negative.sd == pytest.approx(found.negative_sd)
    # At most so many are negative that 2 % of the cells, or 50 of them, are left to express.
    assert said[MOSAIC].most_negative == pytest.approx(0.98)
    assert hypotheses(found, 500, -3.0, limits())[MOSAIC].most_negative == pytest.approx(0.90)

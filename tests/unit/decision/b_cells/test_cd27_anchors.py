"""What fixes CD27- B cells, against drawn cells of which it is known which are CD27+."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cd40l_flow.assay.memory_b.reagents import FMO_CD27
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.b_cells.cd27 import prior_of
from cd40l_flow.decision.b_cells.cd27_anchors import BRIGHT, Anchor, _half_normal_sd, cd27_anchors, dimmest
from cd40l_flow.mixture.histogram import centres
from cd40l_flow.mixture.signal_law import SignalParameters
from cd40l_flow.signal.scale import Scale
from helpers.by_hand.gated_tubes import normal

BINS = 256
SCALE = Scale(262144.0, 0.6, 4.5, 0.0, "test")
LAW = SignalParameters(level=math.log(3000.0), log_spread=math.log(0.45), skew=0.0)


def scaled(values: Floats) -> Floats:
    return np.asarray(SCALE.forward(values), dtype=np.float64)


def cells(naive: int, memory: int, *, pile: float | None = None) -> tuple[Floats, Floats]:
    """Return naive cells with a dim, skewed signal, and CD27+ ones, logicle values; piled up at a channel value."""
    random = np.random.default_rng([naive, memory])
    dark = 80 * random.standard_normal(naive) + 150 * random.exponential(1.0, naive)
    bright = np.exp(random.normal(LAW.level, math.exp(LAW.log_spread), memory)) + 80 * random.standard_normal(memory)
    if pile is not None:
        dark, bright = np.maximum(dark, pile), np.maximum(bright, pile)
    return scaled(dark), scaled(bright)


def above(anchor: Anchor, at: float) -> float:
    """Return the share of an anchor's cells above a logicle value."""
    return float(anchor.counts[centres(BINS) > at].sum() / anchor.counts.sum())


@pytest.mark.parametrize("pile", [None, 30.0])
def test_igd_cells_are_freed_of_memory_and_keep_their_own_tail(pile: float | None) -> None:
    """A naive peak is skewed, or piled up at the detector's end: a mirrored lower half would be too narrow."""
    naive, memory = cells(8000, 800, pile=pile)
    floor = None if pile is None else SCALE.to_scaled(pile)
    (anchor,) = cd27_anchors(np.empty(0), np.concatenate((naive, memory)), BINS, floor, LAW, SCALE)

    assert anchor.source == BRIGHT and not anchor.exact
    for quantile in (0.6, 0.8, 0.9, 0.95):
        at = float(np.quantile(naive, quantile))
        assert above(anchor, at) == pytest.approx(1 - quantile, abs=0.02), quantile
    assert above(anchor, float(np.median(memory))) < 0.002


@pytest.mark.parametrize("dark", [0.0, 500.0])
def test_few_memory_cells_lie_below_where_they_begin(dark: float) -> None:
    """Of the law's cells one in forty does, whatever the light of cells without CD27; with a short lower tail fewer."""
    random = np.random.default_rng(5)
    drawn = dark + np.exp(random.normal(LAW.level, math.exp(LAW.log_spread), 20_000))
    begin = dimmest(LAW, SCALE, SCALE.to_scaled(dark), 0.025)
    assert float(np.mean(scaled(drawn) < begin)) == pytest.approx(0.025, abs=0.004)
    skewed = SignalParameters(LAW.level, LAW.log_spread, skew=0.9)
    assert dimmest(skewed, SCALE, SCALE.to_scaled(dark), 0.025) > begin


def test_where_memory_begins_within_the_peak_its_lower_half_stands_for_both() -> None:
    naive, memory = cells(4000, 400)
    both = np.concatenate((naive, memory))
    dim = SignalParameters(math.log(30.0), LAW.log_spread, 0.0)
    (within,) = cd27_anchors(np.empty(0), both, BINS, None, dim, SCALE)
    (unknown,) = cd27_anchors(np.empty(0), both, BINS, None, None, SCALE)
    assert np.array_equal(within.counts, unknown.counts)


def test_an_fmo_darker_than_every_cell_is_left_out() -> None:
    naive, _ = cells(4000, 0)
    like = cd27_anchors(naive[:1000], naive[1000:], BINS, None, None, SCALE)
    assert [anchor.source for anchor in like] == [FMO_CD27, BRIGHT]
    (alone,) = cd27_anchors(naive[:1000] - 0.2, naive[1000:], BINS, None, None, SCALE)
    assert alone.source == BRIGHT


def test_where_hardly_any_naive_cells_are_left_the_fmo_alone_tells() -> None:
    """Old donors and patients may have CD27 on nearly all IgD+ cells."""
    naive, memory = cells(4000, 3000)
    (alone,) = cd27_anchors(naive[:1000], np.concatenate((naive[1000:1200], memory)), BINS, None, LAW, SCALE)
    assert alone.source == FMO_CD27 and alone.exact


@pytest.mark.parametrize(
    ("fmo", "bright", "sources"),
    [
        (20, 30, [FMO_CD27, BRIGHT]),
        (20, 29, [FMO_CD27]),
        (19, 30, [BRIGHT]),
        (19, 20, [BRIGHT]),
        (19, 19, []),
    ],
)
def test_few_cells_are_no_anchor(fmo: int, bright: int, sources: list[str]) -> None:
    """Twenty of a background, thirty beside the FMO's."""
    naive = scaled(normal(200, 150.0, 80.0))
    drawn = [np.random.default_rng(number).permutation(naive) for number in (1, 2)]
    found = cd27_anchors(drawn[0][:fmo], drawn[1][:bright], BINS, None, None, SCALE)
    assert [anchor.source for anchor in found] == sources


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_the_sd_of_half_a_normal_peak_that_is_cut(part: float) -> None:
    """Of cells that reach as far as the cut, the SD is that of the whole peak."""
    whole = np.abs(normal(20_000, 0.0, part * 0.3))
    assert _half_normal_sd(whole[whole <= 0.3], 0.3) == pytest.approx(part * 0.3, rel=0.01)


def test_cells_that_hardly_fall_towards_the_cut_tell_no_sd() -> None:
    even = np.linspace(0, 0.3, 500)
    assert _half_normal_sd(even, 0.3) is None
    wide = np.abs(normal(20_000, 0.0, 0.9 * 0.3))
    assert _half_normal_sd(wide[wide <= 0.3], 0.3) is None
    few = np.abs(normal(20, 0.0, 0.1))
    assert _half_normal_sd(few, 0.3) is not None
    assert _half_normal_sd(few[:19], 0.3) is None


def test_a_control_lends_its_law_of_cd27_or_nothing() -> None:
    """Level, ln spread, skewness and electron with their errors, and what two people's memory cells differ by."""
    covariance = np.arange(9.0).reshape(3, 3)
    found = prior_of((7.0, -0.8, 0.1, 0.2, *covariance.ravel()))
    assert found is not None
    assert found.centre == SignalParameters(7.0, -0.8, 0.1, 0.2) and found.level_sd == 0.35
    np.testing.assert_allclose(found.covariance, covariance + np.diag((0.1**2, 0.15**2, 0.0)))
    assert prior_of(()) is None
    assert prior_of((7.0,) * 12) is prior_of((7.0,) * 14) is None

"""The shares of the subsets of B cells, by the mixture of CD27 in groups by IgD and IgM."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.memory_b.reagents import FMO_CD27
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.b_cells.cd27 import Cd27, fit_cd27, prior_of, shape_of
from cd40l_flow.decision.b_cells.cd27_anchors import BRIGHT, FEWEST_ANCHOR, Anchor, cd27_anchors
from cd40l_flow.decision.b_cells.cells import PooledCells, b_cells_of, counted_share, tubes_of
from cd40l_flow.decision.b_cells.measures import MemoryControl, Share
from cd40l_flow.decision.b_cells.sides import (
    IGD_NEGATIVE,
    IGD_POSITIVE,
    IGM_NEGATIVE,
    IGM_POSITIVE,
    Leak,
    Sides,
    gate_errors,
    groups_of,
    igm_leak,
)
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.prior import Prior
from cd40l_flow.mixture.proportion import Z95, wilson
from cd40l_flow.signal.acquisition import Mask
from cd40l_flow.signal.scale import Scale

FEWEST_TO_FIT = 20
# How far, of the scale, few naive cells may leave the boundary of CD27 too low; default, not validated.
FEW_KNOW, FEW_NAIVE = 0.05, 100
# By itself a share is in doubt by so much, as no law is exactly that of the cells; and where CD27 separates them by
# less than this D, by so much more for each unit of D (benchmarks/memory_others.md).
SHAPE_DOUBT, DIM, DIM_DOUBT = 0.04, 2.5, 0.05
# Share of the IgD+ cells, nearly all naive, that a background's shape may misplace, however many there are: the
# antibody that sticks to each of them is not in an FMO (the same page).
ANCHOR_DOUBT = 0.005
UNKNOWN = Share(None, None, None, 0)


@dataclass(frozen=True)
class Shares:
    """The shares of one sample, percents of B cells, and the fit that they come from."""

    naive: Share = UNKNOWN
    non_switched: Share = UNKNOWN
    switched: Share | None = None
    two_marker: Share = UNKNOWN
    igm_only: Share | None = None
    double_negative: Share = UNKNOWN
    plasmablasts: Share | None = None
    separation: float | None = None
    background: str = ""
    converged: bool = False
    shape: tuple[float, ...] = ()


def shares_of(
    gated: GatedSample, cells: PooledCells, sides: Sides, control: MemoryControl | None, limits: Limits
) -> Shares:
    """Return the shares of B cells, ``cells``, whose sides are known; few cells, or without an anchor, are counted."""
    groups = groups_of(sides)
    counted = {name: int((mask & sides.memory).sum()) for name, mask in groups.items()}
    below = {name: int((mask & ~sides.memory).sum()) for name, mask in groups.items()}
    found = Shares(
        naive=counted_share(below[IGD_POSITIVE], cells.count),
        non_switched=counted_share(counted[IGD_POSITIVE], cells.count),
        switched=counted_share(counted[IGM_NEGATIVE], cells.count) if IGM_NEGATIVE in counted else None,
        two_marker=counted_share(counted[IGD_NEGATIVE], cells.count),
        igm_only=counted_share(counted[IGM_POSITIVE], cells.count) if IGM_POSITIVE in counted else None,
        double_negative=counted_share(below[IGD_NEGATIVE], cells.count),
        plasmablasts=None if sides.plasmablast is None else counted_share(int(sides.plasmablast.sum()), cells.count),
    )
    inputs = _Inputs(gated, cells, sides, None if control is None else prior_of(control.cd27_shape), limits)
    if cells.count < FEWEST_TO_FIT or not inputs.anchors:
        return found
    return _fitted(found, inputs, groups)


@dataclass(frozen=True)
class _Inputs:
    gated: GatedSample
    cells: PooledCells
    sides: Sides
    prior: Prior | None
    limits: Limits

    @property
    def _detector(self) -> str:
        return self.cells.tubes[0].signal.events.markers["CD27"]

    @property
    def scale(self) -> Scale:
        """The scale of CD27."""
        return self.gated.scales[self._detector]

    @cached_property
    def values(self) -> Floats:
        """Logicle values of CD27, (cells,)."""
        return self.cells.scaled("CD27")

    @cached_property
    def anchors(self) -> tuple[Anchor, ...]:
        """What fixes CD27- cells: the FMO's B cells, and IgD+ cells of the sample itself."""
        fmo = b_cells_of(tubes_of(self.gated, FMO_CD27))
        dark = fmo.scaled("CD27") if fmo.stained("CD27") else np.empty(0)
        ends = (tube.signal.floors.get(self._detector) for tube in (*self.cells.tubes, *fmo.tubes))
        floors = [end for end in ends if end is not None]
        floor = self.scale.to_scaled(max(floors)) if floors else None
        igd, bins = self.values[self.sides.igd], self.limits.mixture.bins
        if self.prior is not None:
            law = self.prior.centre
        elif igd.size < FEWEST_ANCHOR or not self.sides.igd_negative.any():
            law = None
        else:
            # Without a control, IgD- cells together with all IgD+ ones show where CD27+ cells begin.
            whole = Anchor(histogram(igd, bins), BRIGHT, False, floor)
            law = self.fit({IGD_NEGATIVE: self.sides.igd_negative}, whole).fit.positive
        return cd27_anchors(dark, igd, bins, floor, law, self.scale)

    def fit(self, groups: Mapping[str, Mask], anchor: Anchor | None = None) -> Cd27:
        """Return the mixture of some groups, by the first anchor or another one."""
        parts = {name: self.values[mask] for name, mask in groups.items()}
        apart = IGD_POSITIVE if IGD_POSITIVE in groups else ""
        return fit_cd27(
            parts, self.cells.count, anchor or self.anchors[0], self.scale, self.prior, self.limits, apart=apart
        )


def _fitted(counted: Shares, inputs: _Inputs, groups: Mapping[str, Mask]) -> Shares:
    """Return counted shares with those of the mixture in their place.

    With two anchors a share is the mean of what they give.
    """
    few = inputs.anchors[0].source == BRIGHT and int(inputs.sides.igd.sum()) < FEW_NAIVE
    errors = gate_errors(inputs.cells, FEW_KNOW if few else 0.0)
    total = inputs.cells.count
    by_igd = {name: groups[name] for name in (IGD_POSITIVE, IGD_NEGATIVE)}
    two = inputs.fit(by_igd)
    others = [inputs.fit(by_igd, anchor) for anchor in inputs.anchors[1:]]

    def error(fit: Cd27, name: str, fraction: float) -> float:
        of_shape = fraction * (SHAPE_DOUBT + DIM_DOUBT * max(DIM - fit.fit.separation, 0.0))
        of_anchor = ANCHOR_DOUBT if name == IGD_POSITIVE else 0.0
        return math.hypot(errors[name], math.hypot(of_shape, of_anchor) * fit.cells[name] / total)

    def positive(fit: Cd27, name: str, share: Share) -> Share:
        group = IGD_POSITIVE if name == IGD_POSITIVE else IGD_NEGATIVE
        factor = _of_anchors([1 - each.negative_fraction(group) for each in (two, *others)])
        return _scaled(
            fit.positive(name, share.events, error(fit, name, 1 - fit.negative_fraction(name))), factor, total
        )

    def negative(fit: Cd27, name: str, share: Share) -> Share:
        factor = _of_anchors([each.negative_fraction(name) for each in (two, *others)])
        return _scaled(fit.negative(name, share.events, error(fit, name, fit.negative_fraction(name))), factor, total)

    best, switched, igm_only = two, None, None
    if counted.switched is not None and counted.igm_only is not None:
        best = inputs.fit({name: groups[name] for name in (IGD_POSITIVE, IGM_NEGATIVE, IGM_POSITIVE)})
        switched, igm_only = put_right(
            positive(best, IGM_NEGATIVE, counted.switched),
            positive(best, IGM_POSITIVE, counted.igm_only),
            igm_leak(inputs.cells, inputs.sides),
            total,
        )
    return replace(
        counted,
        naive=negative(best, IGD_POSITIVE, counted.naive),
        non_switched=positive(best, IGD_POSITIVE, counted.non_switched),
        switched=switched,
        two_marker=positive(two, IGD_NEGATIVE, counted.two_marker),
        igm_only=igm_only,
        double_negative=negative(two, IGD_NEGATIVE, counted.double_negative),
        separation=best.fit.separation,
        background=inputs.anchors[0].source,
        converged=best.fit.converged and two.fit.converged,
        shape=shape_of(best.fit),
    )


def _of_anchors(fractions: Sequence[float]) -> float:
    """Return the mean of a fraction by several anchors over that by the first."""
    return sum(fractions) / len(fractions) / fractions[0] if fractions[0] > 0 else 1.0


def _scaled(share: Share, factor: float, total: int) -> Share:
    """Return a share times a factor, of which all counts as the error of the anchor."""
    if share.percent is None or factor == 1.0:
        return share
    return _moved(share, share.percent * factor, total, 1.0)


def put_right(without: Share, with_it: Share, leak: Leak, total: int) -> tuple[Share, Share]:
    """Return two shares, of cells without a marker and with it, corrected for the cells that its boundary misplaces.

    Of the true shares S and M, S (1 - a) + M b lie below the boundary, with a and b the leak. Half of what this changes
    counts as its error.
    """
    if without.percent is None or with_it.percent is None:
        return without, with_it
    a, b = leak.negative, leak.positive
    scale = 1 - a - b
    lows = ((1 - b) * without.percent - b * with_it.percent) / scale
    highs = ((1 - a) * with_it.percent - a * without.percent) / scale
    return _moved(without, lows, total, 0.5), _moved(with_it, highs, total, 0.5)


def _moved(share: Share, percent: float, total: int, doubt: float) -> Share:
    """Return a share with another percent, its interval moved along; ``doubt`` times the way is a standard error."""
    if share.percent is None or share.low is None or share.high is None:
        return share
    percent = min(max(percent, 0.0), 100.0)
    way = percent - share.percent
    far = Z95 * doubt * abs(way)
    least, most = (100 * end for end in wilson(percent / 100, total))
    low = min(percent - math.hypot(share.percent - share.low, far), least)
    high = max(percent + math.hypot(share.high - share.percent, far), most)
    return replace(share, percent=percent, low=max(low, 0.0), high=min(high, 100.0))

"""CD27 on B cells: the shares of CD27+ cells by a mixture with one shape in every group of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.b_cells.cd27_anchors import Anchor
from cd40l_flow.decision.b_cells.measures import Share
from cd40l_flow.mixture.components import background_component
from cd40l_flow.mixture.group_share import share_interval
from cd40l_flow.mixture.histogram import bin_of, histogram
from cd40l_flow.mixture.prior import Prior
from cd40l_flow.mixture.shared_shape import SharedFit, fit_shared, profile
from cd40l_flow.mixture.signal_law import SignalParameters
from cd40l_flow.signal.scale import Scale


@dataclass(frozen=True)
class Cd27:
    """The fitted groups, by name, and the number of B cells that shares are percents of."""

    fit: SharedFit
    groups: Mapping[str, int]
    cells: Mapping[str, int]
    total: int

    def negative_fraction(self, name: str) -> float:
        """Return the fraction (0 to 1) of CD27- cells in a group."""
        return float(self.fit.negative[self.groups[name]])

    def positive(self, name: str, events: int, error: float = 0.0) -> Share:
        """Return the CD27+ cells of a group as percent of all B cells; ``events`` lie above the threshold."""
        return self._share(name, events, error, negative=False)

    def negative(self, name: str, events: int, error: float = 0.0) -> Share:
        """Return the CD27- cells of a group as percent of all B cells; ``events`` lie below the threshold."""
        return self._share(name, events, error, negative=True)

    def _share(self, name: str, events: int, error: float, *, negative: bool) -> Share:
        place = self.groups[name]
        fraction = float(self.fit.negative[place])
        found = profile(self.fit, place) if self.cells[name] else None
        if negative and found is not None:
            found = found.of_negative
        part = fraction if negative else 1 - fraction
        low, share, high = share_interval(found, part, self.cells[name], self.total, error)
        return Share(100 * share, 100 * low, 100 * high, events, 100 * events / self.total)


def fit_cd27(
    groups: Mapping[str, Floats],
    total: int,
    anchor: Anchor,
    scale: Scale,
    prior: Prior | None,
    limits: Limits,
    apart: str = "",
) -> Cd27:
    """Return the mixture of groups of B cells, name -> logicle values of CD27, (n,), of ``total`` B cells in all.

    The CD27+ cells of the group ``apart`` may be somewhat dimmer or brighter than those of the others: non-switched
    ones of real recordings are dimmer (benchmarks/memory_cells.md).
    """
    bins = limits.mixture.bins
    floor = 0 if anchor.floor is None else bin_of(anchor.floor, bins)
    background = background_component(anchor.counts, scale, floor)
    counts: Sequence[Floats] = [histogram(values, bins) for values in groups.values()]
    place = list(groups).index(apart) if apart else None
    fit = fit_shared(counts, background, prior, limits.mixture.shift_max, borrowed=not anchor.exact, apart=place)
    places = {name: place for place, name in enumerate(groups)}
    return Cd27(fit, places, {name: values.size for name, values in groups.items()}, total)


# Of ln spread, of skewness and of ln level, between two people's memory cells; default, not validated.
SHAPE_BETWEEN, LEVEL_BETWEEN = (0.1, 0.15), 0.35
SHAPE_NUMBERS = 13


@dataclass(frozen=True)
class StainPrior(Prior):
    """The prior of CD27+ cells from a control that was stained with the sample, so that levels differ little."""

    @property
    def level_sd(self) -> float:
        """The SD of the ln level between two people of one stain."""
        return LEVEL_BETWEEN


def shape_of(fit: SharedFit) -> tuple[float, ...]:
    """Return the shape of the CD27+ cells as a control provides it: level, ln spread, skewness, electron, then the
    covariance of the last three, (9,).
    """
    law, first = fit.positive, fit.problem.first_common
    # The shift and the level come first.
    covariance = np.linalg.inv(fit.information)[first + 2 : first + 5, first + 2 : first + 5]
    return (law.level, law.log_spread, law.skew, law.electron, *(float(value) for value in covariance.ravel()))


def prior_of(shape: tuple[float, ...]) -> Prior | None:
    """Return the prior of CD27+ cells from a control's shape (`shape_of`); None without one."""
    if len(shape) != SHAPE_NUMBERS:
        return None
    between = np.diag((*(sd**2 for sd in SHAPE_BETWEEN), 0.0))
    law = SignalParameters(shape[0], shape[1], shape[2], shape[3])
    return StainPrior(law, np.reshape(shape[4:], (3, 3)) + between)

"""The fitting problem of a mixture: binned cells, the background's shape, and the prior of the positive component.

The negative component has the shape of the background tube and may shift slightly. The positive one is the background
plus a log-skew-normal signal with a prior from the run's controls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.components import TILTS, Background
from cd40l_flow.mixture.histogram import centres, cut, piled
from cd40l_flow.mixture.prior import Prior
from cd40l_flow.mixture.scoring import GAIN, Optimum, minimise
from cd40l_flow.mixture.signal_law import BENDS, SKEW_BOUND, SignalParameters

SHIFT_SD = 0.3  # of the background's shift, in robust SD: as a uniform shift of up to half a robust SD either way
# A borrowed background may be shifted more, and its shape counts as that of at most this many cells.
BORROWED_SHIFT_SD, BORROWED_CELLS = 0.6, 200.0
NEAREST = 1.0  # the smallest geometric mean of a positive signal, in robust SD of the background
LOGIT_BOUND = 9.0
SPREAD_BOUNDS = (0.1, 1.5)  # of the log signal's standard deviation
# Share of outliers (doublets, debris), spread over all bins; it bounds the influence of a single cell.
STRAY = 1e-4
LEVEL = 2  # index of the level among the parameters
ANCHORED = 6  # number of parameters without the tilts of the background's shape
PARAMETERS = ANCHORED + TILTS
LARGEST = np.array((2.0, 0.5, 1.0, 0.4, 0.4, 0.4, *(TILTS * (0.1,))))  # steps of the parameters, in their order
TILT_BOUND = 0.3
BEND_BOUND, LARGEST_BEND = 3.0, 0.5
ROUGHLY = 0.5  # expected gain in log likelihood at which starts are compared
# Bins are computed up to the highest one with (part of) a cell, times a factor of three.
NO_CELL, MARGIN, ROUND = 1e-3, 0.08, 16
LEVELS = 9  # tried by the search for a start


@dataclass(frozen=True)
class Kinds:
    """The two kinds of cells: probabilities of the seen bins, (seen,), and their derivatives, (parameters, seen).

    ``by_shift``, (2, seen), is of both kinds; ``by_width``, (seen,), what the negative one gains by light that comes
    with a shift; ``by_tilt``, (3, seen), is of the negative kind, ``by_law`` of the positive one.
    """

    negative: Floats
    positive: Floats
    by_shift: Floats
    by_width: Floats
    by_tilt: Floats
    by_law: Floats


@dataclass(frozen=True)
class Problem:
    """Counts to explain, the background, and the prior of the positive component."""

    counts: Floats
    background: Background
    prior: Prior
    shift_max: float
    weight: float | None = None  # logit of a fixed negative fraction, for profiles
    borrowed: bool = False  # whether the background is not of the sample's own tube
    bending: Floats | None = None  # covariance of the bends, (8, 8), where they are free: 8 parameters more at the end

    @cached_property
    def seen(self) -> tuple[Floats, Background]:
        """Counts, (seen,), and background without the bins far above all cells and the prior level."""
        bins, scale = self.counts.size, self.background.scale
        level = scale.to_scaled(min(math.exp(self.known.centre.level), scale.t))
        above = np.cumsum((self.counts + self.background.counts)[::-1])[::-1]
        top = max(int(np.searchsorted(centres(bins), level)), int(np.count_nonzero(above > NO_CELL)))
        last = min(math.ceil((top + MARGIN * bins) / ROUND) * ROUND, bins)
        return piled(cut(self.counts, last), self.background.floor), self.background.upto(last)

    @cached_property
    def known(self) -> Prior:
        """The prior, with its level from the background without a control."""
        return self.prior.with_level_above(self.background.linear_sd)

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the lower and upper bounds of the parameters, (9,) each."""
        logit = (-LOGIT_BOUND, LOGIT_BOUND) if self.weight is None else (self.weight, self.weight)
        faint = math.log(NEAREST * self.background.linear_sd)
        pairs = (
            logit,
            (-self.shift_max, self.shift_max),
            (faint, max(math.log(self.background.scale.t), faint + 1)),
            (math.log(SPREAD_BOUNDS[0]), math.log(SPREAD_BOUNDS[1])),
            (-SKEW_BOUND, SKEW_BOUND),
            self.background.electron_bounds,
            *(TILTS * ((-TILT_BOUND, TILT_BOUND),)),
        )
        low, high = np.array((*pairs, *(self._bends * ((-BEND_BOUND, BEND_BOUND),)))).T
        return low, high

    @property
    def _bends(self) -> int:
        """Number of free bends."""
        return 0 if self.bending is None else BENDS.size

    @property
    def longest(self) -> Floats:
        """Longest steps of the parameters."""
        return np.append(LARGEST, self._bends * (LARGEST_BEND,))

    def with_bends(self, bends: tuple[float, ...]) -> Problem:
        """Return the problem with bends fixed at (8,), or without bends."""
        centre = replace(self.prior.centre, bends=bends)
        return replace(self, prior=replace(self.prior, centre=centre), bending=None)

    def law(self, theta: Floats) -> SignalParameters:
        """Return the signal distribution at parameters; bends are those of the prior unless free."""
        bends = self.prior.centre.bends if self.bending is None else tuple(float(v) for v in theta[PARAMETERS:])
        level, log_spread, skew, electron = (float(v) for v in theta[2:ANCHORED])
        return SignalParameters(level, log_spread, skew, electron, bends)

    def kinds(self, theta: Floats) -> Kinds:
        """Return the two kinds of cells at the parameters, of which the weight does not matter."""
        shift = float(theta[1])
        law = self.law(theta)
        background = self.seen[1]
        p1, p1_slopes = background.positive(law, bending=self.bending is not None)
        widening = background.widening(law.electron)
        p0, p0_slopes = background.tilted(theta[ANCHORED:PARAMETERS] + shift * widening)
        moved, by_shift = background.move(np.vstack((p0, p1, p0_slopes, p1_slopes)), shift, 2)
        p0, p1 = np.maximum(moved[:2], 0.0)
        by_tilt, by_law = moved[2 : 2 + TILTS], moved[2 + TILTS :]
        return Kinds(p0, p1, by_shift, widening @ by_tilt, by_tilt, by_law)

    def components(self, theta: Floats) -> tuple[Floats, Floats]:
        """Return the probability of each seen bin, (seen,), and its derivatives by the parameters, (9, seen)."""
        return self.weighed(theta, self.kinds(theta))

    def weighed(self, theta: Floats, kinds: Kinds) -> tuple[Floats, Floats]:
        """Return `components` of kinds of cells that are known at the parameters."""
        logit, shift = (float(v) for v in theta[:2])
        background = self.seen[1]
        negative = 1 / (1 + math.exp(-logit))
        p0, p1, by_shift = kinds.negative, kinds.positive, kinds.by_shift
        by_width, by_tilt, by_law = kinds.by_width, kinds.by_tilt, kinds.by_law
        slopes = np.empty((theta.size, p0.size))
        slopes[0] = negative * (1 - negative) * (p0 - p1)
        slopes[1] = negative * (by_shift[0] + by_width) + (1 - negative) * by_shift[1]
        slopes[2:ANCHORED] = (1 - negative) * by_law[: ANCHORED - 2]
        slopes[ANCHORED - 1] += negative * shift * by_width
        slopes[ANCHORED:PARAMETERS] = negative * by_tilt
        slopes[PARAMETERS:] = (1 - negative) * by_law[ANCHORED - 2 :]
        p = (1 - STRAY) * (negative * p0 + (1 - negative) * p1) + STRAY / self.counts.size
        return piled(p, background.floor, STRAY / self.counts.size), piled((1 - STRAY) * slopes, background.floor)

    def objective(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Return minus the penalised log likelihood, its gradient and the expected information at the parameters."""
        p, slopes = self.components(theta)
        counts, background = self.seen
        ratio = counts / p
        value = -float(counts @ np.log(p))
        gradient = -(slopes @ ratio)
        information = (slopes / p) @ slopes.T * max(float(counts.sum()), 1.0)
        return self.with_priors(theta, value, gradient, information)

    def with_priors(
        self, theta: Floats, value: float, gradient: Floats, information: Floats
    ) -> tuple[float, Floats, Floats]:
        """Return minus a log likelihood, its gradient and information, which are changed, with those of the priors."""
        background = self.seen[1]
        shift = float(theta[1])
        shift_sd = BORROWED_SHIFT_SD if self.borrowed else SHIFT_SD
        value += 0.5 * (shift / shift_sd) ** 2
        gradient[1] += shift / shift_sd**2
        information[1, 1] += 1 / shift_sd**2
        known, known_slope, known_curve = self.known.penalty(theta[2:ANCHORED])
        gradient[2:ANCHORED] += known_slope
        information[2:ANCHORED, 2:ANCHORED] += known_curve
        tube = float(background.counts.sum())
        tube = min(tube, BORROWED_CELLS) if self.borrowed else tube
        tilt = theta[ANCHORED:PARAMETERS]
        value += 0.5 * tube * float(tilt @ tilt)
        gradient[ANCHORED:PARAMETERS] += tube * tilt
        information[range(ANCHORED, PARAMETERS), range(ANCHORED, PARAMETERS)] += tube
        if self.bending is not None:
            away = theta[PARAMETERS:] - self.prior.bends
            precision = np.linalg.inv(self.bending)
            value += 0.5 * float(away @ precision @ away)
            gradient[PARAMETERS:] += precision @ away
            information[PARAMETERS:, PARAMETERS:] += precision
        return value + known, gradient, information

    def solve(self, *starts: Floats, gain: float = GAIN) -> Optimum:
        """Return the best parameters from several starts, to ``gain`` in log likelihood; inferior or duplicate searches
        stop early.
        """
        bounds = self.bounds()
        if len(starts) == 1:
            return minimise(self.objective, starts[0], *bounds, self.longest, gain)
        found: list[Optimum] = []
        for start in starts:
            near = min((one.value for one in found), default=math.inf) + 2 * ROUGHLY
            found.append(minimise(self.objective, start, *bounds, self.longest, ROUGHLY, near))
        best = min(found, key=lambda one: one.value)
        ends = [minimise(self.objective, best.theta, *bounds, self.longest, gain)]
        for one in found:
            away = one.theta - best.theta
            # Two searches with at most ROUGHLY to gain towards one maximum are no further apart than this.
            apart = float(away @ best.information @ away) > 8 * ROUGHLY
            if apart and one.value < best.value + 2 * ROUGHLY:
                ends.append(minimise(self.objective, one.theta, *bounds, self.longest, gain))
        return min(ends, key=lambda end: end.value)


def find_starts(problem: Problem) -> list[Floats]:
    """Return the two best starts of a coarse grid of levels and weights, at the prior's shape."""
    (counts, background), centre = problem.seen, problem.known.centre
    low, high = problem.bounds()
    levels = np.linspace(low[2], high[2], LEVELS + 1)[:-1]
    levels = np.append(levels, np.clip(centre.level, low[2], high[2]))
    p0 = background.smooth
    p1 = background.positives([replace(centre, level=float(level)) for level in levels])
    logits = np.array((-4.0, -2.0, -0.7, 0.7, 2.0, 4.0) if problem.weight is None else (problem.weight,))
    weights = 1 / (1 + np.exp(-logits))
    p = weights[:, None, None] * p0 + (1 - weights[:, None, None]) * p1
    values = np.log((1 - STRAY) * p + STRAY / problem.counts.size) @ counts
    best = np.max(values, axis=0)
    # The two best non-adjacent levels: a bright population, and a dim one that a bright start would miss.
    order = np.argsort(-best, kind="stable")
    first = order[0]
    apart = next((k for k in order[1:] if abs(levels[k] - levels[first]) > 1.0), order[-1])
    shape = (centre.log_spread, centre.skew, centre.electron)
    return [
        np.array([logits[np.argmax(values[:, k])], 0.0, levels[k], *shape, *(TILTS * (0.0,))])
        for k in dict.fromkeys((int(first), int(apart)))
    ]

"""Several groups of cells with one mixture: the same two kinds of cells, in other shares in each group.

Both kinds are those of the anchored mixture (`fit`): the background's shape, and the background plus a log-skew-normal
signal. A group with few positive cells borrows their shape from the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.components import Background, ashman_d
from cd40l_flow.mixture.histogram import centres, cut, piled
from cd40l_flow.mixture.prior import NOTHING_KNOWN, Prior
from cd40l_flow.mixture.problem import LOGIT_BOUND, PARAMETERS, Problem, find_starts
from cd40l_flow.mixture.scoring import GAIN, Optimum, minimise
from cd40l_flow.mixture.signal_law import SignalParameters

LEVEL = 2  # place of the level among the parameters of a problem
# Of the ln level of positive cells of one group over that of the others: its SD (default, not validated) and its bound.
APART_SD, MOST_APART = 0.3, 1.5
PROFILE_STEP, PROFILE_DROP = 0.8, 4.0  # steps in standard errors, down to a drop of the log likelihood that is enough
LONGEST_STEP, SHORTEST_STEP = 1.6, 0.02  # of the logit
MOST_STEPS = 12
OTHER_LEVEL = 0.3  # between two explanations of the same cells, of the ln level
PROFILE_GAIN = 1e-3  # negligible log likelihood of a point of the profile


@dataclass(frozen=True)
class SharedProblem:
    """Counts of several groups of cells, (bins,) each, to explain by the two kinds of ``problem``, whose counts are
    those of all groups together.

    Parameters are the logits of the groups' negative fractions, then how far the level of positive cells of the group
    ``apart`` (None: of no group) lies from that of the others, then those of the problem without its own logit.
    ``held`` is a group and the logit that it is held at, for profiles.
    """

    groups: tuple[Floats, ...]
    problem: Problem
    apart: int | None = None
    held: tuple[int, float] | None = None

    @property
    def count(self) -> int:
        """Number of groups."""
        return len(self.groups)

    @property
    def first_common(self) -> int:
        """The place of the first parameter that all groups have."""
        return self.count + (self.apart is not None)

    @cached_property
    def _seen(self) -> list[Floats]:
        bins, floor = self.problem.seen[0].size, self.problem.background.floor
        return [piled(cut(counts, bins) if bins < counts.size else counts, floor) for counts in self.groups]

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the lower and upper bounds of the parameters."""
        low, high = self.problem.bounds()
        ends = np.full(self.first_common, LOGIT_BOUND)
        ends[self.count :] = MOST_APART
        lows, highs = -ends, ends.copy()
        if self.held is not None:
            lows[self.held[0]] = highs[self.held[0]] = self.held[1]
        return np.concatenate((lows, low[1:])), np.concatenate((highs, high[1:]))

    @property
    def longest(self) -> Floats:
        """Longest steps of the parameters."""
        steps = self.problem.longest
        own = np.full(self.first_common, steps[0])
        own[self.count :] = steps[2]
        return np.concatenate((own, steps[1:]))

    def common(self, theta: Floats, group: int | None = None) -> Floats:
        """Return the parameters of the problem: of a group, or those that all share, with a logit of 0."""
        found = np.append(0.0, theta[self.first_common :])
        if group is not None:
            found[0] = theta[group]
        if self.apart is not None and group == self.apart:
            found[LEVEL] += theta[self.count]
        return found

    def objective(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Return minus the penalised log likelihood, its gradient and the expected information at the parameters."""
        first, common = self.first_common, self.common(theta)
        kinds = self.problem.kinds(common)
        value, slope, known = self.problem.with_priors(
            common, 0.0, np.zeros(PARAMETERS), np.zeros((PARAMETERS, PARAMETERS))
        )
        gradient = np.concatenate((np.zeros(first), slope[1:]))
        information = np.zeros((theta.size, theta.size))
        information[first:, first:] = known[1:, 1:]
        if self.apart is not None:
            value += 0.5 * (float(theta[self.count]) / APART_SD) ** 2
            gradient[self.count] += theta[self.count] / APART_SD**2
            information[self.count, self.count] += 1 / APART_SD**2
        for number, counts in enumerate(self._seen):
            own = self.common(theta, number)
            p, slopes = self.problem.weighed(own, self.problem.kinds(own) if number == self.apart else kinds)
            places = np.append(number, np.arange(first, theta.size))
            if number == self.apart:
                slopes, places = np.vstack((slopes, slopes[LEVEL])), np.append(places, self.count)
            value -= float(counts @ np.log(p))
            gradient[places] -= slopes @ (counts / p)
            information[np.ix_(places, places)] += (slopes / p) @ slopes.T * float(counts.sum())
        # A group without cells gives no information on its share.
        information[range(self.count), range(self.count)] += 1e-9
        return value, gradient, information

    def solve(self, start: Floats, gain: float = GAIN) -> Optimum:
        """Return the best parameters from a start, to a negligible gain in log likelihood."""
        return minimise(self.objective, start, *self.bounds(), self.longest, gain)


@dataclass(frozen=True)
class SharedFit:
    """The fit of several groups: ``negative``, (groups,), are their negative fractions (0 to 1).

    ``theta`` are the parameters (`SharedProblem`), ``value`` minus the penalised log likelihood, ``information`` the
    expected one, priors included. ``positive`` is the law of the positive cells, ``shift`` that of the background in
    its robust SD, ``separation`` Ashman's D of the two kinds on the logicle scale. ``kinds``, (2, bins), are their
    probabilities; ``others`` parameters that explain the cells nearly as well.
    """

    problem: SharedProblem
    theta: Floats
    value: float
    information: Floats
    negative: Floats
    positive: SignalParameters
    shift: float
    separation: float
    kinds: Floats
    converged: bool
    others: tuple[Floats, ...] = ()


def fit_shared(
    groups: Sequence[Floats],
    background: Background,
    prior: Prior | None,
    shift_max: float,
    *,
    borrowed: bool = False,
    apart: int | None = None,
) -> SharedFit:
    """Return the best mixture of binned groups, (bins,) each; arguments as of `fit.fit_mixture`.

    At least one group has cells. ``apart`` is the group whose positive cells may be somewhat brighter or dimmer than
    those of the others.
    """
    together: Floats = np.sum(groups, axis=0)
    problem = Problem(together, background, prior or NOTHING_KNOWN, shift_max, borrowed=borrowed)
    shared = SharedProblem(tuple(groups), problem, apart)
    level = np.zeros(shared.first_common - shared.count)
    starts = [np.concatenate((np.repeat(start[:1], len(groups)), level, start[1:])) for start in find_starts(problem)]
    found = sorted((shared.solve(start) for start in starts), key=lambda one: one.value)
    place = shared.first_common + LEVEL - 1
    others = [
        one.theta
        for one in found[1:]
        if one.value < found[0].value + PROFILE_DROP and abs(one.theta[place] - found[0].theta[place]) > OTHER_LEVEL
    ]
    return _fit(shared, found[0], others)


def _fit(shared: SharedProblem, optimum: Optimum, others: Sequence[Floats]) -> SharedFit:
    problem = shared.problem
    common = shared.common(optimum.theta)
    kinds = problem.kinds(common)
    p0, p1 = kinds.negative / kinds.negative.sum(), kinds.positive / kinds.positive.sum()
    bins = problem.counts.size
    grid = centres(bins)[: p0.size]
    means = [float(grid @ p) for p in (p0, p1)]
    sds = [math.sqrt(max(float((grid - mean) ** 2 @ p), 1e-12)) for mean, p in zip(means, (p0, p1), strict=True)]
    shift = float(common[1])
    background = problem.seen[1]
    return SharedFit(
        problem=shared,
        theta=optimum.theta,
        value=optimum.value,
        information=optimum.information,
        negative=1 / (1 + np.exp(-optimum.theta[: shared.count])),
        positive=problem.law(common),
        shift=shift,
        separation=ashman_d(background.median + shift * background.sd, background.sd, means[1], sds[1]),
        kinds=np.pad(np.vstack((p0, p1)), ((0, 0), (0, bins - p0.size))),
        converged=optimum.converged,
        others=tuple(others),
    )


@dataclass(frozen=True)
class Profile:
    """The profile of a group's positive fraction: ``logits``, (n,), rising, and how far the log likelihood drops there
    from its maximum, (n,).
    """

    logits: Floats
    drops: Floats

    def drop(self, positive: Floats) -> Floats:
        """Return the drop at positive fractions (0 to 1); beyond the profile it goes on as at its end.

        The signed root of the drop is nearly straight in the logit.
        """
        with np.errstate(divide="ignore"):
            logit = np.log(positive) - np.log1p(-positive)
        best = int(np.argmin(self.drops))
        side = np.where(np.arange(self.logits.size) < best, -1.0, 1.0)
        roots = side * np.sqrt(np.maximum(self.drops, 0.0))
        found = np.interp(np.clip(logit, self.logits[0], self.logits[-1]), self.logits, roots)
        # Only where the search ended within the logits that there are is the likelihood known to go on falling.
        for end, outwards in ((0, logit < self.logits[0]), (-1, logit > self.logits[-1])):
            if abs(self.logits[end]) < LOGIT_BOUND and abs(roots[end]) > 0:
                beyond = np.abs(np.clip(logit, -2 * LOGIT_BOUND, 2 * LOGIT_BOUND) - self.logits[end])
                found = np.where(outwards, np.sign(roots[end]) * (np.abs(roots[end]) + beyond), found)
        squared: Floats = found**2
        return squared

    @property
    def of_negative(self) -> Profile:
        """The profile of the negative fraction."""
        return Profile(-self.logits[::-1], self.drops[::-1])


def profile(fit: SharedFit, group: int) -> Profile:
    """Return the profile likelihood of a group's positive fraction: all other parameters are fitted anew at each."""
    inverse = np.linalg.inv(fit.information)
    error = math.sqrt(max(float(inverse[group, group]), 1e-12))
    step = min(max(PROFILE_STEP * error, SHORTEST_STEP), LONGEST_STEP)
    direction = inverse[:, group] / max(float(inverse[group, group]), 1e-12)
    least = fit.value
    values = {-float(fit.theta[group]): fit.value}
    for side in (-1, 1):
        nearest, at = [fit.theta, *fit.others], float(fit.theta[group])
        for _ in range(MOST_STEPS):
            tried = min(max(at + side * step, -LOGIT_BOUND), LOGIT_BOUND)
            if tried == at:
                break
            held = replace(fit.problem, held=(group, tried))
            optima = [held.solve(near + (tried - near[group]) * direction, PROFILE_GAIN) for near in nearest]
            nearest, at = [optimum.theta for optimum in optima], tried
            values[-tried] = min(optimum.value for optimum in optima)
            least = min(least, values[-tried])
            if values[-tried] - least > PROFILE_DROP:
                break
    logits = np.array(sorted(values))
    return Profile(logits, np.array([values[float(logit)] - least for logit in logits]))

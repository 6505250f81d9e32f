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

PROFILE_STEP, PROFILE_DROP = 0.8, 4.0  # steps in standard errors, down to a drop of the log likelihood that is enough
LONGEST_STEP, SHORTEST_STEP = 1.6, 0.02  # of the logit
MOST_STEPS = 12
PROFILE_GAIN = 1e-3  # negligible log likelihood of a point of the profile


@dataclass(frozen=True)
class SharedProblem:
    """Counts of several groups of cells, (bins,) each, to explain by the two kinds of ``problem``, whose counts are
    those of all groups together.

    Parameters are the logits of the groups' negative fractions, then those of the problem without its own. ``held`` is
    a group and the logit that it is held at, for profiles.
    """

    groups: tuple[Floats, ...]
    problem: Problem
    held: tuple[int, float] | None = None

    @cached_property
    def _seen(self) -> list[Floats]:
        bins, floor = self.problem.seen[0].size, self.problem.background.floor
        return [piled(cut(counts, bins) if bins < counts.size else counts, floor) for counts in self.groups]

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the lower and upper bounds of the parameters."""
        low, high = self.problem.bounds()
        logits = np.full(len(self.groups), LOGIT_BOUND)
        lows, highs = -logits, logits.copy()
        if self.held is not None:
            lows[self.held[0]] = highs[self.held[0]] = self.held[1]
        return np.concatenate((lows, low[1:])), np.concatenate((highs, high[1:]))

    @property
    def longest(self) -> Floats:
        """Longest steps of the parameters."""
        steps = self.problem.longest
        return np.concatenate((np.repeat(steps[:1], len(self.groups)), steps[1:]))

    def objective(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Return minus the penalised log likelihood, its gradient and the expected information at the parameters."""
        count = len(self.groups)
        common = np.append(0.0, theta[count:])
        kinds = self.problem.kinds(common)
        value, gradient, information = self.problem.with_priors(
            common, 0.0, np.zeros(PARAMETERS), np.zeros((PARAMETERS, PARAMETERS))
        )
        gradient = np.concatenate((np.zeros(count), gradient[1:]))
        whole = np.zeros((theta.size, theta.size))
        whole[count:, count:] = information[1:, 1:]
        for number, counts in enumerate(self._seen):
            common[0] = theta[number]
            p, slopes = self.problem.weighed(common, kinds)
            value -= float(counts @ np.log(p))
            places = np.append(number, np.arange(count, theta.size))
            gradient[places] -= slopes @ (counts / p)
            whole[np.ix_(places, places)] += (slopes / p) @ slopes.T * float(counts.sum())
        # A group without cells tells nothing of its share.
        whole[range(count), range(count)] += 1e-9
        return value, gradient, whole

    def solve(self, start: Floats, gain: float = GAIN) -> Optimum:
        """Return the best parameters from a start, to a negligible gain in log likelihood."""
        return minimise(self.objective, start, *self.bounds(), self.longest, gain)


@dataclass(frozen=True)
class SharedFit:
    """The fit of several groups: ``negative``, (groups,), are their negative fractions (0 to 1).

    ``theta`` are the parameters, ``value`` minus the penalised log likelihood, ``information`` the expected one, priors
    included. ``positive`` is the law of the positive cells, ``shift`` that of the background in its robust SD,
    ``separation`` Ashman's D of the two kinds on the logicle scale. ``kinds``, (2, bins), are their probabilities.
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


def fit_shared(
    groups: Sequence[Floats], background: Background, prior: Prior | None, shift_max: float, *, borrowed: bool = False
) -> SharedFit:
    """Return the best mixture of binned groups, (bins,) each; arguments as of `fit.fit_mixture`.

    At least one group has cells.
    """
    together: Floats = np.sum(groups, axis=0)
    problem = Problem(together, background, prior or NOTHING_KNOWN, shift_max, borrowed=borrowed)
    shared = SharedProblem(tuple(groups), problem)
    starts = [np.concatenate((np.repeat(start[:1], len(groups)), start[1:])) for start in find_starts(problem)]
    best = min((shared.solve(start) for start in starts), key=lambda found: found.value)
    return _fit(shared, best)


def _fit(shared: SharedProblem, optimum: Optimum) -> SharedFit:
    count = len(shared.groups)
    problem = shared.problem
    common = np.append(0.0, optimum.theta[count:])
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
        negative=1 / (1 + np.exp(-optimum.theta[:count])),
        positive=problem.law(common),
        shift=shift,
        separation=ashman_d(background.median + shift * background.sd, background.sd, means[1], sds[1]),
        kinds=np.pad(np.vstack((p0, p1)), ((0, 0), (0, bins - p0.size))),
        converged=optimum.converged,
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
        near, at = fit.theta, float(fit.theta[group])
        for _ in range(MOST_STEPS):
            tried = min(max(at + side * step, -LOGIT_BOUND), LOGIT_BOUND)
            if tried == at:
                break
            held = replace(fit.problem, held=(group, tried))
            optimum = held.solve(near + (tried - near[group]) * direction, PROFILE_GAIN)
            near, at = optimum.theta, tried
            values[-tried] = optimum.value
            least = min(least, optimum.value)
            if optimum.value - least > PROFILE_DROP:
                break
    logits = np.array(sorted(values))
    return Profile(logits, np.array([values[float(logit)] - least for logit in logits]))

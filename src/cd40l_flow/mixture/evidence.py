"""The marginal likelihood of a hypothesis, by Laplace's approximation around its best fit.

The likelihood is that of the mixture; the hypothesis adds priors of the negative fraction and of the level. Data that
the model does not fit are less informative than their number: counts are divided by the overdispersion of the best fit
(quasi-likelihood: Wedderburn 1974, doi:10.1093/biomet/61.3.439).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from cd40l_flow.assay.call_limits import OddsLimits
from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.components import TILTS
from cd40l_flow.mixture.histogram import piled
from cd40l_flow.mixture.hypotheses import (
    ABSENT,
    RESIDUAL,
    Hypothesis,
    Normal,
    People,
    fraction_penalty,
    level_law,
    level_penalty,
    log_convolved,
    log_share,
    share_law,
)
from cd40l_flow.mixture.prior import Prior
from cd40l_flow.mixture.problem import (
    ANCHORED,
    BORROWED_CELLS,
    BORROWED_SHIFT_SD,
    LARGEST,
    LEVEL,
    LOGIT_BOUND,
    PARAMETERS,
    SHIFT_SD,
    STRAY,
    Problem,
)
from cd40l_flow.mixture.scoring import Optimum, minimise

LOG_2PI = math.log(2 * math.pi)
LEAST_KEPT, MOST_KEPT = 0.03, 0.5  # of the level kept by mutant cells; above it there is no second population
FAINT_SD = 0.1  # of ln level, by which mutant cells may lie below the faintest that can be distinguished
ENOUGH = 0.02  # log likelihood to be gained at which a search ends
HOPELESS = 12.0  # distance in log density from the best hypothesis beyond which a search stops


@dataclass(frozen=True)
class Evidence:
    """The log marginal likelihood of a hypothesis, and the estimates of its two free values.

    ``value`` is minus the log density at its best fit. ``fraction`` is the negative fraction less that expected of a
    healthy sample (of a residual allele the share of mutants), ``level`` ln of the level over the control's; ``_error``
    are standard errors of the data alone, without the prior of the hypothesis. With two kinds of expressing cells
    ``below`` is the share of cells below the level of the others, negative or mutant, with its standard error.
    """

    log: float
    value: float
    fraction: float
    fraction_error: float
    level: float
    level_error: float
    kept: float | None = None
    below: tuple[float, float] | None = None


@dataclass(frozen=True)
class _LevelPrior(Prior):
    """The control's prior of the shape, with the level of the hypothesis."""

    law: Normal = Normal(0.0, 1.0)

    def penalty(self, law: Floats) -> tuple[float, Floats, Floats]:
        at = law.copy()
        at[0] = self.centre.level
        value, gradient, curvature = super().penalty(at)
        own, slope, curve = level_penalty(self.law, float(law[0]) - self.centre.level)
        gradient[0], curvature[0, :], curvature[:, 0] = slope, 0.0, 0.0
        curvature[0, 0] = curve
        return value + own, gradient, curvature


@dataclass(frozen=True)
class _Held(Problem):
    """The mixture under a hypothesis; with two kinds of expressing cells it has two parameters more.

    They are the logit of the share of expressing cells that keep only a part of the level, and ln of what they keep.
    """

    hypothesis: Hypothesis | None = None

    @property
    def priors(self) -> Hypothesis:
        assert self.hypothesis is not None
        return self.hypothesis

    @property
    def largest(self) -> Floats:
        """Longest steps of the parameters."""
        return LARGEST if self.priors.residual is None else np.append(LARGEST, (1.0, 0.4))

    def bounds(self) -> tuple[Floats, Floats]:
        low, high = super().bounds()
        most = self.priors.most_negative
        if most < 1:
            high[0] = min(high[0], math.log(most / (1 - most)))
        if self.priors.residual is None:
            return low, high
        ends = math.log(LEAST_KEPT), math.log(MOST_KEPT)
        most = self.priors.most_mutants
        most = math.log(most / (1 - most)) if most < 1 else LOGIT_BOUND
        return np.append(low, (-LOGIT_BOUND, ends[0])), np.append(high, (most, ends[1]))

    def components(self, theta: Floats) -> tuple[Floats, Floats]:
        if self.priors.residual is None:
            return super().components(theta)
        logit, shift = (float(v) for v in theta[:2])
        background = self.seen[1]
        share, kept = 1 / (1 + math.exp(-float(theta[PARAMETERS]))), float(theta[PARAMETERS + 1])
        negative = 1 / (1 + math.exp(-logit))
        own = self.law(theta)
        p1, p1_slopes = background.positive(own)
        p2, p2_slopes = background.positive(replace(own, level=own.level + kept))
        widening = background.widening(own.electron)
        p0, p0_slopes = background.tilted(theta[ANCHORED:PARAMETERS] + shift * widening)
        both, both_slopes = (1 - share) * p1 + share * p2, (1 - share) * p1_slopes + share * p2_slopes
        rows = np.vstack((p0, both, p2 - p1, p2_slopes[:1], p0_slopes, both_slopes))
        moved, by_shift = background.move(rows, shift, 2)
        p0, both = np.maximum(moved[:2], 0.0)
        apart, by_kept, by_tilt, by_law = moved[2], moved[3], moved[4 : 4 + TILTS], moved[4 + TILTS :]
        by_width = widening @ by_tilt
        slopes = np.empty((PARAMETERS + 2, p0.size))
        slopes[0] = negative * (1 - negative) * (p0 - both)
        slopes[1] = negative * (by_shift[0] + by_width) + (1 - negative) * by_shift[1]
        slopes[LEVEL:ANCHORED] = (1 - negative) * by_law
        slopes[ANCHORED - 1] += negative * shift * by_width
        slopes[ANCHORED:PARAMETERS] = negative * by_tilt
        slopes[PARAMETERS] = (1 - negative) * share * (1 - share) * apart
        slopes[PARAMETERS + 1] = (1 - negative) * share * by_kept
        p = (1 - STRAY) * (negative * p0 + (1 - negative) * both) + STRAY / self.counts.size
        return piled(p, background.floor, STRAY / self.counts.size), piled((1 - STRAY) * slopes, background.floor)

    def objective(self, theta: Floats) -> tuple[float, Floats, Floats]:
        p, slopes = self.components(theta)
        counts, background = self.seen
        value = -float(counts @ np.log(p))
        gradient = -(slopes @ (counts / p))
        information = (slopes / p) @ slopes.T * max(float(counts.sum()), 1.0)
        shift, tilt = float(theta[1]), theta[ANCHORED:PARAMETERS]
        shift_sd = BORROWED_SHIFT_SD if self.borrowed else SHIFT_SD
        tube = float(background.counts.sum())
        tube = min(tube, BORROWED_CELLS) if self.borrowed else tube
        value += 0.5 * (shift / shift_sd) ** 2 + 0.5 * tube * float(tilt @ tilt)
        gradient[1] += shift / shift_sd**2
        gradient[ANCHORED:PARAMETERS] += tube * tilt
        at = range(ANCHORED, PARAMETERS)
        information[1, 1] += 1 / shift_sd**2
        information[at, at] += tube
        shape, slope, curve = self.known.penalty(theta[LEVEL:ANCHORED])
        value += shape
        gradient[LEVEL:ANCHORED] += slope
        information[LEVEL:ANCHORED, LEVEL:ANCHORED] += curve
        for place, (own, own_slope, own_curve) in self._priors(theta):
            value += own
            gradient[place] += own_slope
            information[place, place] += own_curve
        if self.priors.residual is not None:
            level = float(theta[LEVEL] + theta[PARAMETERS + 1]) - self.known.centre.level
            lacking = max(self.priors.faintest - level, 0.0) / FAINT_SD
            if lacking:
                both = [LEVEL, PARAMETERS + 1]
                value += 0.5 * lacking**2
                gradient[both] -= lacking / FAINT_SD
                information[np.ix_(both, both)] += 1 / FAINT_SD**2
        return value, gradient, information

    def _priors(self, theta: Floats) -> list[tuple[int, tuple[float, float, float]]]:
        """Return the priors of single parameters: index, and minus the log density with its derivatives."""
        priors = self.priors
        known = [(0, fraction_penalty(priors.negative, float(theta[0])))]
        if priors.residual is not None and priors.mutants is not None:
            known.append((PARAMETERS, fraction_penalty(priors.mutants, float(theta[PARAMETERS]))))
            known.append((PARAMETERS + 1, level_penalty(priors.residual, float(theta[PARAMETERS + 1]))))
        return known


def evidence(
    problem: Problem,
    hypothesis: Hypothesis,
    healthy_negative: float,
    near: Floats,
    best: float = math.inf,
    level_error: float = 0.0,
) -> Evidence:
    """Return the evidence of a hypothesis; ``near`` are the parameters of the best fit, to start from.

    ``healthy_negative`` is the negative fraction expected of a healthy sample, ``level_error`` the standard error of
    the ln level in ``near``. The prior of the problem must include the control's level. A search that will not come
    near ``best``, minus the log density of the best hypothesis so far, stops early: its evidence is then
    underestimated, which is irrelevant compared with a much greater one.
    """
    prior = problem.prior
    law = _LevelPrior(prior.centre, prior.covariance, prior.level_known, law=hypothesis.level)
    held = _Held(
        problem.counts, problem.background, law, problem.shift_max, borrowed=problem.borrowed, hypothesis=hypothesis
    )
    low, high = held.bounds()
    start = np.clip(_start(prior, hypothesis, near, level_error), low, high)
    found = minimise(held.objective, start, low, high, held.largest, ENOUGH, best + HOPELESS)
    pressed, place = 0.0, _place(hypothesis)
    if found.theta[place] >= high[place] and min(hypothesis.most_negative, hypothesis.most_mutants) < 1:
        pressed = max(-float(held.objective(found.theta)[1][place]), 0.0)
    return _laplace(found, pressed, hypothesis, prior.centre.level, healthy_negative)


def reweighed(name: str, found: Evidence, before: People, after: People, odds: OddsLimits) -> Evidence:
    """Return the evidence of a hypothesis, found with one knowledge of healthy people, as it would be with another.

    ``odds`` is that group of the limits. Level and fraction are taken to be estimated with normal errors, so only the
    densities of their priors change. For a residual allele the prior of the cells that do not express stays: no
    estimate of their fraction is kept.
    """
    if name == ABSENT:
        return found
    fraction = found.fraction if name == RESIDUAL else found.fraction + before.negative - after.negative
    gain = 0.0
    for sign, at, people in ((-1, found.fraction, before), (1, fraction, after)):
        gain += sign * log_convolved(found.level, found.level_error**2, level_law(name, people, odds))
        gain += sign * log_convolved(at, found.fraction_error**2, share_law(name, people))
    return replace(found, log=found.log + gain, fraction=fraction)


def _start(prior: Prior, hypothesis: Hypothesis, near: Floats, level_error: float) -> Floats:
    """Return the start of the search: the best fit moved to the expectation of the hypothesis."""
    law = hypothesis.negative
    start = near.copy()
    level = float(near[LEVEL]) - prior.centre.level
    if isinstance(law, Normal):
        mean = law.mean if law.logit else math.log(law.mean / (1 - law.mean))
        start[0] = mean if law.logit else min(max(float(near[0]), mean - 0.7), mean + 0.7)
    else:
        edge = math.log(law.low / max(1 - law.low, 1e-3))
        start[0] = max(float(near[0]), edge)
    # As far from the expected level as the cells and the hypothesis, each with its error, agree on.
    known = hypothesis.level.sd**2 / (hypothesis.level.sd**2 + level_error**2)
    start[LEVEL] = prior.centre.level + hypothesis.level.mean + known * (level - hypothesis.level.mean)
    # The control's shape is a better start than that of another hypothesis.
    start[LEVEL + 1 : ANCHORED] = (prior.centre.log_spread, prior.centre.skew, prior.centre.electron)
    if hypothesis.residual is not None:
        start[LEVEL] = prior.centre.level + max(level, -0.2)
        return np.append(start, (0.0, hypothesis.residual.mean))
    return start


def _laplace(
    best: Optimum, pressed: float, hypothesis: Hypothesis, control_level: float, healthy_negative: float
) -> Evidence:
    """Return the evidence from the best fit under a hypothesis and the curvature there.

    ``pressed`` is the slope of the log likelihood at a bound of the fraction of the hypothesis.
    """
    inverse: Floats = np.linalg.inv(best.information).astype(np.float64)
    _, log_determinant = np.linalg.slogdet(best.information)
    log = -best.value + 0.5 * (best.theta.size * LOG_2PI - float(log_determinant))
    x, place = 1 / (1 + math.exp(-float(best.theta[0]))), _place(hypothesis)
    if pressed > 0:
        # At a bound only the flank of a normal distribution remains.
        flank = pressed * math.sqrt(max(float(inverse[place, place]), 1e-12))
        log += 0.5 * flank * flank + log_share(-flank)[0]
    law = hypothesis.negative if hypothesis.mutants is None else hypothesis.mutants
    share = 1 / (1 + math.exp(-float(best.theta[place])))
    known = fraction_penalty(law, float(best.theta[place]))[2]
    error = _of_cells(float(inverse[place, place]), known) * max(share * (1 - share), 1e-6)
    level_error = _of_cells(float(inverse[LEVEL, LEVEL]), 1 / hypothesis.level.sd**2)
    return Evidence(
        log=log,
        value=best.value,
        fraction=x - healthy_negative if hypothesis.mutants is None else share,
        fraction_error=error,
        level=float(best.theta[LEVEL]) - control_level,
        level_error=level_error,
        kept=None if hypothesis.residual is None else math.exp(float(best.theta[PARAMETERS + 1])),
        below=None if hypothesis.mutants is None else _below(x, share, inverse),
    )


def _below(negative: float, mutants: float, covariance: Floats) -> tuple[float, float]:
    """Return the share of cells below the level of the others, and its standard error from those of the logits.

    ``mutants`` is their share among expressing cells.
    """
    share = negative + (1 - negative) * mutants
    slopes = (1 - share) * np.array((negative, mutants))
    logits = covariance[np.ix_((0, PARAMETERS), (0, PARAMETERS))]
    return share, math.sqrt(max(float(slopes @ logits @ slopes), 1e-12))


def _place(hypothesis: Hypothesis) -> int:
    """Return the index of the logit of the fraction that a hypothesis is about: negative cells, or mutants."""
    return 0 if hypothesis.mutants is None else PARAMETERS


def _of_cells(variance: float, known: float) -> float:
    """Return a standard error without the contribution of a prior of this precision."""
    return 1 / math.sqrt(max(1 / max(variance, 1e-12) - known, 1e-4))

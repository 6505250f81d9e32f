"""The reference-anchored mixture: how many of the activated cells do not express the target.

The negative component has the shape of the background tube and may only move a little; the positive one is skew-normal;
the weight, the move and the positive shape are found by penalised maximum likelihood on binned data. Why it is
anchored: a free mixture invents a second population in healthy samples and doubles the fraction of a dim one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cd40l_flow.expression.components import Background, Positive, ashman_d
from cd40l_flow.inputs.model import Floats

# Penalties, as standard deviations of the normal they come from.
SHIFT_SD = 0.25  # of the background's shift, in robust SD of the background
WIDTH_SD = 0.25  # of the log width against the control's
SHAPE_SD = 1.5  # of the skew-normal's alpha against the control's
LOOSE = 4.0  # without a control the same penalties, this much wider, around a plain normal
NEAREST = 1.5  # a positive component lies at least this many background SD above the background
LOGIT_BOUND = 9.0
SHAPE_BOUND = 8.0
CHI2_95 = 3.841458820694124  # 95th percentile of chi-squared with 1 degree of freedom
HIGHEST = 1.05  # the highest mean of a positive component, a little above the top of the scale
# Slope of the log likelihood of a thousand cells, per step of one of their standard errors, that counts as none; it
# grows
# with the root of the cells, for so does the curvature's: what is left to gain stays a few thousandths.
FLAT = 0.05
PLAIN_WIDTH = 0.06  # width of a positive peak on the logicle scale where nothing is known


@dataclass(frozen=True)
class Fit:
    """A fitted mixture.

    ``negative_fraction`` is the weight of the background's shape (0 to 1), ``shift`` how far it moved, in robust SD of
    the background; ``log_likelihood`` is penalised; ``separation`` is Ashman's D on the fitted scale. ``expected`` are
    the expected counts of the negative and of the positive component, (2, bins).
    """

    negative_fraction: float
    shift: float
    positive: Positive
    log_likelihood: float
    converged: bool
    separation: float
    expected: Floats


@dataclass(frozen=True)
class _Problem:
    """Counts to explain, the anchor, and what the control says of the positive shape."""

    counts: Floats
    background: Background
    prior: Positive | None
    shift_max: float
    weight: float | None = None  # logit of a fixed negative fraction, for profiles

    def objective(self, theta: Floats) -> tuple[float, Floats]:
        """Return minus the penalised log likelihood and its gradient at (logit, shift, mean, log width, shape)."""
        logit, shift, mean, log_width, shape = theta
        negative = 1 / (1 + math.exp(-logit))
        p0, p0_slope = self.background.probabilities(shift * self.background.sd)
        p1, p1_slopes = Positive(mean, log_width, shape).probabilities(self.counts.size)
        p = np.maximum(negative * p0 + (1 - negative) * p1, 1e-12)
        ratio = self.counts / p
        value = -float(self.counts @ np.log(p))
        gradient = np.empty(5)
        gradient[0] = -float(ratio @ (p0 - p1)) * negative * (1 - negative)
        gradient[1] = -float(ratio @ p0_slope) * negative * self.background.sd
        gradient[2:] = -(1 - negative) * (p1_slopes @ ratio)
        centre_width, centre_shape, loose = (
            (self.prior.log_width, self.prior.shape, 1.0) if self.prior else (math.log(PLAIN_WIDTH), 0.0, LOOSE)
        )
        for index, deviation, sd in (
            (1, shift, SHIFT_SD),
            (3, log_width - centre_width, WIDTH_SD * loose),
            (4, shape - centre_shape, SHAPE_SD * loose),
        ):
            value += 0.5 * (deviation / sd) ** 2
            gradient[index] += deviation / sd**2
        if self.weight is not None:
            gradient[0] = 0.0
        return value, gradient

    def minimise(self, start: Floats) -> tuple[Floats, float, bool]:
        """Return the best parameters from a start, minus the penalised log likelihood, and whether it converged."""
        from scipy.optimize import minimize

        lowest = self.background.median + NEAREST * self.background.sd
        logit_bounds = (-LOGIT_BOUND, LOGIT_BOUND) if self.weight is None else (self.weight, self.weight)
        bounds = [
            logit_bounds,
            (-self.shift_max, self.shift_max),
            (lowest, max(HIGHEST, lowest)),
            (math.log(max(0.4 * self.background.sd, 0.004)), math.log(0.3)),
            (-SHAPE_BOUND, SHAPE_BOUND),
        ]
        low, high = np.array(bounds).T
        # One scale for all parameters: a step of 1 is about one standard error of a thousand cells.
        units = np.array([0.1, 0.1, 0.01, 0.1, 0.5])

        def scaled(u: Floats) -> tuple[float, Floats]:
            value, gradient = self.objective(u * units)
            return value, gradient * units

        result = minimize(
            scaled,
            np.clip(start, low, high) / units,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low / units, high / units, strict=True)),
            options={"maxiter": 300, "ftol": 1e-10, "gtol": 1e-5},
        )
        # At the limit of precision the line search gives up; what counts is that no step allowed could gain anything
        # more.
        theta, slope = np.asarray(result.x) * units, np.asarray(result.jac)
        held = ((slope > 0) & (theta <= low)) | ((slope < 0) & (theta >= high))
        flat = FLAT * math.sqrt(max(float(self.counts.sum()) / 1000, 1.0))
        return theta, float(result.fun), bool(np.all(np.abs(slope[~held]) < flat))


def fit_mixture(
    counts: Floats, background: Background, prior: Positive | None, shift_max: float, starts: Sequence[Floats] = ()
) -> Fit:
    """Return the best mixture of several deterministic starts.

    ``counts`` are the binned values of the sample, (bins,); ``prior`` the control's positive component or None;
    ``shift_max`` bounds the shift, in robust SD of the background. ``starts`` replaces the usual starts (for refits
    near a known solution).
    """
    problem = _Problem(counts, background, prior, shift_max)
    runs = [problem.minimise(start) for start in (starts or _starts(problem))]
    theta, value, converged = min(runs, key=lambda run: run[1])
    return _fit(problem, theta, value, converged)


def _fit(problem: _Problem, theta: Floats, value: float, converged: bool) -> Fit:
    logit, shift, mean, log_width, shape = (float(v) for v in theta)
    negative = 1 / (1 + math.exp(-logit))
    positive = Positive(mean, log_width, shape)
    background = problem.background
    total = float(problem.counts.sum())
    p0, _ = background.probabilities(shift * background.sd)
    p1, _ = positive.probabilities(problem.counts.size)
    return Fit(
        negative_fraction=negative,
        shift=shift,
        positive=positive,
        log_likelihood=-value,
        converged=converged,
        separation=ashman_d(background.median + shift * background.sd, background.sd, mean, positive.sd),
        expected=np.vstack((total * negative * p0, total * (1 - negative) * p1)),
    )


def parameters(fit: Fit) -> Floats:
    """Return a fit as the vector (logit, shift, mean, log width, shape), to start another fit from."""
    logit = math.log(fit.negative_fraction / (1 - fit.negative_fraction))
    return np.array([logit, fit.shift, fit.positive.mean, fit.positive.log_width, fit.positive.shape])


def _starts(problem: _Problem) -> list[Floats]:
    """Return starting points: positive peaks at quantiles of what lies above the background, and at the control's."""
    from cd40l_flow.expression.histogram import centres, quantile

    background, counts = problem.background, problem.counts
    above = np.where(centres(counts.size) > background.median + 2 * background.sd, counts, 0.0)
    share = float(above.sum() / max(counts.sum(), 1.0))
    negative = min(max(1 - share, 0.02), 0.98)
    width = problem.prior.log_width if problem.prior else math.log(PLAIN_WIDTH)
    # At alpha = 0 the likelihood of a skew-normal is stationary in alpha: no start may lie there.
    shapes = (-1.5, 1.5)
    if problem.prior is not None and abs(problem.prior.shape) > 0.3:
        shapes = (problem.prior.shape, -problem.prior.shape)
    peaks = [quantile(above, q) for q in (0.3, 0.6)] if share > 0 else [background.median + 4 * background.sd]
    if problem.prior is not None:
        peaks.append(problem.prior.mean)
    logit = math.log(negative / (1 - negative))
    return [np.array([logit, 0.0, peak, width, shape]) for peak in peaks for shape in shapes]


def profile_interval(
    fit: Fit, counts: Floats, background: Background, prior: Positive | None, shift_max: float
) -> tuple[float, float]:
    """Return the 95 % profile-likelihood interval of the negative fraction (sampling of the sample's cells alone).

    The likelihood is maximised over all else at fixed fractions, found where it falls by 1.92 (Venzon & Moolgavkar
    1988).
    """
    best = fit.log_likelihood
    start = parameters(fit)

    def drop(logit: float, near: Floats) -> tuple[float, Floats]:
        problem = _Problem(counts, background, prior, shift_max, weight=logit)
        theta, value, _ = problem.minimise(np.concatenate(([logit], near[1:])))
        return 2 * (best + value), theta

    ends = []
    total = float(counts.sum())
    for side in (-1.0, 1.0):
        p = fit.negative_fraction
        step = 2.0 / math.sqrt(max(total * p * (1 - p), 1.0))
        inside, near = float(start[0]), start
        outside = inside
        reached = False
        for _ in range(12):
            outside = max(min(inside + side * step, LOGIT_BOUND), -LOGIT_BOUND)
            value, theta = drop(outside, near)
            if value > CHI2_95:
                reached = True
                break
            if abs(outside) >= LOGIT_BOUND:
                break
            inside, near, step = outside, theta, 1.6 * step
        if not reached:
            ends.append(0.0 if side < 0 else 1.0)
            continue
        for _ in range(8):
            middle = 0.5 * (inside + outside)
            value, theta = drop(middle, near)
            if value > CHI2_95:
                outside = middle
            else:
                inside, near = middle, theta
        ends.append(1 / (1 + math.exp(-0.5 * (inside + outside))))
    return ends[0], ends[1]


def log_likelihood_at(
    fraction: float, fit: Fit, counts: Floats, background: Background, prior: Positive | None, shift_max: float
) -> float:
    """Return the penalised log likelihood maximised over all but the negative fraction, which is fixed (0 to 1)."""
    fraction = min(max(fraction, 1e-4), 1 - 1e-4)
    logit = math.log(fraction / (1 - fraction))
    problem = _Problem(counts, background, prior, shift_max, weight=logit)
    starts = [parameters(fit), *_starts(problem)]
    return max(-problem.minimise(np.concatenate(([logit], start[1:])))[1] for start in starts)

"""The profile-likelihood interval of the negative fraction: asymmetric, and valid where Wald's is not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.fit import Fit, parameters
from cd40l_flow.mixture.problem import LOGIT_BOUND, Problem

ROOT_95 = 1.959963984540054  # root of the 95th percentile of chi-squared with 1 degree of freedom
CLOSE = 0.05  # of the root of the likelihood ratio, in standard errors, at which an end is found
TRIES = 12


def profile_interval(fit: Fit, problem: Problem) -> tuple[float, float]:
    """Return the 95 % profile-likelihood interval of the negative fraction (0 to 1).

    The likelihood is maximised over all other parameters at fixed fractions, down to a drop of 1.92 (Venzon &
    Moolgavkar 1988, doi:10.2307/2347496). Sampling errors of the control and the background tube are part of the
    likelihood, and so of the interval.
    """
    best = parameters(fit)
    held = problem.with_bends(fit.positive.bends)
    value, _, information = held.objective(best)
    inverse = np.asarray(np.linalg.inv(information), dtype=np.float64)
    low, high = (_end(held, best, value, inverse, side) for side in (-1, 1))
    # The error from the unknown shape is not in the likelihood: add it in quadrature.
    negative, open_ = fit.negative_fraction, ROOT_95 * fit.model_error
    return (
        max(negative - math.hypot(negative - low, open_), 0.0),
        min(negative + math.hypot(high - negative, open_), 1.0),
    )


def _end(problem: Problem, best: Floats, value: float, inverse: Floats, side: int) -> float:
    """Return one end, by secant steps on the signed root of the likelihood ratio, which is nearly straight."""
    direction = inverse[:, 0] / max(float(inverse[0, 0]), 1e-12)
    near, at, root = best, float(best[0]), 0.0
    inside, outside = (at, 0.0), (math.nan, math.inf)
    step = ROOT_95 * math.sqrt(max(float(inverse[0, 0]), 1e-12))
    for _ in range(TRIES):
        tried = min(max(at + side * min(step, 2.0), -LOGIT_BOUND), LOGIT_BOUND)
        held = replace(problem, weight=tried)
        optimum = held.solve(near + (tried - near[0]) * direction)
        near, at = optimum.theta, tried
        root = math.sqrt(max(2 * (optimum.value - value), 0.0))
        if abs(root - ROOT_95) < CLOSE:
            break
        if root < ROOT_95:
            if abs(tried) >= LOGIT_BOUND:
                return 0.0 if side < 0 else 1.0
            inside = (tried, root)
        else:
            outside = (tried, root)
        if math.isfinite(outside[1]):
            part = (ROOT_95 - inside[1]) / (outside[1] - inside[1])
            aim = inside[0] + min(max(part, 0.05), 0.95) * (outside[0] - inside[0])
        else:
            aim = at + side * min(max(abs(at - float(best[0])) * (ROOT_95 / max(root, 0.2) - 1), 0.3 * step), 3.0)
        step = side * (aim - at)
        if step < 0:  # back towards the inside
            at, step = inside[0], side * (aim - inside[0])
    return 1 / (1 + math.exp(-at))

"""Spread of values beyond their measurement errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

STEPS = 1000
TOLERANCE = 1e-12


@dataclass(frozen=True)
class RandomEffects:
    """A normal random-effects estimate: the mean, and the SD of the true values net of measurement error."""

    count: int
    mean: float
    sd: float


def between(values: Sequence[float], errors: Sequence[float]) -> RandomEffects | None:
    """Return mean and SD of the true values behind ``values``, each measured with its own standard error.

    Restricted maximum likelihood of the normal random-effects model y_i = m + b_i + e_i, var e_i known, by the fixed
    point of its score (Sidik and Jonkman 2007, Stat Med 26:1964): w_i = 1 / (error_i^2 + sd^2), sd^2 = sum w_i^2 ((y_i
    - m)^2 - error_i^2) / sum w_i^2 + 1 / sum w_i, never below 0. With equal errors that is the sample variance less the
    error variance. None with fewer than two values.
    """
    count = len(values)
    if count < 2:
        return None
    own = [error * error for error in errors]
    plain = sum(values) / count
    # Start from the moments: the variance of the values minus the mean error variance.
    variance = max(sum((value - plain) ** 2 for value in values) / (count - 1) - sum(own) / count, 0.0)
    for _ in range(STEPS):
        mean, weights = _weighed(values, own, variance)
        squares = [weight * weight for weight in weights]
        raised = sum(
            square * ((value - mean) ** 2 - part) for square, value, part in zip(squares, values, own, strict=True)
        )
        following = max(raised / sum(squares) + 1 / sum(weights), 0.0)
        done = abs(following - variance) <= TOLERANCE * max(variance, TOLERANCE)
        variance = following
        if done:
            break
    return RandomEffects(count, _weighed(values, own, variance)[0], math.sqrt(variance))


def _weighed(values: Sequence[float], own: Sequence[float], variance: float) -> tuple[float, list[float]]:
    """Return the weighted mean and the weights; errors have a floor, or a value without error would have all the
    weight.
    """
    weights = [1 / max(part + variance, 1e-18) for part in own]
    return sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights), weights

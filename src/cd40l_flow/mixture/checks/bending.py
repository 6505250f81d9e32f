"""Test for a signal distribution that is not skew-normal, and the size of its deviations ("bends").

A smooth test (Neyman 1937, in the score form of Rao 1948) along eight bends. Its bell curves are wider than the steps
of integer or logarithmic data, so it ignores them. The same scores estimate the amplitude of the bends by empirical
Bayes (Efron & Morris 1973). If it is zero, nothing is added to the error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats

AMPLITUDES = np.array((0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0))
INFORMATIVE = 1.0  # least information on a bend of a standard deviation of 1 that counts
ENOUGH = 1.0  # minimum gain in log likelihood for an amplitude (benchmarks/mixture.md)
# If there are any bends, the dim end, where data are sparse, may bend this much, as in real recordings
# (benchmarks/real.md).
LEAST = 0.4
ROUNDING = 1e-9


@dataclass(frozen=True)
class Bend:
    """The estimate of the bends from their scores.

    ``amplitude`` is their most likely standard deviation beyond the prior, ``gain`` its log likelihood relative to
    zero. ``lever``, (8,), is the effect of each bend on the logit of the negative fraction.
    """

    amplitude: float
    gain: float
    lever: Floats

    @property
    def doubt(self) -> float:
        """Error of the logit of the negative fraction from possible bends, for a fit without them.

        It is weighted by the evidence for bends: with few cells, any amplitude is as likely as zero.
        """
        return min(self.amplitude, LEAST) * (1 - math.exp(-self.gain)) * float(np.linalg.norm(self.lever))

    def covariance(self, known: Floats | None) -> Floats | None:
        """Return the covariance of the bends, (8, 8), to refit with: ``known`` is the control's; None of none."""
        own = np.eye(self.lever.size)
        if known is not None:
            return known + self.amplitude**2 * own
        return max(self.amplitude, LEAST) ** 2 * own if self.gain > ENOUGH else None


def bend(gradient: Floats, information: Floats, held: NDArray[np.bool_], known: Floats | None) -> Bend:
    """Return the estimate of the bends from the scores at the best fit without them.

    ``gradient``, (p + 8,), is of minus the log likelihood, ``information``, (p + 8, p + 8), without the prior of the
    bends, which come last. ``held``, (p,), marks parameters at their bounds; ``known``, (8, 8), is the prior covariance
    of the bends.
    """
    own = held.size
    rest = np.flatnonzero(~held)
    mixed = information[rest, own:]
    lever = np.zeros((own, information.shape[0] - own))
    lever[rest] = -np.linalg.solve(information[np.ix_(rest, rest)] + ROUNDING * np.eye(rest.size), mixed)
    score = -gradient[own:] - lever[rest].T @ gradient[rest]
    values, vectors = np.linalg.eigh(information[own:, own:] + mixed.T @ lever[rest])
    informed = values > INFORMATIVE
    if not informed.any():
        return Bend(0.0, 0.0, lever[0])
    values, vectors = values[informed], vectors[:, informed]
    squares = (score @ vectors) ** 2 / values
    before = 0.0 if known is None else values * np.einsum("ij,ik,kj->j", vectors, known, vectors)
    spread = 1 + before + np.outer(AMPLITUDES**2, values)
    likely = -0.5 * (np.log(spread) + squares / spread).sum(axis=1)
    best = int(np.argmax(likely))
    return Bend(float(AMPLITUDES[best]), float(likely[best] - likely[0]), lever[0])

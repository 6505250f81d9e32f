"""Whether the cells that express have a law of another shape than a skew-normal, and how far it may be bent.

A smooth test (Neyman 1937, in the score form of Rao 1948) along the eight bends of the law, blind to the comb of
integer or logarithmic data, for its bell curves are wider than any step. How large bends are is told by the same
scores: the amplitude that makes them likeliest, an empirical Bayes estimate (Efron & Morris 1973). Where that is none,
nothing is paid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats

AMPLITUDES = np.array((0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0))
TOLD = 1.0  # least information on a bend of a standard deviation of 1 that counts
ENOUGH = 1.0  # gain of log likelihood that an amplitude must bring (benchmarks/mixture.md)
# Where a law is bent at all, its dim end, which few cells or none tell of, may be bent so far: as far as in real
# recordings (benchmarks/real.md).
LEAST = 0.4
ROUNDING = 1e-9


@dataclass(frozen=True)
class Bend:
    """What the scores say of the bends.

    ``amplitude`` is their likeliest standard deviation beyond what was known, ``gain`` the log likelihood that it adds
    to none. ``lever`` is by how much each bend would move the logit of the negative fraction, (8,).
    """

    amplitude: float
    gain: float
    lever: Floats

    @property
    def doubt(self) -> float:
        """Error of the logit of the negative fraction, of a law that is left straight, for bends it may have.

        It counts as far as the scores speak for bends at all: of few cells any amplitude is as likely as none.
        """
        return min(self.amplitude, LEAST) * (1 - math.exp(-self.gain)) * float(np.linalg.norm(self.lever))

    def covariance(self, known: Floats | None) -> Floats | None:
        """Return the covariance of the bends, (8, 8), to refit with: ``known`` is the control's; None of none."""
        own = np.eye(self.lever.size)
        if known is not None:
            return known + self.amplitude**2 * own
        return max(self.amplitude, LEAST) ** 2 * own if self.gain > ENOUGH else None


def bend(gradient: Floats, information: Floats, held: NDArray[np.bool_], known: Floats | None) -> Bend:
    """Return what the scores at the best straight fit say of the bends.

    ``gradient``, (p + 8,), is of minus the log likelihood, ``information``, (p + 8, p + 8), without what is known of
    the bends, which come last; ``held``, (p,), are parameters at their bounds; ``known`` is the covariance of the bends
    before, (8, 8).
    """
    own = held.size
    rest = np.flatnonzero(~held)
    mixed = information[rest, own:]
    lever = np.zeros((own, information.shape[0] - own))
    lever[rest] = -np.linalg.solve(information[np.ix_(rest, rest)] + ROUNDING * np.eye(rest.size), mixed)
    score = -gradient[own:] - lever[rest].T @ gradient[rest]
    values, vectors = np.linalg.eigh(information[own:, own:] + mixed.T @ lever[rest])
    informed = values > TOLD
    if not informed.any():
        return Bend(0.0, 0.0, lever[0])
    values, vectors = values[informed], vectors[:, informed]
    squares = (score @ vectors) ** 2 / values
    before = 0.0 if known is None else values * np.einsum("ij,ik,kj->j", vectors, known, vectors)
    spread = 1 + before + np.outer(AMPLITUDES**2, values)
    likely = -0.5 * (np.log(spread) + squares / spread).sum(axis=1)
    best = int(np.argmax(likely))
    return Bend(float(AMPLITUDES[best]), float(likely[best] - likely[0]), lever[0])

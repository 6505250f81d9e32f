"""The reference-anchored mixture: the fraction of activated cells that do not express the target.

The negative component has the shape of the background tube and may shift slightly. The positive component is the
background plus a log-skew-normal signal, with a prior of its shape from the run's controls. Weight, shift and signal
distribution are estimated by penalised maximum likelihood on binned data. A free mixture would find a second population
in healthy samples and overestimate a dim one twofold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.checks.bending import Bend, bend
from cd40l_flow.mixture.components import TILTS, Background, ashman_d
from cd40l_flow.mixture.histogram import centres, piled
from cd40l_flow.mixture.prior import NOTHING_KNOWN, Prior
from cd40l_flow.mixture.problem import ANCHORED, LEVEL, PARAMETERS, Problem, find_starts
from cd40l_flow.mixture.scoring import GAIN, Optimum, minimise
from cd40l_flow.mixture.signal_law import BENDS, SignalParameters

# Indices of parameters whose bounds are part of the model, and the gain in log likelihood beyond a bound that marks a
# failed fit. The photo-electron and a weight of zero have natural bounds. Where the skew of a skew-normal ends, bends
# continue; `goodness` counts what they do not fit.
BOUNDED = {1: "shift", LEVEL: "level", 3: "log_spread"} | {ANCHORED + k: "background" for k in range(TILTS)}
PRESSED = 0.5
# Name of the level where it is pressed to its lower bound: no dimmer cells can be distinguished from the background.
FAINTEST = "faintest level"
# A bent distribution may have cells among the negative ones: this share of them (a standard deviation), limited to a
# number of standard errors (benchmarks/real.md). At least SOME_NEGATIVE negative cells are assumed, since a fit without
# any does not prove that there are no dim cells. The same floor applies to the error of extreme fractions.
UNKNOWN, MOST_UNKNOWN, LEAST_NEGATIVE = 0.25, 3.0, 0.5
SOME_NEGATIVE = 0.1
BENT_GAIN = 1e-4  # negligible log likelihood for a bent distribution: a hundredth of a standard error


@dataclass(frozen=True)
class Fit:
    """A fitted mixture.

    ``negative_fraction`` is the weight of the background's shape (0 to 1), ``shift`` its shift in robust SD of the
    background; ``log_likelihood`` is penalised; ``separation`` is Ashman's D on the logicle scale, where the positive
    component has ``positive_mean`` and ``positive_sd``. ``information`` is the expected information on (logit of the
    negative fraction, shift, level, log spread, skew, electron, and the tilts of the background's shape), (9, 9),
    priors included. ``expected`` are the expected counts of the negative and of the positive component, (2, bins).

    ``bending`` and ``bend_covariance``, (8, 8), are the prior and posterior covariance of the bends; both are None for
    a distribution without bends. ``model_error`` is the standard error of the negative fraction from the unknown shape:
    bends, and cells of a bent distribution among the negative ones. ``at_bound`` names the parameters stuck at a bound
    of the model; such a fit has not converged.
    """

    negative_fraction: float
    shift: float
    positive: SignalParameters
    tilt: tuple[float, ...]
    log_likelihood: float
    converged: bool
    separation: float
    positive_mean: float
    positive_sd: float
    information: Floats
    expected: Floats
    bending: Floats | None
    bend_covariance: Floats | None
    model_error: float
    at_bound: tuple[str, ...]


def fit_mixture(
    counts: Floats,
    background: Background,
    prior: Prior | None,
    shift_max: float,
    starts: Sequence[Floats] = (),
    *,
    borrowed: bool = False,
    gain: float = GAIN,
) -> Fit:
    """Return the best mixture of several deterministic starts.

    ``counts`` are the binned values of the sample, (bins,); ``prior`` that of the positive component from the control,
    None without one; ``shift_max`` bounds the shift, in robust SD of the background. ``starts`` replaces the usual
    starts (for refits near a known solution). A ``borrowed`` background, not of the sample's own tube, may be shifted
    more and differ in shape. The search ends where it would gain less than ``gain`` in log likelihood.
    """
    problem = Problem(counts, background, prior or NOTHING_KNOWN, shift_max, borrowed=borrowed)
    straight = problem.solve(*(starts or find_starts(problem)), gain=gain)
    bend_found = _bend(problem, straight)
    covariance = bend_found.covariance(problem.prior.bend_covariance)
    if covariance is None:
        return _fit(problem, straight, straight.information, bend_found.doubt, None)
    bent = replace(problem, bending=covariance)
    start = np.append(straight.theta, problem.prior.bends)
    optimum = minimise(bent.objective, start, *bent.bounds(), bent.longest, BENT_GAIN)
    held = optimum.information[:PARAMETERS, :PARAMETERS]
    all_of_it: Floats = np.asarray(np.linalg.inv(optimum.information), dtype=np.float64)
    information = np.asarray(np.linalg.inv(all_of_it[:PARAMETERS, :PARAMETERS]), dtype=np.float64)
    error = math.sqrt(max(float(all_of_it[0, 0] - np.linalg.inv(held)[0, 0]), 0.0))
    return _fit(bent, optimum, information, error, all_of_it[PARAMETERS:, PARAMETERS:])


def _bend(problem: Problem, straight: Optimum) -> Bend:
    """Return the estimate of bends from the scores at the best fit without them."""
    free = replace(problem, bending=np.eye(BENDS.size))
    theta = np.append(straight.theta, problem.prior.bends)
    _, gradient, information = free.objective(theta)
    low, high = free.bounds()
    held = ((theta <= low) | (theta >= high))[:PARAMETERS]
    information[PARAMETERS:, PARAMETERS:] -= np.eye(BENDS.size)
    return bend(gradient, information, held, problem.prior.bend_covariance)


def _fit(
    problem: Problem, optimum: Optimum, information: Floats, logit_error: float, bend_covariance: Floats | None
) -> Fit:
    """Return a fit from the optimum of its problem, its information, (9, 9), and the logit's error of the model."""
    logit, shift = (float(v) for v in optimum.theta[:2])
    negative = 1 / (1 + math.exp(-logit))
    positive = problem.law(optimum.theta)
    own = optimum.theta[ANCHORED:PARAMETERS]
    _, background = problem.seen
    total = float(problem.counts.sum())
    tilt = own + shift * background.widening(positive.electron)
    p0, p1 = background.moved(np.vstack((background.tilted(tilt)[0], background.positive(positive)[0])), shift)
    grid = centres(problem.counts.size)[: p1.size]
    mean = float(grid @ p1)
    sd = math.sqrt(max(float((grid - mean) ** 2 @ p1), background.sd**2 / 100))
    expected = piled(np.vstack((total * negative * p0, total * (1 - negative) * p1)), background.floor)
    at_bound = _at_bound(problem, optimum)
    floor = 0.0
    if problem.bending is not None:
        some = min(max(negative, SOME_NEGATIVE), 1.0 - SOME_NEGATIVE)
        error = math.sqrt(max(float(np.linalg.inv(information)[0, 0]), 0.0)) * some * (1 - some)
        share = max(negative, LEAST_NEGATIVE)
        hidden = float(p1 @ (share * p0 / np.maximum(share * p0 + (1 - share) * p1, 1e-12)))
        floor = min(UNKNOWN * (1 - negative) * hidden, MOST_UNKNOWN * error)
    return Fit(
        negative_fraction=negative,
        shift=shift,
        positive=positive,
        tilt=tuple(float(v) for v in own),
        log_likelihood=-optimum.value,
        converged=optimum.converged and not at_bound,
        separation=ashman_d(background.median + shift * background.sd, background.sd, mean, sd),
        positive_mean=mean,
        positive_sd=sd,
        information=information,
        expected=_all_bins(expected, problem.counts.size),
        bending=problem.bending,
        bend_covariance=bend_covariance,
        model_error=math.hypot(logit_error * negative * (1 - negative), floor),
        at_bound=at_bound,
    )


def _at_bound(problem: Problem, optimum: Optimum) -> tuple[str, ...]:
    """Return the names of parameters at a bound beyond which the likelihood would gain more than ``PRESSED``."""
    low, high = problem.bounds()
    theta = optimum.theta
    pressing = [(i, at) for i in BOUNDED for at in (low[i], high[i]) if theta[i] == at and low[i] < high[i]]
    if not pressing:
        return ()
    _, gradient, information = problem.objective(theta)
    found = []
    for place, at in pressing:
        outwards = gradient[place] < 0 if at == high[place] else gradient[place] > 0
        if outwards and gradient[place] ** 2 / (2 * information[place, place]) > PRESSED:
            found.append(FAINTEST if place == LEVEL and at == low[place] else BOUNDED[place])
    return tuple(dict.fromkeys(found))


def _all_bins(seen: Floats, bins: int) -> Floats:
    """Return rows of the first bins, (rows, seen), padded with zeros to (rows, bins)."""
    return np.pad(seen, ((0, 0), (0, bins - seen.shape[1])))


def parameters(fit: Fit) -> Floats:
    """Return a fit as (logit, shift, level, log spread, skew, electron, 3 tilts), to start another fit from."""
    logit = math.log(fit.negative_fraction / (1 - fit.negative_fraction))
    positive = fit.positive
    law = (positive.level, positive.log_spread, positive.skew, positive.electron)
    return np.array([logit, fit.shift, *law, *fit.tilt])

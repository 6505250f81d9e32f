"""The Cramer-Rao bound of the negative fraction: what any unbiased estimator could reach with these cells."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from benchmarks.mixture.physical import SCALE, Physics, Sample
from cd40l_flow.base.model import Floats

BINS = 256
NODES, SIGNALS = 24, 120  # of the quadratures over background light and over the signal
SPLIT = 8  # places within a bin
STEP = 1e-3  # of the numeric derivatives
EDGES = SCALE.inverse(np.linspace(-0.2, 1.1, BINS + 1))


def cramer_rao(sample: Sample, control_fraction: float, between: tuple[float, float]) -> tuple[float, float]:
    """Return the least standard errors of the sample's negative fraction, all else unknown: two of them.

    Unknown are the fraction, shift, level, spread and skew of the sample and of the control, the last two known to
    differ by about ``between`` (standard deviations of log spread and skewness). For the first the shape of each
    background is known; for the second it is unknown in every bin but for the cells of its tube, which are counted as
    information too. Both know how noisy light is, which a fit has to find. The information is that of binned cells;
    densities come from the physics by quadrature (Poisson noise as its normal limit).
    """
    own = _reduced(sample, sample.fraction, sample.shift, 1.0, sample.cells.size, sample.background.size)
    theirs = _reduced(
        sample,
        control_fraction,
        sample.control_shift,
        1 / sample.level_ratio,
        sample.control.size,
        sample.control_background.size,
    )
    known, unknown = (_joined(*both, between) for both in zip(own, theirs, strict=True))
    return known, unknown


def _joined(own: Floats, theirs: Floats, between: tuple[float, float]) -> float:
    """Return the standard error of the first parameter from the information of sample and control, (5, 5) each."""
    information = np.zeros((10, 10))
    information[:5, :5], information[5:, 5:] = own, theirs
    for place, sd in zip((3, 4), between, strict=True):
        both = [place, place + 5]
        information[np.ix_(both, both)] += np.array(((1.0, -1.0), (-1.0, 1.0))) / sd**2
    size = np.sqrt(np.diag(information))
    return math.sqrt(np.linalg.inv(information / np.outer(size, size))[0, 0]) / float(size[0])


def _reduced(
    sample: Sample, fraction: float, shift: float, ratio: float, cells: int, background: int
) -> tuple[Floats, Floats]:
    """Return the information of one tube on the five parameters, (5, 5), its background's shape known and unknown."""
    unit = sample.robust_sd / sample.physics.gain
    p, slopes = _slopes(sample.physics, fraction, shift * unit, ratio, unit)
    information: Floats = cells * (slopes / p) @ slopes.T
    dark = _dark(sample.physics, 0.0)
    held = dark > 1e-7
    share = dark[held] / dark[held].sum()
    by_shape = _by_shape(sample, held, fraction, shift * sample.robust_sd, ratio) * share[:, None]
    # By relative changes of the shape's bins; a change of all of them alike is none.
    shape = cells * (by_shape / p) @ by_shape.T + background * np.diag(share)
    mixed = cells * (slopes / p) @ by_shape.T
    ones = share / math.sqrt(float(share @ share))
    shape += np.outer(ones, ones) * float(np.trace(shape)) * 1e3
    return information, information - mixed @ np.linalg.solve(shape, mixed.T)


def _by_shape(sample: Sample, held: NDArray[np.bool_], fraction: float, shift: float, ratio: float) -> Floats:
    """Return where the cells lie whose background is in each of the held bins, (held, bins): negative and positive."""
    physics = sample.physics
    low, high = EDGES[:-1][held], EDGES[1:][held]
    signals = np.linspace(physics.level - 5 * physics.spread, physics.level + 4 * physics.spread, 4 * SIGNALS)
    law = _law(signals, np.gradient(signals), physics.level + math.log(ratio), math.log(physics.spread), physics.alpha)
    found = np.zeros((low.size, BINS))
    rows = np.arange(low.size)
    for part in (np.arange(SPLIT) + 0.5) / SPLIT:
        place = low + part * (high - low) + shift
        found[rows, np.clip(np.searchsorted(EDGES, place) - 1, 0, BINS - 1)] += fraction / SPLIT
        lit = place[:, None] + physics.gain * np.exp(signals)
        at = np.clip(np.searchsorted(EDGES, lit) - 1, 0, BINS - 1)
        flat = (at + BINS * rows[:, None]).ravel()
        found += np.bincount(
            flat, weights=np.tile(law * (1 - fraction) / SPLIT, low.size), minlength=found.size
        ).reshape(found.shape)
    return found


def _slopes(physics: Physics, fraction: float, shift: float, ratio: float, unit: float) -> tuple[Floats, Floats]:
    """Return the probability of each bin and its derivatives by fraction, shift, level, log spread and skewness."""
    moves = np.array((-0.02, 0.0, 0.02))
    dark = [_dark(physics, shift + move * unit) for move in moves]
    lit, signals, weights = _lit(physics, shift)
    alpha = physics.alpha

    def law(level: float, log_spread: float, shape: float) -> Floats:
        p: Floats = _law(signals, weights, physics.level + math.log(ratio) + level, log_spread, shape) @ lit
        return p

    spread = math.log(physics.spread)
    p1 = law(0.0, spread, alpha)
    # The slope by skewness, at fixed mean and SD, by way of alpha.
    by_alpha = (law(0.0, spread, alpha + STEP) - law(0.0, spread, alpha - STEP)) / (
        _skewness(alpha + STEP) - _skewness(alpha - STEP)
    )
    p = np.maximum(fraction * dark[1] + (1 - fraction) * p1, 1e-12)
    slopes = np.vstack(
        (
            dark[1] - p1,
            fraction * (dark[2] - dark[0]) / (moves[2] - moves[0]),
            (1 - fraction) * (law(STEP, spread, alpha) - law(-STEP, spread, alpha)) / (2 * STEP),
            (1 - fraction) * (law(0.0, spread + STEP, alpha) - law(0.0, spread - STEP, alpha)) / (2 * STEP),
            (1 - fraction) * by_alpha,
        )
    )
    return p, slopes


def _light(physics: Physics, shift: float) -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    light = physics.light * np.exp(physics.light_sd * nodes) + shift
    return np.maximum(light, 0.1), weights / weights.sum()


def _bins(physics: Physics, electrons: Floats) -> Floats:
    """Return the probability of each bin at expected electrons, (..., bins)."""
    sd = np.sqrt(physics.gain**2 * electrons + physics.noise**2)
    return np.diff(ndtr((EDGES - physics.gain * electrons[..., None]) / sd[..., None]), axis=-1)


def _dark(physics: Physics, shift: float) -> Floats:
    light, weights = _light(physics, shift)
    return weights @ _bins(physics, light)


def _lit(physics: Physics, shift: float) -> tuple[Floats, Floats, Floats]:
    """Return the bins' probabilities at each signal, (signals, bins), the ln(signals) in electrons and their steps."""
    light, weights = _light(physics, shift)
    signals = np.linspace(physics.level - 5 * physics.spread - 0.3, physics.level + 4 * physics.spread + 0.3, SIGNALS)
    lit = np.zeros((SIGNALS, BINS))
    for one, weight in zip(light, weights, strict=True):
        if weight > 1e-9:
            lit += weight * _bins(physics, one + np.exp(signals))
    return lit, signals, np.gradient(signals)


def _law(signals: Floats, weights: Floats, level: float, log_spread: float, alpha: float) -> Floats:
    """Return the skew-normal probabilities of log signals, by mean, log SD and shape."""
    delta = alpha / math.hypot(1.0, alpha)
    centre = delta * math.sqrt(2 / math.pi)
    omega = math.exp(log_spread) / math.sqrt(1 - centre**2)
    z = (signals - level) / omega + centre
    p = weights * np.exp(-0.5 * z**2 + log_ndtr(alpha * z))
    law: Floats = p / p.sum()
    return law


def _skewness(alpha: float) -> float:
    centre = alpha / math.hypot(1.0, alpha) * math.sqrt(2 / math.pi)
    return (4 - math.pi) / 2 * centre**3 / (1 - centre**2) ** 1.5

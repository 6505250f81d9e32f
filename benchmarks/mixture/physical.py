"""Samples from a physical model of the assay that shares no code with the estimator, with the truth they came from.

A cell's light is background (log-normal, plus the sample's own shift) and, if it expresses, a log-skew-normal number of
dye electrons; photo-electrons are Poisson, the amplifier adds Gaussian noise, the logicle scale is FlowKit's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.signal.scale import Scale

SCALE = Scale(t=262144.0, w=0.7, m=4.5, a=0.0, source="benchmark")
PROBES = 4000  # deviates by which a level is found that gives a wanted D


@dataclass(frozen=True)
class Physics:
    """The instrument and the stain of one run; electrons are photo-electrons.

    ``gain`` in channels per electron, ``noise`` in channels (SD); ``light`` is the median background in electrons,
    ``light_sd`` its SD in natural logarithms; ``level`` the mean ln(electrons) of the positive cells' signal, of SD
    ``spread`` and skew-normal shape ``alpha``.
    """

    gain: float
    noise: float
    light: float
    light_sd: float
    level: float
    spread: float
    alpha: float

    def background(self, random: np.random.Generator, n: int, shift: float) -> Floats:
        """Return expected electrons of ``n`` cells without target; ``shift`` in electrons."""
        expected: Floats = self.light * np.exp(self.light_sd * random.standard_normal(n)) + shift
        return expected

    def unlike(self, log_spread: float, skewness: float) -> Physics:
        """Return the same with another person's stain: its log spread and its skewness higher by so much."""
        shapes = np.linspace(-20.0, 20.0, 4001)
        delta = shapes / np.hypot(1.0, shapes) * math.sqrt(2 / math.pi)
        skews = (4 - math.pi) / 2 * delta**3 / (1 - delta**2) ** 1.5
        wanted = float(np.interp(self.alpha, shapes, skews)) + skewness
        return replace(self, spread=self.spread * math.exp(log_spread), alpha=float(np.interp(wanted, skews, shapes)))

    def signal(self, random: np.random.Generator, n: int, level_ratio: float = 1.0) -> Floats:
        """Return the expected electrons of the target on ``n`` positive cells."""
        delta = self.alpha / math.hypot(1.0, self.alpha)
        centre = delta * math.sqrt(2 / math.pi)
        half, full = np.abs(random.standard_normal(n)), random.standard_normal(n)
        deviate = (delta * half + math.sqrt(1 - delta**2) * full - centre) / math.sqrt(1 - centre**2)
        signal: Floats = level_ratio * np.exp(self.level + self.spread * deviate)
        return signal

    def detect(self, random: np.random.Generator, expected: Floats) -> Floats:
        """Return what the instrument writes of expected electrons, channel values."""
        electrons = random.poisson(np.maximum(expected, 0.0))
        values: Floats = self.gain * electrons + self.noise * random.standard_normal(expected.size)
        return values

    def cells(
        self, random: np.random.Generator, n: int, negative: float, shift: float = 0.0, level_ratio: float = 1.0
    ) -> Floats:
        """Return ``n`` cells in channel values, each negative with the probability ``negative``; shift in electrons."""
        expected = self.background(random, n, shift)
        positive = random.random(n) >= negative
        expected[positive] += self.signal(random, int(positive.sum()), level_ratio)
        return self.detect(random, expected)


@dataclass(frozen=True)
class Sample:
    """One simulated sample: linear values of its cells, its background tube, its control and the control's background.

    ``fraction`` is the donor's negative fraction, of which the cells are a draw; ``shift`` and ``control_shift`` are in
    robust SD of the background; ``level_ratio`` is the sample's level over the control's.
    """

    physics: Physics
    fraction: float
    shift: float
    control_shift: float
    level_ratio: float
    robust_sd: float
    cells: Floats
    background: Floats
    control: Floats
    control_background: Floats


def draw_physics(random: np.random.Generator, separation: float) -> tuple[Physics, float]:
    """Return a random instrument and stain at a given Ashman's D (logicle scale), and the background's linear SD."""
    gain = 10 ** random.uniform(0.3, 1.0)
    physics = Physics(
        gain=gain,
        noise=random.uniform(10.0, 30.0),
        light=random.uniform(8.0, 40.0),
        light_sd=random.uniform(0.2, 0.45),
        level=0.0,
        spread=random.uniform(0.3, 0.6),
        alpha=random.uniform(-5.0, 1.0),
    )
    probe = np.random.default_rng(int(random.integers(2**32)))
    light = physics.background(probe, PROBES, 0.0)
    values = physics.detect(probe, light)
    low, high = np.quantile(values, (0.1587, 0.8413))
    signal = physics.signal(probe, PROBES)
    noise = physics.noise * probe.standard_normal(PROBES)
    jitter = probe.standard_normal(PROBES)
    dark = SCALE.forward(values)
    mean0, sd0 = float(np.median(dark)), float(np.diff(np.quantile(dark, (0.1587, 0.8413)))[0]) / 2

    def d(level: float) -> float:
        expected = light + np.exp(level) * signal
        bright = SCALE.forward(gain * (expected + np.sqrt(expected) * jitter) + noise)
        return math.sqrt(2) * (float(bright.mean()) - mean0) / math.hypot(sd0, float(bright.std()))

    lowest, highest = 0.0, 14.0
    for _ in range(18):
        middle = (lowest + highest) / 2
        lowest, highest = (middle, highest) if d(middle) < separation else (lowest, middle)
    level = (lowest + highest) / 2
    return Physics(gain, physics.noise, physics.light, physics.light_sd, level, physics.spread, physics.alpha), float(
        high - low
    ) / 2


def draw_sample(
    seed: tuple[int, ...],
    separation: float,
    n: int,
    fraction: float | None = None,
    *,
    background: int = 5000,
    control: int = 10_000,
    control_fraction: float = 0.10,
    differing: tuple[float, float] = (0.0, 0.0),
) -> Sample:
    """Return a seeded sample of ``n`` cells at Ashman's D, its fraction drawn from 0.02 to 0.98 unless it is given.

    The shifts are drawn from -0.5 to 0.5 robust SD, sample and control apart; the control's level is 0.8 to 1.25 times
    the sample's. The control's log spread and skewness differ from the sample's by ``differing``, either way at random.
    """
    random = np.random.default_rng(seed)
    physics, robust_sd = draw_physics(random, separation)
    p = random.uniform(0.02, 0.98) if fraction is None else fraction
    shift, control_shift = random.uniform(-0.5, 0.5, 2)
    ratio = float(np.exp(random.uniform(math.log(0.8), math.log(1.25))))
    unit = robust_sd / physics.gain
    theirs = physics if differing == (0.0, 0.0) else physics.unlike(*(np.array(differing) * random.choice((-1, 1), 2)))
    return Sample(
        physics=physics,
        fraction=float(p),
        shift=float(shift),
        control_shift=float(control_shift),
        level_ratio=ratio,
        robust_sd=robust_sd,
        cells=physics.cells(random, n, float(p), float(shift) * unit),
        background=physics.cells(random, background, 1.0),
        control=theirs.cells(random, control, control_fraction, float(control_shift) * unit, 1 / ratio),
        control_background=physics.cells(random, background, 1.0),
    )

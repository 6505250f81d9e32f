"""The hypotheses about one reagent in one sample, as priors.

A hypothesis is a prior of the negative fraction and of the level of the expressing cells relative to the control.
Shape, shift and errors of the background have the same priors in all of them. The widths are the differences between
healthy people, the control included: with k controls the variance of a difference is 1 + 1 / k times that of people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cd40l_flow.assay.call_limits import OddsLimits
from cd40l_flow.assay.limits import Limits
from cd40l_flow.mixture.model import ControlExpression

NORMAL, MOSAIC, RESIDUAL, REDUCED, ABSENT = "normal", "mosaic", "residual", "reduced", "absent"
NAMES = (NORMAL, MOSAIC, RESIDUAL, REDUCED, ABSENT)
WIDE = 5.0
SQRT_2PI = math.sqrt(2 * math.pi)
LEAST_BRIGHT, FEWEST_BRIGHT = 0.02, 50.0  # a mosaic's expressing cells: share of all, and number
ABSENT_LOGIT, ABSENT_LOGIT_SD = 4.2, 1.1  # of the negative fraction: 0.985, with 0.88 and 0.998 two SD away
# Laboratories with unusual staining or counting: their share, and the range of their healthy negative fractions.
OTHER_LABORATORIES, OTHER_RANGE = 0.1, 0.5
ABSENT_LEVEL, ABSENT_LEVEL_SD = -2.8, 0.9  # ln level of the traces that cells of affected males express


@dataclass(frozen=True)
class Normal:
    """A normal distribution of a value, or (``logit``) of its logit."""

    mean: float
    sd: float
    logit: bool = False


@dataclass(frozen=True)
class Above:
    """A uniform distribution of a share of cells from ``low`` to ``high``, with the lower edge blurred by ``sd``."""

    low: float
    sd: float
    high: float = 1.0

    @property
    def log_width(self) -> float:
        """Minus the log density within."""
        return math.log(max(self.high - self.low, 1e-3))


@dataclass(frozen=True)
class Hypothesis:
    """A prior of the negative fraction (0 to 1) and of ln(level over the control's).

    ``most_negative`` is the largest negative fraction allowed. ``residual`` is the distribution of ln(level of mutant
    cells over that of the others), None if they do not express; ``mutants`` is then the distribution of their share
    among expressing cells. Mutant cells below ``faintest``, ln of the level over the control's, cannot be distinguished
    from cells that do not express.
    """

    name: str
    negative: Normal | Above
    level: Normal
    most_negative: float = 1.0
    residual: Normal | None = None
    mutants: Above | None = None
    faintest: float = -math.inf

    @property
    def most_mutants(self) -> float:
        """The largest share of mutants among expressing cells allowed."""
        return 1.0 if self.mutants is None else self.mutants.high

    def distance(self, logit: float) -> float:
        """Return the distance of the logit of a negative fraction from the range that the hypothesis allows, 0 within
        it.
        """
        low, high = self._allowed()
        return max(low - logit, logit - high, 0.0)

    def _allowed(self) -> tuple[float, float]:
        """Return the ends of the logits within ``WIDE`` standard deviations of the prior."""
        law = self.negative
        if isinstance(law, Above):
            return _logit(law.low - WIDE * law.sd), _logit(self.most_negative)
        if law.logit:
            return law.mean - WIDE * law.sd, math.inf
        return _logit(law.mean - WIDE * law.sd), _logit(law.mean + WIDE * law.sd)


@dataclass(frozen=True)
class People:
    """Expression of healthy people relative to controls, and their differences (standard deviations).

    ``negative`` is the negative fraction expected of a healthy sample, ``negative_sd`` and ``level_sd`` are the SD of
    its negative fraction and of its ln level relative to the controls. ``blank`` is the smallest mutant fraction of a
    mosaic that must be detected. ``control_level_sd`` is the SD of the controls' mean ln level.
    """

    negative: float
    negative_sd: float
    level_sd: float
    control_level_sd: float
    blank: float

    @property
    def mosaic_excess(self) -> Above:
        """The distribution of a mosaic's negative fraction minus that of a healthy sample."""
        return Above(self.blank * (1 - self.negative), self.negative_sd, 1 - self.negative)

    @property
    def mutants(self) -> Above:
        """The distribution of the share of mutant cells among expressing cells, for a residual allele."""
        return Above(self.blank, self.negative_sd / (1 - self.negative))

    @classmethod
    def of(cls, control: ControlExpression, limits: Limits) -> People | None:
        """Return how a sample may differ from its controls; None if these have no fraction or shape.

        The expected negative fraction of a healthy sample, the laboratory's mean, has two sources: healthy people in
        other laboratories, and these controls. They are combined by precision (a normal random-effects model), so a
        control with many negatives counts partly as an unusual one. A tenth of laboratories may have any fraction up to
        a half; far from the others only the controls count.
        """
        negative, error = control.negative_fraction, control.negative_fraction_sd
        if negative is None or error is None or control.positive is None or control.prior is None or negative >= 0.99:
            return None
        mixture, odds = limits.mixture, limits.odds
        between, laboratories = mixture.healthy_negative_sd, odds.healthy_negative_mean_sd
        of_controls = between**2 / control.count + error**2
        usual, variance = odds.healthy_negative, laboratories**2 + of_controls
        density = math.exp(-0.5 * (negative - usual) ** 2 / variance) / math.sqrt(2 * math.pi * variance)
        alike = (1 - OTHER_LABORATORIES) * density
        alike /= alike + OTHER_LABORATORIES / OTHER_RANGE
        trust = 1 - alike * of_controls / variance
        expected = trust * negative + (1 - trust) * usual
        negative_sd = math.sqrt(between**2 + trust * of_controls)
        spread = negative_sd / (1 - expected)
        return cls(
            negative=expected,
            negative_sd=negative_sd,
            level_sd=math.sqrt(1 + 1 / control.count) * odds.level_sd,
            control_level_sd=odds.level_sd / math.sqrt(control.count),
            blank=min(mixture.lob_z * spread, odds.smallest_mosaic),
        )


def hypotheses(people: People, events: float, faintest: float, limits: Limits) -> dict[str, Hypothesis]:
    """Return the hypotheses by name for a sample of so many cells.

    ``faintest`` is the lowest detectable ln level relative to the control.
    """
    odds = limits.odds
    healthy, level = Normal(people.negative, people.negative_sd), level_law(NORMAL, people, odds)
    bright = max(LEAST_BRIGHT, min(FEWEST_BRIGHT / max(events, 1.0), 0.5))
    residual, mutants = Normal(math.log(odds.residual_level), odds.residual_level_sd), people.mutants
    # Without enough cells of the full level, a few outliers above faint cells would look like a residual allele.
    mutants = replace(mutants, high=1 - bright)
    low = people.negative + people.mosaic_excess.low
    traces = Normal(max(ABSENT_LEVEL, faintest + 0.3), ABSENT_LEVEL_SD)
    return {
        NORMAL: Hypothesis(NORMAL, healthy, level),
        MOSAIC: Hypothesis(MOSAIC, Above(low, people.negative_sd), level, most_negative=1 - bright),
        RESIDUAL: Hypothesis(RESIDUAL, healthy, level, residual=residual, mutants=mutants, faintest=faintest),
        REDUCED: Hypothesis(REDUCED, healthy, level_law(REDUCED, people, odds)),
        ABSENT: Hypothesis(ABSENT, Normal(ABSENT_LOGIT, ABSENT_LOGIT_SD, logit=True), traces),
    }


def reduced(people: People, odds: OddsLimits) -> Normal:
    """Return the distribution of ln(level over the control's) for reduced expression; ``odds`` is that group of the
    limits.

    Patients differ by ``reduced_level_sd``; compared with a dim control they appear brighter than they are.
    """
    return Normal(math.log(odds.reduced_level), math.hypot(odds.reduced_level_sd, people.control_level_sd))


def level_law(name: str, people: People, odds: OddsLimits) -> Normal:
    """Return the distribution of ln(level over the control's) of a hypothesis whose cells express."""
    return reduced(people, odds) if name == REDUCED else Normal(0.0, people.level_sd)


def share_law(name: str, people: People) -> Normal | Above:
    """Return the distribution of the fraction of a hypothesis: excess over healthy, or mutants of a residual allele."""
    if name == MOSAIC:
        return people.mosaic_excess
    if name == RESIDUAL:
        return people.mutants
    return Normal(0.0, people.negative_sd)


def log_convolved(value: float, variance: float, law: Normal | Above) -> float:
    """Return the log density of a value drawn from a distribution and measured with this error variance."""
    if isinstance(law, Normal):
        return log_normal(value - law.mean, law.sd**2 + variance)
    return log_share((value - law.low) / math.sqrt(law.sd**2 + variance))[0] - law.log_width


def log_normal(x: float, variance: float) -> float:
    """Return the log density of a normal distribution around 0."""
    return -0.5 * (x * x / variance + math.log(2 * math.pi * variance))


def fraction_penalty(law: Normal | Above, logit: float) -> tuple[float, float, float]:
    """Return minus the log density of a fraction's logit, its slope and its curvature (never negative).

    Densities are normalised, so that hypotheses can be compared.
    """
    x = 1 / (1 + math.exp(-logit))
    rate = max(x * (1 - x), 1e-12)  # derivative of the fraction by its logit
    if isinstance(law, Normal) and law.logit:
        z = (logit - law.mean) / law.sd
        return 0.5 * z * z + math.log(law.sd * SQRT_2PI), z / law.sd, 1 / law.sd**2
    # The Jacobian from fraction to logit is x (1 - x), with log slope 1 - 2 x.
    value, slope, curve = -math.log(rate), 2 * x - 1, 2 * rate
    if isinstance(law, Normal):
        z = (x - law.mean) / law.sd
        value += 0.5 * z * z + math.log(law.sd * SQRT_2PI)
        return value, slope + z / law.sd * rate, curve + (rate / law.sd) ** 2
    z = (x - law.low) / law.sd
    log, hazard = log_share(z)
    value += law.log_width - log
    return value, slope - hazard / law.sd * rate, curve + hazard * (hazard + z) * (rate / law.sd) ** 2


def level_penalty(law: Normal, level: float) -> tuple[float, float, float]:
    """Return minus the log density of a normal distribution, its slope and its curvature."""
    z = (level - law.mean) / law.sd
    return 0.5 * z * z + math.log(law.sd * SQRT_2PI), z / law.sd, 1 / law.sd**2


def log_share(z: float) -> tuple[float, float]:
    """Return the logarithm of the standard normal distribution function and its slope."""
    if z < -30.0:  # Mills' ratio: the function itself is nearly 0
        return -0.5 * z * z - math.log(-z * SQRT_2PI), -z - 1 / z
    share = 0.5 * math.erfc(-z / math.sqrt(2))
    return math.log(share), math.exp(-0.5 * z * z) / (SQRT_2PI * share)


def _logit(fraction: float) -> float:
    if not 0 < fraction < 1:
        return math.copysign(math.inf, fraction - 0.5)
    return math.log(fraction / (1 - fraction))

"""The prior of a positive component: from the run's controls, or weakly informative."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cd40l_flow.assay.call_limits import MixtureLimits
from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.signal_law import BENDS, SignalParameters

# Without a control: a spread of the signal between 0.2 and 1.2 natural logarithms, skewed either way. The level is
# about ten robust SD of the background, so that no very dim population is invented.
LEVEL_OF_BACKGROUND, LEVEL_PLAIN = 10.0, 1.5
PLAIN = SignalParameters(level=0.0, log_spread=math.log(0.5), skew=-0.3)
ELECTRON_SD = 0.5  # of ln(a photo-electron), between instruments
PLAIN_COVARIANCE = np.diag((0.45**2, 0.4**2, ELECTRON_SD**2))
LEVEL_BETWEEN = 1.0  # SD of a sample's ln level around its control's
BENDS_BETWEEN = 0.1  # SD of a bend between two people; default, not validated
FREEDOM = 20.0  # degrees of freedom of the Student t prior, which lets the sample's data override it


@dataclass(frozen=True)
class Prior:
    """A Student t prior of a positive component's log spread, skew and electron, and a wide one of its level.

    ``centre`` is where it peaks; ``covariance``, (3, 3), is of log spread, skew and electron. ``level_known`` is False
    if the level comes from the background (`with_level_above`). ``bend_covariance``, (8, 8), is of the centre's bends,
    None without bends.
    """

    centre: SignalParameters
    covariance: Floats
    level_known: bool = True
    bend_covariance: Floats | None = None

    @property
    def level_sd(self) -> float:
        """The SD of the ln level."""
        return LEVEL_BETWEEN if self.level_known else LEVEL_PLAIN

    @property
    def bends(self) -> Floats:
        """The centre's bends, (8,): zeros where it has none."""
        return np.array(self.centre.bends) if self.centre.bends else np.zeros(BENDS.size)

    def with_level_above(self, background_sd: float) -> Prior:
        """Return the prior with its level set from a background of this robust SD, channel values."""
        if self.level_known:
            return self
        return replace(self, centre=replace(self.centre, level=math.log(LEVEL_OF_BACKGROUND * background_sd)))

    def penalty(self, law: Floats) -> tuple[float, Floats, Floats]:
        """Return minus the log density (up to a constant), its gradient, (4,), and its curvature, (4, 4).

        ``law`` is level, log spread, skew and electron, (4,).
        """
        at, precision = self._peak
        away = law - at
        value, gradient, curvature = 0.0, np.zeros(4), np.zeros((4, 4))
        for part in (slice(0, 1), slice(1, 4)):
            pull = precision[part, part] @ away[part]
            far = 1 + float(away[part] @ pull) / FREEDOM
            value += 0.5 * FREEDOM * math.log(far)
            gradient[part] = pull / far
            curvature[part, part] = precision[part, part] / far
        return value, gradient, curvature

    @cached_property
    def _peak(self) -> tuple[Floats, Floats]:
        """Where the density peaks, (4,), and its precision there, (4, 4); a search asks for them at every step."""
        centre, precision = self.centre, np.zeros((4, 4))
        precision[0, 0] = 1 / self.level_sd**2
        precision[1:, 1:] = np.linalg.inv(self.covariance)
        return np.array((centre.level, centre.log_spread, centre.skew, centre.electron)), precision


NOTHING_KNOWN = Prior(PLAIN, PLAIN_COVARIANCE, level_known=False)


def control_prior(
    positive: SignalParameters, covariance: Floats, mixture: MixtureLimits, bend_covariance: Floats | None = None
) -> Prior:
    """Return the prior from a control's fit: its shape, its errors, and the differences between people.

    ``covariance``, (3, 3), is of the control's log spread, skew and electron, ``bend_covariance``, (8, 8), of its bends
    where it has any; ``mixture`` that group of the limits.
    """
    bends = None if bend_covariance is None else bend_covariance + BENDS_BETWEEN**2 * np.eye(BENDS.size)
    return Prior(positive, covariance + _between(mixture), bend_covariance=bends)


def combine_priors(several: Sequence[Prior | None], mixture: MixtureLimits) -> Prior | None:
    """Return the prior from several controls: the mean shape with the error of a mean; None if one has none."""
    known = [one for one in several if one is not None]
    count = len(known)
    if count != len(several) or count <= 1:
        return known[0] if count == 1 == len(several) else None
    centre = SignalParameters(
        level=math.fsum(one.centre.level for one in known) / count,
        log_spread=math.fsum(one.centre.log_spread for one in known) / count,
        skew=math.fsum(one.centre.skew for one in known) / count,
        electron=math.fsum(one.centre.electron for one in known) / count,
    )
    bent = [one for one in known if one.bend_covariance is not None]
    bends = None
    if bent:
        # A distribution without bends has zero bends, with the variance between people.
        alike = BENDS_BETWEEN**2 * np.eye(BENDS.size)
        each = [alike if one.bend_covariance is None else one.bend_covariance for one in known]
        bends = _of_mean(_sum(each) / count, alike, count)
        several_bends = np.array([one.bends for one in known])
        centre = replace(centre, bends=tuple(math.fsum(float(v) for v in column) / count for column in several_bends.T))
    covariance = _of_mean(_sum([one.covariance for one in known]) / count, _between(mixture), count)
    return Prior(centre, covariance, all(one.level_known for one in known), bends)


def _of_mean(covariance: Floats, between: Floats, count: int) -> Floats:
    """Return the covariance of a sample around the mean of several controls.

    A single control has ``covariance``, of which ``between`` is the variance of a difference of two people. Sampling
    error and half of ``between`` average out; the other half is the sample's own. In total this is 1 + 1 / k of a
    person's variance.
    """
    found: Floats = (covariance - between) / count + between * (1 + 1 / count) / 2
    return found


def _sum(several: Sequence[Floats]) -> Floats:
    """Return a sum of matrices that is independent of their order."""
    columns = zip(*(np.ravel(one) for one in several), strict=True)
    return np.array([math.fsum(float(v) for v in column) for column in columns]).reshape(np.shape(several[0]))


def _between(mixture: MixtureLimits) -> Floats:
    """Return the variances by which shapes of two healthy people differ, (3, 3); the electron is the instrument's."""
    return np.diag((mixture.shape_spread_sd**2, mixture.shape_skew_sd**2, 0.0))

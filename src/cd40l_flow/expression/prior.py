"""What is known of a positive component before a sample is looked at: from the run's controls, or next to nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cd40l_flow.expression.signal_law import Positive
from cd40l_flow.inputs.model import Floats

# Without a control: a spread of the signal between 0.2 and 1.2 natural logarithms, skewed either way; the level about
# ten robust SD of the background, so that what is no second population is not taken for a very dim one.
LEVEL_OF_BACKGROUND, LEVEL_PLAIN = 10.0, 1.5
PLAIN = Positive(level=0.0, log_spread=math.log(0.5), skew=-0.3)
ELECTRON_SD = 0.5  # of ln(a photo-electron), between instruments
PLAIN_COVARIANCE = np.diag((0.45**2, 0.4**2, ELECTRON_SD**2))
LEVEL_BETWEEN = 1.0  # of a sample's level, from its control's: a standard deviation
FREEDOM = 20.0  # degrees of freedom of the Student law that lets the sample's own data override


@dataclass(frozen=True)
class Prior:
    """A Student law of a positive component's log spread, skew and electron, and a wide one of its level.

    ``centre`` is where it peaks; ``covariance``, (3, 3), is of log spread, skew and electron. ``level_known`` tells
    whether the centre's level means anything, or is to be taken from the background (`beside`).
    """

    centre: Positive
    covariance: Floats
    level_known: bool = True

    def beside(self, background_sd: float) -> Prior:
        """Return the prior with its level known to be about that of a background of this robust SD, channel values."""
        if self.level_known:
            return self
        return replace(self, centre=replace(self.centre, level=math.log(LEVEL_OF_BACKGROUND * background_sd)))

    def penalty(self, law: Floats) -> tuple[float, Floats, Floats]:
        """Return minus the log density (up to a constant), its gradient, (4,), and its curvature, (4, 4).

        ``law`` is level, log spread, skew and electron, (4,).
        """
        centre = self.centre
        precision = np.zeros((4, 4))
        precision[0, 0] = 1 / (LEVEL_BETWEEN if self.level_known else LEVEL_PLAIN) ** 2
        precision[1:, 1:] = np.linalg.inv(self.covariance)
        away = law - np.array((centre.level, centre.log_spread, centre.skew, centre.electron))
        value, gradient, curvature = 0.0, np.zeros(4), np.zeros((4, 4))
        for part in (slice(0, 1), slice(1, 4)):
            pull = precision[part, part] @ away[part]
            far = 1 + float(away[part] @ pull) / FREEDOM
            value += 0.5 * FREEDOM * math.log(far)
            gradient[part] = pull / far
            curvature[part, part] = precision[part, part] / far
        return value, gradient, curvature


NOTHING_KNOWN = Prior(PLAIN, PLAIN_COVARIANCE, level_known=False)


def lent(positive: Positive, covariance: Floats, mixture: Mapping[str, Any]) -> Prior:
    """Return the prior that a control's fit gives: its shape, how well it is known, and how people differ.

    ``covariance``, (3, 3), is of the control's log spread, skew and electron; ``mixture`` that group of the limits.
    """
    return Prior(positive, covariance + _between(mixture))


def combine_priors(several: Sequence[Prior | None], mixture: Mapping[str, Any]) -> Prior | None:
    """Return what several controls tell together: the mean shape, as well known as a mean is; None if one tells
    nothing.
    """
    known = [one for one in several if one is not None]
    count = len(known)
    if count != len(several) or count <= 1:
        return known[0] if count == 1 == len(several) else None
    centre = Positive(
        level=math.fsum(one.centre.level for one in known) / count,
        log_spread=math.fsum(one.centre.log_spread for one in known) / count,
        skew=math.fsum(one.centre.skew for one in known) / count,
        electron=math.fsum(one.centre.electron for one in known) / count,
    )
    between = _between(mixture)
    own = [[math.fsum(float(one.covariance[i, j]) for one in known) for j in range(3)] for i in range(3)]
    # Of the differences between people, a sample keeps its own; the rest averages out.
    return Prior(centre, (np.array(own) / count - between) / count + between, all(one.level_known for one in known))


def _between(mixture: Mapping[str, Any]) -> Floats:
    """Return the variances by which shapes of healthy people differ, (3, 3); the electron is the instrument's."""
    return np.diag((float(mixture["shape_spread_sd"]) ** 2, float(mixture["shape_skew_sd"]) ** 2, 0.0))


def read_prior(plain: Mapping[str, Any]) -> Prior:
    """Return a prior from its plain JSON values."""
    return Prior(Positive(**plain["centre"]), np.array(plain["covariance"]), bool(plain["level_known"]))

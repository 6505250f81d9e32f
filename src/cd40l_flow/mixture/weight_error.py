"""The error of a fitted negative fraction: of the cells, and of the background tube."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.problem import ANCHORED


@dataclass(frozen=True)
class WeightError:
    """Variances of a fitted negative fraction: of the ``cells``, and of the ``background`` tube's shape."""

    cells: float
    background: float

    @property
    def sd(self) -> float:
        """Standard error of both."""
        return math.sqrt(self.cells + self.background)


def weight_error(negative: float, information: Floats) -> WeightError:
    """Return the error of a negative fraction (0 to 1) from the information on the parameters of its fit, (9, 9).

    The information includes the priors. The background's part is the decrease of the inverse when its shape is fixed.
    """
    slope = (negative * (1 - negative)) ** 2
    total = float(np.linalg.inv(information)[0, 0])
    held = float(np.linalg.inv(information[:ANCHORED, :ANCHORED])[0, 0])
    return WeightError(slope * held, slope * max(total - held, 0.0))

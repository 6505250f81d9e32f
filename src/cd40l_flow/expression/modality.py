"""One population or two: what a mosaic explains better than a shift of all expressing cells, and what it rests on.

The null is healthy with its negatives: one expressing population, wherever it lies, beside the most cells without
expression that a healthy donor may have. It is never one Gaussian, for healthy people have about 10 % negatives and
positives skewed to the left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from cd40l_flow.expression.components import background_component
from cd40l_flow.expression.histogram import centres
from cd40l_flow.expression.likelihood import Region, Within, explained
from cd40l_flow.expression.mixture import Problem
from cd40l_flow.expression.scoring import Optimum
from cd40l_flow.inputs.model import Floats

MOST_DRAWS, FEWEST_DRAWS = 20, 6  # of the null; so many tell its scale to a third
SURE = 2.0  # standard errors of the scale within which the decision must not hang
DOUBT = 4.0  # the null's scale is never so large (1 to 1.5 at D of 2 to 6): beyond that draws change nothing
SEED = 154


@dataclass(frozen=True)
class Modality:
    """Two populations against one.

    ``likelihood_ratio`` is twice the log likelihood that any weight of negatives gains over the most a healthy donor
    may have, ``likelihood_ratio_p`` its probability under that null, ``null_scale`` by what factor the null's ratios
    exceed their ideal law, and ``null_drawn`` whether that comes from draws of the null: where the call rests on it.
    ``mosaic_over_shift`` is twice the log likelihood of a mosaic at the limit of detection or above, its expressing
    cells at the control's level, less that of one shifted population, over the same factor: near 0 both explain the
    data equally well.
    """

    likelihood_ratio: float
    likelihood_ratio_p: float
    null_scale: float
    null_drawn: bool
    mosaic_over_shift: float


@dataclass(frozen=True)
class Hypotheses:
    """What the two explanations say, fractions of negative cells and mean ln(signal).

    One shifted population has at most ``healthy`` negatives, and expressing cells at any level; a mosaic at least
    ``mosaic`` negatives, and expressing cells between two ``levels``.
    """

    healthy: float
    mosaic: float
    levels: tuple[float, float]


def modality(problem: Problem, best: Floats, hypotheses: Hypotheses, *, alpha: float) -> Modality:
    """Return what speaks for two populations in the data of a problem.

    ``best`` are the fitted parameters. The ideal law of the ratio is half 0, half chi-squared of 1 degree of
    freedom (a weight at its bound: Self & Liang 1987), stretched by the null's scale. That is drawn only where it could
    decide whether p is below ``alpha`` (0: never).
    """
    one = Region(negative=(0.0, _inside(hypotheses.healthy)))
    two = Region(negative=(_inside(hypotheses.mosaic), 1.0), level=hypotheses.levels)
    shifted, mosaic = (explained(problem, each, best) for each in (one, two))
    value = min(problem.solve(best).value, shifted.value, mosaic.value)
    ratio = max(2 * (shifted.value - value), 0.0)
    drawn = _tail(ratio, 1.0) < alpha <= _tail(ratio, DOUBT)
    scale = _null_scale(Within.of(problem, one), shifted, ratio, alpha) if drawn else 1.0
    return Modality(
        likelihood_ratio=ratio,
        likelihood_ratio_p=_tail(ratio, scale),
        null_scale=scale,
        null_drawn=drawn,
        mosaic_over_shift=2 * (shifted.value - mosaic.value) / scale,
    )


def _null_scale(null: Within, fitted: Optimum, ratio: float, alpha: float) -> float:
    """Return by what factor likelihood ratios of the fitted null exceed their ideal law, 1 or more: a bootstrap.

    Cells and background tube are drawn anew (Poisson counts), so all of the background's error is in. Few draws tell
    the mean of the ratio of the null's own weight, 1 by the ideal law, by which the law is stretched (Bartlett 1937).
    They end as soon as their error leaves no doubt whether ``ratio`` is significant at ``alpha``, so the cost is
    bounded and is spent where the decision is close.
    """
    random = np.random.default_rng(SEED)
    p, _ = null.components(fitted.theta)
    expected = np.pad(float(null.counts.sum()) * p, (0, null.counts.size - p.size))
    weight = float(fitted.theta[0])
    total = 0.0
    for draw in range(1, MOST_DRAWS + 1):
        cells = random.poisson(expected).astype(np.float64)
        tube = random.poisson(null.background.counts).astype(np.float64)
        drawn = background_component(tube, null.background.scale, null.background.floor)
        free = replace(null, counts=cells, background=drawn, region=Region())
        held = replace(free, weight=weight).solve(fitted.theta)
        total += max(2 * (held.value - free.solve(held.theta).value), 0.0)
        # A chi-squared of 1 degree of freedom has a relative standard deviation of the root of 2.
        doubt = math.exp(SURE * math.sqrt(2 / draw))
        least, greatest = (max(total / draw * factor, 1.0) for factor in (1 / doubt, doubt))
        if draw >= FEWEST_DRAWS and (_tail(ratio, least) < alpha) == (_tail(ratio, greatest) < alpha):
            break
    return max(total / draw, 1.0)


def _tail(ratio: float, scale: float) -> float:
    """Return the probability of so large a ratio under the stretched ideal law."""
    return 1.0 if ratio <= 0 else 0.5 * math.erfc(math.sqrt(ratio / (2 * scale)))


def _inside(fraction: float) -> float:
    return min(max(fraction, 1e-4), 1 - 1e-4)


def valley_depth(counts: Floats, low: float, high: float) -> float | None:
    """Return the depth of the valley between two places on the scale (1 empty, 0 none); None where they are not apart.

    ``counts`` are binned cells, (bins,), which a Hann window of 13 bins smooths.
    """
    kernel = np.hanning(13) / np.hanning(13).sum()
    smooth = np.convolve(counts, kernel, mode="same")
    grid = centres(counts.size)
    between = np.flatnonzero((grid >= low) & (grid <= high))
    if between.size < 3:
        return None
    bottom = int(between[np.argmin(smooth[between])])
    left, right = smooth[: bottom + 1].max(), smooth[bottom:].max()
    return float(1 - smooth[bottom] / max(min(left, right), 1e-9))

"""Whether a sample has more dim cells than its controls, without a law of the signal.

A residual allele adds cells below the level of the others. So, brought to the control's level, more of the sample's
expressing cells than of the control's must lie low, by as much as the share of mutant cells and what they keep predict.
Where that is not so, a misfit of the signal's law imitates them.
"""

from __future__ import annotations

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.evidence import Evidence
from cd40l_flow.mixture.histogram import edges
from cd40l_flow.mixture.model import ControlExpression, Expression

# Quantiles of the expressing cells that are brought to one level: above them few cells are mutant cells that keep less.
BRIGHT = np.array((0.6, 0.7, 0.8, 0.9))
# SD of one healthy person's part in the excess between two. Between simulated healthy people its root mean square is
# 0.017, or 0.024 on log amplifiers.
PEOPLE_SD = 0.015


def excess_odds(counts: Floats, expression: Expression, control: ControlExpression, allele: Evidence) -> float | None:
    """Return the natural-log odds of a residual allele against none, by the excess of dim cells over the controls.

    ``counts``, (bins,), are cells of ``expression``, ``allele`` is the evidence of a residual allele in them, with its
    estimates. With several controls it is the mean excess over them. The excess is taken as normal around 0 without the
    allele, around the predicted one with it. None where cells, a fraction or an estimate are lacking.
    """
    if allele.below is None or allele.kept is None:
        return None
    mutants = allele.fraction
    negative = (allele.below[0] - mutants) / max(1 - mutants, 1e-3)
    ends = expression.scale.inverse(edges(counts.size))
    sample = _expressing(counts, expression.anchor.counts, negative, ends)
    controls = [
        (_expressing(one.counts, one.background, one.negative_fraction, ends), float(one.counts.sum()))
        for one in control.each
    ]
    known = [(one, cells) for one, cells in controls if one is not None]
    if sample is None or not known:
        return None
    seen, predicted = [], []
    for one, _ in known:
        values, share = one
        mixed = (1 - mutants) * share + mutants * np.interp(values / allele.kept, values, share)
        seen.append(_excess(sample, one))
        predicted.append(_excess((values, mixed), one))
    observed, expected = float(np.mean(seen)), float(np.mean(predicted))
    # The greatest counting error of a share is that of a half.
    counting = 0.25 * (1 / float(counts.sum()) + float(np.mean([1 / cells for _, cells in known])) / len(known))
    return expected * (2 * observed - expected) / (2 * (PEOPLE_SD**2 / len(known) + PEOPLE_SD**2 + counting))


Distribution = tuple[Floats, Floats]


def _expressing(counts: Floats, background: Floats, negative: float | None, ends: Floats) -> Distribution | None:
    """Return the cells that express: their signals at the bin edges, channel values above the background's median, and
    the share of them below each, (bins + 1,) both; None without such cells.
    """
    if negative is None or not negative < 1 or counts.sum() <= 0 or background.sum() <= 0:
        return None
    dark = np.concatenate(([0.0], np.cumsum(background))) / background.sum()
    share = np.concatenate(([0.0], np.cumsum(counts))) / counts.sum() - max(negative, 0.0) * dark
    share = np.maximum.accumulate(np.maximum(share, 0.0))
    values = ends - np.interp(0.5, dark, ends)
    return (values, share / share[-1]) if np.interp(BRIGHT[0], share / share[-1], values) > 0 else None


def _excess(sample: Distribution, control: Distribution) -> float:
    """Return by how much more of the sample's than of the control's cells lie below some signal, the bright cells of
    both brought to one level.
    """
    (mine, share), (theirs, other) = sample, control
    apart = np.log(np.interp(BRIGHT, share, mine)) - np.log(np.interp(BRIGHT, other, theirs))
    moved = np.interp(mine / np.exp(apart.mean()), theirs, other)
    return float(np.max((share - moved)[share < BRIGHT[-1]]))

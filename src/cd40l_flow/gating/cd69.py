"""The CD69 boundary: it separates the cells that stimulation added from unstimulated cells with the fewest errors."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from cd40l_flow.gating.density import HIGH, LOW, Density, Valley, find_valleys, most_prominent
from cd40l_flow.gating.found import Evidence, Found, joined, no_gate
from cd40l_flow.gating.thresholds import FEWEST
from cd40l_flow.signal.scale import Scale

# A valley this deep is not counting noise.
CLEAR = 0.5
NARROWEST_SD = 0.005
# With this much of the unstimulated peak below, its share of the stimulated tube can be estimated.
READABLE = 0.15
# With fewer added cells, or a smaller share, the difference of two counts is mostly noise.
FEWEST_ADDED, SMALLEST_SHARE = 60, 0.02
# Where F1 is flat, its maximum is noise. The boundary is the mean weighted by exp(F1 / SOFT + STRICT x position):
# stable, and stricter among nearly equal ones, since resting CD69+ cells thin out towards the activated cells. Chosen
# on simulated samples for accuracy and stability; default, not validated.
SOFT, STRICT = 0.012, 30.0


def find_cd69(resting: Density, active: Density, scale: Scale, max_percent: float) -> Found:
    """Return the boundary above which CD3+CD8- cells are CD69+; both densities are of CD3+CD8- cells, ``resting`` of
    the unstimulated tubes.

    The unstimulated tube sets the minimum: at most ``max_percent`` of its cells lie above. If some already express
    CD69, that percent refers to a normal peak of resting cells, and the flag says so. Above this minimum, the boundary
    separates the added cells from the unstimulated ones with the largest F1; CD69+ cells need no peak of their own. If
    stimulation added no cells, the boundary is at ``max_percent`` of the unstimulated cells (or their peak + 4 SD if
    lower). Without an unstimulated tube, the valley is used and flagged.
    """
    if resting.total < FEWEST:
        return _alone(active, scale)
    mode = resting.mode()
    spread = max(resting.left_sd(mode, high=HIGH), NARROWEST_SD)
    quantile = resting.seen(resting.quantile(1 - max_percent / 100))
    least = resting.seen(min(quantile, mode + NormalDist().inv_cdf(1 - max_percent / 100) * spread))
    enough = active.total >= FEWEST
    valleys = find_valleys(active, mode, 0.95, min_depth=CLEAR) if enough else []
    evidence = Evidence(active, "above", (least, 0.95), tuple(valleys), (mode,), resting, quantile)
    position = _fewest_errors(resting, active, least) if enough else None
    method = "largest F1 of what stimulation added"
    if position is None:
        position, method = quantile, "unstimulated"
        if mode + 4 * spread < quantile:
            position, method = resting.seen(mode + 4 * spread), "unstimulated peak + 4 SD"
    above = 100 * (1 - resting.below(position))
    method = f"{method}, {above:.1f} % of the unstimulated above"
    # Tolerance for interpolation in bins of a thousandth.
    flag = f"{above:.1f} % CD69+ without stimulation" if above > 1.05 * max_percent else ""
    return Found(position, method, joined(flag, _far_from_valley(active, position, valleys)), evidence)


def _far_from_valley(active: Density, position: float, valleys: list[Valley]) -> str:
    """Return a flag if the clear valley of the stimulated tube lies far from the boundary, beyond a peak."""
    valley = most_prominent(active, valleys)
    if valley is None or valley.left_mode < position < valley.right_mode:
        return ""
    return f"the valley of the stimulated tubes lies {abs(valley.position - position):.2f} of the scale away"


def _fewest_errors(resting: Density, active: Density, least: float) -> float | None:
    """Return the boundary with the largest F1 for the cells that stimulation added, None if it added too few.

    The stimulated cells are w times the unstimulated ones plus the added: w is the smallest ratio of the two cumulative
    histograms, plus two standard errors so that noise does not choose it. Above t are N S(t) cells, of which N (S(t) -
    w R(t)) were added, with S and R the shares above t: F1 = 2 (S - w R) / (S + 1 - w).
    """
    below_rest = np.cumsum(resting.counts) / resting.total
    below_active = np.cumsum(active.counts) / active.total
    positions = LOW + (np.arange(below_rest.size) + 1) * (HIGH - LOW) / below_rest.size
    # Ignore values beyond the detector's end: there, both histograms are extrapolated pile-ups.
    readable = (below_rest >= READABLE) & (positions >= max(resting.low, active.low))
    rest, both = below_rest[readable], below_active[readable]
    ratio = both / rest
    error = (
        np.sqrt(
            both * np.maximum(1 - both, 0) / active.total + ratio**2 * rest * np.maximum(1 - rest, 0) / resting.total
        )
        / rest
    )
    kept = float(ratio[np.argmin(ratio + 2 * error)])
    added = 1 - kept
    if added < SMALLEST_SHARE or added * active.total < FEWEST_ADDED:
        return None
    above_rest, above_active = 1 - below_rest, 1 - below_active
    scores = 2 * (above_active - kept * above_rest) / (above_active + added)
    allowed = positions >= max(least, active.seen(least))
    scores, positions = scores[allowed], positions[allowed]
    weights = np.exp((scores - scores.max()) / SOFT + STRICT * (positions - positions[0]))
    return float((weights * positions).sum() / weights.sum())


def _alone(curve: Density, scale: Scale) -> Found:
    """Return the boundary from the stimulated tubes alone."""
    low, high = scale.to_scaled(0.0), 0.95
    valleys = find_valleys(curve, low, high)
    mode = curve.mode()
    evidence = Evidence(curve, "above", (low, high), tuple(valleys), (mode,))
    if curve.total < FEWEST:
        return no_gate(f"only {curve.total} CD3+CD8- cells: CD69 gate not drawn", evidence)
    valley = most_prominent(curve, valleys)
    if valley is not None:
        return Found(valley.position, "valley of the stimulated tube", "no unstimulated tube", evidence)
    if scale.to_linear(mode) < 3 * scale.linear_width:
        return Found(
            curve.seen(mode + 4 * max(curve.left_sd(mode), NARROWEST_SD)),
            "CD69- peak + 4 SD of the stimulated tube",
            "no unstimulated tube and no valley: hardly any CD69+ cells",
            evidence,
        )
    return no_gate(
        "no unstimulated tube and one CD69 population only: positive or negative cannot be determined", evidence
    )

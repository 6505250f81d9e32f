"""Comparison of replicates before pooling: tubes of one stimulation and reagent must agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from cd40l_flow.assay.cd40l.gates import ACTIVATED, CD4_POSITIVE, CD8_NEGATIVE
from cd40l_flow.assay.effects import NO_CALLS
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.shared_gates import TIME
from cd40l_flow.base.model import Floats, Tube
from cd40l_flow.decision.applied import Guard, guard
from cd40l_flow.decision.case import Case, Difference, Replicate, ReplicateGroup
from cd40l_flow.gating.model import GatedSample, GatedTube
from cd40l_flow.mixture.histogram import edges, histogram
from cd40l_flow.mixture.medians import median_interval
from cd40l_flow.mixture.model import Expression
from cd40l_flow.mixture.proportion import Z95
from cd40l_flow.signal.quantiles import median
from cd40l_flow.signal.scale import Scale

CODE = "REPLICATE_DISCORDANT"
FEWEST = 20  # fewest cells to compare; fewer hardly matter in the pool
STANDARD_ERRORS = 4.0
# The distance of two empirical distributions of one population exceeds c sqrt(1/n + 1/m) with probability 2 exp(-2 c^2)
# (Smirnov 1948, doi:10.1214/aoms/1177730256): the same probability as four standard errors.
SMIRNOV = 2.28
FACTORS = 17  # brightness factors tried within the allowed range


def replicate_groups(
    gated: GatedSample, reagents: Mapping[str, Expression], limits: Limits
) -> tuple[ReplicateGroup, ...]:
    """Return every set of pooled tubes, with the measures of each and their largest differences.

    ``reagents`` are the measured ones. For each measure, the pair with the largest difference relative to its limit is
    given. The limit combines in quadrature the configured allowance and counting error.
    """
    together: dict[tuple[str, str, str], list[GatedTube]] = {}
    for tube in gated.tubes:
        sheet = _tube(tube)
        # A background belongs to a detector: two clones on two detectors have one each.
        detector = tube.signal.events.markers["target"] if sheet.reagent in current_assay().background_of else ""
        together.setdefault((sheet.stimulation, sheet.reagent, detector), []).append(tube)
    return tuple(
        _group(tubes, gated.scales, reagents, limits) for tubes in together.values() if len(tubes) > 1
    )  # fmt: skip


def replicate_guards(case: Case) -> Iterator[Guard]:
    """Yield whether the replicates of a sample agree, for each reagent that they are pooled for."""
    for group in case.replicates:
        what = f"{group.stimulation} {group.reagent}"
        beyond = [one for one in group.differences if one.value > one.limit]
        shown = beyond or sorted(group.differences, key=lambda one: one.value / one.limit)[-1:]
        # Resting cells set the CD69 boundary and serve every reagent. Replicates of an unused background only warn.
        unused = group.stimulation == "stimulated" and not group.serves
        for reagent in group.serves or ("",):
            for one in shown:
                message = f"{one.what} in the replicates {' and '.join(one.tubes)} ({what}): may they be pooled?"
                yield guard(
                    CODE, one.value > one.limit, message, reagent=reagent, value=one.value, limit=one.limit,
                    unit=one.unit, blocks=NO_CALLS if unused else None,
                )  # fmt: skip
            if not shown:
                # Tubes too small to compare only warn; the cause has a guard of its own.
                names = " and ".join(one.fcs for one in group.replicates)
                message = f"Too few cells to compare the replicates {names} ({what})."
                yield guard(CODE, None, message, reagent=reagent, blocks=NO_CALLS)


def level_free_distance(one: Floats, other: Floats, scale: Scale, percent: float) -> float:
    """Return Kolmogorov and Smirnov's D of two binned samples, (bins,), on a scale, the minimum over all allowed
    brightness factors.

    Staining and voltage change all cells of a tube by one factor, here up to ``percent``; other differences mean
    another mixture of cells. Both need at least one event.
    """
    linear = scale.inverse(edges(one.size))
    first, second = (np.concatenate(([0.0], np.cumsum(counts))) / counts.sum() for counts in (one, other))
    most = 1 + percent / 100
    return min(
        float(np.max(np.abs(first - np.interp(linear / factor, linear, second))))
        for factor in np.geomspace(1 / most, most, FACTORS)
    )


def _tube(tube: GatedTube) -> Tube:
    return tube.signal.events.tube


def _group(
    tubes: Sequence[GatedTube],
    scales: Mapping[str, Scale],
    reagents: Mapping[str, Expression],
    limits: Limits,
) -> ReplicateGroup:
    sheet = _tube(tubes[0])
    names = {_tube(tube).fcs for tube in tubes}
    stimulated = sheet.stimulation == "stimulated"
    if not stimulated:
        serves: tuple[str, ...] = ()
    elif sheet.reagent in current_assay().background_of:
        serves = tuple(name for name, found in reagents.items() if names & set(found.anchor.tubes))
    else:
        serves = (sheet.reagent,)
    measured = reagents.get(sheet.reagent)
    threshold = None if measured is None else measured.threshold
    population = ACTIVATED if stimulated else CD8_NEGATIVE
    return ReplicateGroup(
        stimulation=sheet.stimulation,
        reagent=sheet.reagent,
        population=population,
        serves=serves,
        replicates=tuple(_replicate(tube, population, threshold) for tube in tubes),
        differences=tuple(_differences(tubes, population, scales, limits)),
    )


def _replicate(tube: GatedTube, population: str, threshold: float | None) -> Replicate:
    cells = tube.linear("target", population) if population in tube.indices else np.empty(0)
    parent = CD4_POSITIVE if CD4_POSITIVE in tube.indices else CD8_NEGATIVE
    active = ACTIVATED in tube.indices
    enough = cells.size >= FEWEST
    return Replicate(
        fcs=_tube(tube).fcs,
        cells=int(cells.size),
        cd69_percent=100 * tube.count(ACTIVATED) / tube.count(parent) if active and tube.count(parent) else None,
        cd69_median=tube.median("CD69", population) if enough else None,
        target_median=median(cells) if enough else None,
        percent_above=100 * float(np.mean(cells > threshold)) if enough and threshold is not None else None,
    )


def _differences(
    tubes: Sequence[GatedTube], population: str, scales: Mapping[str, Scale], limits: Limits
) -> Iterator[Difference]:
    """Yield for each measure the pair with the largest difference relative to its limit."""
    guards = limits.guards
    points, level = guards.replicate_points_max, guards.replicate_level_max
    gates = dict.fromkeys(
        (one.population, one.parent) for tube in tubes for one in tube.populations if one.population != TIME
    )
    bins = limits.mixture.bins
    binned = {id(tube): _binned(tube, population, bins) for tube in tubes}
    measures: list[list[Difference | None]] = [
        [_shares(one, other, gate, parent, points) for one, other in combinations(tubes, 2)] for gate, parent in gates
    ]
    pairs = list(combinations(tubes, 2))
    if population == ACTIVATED:
        measures.append([_cd69(one, other, level) for one, other in pairs])
    apart = guards.replicate_distance_max
    measures.append(
        [_targets(one, other, binned[id(one)], binned[id(other)], scales, level, apart) for one, other in pairs]
    )
    for measure in measures:
        known = [one for one in measure if one is not None]
        if known:
            yield max(known, key=lambda one: one.value / one.limit)


def _names(one: GatedTube, other: GatedTube) -> tuple[str, str]:
    return _tube(one).fcs, _tube(other).fcs


def _shares(one: GatedTube, other: GatedTube, gate: str, parent: str, points: float) -> Difference | None:
    """Return the difference of a population's percent of its parent; None with too few cells."""
    shares, variance = [], 0.0
    for tube in (one, other):
        if gate not in tube.indices or parent not in tube.indices or tube.count(parent) < FEWEST:
            return None
        count, total = tube.count(gate), tube.count(parent)
        shares.append(100 * count / total)
        # Agresti and Coull's added counts keep the error above 0 if no cell or every cell is in the gate.
        share = (count + 2) / (total + 4)
        variance += share * (1 - share) / (total + 4)
    limit = math.hypot(points, STANDARD_ERRORS * 100 * math.sqrt(variance))
    return Difference(f"{gate} of {parent}", _names(one, other), abs(shares[0] - shares[1]), limit, "points")


def _cd69(one: GatedTube, other: GatedTube, percent: float) -> Difference | None:
    """Return the relative difference of CD69 of activated cells; None if not comparable."""
    if one.signal.events.markers["CD69"] != other.signal.events.markers["CD69"]:
        return None
    logs, variance = [], 0.0
    for tube in (one, other):
        if ACTIVATED not in tube.indices or tube.count(ACTIVATED) < FEWEST:
            return None
        values = tube.linear("CD69", ACTIVATED)
        low, high = median_interval(values)
        middle = median(values)
        if low is None or high is None or low <= 0:
            return None
        logs.append(math.log(middle))
        variance += ((math.log(high) - math.log(low)) / (2 * Z95)) ** 2
    value = 100 * (math.exp(abs(logs[0] - logs[1])) - 1)
    limit = math.hypot(percent, STANDARD_ERRORS * 100 * math.sqrt(variance))
    return Difference("CD69 median of activated cells", _names(one, other), value, limit, "%")


def _binned(tube: GatedTube, population: str, bins: int) -> Floats | None:
    if population not in tube.indices or tube.count(population) < FEWEST:
        return None
    return histogram(tube.scaled("target", population), bins)


def _targets(
    one: GatedTube,
    other: GatedTube,
    first: Floats | None,
    second: Floats | None,
    scales: Mapping[str, Scale],
    percent: float,
    apart: float,
) -> Difference | None:
    """Return the distance of the target's two distributions, (bins,) each; None with too few cells."""
    detectors = {tube.signal.events.markers["target"] for tube in (one, other)}
    if len(detectors) > 1:
        return Difference("Detectors of the target", _names(one, other), float(len(detectors)), 1.0, "detectors")
    if first is None or second is None:
        return None
    value = level_free_distance(first, second, scales[detectors.pop()], percent)
    limit = math.hypot(apart, SMIRNOV * math.sqrt(1 / first.sum() + 1 / second.sum()))
    return Difference("Distance of the target's distributions", _names(one, other), value, limit, "D")

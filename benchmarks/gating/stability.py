"""How far boundaries move when a file is drawn again from its own events, and counts when it is shuffled or dirtied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.places import REAL
from benchmarks.gating.real import real_samples
from benchmarks.gating.samples import Known, activated, cohort, gated, tube_of
from cd40l_flow.assay.cd40l.gates import CD8_NEGATIVE
from cd40l_flow.base.model import Events
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.signal.prepare import choose_scales
from cd40l_flow.simulate import varied
from cd40l_flow.simulate.cells import DEBRIS

MOST_EVENTS = 100_000  # of a simulated tube, here
LEAST_MOVE, LEAST_CHANGE = 0.02, 0.01
DEBRIS_ADDED = 0.10


@dataclass(frozen=True)
class Stability:
    """One sample: ``moves`` maps gate -> moves of its boundary by resample; changes of the count of gated cells.

    Moves are in units of the logicle scale, of a scatter detector's range, or of the singlet ratio; a boundary that
    comes or goes counts as 1. Changes are fractions; None where the sample has no cells gated.
    """

    name: str
    moves: Mapping[str, tuple[float, ...]]
    shuffled: float | None
    debris: float | None


def simulated(seed: int, index: int, resamples: int) -> Stability:
    """Measure one varied sample."""
    scenario, parameters = varied(seed, index)
    scenario = replace(
        scenario,
        events=min(scenario.events, MOST_EVENTS),
        background_events=min(scenario.background_events, MOST_EVENTS),
        unstimulated_events=min(scenario.unstimulated_events, MOST_EVENTS),
    )
    with cohort([scenario], seed, parameters) as samples:
        known = samples[scenario.sample]
    dirty = replace(parameters, debris=0.97, monocytes=0.01, granulocytes=0.01)
    with cohort([scenario], seed + 1, dirty) as samples:
        dirt = samples[scenario.sample]
    rng = np.random.default_rng([seed, index])
    with_debris = [
        _with_debris(one, other, dirt.kinds[other.tube.fcs] == DEBRIS, rng)
        for one, other in zip(known.events, dirt.events, strict=True)
    ]
    return _measure(f"{scenario.sample} {scenario.instrument}", known, resamples, rng, with_debris)


def recorded(name: str, resamples: int) -> list[Stability]:
    """Measure the real samples of one folder of recordings."""
    rng = np.random.default_rng(1)
    return [_measure(f"{name} {known.job.sample.sample}", known, resamples, rng, None) for known in real_samples(name)]


def _measure(
    name: str, known: Known, resamples: int, rng: np.random.Generator, with_debris: Sequence[Events] | None
) -> Stability:
    scales = choose_scales(known.events, known.job.settings.limits.scale, "own tubes")
    original = gated(known, scales=scales)
    places = _places(original)
    moves: dict[str, list[float]] = {gate: [] for gate in places}
    for _ in range(resamples):
        drawn = [_taken(one, np.sort(rng.integers(0, len(one.values), len(one.values)))) for one in known.events]
        again = _places(gated(known, drawn, scales))
        for gate in moves.keys() | again.keys():
            both = gate in again and gate in places
            moves.setdefault(gate, []).append(float(np.max(np.abs(again[gate] - places[gate]))) if both else 1.0)
    order = [_taken(one, rng.permutation(len(one.values))) for one in known.events]
    count = _count(original)
    return Stability(
        name,
        {gate: tuple(values) for gate, values in sorted(moves.items())},
        _change(count, _count(gated(known, order, scales))),
        _change(count, _count(gated(known, with_debris, scales))) if with_debris else None,
    )


def _taken(events: Events, places: NDArray[np.intp]) -> Events:
    time = None if events.time is None else events.time[places]
    return replace(events, values=events.values[places], time=time)


def _with_debris(events: Events, dirt: Events, debris: NDArray[np.bool_], rng: np.random.Generator) -> Events:
    """Return the events with debris of another tube strewn among them."""
    count = len(events.values)
    pieces = rng.choice(np.flatnonzero(debris), size=round(DEBRIS_ADDED * count), replace=True)
    after = np.sort(rng.integers(0, count, pieces.size))
    values = np.insert(events.values, after, dirt.values[pieces], axis=0)
    time = None if events.time is None else np.insert(events.time, after, events.time[after])
    return replace(events, values=values, time=time)


def _places(sample: GatedSample) -> dict[str, NDArray[np.float64]]:
    """Return gate -> its places in every tube; of the scatter gate the sides of its box, fractions of the ranges."""
    found: dict[str, list[float]] = {}
    for tube in sample.tubes:
        for boundary in tube.boundaries:
            found.setdefault(boundary.gate, []).append(boundary.scaled)
        if tube.scatter_gate is not None:
            header = tube.signal.events.header
            for at, name in enumerate((tube.scatter_gate.fsc, tube.scatter_gate.ssc)):
                detector = header.detector(name)
                top = detector.maximum if detector else 1.0
                column = tube.scatter_gate.vertices[:, at] / top
                found.setdefault("lymphocytes", []).extend((float(column.min()), float(column.max())))
    return {gate: np.array(values) for gate, values in found.items()}


def _count(sample: GatedSample) -> int:
    """Return the gated cells of the stimulated CD154 tube: activated ones, CD3+CD8- where none are drawn."""
    tube = tube_of(sample, "stimulated", "CD154") or sample.tubes[0]
    mask = activated(tube)
    return int(
        np.count_nonzero(mask if mask.any() else tube.mask(CD8_NEGATIVE) if CD8_NEGATIVE in tube.indices else mask)
    )


def _change(before: int, after: int) -> float | None:
    return abs(after / before - 1.0) if before else None


def section(found: Sequence[Stability], resamples: int) -> str:
    """Return the part of the page on these samples."""
    gates = sorted({gate for one in found for gate in one.moves})
    rows = []
    for gate in gates:
        places = np.array([move for one in found for move in one.moves.get(gate, ())])
        files = [(float(np.quantile(one.moves[gate], 0.95)), one.name) for one in found if one.moves.get(gate)]
        worst, where = max(files)
        over = sum(place > LEAST_MOVE for place, _ in files)
        rows.append(
            f"| {gate} | {np.median(places):.4f} | {np.quantile(places, 0.95):.4f} | {worst:.4f} ({where}) "
            f"| {over} of {len(files)} |"
        )
    changes = []
    for name, values in (
        ("events shuffled", [one.shuffled for one in found]),
        ("10 % debris added", [one.debris for one in found]),
    ):
        shown = [value for value in values if value is not None]
        if shown:
            over = sum(value >= LEAST_CHANGE for value in shown)
            changes.append(
                f"| {name} | {len(shown)} | {100 * np.median(shown):.2f} % | {100 * np.quantile(shown, 0.95):.2f} % "
                f"| {100 * max(shown):.2f} % | {over} |"
            )
    real = "" if REAL.exists() else " The real recordings were not there."
    return f"""## Stability

{len(found)} samples, simulated (up to {MOST_EVENTS:,} events a tube) and real, each drawn again from its own events \
{resamples} times on
the same scale.{real} Moves are in units of the logicle scale, of the detector's range (lymphocytes), of the ratio
(singlets). Target: the 95th percentile of a file at most {LEAST_MOVE}.

| boundary | median move | 95th percentile, all | 95th percentile, worst file | files above {LEAST_MOVE} |
|---|---|---|---|---|
{chr(10).join(rows)}

| change of the count of gated cells | samples | median | 95th percentile | largest | {100 * LEAST_CHANGE:g} % or more |
|---|---|---|---|---|---|
{chr(10).join(changes)}
"""

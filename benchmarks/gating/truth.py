"""Gated events against the truth of every event, over samples that vary in everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.gating.best import best_f1
from benchmarks.gating.samples import activated, cohort, doubts, f1, gated, tube_of
from cd40l_flow.simulate import CLIPPED, INSTRUMENTS, Scenario, SimulationParameters, varied

NEAR, MEDIAN, BIAS, FAR = 0.01, 0.97, 0.02, 0.10
NAMES = {
    "diva": "FACSDiva",
    "lyric": "FACSLyric",
    "attune": "Attune",
    "navios": "Navios",
    "calibur": "FACSCalibur",
    "aurora": "Aurora",
    "fc500": "FC500",
    "floor-zero": "cut at 0",
    "floor-one": "cut at 1, no dye",
    "floor-and-top": "cut at both ends",
}
# Instruments and exports that pile events up at the ends of the range, and the most that electronics subtract too much.
PILED, MOST_SUBTRACTED = ("calibur", *CLIPPED), 250.0


@dataclass(frozen=True)
class Truth:
    """One sample: F1 of the gated cells of its stimulated CD154 tube, the best F1 there, cells gated, at best, true.

    ``blame`` is the boundary that, put at its best place alone, gains the most, ``gain`` how much F1. ``flags`` is what
    the gating reports for the sample; ``refused`` why it was not read.
    """

    name: str
    instrument: str
    events: int
    f1: float
    best: float
    cells: int
    best_cells: int
    true: int
    blame: str
    gain: float
    flags: tuple[str, ...]
    refused: tuple[str, ...]

    @property
    def gap(self) -> float:
        """How far F1 lies below the best."""
        return self.best - self.f1

    @property
    def bias(self) -> float:
        """Gated over true cells, less 1."""
        return self.cells / self.true - 1.0 if self.true else 0.0

    @property
    def best_bias(self) -> float:
        """The same of the thresholds whose F1 is the best."""
        return self.best_cells / self.true - 1.0 if self.true else 0.0


def measure(seed: int, index: int) -> Truth:
    """Simulate, gate and judge one sample."""
    return _judged(seed, *varied(seed, index))


def measure_piled(seed: int, index: int) -> Truth:
    """Simulate, gate and judge one sample of an instrument that piles events up, with electronics that subtract too
    much: of each detector up to ``MOST_SUBTRACTED`` channels, of unstimulated and background tubes 0.8 to 2 times that.
    """
    scenario, parameters = varied(seed, index, PILED)
    rng = np.random.default_rng([seed, index])
    detectors = tuple(replace(one, baseline=float(rng.uniform(0.0, MOST_SUBTRACTED))) for one in parameters.detectors)
    parameters = replace(parameters, detectors=detectors, baseline_resting=float(rng.uniform(0.8, 2.0)))
    return _judged(seed, scenario, parameters)


def _judged(seed: int, scenario: Scenario, parameters: SimulationParameters) -> Truth:
    with cohort([scenario], seed, parameters) as samples:
        known = samples[scenario.sample]
        sample = gated(known)
    tube = tube_of(sample, "stimulated", "CD154")
    if tube is None:
        return Truth(
            scenario.sample, scenario.instrument, scenario.events, 0.0, 1.0, 0, 0, 0, "", 0.0, (), known.refused
        )
    true = known.counted[tube.signal.events.tube.fcs]
    found = activated(tube)
    best, reached = best_f1(tube, true), f1(found, true)
    blame = max(best.alone, key=lambda gate: best.alone[gate])
    return Truth(
        name=scenario.sample,
        instrument=scenario.instrument,
        events=len(true),
        f1=reached,
        best=best.f1,
        cells=int(found.sum()),
        best_cells=best.count,
        true=int(true.sum()),
        blame=blame,
        gain=best.alone[blame] - reached,
        flags=tuple(doubts(sample)),
        refused=known.refused,
    )


def section(found: Sequence[Truth]) -> str:
    """Return the part of the page on these samples."""
    rows = [_row(NAMES[name], [one for one in found if one.instrument == name]) for name in INSTRUMENTS]
    rows.append(_row("all", found))
    far = [one for one in found if one.gap > FAR]
    blamed = Counter(one.blame for one in found if one.gap > NEAR)
    worst = sorted(found, key=lambda one: -one.gap)[:10]
    worst_rows = "\n".join(
        f"| {one.name} | {NAMES[one.instrument]} | {one.events:,} | {one.true:,} | {one.f1:.3f} | {one.best:.3f} | "
        f"{100 * one.bias:+.1f} % | {one.blame} ({one.gain:+.3f}) | {'; '.join(one.flags + one.refused) or 'none'} |"
        for one in worst
    )
    within = sum(one.gap <= NEAR for one in found)
    return f"""## Simulated truth

{len(found)} samples of three tubes, each with its own donor, stimulation (30 to 98 % activated, CD69 from a twentieth
of the usual level, a mere shoulder, to 1.3 times), T cells (0.3 to 1.5 times the usual share), CD8 (10 to 45 %),
CD8-dim cells, autofluorescence (0.5 to 3 times), dead cells (0.3 to 5 times), spillover (0.5 to 2 times), gain (20 %
either way), debris, monocytes and granulocytes, with 5,000 to 500,000 events. F1 is that of the gated cells of the
stimulated CD154 tube against the truth of every event: live single CD3+CD8- cells, CD4-CD8- and gamma-delta among
them, with induced CD69. "Best" is what thresholds of the same kind on the same scale reach when they are put where F1
is highest with the truth known (`benchmarks/gating/best.py`); where an instrument has no viability dye or pulse area,
the best is lower too, for the truth is not.

| | F1 median | 5th percentile | min | best, median | within {NEAR} of best | count within {100 * BIAS:g} % \
| of the best thresholds | count bias, median | of the best thresholds | more than {FAR:.2f} below best \
| of them without a flag |
|---|---|---|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

Target: within {NEAR} of the best, median at least {MEDIAN}, count within {100 * BIAS:g} %, no sample more than
{FAR:.2f} below its best without a flag. Reached within {NEAR}: {within} of {len(found)}; more than {FAR:.2f} below:
{len(far)}, of which {sum(not one.flags for one in far)} carry no flag. What is lost, by the boundary to blame:
{", ".join(f"{gate} {count}" for gate, count in blamed.most_common()) or "none"}.

| furthest from its best | instrument | events | true cells | F1 | best | count | to blame | flags |
|---|---|---|---|---|---|---|---|---|
{worst_rows}
"""


def section_piled(found: Sequence[Truth]) -> str:
    """Return the part of the page on files with events piled at the ends of the range."""
    rows = [_row(NAMES[name], [one for one in found if one.instrument == name]) for name in PILED]
    return f"""## Events piled at the ends of the range

{len(found)} more samples of the same series, of log amplifiers and of exports that are cut off (at 0; at 1, without a
viability dye; at 111 and at 0.08 of the range), by electronics that subtract up to {MOST_SUBTRACTED:g} of 262,144
channels too much from each detector, and 0.8 to 2 times that from unstimulated and background tubes: up to nine in ten
cells without a marker lie in the lowest value. Log amplifiers have no pulse area, so that doublets stay in.

| | F1 median | 5th percentile | min | best, median | within {NEAR} of best | count within {100 * BIAS:g} % \
| of the best thresholds | count bias, median | of the best thresholds | more than {FAR:.2f} below best \
| of them without a flag |
|---|---|---|---|---|---|---|---|---|---|---|---|
{chr(10).join([*rows, _row("all", found)])}
"""


def _row(name: str, found: Sequence[Truth]) -> str:
    if not found:
        return f"| {name} |{' |' * 11}"
    scores = np.array([one.f1 for one in found])
    biases, of_best = np.array([one.bias for one in found]), np.array([one.best_bias for one in found])
    far = [one for one in found if one.gap > FAR]
    cells = (
        f"{np.median(scores):.4f}",
        f"{np.quantile(scores, 0.05):.4f}",
        f"{scores.min():.4f}",
        f"{np.median([one.best for one in found]):.4f}",
        f"{100 * np.mean([one.gap <= NEAR for one in found]):.0f} %",
        f"{100 * np.mean(np.abs(biases) <= BIAS):.0f} %",
        f"{100 * np.mean(np.abs(of_best) <= BIAS):.0f} %",
        f"{100 * np.median(biases):+.2f} %",
        f"{100 * np.median(of_best):+.2f} %",
        str(len(far)),
        str(sum(not one.flags for one in far)),
    )
    return f"| {name} | {' | '.join(cells)} |"

"""Processor time of finding and applying all boundaries of a sample, compared with FlowKit applying the same ones.

Run as a process of its own, on one thread: ``python -m benchmarks.gating.cost`` prints JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flowkit as fk

from benchmarks.gating.samples import cohort, gated
from cd40l_flow.assay.cd40l.gates import ACTIVATED, CD3_POSITIVE, CD8_NEGATIVE
from cd40l_flow.assay.shared_gates import LYMPHOCYTES, SINGLETS, VIABLE
from cd40l_flow.base.model import Events
from cd40l_flow.fcs.reader import read_events
from cd40l_flow.fcs.spillover import FROM_FILE
from cd40l_flow.figures.evidence import Curves
from cd40l_flow.figures.panels import draw_panels
from cd40l_flow.gating.model import Boundary, GatedTube
from cd40l_flow.gating.strategy import gate
from cd40l_flow.result.making.gating import scatter_tops
from cd40l_flow.signal.prepare import choose_scales, prepare
from cd40l_flow.simulate import Scenario

EVENTS, TUBES = 100_000, 5
RUNS = 9
CPU_LIMIT, PART = 0.5, 0.1
STEPS = ("boundaries", "diagnostics", "prepare", "FlowKit")
INSTRUMENT = "lyric"
# FlowKit's gates in their order: name, the markers' boundary, whether cells lie above it.
THRESHOLDS = (
    (VIABLE, "viability_high", "viability", False),
    (CD3_POSITIVE, "cd3_low", "CD3", True),
    (CD8_NEGATIVE, "cd8_high", "CD8", False),
    (ACTIVATED, "cd69_low", "CD69", True),
)


@dataclass(frozen=True)
class Cost:
    """Median seconds of processor time by step, over ``runs`` interleaved; the largest difference of a count."""

    seconds: dict[str, float]
    runs: int
    flowkit: str
    largest_difference: int
    cells: int


def measure() -> Cost:
    """Time the steps in turn, so that whatever else the machine does falls on all of them."""
    scenario = Scenario(
        "S1",
        events=EVENTS,
        background_events=EVENTS,
        unstimulated_events=EVENTS,
        instrument=INSTRUMENT,
    )
    with cohort([scenario], 1) as samples:
        known = samples["S1"]
        raw = [read_events(one.tube, {}, FROM_FILE, one.markers) for one in known.events]
    assert len(known.events) == TUBES
    limits = known.job.settings.limits
    scales = choose_scales(known.events, limits.scale, "own tubes")
    signals = [prepare(one, scales) for one in raw]
    sample = gated(known, scales=scales)
    strategy = {tube.signal.events.tube.fcs: flowkit_strategy(tube, scales) for tube in sample.tubes}
    theirs = [flowkit_sample(one) for one in raw]

    def ours_prepare() -> object:
        return [prepare(one, scales) for one in raw]

    def ours_gate() -> object:
        return gate(known.job.sample, signals, scales, (), limits.gating)

    def ours_diagnostics() -> object:
        tops = scatter_tops(sample, [])
        curves = Curves()
        return [draw_panels(sample, tube, tops, f"t{at}p", curves) for at, tube in enumerate(sample.tubes)]

    def flowkit_gate() -> object:
        return [strategy[one.id].gate_sample(one) for one in theirs]

    steps: dict[str, Callable[[], object]] = dict(
        zip(STEPS, (ours_gate, ours_diagnostics, ours_prepare, flowkit_gate), strict=True)
    )
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(RUNS):
        for name, step in steps.items():
            start = time.process_time()
            step()
            seconds[name].append(time.process_time() - start)
    differences = [
        abs(count - tube.count(name))
        for tube, one in zip(sample.tubes, theirs, strict=True)
        for name, count in flowkit_counts(strategy[one.id], one).items()
    ]
    cells = sum(tube.count(ACTIVATED) for tube in sample.tubes)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return Cost(medians, RUNS, fk.__version__, max(differences), cells)


def flowkit_sample(events: Events) -> fk.Sample:
    """Return the events of a tube as FlowKit holds them."""
    return fk.Sample(events.values, channel_labels=list(events.names), sample_id=events.tube.fcs)


def flowkit_strategy(tube: GatedTube, scales: Any) -> fk.GatingStrategy:
    """Return the gates of a tube, its matrix and its scales as FlowKit's strategy."""
    events = tube.signal.events
    strategy = fk.GatingStrategy()
    if events.spillover is not None:
        detectors = list(events.spillover.detectors)
        strategy.add_comp_matrix("matrix", fk.Matrix(events.spillover.matrix, detectors, detectors))
    path: tuple[str, ...] = ("root",)
    gate = tube.scatter_gate
    if gate is not None:
        axes = [fk.Dimension(name, compensation_ref="uncompensated") for name in (gate.fsc, gate.ssc)]
        strategy.add_gate(fk.gates.PolygonGate(LYMPHOCYTES, axes, gate.vertices), gate_path=path)
        path = (*path, LYMPHOCYTES)
    height, low, high = events.scatter.fsc_height, tube.boundary("singlet_low"), tube.boundary("singlet_high")
    if height is not None and low is not None and high is not None:
        strategy.add_transform("ratio", fk.transforms.RatioTransform([events.scatter.fsc, height], 1.0, 0.0, 0.0))
        axis = fk.RatioDimension("ratio", compensation_ref="uncompensated", range_min=low.value, range_max=high.value)
        strategy.add_gate(fk.gates.RectangleGate(SINGLETS, [axis]), gate_path=path)
        path = (*path, SINGLETS)
    for name, boundary_name, marker, above in THRESHOLDS:
        boundary = tube.boundary(boundary_name)
        if boundary is None:
            continue
        strategy.add_gate(_threshold(strategy, tube, name, boundary, marker, scales, above=above), gate_path=path)
        path = (*path, name)
    return strategy


def _threshold(
    strategy: fk.GatingStrategy,
    tube: GatedTube,
    name: str,
    boundary: Boundary,
    marker: str,
    scales: Any,
    *,
    above: bool,
) -> fk.gates.RectangleGate:
    detector = tube.signal.events.markers[marker]
    scale = scales[detector]
    transform = f"logicle {detector}"
    if transform not in strategy.transformations:
        logicle = fk.transforms.LogicleTransform(param_t=scale.t, param_w=scale.w, param_m=scale.m, param_a=scale.a)
        strategy.add_transform(transform, logicle)
    compensation = "matrix" if tube.signal.events.spillover is not None else "uncompensated"
    ends = {"range_min": boundary.scaled} if above else {"range_max": boundary.scaled}
    axis = fk.Dimension(detector, compensation_ref=compensation, transformation_ref=transform, **ends)
    return fk.gates.RectangleGate(name, [axis])


def flowkit_counts(strategy: fk.GatingStrategy, sample: fk.Sample) -> dict[str, int]:
    """Return the events of each of FlowKit's populations."""
    report = strategy.gate_sample(sample).report
    return {str(name): int(count) for name, count in zip(report["gate_name"], report["count"], strict=True)}


def section(cost: Cost, cpu: str) -> str:
    """Return the part of the page on the cost."""
    ours = cost.seconds["boundaries"] + cost.seconds["diagnostics"]
    whole, theirs = ours + cost.seconds["prepare"], cost.seconds["FlowKit"]
    rows = "\n".join(
        f"| {name} | {cost.seconds[step]:.3f} |"
        for step, name in (
            ("boundaries", "finding and applying all boundaries"),
            ("diagnostics", "data of the diagnostics: binned densities and boundaries of every gate of every tube"),
            ("prepare", "compensation, logicle scales, acquisition QC"),
            ("FlowKit", f"FlowKit {cost.flowkit}: compensation, logicle, the same gates applied"),
        )
    )
    return f"""## Cost

One sample of {TUBES} tubes of {EVENTS:,} events, on one thread: median of {cost.runs} interleaved runs, seconds of
processor time ({cpu}). FlowKit gates what it holds in memory with a strategy made beforehand, one `gate_sample` a tube;
reading the files is in neither. Boundaries and diagnostics: {ours:.3f} s (target {CPU_LIMIT}), {ours / theirs:.2f} of
FlowKit's time (target {PART:g}); with compensation, scales and acquisition QC, of which FlowKit's time has all but the
last, {whole:.3f} s, {whole / theirs:.2f}. FlowKit counts the same cells in every population, but for at most
{cost.largest_difference} events.

| step | seconds |
|---|---|
{rows}
"""


if __name__ == "__main__":
    json.dump(measure().__dict__, sys.stdout)

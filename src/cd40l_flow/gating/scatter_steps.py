"""The steps before fluorescence: time, lymphocytes in FSC x SSC, single cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cd40l_flow.gating.found import Found, joined, no_gate
from cd40l_flow.gating.model import LYMPHOCYTES, SINGLETS, TIME, ScatterGate
from cd40l_flow.gating.scatter import Scattered, find_lymphocytes, rectangle
from cd40l_flow.gating.singlets import FEWEST, find_singlets, singlet_ratio
from cd40l_flow.gating.thresholds import find_viability
from cd40l_flow.gating.working import Working, set_by_hand
from cd40l_flow.inputs.model import Floats
from cd40l_flow.signal.acquisition import Mask, at_the_top

SCATTER_SIDES = ("lymph_fsc_low", "lymph_fsc_high", "lymph_ssc_low", "lymph_ssc_high")


def gate_time(work: Working) -> None:
    """Keep what acquisition QC kept, and the times a person set."""
    for tube in work.tubes:
        signal = tube.signal
        tube.masks["all"] = np.ones(signal.events.values.shape[0], dtype=bool)
        passes = signal.acquisition.keep.copy()
        time = signal.events.time
        for name, side in (("time_low", 1), ("time_high", -1)):
            override = work.override(name, tube)
            if override is None or time is None:
                continue
            passes &= side * time >= side * override.value
            tube.boundaries.append(set_by_hand(override, signal.events.scatter.time or "", override.value))
        tube.narrow(TIME, "all", passes)


def gate_lymphocytes(work: Working, parent: str) -> bool:
    """Draw one polygon in FSC x SSC for the tubes of the sample together."""
    scatter = work.tubes[0].signal.events.scatter
    found = _beside_control(work, find_lymphocytes(_scattered(work, parent)), (scatter.fsc, scatter.ssc))
    for tube in work.tubes:
        tube.found[LYMPHOCYTES] = found
        if found.shape is None:
            tube.failed[LYMPHOCYTES] = parent
    if found.shape is None:
        work.flags.append(found.flag)
        return False
    polygon = ScatterGate(scatter.fsc, scatter.ssc, found.shape, found.method, found.flag)
    for tube in work.tubes:
        sides = {}
        for name in SCATTER_SIDES:
            override = work.override(name, tube)
            if override is not None:
                detector = scatter.fsc if "fsc" in name else scatter.ssc
                sides[name] = set_by_hand(override, detector, override.value)
        drawn = rectangle(polygon, sides) if sides else polygon
        tube.boundaries.extend(sides.values())
        tube.scatter_gate = drawn
        x, y = tube.signal.detector(drawn.fsc), tube.signal.detector(drawn.ssc)
        tube.narrow(LYMPHOCYTES, parent, drawn.inside(x, y))
    return True


def _scattered(work: Working, parent: str) -> Scattered:
    """Return the events the polygon is looked for in: saturated scatter is not a place."""
    scatter: list[list[Floats]] = [[], [], [], []]
    dead: list[Mask] = []
    stimulated: list[Mask] = []
    for tube in work.tubes:
        signal = tube.signal
        x, y = (signal.detector(name) for name in (signal.events.scatter.fsc, signal.events.scatter.ssc))
        usable = tube.masks[parent] & ~at_the_top(x, np.inf) & ~at_the_top(y, np.inf)
        for part, values in zip(scatter, (x, y, signal.scaled["CD3"], signal.scaled["CD69"]), strict=True):
            part.append(values[usable])
        stained = np.zeros(scatter[0][-1].size, dtype=bool)
        if "viability" in signal.scaled:
            dye = signal.scaled["viability"][usable]
            boundary = find_viability(dye)
            if boundary.position is not None:
                stained = dye >= boundary.position
        dead.append(stained)
        stimulated.append(np.full(stained.size, tube.stimulated))
    fsc, ssc, cd3, cd69 = (np.concatenate(part) for part in scatter)
    return Scattered(fsc, ssc, cd3, cd69, np.concatenate(dead), np.concatenate(stimulated))


def _beside_control(work: Working, found: Found, names: tuple[str, str]) -> Found:
    """Return the polygon held against the control's: in its place where none was found, else told when far from it."""
    lent = work.lent.get(LYMPHOCYTES)
    if lent is None or tuple(lent["detectors"]) != names:
        return found
    control = np.asarray(lent["vertices"], dtype=np.float64)
    if found.shape is None:
        flag = f"{found.flag}; the control's polygon is used"
        return replace(found, shape=control, method="the control's polygon", flag=flag)
    middle, theirs = ((shape.min(axis=0) + shape.max(axis=0)) / 2 for shape in (found.shape, control))
    percent = 100 * np.max(np.abs(middle / theirs - 1))
    if percent <= float(work.limits["lymphocytes_distance_max"]):
        return found
    return replace(found, flag=joined(found.flag, f"its middle lies {percent:.0f} % from that of the control's"))


def gate_singlets(work: Working, parent: str) -> bool:
    """Draw the band of single cells in every tube that has a second FSC measure."""
    ratios = [singlet_ratio(tube.signal) for tube in work.tubes]
    inside = [
        ratio[tube.masks[parent]] if ratio is not None else np.empty(0)
        for ratio, tube in zip(ratios, work.tubes, strict=True)
    ]
    for tube, ratio, within in zip(work.tubes, ratios, inside, strict=True):
        scatter = tube.signal.events.scatter
        if ratio is None:
            reason = "singlets not assessable: no second FSC measure in this file"
            tube.found["singlet_low"] = tube.found["singlet_high"] = no_gate(reason)
            tube.failed[SINGLETS] = parent
            continue
        ends = find_singlets(within)
        if within.size < FEWEST:
            others = find_singlets(np.concatenate(inside))
            flag = f"only {within.size} lymphocytes: the band of the sample's tubes together"
            ends = (replace(others[0], flag=flag), replace(others[1], flag=flag)) if others[0].position else ends
        name = f"{scatter.fsc}/{scatter.fsc_height}" if scatter.fsc_height else str(scatter.fsc_width)
        passes = np.isfinite(ratio)
        for gate, end, side in (("singlet_low", ends[0], 1), ("singlet_high", ends[1], -1)):
            boundary = work.boundary(gate, tube, name, end, None)
            if boundary is not None:
                boundary = replace(boundary, tube=tube.signal.events.tube.fcs)
                tube.boundaries.append(boundary)
                passes &= side * ratio >= side * boundary.value
        drawn = any(boundary.gate.startswith("singlet") for boundary in tube.boundaries)
        if drawn:
            tube.narrow(SINGLETS, parent, passes)
        else:
            tube.failed[SINGLETS] = parent
            work.flags.append(ends[0].flag)
    without = [tube for tube in work.tubes if SINGLETS not in tube.masks]
    bare = sum(ratio is None for ratio in ratios)
    if bare:
        work.flags.append(f"singlets not assessable in {bare} tube(s): no second FSC measure")
    if 0 < len(without) < len(work.tubes):
        for tube in without:
            tube.narrow(SINGLETS, parent, tube.masks[parent])
    return True

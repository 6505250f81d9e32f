"""The steps before fluorescence: time, lymphocytes in FSC x SSC, single cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cd40l_flow.gating.density import Ends, counted, density_of
from cd40l_flow.gating.found import Found, joined, no_gate
from cd40l_flow.gating.model import LYMPHOCYTES, SINGLETS, TIME, Places, ScatterGate, taken
from cd40l_flow.gating.scatter import Scattered, find_lymphocytes, rectangle
from cd40l_flow.gating.scatter_map import ON_THE_EDGE, OUTSIDE, ScatterMap
from cd40l_flow.gating.singlets import FEWEST, find_singlets, singlet_ratio
from cd40l_flow.gating.thresholds import find_viability
from cd40l_flow.gating.working import Working, WorkingTube, set_by_hand
from cd40l_flow.signal.acquisition import Mask

NO_SCATTER = "no scatter, as the panel says"
SCATTER_SIDES = ("lymph_fsc_low", "lymph_fsc_high", "lymph_ssc_low", "lymph_ssc_high")


def gate_time(work: Working) -> None:
    """Keep what acquisition QC kept, and the times a person set."""
    for tube in work.tubes:
        signal = tube.signal
        passes = signal.acquisition.keep
        time = signal.events.time
        for name, side in (("time_low", 1), ("time_high", -1)):
            override = work.override(name, tube)
            if override is None or time is None:
                continue
            passes = passes & (side * time >= side * override.value)
            tube.boundaries.append(set_by_hand(override, signal.events.scatter.time or "", override.value))
        tube.places["all"] = np.arange(passes.size, dtype=np.int32)
        tube.dropped = np.flatnonzero(~passes).astype(np.int32)
        # Nearly all pass, and then this is the fastest way to their numbers.
        tube.enter(TIME, "all", tube.places["all"][passes])


def gate_lymphocytes(work: Working, parent: str) -> bool:
    """Draw one polygon in FSC x SSC for the tubes of the sample together; what time dropped is not looked at."""
    tubes = [tube for tube in work.tubes if tube.signal.events.scatter.fsc is not None]
    bare = [tube for tube in work.tubes if tube not in tubes]
    for tube in bare:
        tube.found[LYMPHOCYTES] = no_gate(NO_SCATTER)
        tube.narrow(LYMPHOCYTES, parent)
    if bare:
        work.flags.append(
            f"{NO_SCATTER}: debris, doublets and other leukocytes are not left out in {len(bare)} tube(s)"
        )
    return _draw_lymphocytes(work, tubes, parent) if tubes else True


def _draw_lymphocytes(work: Working, tubes: Sequence[WorkingTube], parent: str) -> bool:
    scatter = tubes[0].signal.events.scatter
    fsc_name, ssc_name = str(scatter.fsc), str(scatter.ssc)
    columns = [(tube.signal.stored(fsc_name), tube.signal.stored(ssc_name)) for tube in tubes]
    tops = [max(float(pair[axis].max(initial=0.0)) for pair in columns) for axis in (0, 1)]
    scatter_map = ScatterMap.up_to(*tops)
    dead = _dead(tubes, work.ends("viability", tubes))
    looked = [
        Scattered(
            scatter_map.squares(*pair),
            tube.signal.scaled["CD3"],
            tube.signal.scaled["CD69"],
            tube.dropped,
            stained,
            stimulated=tube.stimulated,
        )
        for tube, pair, stained in zip(tubes, columns, dead, strict=True)
    ]
    found = _beside_control(work, find_lymphocytes(looked, scatter_map, work.ends("CD3", tubes)), (fsc_name, ssc_name))
    for tube in tubes:
        tube.found[LYMPHOCYTES] = found
        if found.shape is None:
            tube.failed[LYMPHOCYTES] = parent
    if found.shape is None:
        work.flags.append(found.flag)
        return False
    polygon = ScatterGate(fsc_name, ssc_name, found.shape, found.method, found.flag)
    kinds = scatter_map.cut_out(found.shape)
    for tube, one, (fsc, ssc) in zip(tubes, looked, columns, strict=True):
        sides = {}
        for name in SCATTER_SIDES:
            override = work.override(name, tube)
            if override is not None:
                detector = fsc_name if "fsc" in name else ssc_name
                sides[name] = set_by_hand(override, detector, override.value)
        tube.boundaries.extend(sides.values())
        tube.scatter_gate = rectangle(polygon, sides) if sides else polygon
        if sides:
            places = tube.places[parent]
            tube.narrow(LYMPHOCYTES, parent, tube.scatter_gate.inside(taken(fsc, places), taken(ssc, places)))
            continue
        kind = kinds.take(one.squares)
        kind[one.dropped] = OUTSIDE
        doubtful = np.flatnonzero(kind == ON_THE_EDGE)
        kind[doubtful] = polygon.inside(fsc.take(doubtful), ssc.take(doubtful))
        tube.enter(LYMPHOCYTES, parent, np.flatnonzero(kind))
    return True


def _dead(tubes: Sequence[WorkingTube], ends: Ends | None) -> list[Places]:
    """Return the events of each tube that took up the viability dye, of those that time left; the boundary is that of
    all tubes together.
    """
    dyes = [tube.signal.scaled.get("viability") for tube in tubes]
    counts = [
        counted(dye) - counted(dye.take(tube.dropped)) for dye, tube in zip(dyes, tubes, strict=True) if dye is not None
    ]
    boundary = find_viability(density_of(np.sum(counts, axis=0), ends=ends)).position if counts else None
    found = []
    for dye, tube in zip(dyes, tubes, strict=True):
        stained: Mask = np.zeros(0, dtype=bool) if dye is None or boundary is None else dye >= boundary
        if stained.size:
            stained[tube.dropped] = False
        found.append(np.flatnonzero(stained).astype(np.int32))
    return found


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
    ratios = [singlet_ratio(tube.signal, tube.places[parent]) for tube in work.tubes]
    for tube, ratio in zip(work.tubes, ratios, strict=True):
        scatter = tube.signal.events.scatter
        if ratio is None:
            reason = "singlets not assessable: no second FSC measure in this file"
            tube.found["singlet_low"] = tube.found["singlet_high"] = no_gate(reason)
            tube.failed[SINGLETS] = parent
            continue
        ends = find_singlets(ratio)
        if ratio.size < FEWEST:
            others = find_singlets(np.concatenate([one for one in ratios if one is not None]))
            flag = f"only {ratio.size} lymphocytes: the band of the sample's tubes together"
            ends = (replace(others[0], flag=flag), replace(others[1], flag=flag)) if others[0].position else ends
        name = f"{scatter.fsc}/{scatter.fsc_height}" if scatter.fsc_height else str(scatter.fsc_width)
        passes = np.isfinite(ratio)
        for gate, end, side in (("singlet_low", ends[0], 1), ("singlet_high", ends[1], -1)):
            boundary = work.boundary(gate, tube, name, end, None)
            if boundary is not None:
                boundary = replace(boundary, tube=tube.signal.events.tube.fcs)
                tube.boundaries.append(boundary)
                passes &= ratio >= boundary.value if side > 0 else ratio <= boundary.value
        drawn = any(boundary.gate.startswith("singlet") for boundary in tube.boundaries)
        if drawn:
            tube.narrow(SINGLETS, parent, passes)
        else:
            tube.failed[SINGLETS] = parent
            work.flags.append(ends[0].flag)
    without = [tube for tube in work.tubes if SINGLETS not in tube.places]
    bare = sum(ratio is None for ratio in ratios)
    if bare:
        work.flags.append(f"singlets not assessable in {bare} tube(s): no second FSC measure")
    if 0 < len(without) < len(work.tubes):
        for tube in without:
            tube.narrow(SINGLETS, parent)
    return True

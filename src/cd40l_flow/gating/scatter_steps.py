"""The steps before fluorescence: time, lymphocytes in FSC x SSC, single cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cd40l_flow.assay.tables import Gate
from cd40l_flow.gating.density import Ends, counted, density_of
from cd40l_flow.gating.found import Found, joined, no_gate
from cd40l_flow.gating.model import EventIndices, ScatterGate, take
from cd40l_flow.gating.scatter import Scattered, find_lymphocytes, rectangle
from cd40l_flow.gating.scatter_map import ON_THE_EDGE, OUTSIDE, ScatterMap
from cd40l_flow.gating.singlets import FEWEST, find_singlets, singlet_ratio
from cd40l_flow.gating.thresholds import find_viability
from cd40l_flow.gating.working import Working, WorkingTube, set_by_hand
from cd40l_flow.signal.acquisition import Mask

NO_SCATTER = "no scatter, as the panel says"


def gate_time(work: Working, gate: Gate, parent: str) -> bool:
    """Keep the events that acquisition QC kept, within times set by hand."""
    for tube in work.tubes:
        signal = tube.signal
        passes = signal.acquisition.keep
        time = signal.events.time
        for name, side in zip(gate.boundaries, (1, -1), strict=True):
            override = work.override(name, tube)
            if override is None or time is None:
                continue
            passes = passes & (side * time >= side * override.value)
            tube.boundaries.append(set_by_hand(override, signal.events.scatter.time or "", override.value))
        tube.indices[parent] = np.arange(passes.size, dtype=np.int32)
        tube.dropped = np.flatnonzero(~passes).astype(np.int32)
        # Nearly all events pass, and then this is the fastest way to their indices.
        tube.add_events(gate.population, parent, tube.indices[parent][passes])
    return True


def gate_lymphocytes(work: Working, gate: Gate, parent: str) -> bool:
    """Draw one FSC x SSC polygon for all tubes of the sample, without the events that the time gate removed."""
    tubes = [tube for tube in work.tubes if tube.signal.events.scatter.fsc is not None]
    without_scatter = [tube for tube in work.tubes if tube not in tubes]
    for tube in without_scatter:
        tube.found[gate.population] = no_gate(NO_SCATTER)
        tube.add_population(gate.population, parent)
    if without_scatter:
        work.flags.append(
            f"{NO_SCATTER}: debris, doublets and other leukocytes are not left out in {len(without_scatter)} tube(s)"
        )
    return _draw_lymphocytes(work, gate, tubes, parent) if tubes else True


def _draw_lymphocytes(work: Working, gate: Gate, tubes: Sequence[WorkingTube], parent: str) -> bool:
    scatter = tubes[0].signal.events.scatter
    fsc_name, ssc_name = str(scatter.fsc), str(scatter.ssc)
    columns = [(tube.signal.stored(fsc_name), tube.signal.stored(ssc_name)) for tube in tubes]
    tops = [max(float(pair[axis].max(initial=0.0)) for pair in columns) for axis in (0, 1)]
    scatter_map = ScatterMap.up_to(*tops)
    dead = _dead(tubes, work.ends("viability", tubes))
    known_by = next(
        (marker for marker in gate.around if all(marker in tube.signal.scaled for tube in tubes)), gate.around[-1]
    )
    scattered = [
        Scattered(
            scatter_map.squares(*pair),
            tube.signal.scaled[known_by],
            tube.signal.scaled.get("CD69"),
            tube.dropped,
            stained,
            stimulated=tube.stimulated,
        )
        for tube, pair, stained in zip(tubes, columns, dead, strict=True)
    ]
    found = _compare_with_control(
        work, find_lymphocytes(scattered, scatter_map, work.ends(known_by, tubes), known_by), (fsc_name, ssc_name)
    )
    for tube in tubes:
        tube.found[gate.population] = found
        if found.shape is None:
            tube.failed[gate.population] = parent
    if found.shape is None:
        work.flags.append(found.flag)
        return False
    polygon = ScatterGate(fsc_name, ssc_name, found.shape, found.method, found.flag)
    kinds = scatter_map.cut_out(found.shape)
    for tube, one, (fsc, ssc) in zip(tubes, scattered, columns, strict=True):
        sides = {}
        for name in gate.boundaries:
            override = work.override(name, tube)
            if override is not None:
                detector = fsc_name if "fsc" in name else ssc_name
                sides[name] = set_by_hand(override, detector, override.value)
        tube.boundaries.extend(sides.values())
        tube.scatter_gate = rectangle(polygon, sides) if sides else polygon
        if sides:
            inside = tube.scatter_gate.inside(*(take(values, tube.indices[parent]) for values in (fsc, ssc)))
            tube.add_population(gate.population, parent, inside)
            continue
        kind = kinds.take(one.squares)
        kind[one.dropped] = OUTSIDE
        doubtful = np.flatnonzero(kind == ON_THE_EDGE)
        kind[doubtful] = polygon.inside(fsc.take(doubtful), ssc.take(doubtful))
        tube.add_events(gate.population, parent, np.flatnonzero(kind))
    return True


def _dead(tubes: Sequence[WorkingTube], ends: Ends | None) -> list[EventIndices]:
    """Return the dead events of each tube, of those in the time gate; the boundary is that of all tubes together."""
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


def _compare_with_control(work: Working, found: Found, names: tuple[str, str]) -> Found:
    """Return the polygon compared with the control's: the control's if none was found, flagged if it is far from it."""
    theirs = work.control_gates.polygon
    if theirs is None or theirs.detectors != names:
        return found
    control = theirs.vertices
    if found.shape is None:
        flag = f"{found.flag}; the control's polygon is used"
        return replace(found, shape=control, method="the control's polygon", flag=flag)
    ends, control_ends = (shape.min(axis=0) + shape.max(axis=0) for shape in (found.shape, control))
    percent = 100 * np.max(np.abs(ends / control_ends - 1))
    if percent <= work.limits.lymphocytes_distance_max:
        return found
    return replace(found, flag=joined(found.flag, f"its middle lies {percent:.0f} % from that of the control's"))


def gate_singlets(work: Working, gate: Gate, parent: str) -> bool:
    """Draw the band of single cells in every tube that has a second FSC measure."""
    ratios = [singlet_ratio(tube.signal, tube.indices[parent]) for tube in work.tubes]
    for tube, ratio in zip(work.tubes, ratios, strict=True):
        scatter = tube.signal.events.scatter
        if ratio is None:
            reason = "singlets not assessable: no second FSC measure in this file"
            tube.found |= dict.fromkeys(gate.boundaries, no_gate(reason))
            tube.failed[gate.population] = parent
            continue
        ends = find_singlets(ratio)
        if ratio.size < FEWEST:
            others = find_singlets(np.concatenate([one for one in ratios if one is not None]))
            flag = f"only {ratio.size} lymphocytes: the band of the sample's tubes together"
            ends = (replace(others[0], flag=flag), replace(others[1], flag=flag)) if others[0].position else ends
        name = f"{scatter.fsc}/{scatter.fsc_height}" if scatter.fsc_height else str(scatter.fsc_width)
        passes = np.isfinite(ratio)
        drawn = False
        for boundary_name, end, side in zip(gate.boundaries, ends, (1, -1), strict=True):
            boundary = work.boundary(boundary_name, tube, name, end, None)
            if boundary is not None:
                boundary = replace(boundary, tube=tube.signal.events.tube.fcs)
                tube.boundaries.append(boundary)
                drawn = True
                passes &= ratio >= boundary.value if side > 0 else ratio <= boundary.value
        if drawn:
            tube.add_population(gate.population, parent, passes)
        else:
            tube.failed[gate.population] = parent
            work.flags.append(ends[0].flag)
    without = [tube for tube in work.tubes if gate.population not in tube.indices]
    without_scatter = sum(ratio is None for ratio in ratios)
    if without_scatter:
        work.flags.append(f"singlets not assessable in {without_scatter} tube(s): no second FSC measure")
    if 0 < len(without) < len(work.tubes):
        for tube in without:
            tube.add_population(gate.population, parent)
    return True

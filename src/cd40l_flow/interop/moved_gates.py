"""Which boundaries somebody moved: drawn gates compared with those of the result, in the terms of ``overrides.tsv``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.shared_gates import LYMPHOCYTES, SINGLETS, TIME
from cd40l_flow.assay.tables import TARGET_GATE
from cd40l_flow.interop.drawn_gates import Drawn, End
from cd40l_flow.result.gates.shapes import Band, Box, Either, Gate, GateTree, Polygon, Side
from cd40l_flow.result.gates.tree import IN_RANGE, KEPT

# What a program may change by writing a gate down again; anything less is no move. Of a logicle axis, of other values.
SAME_SCALED, SAME = 1e-3, 1e-3
SAME_SECONDS = 0.05


@dataclass(frozen=True)
class Move:
    """A boundary that was moved in one tube, and where to (the unit of overrides)."""

    fcs: str
    boundary: str
    population: str
    value: float


def moves(tree: GateTree, drawn: Sequence[Drawn]) -> tuple[list[Move], list[str]]:
    """Return the boundaries of a tube that were moved, and messages about gates that could not be taken."""
    found: list[Move] = []
    messages: list[str] = []
    known = {_plain(gate.name): gate for gate in tree.gates}
    seen: dict[str, Drawn] = {}
    for one in drawn:
        gate = known.get(_plain(one.gate))
        if gate is None:
            messages.append(f"{one.fcs}: {one.gate!r} is no gate of the result; it is left alone.")
        elif gate.name in seen:
            messages.append(f"{one.fcs}: {one.gate!r} is there more than once; the first is taken.")
        else:
            seen[gate.name] = one
    for gate in tree.gates:
        other = seen.get(gate.name)
        if other is None:
            if not isinstance(gate.shape, Either):
                messages.append(f"{tree.fcs}: {gate.name!r} is not in the file; its boundaries stay as they are.")
            continue
        new, remarks = _moved(tree, gate, other)
        messages += [f"{tree.fcs}: {gate.name!r} {remark}." for remark in remarks]
        for name, value in new.items():
            first = next((move for move in found if move.boundary == name and name != TARGET_GATE), None)
            if first is None:
                found.append(Move(tree.fcs, name, gate.name, value))
            elif not _close(value, first.value, first.value):
                messages.append(
                    f"{tree.fcs}: {name} is {value:.6g} in {gate.name!r} and {first.value:.6g} in "
                    f"{first.population!r}, which share it: the latter is taken."
                )
    return found, messages


def _plain(name: str) -> str:
    """Return a name as people may write it: case and blanks aside."""
    return "".join(name.split()).casefold()


def _moved(tree: GateTree, gate: Gate, drawn: Drawn) -> tuple[dict[str, float], list[str]]:
    if drawn.problem:
        return {}, [f"{drawn.problem}; it is left alone"]
    if gate.name == LYMPHOCYTES:
        # Where the result has no scatter gate, the population is its parent again.
        return _scatter(gate.shape, drawn) if gate.boundaries else ({}, [])
    if gate.name == SINGLETS:
        return _singlets(gate, drawn)
    if gate.name in (TIME, IN_RANGE) or gate.name.startswith(KEPT):
        return _time(tree, gate, drawn)
    return _threshold(tree, gate, drawn)


def _close(one: float, other: float, size: float) -> bool:
    return abs(one - other) <= SAME * abs(size)


def _threshold(tree: GateTree, gate: Gate, drawn: Drawn) -> tuple[dict[str, float], list[str]]:
    """Return where the one boundary of a fluorescence gate went."""
    if not isinstance(gate.shape, Box) or not gate.boundaries:
        return {}, []
    (side,) = gate.shape.sides
    scale = tree.scales[side.detector]
    end = next((end for end in drawn.ends if end.detector == side.detector), None)
    if end is None or drawn.vertices:
        where = " x ".join(one.detector for one in drawn.ends)
        shape = f"a polygon in {where}" if drawn.vertices else f"drawn on {where}"
        return {}, [f"is {shape}; {gate.boundaries[0]} is one value on {side.detector}: it is left alone"]
    if end.compensated != (tree.matrix is not None and side.detector in tree.matrix.detectors):
        kinds = ("not compensated", "compensated")
        found, wanted = kinds[end.compensated], kinds[not end.compensated]
        return {}, [f"is drawn on {side.detector} {found}, the boundary is on {wanted} values: it is left alone"]
    above = side.low is not None
    old, new, beyond = (side.low, end.low, end.high) if above else (side.high, end.high, end.low)
    remarks = []
    if beyond is not None and 0.02 < scale.to_scaled(beyond) < 0.98:
        remarks.append(f"also ends at {beyond:.6g}: there is no such boundary, this end is left out")
    if len(drawn.ends) > 1:
        others = ", ".join(one.detector for one in drawn.ends if one is not end)
        remarks.append(f"is drawn on {others} too: only {side.detector} is taken")
    if new is None:
        return {}, [*remarks, f"is open where {gate.boundaries[0]} should be: it is left alone"]
    if old is None or abs(scale.to_scaled(new) - scale.to_scaled(old)) <= SAME_SCALED:
        return {}, remarks
    maker = current_assay().maker.get(gate.name)
    if maker is not None and gate.name == maker.others:
        return {}, [*remarks, f"was moved; {gate.boundaries[0]} is taken from {maker.population!r} alone"]
    return {gate.boundaries[0]: new}, remarks


def _box(drawn: Drawn, names: tuple[str, str]) -> tuple[float, float, float, float] | None:
    """Return left, right, bottom and top of a gate on two detectors, in this order; None where it is on others."""
    if drawn.vertices:
        if tuple(end.detector for end in drawn.ends) != names:
            return None
        x, y = zip(*drawn.vertices, strict=True)
        return min(x), max(x), min(y), max(y)
    ends = {end.detector: end for end in drawn.ends}
    values = [value for name in names if name in ends for value in (ends[name].low, ends[name].high)]
    known = [value for value in values if value is not None]
    return (known[0], known[1], known[2], known[3]) if len(known) == 4 else None


def _swapped(drawn: Drawn) -> Drawn:
    """Return a polygon with its axes exchanged."""
    return Drawn(drawn.fcs, drawn.gate, drawn.ends[::-1], tuple((y, x) for x, y in drawn.vertices))


def _scatter(shape: object, drawn: Drawn) -> tuple[dict[str, float], list[str]]:
    """Return the sides of the rectangle around a scatter gate that was moved."""
    names = _axes(shape)
    if drawn.vertices and tuple(end.detector for end in drawn.ends) == names[::-1]:
        drawn = _swapped(drawn)
    new = _box(drawn, names)
    if new is None:
        return {}, [f"is not a closed gate on {' x '.join(names)}: it is left alone"]
    corners = _corners(shape)
    x, y = zip(*corners, strict=True)
    old = (min(x), max(x), min(y), max(y))
    sizes = (old[1] - old[0],) * 2 + (old[3] - old[2],) * 2
    changed = {
        name: value
        for name, value, before, size in zip(current_assay().boundaries(LYMPHOCYTES), new, old, sizes, strict=True)
        if not _close(value, before, size)
    }
    if changed:
        messages = f"was moved: it becomes its bounding rectangle, with {', '.join(changed)} as drawn"
        return changed, [messages if drawn.vertices else "was moved: a rectangle takes the place of the polygon"]
    if isinstance(shape, Polygon) and not _same_corners(corners, drawn.vertices, sizes):
        return {}, ["has other corners, but the same bounding rectangle: overrides have sides only, it is left alone"]
    return {}, []


def _axes(shape: object) -> tuple[str, str]:
    if isinstance(shape, Polygon):
        return shape.x, shape.y
    if not isinstance(shape, Box):
        raise TypeError(f"no scatter gate: {shape}")
    return shape.sides[0].detector, shape.sides[1].detector


def _corners(shape: object) -> tuple[tuple[float, float], ...]:
    if isinstance(shape, Polygon):
        return shape.vertices
    if not isinstance(shape, Box):
        raise TypeError(f"no scatter gate: {shape}")
    first, second = shape.sides
    return tuple(
        (float(x), float(y))
        for x in (first.low, first.high)
        for y in (second.low, second.high)
        if x is not None and y is not None
    )


def _same_corners(
    old: Sequence[tuple[float, float]], new: Sequence[tuple[float, float]], sizes: Sequence[float]
) -> bool:
    """Return whether two polygons have the same corners, wherever they begin."""
    return len(old) == len(new) and all(
        any(_close(x, a, sizes[0]) and _close(y, b, sizes[2]) for a, b in old) for x, y in new
    )


def _singlets(gate: Gate, drawn: Drawn) -> tuple[dict[str, float], list[str]]:
    """Return the ends of the band of single cells; of a polygon the least and the largest ratio of its corners."""
    shape, remarks = gate.shape, []
    if not gate.boundaries or not isinstance(shape, Band | Box):
        return {}, []
    if isinstance(shape, Box):
        (side,) = shape.sides
        if drawn.vertices or [end.detector for end in drawn.ends] != [side.detector]:
            return {}, [f"is not a range of {side.detector}: it is left alone"]
        old, new = (side.low, side.high), (drawn.ends[0].low, drawn.ends[0].high)
    else:
        old = (shape.low, shape.high)
        ratio = next((end for end in drawn.ends if end.ratio), None)
        names = (shape.numerator, shape.denominator)
        found = tuple(end.detector for end in drawn.ends)
        if ratio is not None:
            new = (ratio.low, ratio.high)
        elif drawn.vertices and found in (names, names[::-1]):
            corners = drawn.vertices if found == names else _swapped(drawn).vertices
            ratios = [x / y for x, y in corners if x > 0 and y > 0]
            if len(ratios) < 2:
                return {}, ["has no two corners with sizes above 0: it is left alone"]
            new = (min(ratios), max(ratios))
            if len(corners) != 3 or len(ratios) != 2:
                remarks.append(
                    "is not the wedge that was written: the least and largest ratio of its corners are taken"
                )
        else:
            return {}, [f"is not a polygon in {' x '.join(names)}: it is left alone"]
    changed = {
        name: value
        for name, value, before in zip(("singlet_low", "singlet_high"), new, old, strict=True)
        if value is not None and before is not None and not _close(value, before, before)
    }
    return changed, remarks if changed else []


def _time(tree: GateTree, gate: Gate, drawn: Drawn) -> tuple[dict[str, float], list[str]]:
    """Return the seconds of a gate on time; the ends of pieces inside are acquisition QC's."""
    time = [side for side in _sides(gate) if gate.name != IN_RANGE and _is_time(tree, side)]
    if not time or len(drawn.ends) != 1:
        moved = any(not _same_end(side, drawn.ends) for side in _sides(gate))
        return {}, [
            "was moved: the range of scatter is the instrument's and no boundary, it is left alone"
        ] if moved else []
    (side,), (end,) = time, drawn.ends
    if end.detector != side.detector:
        return {}, [f"is drawn on {end.detector}, not on time: it is left alone"]
    pieces = [one.name for one in tree.gates if one.name.startswith(KEPT)]
    changed, remarks = {}, []
    for name, new, old, outer in (
        ("time_low", end.low, side.low, gate.name in (TIME, *pieces[:1])),
        ("time_high", end.high, side.high, gate.name in (TIME, *pieces[-1:])),
    ):
        if new is None or old is None or abs(new - old) <= max(SAME_SECONDS, SAME * abs(old)):
            continue
        if outer:
            changed[name] = max(new, 0.0)
        else:
            remarks.append(f"was moved at {old:.6g} s, where acquisition QC cut: that end is left alone")
    return changed, remarks


def _sides(gate: Gate) -> tuple[Side, ...]:
    return gate.shape.sides if isinstance(gate.shape, Box) else ()


def _is_time(tree: GateTree, side: Side) -> bool:
    """Return whether a side of the first gates is on time: scatter belongs to the gate of the range."""
    ranges = {one.detector for gate in tree.gates if gate.name == IN_RANGE for one in _sides(gate)}
    return bool(ranges) and side.detector not in ranges


def _same_end(side: Side, ends: Sequence[End]) -> bool:
    end = next((one for one in ends if one.detector == side.detector), None)
    if end is None or side.high is None:
        return end is not None
    return end.high is not None and _close(end.high, side.high, side.high)


def together(found: Sequence[Move], trees: Sequence[GateTree], reagents: Mapping[str, Sequence[str]]) -> Iterator[Move]:
    """Yield the moves as lines: one for all tubes (``fcs`` empty) where every tube was given the same boundary.

    ``reagents`` maps reagent -> its pooled tubes: a threshold is the reagent's, and its line names the first of them
    that was moved.
    """
    for boundary, population in dict.fromkeys((move.boundary, move.population) for move in found):
        moved = [move for move in found if (move.boundary, move.population) == (boundary, population)]
        if boundary == "target_low":
            own = [move for move in moved if move.fcs in reagents[population.removesuffix("+")]]
            yield from own[:1]
            continue
        with_it = [tree.fcs for tree in trees if any(boundary in gate.boundaries for gate in tree.gates)]
        values = [move.value for move in moved]
        alike = max(values) - min(values) <= SAME * max(map(abs, values))
        per_tube = boundary.startswith(("singlet_", "time_"))
        if not per_tube and alike and {move.fcs for move in moved} == set(with_it):
            yield Move("", boundary, population, values[0])
        else:
            yield from moved

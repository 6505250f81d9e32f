"""From ``result.json`` to the gates of every tube: nothing else is needed to draw them again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec.structs import asdict

from cd40l_flow.assay.cd40l.gates import ACTIVATED
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.shared_gates import LYMPHOCYTES, SINGLETS, TIME
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.model import Spillover
from cd40l_flow.result.gates.shapes import Band, Box, Either, Gate, GateTree, Polygon, Shape, Side
from cd40l_flow.result.types.acquisition import TubeAcquisition
from cd40l_flow.result.types.gates import Gate as GateRow
from cd40l_flow.result.types.result import Result
from cd40l_flow.result.types.tubes import Tube
from cd40l_flow.signal.scale import Scale

IN_RANGE, KEPT = "in_range", "time_kept_"
# Numbers of a result have ten digits.
DIGITS = 1e-9
OPEN = 1e30  # channel values: a side that nothing lies beyond


def gate_trees(result: Result) -> list[GateTree]:
    """Return the gates of every file of a sample that could be read, in the order of the result.

    A file that is used for two reagents (a combined tube) has one tree with the thresholds of both. Raises
    Cd40lFlowError for a result whose gates, scales and tubes do not belong together.
    """
    try:
        return _trees(result)
    except LookupError as error:
        raise Cd40lFlowError(
            f"{result.sample}: the gates of its result name {error}, which the result does not describe. Run the "
            "workflow again."
        ) from None


def scales_of(result: Result) -> dict[str, Scale]:
    """Return detector -> its scale."""
    return {name: Scale(**asdict(scale)) for name, scale in result.scales.items()}


def _trees(result: Result) -> list[GateTree]:
    courses = {course.fcs: course for course in result.acquisition.tubes}
    files = list(dict.fromkeys(tube.fcs for tube in result.tubes))
    trees = []
    for number, fcs in enumerate(files, 1):
        tubes = [tube for tube in result.tubes if tube.fcs == fcs and tube.status == "ok"]
        if tubes:
            trees.append(_tree(number, tubes, courses[fcs], result))
    return trees


def _tree(number: int, tubes: Sequence[Tube], course: TubeAcquisition, result: Result) -> GateTree:
    tube = tubes[0]
    spillover = tube.spillover
    matrix = None
    if spillover is not None:
        matrix = Spillover(tuple(spillover.detectors), np.array(spillover.matrix), spillover.source)
    scales = scales_of(result)
    rows = [row for row in result.gates if row.tube in (None, tube.fcs)]
    # A row of this tube goes before one of all tubes.
    rows.sort(key=lambda row: row.tube is None)
    gates = [*_time(course, rows, next(iter(tube.markers.values())))]
    for population in tube.populations:
        name, parent = population.population, population.parent
        if name == TIME:
            continue
        shape, boundaries = _shape(name, tube.markers, course, rows, scales)
        if shape is None:
            # A tube that lacks what this gate uses passes unchanged: the gate is that of its parent again.
            shape = next(gate.shape for gate in gates if gate.name == parent)
        gates.append(Gate(name, parent, shape, boundaries))
    gates += _targets(tubes, rows, scales, {gate.name for gate in gates})
    used = {side.detector for gate in gates if isinstance(gate.shape, Box) for side in gate.shape.sides}
    counts = {population.population: int(population.count) for population in tube.populations}
    drawn = {name: scale for name, scale in scales.items() if name in used}
    return GateTree(number, tube.fcs, matrix, drawn, tuple(gates), counts)


def _time(course: TubeAcquisition, rows: Sequence[GateRow], other: str) -> Iterator[Gate]:
    """Yield the gates of acquisition QC: scatter within its range, then the seconds that were kept.

    ``other`` is a detector that every event has, for the gate that holds all of them where there is no scatter.
    """
    # What lies at the top lies there to the last digit of a 32-bit number.
    tops = [Side(name, high=top * (1 - DIGITS)) for name, top in course.ceilings.items() if top is not None]
    box = Box(tuple(tops) or (Side(course.scatter.fsc or other, low=-OPEN),))
    if course.time_s is None:
        yield Gate(TIME, "", box)
        return
    yield Gate(IN_RANGE, "", box)
    low, high = (_value(rows, gate) for gate in ("time_low", "time_high"))
    first, last = course.time_s
    begin = first - _slack(first) if low is None else low
    end = last + _slack(last) if high is None else math.nextafter(high, math.inf)
    names = tuple(name for name, value in (("time_low", low), ("time_high", high)) if value is not None)
    kept = [(begin, end)]
    for stretch in course.stretches:
        start, stop = stretch.start - _slack(stretch.start), stretch.end + _slack(stretch.end)
        kept = [part for a, b in kept for part in ((a, min(b, start)), (max(a, stop), b)) if part[0] < part[1]]
    boxes = [Box((Side(str(course.scatter.time), a, b),)) for a, b in kept or [(end, end)]]
    if len(boxes) == 1:
        yield Gate(TIME, IN_RANGE, boxes[0], names)
        return
    parts = [Gate(f"{KEPT}{number}", IN_RANGE, each) for number, each in enumerate(boxes, 1)]
    yield from parts
    yield Gate(TIME, IN_RANGE, Either(tuple(part.name for part in parts)), names)


def _slack(value: float) -> float:
    """Return what ten digits may hide of a time, seconds."""
    return DIGITS * max(abs(value), 1.0)


def _row(rows: Sequence[GateRow], gate: str, detector: str | None = None) -> GateRow | None:
    """Return the row of a drawn boundary (on a detector)."""
    drawn = (row for row in rows if row.gate == gate and row.value is not None)
    return next((each for each in drawn if detector in (None, each.detector)), None)


def _value(rows: Sequence[GateRow], gate: str) -> float | None:
    row = _row(rows, gate)
    return None if row is None else row.value


def _shape(
    name: str,
    markers: Mapping[str, str],
    course: TubeAcquisition,
    rows: Sequence[GateRow],
    scales: Mapping[str, Scale],
) -> tuple[Shape | None, tuple[str, ...]]:
    """Return the shape of a population's gate and its boundaries; None for a tube that the gate left as it was."""
    assay = current_assay()
    names = assay.boundaries(name)
    if name == LYMPHOCYTES:
        polygon = next((row for row in rows if row.gate == LYMPHOCYTES and row.vertices), None)
        if polygon is None or course.scatter.fsc is None:
            return None, ()
        return _outline(polygon), names
    if name == SINGLETS:
        return _singlets(course, rows), names
    gate, above = assay.thresholds[name]
    row = _row(rows, gate.boundaries[0], markers.get(gate.marker)) if gate.marker in markers else None
    if row is None:
        return None, ()
    return _threshold(row, scales[str(row.detector)], above=above), gate.boundaries


def _outline(row: GateRow) -> Shape:
    """Return the polygon, as a box where it is one."""
    (x, y), corners = row.detectors or ("", ""), row.vertices or []
    (left, bottom), (right, top) = np.min(corners, axis=0), np.max(corners, axis=0)
    if set(corners) == {(left, bottom), (right, bottom), (right, top), (left, top)}:
        ends = ((x, left, right), (y, bottom, top))
        return Box(tuple(Side(name, float(low), math.nextafter(high, math.inf)) for name, low, high in ends))
    return Polygon(x, y, tuple(corners))


def _singlets(course: TubeAcquisition, rows: Sequence[GateRow]) -> Shape | None:
    low, high = (_value(rows, gate) for gate in ("singlet_low", "singlet_high"))
    if low is None and high is None:
        return None
    least = -OPEN if low is None else low
    most = OPEN if high is None else math.nextafter(high, math.inf)
    scatter = course.scatter
    if scatter.fsc_height is not None:
        top = course.ceilings[str(scatter.fsc)]
        return Band(str(scatter.fsc), scatter.fsc_height, least, most, OPEN if top is None else top)
    return Box((Side(str(scatter.fsc_width), least, most),))


def _threshold(row: GateRow, scale: Scale, *, above: bool) -> Box:
    """Return the box above a boundary, or up to it.

    Gating compares 32-bit values: the box ends midway between the last that lies at the boundary or below and the next,
    where 64-bit values of the same events fall on the same side.
    """
    if row.detector is None or row.scaled is None:
        raise LookupError(f"{row.gate} without its place")
    detector, inside = row.detector, scale.to_linear(row.scaled + 1e-10)
    last = np.float32(inside)
    if float(last) > inside:
        last = np.nextafter(last, np.float32(-np.inf))
    following = np.nextafter(last, np.float32(np.inf))
    edge = 0.5 * (float(last) + float(following))
    return Box((Side(detector, low=edge) if above else Side(detector, high=edge),))


def _targets(
    tubes: Sequence[Tube],
    rows: Sequence[GateRow],
    scales: Mapping[str, Scale],
    there: set[str],
) -> Iterator[Gate]:
    """Yield the threshold of each reagent whose tube, or background, this is: among the activated cells."""
    if ACTIVATED not in there:
        return
    for row in rows:
        if row.gate != "target_low" or row.scaled is None:
            continue
        reagent = row.population.removesuffix("+")
        for tube in tubes:
            concerns = reagent == tube.reagent or reagent in current_assay().background_of.get(tube.reagent, ())
            if concerns and tube.markers.get(TARGET) == row.detector:
                box = _threshold(row, scales[str(row.detector)], above=True)
                yield Gate(row.population, ACTIVATED, box, ("target_low",))
                break

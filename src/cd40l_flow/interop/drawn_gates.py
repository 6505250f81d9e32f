"""The gates that somebody drew: out of a FlowJo workspace or a Gating-ML file, in the linear units of overrides.

Much is taken as it comes: nesting, order, groups, further gates. What a gate means is judged elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lxml import etree

from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.interop.flowjo import COMPENSATED, DATATYPES, GATING, sample_names
from cd40l_flow.result.gates.shapes import GateTree

# What FlowKit raises of a document that it cannot follow.
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, NotImplementedError, etree.XMLSyntaxError)


@dataclass(frozen=True)
class End:
    """One dimension of a drawn gate: a detector, or ``ratio`` of two, with its ends in linear values."""

    detector: str
    compensated: bool
    low: float | None = None
    high: float | None = None
    ratio: bool = False


@dataclass(frozen=True)
class Drawn:
    """A gate of one tube as a file has it: ``gate`` is its name there, ``fcs`` the tube's.

    ``vertices`` are the corners of a polygon, linear values, else empty. ``problem`` is why the gate cannot be taken.
    """

    fcs: str
    gate: str
    ends: tuple[End, ...] = ()
    vertices: tuple[tuple[float, float], ...] = ()
    problem: str = ""


def read_drawn(path: Path, trees: Sequence[GateTree]) -> tuple[list[Drawn], list[str]]:
    """Return the gates in a file for the tubes of a result, and the messages about the file.

    Raises Cd40lFlowError for a file that is neither a FlowJo 10 workspace nor Gating-ML 2.0, that has no gate of these
    tubes, or one of whose gates ends at NaN or infinity.
    """
    # Entities and other files are left alone: a workspace has none.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    try:
        root = etree.parse(str(path), parser).getroot()
    except (OSError, etree.XMLSyntaxError) as error:
        raise Cd40lFlowError(f"{path}: cannot be read as XML ({error}). Save the workspace again.") from None
    kind = etree.QName(root).localname
    if kind not in ("Workspace", "Gating-ML"):
        raise Cd40lFlowError(f"{path}: found <{kind}>; expected a FlowJo 10 workspace (.wsp) or a Gating-ML 2.0 file.")
    drawn, messages = _of_workspace(root, trees) if kind == "Workspace" else _of_gatingml(path, trees)
    if not drawn:
        tubes = ", ".join(tree.fcs for tree in trees)
        raise Cd40lFlowError(
            f"{path}: holds no gate of this sample, whose tubes are {tubes}. Name the file that was made for it, or "
            "the result of the sample that it is for; nothing was written."
        )
    if wrong := [f"{one.fcs}: {one.gate!r}" for one in drawn if not _is_finite(one)]:
        raise Cd40lFlowError(
            f"{path}: an end or a corner that is no finite number (NaN or infinity) in {'; '.join(wrong)}. Draw these "
            "gates again and save the file; nothing was written."
        )
    return drawn, messages


def _is_finite(drawn: Drawn) -> bool:
    ends = [value for end in drawn.ends for value in (end.low, end.high) if value is not None]
    return all(math.isfinite(value) for value in (*ends, *(value for corner in drawn.vertices for value in corner)))


def _of_workspace(root: etree._Element, trees: Sequence[GateTree]) -> tuple[list[Drawn], list[str]]:
    drawn: list[Drawn] = []
    messages = []
    names = {name: fcs for fcs, name in sample_names(trees).items()} | {tree.fcs: tree.fcs for tree in trees}
    for node in root.iterfind("SampleList/Sample/SampleNode"):
        name = node.get("name", "")
        fcs = names.get(name, names.get(name.replace("\\", "/").rpartition("/")[2]))
        if fcs is None:
            messages.append(f"{name}: no tube of this sample; its gates are left alone.")
            continue
        drawn += [_population(fcs, element) for element in node.iter("Population")]
    return drawn, messages


def _population(fcs: str, element: etree._Element) -> Drawn:
    name = element.get("name", "").strip()
    shapes = list(element.iterfind("Gate/*"))
    kind = etree.QName(shapes[0]).localname if shapes else "nothing"
    if kind not in ("RectangleGate", "PolygonGate"):
        return Drawn(fcs, name, problem=f"is drawn as {kind}: only ranges, rectangles and polygons can be taken")
    shape = shapes[0]
    if shape.get("eventsInside", "1") == "0":
        return Drawn(fcs, name, problem="holds what lies outside of its shape")
    try:
        ends = tuple(_end(dimension) for dimension in shape.iterfind(f"{{{GATING}}}dimension"))
        corners = [
            [float(value.get(f"{{{DATATYPES}}}value", "")) for value in corner]
            for corner in shape.iterfind(f"{{{GATING}}}vertex")
        ]
        vertices = tuple((x, y) for x, y in corners)
    except (TypeError, ValueError):  # a comment in place of a number has no value at all
        return Drawn(fcs, name, problem="has a corner or an end that is not a number")
    return Drawn(fcs, name, ends, vertices)


def _end(dimension: etree._Element) -> End:
    """Return one side of a gate; raises ValueError where it names no detector or an end is not a number."""
    named = dimension.find(f"{{{DATATYPES}}}fcs-dimension")
    detector = None if named is None else named.get(f"{{{DATATYPES}}}name")
    if detector is None:
        raise ValueError("no detector")
    low, high = (dimension.get(f"{{{GATING}}}{name}") for name in ("min", "max"))
    return End(
        detector.removeprefix(COMPENSATED),
        detector.startswith(COMPENSATED),
        None if low is None else float(low),
        None if high is None else float(high),
    )


def _of_gatingml(path: Path, trees: Sequence[GateTree]) -> tuple[list[Drawn], list[str]]:
    import flowkit

    try:
        document = flowkit.parse_gating_xml(str(path))
    except (*_UNREADABLE, flowkit.exceptions.FlowKitException) as error:
        raise Cd40lFlowError(
            f"{path}: not a Gating-ML 2.0 file that can be read, or one with a kind of gate that is not taken in "
            f"({type(error).__name__}: {error}). Ranges, rectangles and polygons are; nothing was written."
        ) from None
    known = {tree.identifier(gate.name): (tree, gate.name) for tree in trees for gate in tree.gates}
    drawn, messages = [], []
    for name, place in document.get_gate_ids():
        if name not in known:
            messages.append(f"{name}: no gate of this sample; it is left alone.")
            continue
        tree, population = known[name]
        gate = document.get_gate(name, place)
        kind = type(gate).__name__
        if kind == "BooleanGate":
            continue
        if kind not in ("RectangleGate", "PolygonGate"):
            drawn.append(
                Drawn(tree.fcs, population, problem=f"is drawn as {kind}: only ranges, rectangles and polygons")
            )
            continue
        transforms = [_transform(path, document, dimension) for dimension in gate.dimensions]
        ends = tuple(_linear_end(one, change) for one, change in zip(gate.dimensions, transforms, strict=True))
        corners = tuple(
            tuple(_linear(value, change) for value, change in zip(corner, transforms, strict=True))
            for corner in getattr(gate, "vertices", ())
        )
        drawn.append(Drawn(tree.fcs, population, ends, tuple((x, y) for x, y in corners)))
    return drawn, messages


def _transform(path: Path, document: Any, dimension: Any) -> Any | None:
    name = dimension.transformation_ref
    try:
        return document.get_transform(name) if name is not None else None
    except LookupError:
        raise Cd40lFlowError(
            f"{path}: a gate is on the scale {name!r}, which the file does not describe. Save it again; nothing was "
            "written."
        ) from None


def _linear(value: float, transform: Any | None) -> float:
    return float(value if transform is None else transform.inverse(np.array([[float(value)]]))[0, 0])


def _linear_end(dimension: Any, transform: Any | None) -> End:
    # A ratio's dimension lacks the end that it was not given.
    low, high = (getattr(dimension, name, None) for name in ("min", "max"))
    ratio = not hasattr(dimension, "id")
    return End(
        dimension.ratio_ref if ratio else dimension.id,
        dimension.compensation_ref not in (None, "uncompensated"),
        None if low is None else _linear(low, transform),
        None if high is None else _linear(high, transform),
        ratio,
    )


def by_tube(drawn: Sequence[Drawn]) -> Iterator[tuple[str, list[Drawn]]]:
    """Yield each tube with its gates, in order of first appearance."""
    for fcs in dict.fromkeys(one.fcs for one in drawn):
        yield fcs, [one for one in drawn if one.fcs == fcs]

"""``gates.gatingml.xml``: the gates of every tube of a sample as Gating-ML 2.0.

Gating-ML has no tubes: each has a tree of its own, whose identifiers begin with ``t1.``, ``t2.`` and so on;
``custom_info`` of every gate names the tube, the population and the boundaries. Source of the format: ISAC's
Gating-ML 2.0 specification (Spidlen et al. 2015, doi:10.1002/cyto.a.22690). FlowKit's writer would do, but its import
takes longer than the analysis of a sample.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
from lxml import etree

from cd40l_flow.base.model import Spillover
from cd40l_flow.interop.flowjo import DATATYPES, GATING, NAMESPACES, TRANSFORMS, qualified
from cd40l_flow.result.gates.shapes import Band, Box, Either, Gate, GateTree, Polygon, Side

UNCOMPENSATED = "uncompensated"
POSITIVE = sys.float_info.min  # the smallest number above 0 that every reader of XML takes
# A gate refers to them, so they are written first.
Names = dict[tuple[object, ...], str]


def gatingml(sample: str, trees: Sequence[GateTree], why: str = "") -> bytes:
    """Return the Gating-ML document of a sample, without gates one stating ``why``; equal gates give equal bytes."""
    root = etree.Element(qualified(GATING, "Gating-ML"), nsmap=NAMESPACES)
    _add_comment(root, f"Gates of sample {sample}, by cd40l-flow. Research use only.")
    if why:
        _add_comment(root, why)
    changes: Names = {}
    for tree in trees:
        _add_transformations(root, tree, changes)
    matrices: list[tuple[str, Spillover]] = []
    for tree in trees:
        _add_matrix(root, tree.matrix, matrices)
    for tree in trees:
        matrix = _matrix_name(tree.matrix, matrices)
        for gate in tree.gates:
            _add_gate(root, tree, gate, changes, matrix)
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return document


def _add_comment(element: etree._Element, text: str) -> None:
    """Put a sentence for people into an element."""
    etree.SubElement(element, qualified(DATATYPES, "custom_info")).text = text


def _add_transformations(root: etree._Element, tree: GateTree, names: Names) -> None:
    """Add the scales and ratios of a tree that are not there yet; ``names`` maps what they are -> identifier."""
    for detector, scale in sorted(tree.scales.items()):
        terms = {"T": scale.t, "W": scale.w, "M": scale.m, "A": scale.a}
        key = _scale(tree, detector)
        if key not in names:
            names[key] = f"logicle_{len(names) + 1}"
            attrs = {qualified(TRANSFORMS, term): repr(value) for term, value in terms.items()}
            etree.SubElement(_transformation(root, names[key]), qualified(TRANSFORMS, "logicle"), attrs)
    for gate in tree.gates:
        if isinstance(gate.shape, Band) and _ratio(gate.shape) not in names:
            key = _ratio(gate.shape)
            names[key] = f"ratio_{len(names) + 1}"
            plain = {qualified(TRANSFORMS, term): value for term, value in (("A", "1.0"), ("B", "0.0"), ("C", "0.0"))}
            ratio = etree.SubElement(_transformation(root, names[key]), qualified(TRANSFORMS, "fratio"), plain)
            for part in (gate.shape.numerator, gate.shape.denominator):
                _add_detector(ratio, part)


def _ratio(band: Band) -> tuple[object, ...]:
    return band.numerator, band.denominator


def _scale(tree: GateTree, detector: str) -> tuple[object, ...]:
    scale = tree.scales[detector]
    return detector, scale.t, scale.w, scale.m, scale.a


def _transformation(root: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(root, qualified(TRANSFORMS, "transformation"), {qualified(TRANSFORMS, "id"): name})


def _add_detector(parent: etree._Element, name: str) -> None:
    etree.SubElement(parent, qualified(DATATYPES, "fcs-dimension"), {qualified(DATATYPES, "name"): name})


def _matrix_name(matrix: Spillover | None, there: Sequence[tuple[str, Spillover]]) -> str:
    """Return the identifier of a matrix among those that were written."""
    if matrix is None:
        return UNCOMPENSATED
    return next(
        (
            name
            for name, other in there
            if other.detectors == matrix.detectors and np.array_equal(other.matrix, matrix.matrix)
        ),
        "",
    )


def _add_matrix(root: etree._Element, matrix: Spillover | None, there: list[tuple[str, Spillover]]) -> None:
    """Add a matrix that is not there yet; detectors represent the dyes, whose names the files do not give."""
    if matrix is None or _matrix_name(matrix, there):
        return
    there.append((f"spillover_{len(there) + 1}", matrix))
    element = etree.SubElement(
        root, qualified(TRANSFORMS, "spectrumMatrix"), {qualified(TRANSFORMS, "id"): there[-1][0]}
    )
    for group in ("fluorochromes", "detectors"):
        names = etree.SubElement(element, qualified(TRANSFORMS, group))
        for detector in matrix.detectors:
            _add_detector(names, detector)
    for row in matrix.matrix.tolist():
        spectrum = etree.SubElement(element, qualified(TRANSFORMS, "spectrum"))
        for value in row:
            attrs = {qualified(TRANSFORMS, "value"): repr(value)}
            etree.SubElement(spectrum, qualified(TRANSFORMS, "coefficient"), attrs)


def _add_gate(
    root: etree._Element, tree: GateTree, gate: Gate, changes: Mapping[tuple[object, ...], str], matrix: str
) -> None:
    kinds = {Box: "RectangleGate", Band: "RectangleGate", Polygon: "PolygonGate", Either: "BooleanGate"}
    attrs = {qualified(GATING, "id"): tree.identifier(gate.name)}
    if gate.parent:
        attrs[qualified(GATING, "parent_id")] = tree.identifier(gate.parent)
    element = etree.SubElement(root, qualified(GATING, kinds[type(gate.shape)]), attrs)
    words = [f"tube {tree.fcs}", f"population {gate.name}", *(f"boundary {name}" for name in gate.boundaries)]
    _add_comment(element, "; ".join(words))
    match gate.shape:
        case Box(sides):
            for side in sides:
                _add_side(element, tree, side, changes, matrix)
        case Band(_, denominator, low, high, _):
            band = _dimension(element, UNCOMPENSATED, {"min": low, "max": high})
            reference = {qualified(DATATYPES, "transformation-ref"): changes[_ratio(gate.shape)]}
            etree.SubElement(band, qualified(DATATYPES, "new-dimension"), reference)
            _add_side(element, tree, Side(denominator, low=POSITIVE), changes, matrix)
        case Polygon(x, y, vertices):
            for detector in (x, y):
                _add_side(element, tree, Side(detector), changes, matrix)
            for vertex in vertices:
                corner = etree.SubElement(element, qualified(GATING, "vertex"))
                for value in vertex:
                    at = {qualified(DATATYPES, "value"): repr(value)}
                    etree.SubElement(corner, qualified(GATING, "coordinate"), at)
        case Either(names):
            union = etree.SubElement(element, qualified(GATING, "or"))
            for name in names:
                reference = {qualified(GATING, "ref"): tree.identifier(name)}
                etree.SubElement(union, qualified(GATING, "gateReference"), reference)


def _add_side(
    element: etree._Element, tree: GateTree, side: Side, changes: Mapping[tuple[object, ...], str], matrix: str
) -> None:
    """Add one side of a gate as a dimension, its ends on the detector's scale."""
    inside = tree.matrix is not None and side.detector in tree.matrix.detectors
    ends, scale = {"min": side.low, "max": side.high}, tree.scales.get(side.detector)
    change = None
    if scale is not None:
        ends = {name: None if end is None else scale.to_scaled(end) for name, end in ends.items()}
        change = changes[_scale(tree, side.detector)]
    _add_detector(_dimension(element, matrix if inside else UNCOMPENSATED, ends, change), side.detector)


def _dimension(
    element: etree._Element, matrix: str, ends: Mapping[str, float | None], change: str | None = None
) -> etree._Element:
    attrs = {qualified(GATING, "compensation-ref"): matrix}
    if change is not None:
        attrs[qualified(GATING, "transformation-ref")] = change
    attrs |= {qualified(GATING, name): repr(float(end)) for name, end in ends.items() if end is not None}
    return etree.SubElement(element, qualified(GATING, "dimension"), attrs)

"""``gates.gatingml.xml``: the gates of every tube of a sample as Gating-ML 2.0, and its own gates out of such a file.

Gating-ML knows no tubes: each has a tree of its own, whose identifiers begin with ``t1.``, ``t2.`` and so on;
``custom_info`` of every gate names the tube, the population and the boundaries.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flowkit
import numpy as np
from lxml import etree

from cd40l_flow.inputs.model import Spillover
from cd40l_flow.outputs.gate_shapes import Band, Box, Either, Gate, GateTree, Polygon, Side

DATATYPES = "http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"
GATING = "http://www.isac-net.org/std/Gating-ML/v2.0/gating"
# What FlowKit cannot write: no gate at all.
EMPTY = f'<gating:Gating-ML xmlns:gating="{GATING}" xmlns:data-type="{DATATYPES}"/>'
UNCOMPENSATED = "uncompensated"
POSITIVE = sys.float_info.min  # the smallest number above 0 that every reader of XML takes


@dataclass(frozen=True)
class _References:
    """The names that gates call matrices and scales by: of detectors inside the tube's matrix, of each detector."""

    matrix: str
    scales: Mapping[str, str]


def gatingml(sample: str, trees: Sequence[GateTree]) -> bytes:
    """Return the Gating-ML document of a sample; equal gates give equal bytes."""
    strategy = flowkit.GatingStrategy()
    matrices: list[Spillover] = []
    scales: dict[tuple[object, ...], str] = {}
    for tree in trees:
        _add_tree(strategy, tree, _references(strategy, tree, matrices, scales))
    root = etree.fromstring(_written(strategy) if trees else EMPTY)
    _tell(root, f"Gates of sample {sample}, by cd40l-flow. Research use only.")
    if not trees:
        _tell(root, "No tube of this sample could be read: there are no gates.")
    for tree in trees:
        elements = {one.get(f"{{{GATING}}}id"): one for one in root}
        for gate in tree.gates:
            words = [f"tube {tree.fcs}", f"population {gate.name}", *(f"boundary {name}" for name in gate.boundaries)]
            _tell(elements[tree.identifier(gate.name)], "; ".join(words))
    etree.indent(root)
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return document


def _written(strategy: Any) -> bytes:
    buffer = io.BytesIO()
    flowkit.export_gatingml(strategy, buffer)
    return buffer.getvalue()


def _tell(element: Any, text: str) -> None:
    """Put a sentence for people into an element, before everything else in it."""
    told = etree.Element(f"{{{DATATYPES}}}custom_info")
    told.text = text
    element.insert(0, told)


def _references(
    strategy: Any, tree: GateTree, matrices: list[Spillover], scales: dict[tuple[object, ...], str]
) -> _References:
    """Return the names of a tree's matrix and scales; those that are new are added to the strategy."""
    matrix = UNCOMPENSATED
    if tree.matrix is not None:
        same = [
            number
            for number, other in enumerate(matrices)
            if other.detectors == tree.matrix.detectors and np.array_equal(other.matrix, tree.matrix.matrix)
        ]
        number = same[0] if same else len(matrices)
        matrix = f"spillover_{number + 1}"
        if not same:
            matrices.append(tree.matrix)
            strategy.add_comp_matrix(matrix, matrix_of(tree.matrix))
    names = {}
    for detector, scale in sorted(tree.scales.items()):
        terms = (scale.t, scale.w, scale.m, scale.a)
        if (detector, *terms) not in scales:
            scales[detector, *terms] = f"logicle_{len(scales) + 1}"
            strategy.add_transform(scales[detector, *terms], flowkit.transforms.LogicleTransform(*terms))
        names[detector] = scales[detector, *terms]
    for gate in tree.gates:
        if isinstance(gate.shape, Band):
            ratio = [gate.shape.numerator, gate.shape.denominator]
            key = "/".join(ratio)
            if (key,) not in scales:
                scales[key,] = f"ratio_{len(scales) + 1}"
                strategy.add_transform(scales[key,], flowkit.transforms.RatioTransform(ratio, 1.0, 0.0, 0.0))
            names[key] = scales[key,]
    return _References(matrix, names)


def matrix_of(spillover: Spillover) -> Any:
    """Return a spillover matrix as FlowKit has it; detectors stand for the dyes, whose names the files do not give."""
    names = list(spillover.detectors)
    return flowkit.Matrix(np.asarray(spillover.matrix, dtype=np.float64), names, names)


def _add_tree(strategy: Any, tree: GateTree, references: _References) -> None:
    paths: dict[str, tuple[str, ...]] = {"": ("root",)}
    for gate in tree.gates:
        path = paths[gate.parent]
        strategy.add_gate(_gate(tree, gate, references, path), path)
        paths[gate.name] = (*path, tree.identifier(gate.name))


def _gate(tree: GateTree, gate: Gate, references: _References, path: tuple[str, ...]) -> Any:
    name = tree.identifier(gate.name)
    match gate.shape:
        case Box(sides):
            return flowkit.gates.RectangleGate(name, [_dimension(tree, side, references) for side in sides])
        case Band(numerator, denominator, low, high, _):
            scale = references.scales[f"{numerator}/{denominator}"]
            band = flowkit.RatioDimension(scale, UNCOMPENSATED, range_min=low, range_max=high)
            above = _dimension(tree, Side(denominator, low=POSITIVE), references)
            return flowkit.gates.RectangleGate(name, [band, above])
        case Polygon(x, y, vertices):
            axes = [_dimension(tree, Side(detector), references) for detector in (x, y)]
            return flowkit.gates.PolygonGate(name, axes, [list(vertex) for vertex in vertices])
        case Either(names):
            refs = [{"ref": tree.identifier(one), "path": path, "complement": False} for one in names]
            return flowkit.gates.BooleanGate(name, "or", refs)


def _dimension(tree: GateTree, side: Side, references: _References) -> Any:
    """Return one side as a dimension of FlowKit's, its ends on the detector's scale."""
    inside = tree.matrix is not None and side.detector in tree.matrix.detectors
    scale = tree.scales.get(side.detector)
    low, high = (
        scale.to_scaled(end) if scale is not None and end is not None else end for end in (side.low, side.high)
    )
    return flowkit.Dimension(
        side.detector,
        references.matrix if inside else UNCOMPENSATED,
        references.scales.get(side.detector),
        range_min=low,
        range_max=high,
    )


def strategy_of(document: Any, number: int) -> Any:
    """Return the gates of one tube out of a Gating-ML document as FlowKit read it."""
    strategy = flowkit.GatingStrategy()
    for name, matrix in document.comp_matrices.items():
        strategy.add_comp_matrix(name, matrix)
    for name, transform in document.transformations.items():
        strategy.add_transform(name, transform)
    for name, path in document.get_gate_ids():
        if name.startswith(f"t{number}."):
            strategy.add_gate(document.get_gate(name, path), path)
    return strategy

"""``gates.wsp``: the gates of every tube of a sample as a FlowJo 10 workspace.

It is written here rather than by FlowKit, whose exporter gives every sample the same gates, writes neither unions nor
ratios nor the matrix of a sample, and copies all keywords of a file: including names of persons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lxml import etree

from cd40l_flow.base.model import Header, Spillover
from cd40l_flow.result.gates.shapes import Band, Box, Either, Gate, GateTree, Polygon, Side

GATING = "http://www.isac-net.org/std/Gating-ML/v2.0/gating"
DATATYPES = "http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"
TRANSFORMS = "http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
NAMESPACES = {"gating": GATING, "data-type": DATATYPES, "transforms": TRANSFORMS}
# FlowJo's name of a compensated detector is that of the detector behind this.
COMPENSATED = "Comp-"
GROUP = "All Samples"  # FlowJo has this group in every workspace
MOST_RATIO = 1e6  # an apex this narrow represents a band without an upper end


def workspace(trees: Sequence[GateTree], headers: Mapping[str, Header], why: str = "") -> bytes:
    """Return the FlowJo workspace of a sample; equal gates give equal bytes, for no date is written.

    ``headers`` maps the ``fcs`` of a tree -> its header, whose allow-listed keywords alone are written; ``why`` there
    are no gates, where there are none, becomes a comment.
    """
    root = etree.Element("Workspace", nsmap=NAMESPACES, version="20.0", flowJoVersion="10.8.1", curGroup=GROUP)
    matrices = etree.SubElement(root, "Matrices")
    groups = etree.SubElement(root, "Groups")
    node = etree.SubElement(groups, "GroupNode", name=GROUP, annotation="", owningGroup=GROUP)
    members = etree.SubElement(etree.SubElement(node, "Group", name=GROUP), "SampleRefs")
    samples = etree.SubElement(root, "SampleList")
    if why:
        root.insert(0, etree.Comment(f" {why} "))
    names = sample_names(trees)
    for tree in trees:
        number = str(tree.number)
        etree.SubElement(members, "SampleRef", sampleID=number)
        if tree.matrix is not None:
            _add_matrix(matrices, tree.matrix, number)
        sample = etree.SubElement(samples, "Sample")
        etree.SubElement(sample, "DataSet", uri=tree.fcs, sampleID=number)
        if tree.matrix is not None:
            _add_matrix(sample, tree.matrix, number)
        _add_scales(sample, tree)
        _add_keywords(sample, headers[tree.fcs])
        top = etree.SubElement(
            sample, "SampleNode", name=names[tree.fcs], annotation="", owningGroup="", sampleID=number
        )
        _add_gates(top, tree, "", "")
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return document


def sample_names(trees: Sequence[GateTree]) -> dict[str, str]:
    """Return the names that FlowJo gives files, fcs -> name: without folders, where that keeps them apart."""
    short = {tree.fcs: tree.fcs.replace("\\", "/").rpartition("/")[2] for tree in trees}
    shared = {name for name in short.values() if list(short.values()).count(name) > 1}
    return {fcs: fcs if name in shared else name for fcs, name in short.items()}


def qualified(namespace: str, tag: str) -> str:
    """Return the name of an element or attribute as lxml takes it."""
    return f"{{{namespace}}}{tag}"


def _add_matrix(parent: etree._Element, spillover: Spillover, number: str) -> None:
    name = f"spillover_{number}"
    attributes = {"spectral": "0", "prefix": COMPENSATED, "name": name, "suffix": "", "editable": "0"}
    attributes |= {"status": "FINALIZED", qualified(TRANSFORMS, "id"): name}
    matrix = etree.SubElement(parent, qualified(TRANSFORMS, "spilloverMatrix"), attributes)
    parameters = etree.SubElement(matrix, qualified(DATATYPES, "parameters"))
    for detector in spillover.detectors:
        attrs = {qualified(DATATYPES, "name"): detector, "userProvidedCompInfix": COMPENSATED + detector}
        etree.SubElement(parameters, qualified(DATATYPES, "parameter"), attrs)
    for dye, row in zip(spillover.detectors, spillover.matrix.tolist(), strict=True):
        attrs = {qualified(DATATYPES, "parameter"): dye, "userProvidedCompInfix": COMPENSATED + dye}
        element = etree.SubElement(matrix, qualified(TRANSFORMS, "spillover"), attrs)
        for detector, value in zip(spillover.detectors, row, strict=True):
            attrs = {qualified(DATATYPES, "parameter"): detector, qualified(TRANSFORMS, "value"): repr(value)}
            etree.SubElement(element, qualified(TRANSFORMS, "coefficient"), attrs)


def _add_scales(sample: etree._Element, tree: GateTree) -> None:
    element = etree.SubElement(sample, "Transformations")
    for detector, scale in sorted(tree.scales.items()):
        for name in dict.fromkeys((detector, _parameter(tree, detector))):
            terms = {"T": scale.t, "W": scale.w, "M": scale.m, "A": scale.a}
            attrs = {qualified(TRANSFORMS, term): repr(value) for term, value in terms.items()}
            logicle = etree.SubElement(
                element, qualified(TRANSFORMS, "logicle"), {qualified(TRANSFORMS, "length"): "256"} | attrs
            )
            etree.SubElement(logicle, qualified(DATATYPES, "parameter"), {qualified(DATATYPES, "name"): name})


def _add_keywords(sample: etree._Element, header: Header) -> None:
    """Add the few keywords that distinguish files: no other can be trusted not to name a person."""
    element = etree.SubElement(sample, "Keywords")
    attrs = {"FJ_FCS_VERSION": header.version.removeprefix("FCS"), "$TOT": str(header.events)}
    attrs["$PAR"] = str(len(header.detectors))
    for detector in header.detectors:
        number = detector.index + 1
        attrs[f"$P{number}N"] = detector.name
        if detector.range is not None:
            attrs[f"$P{number}R"] = f"{detector.range:g}"
    for name, value in attrs.items():
        etree.SubElement(element, "Keyword", name=name, value=value)


def _parameter(tree: GateTree, detector: str) -> str:
    """Return FlowJo's name of a detector: compensated where it is in the tube's matrix."""
    inside = tree.matrix is not None and detector in tree.matrix.detectors
    return COMPENSATED + detector if inside else detector


def _add_gates(node: etree._Element, tree: GateTree, parent: str, path: str) -> None:
    """Add the gates below a population, and those below them; ``path`` is FlowJo's of the population."""
    below = [gate for gate in tree.gates if gate.parent == parent]
    if not below:
        return
    populations = etree.SubElement(node, "Subpopulations")
    for gate in below:
        attrs = {"name": gate.name, "annotation": "", "owningGroup": ""}
        if isinstance(gate.shape, Either):
            element = etree.SubElement(populations, "OrNode", attrs)
            dependents = etree.SubElement(element, "Dependents")
            for name in gate.shape.names:
                etree.SubElement(dependents, "Dependent", name=f"{path}{name}")
        else:
            element = etree.SubElement(populations, "Population", attrs)
            _add_gate(element, tree, gate)
        _add_gates(element, tree, gate.name, f"{path}{gate.name}/")


def _add_gate(population: etree._Element, tree: GateTree, gate: Gate) -> None:
    ends = {qualified(GATING, "id"): _identity(tree, gate.name)}
    if gate.parent:
        ends[qualified(GATING, "parent_id")] = _identity(tree, gate.parent)
    element = etree.SubElement(population, "Gate", ends)
    common = {"eventsInside": "1", "annoOffsetX": "0", "annoOffsetY": "0", "tint": "#000000", "isTinted": "0"}
    match gate.shape:
        case Box(sides):
            attrs = common | {"percentX": "0", "percentY": "0"} | ends
            box = etree.SubElement(element, qualified(GATING, "RectangleGate"), attrs)
            for side in sides:
                _add_dimension(box, tree, side)
        case Polygon(x, y, vertices):
            _add_polygon(element, tree, (x, y), vertices, common | ends)
        case Band(numerator, denominator, low, high, far):
            _add_polygon(element, tree, (numerator, denominator), wedge(low, high, far), common | ends)


def _identity(tree: GateTree, name: str) -> str:
    """Return the number of a gate, unlike that of any other gate of the workspace."""
    return f"ID{tree.number}{[gate.name for gate in tree.gates].index(name) + 1:03d}"


def _add_dimension(element: etree._Element, tree: GateTree, side: Side) -> None:
    ends = {"min": side.low, "max": side.high}
    attrs = {qualified(GATING, name): repr(value) for name, value in ends.items() if value is not None}
    dimension = etree.SubElement(element, qualified(GATING, "dimension"), attrs)
    etree.SubElement(
        dimension,
        qualified(DATATYPES, "fcs-dimension"),
        {qualified(DATATYPES, "name"): _parameter(tree, side.detector)},
    )


def _add_polygon(
    element: etree._Element,
    tree: GateTree,
    detectors: tuple[str, str],
    vertices: Sequence[tuple[float, float]],
    attributes: Mapping[str, str],
) -> None:
    attrs = {"quadId": "-1", "gateResolution": "256", **attributes}
    polygon = etree.SubElement(element, qualified(GATING, "PolygonGate"), attrs)
    for detector in detectors:
        _add_dimension(polygon, tree, Side(detector))
    for vertex in vertices:
        corner = etree.SubElement(polygon, qualified(GATING, "vertex"))
        for value in vertex:
            etree.SubElement(corner, qualified(GATING, "coordinate"), {qualified(DATATYPES, "value"): repr(value)})


def wedge(low: float, high: float, far: float) -> tuple[tuple[float, float], ...]:
    """Return the band of a ratio in area x height, from the origin to ``far``: FlowJo has no ratios.

    Cells of no size at all (a ratio of 0 or below) are outside.
    """
    ends = [min(max(end, 1 / MOST_RATIO), MOST_RATIO) for end in (low, math.nextafter(high, -math.inf))]
    return ((0.0, 0.0), (far, far / ends[1]), (far, far / ends[0]))

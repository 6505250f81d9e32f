"""Gates as other programs describe them: boxes, bands, polygons and unions of gates, in a tree for each tube."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cd40l_flow.base.model import Floats, Spillover
from cd40l_flow.gating.polygon import inside_convex
from cd40l_flow.signal.acquisition import Mask
from cd40l_flow.signal.scale import Scale

_MINUS = re.compile(r"-(?=$|CD)")


@dataclass(frozen=True)
class Side:
    """One side of a box: ``low`` <= value < ``high`` on a detector, compensated linear values; None where open."""

    detector: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Box:
    """A range, or several at once."""

    sides: tuple[Side, ...]


@dataclass(frozen=True)
class Band:
    """``low`` <= ``numerator`` / ``denominator`` < ``high``, where the denominator is above 0.

    ``far`` is a channel value that the numerator does not reach.
    """

    numerator: str
    denominator: str
    low: float
    high: float
    far: float


@dataclass(frozen=True)
class Polygon:
    """A polygon on two detectors, linear values; its edge belongs to it."""

    x: str
    y: str
    vertices: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Either:
    """The union of sibling gates, by their names."""

    names: tuple[str, ...]


Shape = Box | Band | Polygon | Either


@dataclass(frozen=True)
class Gate:
    """A gate of a tube: the population it makes of its ``parent`` (empty: of all events).

    ``boundaries`` are the names of the overrides sheet that it rests on.
    """

    name: str
    parent: str
    shape: Shape
    boundaries: tuple[str, ...] = ()


@dataclass(frozen=True)
class GateTree:
    """The gates of one tube, parents before children; ``number`` counts the files of the sample from 1.

    ``scales`` maps detector -> the scale its gates are drawn on; detectors without one are linear. ``counts`` maps
    population -> events, as the result says; ``duration`` is in seconds, None without time.
    """

    number: int
    fcs: str
    matrix: Spillover | None
    scales: Mapping[str, Scale]
    gates: tuple[Gate, ...]
    counts: Mapping[str, int]

    def identifier(self, name: str) -> str:
        """Return a gate's name as an XML identifier, which allows no plus sign: ``CD3+CD8-`` is ``t1.CD3posCD8neg``."""
        return f"t{self.number}." + _MINUS.sub("neg", name.replace("+", "pos"))

    @property
    def detectors(self) -> tuple[str, ...]:
        """The detectors that the gates look at, in order of first use."""
        return tuple(dict.fromkeys(name for gate in self.gates for name in _looked_at(gate.shape)))


def _looked_at(shape: Shape) -> tuple[str, ...]:
    match shape:
        case Box(sides):
            return tuple(side.detector for side in sides)
        case Band(numerator, denominator, _, _, _):
            return (numerator, denominator)
        case Polygon(x, y):
            return (x, y)
    return ()


def membership(tree: GateTree, values: Mapping[str, Floats]) -> dict[str, Mask]:
    """Return gate -> which events, (events,), it holds; ``values`` maps detector -> compensated linear values.

    Time is in seconds. This is the plain reading of the gates, in the precision that gating has.
    """
    found: dict[str, Mask] = {}
    for gate in tree.gates:
        if isinstance(gate.shape, Either):
            mask: Mask = np.logical_or.reduce([found[name] for name in gate.shape.names])
            found[gate.name] = mask & found[gate.parent] if gate.parent else mask
        elif gate.parent:
            # Events outside the parent are not tested.
            places = np.flatnonzero(found[gate.parent])
            mask = np.zeros(found[gate.parent].size, dtype=bool)
            mask[places] = _inside(gate.shape, {name: values[name][places] for name in _looked_at(gate.shape)})
            found[gate.name] = mask
        else:
            found[gate.name] = _inside(gate.shape, values)
    return found


def _inside(shape: Box | Band | Polygon, values: Mapping[str, Floats]) -> Mask:
    mask: Mask
    match shape:
        case Box(sides):
            mask = np.ones(values[sides[0].detector].size, dtype=bool)
            for side in sides:
                mask &= values[side.detector] >= side.low if side.low is not None else True
                mask &= values[side.detector] < side.high if side.high is not None else True
        case Band(numerator, denominator, low, high, _):
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = values[numerator] / values[denominator]
            mask = (values[denominator] > 0) & (ratio >= low) & (ratio < high)
        case Polygon(x, y, vertices):
            mask = inside_convex(np.array(vertices), values[x], values[y])
    return mask

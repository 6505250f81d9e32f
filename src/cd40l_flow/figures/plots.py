"""The index of ``densities.npz``: what figures are drawn from, as records that its writer and its readers share.

Places are fractions of an axis, 0 at its low end and 1 at its high end, unless a field says otherwise; names of arrays
are those of the arrays stored with the index. Files of earlier versions lack some keys: those have defaults here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Literal, TypedDict

import msgspec
from msgspec import UNSET, Struct, UnsetType

from cd40l_flow.base.records import doc
from cd40l_flow.result.types.plain import of_numpy

Tick = tuple[float, str]
Point = tuple[float, float]
Line = tuple[Point, ...]
Percents = tuple[float, float, float, float]
CellCounts = tuple[int, int, int, int]
# The key that tells kinds of panels apart while an index is read or written.
_KIND = "panel"


class PlotRecord(Struct, frozen=True):
    """The base of these records: a key that is unknown is passed over."""


class PlotAxis(PlotRecord, frozen=True):
    """One axis of a figure."""

    label: Annotated[str, doc("Name of the axis, with its detector.")]
    ticks: Annotated[tuple[Tick, ...], doc("Each tick's place and its text.")]
    minor: Annotated[tuple[float, ...], doc("Places of minor ticks.")] = ()


class ThresholdGate(PlotRecord, frozen=True, tag_field="kind", tag="threshold"):
    """A gate of one boundary: what lies on one side of it."""

    axis: Annotated[Literal["x", "y"], doc("The axis that it cuts.")]
    side: Annotated[str, doc("On which side of it the population lies: above or below.")]
    at: Annotated[float | None, doc("Place of the boundary.")]
    automatic: Annotated[float | None, doc("Place of the automatic one; null unless a person moved it.")] = None


# What these have no value for is not written.
class PolygonGate(PlotRecord, frozen=True, omit_defaults=True, tag_field="kind", tag="polygon"):
    """A gate on two axes: what lies inside its corners."""

    vertices: Annotated[Line, doc("Its corners.")]
    automatic: Annotated[Line | None, doc("Corners of the automatic one; none unless a person moved it.")] = None


class BandGate(PlotRecord, frozen=True, omit_defaults=True, tag_field="kind", tag="band"):
    """A gate of lines: what lies between the first and the last, or outside ``cuts``."""

    segments: Annotated[tuple[Line, ...], doc("Its lines.")] = ()
    automatic: Annotated[tuple[Line, ...] | None, doc("Automatic lines; none unless a person moved one.")] = None
    cuts: Annotated[tuple[Point, ...] | None, doc("Of time: begin and end of each part of x that is left out.")] = None


GateShape = ThresholdGate | PolygonGate | BandGate


class PanelEvidence(PlotRecord, frozen=True):
    """The data that the boundary of a panel was searched in, along x."""

    curve: Annotated[str | None, doc("Array of the density, (128,) heights of which 255 is the peak.")]
    reference: Annotated[str | None, doc("Array of the density that it was compared with, as `curve`.")]
    valleys: Annotated[tuple[float, ...], doc("Places of candidate valleys.")]
    control: Annotated[float | None, doc("Place of the control's boundary.")]


class Panel(PlotRecord, frozen=True, tag_field=_KIND, tag="drawn"):
    """One gating panel: the parent of a population on two axes, with the gate that was drawn on it."""

    population: Annotated[str, doc("The population that the gate defines.")]
    parent: Annotated[str, doc("The population that is shown.")]
    x: Annotated[PlotAxis, doc("The axis across.")]
    y: Annotated[PlotAxis, doc("The axis up.")]
    array: Annotated[str, doc("Array of the parent's events, (128, 128) counts, [x, y].")]
    gate: Annotated[GateShape | None, doc("The gate; null where none was drawn.")]
    count: Annotated[int | None, doc("Events of the population; null where it was not counted.")]
    parent_count: Annotated[int, doc("Events of the parent.")]
    percent_of_parent: Annotated[float | None, doc("Percent, 0 to 100; null of no events.")]
    failed: Annotated[str | None, doc("Why the gate could not be drawn; null where it was.")] = None
    evidence: Annotated[PanelEvidence | None, doc("The data that the boundary was searched in.")] = None
    overridden: Annotated[bool, doc("Whether a person set a boundary.")] = False
    method: Annotated[str, doc("How the boundaries were found.")] = ""
    flag: Annotated[str, doc("What to doubt, or empty.")] = ""
    picture: Annotated[tuple[int, int], doc("Begin and end of its PNG in the array `pictures`, bytes.")] = (0, 0)
    outline: Annotated[tuple[Line, ...] | UnsetType, doc("Of a control: lines round most of its events.")] = UNSET


class MissingPanel(PlotRecord, frozen=True, tag_field=_KIND, tag="missing"):
    """A panel that could not be drawn."""

    population: Annotated[str, doc("The population that its gate would define.")]
    missing: Annotated[str, doc("Why, in words.")]


AnyPanel = Panel | MissingPanel


class Course(PlotRecord, frozen=True):
    """The acquisition of one tube in 60 equal bins of time."""

    seconds: Annotated[float, doc("Duration, seconds.")]
    array: Annotated[str, doc("Array, (1 + signals, 60): events a second, then shifts in percentile points.")]
    signals: Annotated[tuple[str, ...], doc("Names of the rows behind the first.")]
    cut: Annotated[tuple[Point, ...], doc("Begin and end of each stretch that was cut, fractions of the duration.")]
    limit: Annotated[float, doc("Shift from which on is cut, percentile points.")]


class TubePlots(PlotRecord, frozen=True):
    """The plots of one tube; a combined tube has them for each reagent."""

    fcs: Annotated[str, doc("As the sheet says.")]
    stimulation: Annotated[str, doc("stimulated or unstimulated.")]
    reagent: Annotated[str, doc("What its target channel measures.")]
    panels: Annotated[tuple[AnyPanel, ...], doc("In the order of the gates.")]
    course: Annotated[Course | None, doc("Its course in time; null where time is not known.")] = None


class CurveNames(PlotRecord, frozen=True):
    """What curves of a histogram are of, in words."""

    background: Annotated[str, doc("What the background was taken from.")] = ""
    unstimulated: Annotated[str | UnsetType, doc("What the unstimulated cells are.")] = UNSET


class TargetPlot(PlotRecord, frozen=True):
    """The histogram of a target with its background and its fit: arrays (256,) of counts a bin of the axis."""

    reagent: Annotated[str, doc("The reagent, or CD40 on a kind of cells.")]
    axis: Annotated[PlotAxis, doc("Its axis.")]
    threshold: Annotated[float | None, doc("Place from which on a cell is positive.")] = None
    names: Annotated[CurveNames, doc("What curves are of.")] = CurveNames()
    sample: Annotated[str | None, doc("Array of the activated cells, or of the kind of cells.")] = None
    background: Annotated[str | None, doc("Array of the background.")] = None
    unstimulated: Annotated[str | None, doc("Array of unstimulated cells.")] = None
    fit_negative: Annotated[str | None, doc("Array of the expected counts of cells without the target.")] = None
    fit_positive: Annotated[str | None, doc("Array of the expected counts of cells with the target.")] = None


class QuadrantPlot(PlotRecord, frozen=True):
    """Two markers of the cells of each kind of tube, divided by a threshold on either axis.

    Quadrants are in the order: above without and with what x measures, below without and with.
    """

    reagent: Annotated[str, doc("The reagent it is of.")]
    x: Annotated[PlotAxis, doc("The axis across: the target, or IgD.")]
    y: Annotated[PlotAxis, doc("The axis up: CD69, or CD27.")]
    x_threshold: Annotated[float | None, doc("Place of the threshold on x.")]
    y_threshold: Annotated[float | None, doc("Place of the threshold on y.")]
    kinds: Annotated[dict[str, str | None], doc("Kind of tube to its array, (96, 96) counts, [x, y].")]
    percents: Annotated[dict[str, Percents] | UnsetType, doc("Kind to percent, 0 to 100, in each quadrant.")] = UNSET
    cells: Annotated[dict[str, CellCounts] | UnsetType, doc("Kind to B cells in each quadrant.")] = UNSET
    unstimulated_reagent: Annotated[
        str | None | UnsetType, doc("Reagent of the unstimulated tube shown, which may be another's.")
    ] = UNSET


class ActivationPlot(PlotRecord, frozen=True):
    """CD69 of CD3+CD8- cells: arrays (256,) of counts a bin of the axis."""

    axis: Annotated[PlotAxis, doc("Its axis.")]
    threshold: Annotated[float | None, doc("Place from which on a cell is activated.")] = None
    stimulated: Annotated[str | None, doc("Array of stimulated cells.")] = None
    unstimulated: Annotated[str | None, doc("Array of unstimulated cells.")] = None


class PlotIndex(PlotRecord, frozen=True):
    """All plots of one sample."""

    tubes: Annotated[tuple[TubePlots, ...], doc("The gating panels and the course of each tube.")] = ()
    targets: Annotated[tuple[TargetPlot, ...], doc("The histograms of targets.")] = ()
    activation: Annotated[ActivationPlot | None, doc("CD69; null where it was not measured.")] = None
    scatter: Annotated[tuple[QuadrantPlot, ...], doc("CD69 against each target, or CD27 against IgD.")] = ()


class _PlainTube(TypedDict, total=False):
    """A tube of a plain index, as far as kinds of panels are looked for."""

    panels: list[dict[str, object]]


class _PlainIndex(TypedDict, total=False):
    """A plain index, as far as kinds of panels are looked for."""

    tubes: list[_PlainTube]


def written(index: PlotIndex) -> str:
    """Return the JSON text of an index, its keys sorted."""
    plain: _PlainIndex = msgspec.to_builtins(index, enc_hook=of_numpy)
    for panel in _panels(plain):
        del panel[_KIND]
    return json.dumps(plain, sort_keys=True, ensure_ascii=True)


def read_index(text: str) -> PlotIndex:
    """Return the index of a JSON text; raises msgspec.ValidationError for what is none."""
    plain: _PlainIndex
    try:
        plain = msgspec.json.decode(text)
    except msgspec.DecodeError:
        # NaN, and names of files with half a character: Python writes and reads them, JSON has none.
        plain = json.loads(text)
    for panel in _panels(plain):
        panel[_KIND] = "missing" if "missing" in panel else "drawn"
    return msgspec.convert(plain, PlotIndex)


def _panels(plain: _PlainIndex) -> Iterator[dict[str, object]]:
    """Yield the panels of a plain index; no file names their kind, since the key `missing` shows it."""
    return (panel for tube in plain.get("tubes", ()) for panel in tube.get("panels", ()))

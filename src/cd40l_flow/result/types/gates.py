"""Gates: boundaries, the data they were searched in, and the scales they are drawn on."""

from typing import Annotated

from msgspec import Meta

from cd40l_flow.base.records import Count, NotNegative, Record, doc, one_of


class GateOverride(Record, frozen=True):
    """Who set it by hand, and why."""

    by: Annotated[str, doc("Who.")]
    reason: Annotated[str, doc("Why.")]


class Valley(Record, frozen=True):
    """One valley."""

    position: Annotated[float, doc("Where it lies.")]
    depth: Annotated[float, doc("1 - its height over that of the lower of its two peaks.")]


class Evidence(Record, frozen=True):
    """The data a boundary was searched in; positions on the display scale, ratio for singlets, channels for scatter."""

    events: Annotated[Count, doc("Events used.")]
    side: Annotated[
        Annotated[str, one_of("above", "below", "inside")], doc("On which side of the boundary the population lies.")
    ]
    allowed: Annotated[tuple[float, float], doc("Between which positions it was searched.")]
    modes: Annotated[list[float], doc("Peaks that counted.")]
    valleys: Annotated[list[Valley], doc("Candidate valleys, from left to right.")]
    quantile: Annotated[float | None, doc("Quantile of what it was compared with; null where nothing was.")]
    control: Annotated[float | None, doc("The control's boundary, where it has one.")]


class Gate(Record, frozen=True, omit_defaults=True):
    """One boundary: a value on one detector, or a polygon on two."""

    gate: Annotated[str, doc("Name, as in the overrides sheet where it can be overridden.")]
    population: Annotated[str, doc("The population it defines.")]
    tube: Annotated[str | None, doc("The tube it holds for; null for all tubes of the sample.")]
    detector: Annotated[str | None, doc("Detector of a one-dimensional boundary.")]
    value: Annotated[
        float | None, doc("Position in compensated linear channel units, ratio for singlets, seconds for time.")
    ]
    scaled: Annotated[float | None, doc("Position on the display scale.")]
    method: Annotated[str, doc("How it was found.")]
    flag: Annotated[str, doc("Remark, or empty.")]
    automatic: Annotated[float | None, doc("Where the automatic gate was; null unless overridden.")]
    override: Annotated[GateOverride | None, doc("Who set the gate by hand; null when it is automatic.")]
    evidence: Annotated[Evidence | None, doc("The data that the boundary was searched in; null where none were.")]
    detectors: Annotated[list[str] | None, doc("The two detectors of a polygon or band, x first.")] = None
    vertices: Annotated[list[tuple[float, float]] | None, doc("Corners of a polygon, linear channel units.")] = None


class LogicleScale(Record, frozen=True):
    """Logicle parameters of one detector."""

    t: Annotated[Annotated[float, Meta(gt=0)] | None, doc("Top of the scale.")]
    w: Annotated[NotNegative | None, doc("Linear decades.")]
    m: Annotated[Annotated[float, Meta(gt=0)] | None, doc("Decades.")]
    a: Annotated[NotNegative | None, doc("Negative decades.")]
    source: Annotated[str, doc("Where the parameters came from.")]

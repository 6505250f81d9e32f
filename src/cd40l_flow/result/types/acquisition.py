"""The acquisition in time, and the call without its cuts."""

from typing import Annotated

from cd40l_flow.base.records import Count, Record, doc
from cd40l_flow.result.types.fields import Call, Reason


class BadInterval(Record, frozen=True):
    """A stretch of time that was cut."""

    start: Annotated[float, doc("Seconds.")]
    end: Annotated[float, doc("Seconds.")]
    events: Annotated[Count, doc("Events cut.")]
    shifts: Annotated[dict[str, float], doc("Signal to its shift, percentile points; empty for a burst of events.")]


class Flow(Record, frozen=True):
    """Flow rate."""

    events_per_second: Annotated[float, doc("Median flow rate.")]
    stops: Annotated[list[tuple[float, float]], doc("Times without events.")]
    bursts: Annotated[list[tuple[float, float]], doc("Times of many events, cut.")]
    slow_percent: Annotated[float, doc("Percent of the time below a third of the median rate.")]


class ScatterDetectors(Record, frozen=True):
    """The $PnN of the scatter detectors and of time; null where the file has none."""

    fsc: Annotated[
        str | None, doc("Forward scatter, area where there is one; null where the panel says scatter: none.")
    ]
    ssc: Annotated[str | None, doc("Side scatter, area where there is one; null where the panel says scatter: none.")]
    fsc_height: Annotated[str | None, doc("Height of forward scatter.")]
    fsc_width: Annotated[str | None, doc("Width of forward scatter.")]
    time: Annotated[str | None, doc("Time.")]


class TubeAcquisition(Record, frozen=True):
    """The acquisition of one tube."""

    fcs: Annotated[str, doc("As the sheet says.")]
    problem: Annotated[str, doc("Why steadiness in time could not be assessed, or empty.")]
    note: Annotated[str, doc("What was done to make time usable, or empty.")]
    removed_percent: Annotated[float, doc("Events cut in time, percent of all.")]
    stretches: Annotated[list[BadInterval], doc("What was cut in time.")]
    drifts: Annotated[
        dict[str, float],
        doc("Signal to its change in what is kept, percentile points, if above the limit; the target is only watched."),
    ]
    flow: Annotated[Flow | None, doc("Flow rate; null with too few events or without time.")]
    scatter: Annotated[
        ScatterDetectors, doc("The $PnN of the scatter detectors and of time; null where the file has none.")
    ]
    ceilings: Annotated[
        dict[str, float | None],
        doc("Scatter detector to the channel value from which on events were cut; null where there is no such value."),
    ]
    time_s: Annotated[
        tuple[float, float] | None, doc("First and last second of the acquisition; null where time cannot be used.")
    ]


class MeasuresWithoutTimeQc(Record, frozen=True):
    """Measures of one reagent without the cuts."""

    events: Annotated[float | None, doc("As in reagents.")]
    percent_positive: Annotated[float | None, doc("As in reagents.")]
    negative_fraction: Annotated[float | None, doc("As in reagents.")]
    mfi_all: Annotated[float | None, doc("As in reagents.")]
    mfi_positive: Annotated[float | None, doc("As in reagents.")]


class WithoutTimeQc(Record, frozen=True):
    """The sample without the cuts in time; its controls as they are."""

    call: Annotated[Call, doc("The call without the cuts.")]
    reasons: Annotated[list[Reason], doc("Why the call is not plainer, or why there is none.")]
    same_call: Annotated[bool, doc("Whether the call is the same.")]
    change_points: Annotated[float, doc("Largest change of a gate's percent of parent, percentage points.")]
    reagents: Annotated[dict[str, MeasuresWithoutTimeQc], doc("Reagent to its measures without the cuts.")]


class Acquisition(Record, frozen=True):
    """Acquisition QC in time."""

    tubes: Annotated[list[TubeAcquisition], doc("Tubes that could be read.")]
    uncut: Annotated[
        WithoutTimeQc | None,
        doc("The call without the cuts in time; null where nothing was cut: then it is the same by construction."),
    ]

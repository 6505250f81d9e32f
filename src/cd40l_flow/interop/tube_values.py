"""The events of a result's tubes read once more, as gating had them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.model import Events, Floats
from cd40l_flow.cohort.settings import Job
from cd40l_flow.fcs.reader import read_events
from cd40l_flow.result.types.result import Result
from cd40l_flow.signal.compensation import compensate


class ChangedEventsError(Cd40lFlowError):
    """A file holds other events than those its sample was analysed with."""


def read_again(fcs: str, result: Result, job: Job) -> list[Events]:
    """Return the events of a file of a result, not compensated: once for each of its reagents (a combined tube).

    Raises TubeError where the file cannot be read any more, ChangedEventsError where its events are others.
    """
    found = []
    for row in result.tubes:
        if row.fcs != fcs or row.status != "ok":
            continue
        tube = next(tube for tube in job.sample.tubes if (tube.fcs, tube.reagent) == (fcs, row.reagent))
        panel = job.settings.panel(tube.panel)
        reagent = current_assay().reagent[tube.reagent]
        borrowed = {marker: row.markers[marker] for marker in reagent.borrowed_markers if marker in row.markers}
        events = read_events(tube, panel, job.settings.spillover, borrowed)
        if events.digest != row.digest:
            raise ChangedEventsError(
                f"{fcs}: its events are not those that {job.sample.sample} was analysed with. Analyse it again."
            )
        found.append(events)
    return found


def linear_values(readings: Sequence[Events], detectors: Iterable[str]) -> dict[str, Floats]:
    """Return detector -> compensated linear values, (events,), as gating has them; time in seconds.

    ``readings`` are those of one file, of which each has the detectors of its own markers.
    """
    return stored_values([compensate(events) for events in readings], detectors)


def stored_values(readings: Sequence[Events], detectors: Iterable[str]) -> dict[str, Floats]:
    """Return detector -> linear values of one file, (events,), as the readings have them; time in seconds."""
    return {name: _column(readings, name) for name in detectors}


def part_of(events: Events, some: slice) -> Events:
    """Return some events of a tube, which share their memory with all."""
    time = None if events.time is None else events.time[some]
    return replace(events, values=events.values[some], time=time)


def _column(readings: Sequence[Events], name: str) -> Floats:
    first = readings[0]
    if name == first.scatter.time and first.time is not None:
        return first.time
    return next(events.column(name) for events in readings if name in events.names)

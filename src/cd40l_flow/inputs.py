"""What the analysis of one sample starts from: its tubes as read and prepared, scales, and its controls' gates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.model import Events, Override, Sample, Tube
from cd40l_flow.cohort.read_tubes import read_tubes
from cd40l_flow.cohort.settings import Job, Settings
from cd40l_flow.decision.case import Refusal
from cd40l_flow.fcs.reader import read_events
from cd40l_flow.gating.control_gates import ControlGates, combined
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.gating.strategy import gate
from cd40l_flow.result.gates.tree import scales_of
from cd40l_flow.result.making.gating import gates_of
from cd40l_flow.result.types.control import Control
from cd40l_flow.result.types.result import Result
from cd40l_flow.signal.compensation import compensate
from cd40l_flow.signal.prepare import TubeSignal, choose_scales, prepare, shared_scales
from cd40l_flow.signal.scale import Scale


@dataclass(frozen=True)
class Read:
    """The tubes of one sample as read: events of the good ones, refusals of the others."""

    sample: Sample
    events: tuple[Events, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True)
class Inputs:
    """The tubes of one sample ready for gating, on scales shared with its run's controls (detector -> scale).

    ``refusals`` are the tubes that could not be used.
    """

    job: Job
    sample: Sample
    signals: tuple[TubeSignal, ...]
    scales: Mapping[str, Scale]
    refusals: tuple[Refusal, ...]
    control_gates: ControlGates = ControlGates()

    @property
    def overrides(self) -> list[Override]:
        """The boundaries of this sample that were set by hand."""
        return [override for override in self.job.overrides if override.sample == self.sample.sample]

    def gate(self, signals: Sequence[TubeSignal]) -> GatedSample:
        """Return the sample gated, from its own or modified signals."""
        limits = self.job.settings.limits.gating
        return gate(self.sample, signals, self.scales, self.overrides, limits, self.control_gates)


def inputs_of_controls(job: Job) -> tuple[Inputs, list[Inputs]]:
    """Return the inputs of a control, and those of the run's other controls that it is compared with."""
    limits = job.settings.limits
    every = [read_sample(sample, job.settings) for sample in job.run_controls]
    read = [_without_others(one, _data_of(other for other in every if other is not one)) for one in every]
    scales = shared_scales([choose_scales(one.events, limits.scale, "controls of the run") for one in read])
    inputs = {one.sample.sample: _inputs(job, one, scales) for one in read}
    mine = inputs.pop(job.sample.sample)
    return mine, [inputs[name] for name in job.controls if name in inputs]


def inputs_of_test(job: Job, results: Sequence[Result]) -> Inputs:
    """Return the inputs of a test sample on the scales of its run's controls, whose results are given."""
    limits = job.settings.limits
    theirs = {str(tube.digest): f"{tube.fcs} of {result.sample}" for result in results for tube in result.tubes}
    read = _without_others(read_sample(job.sample, job.settings), theirs)
    scales = shared_scales([scales_of(result) for result in results])
    if any(name not in scales for one in read.events for name in one.markers.values()):
        scales = choose_scales(read.events, limits.scale, "own tubes") | scales
    return _inputs(job, read, scales, combined([gates_of(control) for control in given_by(results)]))


def given_by(results: Sequence[Result]) -> list[Control]:
    """Return the control records of results; raises Cd40lFlowError for a result of no control."""
    found = [result.lent for result in results if result.lent is not None]
    if len(found) < len(results):
        raise Cd40lFlowError("a result that a sample is to be compared with is not that of a control.")
    return found


def _inputs(job: Job, read: Read, scales: Mapping[str, Scale], gates: ControlGates | None = None) -> Inputs:
    used = {name: scales[name] for events in read.events for name in events.markers.values()}
    signals = tuple(prepare(events, used, job.settings.limits.acquisition) for events in read.events)
    return Inputs(job, read.sample, signals, used, read.refusals, gates or ControlGates())


def read_sample(sample: Sample, settings: Settings) -> Read:
    """Read the tubes of a sample, each on its own: one that cannot be used is refused with its reason."""
    refused = settings.refused.get(sample.sample, {})

    def read(tube: Tube, borrowed: Mapping[str, str]) -> Events:
        return compensate(read_events(tube, settings.panel(tube.panel), settings.spillover, borrowed), reuse=True)

    tubes = read_tubes(sample, read, refused)
    events = dict(tubes.read)
    refusals = {
        tube: Refusal(tube.fcs, "FILE_INTEGRITY", f"{tube.fcs}: {refused[tube.fcs]}")
        for tube in sample.tubes
        if tube.fcs in refused
    }
    refusals |= {tube: Refusal(tube.fcs, error.code, str(error)) for tube, error in tubes.errors.items()}
    for tube, other in tubes.waiting.items():
        # Nothing is wrong with this tube itself.
        code = next(refusal.code for refusal in refusals.values() if refusal.fcs == other)
        message = f"{tube.fcs}: its detector is that of {other}, which cannot be used. Correct that file first."
        refusals[tube] = Refusal(tube.fcs, code, message)
    for tube, refusal in _repeated(events).items():
        refusals[tube] = refusal
        del events[tube]
    return Read(
        sample,
        tuple(events[tube] for tube in sample.tubes if tube in events),
        tuple(refusals[tube] for tube in sample.tubes if tube in refusals),
    )


def _data_of(samples: Iterable[Read]) -> dict[str, str]:
    """Return digest -> tube and sample of all events."""
    return {one.digest: f"{one.tube.fcs} of {read.sample.sample}" for read in samples for one in read.events}


def _without_others(read: Read, others: Mapping[str, str]) -> Read:
    """Refuse the tubes whose data are another sample's too; ``others`` is digest -> tube and sample."""
    message = "{} holds the same data as {}: one of them is not what the sheet states. Put the right file in its place."
    found = {
        one.tube.fcs: Refusal(one.tube.fcs, "FILE_INTEGRITY", message.format(one.tube.fcs, others[one.digest]))
        for one in read.events
        if one.digest in others
    }
    events = tuple(one for one in read.events if one.digest not in others)
    places = [tube.fcs for tube in read.sample.tubes]
    refusals = sorted((*read.refusals, *found.values()), key=lambda refusal: places.index(refusal.fcs))
    return Read(read.sample, events, tuple(refusals))


def _repeated(events: Mapping[Tube, Events]) -> dict[Tube, Refusal]:
    """Return refusals of tubes that hold the same data, but for a combined tube (one file, reagents on two
    detectors).
    """
    found = {}
    for tube, mine in events.items():
        for other, theirs in events.items():
            if tube is other or mine.digest != theirs.digest:
                continue
            combined = tube.path == other.path and mine.markers.get(TARGET) != theirs.markers.get(TARGET)
            if not combined:
                message = (
                    f"{tube.fcs} and {other.fcs} hold the same data: one of them is not what the sheet states. "
                    "Put the right file in its place."
                )
                found[tube] = Refusal(tube.fcs, "FILE_INTEGRITY", message)
    return found

"""From the job of one sample to its result: read, prepare, gate, measure, decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from cd40l_flow.assay.effects import INDETERMINATE, NORMAL
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.model import Arrays, Events, Override, Sample, Tube
from cd40l_flow.cohort.read_tubes import read_tubes
from cd40l_flow.cohort.settings import Job, Settings
from cd40l_flow.decision.assess import assess, control_case, together
from cd40l_flow.decision.calls import Decision, decide
from cd40l_flow.decision.case import Case, ControlCase, Refusal, WithoutTimeQC
from cd40l_flow.decision.change import would_change
from cd40l_flow.decision.control import combine, control_terms, read_terms, with_titration
from cd40l_flow.decision.guards import apply_guards, control_failures
from cd40l_flow.decision.reference_guards import disagreement
from cd40l_flow.decision.shown import as_shown
from cd40l_flow.decision.tube_checks import largest_change
from cd40l_flow.fcs.reader import read_events
from cd40l_flow.figures.densities import densities
from cd40l_flow.gating.control_gates import ControlGates, combined
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.gating.strategy import gate
from cd40l_flow.interop.gate_files import export_messages
from cd40l_flow.report.wording import statement
from cd40l_flow.result.build import result_of
from cd40l_flow.result.gate_tree import scales_of
from cd40l_flow.result.gating_parts import gates_of
from cd40l_flow.result.types.control import Control
from cd40l_flow.result.types.result import Result
from cd40l_flow.signal.compensation import compensate
from cd40l_flow.signal.prepare import TubeSignal, choose_scales, prepare, shared_scales, without_time_qc
from cd40l_flow.signal.scale import Scale


@dataclass(frozen=True)
class Read:
    """The tubes of one sample as read: events of the good ones, refusals of the others."""

    sample: Sample
    events: tuple[Events, ...]
    refusals: tuple[Refusal, ...]


def analyse(job: Job, control_results: Mapping[str, Result]) -> tuple[Result, Arrays]:
    """Return the result of one sample and the arrays of its figures.

    ``control_results`` maps the names of a test sample's controls to their results; a control is measured together with
    the other controls of its run and needs none. Pure but for reading the tubes: the same job and files give the same
    values.
    """
    results = [] if job.sample.role == "control" else [control_results[name] for name in sorted(job.controls)]
    assay = _of_control(job) if job.sample.role == "control" else _of_test(job, results)
    gated, case = assay.judge(assay.signals)
    limits = job.settings.limits
    decision = _decide(case, job)
    if any(signal.acquisition.time_qc.stretches for signal in assay.signals):
        case = replace(case, without_time_qc=_without_time_qc(assay, gated, decision.call))
        decision = _decide(case, job)
    failures, reagent_failures = control_failures(case, limits) if job.sample.role == "control" else ((), {})
    given = {
        reagent: with_titration(control_terms(expression, limits), expression, limits)
        for reagent, expression in (case.reagents if job.sample.role == "control" else {}).items()
    }
    shown = as_shown(case, limits)
    result = result_of(
        job=job,
        gated=gated,
        case=shown,
        decision=decision,
        statement=statement(shown, decision, limits),
        changes=would_change(case, decision, limits, require_function=job.settings.require_function),
        control_terms=given,
        failures=failures,
        reagent_failures=reagent_failures,
    )
    messages = [*result.messages, *export_messages(result, gated.tubes)]
    result = msgspec.structs.replace(result, messages=messages)
    tops = [control.scatter_tops for control in given_by(results)]
    return result, densities(gated, shown, tops)


@dataclass(frozen=True)
class _Assay:
    """All inputs of gating and measuring one sample: its tubes, scales, controls and limits."""

    job: Job
    sample: Sample
    signals: tuple[TubeSignal, ...]
    scales: Mapping[str, Scale]
    refusals: tuple[Refusal, ...]
    control: ControlCase | None
    alone: bool
    control_gates: ControlGates = ControlGates()

    def judge(self, signals: Sequence[TubeSignal]) -> tuple[GatedSample, Case]:
        """Return the gated sample and its case from its own or modified signals."""
        limits, overrides = self.job.settings.limits, _overrides(self.job, self.sample)
        gated = gate(self.sample, signals, self.scales, overrides, limits.gating, self.control_gates)
        own = self.job.settings.reference
        return gated, assess(gated, self.refusals, self.control, overrides, limits, alone=self.alone, laboratory=own)


def _decide(case: Case, job: Job) -> Decision:
    limits = job.settings.limits
    return decide(case, apply_guards(case, limits), limits, require_function=job.settings.require_function)


def _without_time_qc(assay: _Assay, cut: GatedSample, call: str) -> WithoutTimeQC:
    """Return the sample without the time gate, with its controls unchanged."""
    gated, case = assay.judge([without_time_qc(signal) for signal in assay.signals])
    decision = _decide(case, assay.job)
    return WithoutTimeQC(decision.call, decision.reasons, decision.call == call, largest_change(cut, gated), case)


def _of_control(job: Job) -> _Assay:
    """Return the inputs of a control, to be compared with the run's other controls, if any."""
    limits = job.settings.limits
    every = [read_sample(sample, job.settings) for sample in job.run_controls]
    read = [_without_others(one, _data_of(other for other in every if other is not one)) for one in every]
    scales = shared_scales([choose_scales(one.events, limits.scale, "controls of the run") for one in read])
    assays = {one.sample.sample: _assay(job, one, scales, None, alone=True) for one in read}
    mine = assays.pop(job.sample.sample)
    others = [assays[other].judge(assays[other].signals)[1] for other in job.controls if other in assays]
    return replace(mine, control=control_case(others, limits), alone=False) if others else mine


def _of_test(job: Job, results: Sequence[Result]) -> _Assay:
    """Return the inputs of a test sample on the scales of its run's controls, to be compared with them."""
    limits = job.settings.limits
    theirs = {str(tube.digest): f"{tube.fcs} of {result.sample}" for result in results for tube in result.tubes}
    read = _without_others(read_sample(job.sample, job.settings), theirs)
    scales = shared_scales([scales_of(result) for result in results])
    if any(name not in scales for one in read.events for name in one.markers.values()):
        scales = choose_scales(read.events, limits.scale, "own tubes") | scales
    assay = _assay(job, read, scales, control_from_results(results, limits) if results else None, alone=False)
    return replace(assay, control_gates=combined([gates_of(control) for control in given_by(results)]))


def _assay(job: Job, read: Read, scales: Mapping[str, Scale], control: ControlCase | None, *, alone: bool) -> _Assay:
    used = {name: scales[name] for events in read.events for name in events.markers.values()}
    signals = tuple(prepare(events, used, job.settings.limits.acquisition) for events in read.events)
    return _Assay(job, read.sample, signals, used, read.refusals, control, alone)


def control_from_results(results: Sequence[Result], limits: Limits) -> ControlCase:
    """Return the combined case of a sample's controls from their results; a reagent counts if every control has it."""
    given = given_by(results)
    reagents = [name for name in given[0].reagents if all(name in one.reagents for one in given)]
    percents = [one.activation_percent for one in given]
    terms = [{name: read_terms(plain) for name, plain in one.reagents.items()} for one in given]
    return ControlCase(
        names=tuple(result.sample for result in results),
        reagents={name: combine([one[name] for one in terms], limits.mixture) for name in reagents},
        activation_percent={
            name: sum(one[name] for one in percents) / len(percents)
            for name in percents[0]
            if all(name in one for one in percents)
        },
        failures=tuple(failure for one in given for failure in one.failures if failure not in _of_reagents(one))
        + tuple(
            f"Control {result.sample} is called {result.call} beside the run's other controls."
            for result in results
            if result.call not in (NORMAL, INDETERMINATE)
        ),
        disagreement=disagreement(terms),
        reagent_failures=together([one.reagent_failures for one in given]),
        volts=together([_volts(result) for result in results]),
        ages=tuple(result.age_band for result in results),
        lacking=together([_lacking(result) for result in results]),
        not_carried=frozenset(
            name
            for result in results
            for name, measures in result.reagents.items()
            if measures.negative_fraction is None
        ),
    )


def given_by(results: Sequence[Result]) -> list[Control]:
    """Return the control records of results; raises Cd40lFlowError for a result of no control."""
    found = [result.lent for result in results if result.lent is not None]
    if len(found) < len(results):
        raise Cd40lFlowError("a result that a sample is to be judged against is that of no control.")
    return found


def _lacking(result: Result) -> dict[str, tuple[str, ...]]:
    """Return the tubes that a control was not made of, as `tubes_lacking`."""
    found: dict[str, tuple[str, ...]] = {}
    for guard in result.guards:
        if guard.code == "TUBE_MISSING" and guard.fired and guard.effect == "hard":
            name = guard.reagent or ""
            found[name] = (*found.get(name, ()), f"Control {result.sample}: {guard.message}")
    return found


def _of_reagents(control: Control) -> list[str]:
    return [text for texts in control.reagent_failures.values() for text in texts]


def _volts(result: Result) -> dict[str, tuple[float, ...]]:
    """Return the voltages of each detector of a stimulated target, as `target_volts`."""
    found: dict[str, set[float]] = {}
    for tube in result.tubes:
        name = tube.markers.get("target", "")
        volts = tube.voltages.get(name)
        if tube.stimulation == "stimulated" and volts is not None:
            found.setdefault(name, set()).add(volts)
    return {name: tuple(sorted(volts)) for name, volts in found.items()}


def _overrides(job: Job, sample: Sample) -> list[Override]:
    return [override for override in job.overrides if override.sample == sample.sample]


def read_sample(sample: Sample, settings: Settings) -> Read:
    """Read the tubes of a sample, each on its own: one that cannot be used is refused with its reason."""
    refused = settings.refused.get(sample.sample, {})

    def read(tube: Tube, lent: Mapping[str, str]) -> Events:
        return compensate(read_events(tube, settings.panel(tube.panel), settings.spillover, lent), reuse=True)

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
    message = "{} holds the same data as {}: one of them is not what the sheet says. Put the right file in its place."
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
                    f"{tube.fcs} and {other.fcs} hold the same data: one of them is not what the sheet says. "
                    "Put the right file in its place."
                )
                found[tube] = Refusal(tube.fcs, "FILE_INTEGRITY", message)
    return found

"""From the job of one sample to its result: read, prepare, gate, measure, decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cd40l_flow.errors import TubeError
from cd40l_flow.expression.assess import assess, control_case
from cd40l_flow.expression.calls import decide
from cd40l_flow.expression.case import Case, ControlCase, Refusal
from cd40l_flow.expression.control import combine, control_terms, from_json
from cd40l_flow.expression.effects import INDETERMINATE, NORMAL
from cd40l_flow.expression.guards import apply_guards, control_failures
from cd40l_flow.expression.wording import statement
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.gating.strategy import gate
from cd40l_flow.inputs.fcs import read_events
from cd40l_flow.inputs.model import Events, Job, Sample, Tube
from cd40l_flow.inputs.panel import BACKGROUND_OF, awaited, background_detector
from cd40l_flow.outputs.densities import densities
from cd40l_flow.outputs.result import result_of
from cd40l_flow.signal.prepare import choose_scales, prepare, shared_scales
from cd40l_flow.signal.scale import Scale


@dataclass(frozen=True)
class Read:
    """The tubes of one sample as read: events of the good ones, refusals of the others."""

    sample: Sample
    events: tuple[Events, ...]
    refusals: tuple[Refusal, ...]


def analyse(job: Job, control_results: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the result of one sample and the arrays of its figures.

    ``control_results`` maps the names of a test sample's controls to their results; a control is measured together with
    the other controls of its run and needs none. Pure but for reading the tubes: the same job and files give the same
    values.
    """
    results = [] if job.sample.role == "control" else [control_results[name] for name in sorted(job.controls)]
    gated, case = _analyse_control(job) if job.sample.role == "control" else _analyse_test(job, results)
    limits = job.settings["limits"]
    guards = apply_guards(case, limits)
    decision = decide(case, guards, limits, require_function=bool(job.settings["require_function"]))
    failures = control_failures(case, limits) if job.sample.role == "control" else ()
    lent = {reagent: control_terms(expression, limits) for reagent, expression in case.reagents.items()}
    result = result_of(
        job=job,
        gated=gated,
        case=case,
        decision=decision,
        statement=statement(case, decision, limits),
        lent=lent if job.sample.role == "control" else {},
        failures=failures,
    )
    tops = [control["lent"]["scatter_tops"] for control in results]
    return result, densities(gated, case, tops)


def _analyse_control(job: Job) -> tuple[GatedSample, Case]:
    """Measure a control by itself and, where the run has others, beside them."""
    limits = job.settings["limits"]
    every = [read_sample(sample, job.settings) for sample in job.run_controls]
    read = [_without_others(one, _data_of(other for other in every if other is not one)) for one in every]
    scales = shared_scales([choose_scales(one.events, limits["scale"], "controls of the run") for one in read])
    gated = {one.sample.sample: _gate(one, scales, job) for one in read}
    alone = {
        one.sample.sample: assess(
            gated[one.sample.sample], one.refusals, None, _overrides(job, one.sample), limits, alone=True
        )
        for one in read
    }
    name = job.sample.sample
    others = [alone[other] for other in job.controls if other in alone]
    if not others:
        return gated[name], alone[name]
    mine = next(one for one in read if one.sample.sample == name)
    control = control_case(others, limits)
    return gated[name], assess(gated[name], mine.refusals, control, _overrides(job, job.sample), limits, alone=False)


def _analyse_test(job: Job, results: Sequence[Mapping[str, Any]]) -> tuple[GatedSample, Case]:
    """Measure a test sample on the scale of its run's controls, and beside them."""
    limits = job.settings["limits"]
    theirs = {
        str(tube["digest"]): f"{tube['fcs']} of {result['sample']}" for result in results for tube in result["tubes"]
    }
    read = _without_others(read_sample(job.sample, job.settings), theirs)
    scales = shared_scales([_scales(result) for result in results])
    if any(name not in scales for one in read.events for name in one.markers.values()):
        scales = choose_scales(read.events, limits["scale"], "own tubes") | scales
    gated = _gate(read, scales, job)
    control = control_from_results(results) if results else None
    return gated, assess(gated, read.refusals, control, job.overrides, limits, alone=False)


def control_from_results(results: Sequence[Mapping[str, Any]]) -> ControlCase:
    """Return what the results of a sample's controls say together; a reagent counts when every control has it."""
    lent = [result["lent"] for result in results]
    reagents = [name for name in lent[0]["reagents"] if all(name in one["reagents"] for one in lent)]
    percents = [one["activation_percent"] for one in lent]
    return ControlCase(
        names=tuple(result["sample"] for result in results),
        reagents={name: combine([from_json(one["reagents"][name]) for one in lent]) for name in reagents},
        activation_percent={
            name: sum(one[name] for one in percents) / len(percents)
            for name in percents[0]
            if all(name in one for one in percents)
        },
        failures=tuple(failure for one in lent for failure in one["failures"])
        + tuple(
            f"Control {result['sample']} is called {result['call']} beside the run's other controls."
            for result in results
            if result["call"] not in (NORMAL, INDETERMINATE)
        ),
    )


def _scales(result: Mapping[str, Any]) -> dict[str, Scale]:
    return {name: Scale(**values) for name, values in result["scales"].items()}


def _overrides(job: Job, sample: Sample) -> list[Any]:
    return [override for override in job.overrides if override.sample == sample.sample]


def _gate(read: Read, scales: Mapping[str, Scale], job: Job) -> GatedSample:
    used = {name: scales[name] for events in read.events for name in events.markers.values()}
    signals = [prepare(events, used) for events in read.events]
    return gate(read.sample, signals, used, _overrides(job, read.sample), job.settings["limits"]["gating"])


def read_sample(sample: Sample, settings: Mapping[str, Any]) -> Read:
    """Read the tubes of a sample, each on its own: one that cannot be used is refused with its reason."""
    refused = dict(settings.get("refused", {}).get(sample.sample, {}))
    events: dict[Tube, Events] = {}
    refusals: dict[Tube, Refusal] = {}
    targets: dict[str, str] = {}
    lost: dict[str, str] = {}
    # Background tubes come last, for they look where the stimulated tube has its target.
    for tube in sorted(sample.tubes, key=lambda tube: tube.reagent in BACKGROUND_OF):
        tells = tube.stimulation == "stimulated" and tube.reagent not in BACKGROUND_OF
        if tube.fcs in refused:
            refusals[tube] = Refusal(tube.fcs, "FILE_INTEGRITY", f"{tube.fcs}: {refused[tube.fcs]}")
            if tells:
                lost.setdefault(tube.reagent, tube.fcs)
            continue
        panel = settings["panels"].get(tube.panel) or {}
        try:
            found = read_events(tube, panel, settings["spillover"], background_detector(tube.reagent, targets))
        except TubeError as error:
            refusals[tube] = Refusal(tube.fcs, error.code, str(error))
            other = awaited(tube.reagent, targets, lost)
            if error.code == "CHANNEL_MAP" and other is not None:
                # Nothing is wrong with this tube itself.
                code = next(refusal.code for refusal in refusals.values() if refusal.fcs == other)
                message = f"{tube.fcs}: its detector is that of {other}, which cannot be used. Mend that file first."
                refusals[tube] = Refusal(tube.fcs, code, message)
            if tells:
                lost.setdefault(tube.reagent, tube.fcs)
            continue
        events[tube] = found
        if tells:
            targets.setdefault(tube.reagent, found.markers["target"])
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
            combined = tube.path == other.path and mine.markers["target"] != theirs.markers["target"]
            if not combined:
                message = (
                    f"{tube.fcs} and {other.fcs} hold the same data: one of them is not what the sheet says. "
                    "Put the right file in its place."
                )
                found[tube] = Refusal(tube.fcs, "FILE_INTEGRITY", message)
    return found

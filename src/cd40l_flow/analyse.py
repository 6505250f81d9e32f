"""From the job of one sample to its result: read, prepare, gate, measure, decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from cd40l_flow.assay.effects import INDETERMINATE, NORMAL
from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Arrays
from cd40l_flow.cohort.settings import Job
from cd40l_flow.decision.assess import assess, control_case, together
from cd40l_flow.decision.calls import Decision, decide
from cd40l_flow.decision.case import Case, ControlCase
from cd40l_flow.decision.change import would_change
from cd40l_flow.decision.control import combine, control_terms, read_terms, with_titration
from cd40l_flow.decision.guards import apply_guards, control_failures
from cd40l_flow.decision.reference_guards import disagreement
from cd40l_flow.decision.shown import as_shown
from cd40l_flow.decision.tube_checks import without_time_gate
from cd40l_flow.figures.densities import densities
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.inputs import Inputs, given_by, inputs_of_controls, inputs_of_test
from cd40l_flow.interop.gate_files import export_messages
from cd40l_flow.report.wording import statement
from cd40l_flow.result.making.sample import result_of
from cd40l_flow.result.types.control import Control
from cd40l_flow.result.types.result import Result
from cd40l_flow.signal.prepare import TubeSignal


def analyse(job: Job, control_results: Mapping[str, Result]) -> tuple[Result, Arrays]:
    """Return the result of one sample and the arrays of its figures.

    ``control_results`` maps the names of a test sample's controls to their results; a control is measured together with
    the other controls of its run and needs none. Pure except for reading the tubes: the same job and files give the
    same values.
    """
    results = [] if job.sample.role == "control" else [control_results[name] for name in sorted(job.controls)]
    judged = _of_control(job) if job.sample.role == "control" else _of_test(job, results)
    signals = judged.inputs.signals
    gated, case, decision = judged.decide(signals)
    limits = job.settings.limits
    uncut = without_time_gate(signals, gated, decision.call, judged.decide)
    if uncut is not None:
        case = replace(case, without_time_qc=uncut)
        decision = _decide(case, job)
    failures, reagent_failures = control_failures(case, limits) if job.sample.role == "control" else ((), {})
    given = {
        reagent: with_titration(control_terms(expression, limits), expression, limits)
        for reagent, expression in (case.reagents if job.sample.role == "control" else {}).items()
    }
    shown = as_shown(case, limits)
    changes = would_change(case, decision, limits, require_function=job.settings.require_function)
    result = result_of(
        job=job,
        gated=gated,
        case=shown,
        decision=decision,
        statement=statement(shown, decision, limits, changes),
        changes=changes,
        control_terms=given,
        failures=failures,
        reagent_failures=reagent_failures,
    )
    messages = [*result.messages, *export_messages(result, gated.tubes)]
    result = msgspec.structs.replace(result, messages=messages)
    tops = [control.scatter_tops for control in given_by(results)]
    return result, densities(gated, shown, tops)


@dataclass(frozen=True)
class _Judged:
    """The inputs of one sample, and the controls that it is compared with; ``alone`` is a control without another."""

    inputs: Inputs
    control: ControlCase | None
    alone: bool

    def judge(self, signals: Sequence[TubeSignal]) -> tuple[GatedSample, Case]:
        """Return the gated sample and its case from its own or modified signals."""
        inputs, settings = self.inputs, self.inputs.job.settings
        gated = inputs.gate(signals)
        case = assess(
            gated,
            inputs.refusals,
            self.control,
            inputs.overrides,
            settings.limits,
            alone=self.alone,
            laboratory=settings.reference,
        )
        return gated, case

    def decide(self, signals: Sequence[TubeSignal]) -> tuple[GatedSample, Case, Decision]:
        """Return the gated sample, its case and what is decided about it."""
        gated, case = self.judge(signals)
        return gated, case, _decide(case, self.inputs.job)


def _decide(case: Case, job: Job) -> Decision:
    limits = job.settings.limits
    return decide(case, apply_guards(case, limits), limits, require_function=job.settings.require_function)


def _of_control(job: Job) -> _Judged:
    """Return a control, to be compared with the run's other controls, if any."""
    mine, theirs = inputs_of_controls(job)
    others = [_Judged(one, None, alone=True).judge(one.signals)[1] for one in theirs]
    if not others:
        return _Judged(mine, None, alone=True)
    return _Judged(mine, control_case(others, job.settings.limits), alone=False)


def _of_test(job: Job, results: Sequence[Result]) -> _Judged:
    """Return a test sample, to be compared with its run's controls."""
    control = control_from_results(results, job.settings.limits) if results else None
    return _Judged(inputs_of_test(job, results), control, alone=False)


def control_from_results(results: Sequence[Result], limits: Limits) -> ControlCase:
    """Return the combined case of a sample's controls from their results; a reagent counts if every control has it."""
    given = given_by(results)
    reagents = [name for name in given[0].reagents if all(name in one.reagents for one in given)]
    terms = [{name: read_terms(plain) for name, plain in one.reagents.items()} for one in given]
    return ControlCase(
        names=tuple(result.sample for result in results),
        reagents={name: combine([one[name] for one in terms], limits.mixture) for name in reagents},
        activation_percent=_shared_means([one.activation_percent for one in given]),
        activation_median=_shared_means([one.activation_median for one in given]),
        failures=tuple(failure for one in given for failure in one.failures if failure not in _of_reagents(one))
        + tuple(
            f"Control {result.sample} is called {result.call} when compared with the run's other controls."
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


def _shared_means(several: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the means of what all controls have, by reagent."""
    shared = [name for name in several[0] if all(name in one for one in several)]
    return {name: sum(one[name] for one in several) / len(several) for name in shared}


def _lacking(result: Result) -> dict[str, tuple[str, ...]]:
    """Return the tubes that a control was measured without, as `tubes_lacking`."""
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

"""From the job of one sample of the B-cell assays to its result: read, prepare, gate, measure, decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import msgspec

from cd40l_flow.base.model import Arrays
from cd40l_flow.cohort.ages import fine_band
from cd40l_flow.cohort.settings import Job
from cd40l_flow.decision.b_cells.age_curve import AgeCurve
from cd40l_flow.decision.b_cells.cd40 import cd40_measures
from cd40l_flow.decision.b_cells.decide import decide_cd40, decide_memory, failures_of
from cd40l_flow.decision.b_cells.evenness import evenness
from cd40l_flow.decision.b_cells.measure import memory_measures
from cd40l_flow.decision.b_cells.measures import Cd40Measures, MemoryControl, MemoryMeasures
from cd40l_flow.decision.b_cells.switched import AgeFinding, memory_numbers
from cd40l_flow.decision.calls import Decision
from cd40l_flow.decision.case import Case, WithoutTimeQC
from cd40l_flow.decision.sample_guards import without_time_guard
from cd40l_flow.decision.tube_checks import acquisition_checks, without_time_gate
from cd40l_flow.figures.densities import densities
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.inputs import Inputs, given_by, inputs_of_controls, inputs_of_test
from cd40l_flow.interop.gate_files import export_messages
from cd40l_flow.report.b_cell_wording import cd40_statement, memory_statement
from cd40l_flow.result.making.sample import result_of
from cd40l_flow.result.types.b_cells import Cd40, Memory
from cd40l_flow.result.types.plain import clean, from_dataclass
from cd40l_flow.result.types.result import Result
from cd40l_flow.signal.prepare import TubeSignal


@dataclass(frozen=True)
class _Judged:
    """A sample measured and decided, by one of the two assays."""

    gated: GatedSample
    case: Case
    decision: Decision
    memory: MemoryMeasures | None = None
    cd40: Cd40Measures | None = None

    @property
    def outcome(self) -> tuple[GatedSample, Case, Decision]:
        """What all assays have."""
        return self.gated, self.case, self.decision


def analyse_b_cells(job: Job, control_results: Mapping[str, Result]) -> tuple[Result, Arrays]:
    """Return the result of one sample of the assays ``memory_b`` and ``cd40``, and the arrays of its figures.

    As `analyse`, but that a control of the memory tube is compared with no other: age is the comparator.
    """
    if job.sample.role == "control":
        results: list[Result] = []
        inputs, others = inputs_of_controls(job)
        measured = [cd40_measures(one.gate(one.signals), (), job.settings.limits) for one in others]
        controls = _Controls(None, tuple(one for one in measured if one is not None))
    else:
        results = [control_results[name] for name in sorted(job.controls)]
        inputs, controls = inputs_of_test(job, results), _controls(results)
    judged = _judge(inputs, inputs.signals, controls)
    gated, _, decision = judged.outcome
    uncut = without_time_gate(
        inputs.signals, gated, decision.call, lambda signals: _judge(inputs, signals, controls).outcome
    )
    if uncut is not None:
        judged = _with_time_gate(judged, uncut, job)
    memory, cd40 = _memory_record(job, judged.memory), _cd40_record(judged.cd40)
    z = None if memory is None else memory.age_z
    failures = failures_of(job.sample, judged.decision, z, job.settings.limits)
    result = result_of(
        job=job,
        gated=gated,
        case=judged.case,
        decision=judged.decision,
        statement=_statement(job, judged),
        changes=(),
        control_terms={},
        failures=failures if job.sample.role == "control" else (),
        reagent_failures={},
    )
    messages = [*result.messages, *export_messages(result, gated.tubes)]
    result = msgspec.structs.replace(result, memory=memory, cd40=cd40, messages=messages)
    tops = [control.scatter_tops for control in given_by(results)]
    return result, densities(gated, judged.case, tops)


@dataclass(frozen=True)
class _Controls:
    """What the run's controls give: of the memory tube together (None without a control), of CD40 one by one."""

    memory: MemoryControl | None
    cd40: tuple[Cd40Measures, ...] = ()


def _controls(results: Sequence[Result]) -> _Controls:
    """Return what the results of controls give."""
    if not results:
        return _Controls(None)
    memory = [one.memory for one in results if one.memory is not None]
    control = MemoryControl(
        names=tuple(one.sample for one in results),
        igd_median=_mean(one.igd_median for one in memory),
        igm_median=_mean(one.igm_median for one in memory),
        cd27_negative_median=_mean(one.cd27_negative_median for one in memory),
        failures=tuple(failure for given in given_by(results) for failure in given.failures),
        cd27_shape=tuple(memory[0].cd27_shape) if len(memory) == 1 else (),
        cd38_median=_mean(one.cd38_median for one in memory),
    )
    cd40 = tuple(msgspec.convert(msgspec.to_builtins(one.cd40), Cd40Measures) for one in results if one.cd40)
    return _Controls(control, cd40)


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of those that are known, None of none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _judge(inputs: Inputs, signals: Sequence[TubeSignal], controls: _Controls) -> _Judged:
    """Return the sample gated, measured and decided from its own or modified signals."""
    sample, limits, gated = inputs.sample, inputs.job.settings.limits, inputs.gate(signals)
    case = _case(inputs, gated)
    if sample.assay == "memory_b":
        memory = memory_measures(gated, controls.memory, limits)
        curve = _curve(inputs.job)
        decision = decide_memory(sample, memory, controls.memory, inputs.refusals, case.checks, limits, curve)
        return _Judged(gated, case, decision, memory=memory)
    cd40 = cd40_measures(gated, controls.cd40, limits)
    if sample.role == "control" and controls.cd40:
        # Compared with the other controls, which show nothing about the staining of this one.
        controls = _Controls(MemoryControl(), controls.cd40)
    decision = decide_cd40(sample, cd40, controls.memory, inputs.refusals, case.checks, limits, controls.cd40)
    return _Judged(gated, case, decision, cd40=cd40)


def _curve(job: Job) -> AgeCurve:
    """Return the published curve of the switched share by age, with the laboratory's own where there is one."""
    own = job.settings.reference
    return AgeCurve(None if own is None else own.by_age)


def _with_time_gate(judged: _Judged, without: WithoutTimeQC, job: Job) -> _Judged:
    """Return the sample with what it is without its time gate, and the guard that reports what the gate did."""
    found = without_time_guard(without, job.settings.limits.acquisition.change_points)
    decision = judged.decision
    reasons = tuple(dict.fromkeys((*decision.reasons, found.code))) if found.fired else decision.reasons
    qc = "warn" if found.fired and decision.qc == "pass" else decision.qc
    decision = replace(decision, guards=(*decision.guards, found), reasons=reasons, qc=qc)
    return replace(judged, case=replace(judged.case, without_time_qc=without), decision=decision)


def _case(inputs: Inputs, gated: GatedSample) -> Case:
    """Return the case of a sample of which no reagent is measured against another's: files, acquisition, gates."""
    even = evenness(gated, inputs.job.settings.limits.b_cells.replicate_apart_max)
    return Case(
        sample=inputs.sample,
        alone=False,
        refusals=inputs.refusals,
        planned=(),
        missing={},
        unstimulated_missing=False,
        reagents={},
        comparisons={},
        activation={},
        checks=replace(acquisition_checks(gated), over_time=even.in_time, replicates=even.in_replicates),
        control=None,
        cytometers=tuple(sorted({tube.signal.events.header.cytometer for tube in gated.tubes})),
        replicates=even.replicates,
    )


def _age(job: Job, found: MemoryMeasures | None) -> AgeFinding:
    """Return how the switched share of a job's sample compares with the limits of its age."""
    return memory_numbers(job.sample, found, _curve(job), job.settings.limits)


def _statement(job: Job, judged: _Judged) -> tuple[str, ...]:
    """Return the call in words."""
    if job.sample.assay == "cd40":
        return cd40_statement(job.sample, judged.cd40, judged.decision)
    age = _age(job, judged.memory)
    return memory_statement(job.sample, judged.memory, age, judged.decision)


def _memory_record(job: Job, found: MemoryMeasures | None) -> Memory | None:
    """Return the subsets of B cells with the limits of the sample's age."""
    if found is None:
        return None
    age = _age(job, found)
    age_limits = {
        "age_band": fine_band(job.sample.age_years),
        "age_z": age.age_z,
        "limit_low": age.limit_low,
        "limit_absent": age.limit_absent,
        "age_median": age.age_median,
        "table": age.table,
    }
    measured = asdict(found)
    del measured["stain"]  # its guards hold it
    return msgspec.convert(clean(measured | age_limits), Memory)


def _cd40_record(found: Cd40Measures | None) -> Cd40 | None:
    return None if found is None else from_dataclass(found, Cd40)

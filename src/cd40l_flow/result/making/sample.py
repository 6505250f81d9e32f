"""The result of one sample: everything that was measured and decided, as one record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import msgspec

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.assay.effects import FUNCTIONAL_DEFECT
from cd40l_flow.assay.limits import Limits, plain_limits
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.model import Sample
from cd40l_flow.cohort.ages import age_band
from cd40l_flow.cohort.settings import Job, Settings
from cd40l_flow.decision.applied import Guard
from cd40l_flow.decision.calls import Decision
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.change import Change
from cd40l_flow.decision.laboratory import healthy_sd, level_sd
from cd40l_flow.decision.rule_logic import Outcome
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.mixture.model import ControlExpression, Expression
from cd40l_flow.result.codes import codes
from cd40l_flow.result.making.acquisition import acquisition_rows, slope_rows, spillover_remarks
from cd40l_flow.result.making.control import control_record
from cd40l_flow.result.making.gating import gate_rows, tube_rows
from cd40l_flow.result.record import SCHEMA_VERSION
from cd40l_flow.result.types.decision import BindingRatio, ChangedMeasure, Condition, Message, Odds, Rule, Subcall
from cd40l_flow.result.types.decision import Change as ChangeRecord
from cd40l_flow.result.types.decision import Guard as GuardRecord
from cd40l_flow.result.types.gates import LogicleScale
from cd40l_flow.result.types.measures import Measures
from cd40l_flow.result.types.plain import clean, finished, from_dataclass
from cd40l_flow.result.types.result import Configuration, Inputs, Metadata, Reference, Result
from cd40l_flow.result.types.tubes import ReplicateGroup
from cd40l_flow.signal.prepare import TubeSignal

NO_INPUTS = Inputs(job="", files={}, controls={})


def result_of(
    *,
    job: Job,
    gated: GatedSample,
    case: Case,
    decision: Decision,
    statement: tuple[str, ...],
    changes: tuple[Change, ...],
    control_terms: Mapping[str, ControlExpression],
    failures: tuple[str, ...],
    reagent_failures: Mapping[str, tuple[str, ...]],
) -> Result:
    """Return the result of one sample (numbers rounded to 10 digits, NaN as None).

    ``control_terms``, ``failures`` (of the whole run) and ``reagent_failures`` are those of a control; empty for a test
    sample.
    """
    sample = job.sample
    first = next((reagent for reagent in current_assay().targets if reagent in case.planned), None)
    activated = case.activation[first].events if first else None
    return finished(
        Result(
            digest=None,
            densities=None,
            schema_version=SCHEMA_VERSION,
            engine_version=ENGINE_VERSION,
            sample=sample.sample,
            assay=sample.assay,
            subject=sample.subject,
            run=sample.run,
            role=sample.role,
            sex=sample.sex,
            age_band=age_band(sample.age_years),
            controls=list(job.controls),
            family=sample.family,
            reference=_reference(case, job.settings.limits),
            metadata=metadata(sample),
            configuration=configuration(job.settings),
            inputs=NO_INPUTS,
            call=decision.call,
            pattern=decision.pattern,
            reasons=list(decision.reasons),
            qc=decision.qc,
            subcalls={
                reagent: Subcall(call=subcall.call, reasons=list(subcall.reasons))
                for reagent, subcall in decision.subcalls.items()
            },
            statement=list(statement),
            codes=codes(decision),
            would_change=[_change(change) for change in changes],
            guards=[_guard(guard) for guard in decision.guards],
            rules=_rules(decision),
            activated_events=activated,
            cd69_percent=case.activation[first].percent if first else None,
            tubes=tube_rows(sample, gated, case.refusals),
            acquisition=acquisition_rows(gated, case),
            compensation=slope_rows(case),
            replicates=[from_dataclass(group, ReplicateGroup) for group in case.replicates],
            gates=gate_rows(gated, case, [one for one in job.overrides if one.sample == sample.sample]),
            scales={name: from_dataclass(scale, LogicleScale) for name, scale in sorted(gated.scales.items())},
            odds=Odds(
                joint=dict(sorted(case.joint.items(), key=lambda item: -item[1])),
                binding_ratio=None if case.binding is None else from_dataclass(case.binding, BindingRatio),
            ),
            reagents={reagent: _measures(case, expression) for reagent, expression in case.reagents.items()},
            memory=None,
            cd40=None,
            messages=_messages(gated, case),
            lent=control_record(gated, case, control_terms, failures, reagent_failures)
            if sample.role == "control"
            else None,
        )
    )


def _reference(case: Case, limits: Limits) -> Reference | None:
    """Return which limits of the laboratory were used, and the SD of the healthy that came of them."""
    own = case.laboratory
    if own is None:
        return None
    return Reference(
        digest=own.digest,
        controls=own.controls,
        failed=own.failed,
        few=own.controls < limits.reference.fewest_controls,
        healthy_negative_sd={reagent: healthy_sd(own, reagent, limits) for reagent in case.reagents},
        level_sd={reagent: level_sd(own, reagent, limits) for reagent in case.reagents},
    )


def _change(change: Change) -> ChangeRecord:
    return ChangeRecord(
        reagent=change.reagent or None,
        before=change.before,
        to=change.after,
        text=change.text,
        changes=[
            ChangedMeasure(measure=one.measure, value=one.value, needed=one.needed, op=one.op, limit=one.limit)
            for one in change.steps
        ],
    )


def metadata(sample: Sample) -> Metadata:
    """Return what the sheet says about a sample."""
    return Metadata(
        transplant=sample.transplant,
        calcineurin_inhibitor=sample.calcineurin_inhibitor,
        steroid=sample.steroid,
        anti_cd154=sample.anti_cd154,
        transfusion=sample.transfusion,
        anticoagulant=sample.anticoagulant,
        collected_h=sample.collected_h,
        stimulation_h=sample.stimulation_h,
        collected=sample.collected,
        b_depletion=sample.b_depletion,
        anti_cd40=sample.anti_cd40,
        igm_g_l=sample.igm_g_l,
        igg_g_l=sample.igg_g_l,
        iga_g_l=sample.iga_g_l,
        ige_iu_ml=sample.ige_iu_ml,
        b_per_ul=sample.b_per_ul,
        genotype=sample.genotype,
        expected_fraction=sample.expected_fraction,
        show=dict(sample.extra),
    )


def configuration(settings: Settings) -> Configuration:
    """Return the part of the configuration that the result depends on; of a spillover file only its name."""
    return Configuration(
        limits=plain_limits(settings.limits),
        panels={
            name: {key: _file_name(str(part)) if key == "spillover" else part for key, part in panel.items()}
            for name, panel in settings.panels.items()
        },
        spillover=_file_name(settings.spillover),
        require_function=settings.require_function,
        show_columns=list(settings.show_columns),
    )


def _file_name(spillover: str) -> str:
    return Path(spillover).name


def _guard(guard: Guard) -> GuardRecord:
    return GuardRecord(
        code=guard.code,
        reagent=guard.reagent or None,
        fired=guard.fired,
        effect=guard.effect,
        value=guard.value,
        limit=guard.limit,
        unit=guard.unit,
        message=guard.message,
    )


def _rules(decision: Decision) -> list[Rule]:
    rules = []
    if decision.functional is not None:
        # It holds only where CD154 is there as a whole.
        met = FUNCTIONAL_DEFECT in (decision.call, decision.pattern)
        rules.append(_rule(None, decision.functional, met))
    for reagent, subcall in decision.subcalls.items():
        rules += [_rule(reagent, outcome, outcome.met) for outcome in subcall.outcomes]
    return rules


def _rule(reagent: str | None, outcome: Outcome, met: bool | None) -> Rule:
    """Return one rule of the trace; ``either`` gives which set of alternatives a condition belongs to."""
    rule = outcome.rule
    groups = [None] * len(rule.needs) + [number for number, group in enumerate(rule.either) for _ in group]
    conditions = [
        Condition(
            measure=checked.condition.measure,
            value=checked.value,
            op=checked.condition.op,
            limit=checked.limit,
            met=checked.met,
            distance=checked.distance,
            either=group,
        )
        for checked, group in zip(outcome.conditions, groups, strict=True)
    ]
    return Rule(reagent=reagent, call=rule.call, met=met, conditions=conditions)


def _measures(case: Case, expression: Expression) -> Measures:
    names = (
        "detector", "events", "margin_events", "percent_positive", "percent_positive_low", "percent_positive_high",
        "threshold", "threshold_source", "mfi_all", "mfi_all_low", "mfi_all_high", "mfi_positive", "mfi_positive_low",
        "mfi_positive_high", "mfi_background", "negative_fraction", "negative_fraction_low",
        "negative_fraction_high", "separation", "stain_index", "shift", "valley", "dip_p", "converged", "borrowed",
        "goodness", "misplaced", "overdispersion", "model_error", "gmm_negative_fraction", "gmm_components",
        "unstimulated_percent_positive", "background_shift", "linear_width_ratio",
    )  # fmt: skip
    values = {name: getattr(expression, name) for name in names} | {"at_bound": list(expression.at_bound)}
    compared = asdict(case.comparison(expression.reagent))
    far = compared.pop("distances")
    values |= compared | far
    found = case.independence.get(expression.reagent)
    for name in ("cd69", "cd3"):
        one = None if found is None else getattr(found, name)
        values[f"negatives_by_{name}"] = None if one is None else one.log_ratio
        values[f"negatives_by_{name}_error"] = None if one is None else one.error
    values["tubes"] = list(expression.tubes)
    values["background"] = {"source": expression.anchor.source, "tubes": list(expression.anchor.tubes)}
    return msgspec.convert(clean(values), Measures)


def _messages(gated: GatedSample, case: Case) -> list[Message]:
    messages = [
        Message(code=refusal.code, severity="error", tube=refusal.fcs, text=refusal.message)
        for refusal in case.refusals
    ]
    messages += [Message(code="GATING", severity="warning", tube=None, text=flag) for flag in gated.flags]
    for reagent, expression in case.reagents.items():
        if not expression.anchor.exact:
            text = (
                f"{reagent}: the background is borrowed ({expression.anchor.source}); the interval allows for a shift."
            )
            if reagent in case.not_shown:
                text = (
                    f"{reagent}: the background is borrowed ({expression.anchor.source}). No share of negative cells "
                    f"is reported: {case.not_shown[reagent]}."
                )
            messages.append(Message(code="BACKGROUND", severity="warning", tube=None, text=text))
        if case.sample.role != "control" and expression.negative_fraction is not None and expression.borrowed == 0:
            text = (
                f"{reagent}: no control provides the shape of expressing cells. Skew and shift then trade off: the "
                "error of the negative fraction is at least about 1.5, 3.7 and 14 times the counting error at a "
                "separation of 4, 3 and 2."
            )
            messages.append(Message(code="NO_SHAPE", severity="warning", tube=None, text=text))
        width = expression.linear_width_ratio
        if width is not None and width < 1:
            text = (
                f"{reagent}: the background is wider than the linear part of its scale: modes near zero are doubtful."
            )
            messages.append(Message(code="SCALE", severity="warning", tube=None, text=text))
    for group in case.replicates:
        names = ", ".join(one.fcs for one in group.replicates)
        text = f"{len(group.replicates)} tubes of {group.stimulation} {group.reagent} are pooled: {names}."
        messages.append(Message(code="REPLICATES", severity="info", tube=None, text=text))
    for tube in gated.tubes:
        messages += _tube_messages(tube.signal)
    return messages


def _tube_messages(signal: TubeSignal) -> Iterator[Message]:
    """Yield the remarks on the time and the matrix of one tube."""
    tube = signal.events.tube.fcs
    acquisition, flow = signal.acquisition, signal.acquisition.time_qc.flow
    if acquisition.problem:
        yield Message(code="TIME", severity="info", tube=tube, text=f"Time not assessable: {acquisition.problem}")
    for note in signal.events.notes:
        yield Message(code="READING", severity="warning", tube=tube, text=f"{note[0].upper()}{note[1:]}")
    if signal.events.time_note:
        yield Message(code="TIME", severity="info", tube=tube, text=f"Time: {signal.events.time_note}.")
    for name, change in acquisition.time_qc.drifts.items():
        text = f"{name} changes by {abs(change):.0f} percentile points within the kept part of the acquisition."
        yield Message(code="DRIFT", severity="warning", tube=tube, text=text)
    if flow is not None and flow.stops:
        longest = max(end - start for start, end in flow.stops)
        text = f"Stops of the flow: {len(flow.stops)}, the longest {longest:.1f} s; no events were removed for them."
        yield Message(code="FLOW", severity="info", tube=tube, text=text)
    if flow is not None and flow.slow_percent >= 1:
        text = f"The flow was below a third of its usual rate for {flow.slow_percent:.0f} % of the time."
        yield Message(code="FLOW", severity="info", tube=tube, text=text)
    if signal.events.spillover is not None:
        for remark in spillover_remarks(signal.events.spillover):
            yield Message(code="SPILLOVER", severity="warning", tube=tube, text=f"The matrix holds {remark}.")

"""``result.json``: everything measured and decided of one sample, as plain values; the schema is shipped with the
workflow.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.expression.calls import CD40_IG, CD154, CLONE_2, Decision
from cd40l_flow.expression.case import Case
from cd40l_flow.expression.control import to_json
from cd40l_flow.expression.effects import FUNCTIONAL_DEFECT, Guard
from cd40l_flow.expression.model import ControlExpression, Expression
from cd40l_flow.expression.rules import Checked
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.inputs.model import Job, Sample
from cd40l_flow.outputs.panels import scatter_tops
from cd40l_flow.outputs.result_gating import gate_rows, tube_rows

SCHEMA_VERSION = "1.0"
DIGITS = 10
AGE_BANDS = ((0.5, "under 6 months"), (1, "6 to 11 months"), (2, "1 y"), (5, "2 to 4 y"), (10, "5 to 9 y"))
OLDER_BANDS = ((18, "10 to 17 y"), (45, "18 to 44 y"), (math.inf, "45 y or older"))


def result_of(
    *,
    job: Job,
    gated: GatedSample,
    case: Case,
    decision: Decision,
    statement: tuple[str, ...],
    lent: Mapping[str, ControlExpression],
    failures: tuple[str, ...],
) -> dict[str, Any]:
    """Return the result of one sample as plain values (numbers rounded to 10 digits, NaN as None).

    ``lent`` and ``failures`` are what a control gives to the samples of its run; empty for a test sample.
    """
    sample = job.sample
    first = next((reagent for reagent in (CD154, CLONE_2, CD40_IG) if reagent in case.planned), None)
    activated = case.activation[first].events if first else None
    result = {
        "schema_version": SCHEMA_VERSION,
        "engine_version": ENGINE_VERSION,
        "sample": sample.sample,
        "run": sample.run,
        "role": sample.role,
        "sex": sample.sex,
        "age_band": _age_band(sample.age_years),
        "controls": list(job.controls),
        "metadata": _metadata(sample),
        "call": decision.call,
        "pattern": decision.pattern,
        "reasons": list(decision.reasons),
        "qc": decision.qc,
        "subcalls": {
            reagent: {"call": subcall.call, "reasons": list(subcall.reasons)}
            for reagent, subcall in decision.subcalls.items()
        },
        "statement": list(statement),
        "guards": [_guard(guard) for guard in decision.guards],
        "rules": _rules(decision),
        "activated_events": activated,
        "cd69_percent": case.activation[first].percent if first else None,
        "tubes": tube_rows(sample, gated, case.refusals),
        "gates": gate_rows(gated, case, [one for one in job.overrides if one.sample == sample.sample]),
        "scales": {name: asdict(scale) for name, scale in sorted(gated.scales.items())},
        "reagents": {reagent: _measures(case, expression) for reagent, expression in case.reagents.items()},
        "messages": _messages(gated, case),
        "lent": {
            "reagents": {reagent: to_json(terms) for reagent, terms in lent.items()},
            "activation_percent": {
                reagent: activation.percent
                for reagent, activation in case.activation.items()
                if activation.percent is not None
            },
            "failures": list(failures),
            "scatter_tops": scatter_tops(gated),
        }
        if sample.role == "control"
        else None,
    }
    cleaned: dict[str, Any] = _clean(result)
    return cleaned


def write_result(result: Mapping[str, Any], path: Path) -> None:
    """Write a result as JSON, keys sorted: equal results are equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def _clean(value: Any) -> Any:
    """Return plain JSON values: numpy numbers as Python's, floats rounded, what is not finite as None."""
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if hasattr(value, "tolist"):
        return _clean(value.tolist())
    if isinstance(value, float):
        # Ten digits: more than any measure means, fewer than machines differ in.
        return float(f"{value:.{DIGITS}g}") + 0.0 if math.isfinite(value) else None
    return value


def _age_band(age_years: float | None) -> str | None:
    """Return the age as a band, for an exact age can tell who somebody is."""
    if age_years is None:
        return None
    return next(band for limit, band in (*AGE_BANDS, *OLDER_BANDS) if age_years < limit)


def _metadata(sample: Sample) -> dict[str, Any]:
    names = ("transplant", "calcineurin_inhibitor", "steroid", "anti_cd154", "transfusion", "anticoagulant")
    told = {name: getattr(sample, name) for name in (*names, "collected_h", "stimulation_h")}
    return told | {"show": dict(sample.extra)}


def _guard(guard: Guard) -> dict[str, Any]:
    return {
        "code": guard.code,
        "reagent": guard.reagent or None,
        "fired": guard.fired,
        "effect": guard.effect,
        "value": guard.value,
        "limit": guard.limit,
        "unit": guard.unit,
        "message": guard.message,
    }


def _rules(decision: Decision) -> list[dict[str, Any]]:
    rules = []
    if decision.functional:
        met = FUNCTIONAL_DEFECT in (decision.call, decision.pattern)
        # CD154 is there, and CD40-Ig does not bind: by its percent or by its ratio to CD154.
        groups = [None, *[0] * (len(decision.functional) - 1)]
        rules.append(_rule(None, FUNCTIONAL_DEFECT, met, decision.functional, groups))
    for reagent, subcall in decision.subcalls.items():
        for outcome in subcall.outcomes:
            rule = outcome.rule
            groups = [None] * len(rule.needs) + [number for number, group in enumerate(rule.either) for _ in group]
            rules.append(_rule(reagent, rule.call, outcome.met, outcome.conditions, groups))
    return rules


def _rule(
    reagent: str | None, call: str, met: bool | None, conditions: Sequence[Checked], groups: Sequence[int | None]
) -> dict[str, Any]:
    """Return one rule of the trace; ``groups`` tells for each condition which set of alternatives it belongs to."""
    told = [
        {
            "measure": checked.condition.measure,
            "value": checked.value,
            "op": checked.condition.op,
            "limit": checked.limit,
            "met": checked.met,
            "either": group,
        }
        for checked, group in zip(conditions, groups, strict=True)
    ]
    return {"reagent": reagent, "call": call, "met": met, "conditions": told}


def _measures(case: Case, expression: Expression) -> dict[str, Any]:
    names = (
        "detector", "events", "percent_positive", "percent_positive_low", "percent_positive_high", "threshold",
        "threshold_source", "mfi_all", "mfi_positive", "mfi_background", "negative_fraction", "negative_fraction_low",
        "negative_fraction_high", "separation", "stain_index", "shift", "valley", "dip_p", "converged", "borrowed",
        "unstimulated_percent_positive", "background_shift", "linear_width_ratio",
    )  # fmt: skip
    told = {name: getattr(expression, name) for name in names}
    told |= asdict(case.comparison(expression.reagent))
    return told | {
        "tubes": list(expression.tubes),
        "background": {"source": expression.anchor.source, "tubes": list(expression.anchor.tubes)},
    }


def _messages(gated: GatedSample, case: Case) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = [
        {"code": refusal.code, "severity": "error", "tube": refusal.fcs, "text": refusal.message}
        for refusal in case.refusals
    ]
    told += [{"code": "GATING", "severity": "warning", "tube": None, "text": flag} for flag in gated.flags]
    for reagent, expression in case.reagents.items():
        if not expression.anchor.exact:
            text = (
                f"{reagent}: the background is borrowed ({expression.anchor.source}); the interval allows for a shift."
            )
            told.append({"code": "BACKGROUND", "severity": "warning", "tube": None, "text": text})
        if len(expression.tubes) > 1:
            text = f"{reagent}: {len(expression.tubes)} replicate tubes are pooled: {', '.join(expression.tubes)}."
            told.append({"code": "REPLICATES", "severity": "info", "tube": None, "text": text})
        width = expression.linear_width_ratio
        if width is not None and width < 1:
            text = (
                f"{reagent}: the background is wider than the linear part of its scale: modes near zero are doubtful."
            )
            told.append({"code": "SCALE", "severity": "warning", "tube": None, "text": text})
    for tube in gated.tubes:
        problem = tube.signal.events.time_problem
        if problem:
            text = f"Time not assessable: {problem}"
            told.append({"code": "TIME", "severity": "info", "tube": tube.signal.events.tube.fcs, "text": text})
    return told

"""The tables of the report: measures, checks, rules, messages, gates, tubes and methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import asdict

from cd40l_flow.assay.cd40l.gates import ACTIVATED
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.shared_gates import TIME
from cd40l_flow.assay.texts import load_texts, population_name, reason_texts
from cd40l_flow.result.numbers import (
    format_against,
    format_interval,
    format_limit,
    format_measure,
    format_number,
    format_unit,
    measure_label,
    operator_sign,
)
from cd40l_flow.result.types.decision import Message
from cd40l_flow.result.types.gates import Gate
from cd40l_flow.result.types.measures import Measures
from cd40l_flow.result.types.result import Result
from cd40l_flow.result.types.tubes import Tube

View = dict[str, Any]

_FACTS = ("background", "threshold_source", "detector", "tubes", "converged")


def measures_table(result: Result, controls: Sequence[Result]) -> View | None:
    """Return the measures, one column for each reagent and sample; None when nothing was measured."""
    subjects = [result, *controls]
    reagents = [name for name in current_assay().targets if any(subject.reagents.get(name) for subject in subjects)]
    if not reagents:
        return None
    columns = [(reagent, subject) for reagent in reagents for subject in subjects]
    values = [_numbers(*column) for column in columns]
    return {
        "reagents": [{"name": reagent, "span": len(subjects)} for reagent in reagents],
        "subjects": [{"sample": subject.sample, "own": subject is result} for _, subject in columns],
        "groups": [
            {"name": name, "rows": [_measure_row(measure, values) for measure in measures]}
            for name, measures in current_assay().measures.items()
        ],
        "facts": _measure_facts(columns),
    }


def _numbers(reagent: str, subject: Result) -> dict[str, Any]:
    """Return every number of a reagent by its name, those of its titration included."""
    values: dict[str, Any] = subject.numbers(reagent)
    if reagent in subject.reagents and (titration := subject.reagents[reagent].titration) is not None:
        values |= asdict(titration)
    return values


def _measure_row(measure: str, columns: Sequence[Mapping[str, Any]]) -> View:
    cells = []
    for values in columns:
        value = values.get(measure)
        shown = format_measure(measure, value) if value is not None else "–"
        cells.append({"value": shown, "interval": format_interval(measure, values) if value is not None else ""})
    entry = load_texts()["measures"][measure]
    return {"label": entry["label"], "help": entry.get("help", ""), "cells": cells}


def _measure_facts(columns: Sequence[tuple[str, Result]]) -> list[View]:
    """Return the rows on how the numbers were made."""
    words = load_texts()["sections"]["measures"]
    columns_facts = [_facts(subject.reagents.get(reagent)) for reagent, subject in columns]
    return [{"label": words[name], "cells": [facts[name] or "–" for facts in columns_facts]} for name in _FACTS]


def _facts(values: Measures | None) -> dict[str, str]:
    if values is None:
        return dict.fromkeys(_FACTS, "")
    texts, tubes = load_texts(), values.tubes
    pooled = texts["sections"]["measures"]["pooled"].format(count=len(tubes))
    return {
        "background": values.background.source if values.background is not None else "",
        "threshold_source": values.threshold_source or "",
        "detector": values.detector or "",
        "tubes": f"{pooled}: {', '.join(tubes)}" if len(tubes) > 1 else "".join(tubes),
        "converged": texts["answers"].get(str(values.converged).lower(), ""),
    }


def guard_rows(result: Result) -> list[View]:
    """Return the checks, fired ones first, then those that could not be evaluated."""
    words = load_texts()["sections"]["guards"]
    states = {True: "fired", False: "passed", None: "not_evaluated"}
    order = {True: 0, None: 1, False: 2}
    return [
        {
            "code": guard.code,
            "name": reason_texts(guard.code).get("check", reason_texts(guard.code)["name"]),
            "reagent": guard.reagent or "",
            "value": format_unit(guard.unit, guard.value) if guard.value is not None else "–",
            "limit": format_unit(guard.unit, guard.limit, limit=True) if guard.limit is not None else "–",
            "state": states[guard.fired],
            "word": words[states[guard.fired]],
            "effect": load_texts()["effects"][guard.effect],
            "serious": guard.effect == "hard",
            "message": guard.message,
        }
        for guard in sorted(result.guards, key=lambda guard: order[guard.fired])
    ]


def rule_rows(result: Result) -> list[View]:
    """Return the rules in the order tried, grouped by reagent, each condition with value and limit."""
    words = load_texts()["sections"]["rules"]
    states = {True: "met", False: "not_met", None: "open"}
    rows = []
    for rule in result.rules:
        conditions = []
        before = None
        for condition in rule.conditions:
            group = condition.either
            conditions.append(
                {
                    "joined": words["or"] if group is not None and group == before else "",
                    "label": measure_label(condition.measure),
                    "value": format_against(condition.measure, condition.value, condition.limit),
                    "sign": operator_sign(condition.op),
                    "limit": format_limit(condition.measure, condition.limit),
                    "state": states[condition.met],
                    "word": words[states[condition.met]],
                }
            )
            before = group
        rows.append(
            {
                "reagent": rule.reagent or words["overall"],
                "call": rule.call,
                "name": load_texts()["calls"][rule.call]["word"],
                "state": states[rule.met],
                "word": words[states[rule.met]],
                "conditions": conditions,
            }
        )
    return rows


def message_rows(result: Result, not_shown: Sequence[str] = ()) -> list[View]:
    """Return the messages, the most serious first, and before them what ``not_shown`` lists."""
    words = load_texts()["sections"]["messages"]
    order = ("error", "warning", "info")
    files = [Message(code="FILES", severity="error", tube=None, text=text) for text in not_shown]
    return [
        {**asdict(message), "word": words["severities"][message.severity], "tube": message.tube or words["sample"]}
        for message in sorted([*files, *result.messages], key=lambda message: order.index(message.severity))
    ]


def gate_rows(result: Result) -> list[View]:
    """Return every gate with its position, how it was found and, where set by hand, by whom and why."""
    words = load_texts()["sections"]["gates"]
    return [
        {
            "gate": gate.gate,
            "population": population_name(gate.population),
            "tube": gate.tube or words["all_tubes"],
            "detector": gate.detector or " × ".join(gate.detectors or []),
            "value": _gate_value(gate),
            "method": gate.method,
            "automatic": _plain(gate.automatic) if gate.override else "",
            "who": words["by"].format(**asdict(gate.override)) if gate.override else "",
            "flag": gate.flag,
        }
        for gate in result.gates
    ]


def _gate_value(gate: Gate) -> str:
    if gate.vertices:
        return str(load_texts()["sections"]["gates"]["vertices"].format(count=len(gate.vertices)))
    return _plain(gate.value)


def _plain(value: float | None) -> str:
    if value is None:
        return "–"
    return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}").replace("-", "−")


def compared_populations(results: Sequence[Result]) -> list[str]:
    """Return the populations that tubes are compared by: those of the assay's gates, an optional one where it is."""
    assay = current_assay()
    there = {each.population for result in results for tube in result.tubes for each in tube.populations}
    optional = {gate.population for gate in assay.gates if gate.only_if} - there
    return [name for name in assay.populations if name != TIME and name not in optional]


def tube_rows(result: Result, compared: Sequence[str]) -> View | None:
    """Return the tubes of one sample compared by some populations, with the spread of each; None without a tube."""
    words = load_texts()["sections"]["tubes"]
    read = [tube for tube in result.tubes if tube.status == "ok"]
    if not read:
        return None
    shares = [{each.population: each.percent_of_parent for each in tube.populations} for tube in read]
    rows = [
        {
            "title": f"{load_texts()['tube_names'][tube.stimulation]} · {tube.reagent}",
            "events": format_number("events", tube.events),
            "removed": _share(tube.removed_percent),
            "margin": _share(tube.margin_percent),
            "time_problem": tube.time_problem or "",
            "shares": [_share(share.get(name)) for name in compared],
        }
        for tube, share in zip(read, shares, strict=True)
    ]
    spread = []
    for name in compared:
        # Resting and activated cells differ in CD69 by design: only the stimulated tubes are compared.
        stimulated_only = name == ACTIVATED
        found = [
            value
            for tube, share in zip(read, shares, strict=True)
            if (value := share.get(name)) is not None and (tube.stimulation == "stimulated" or not stimulated_only)
        ]
        spread.append(f"{max(found) - min(found):.1f}" if len(found) > 1 else "–")
    return {
        "sample": result.sample,
        "rows": rows,
        "spread": spread,
        "spread_label": words["spread"].format(sample=result.sample),
        "voltages": _voltages(result.sample, read),
    }


def _share(value: float | None) -> str:
    return "–" if value is None else format_number("percent", value)


def _voltages(sample: str, tubes: Sequence[Tube]) -> str:
    words = load_texts()["sections"]["tubes"]
    seen: dict[str, set[float]] = {}
    for tube in tubes:
        for detector, volts in (tube.voltages or {}).items():
            if volts is not None:
                seen.setdefault(detector, set()).add(volts)
    if not seen:
        return str(words["voltages_none"].format(sample=sample))
    differing = sorted(detector for detector, volts in seen.items() if len(volts) > 1)
    if not differing:
        return str(words["voltages_same"].format(sample=sample))
    differences = "; ".join(
        f"{detector} {', '.join(f'{volt:g}' for volt in sorted(seen[detector]))} V" for detector in differing
    )
    return str(words["voltages_differ"].format(sample=sample, detectors=differences))


def method_rows(result: Result) -> list[View]:
    """Return what is in each file: version, instrument, reagents, spillover, detectors and digest."""
    words = load_texts()["sections"]["methods"]
    rows = []
    for tube in result.tubes:
        spillover = tube.spillover
        compensated = words["compensated"] if tube.status == "ok" else "–"
        markers = tube.markers or {}
        rows.append(
            {
                "title": f"{load_texts()['tube_names'][tube.stimulation]} · {tube.reagent}",
                "fcs": tube.fcs,
                "file": tube.version or "–",
                "cytometer": tube.cytometer or "–",
                "month": tube.month or "–",
                "clone": tube.clone or "–",
                "lot": tube.lot or "–",
                "spillover": spillover.source if spillover else compensated,
                "markers": [f"{marker} {detector}" for marker, detector in sorted(markers.items())],
                "digest": tube.digest or "–",
            }
        )
    return rows


def scale_rows(result: Result) -> list[View]:
    """Return the logicle scale of every detector."""
    return [
        {
            "detector": detector,
            "source": scale.source,
            **{name: _plain(getattr(scale, name)) for name in ("t", "w", "m", "a")},
        }
        for detector, scale in sorted(result.scales.items())
    ]

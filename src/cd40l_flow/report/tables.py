"""The tables of the report: messages, gates, tubes, files and scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from cd40l_flow.assay.cd40l.gates import ACTIVATED
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.shared_gates import TIME
from cd40l_flow.assay.texts import load_texts, population_name
from cd40l_flow.result.numbers import format_number
from cd40l_flow.result.types.decision import Message
from cd40l_flow.result.types.gates import Gate
from cd40l_flow.result.types.result import Result
from cd40l_flow.result.types.tubes import Tube


class MessageRow(TypedDict):
    """One message with its severity in a word, and the tube or the sample that it is about."""

    code: str
    severity: str
    word: str
    tube: str
    text: str


class GateRow(TypedDict):
    """One gate; ``value`` is in linear channel units, a ratio of singlets or seconds, as is ``automatic``.

    ``automatic`` and ``who`` are empty unless a person set it.
    """

    gate: str
    population: str
    tube: str
    detector: str
    value: str
    method: str
    automatic: str
    who: str
    flag: str


class TubeRow(TypedDict):
    """One tube: its events, and in percent what was removed and each population compared."""

    title: str
    events: str
    removed: str
    margin: str
    time_problem: str
    shares: list[str]


class TubeTable(TypedDict):
    """The tubes of one sample, with the spread of each population in percentage points."""

    sample: str
    rows: list[TubeRow]
    spread: list[str]
    spread_label: str
    voltages: str


class FileRow(TypedDict):
    """What is in one file, a dash for what it does not state."""

    title: str
    fcs: str
    file: str
    cytometer: str
    month: str
    clone: str
    lot: str
    spillover: str
    markers: list[str]
    digest: str


class ScaleRow(TypedDict):
    """The logicle parameters of one detector: ``t`` in channels, the others in decades."""

    detector: str
    source: str
    t: str
    w: str
    m: str
    a: str


def message_rows(result: Result, not_shown: Sequence[str] = ()) -> list[MessageRow]:
    """Return the messages, the most serious first, and before them what ``not_shown`` lists."""
    words = load_texts()["sections"]["messages"]
    order = ("error", "warning", "info")
    files = [Message(code="FILES", severity="error", tube=None, text=text) for text in not_shown]
    return [
        {
            "code": message.code,
            "severity": message.severity,
            "word": words["severities"][message.severity],
            "tube": message.tube or words["sample"],
            "text": message.text,
        }
        for message in sorted([*files, *result.messages], key=lambda message: order.index(message.severity))
    ]


def gate_rows(result: Result) -> list[GateRow]:
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
            "who": words["by"].format(by=gate.override.by, reason=gate.override.reason) if gate.override else "",
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


def tube_rows(result: Result, compared: Sequence[str]) -> TubeTable | None:
    """Return the tubes of one sample compared by some populations, with the spread of each; None without a tube."""
    words = load_texts()["sections"]["tubes"]
    read = [tube for tube in result.tubes if tube.status == "ok"]
    if not read:
        return None
    shares = [{each.population: each.percent_of_parent for each in tube.populations} for tube in read]
    rows: list[TubeRow] = [
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


def method_rows(result: Result) -> list[FileRow]:
    """Return what is in each file: version, instrument, reagents, spillover, detectors and digest."""
    words = load_texts()["sections"]["methods"]
    rows: list[FileRow] = []
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


def scale_rows(result: Result) -> list[ScaleRow]:
    """Return the logicle scale of every detector."""
    return [
        {
            "detector": detector,
            "source": scale.source,
            "t": _plain(scale.t),
            "w": _plain(scale.w),
            "m": _plain(scale.m),
            "a": _plain(scale.a),
        }
        for detector, scale in sorted(result.scales.items())
    ]

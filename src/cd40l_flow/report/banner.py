"""The top of the report: the call in words, why, whose sample it is, and the numbers that carry the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts, reason_texts
from cd40l_flow.result.numbers import (
    format_against,
    format_interval,
    format_limit,
    format_measure,
    format_unit,
    measure_base,
    measure_kind,
    operator_sign,
)
from cd40l_flow.result.types.decision import Guard, Subcall
from cd40l_flow.result.types.result import Result

View = dict[str, Any]

# The measures a reader needs to follow each call, most telling first; those without a value give way to the next.
_CARRYING: dict[str, tuple[tuple[str, str], ...]] = {
    "NORMAL": (
        ("CD154", "percent_positive"),
        ("CD40-Ig", "percent_positive"),
        ("CD154", "mutant_fraction"),
        ("CD154", "negative_fraction"),
    ),
    "ABSENT": (("CD154", "percent_positive"), ("CD154", "relative_positive"), ("CD40-Ig", "percent_positive")),
    "MOSAIC": (("CD154", "mutant_fraction"), ("CD40-Ig", "mutant_fraction"), ("CD154", "separation")),
    "REDUCED": (("CD154", "mfi_all_ratio"), ("CD154", "percent_positive"), ("CD40-Ig", "mfi_all_ratio")),
    "FUNCTIONAL_DEFECT": (
        ("CD40-Ig", "percent_positive"),
        ("CD154", "percent_positive"),
        ("CD40-Ig", "relative_positive"),
    ),
    "INDETERMINATE": (("CD154", "percent_positive"), ("CD40-Ig", "percent_positive"), ("CD154", "negative_fraction")),
}
_CARDS = 3
# The names rules give to the measures of the cards; fractions there are percents here.
_RULE_NAMES: dict[str, tuple[str, ...]] = {
    "percent_positive": ("positive", "positive_fraction"),
    "mfi_all_ratio": ("level",),
    "mfi_ratio": ("positive_level",),
}
_GAUGE_TOP = {"percent": 100.0, "fraction": 1.0, "ratio": 1.5}


def banner(result: Result) -> View:
    """Return the call, its words, its reasons with cause and remedy, and the sub-calls."""
    texts = load_texts()
    words = texts["calls"][result.call]
    title = words.get("title_control", words["title"]) if result.role == "control" else words["title"]
    return {
        "call": result.call,
        "word": words["word"],
        "title": title,
        "statement": list(result.statement),
        "qc": {"key": result.qc, **texts["qc"][result.qc]},
        "reasons": [_reason(result, code) for code in result.reasons],
        "flags": _flags(result),
        "subcalls": [
            {
                "reagent": reagent,
                "call": subcall.call,
                "word": texts["calls"][subcall.call]["word"],
                "reasons": [reason_texts(code)["name"] for code in subcall.reasons],
            }
            for reagent, subcall in sorted(shown_subcalls(result).items(), key=_reagent_order)
        ],
    }


def shown_subcalls(result: Result) -> Mapping[str, Subcall]:
    """Return the sub-calls, none for a control that stands alone: it is judged by its checks, not against anything."""
    alone = result.role == "control" and not result.controls
    return {} if alone else result.subcalls


def _reagent_order(item: tuple[str, Any]) -> int:
    order = list(current_assay().targets)
    return order.index(item[0]) if item[0] in order else len(order)


def _reason(result: Result, code: str) -> View:
    """Return a reason in words with what the checks found for this very sample."""
    found = [finding(guard) for guard in result.guards if guard.code == code and guard.fired is not False]
    found = found or [message.text for message in result.messages if message.code == code]
    return {"code": code, **reason_texts(code), "found": list(dict.fromkeys(text for text in found if text))}


def finding(guard: Guard, *, named: bool = True) -> str:
    """Return what one check found, with value and limit where it has them."""
    words = load_texts()["sections"]["why"]
    reagent = f"{guard.reagent}: " if named and guard.reagent else ""
    message = guard.message.rstrip(".")
    if guard.fired is None:
        return str(words["unknown"].format(reagent=reagent, message=message))
    if guard.value is None or guard.limit is None:
        return reagent + str(guard.message)
    value = format_unit(guard.unit, guard.value)
    limit = format_unit(guard.unit, guard.limit, limit=True)
    return str(words["found"].format(reagent=reagent, message=message, value=value, limit=limit))


def _flags(result: Result) -> list[View]:
    """Return the checks that fired without being a reason of the call."""
    codes = dict.fromkeys(guard.code for guard in result.guards if guard.fired)
    return [{"code": code, **reason_texts(code)} for code in codes if code not in result.reasons]


def identity(result: Result) -> list[tuple[str, str]]:
    """Return what the sheet says about the sample, as (label, value)."""
    words = load_texts()["context"]
    unknown = str(load_texts()["unknown"])
    metadata = result.metadata

    def hours(value: float | None) -> str:
        return unknown if value is None else str(words["hours"].format(value=f"{value:g}"))

    rows = [
        (words["run"], result.run),
        (words["role"], words["roles"][result.role]),
        (words["sex"], words["sexes"][result.sex]),
        (words["age_band"], result.age_band or unknown),
        (words["controls"], ", ".join(result.controls) or words["no_controls"]),
    ]
    for name in ("transplant", "calcineurin_inhibitor", "steroid", "anti_cd154", "transfusion"):
        rows.append((words[name], getattr(metadata, name)))
    rows.append((words["anticoagulant"], metadata.anticoagulant or unknown))
    rows.append((words["collected_h"], hours(metadata.collected_h)))
    rows.append((words["stimulation_h"], hours(metadata.stimulation_h)))
    return rows + sorted(metadata.show.items())


def key_numbers(result: Result, controls: Sequence[Result]) -> list[View]:
    """Return the cards of the numbers that carry the call, at most three."""
    cards = _guard_cards(result) if result.call == "INDETERMINATE" else []
    for reagent, measure in _CARRYING[result.call]:
        values = result.numbers(reagent)
        if len(cards) < _CARDS and values.get(measure) is not None:
            cards.append(_card(result, controls, reagent, measure, values))
    return cards


def _guard_cards(result: Result) -> list[View]:
    """Return a card for each kind of check that stopped the call and has a number, the first reagent's."""
    cards: dict[str, View] = {}
    for guard in result.guards:
        if guard.fired and guard.effect == "hard" and guard.value is not None and guard.limit is not None:
            sign = "≥" if guard.value < guard.limit else "≤"
            limit = f"{sign} {format_unit(guard.unit, guard.limit, limit=True)}"
            value = format_unit(guard.unit, guard.value)
            title = guard.message.rstrip(".")
            named = f"{title} ({guard.reagent})" if guard.reagent else title
            cards.setdefault(f"{guard.code} {title}", _plain_card(named, value, limit))
    return list(cards.values())[: _CARDS - 1]


def _plain_card(title: str, value: str, limit: str) -> View:
    blank = {"reagent": None, "interval": "", "control": None, "gauge": None, "muted": False}
    return {"title": title, "value": value, "limit": limit, **blank}


def _card(
    result: Result, controls: Sequence[Result], reagent: str, measure: str, values: Mapping[str, float | None]
) -> View:
    limit, sign, bound = _limit(result, reagent, measure, values)
    words = load_texts()["sections"]["numbers"]["bounds"]
    end = f" ({words[bound]})" if bound else ""
    control = _control_value(controls, reagent, measure)
    kind = measure_kind(measure)
    return {
        "title": load_texts()["measures"][measure]["short"],
        "reagent": reagent,
        "value": format_against(measure, values[measure], limit),
        "interval": format_interval(measure, values),
        "limit": f"{sign} {format_limit(measure, limit)}{end}" if limit is not None else None,
        "control": format_measure(measure, control) if control is not None else None,
        "gauge": _gauge(kind, values, measure, limit, control),
        "muted": result.call == "INDETERMINATE",
    }


def _limit(
    result: Result, reagent: str, measure: str, values: Mapping[str, float | None]
) -> tuple[float | None, str, str]:
    """Return the cut-off of a measure in the rule that gave the sub-call, its sign, and the end it is tested at."""
    subcall = result.subcalls[reagent].call if reagent in result.subcalls else None
    names = (measure, *_RULE_NAMES.get(measure, ()))
    for rule in result.rules:
        if rule.call == subcall and rule.reagent in (reagent, None):
            for condition in rule.conditions:
                base, bound = measure_base(condition.measure)
                if base in names and condition.limit is not None:
                    factor = 100.0 if (measure_kind(base), measure_kind(measure)) == ("fraction", "percent") else 1.0
                    return condition.limit * factor, operator_sign(condition.op), bound
    value, detected = values.get(measure), values.get("lod")
    if measure == "mutant_fraction" and value is not None and detected is not None:
        return detected, ">" if value > detected else "≤", ""
    return None, "", ""


def _control_value(controls: Sequence[Result], reagent: str, measure: str) -> float | None:
    for control in controls:
        value = control.numbers(reagent).get(measure)
        if value is not None:
            return value
    return None


def _gauge(
    kind: str, values: Mapping[str, float | None], measure: str, limit: float | None, control: float | None
) -> View | None:
    """Return where value, interval, limit and control lie on a bar of 0 to 100; beyond the end they stay at it."""
    top = _GAUGE_TOP.get(kind)
    if top is None:
        return None

    def place(value: float | None) -> float | None:
        return None if value is None else round(min(max(value / top, 0.0), 1.0) * 100, 2)

    low, high = values.get(f"{measure}_low"), values.get(f"{measure}_high")
    value = values[measure]
    return {
        "at": place(value),
        "beyond": value is not None and value > top,
        "low": place(low),
        "high": place(high),
        "limit": place(limit),
        "control": place(control),
        "top": "100 %" if kind != "ratio" else f"{top:g}",
    }
